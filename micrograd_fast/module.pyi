"""Module: what has parameters."""

import os
from collections.abc import Mapping

from typing_extensions import Self

from .engine import Value, _Number

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

    training: bool

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0.0."""

    def parameters(self) -> list[Value]:
        """The Values that training changes, in a fixed order: that of assignment, each once.

        A Module in an attribute is asked for its own.
        """

    def named_parameters(self) -> list[tuple[str, Value]]:
        """The parameters with their names, in the order of `parameters`, each once.

        A name is the way from the module: 'layers.0.neurons.1.w.0' is a weight of an MLP. What no
        attribute leads to is called by its place in `parameters`: 'parameters.3'.
        Raises ValueError if two parameters have one name.
        """

    def state_dict(self) -> dict[str, float]:
        """The parameters' data by name. Raises ValueError if two parameters have one name."""

    def load_state_dict(self, state: Mapping[str, _Number]) -> None:
        """Set the parameters' data by name, to what state_dict gave of a module of the same shape.

        Raises ValueError for names that are missing or unexpected, TypeError for what is no
        number, and then changes nothing.
        """

    def train(self, mode: bool = True) -> Self:
        """Set `training` in this module and in all that its attributes lead to; returns self.

        It is True at first. Dropout heeds it.
        """

    def eval(self) -> Self:
        """train(False)."""

    def _repr_html_(self) -> str:
        """What a notebook shows: the number of parameters, where repr lists every neuron."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters' data to a file in NumPy's .npz format.

        The file appears whole or not at all: it is written beside path and then renamed.
        Raises ValueError if a parameter is not finite.
        """

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read the parameters' data from a file that save wrote, for a module of the same shape.

        Nothing in the file is executed. Raises ValueError for another file, another module, another
        number of parameters, or a parameter that is not finite, and then changes nothing.
        """
