"""The autograd engine: Value.

A Value is a number that remembers which operation made it and from which operands. Calling
`backward` on a result walks that graph from the result to the leaves and leaves in every node's
`grad` the derivative of the result with respect to it.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

__all__ = ["Value", "backward", "detect_anomaly"]

_Number: TypeAlias = float | np.floating[Any] | np.integer[Any] | np.bool_
_Array: TypeAlias = NDArray[Any]
_Objects: TypeAlias = NDArray[np.object_]  # what an operator makes of an array, element by element

# No __getattr__ or __setattr__, though a Value takes any attribute: with them a type checker would
# let every misspelt .grad pass. As with a torch.Tensor, a program that is checked declares its
# attributes in a subclass, or reads and writes them by vars(v).
@disjoint_base  # its memory is laid out in C, so no class can derive from it and from int
class Value:
    """A number in a graph, with the gradient of the graph's result with respect to it.

    data: an int, float, bool or NumPy real scalar; kept as a float.
    _children: for a custom operation, the Values that it was computed from, in operand order.
    _op: for a custom operation, its name.
    label: any string; shown by draw_dot.
    local_grads: for a custom operation, the derivative with respect to each child, as a number.

    Operators and methods make new nodes: + - * / ** and negation, abs, exp, expm1, log, log1p,
    sqrt, sin, cos, atan, tanh, sigmoid, softplus, erf, relu, leaky_relu, silu, gelu, clip. A number
    operand becomes a constant leaf. Values compare by their data with < <= > >=, and are equal only
    to themselves. Every operation gives the exact result, rounded once to the nearest double.
    Overflow gives inf, an invalid operation nan, and nothing raises.

    A custom operation is out = Value(data, (a, b), 'name') and out._backward = a function of no
    arguments that adds into a.grad and b.grad. Or it is Value(data, (a, b), (da, db)), where da and
    db are its local gradients: then backward adds da * out.grad and db * out.grad, in this order.
    It is called 'custom', or by the name in Value(data, (a, b), 'name', local_grads=(da, db)).
    What gradient needs of either is out._gradient = a rule, of which its docstring tells.

    A Value takes further attributes, v.name = x, which are copied and pickled with it. A label is
    one of them. A cycle through them is freed by the garbage collector. With micrograd_fast, it
    does not see one through c = v * 2 if c was made before v had attributes, unless c is under a
    Value that was assigned to an attribute, alone or in a list, tuple, dict or set: v.list = [c],
    not v.list.append(c). Such an assignment costs a walk over the graph under the Value.

    Raises TypeError for data that is no real number (a Fraction or a Decimal is none: pass a float
    of it), OverflowError for an int beyond a double, ValueError for another number of local
    gradients than of children.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> L = (a * b + 10) ** 2
    >>> L.backward()
    >>> L.data, a.grad, b.grad
    (16.0, -24.0, 16.0)
    """

    __array_priority__: float
    def __format__(self, spec: str, /) -> str: ...
    def __init__(
        self,
        data: _Number,
        _children: Iterable[Value] = (),
        _op: str | tuple[_Number, ...] | list[_Number] = "",
        label: str = "",
        local_grads: tuple[_Number, ...] | list[_Number] | None = None,
    ) -> None: ...
    @property
    def data(self) -> float:
        """The value. Assigning converts to a float; nodes computed from it before keep theirs."""

    @data.setter
    def data(self, x: _Number) -> None: ...
    @property
    def grad(self) -> float:
        """The derivative of the last backward's root with respect to this Value; 0.0 at first."""

    @grad.setter
    def grad(self, x: _Number) -> None: ...
    @property
    def label(self) -> str:
        """A name to show in drawings."""

    @label.setter
    def label(self, x: str) -> None: ...
    @property
    def _op(self) -> str:
        """The operation that made this node, '' for a leaf."""

    @property
    def _children(self) -> tuple[Value, ...]:
        """The operands in order."""

    @property
    def _prev(self) -> set[Value]:
        """The operands as a new set."""

    @property
    def _backward(self) -> Callable[[], object]:
        """Adds this node's gradient into its operands; does nothing on a leaf.

        Assignable on a custom operation, AttributeError elsewhere.
        """

    @_backward.setter
    def _backward(self, closure: Callable[[], object]) -> None: ...
    @property
    def _local_grads(self) -> tuple[float, ...]:
        """What this node's step adds to each operand's grad of 0.0 if its own grad is 1.0.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """

    def _passed(self, g: float) -> tuple[float, ...]:
        """What this node's step adds to each operand's grad of 0.0 if its own grad is g.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """

    def backward(self, gradient: _Number = 1.0) -> None:
        """Compute the gradient of this Value with respect to every node under it.

        Sets this node's grad to gradient, a number that all others are multiples of, recomputes the
        grads of all nodes that have operands from zero, and adds into the leaves' grads, so zero
        those between steps. The function backward has several outputs. Depth is limited by
        memory alone. An exception from a custom operation propagates: the grads are then
        incomplete, the graph is as before. A custom operation may call backward itself, which is a
        RecursionError beyond 100 deep. Cost: proportional to the number of nodes and operands.
        Raises ValueError if a custom operation has children and no _backward, and then changes
        nothing.
        """

    @overload
    def __add__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __add__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __radd__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __radd__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __sub__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __sub__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __rsub__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __rsub__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __mul__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __mul__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __rmul__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __rmul__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __truediv__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __truediv__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __rtruediv__(self, other: Value | _Number, /) -> Value: ...
    @overload
    def __rtruediv__(self, other: _Array, /) -> _Objects: ...
    @overload
    def __pow__(self, other: Value | _Number, modulo: None = None, /) -> Value: ...
    @overload
    def __pow__(self, other: _Array, modulo: None = None, /) -> _Objects: ...
    @overload
    def __rpow__(self, other: Value | _Number, modulo: None = None, /) -> Value: ...
    @overload
    def __rpow__(self, other: _Array, modulo: None = None, /) -> _Objects: ...
    def __neg__(self) -> Value: ...
    def __abs__(self) -> Value: ...
    def exp(self) -> Value:
        """e**self; inf on overflow."""

    def expm1(self) -> Value:
        """e**self - 1, of full precision near 0; inf on overflow."""

    def log(self) -> Value:
        """The natural logarithm: -inf at zero, nan below it."""

    def log1p(self) -> Value:
        """log(1 + self), of full precision near 0: -inf at -1, nan below it."""

    def sqrt(self) -> Value:
        """The square root; nan below zero."""

    def sin(self) -> Value:
        """The sine of an angle in radians; nan at infinity."""

    def cos(self) -> Value:
        """The cosine of an angle in radians; nan at infinity."""

    def atan(self) -> Value:
        """The arc tangent, an angle in radians."""

    def tanh(self) -> Value:
        """The hyperbolic tangent."""

    def sigmoid(self) -> Value:
        """1 / (1 + e**-self), without overflow."""

    def softplus(self) -> Value:
        """log(1 + e**self), without overflow."""
    def erf(self) -> Value:
        """The error function."""
    def relu(self) -> Value:
        """self where positive, else 0; nan for nan."""
    def leaky_relu(self, slope: Value | _Number = 0.01) -> Value:
        """self where positive, else slope * self. slope: a Value or a number."""
    def silu(self) -> Value:
        """self * sigmoid(self), in two nodes."""
    def gelu(self) -> Value:
        """self * 0.5 * (1 + erf(self / sqrt(2))), in five nodes."""
    def clip(self, low: Value | _Number, high: Value | _Number) -> Value:
        """self, at least low and at most high: Values or numbers. In two nodes.

        The gradient goes to self where low <= self <= high, else to the bound that was taken.
        """

    @overload
    def __lt__(self, other: Value | _Number, /) -> bool: ...
    @overload
    def __lt__(self, other: _Array, /) -> _Array: ...
    @overload
    def __le__(self, other: Value | _Number, /) -> bool: ...
    @overload
    def __le__(self, other: _Array, /) -> _Array: ...
    @overload
    def __gt__(self, other: Value | _Number, /) -> bool: ...
    @overload
    def __gt__(self, other: _Array, /) -> _Array: ...
    @overload
    def __ge__(self, other: Value | _Number, /) -> bool: ...
    @overload
    def __ge__(self, other: _Array, /) -> _Array: ...
    def __float__(self) -> NoReturn: ...
    def _repr_html_(self) -> str:
        """What a notebook shows: data, grad, label and operation."""

