"""Node: what a Value holds, and how a user reads, compares and writes it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard, TypeVar

from .anomaly import label_of
from .backward import gradients, is_assigned_its_step, step
from .checking import elementwise, is_array, number, operand_value, string, type_name
from .fields import Fields
from .order import topological_order
from .pickling import reduced, set_attributes

if TYPE_CHECKING:
    from .engine import Value


T = TypeVar("T")


def refuse(message: str) -> Callable[..., NoReturn]:
    def refused(*args: object) -> NoReturn:
        raise AttributeError(message)

    return refused


def guarded(kind: type[T]) -> type[T]:
    """Decorate a class: no property can be deleted, and none without a setter be changed."""
    for name, field in tuple(vars(kind).items()):
        if isinstance(field, property):
            fset = field.fset or refuse(f"{name} of a Value cannot be changed: make a new Value")
            fdel = refuse(f"{name} of a Value cannot be deleted")
            setattr(kind, name, property(field.fget, fset, fdel, field.__doc__))
    return kind


@guarded
class Node(Fields):
    """A Value without its arithmetic."""

    __slots__ = ()

    @property
    def data(self) -> float:
        """The value. Assigning converts to a float; nodes computed from it before keep theirs."""
        return self._value

    @data.setter
    def data(self, x: Any) -> None:
        self._value = number(x, "the data of a Value")

    @property
    def grad(self) -> float:
        """The derivative of the last backward's root with respect to this Value; 0.0 at first."""
        return self._grad

    @grad.setter
    def grad(self, x: Any) -> None:
        self._grad = number(x, "the grad of a Value")

    @property
    def label(self) -> str:
        """A name to show in drawings."""
        return label_of(self)

    @label.setter
    def label(self, x: str) -> None:
        set_label(self, string(x, "label"))

    @property
    def _op(self) -> str:
        """The operation that made this node, '' for a leaf."""
        return self._operation.name

    @property
    def _children(self) -> tuple[Value, ...]:
        """The operands in order."""
        return self._operands

    @property
    def _prev(self) -> set[Value]:
        """The operands as a new set."""
        return set(self._operands)

    @property
    def _backward(self) -> Callable[[], object]:
        """Adds this node's gradient into its operands; does nothing on a leaf.

        Assignable on a custom operation, AttributeError elsewhere.
        """
        return partial(step, self) if self._closure is None else self._closure

    @_backward.setter
    def _backward(self, closure: Callable[[], object]) -> None:
        if not is_assigned_its_step(self):
            raise AttributeError(
                "_backward can be set only on a custom operation: make one with its operands, "
                "out = Value(data, (a, b), 'name'), and set out._backward"
            )
        if not callable(closure):
            raise TypeError(f"_backward must be callable, not '{type_name(closure)}'")
        self._closure = closure

    @property
    def _local_grads(self) -> tuple[float, ...]:
        """What this node's step adds to each operand's grad of 0.0 if its own grad is 1.0.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """
        return self._passed(1.0)

    def _passed(self, g: Any) -> tuple[float, ...]:
        """What this node's step adds to each operand's grad of 0.0 if its own grad is g.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """
        g = number(g, "the grad of a Value")
        if is_assigned_its_step(self) and self._operands:
            raise AttributeError(
                f"the custom operation {self._op!r} has no _local_grads: its step is its _backward"
            )
        return tuple(0.0 + x for x in gradients(self, g))

    def __lt__(self, other: Any) -> Any:
        return compare(operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return compare(operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return compare(operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return compare(operator.ge, self, other)

    def __float__(self) -> NoReturn:
        raise TypeError("a Value does not turn into a float by itself: use .data")

    def __repr__(self) -> str:
        return f"Value(data={self._value!r})"

    def __format__(self, spec: str) -> str:
        return format(self._value, spec) if spec else str(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: data, grad, label and operation."""
        return html_table(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def __setstate__(self, state: dict[int, Any]) -> None:
        set_attributes(topological_order([self]), state)


def is_value(x: object) -> TypeGuard[Value]:
    return issubclass(type(x), Node)


def compare(relation: Callable[[float, float], bool], left: Node, right: Any) -> Any:
    if is_array(right):
        return elementwise(relation.__name__, left, right)
    a = left._value
    b = right._value if is_value(right) else operand_value(right)
    for x in (left, right):
        if is_value(x):
            x._is_compared = True
    return not (math.isnan(a) or math.isnan(b)) and relation(a, b)


def check_step(node: Node) -> None:
    """Raise what a step would that was never assigned; a subclass may have its own."""
    missing = node._closure is None and is_assigned_its_step(node)
    if missing and type(node)._backward is Node._backward:
        step(node)


def set_label(node: Node, label: str) -> None:
    if label:
        node.__dict__["label"] = label
    else:
        node.__dict__.pop("label", None)


def html_table(node: Any) -> str:
    from html import escape

    fields = {"data": repr(node.data), "grad": repr(node.grad), "label": node.label, "op": node._op}
    cells = [f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in fields.items()]
    return f"<table>{''.join(cells)}</table>"
