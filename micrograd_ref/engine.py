"""The autograd engine: Value.

A Value is a number that remembers which operation made it and from which operands. Calling
`backward` on a result walks that graph from the result to the leaves and leaves in every node's
`grad` the derivative of the result with respect to it.

This module, and what it is made of, is the specification of `micrograd_fast.engine`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from . import anomaly
from .anomaly import check_forward, checked_step, detect_anomaly
from .backward import DEEPEST, running, step
from .checking import (
    elementwise,
    is_array,
    is_number,
    list_of_values,
    number,
    operand_value,
    sequence,
    string,
    type_name,
)
from .custom import given_operation
from .node import Node, check_step, is_value, set_label
from .operations import BLANK, CONSTANT, OPERATIONS, Operation, constant_power
from .order import topological_order

__all__ = ["Value", "backward", "detect_anomaly"]


ROOT_2 = 1.4142135623730951


class Value(Node):
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

    __slots__ = ()
    # Above that of NumPy's scalars, which leave their operators to a Value, and below that of its
    # arrays, which take a Value for an element: in place and by name too.
    __array_priority__ = -1.0

    def __init__(
        self,
        data: Any,
        _children: Iterable[Value] = (),
        _op: Any = "",
        label: str = "",
        local_grads: Any = None,
    ) -> None:
        value = number(data, "the data of a Value")
        children = tuple(_children)
        for child in children:
            if not is_value(child):
                raise TypeError(f"a child of a Value must be a Value, not '{type_name(child)}'")
        operation = given_operation(_op, local_grads, len(children))
        label = string(label, "label")
        if anomaly.open_blocks:
            check_forward(operation.name, children, value)
        # Last, for what came before may run Python, which may do the same.
        if self._operation is not BLANK:
            raise TypeError("a Value is initialised once: make a new one")
        self._value, self._operation, self._operands = value, operation, children
        if label:
            set_label(self, label)

    def backward(self, gradient: Any = 1.0) -> None:
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
        run_backward([self], [number(gradient, "the gradient of backward")])

    def __add__(self, other: Any) -> Value:
        return binary("+", self, other)

    def __radd__(self, other: Any) -> Value:
        return binary("+", other, self)

    def __sub__(self, other: Any) -> Value:
        return binary("-", self, other)

    def __rsub__(self, other: Any) -> Value:
        return binary("-", other, self)

    def __mul__(self, other: Any) -> Value:
        return binary("*", self, other)

    def __rmul__(self, other: Any) -> Value:
        return binary("*", other, self)

    def __truediv__(self, other: Any) -> Value:
        return binary("/", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return binary("/", other, self)

    def __pow__(self, other: Any, modulo: None = None) -> Value:
        if modulo is not None:
            return NotImplemented
        if is_number(other):
            operation = constant_power(float(other))
            return node_of(operation, (self,), operation.value(self._value))
        return binary("**", self, other)

    def __rpow__(self, other: Any, modulo: None = None) -> Value:
        if modulo is not None:
            return NotImplemented
        return binary("**", other, self)

    def __neg__(self) -> Value:
        return unary("neg", self)

    def __abs__(self) -> Value:
        return unary("abs", self)

    def exp(self) -> Value:
        """e**self; inf on overflow."""
        return unary("exp", self)

    def expm1(self) -> Value:
        """e**self - 1, of full precision near 0; inf on overflow."""
        return unary("expm1", self)

    def log(self) -> Value:
        """The natural logarithm: -inf at zero, nan below it."""
        return unary("log", self)

    def log1p(self) -> Value:
        """log(1 + self), of full precision near 0: -inf at -1, nan below it."""
        return unary("log1p", self)

    def sqrt(self) -> Value:
        """The square root; nan below zero."""
        return unary("sqrt", self)

    def sin(self) -> Value:
        """The sine of an angle in radians; nan at infinity."""
        return unary("sin", self)

    def cos(self) -> Value:
        """The cosine of an angle in radians; nan at infinity."""
        return unary("cos", self)

    def atan(self) -> Value:
        """The arc tangent, an angle in radians."""
        return unary("atan", self)

    def tanh(self) -> Value:
        """The hyperbolic tangent."""
        return unary("tanh", self)

    def sigmoid(self) -> Value:
        """1 / (1 + e**-self), without overflow."""
        return unary("sigmoid", self)

    def softplus(self) -> Value:
        """log(1 + e**self), without overflow."""
        return unary("softplus", self)

    def erf(self) -> Value:
        """The error function."""
        return unary("erf", self)

    def relu(self) -> Value:
        """self where positive, else 0; nan for nan."""
        return unary("relu", self)

    def leaky_relu(self, slope: Any = 0.01) -> Value:
        """self where positive, else slope * self. slope: a Value or a number."""
        return apply(OPERATIONS["leaky_relu"], self, operand(slope))

    def silu(self) -> Value:
        """self * sigmoid(self), in two nodes."""
        return binary("*", self, unary("sigmoid", self))

    def gelu(self) -> Value:
        """self * 0.5 * (1 + erf(self / sqrt(2))), in five nodes."""
        return self * 0.5 * (1.0 + (self / ROOT_2).erf())

    def clip(self, low: Any, high: Any) -> Value:
        """self, at least low and at most high: Values or numbers. In two nodes.

        The gradient goes to self where low <= self <= high, else to the bound that was taken.
        """
        at_least_low = apply(OPERATIONS["maximum"], self, operand(low))
        return apply(OPERATIONS["minimum"], at_least_low, operand(high))


def backward(outputs: Iterable[Value], gradients: Iterable[Any] | None = None) -> None:
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
    outputs = list_of_values(outputs, "output", is_value)
    if gradients is None:
        seeds = [1.0] * len(outputs)
    else:
        given = sequence(gradients, "the gradients of backward")
        seeds = [number(gradient, "a gradient of backward") for gradient in given]
    if not outputs or len(seeds) != len(outputs):
        raise ValueError(
            "backward expects at least one output and a gradient for each, "
            f"got {len(outputs)} and {len(seeds)}"
        )
    run_backward(outputs, seeds)


def run_backward(outputs: list[Value], seeds: list[float]) -> None:
    if running.depth == DEEPEST:
        raise RecursionError(f"backward is called within backward more than {DEEPEST} deep")
    running.depth += 1
    try:
        order = topological_order(outputs)
        for node in order:
            if node._operation.is_custom:
                check_step(node)
        for node in order:
            if node._operands:
                node._grad = 0.0
        for output in outputs:
            output._grad = 0.0
        for output, seed in zip(outputs, seeds, strict=True):
            output._grad += seed
        for node in reversed(order):
            if anomaly.open_blocks:
                checked_step(node)
            elif type(node) is Value and node._closure is None:
                step(node)
            else:
                node._backward()
    finally:
        running.depth -= 1


def operand(x: Any) -> Value:
    """x itself if it is a Value, a constant leaf if it is a number."""
    return x if is_value(x) else node_of(CONSTANT, (), operand_value(x))


def values(xs: Iterable[Any]) -> list[Value]:
    """A list of Values: the operands that xs stand for."""
    return [operand(x) for x in list(xs)]


def unary(name: str, x: Value) -> Value:
    operation = OPERATIONS[name]
    return node_of(operation, (x,), operation.value(x._value))


def binary(name: str, left: Any, right: Any) -> Value:
    """The node of a binary operator, or an object array of them if one side is an array."""
    if type(left) is not Value or type(right) is not Value:
        if is_array(left) or is_array(right):
            return cast(Value, elementwise(name, left, right))  # annotations ignore arrays
        left, right = operand(left), operand(right)
    operation = OPERATIONS[name]
    return node_of(operation, (left, right), operation.value(left._value, right._value))


def apply(operation: Operation, *operands: Value) -> Value:
    """The node that an operation makes from any number of operands."""
    return node_of(operation, operands, operation.value(*[x._value for x in operands]))


def node_of(operation: Operation, operands: tuple[Value, ...], value: float) -> Value:
    if anomaly.open_blocks:
        check_forward(operation.name, operands, value)
    node: Value = object.__new__(Value)
    node._value, node._grad = value, 0.0
    node._operation, node._operands, node._closure = operation, operands, None
    return node