def backward(
    outputs: Iterable[Value] | NDArray[np.object_], gradients: Iterable[_Number] | None = None
) -> None:
    """Compute the gradient of several Values at once, each weighted by a gradient of its own.

    outputs: Values, at least one. gradients: a number for each of them; 1.0 if None.
    The order is one over all outputs, the first output first. The grads of the outputs, and of all
    nodes under them that have operands, are set to 0.0; then each output's gradient is added to
    its grad, and from there on it is as in Value.backward: what lies under several outputs is
    differentiated once.
    Raises TypeError for what is no Value or number, ValueError for no outputs or another number of
    gradients, and as Value.backward does.

    >>> a = Value(3.0)
    >>> backward([a * a, a * 2], [1.0, 0.5])
    >>> a.grad
    7.0
    """

def detect_anomaly() -> AbstractContextManager[None]:
    """Within this block, an operation that turns finite numbers into nan or inf is an error.

    Raises FloatingPointError at the first one, in building a graph, in `backward` or in a Tape. It
    names the operation, its operands' data and labels, and in a Tape the row. A forward operation
    that fails makes no node; after a failure in `backward` the grads are incomplete.
    Cost: none that can be measured outside the block. Inside it, `backward` takes several times as
    long, and a Tape as long as the eager graph of each row.
    """
