"""Module: what has parameters. Written here once, for the Values of either package.

What this module imports relatively is its package's own: see `micrograd_fast.written_once`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from micrograd_ref import saving
from micrograd_ref.checking import number

from .engine import Value
from .optim import zero_grads

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Module"]


class Module:
    """What has parameters: the Values in its attributes, unless a subclass overrides `parameters`.

    They may be attributes themselves, or lie in Modules, lists, tuples and dicts, however nested.
    Values with operands are no parameters: a result may be kept in an attribute too. What lies
    elsewhere, in an array or a set, is not found: then override `parameters`.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(-1.0)
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': -1.0}
    """

    training = True

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0.0."""
        zero_grads(self.parameters())

    def parameters(self) -> list[Value]:
        """The Values that training changes, in a fixed order: that of assignment, each once.

        A Module in an attribute is asked for its own.
        """
        found: dict[int, Value] = {}
        for _, x in in_attributes(self, enters=finds_its_parameters):
            if is_value(x):
                own = [] if x._children else [x]
            else:
                own = [] if finds_its_parameters(x) else x.parameters()
            for p in own:
                found.setdefault(id(p), p)
        return list(found.values())

    def named_parameters(self) -> list[tuple[str, Value]]:
        """The parameters with their names, in the order of `parameters`, each once.

        A name is the way from the module: 'layers.0.neurons.1.w.0' is a weight of an MLP. What no
        attribute leads to is called by its place in `parameters`: 'parameters.3'.
        Raises ValueError if two parameters have one name.
        """
        parameters = list(self.parameters())
        names = {id(x): name for name, x in in_attributes(self)}
        named: dict[str, Value] = {}
        for i, p in enumerate(parameters):
            name = names.setdefault(id(p), f"parameters.{i}")
            if named.setdefault(name, p) is not p:
                raise ValueError(
                    f"two parameters are called {name!r}: give another name to an attribute or "
                    "key that leads to one of them"
                )
        return list(named.items())

    def state_dict(self) -> dict[str, float]:
        """The parameters' data by name. Raises ValueError if two parameters have one name."""
        return {name: p.data for name, p in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the parameters' data by name, to what state_dict gave of a module of the same shape.

        Raises ValueError for names that are missing or unexpected, TypeError for what is no
        number, and then changes nothing.
        """
        parameters, state = dict(self.named_parameters()), dict(state)
        missing = [name for name in parameters if name not in state]
        unexpected = [name for name in state if name not in parameters]
        if missing or unexpected:
            raise ValueError(
                f"{type(self).__name__} expects the state of a module of its shape: "
                f"missing {some_of(missing)}, unexpected {some_of(unexpected)}"
            )
        data = [number(state[name], f"the data of {name}") for name in parameters]
        for p, x in zip(parameters.values(), data, strict=True):
            p.data = x

    def train(self, mode: bool = True) -> Self:
        """Set `training` in this module and in all that its attributes lead to; returns self.

        It is True at first. Dropout heeds it.
        """
        modules = [x for _, x in in_attributes(self) if not is_value(x)]
        for module in [self, *modules]:
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """train(False)."""
        return self.train(False)

    def _repr_html_(self) -> str:
        """What a notebook shows: the number of parameters, where repr lists every neuron."""
        return f"{type(self).__name__} with {len(self.parameters())} parameters"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters' data to a file in NumPy's .npz format.

        The file appears whole or not at all: it is written beside path and then renamed.
        Raises ValueError if a parameter is not finite.
        """
        saving.save(self, path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read the parameters' data from a file that save wrote, for a module of the same shape.

        Nothing in the file is executed. Raises ValueError for another file, another module, another
        number of parameters, or a parameter that is not finite, and then changes nothing.
        """
        saving.load(self, path)


def is_value(x: object) -> bool:
    return issubclass(type(x), Value)


def finds_its_parameters(module: Any) -> bool:
    """Whether it has the `parameters` of Module."""
    return getattr(module.parameters, "__func__", None) is Module.parameters


def in_attributes(
    module: Module, enters: Callable[[Module], bool] = lambda module: True
) -> Iterator[tuple[str, Any]]:
    """The Values and Modules that a module's attributes lead to, each once, by the way to it.

    Depth-first in order of assignment, without recursion: modules may hold each other.
    enters: whether to go on through a Module.
    """
    visited = {id(module)}
    pending = [iter(items_of(module, ""))]
    while pending:
        for name, x in pending[-1]:
            if id(x) in visited:
                continue
            visited.add(id(x))
            is_module = issubclass(type(x), Module)
            if is_module or is_value(x):
                yield name, x
            if not is_module or enters(x):
                pending.append(iter(items_of(x, f"{name}.")))
                break
        else:
            pending.pop()


def items_of(x: object, prefix: str) -> list[tuple[str, Any]]:
    """Of what a Module, dict, list or tuple holds, that which may lead to a Value."""
    kind = type(x)
    held: Iterable[tuple[Any, Any]] = ()
    if issubclass(kind, Module):
        held = vars(x).items()
    elif issubclass(kind, dict):
        held = x.items()  # type: ignore[attr-defined]
    elif issubclass(kind, (list, tuple)):
        held = enumerate(x)  # type: ignore[arg-type]
    kinds = (Value, Module, dict, list, tuple)
    return [(f"{prefix}{key}", y) for key, y in held if issubclass(type(y), kinds)]


def some_of(names: list[Any], most: int = 4) -> str:
    shown = ", ".join(map(repr, names[:most])) or "none"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
