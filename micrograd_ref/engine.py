"""The autograd engine: Value, dot and sum.

A Value is a number that remembers which operation made it and from which operands. Calling
`backward` on a result walks that graph from the result to the leaves and leaves in every node's
`grad` the derivative of the result with respect to it.

This module is the specification of `micrograd_fast.engine`: each formula's order of operations
is meant literally, because it decides the last bit.
"""

from __future__ import annotations

import copyreg
import math
import operator
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeGuard, cast

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Value", "detect_anomaly", "dot"]


# IEEE-754 arithmetic: where Python raises, NumPy and C return inf or nan, and so do we. A nan is
# sorted out before any comparison: comparing one may set the flag of an invalid operation, of
# which NumPy warns, or may not, as the compiler of this Python had it.


def divide(a: float, b: float) -> float:
    """a / b, where dividing by zero gives inf or nan."""
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)


def exp(x: float) -> float:
    """e**x, inf on overflow."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def log(x: float) -> float:
    """The natural logarithm: -inf at zero, nan below it."""
    if math.isnan(x) or x > 0:
        return math.log(x)
    return -math.inf if x == 0 else math.nan


def sqrt(x: float) -> float:
    """The square root, nan below zero."""
    return math.sqrt(x) if math.isnan(x) or x >= 0 else math.nan


def sin(x: float) -> float:
    """The sine, nan at infinity."""
    return math.sin(x) if math.isfinite(x) else math.nan


def cos(x: float) -> float:
    """The cosine, nan at infinity."""
    return math.cos(x) if math.isfinite(x) else math.nan


def sigmoid(x: float) -> float:
    """1 / (1 + e**-x), in the form that never overflows."""
    if math.isnan(x) or x >= 0:
        return 1.0 / (1.0 + exp(-x))
    e = exp(x)
    return e / (1.0 + e)


def relu(x: float) -> float:
    """x where it is positive, 0 where it is not, nan for nan."""
    return x if math.isnan(x) or x > 0 else 0.0


def larger(x: float, y: float) -> float:
    """The larger one, the first of equal ones, nan if either is."""
    if math.isnan(x) or math.isnan(y):
        return x if math.isnan(x) else y
    return x if x >= y else y


def sign(x: float) -> float:
    """-1, 0 or 1, nan for nan."""
    return 1.0 if x > 0 else -1.0 if x < 0 else 0.0 if x == 0 else x


def pow(x: float, y: float) -> float:
    """C's pow: inf on overflow and at a pole, nan for a root of a negative number."""
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        if x == 0:
            odd = math.isfinite(y) and y % 2 == 1
            return math.copysign(math.inf, x) if odd else math.inf
        return math.nan


def power(x: float, k: float) -> float:
    """x**k for a constant k: products and quotients for small whole k, C's pow otherwise."""
    if k == 1:
        return x
    if k == 2:
        return x * x
    if k == 3:
        return (x * x) * x
    if k == -1:
        return divide(1.0, x)
    if k == -2:
        return divide(1.0, x * x)
    return pow(x, k)


Gradients = list[tuple[int, float]]

# The operations: each with its value, and with the gradient that it passes to each operand.


class Operation(NamedTuple):
    """How a node is computed from its operands, and how its gradient reaches them."""

    name: str
    forward: Callable[..., float]  # (operands' data ...) -> data
    backward: Callable[..., Sequence[float]]  # (g, out, operands' data ...) -> one gradient each
    exponent: float | None = None  # of a constant power
    custom: bool = False  # computed by its author, without forward
    slopes: tuple[float, ...] | None = None  # of a custom operation, its local gradients if given

    def __reduce__(self) -> tuple[Any, ...]:
        return _operation, (self.name, self.exponent)


def _dot_forward(start: float, *terms: float) -> float:
    total = start
    for x, y in zip(terms[::2], terms[1::2], strict=True):
        total = total + x * y
    return total


def _dot_backward(g: float, out: float, start: float, *terms: float) -> list[float]:
    grads = [g]
    for x, y in zip(terms[::2], terms[1::2], strict=True):
        grads += [y * g, x * g]
    return grads


def _sum_forward(start: float, *terms: float) -> float:
    total = start
    for x in terms:
        total = total + x
    return total


def constant_power(k: float) -> Operation:
    """The operation a ** k for a constant k."""
    return Operation(
        f"**{k:g}",
        lambda a: power(a, k),
        lambda g, out, a: (k * power(a, k - 1) * g if k != 0 else 0.0,),
        k,
    )


def custom_operation(name: str) -> Operation:
    """One whose step is the closure that its author assigns to the node."""

    def backward(g: float, out: float, *operands: float) -> tuple[float, ...]:
        if operands:
            raise ValueError(
                f"the custom operation {name!r} has no _backward: assign one (lambda: None passes "
                "no gradient), or make it with local_grads"
            )
        return ()

    return Operation(name, float, backward, custom=True)


def local_operation(name: str, slopes: tuple[float, ...]) -> Operation:
    """One that passes slope * g to each operand."""
    return Operation(
        name or "custom",
        float,
        lambda g, out, *operands: [slope * g for slope in slopes],
        custom=True,
        slopes=slopes,
    )


def _operation(name: str, exponent: float | None) -> Operation:
    """The operation that a pickle names."""
    if exponent is not None:
        return constant_power(exponent)
    if name not in OPERATIONS:
        raise ValueError(f"a state has the operation {name!r}, which is unknown here")
    return OPERATIONS[name]


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("+", operator.add, lambda g, out, a, b: (g, g)),
        Operation("-", operator.sub, lambda g, out, a, b: (g, -g)),
        Operation("*", operator.mul, lambda g, out, a, b: (b * g, a * g)),
        Operation("/", divide, lambda g, out, a, b: (divide(g, b), -g * divide(out, b))),
        Operation("neg", operator.neg, lambda g, out, a: (-g,)),
        Operation(
            "max",
            larger,
            lambda g, out, a, b: (g, 0.0) if a >= b or a != a else (0.0, g),
        ),
        Operation(
            "**",
            pow,
            lambda g, out, a, b: (
                b * pow(a, b - 1) * g if b != 0 else 0.0,
                out * log(a) * g if a != 0 or not b >= 0 else 0.0,
            ),
        ),
        Operation("abs", abs, lambda g, out, a: (sign(a) * g if a != 0 else 0.0,)),
        Operation("exp", exp, lambda g, out, a: (out * g,)),
        Operation("log", log, lambda g, out, a: (divide(g, a),)),
        Operation("sqrt", sqrt, lambda g, out, a: (divide(g, 2.0 * out),)),
        Operation("sin", sin, lambda g, out, a: (cos(a) * g,)),
        Operation("cos", cos, lambda g, out, a: (-sin(a) * g,)),
        Operation("tanh", math.tanh, lambda g, out, a: ((1.0 - out * out) * g,)),
        Operation("sigmoid", sigmoid, lambda g, out, a: (out * (1.0 - out) * g,)),
        Operation("relu", relu, lambda g, out, a: (g if out > 0 else 0.0,)),
        Operation("dot", _dot_forward, _dot_backward),
        Operation("sum", _sum_forward, lambda g, out, *operands: [g] * len(operands)),
    )
}


# From what a user writes to floats and Values.


def _type_name(x: object) -> str:
    kind = type(x)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


# By type, not by isinstance: an object may name any class as its __class__.


def _is_value(x: object) -> TypeGuard[Value]:
    return issubclass(type(x), Value)


def _is_number(x: object) -> bool:
    """Whether x is an int, float, bool or NumPy real scalar. NumPy is not imported to find out."""
    if issubclass(type(x), (int, float)):
        return True
    np = sys.modules.get("numpy")
    return (
        np is not None
        and issubclass(type(x), (np.floating, np.integer, np.bool_))
        and not issubclass(type(x), np.timedelta64)
    )


def _is_array(x: object) -> bool:
    np = sys.modules.get("numpy")
    return np is not None and isinstance(x, np.ndarray)


def _number(x: Any, what: str) -> float:
    if not _is_number(x):
        way_out = ": use .item()" if _is_array(x) else ""
        raise TypeError(f"{what} must be a real number, not '{_type_name(x)}'{way_out}")
    return float(x)


def _operand(x: Any) -> Value:
    """x itself if it is a Value, a constant leaf if it is a number."""
    if _is_value(x):
        return x
    if not _is_number(x):
        raise TypeError(
            f"unsupported operand for a Value: '{_type_name(x)}' "
            "(expected a Value or a real number)"
        )
    constant = Value(x)
    constant._constant = True
    return constant


def _apply(operation: Operation, *operands: Value) -> Value:
    """The node that an operation makes from its operands."""
    data = operation.forward(*[operand._value for operand in operands])
    _check_forward(operation.name, operands, data)
    out = Value(data)
    out._operation, out._operands = operation, operands
    return out


def _binary(name: str, left: Any, right: Any) -> Value:
    """The node of a binary operator, or an object array of them if one side is an array."""
    if _is_array(left) or _is_array(right):
        return cast(Value, _elementwise(name, left, right))  # annotations ignore arrays
    return _apply(OPERATIONS[name], _operand(left), _operand(right))


_UFUNCS = {
    **{"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power"},
    **{"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"},
}


def _elementwise(name: str, left: Any, right: Any) -> Any:
    """A function of NumPy for an operator, which asks each element for it."""
    import numpy as np

    return getattr(np, _UFUNCS[name])(left, right)


def _gradients(operation: Operation, g: float, out: float, data: list[float]) -> Gradients:
    """Each operand's number and gradient, in the order in which they are added."""
    gradients = list(enumerate(operation.backward(g, out, *data)))
    if operation.name == "dot":
        # The chain that a dot stands for adds its last term first, and the start, at its first +,
        # before the first term.
        return gradients[:2:-1] + gradients[:3]
    return gradients


def _step(node: Value) -> None:
    """Add a built-in node's gradient into its operands."""
    operands = node._operands
    data = [x._value for x in operands]
    for i, gradient in _gradients(node._operation, node._grad, node._value, data):
        operands[i]._grad += gradient


_detecting = 0  # how many detect_anomaly blocks are open


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Within this block, an operation that turns finite numbers into nan or inf is an error.

    Raises FloatingPointError at the first one, in building a graph, in `backward` or in a Tape. It
    names the operation, its operands' data and labels, and in a Tape the row. A forward operation
    that fails makes no node; after a failure in `backward` the grads are incomplete.
    Cost: none that can be measured outside the block. Inside it, `backward` takes several times as
    long, and a Tape as long as the eager graph of each row.
    """
    global _detecting
    _detecting += 1
    try:
        yield
    finally:
        _detecting -= 1


def _is_detecting() -> bool:
    return _detecting > 0


def _finite(values: Iterable[Value]) -> bool:
    return all(math.isfinite(x._value) for x in values)


def _described(operands: Sequence[Value]) -> str:
    shown = [repr(x._value) + (f" ({_label(x)!r})" if _label(x) else "") for x in operands[:8]]
    return ", ".join(shown) + (", ..." if len(operands) > 8 else "")


def _check_forward(name: str, operands: Sequence[Value], data: float) -> None:
    if _detecting and operands and not math.isfinite(data) and _finite(operands):
        raise FloatingPointError(f"{name!r} made {data} of {_described(operands)}")


def _checked_step(node: Value) -> None:
    """The step of a node, and whether it spoils a gradient."""
    operands = node._operands
    finite = [math.isfinite(x._grad) for x in operands]
    node._backward()
    if not math.isfinite(node._grad) or not _finite(operands):
        return
    for x, was_finite in zip(operands, finite, strict=True):
        if was_finite and not math.isfinite(x._grad):
            raise FloatingPointError(
                f"backward of {node._op!r} made a gradient {x._grad} of {node._grad} "
                f"for {_described(operands)}"
            )


def _topological_order(
    roots: Iterable[Value],
    operands: Callable[[Value], Iterable[Value]] = operator.attrgetter("_operands"),
) -> list[Value]:
    """Every node under the roots once, operands before the nodes made of them.

    Depth-first, operands in order, without recursion.
    """
    order = []
    visited = set()  # by id: a subclass may have another equality, or no hash
    for root in roots:
        if id(root) in visited:
            continue
        visited.add(id(root))
        pending = [(root, iter(operands(root)))]
        while pending:
            node, children = pending[-1]
            child = next((child for child in children if id(child) not in visited), None)
            if child is None:
                order.append(node)
                pending.pop()
            else:
                visited.add(id(child))
                pending.append((child, iter(operands(child))))
    return order


_DEEPEST = 100  # calls of backward within backward
_running = threading.local()


@contextmanager
def _one_pass() -> Iterator[None]:
    """Count this call of backward among those of its thread that are running."""
    depth = getattr(_running, "depth", 0)
    if depth == _DEEPEST:
        raise RecursionError(f"backward is called within backward more than {_DEEPEST} deep")
    _running.depth = depth + 1
    try:
        yield
    finally:
        _running.depth = depth


_LEAF = Operation("", float, lambda g, out: ())


class _Fields:
    """What a Value holds: the fields of a leaf of 0.0, until __init__ has run."""

    __slots__ = (
        "__dict__",
        "_closure",
        "_constant",
        "_grad",
        "_initialised",
        "_operands",
        "_operation",
        "_value",
    )
    _value: float
    _grad: float
    _operation: Operation
    _operands: tuple[Value, ...]
    _closure: Callable[[], object] | None
    _constant: bool
    _initialised: bool

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = object.__new__(cls)
        self._value = self._grad = 0.0
        self._operation, self._operands, self._closure = _LEAF, (), None
        self._constant = self._initialised = False
        return self


class Value(_Fields):
    """A number in a graph, with the gradient of the graph's result with respect to it.

    data: an int, float, bool or NumPy real scalar; kept as a float.
    _children: for a custom operation, the Values that it was computed from, in operand order.
    _op: for a custom operation, its name.
    label: any string; shown by draw_dot.
    local_grads: for a custom operation, the derivative with respect to each child, as a number.

    Operators and methods make new nodes: + - * / ** and negation, abs, exp, log, sqrt, sin, cos,
    tanh, sigmoid, relu. A number operand becomes a constant leaf. Values compare by their data
    with < <= > >=, and are equal only to themselves. Arithmetic is IEEE-754: overflow gives inf,
    an invalid operation nan, and nothing raises.

    A custom operation is out = Value(data, (a, b), 'name') and out._backward = a function of no
    arguments that adds into a.grad and b.grad. Or it is Value(data, (a, b), (da, db)), where da and
    db are its local gradients: then backward adds da * out.grad and db * out.grad, in this order.
    It is called 'custom', or by the name in Value(data, (a, b), 'name', local_grads=(da, db)).

    A Value takes further attributes, v.name = x, which are copied and pickled with it. A label is
    one of them. A cycle through them is freed by the garbage collector. With micrograd_fast, it
    does not see one through c = v * 2 if c was made before v had attributes, unless c is under a
    Value that was assigned to an attribute, alone or in a list, tuple, dict or set: v.list = [c],
    not v.list.append(c). Such an assignment costs a walk over the graph under the Value.

    Raises TypeError for data that is no real number (a Fraction or a Decimal is none: pass a float
    of it), OverflowError for an int beyond a double, ValueError for another number of local
    gradients than of children.
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
        number = _number(data, "the data of a Value")
        children = tuple(_children)
        for child in children:
            if not _is_value(child):
                raise TypeError(f"a child of a Value must be a Value, not '{_type_name(child)}'")
        if issubclass(type(_op), (tuple, list)) and local_grads is None:
            _op, local_grads = "", _op
        name = _string(_op, "_op")
        slopes = None if local_grads is None else _slopes(local_grads, len(children))
        operation = _LEAF
        if slopes:
            operation = local_operation(name, slopes)
        elif children or name:
            operation = custom_operation(name)
        label = _string(label, "label")
        _check_forward(operation.name, children, number)
        # Last, for what came before may run Python, which may do the same.
        if self._initialised:
            raise TypeError("a Value is initialised once: make a new one")
        self._value, self._operation, self._operands = number, operation, children
        self._initialised = True
        if label:
            _set_label(self, label)

    @property
    def data(self) -> float:
        """The value. Assigning converts to a float; nodes computed from it before keep theirs."""
        return self._value

    @data.setter
    def data(self, x: Any) -> None:
        self._value = _number(x, "the data of a Value")

    @property
    def grad(self) -> float:
        """The derivative of the last backward's root with respect to this Value; 0.0 at first."""
        return self._grad

    @grad.setter
    def grad(self, x: Any) -> None:
        self._grad = _number(x, "the grad of a Value")

    @property
    def label(self) -> str:
        """A name to show in drawings."""
        return _label(self)

    @label.setter
    def label(self, x: str) -> None:
        _set_label(self, _string(x, "label"))

    @property
    def _op(self) -> str:
        """The operation that made this node, '' for a leaf."""
        return self._operation.name

    @_op.setter
    def _op(self, _: object) -> NoReturn:
        raise _fixed("_op")

    @property
    def _children(self) -> tuple[Value, ...]:
        """The operands in order."""
        return self._operands

    @_children.setter
    def _children(self, _: object) -> NoReturn:
        raise _fixed("_children")

    @property
    def _prev(self) -> set[Value]:
        """The operands as a new set."""
        return set(self._operands)

    @_prev.setter
    def _prev(self, _: object) -> NoReturn:
        raise _fixed("_prev")

    @property
    def _backward(self) -> Callable[[], object]:
        """Adds this node's gradient into its operands; does nothing on a leaf.

        Assignable on a custom operation, AttributeError elsewhere.
        """
        return partial(_step, self) if self._closure is None else self._closure

    @_backward.setter
    def _backward(self, closure: Callable[[], object]) -> None:
        if not _is_custom(self._operation):
            raise AttributeError(
                "_backward can be set only on a custom operation: make one with its operands, "
                "out = Value(data, (a, b), 'name'), and set out._backward"
            )
        if not callable(closure):
            raise TypeError(f"_backward must be callable, not '{_type_name(closure)}'")
        self._closure = closure

    @property
    def _local_grads(self) -> tuple[float, ...]:
        """What this node's step adds to each operand's grad of 0.0 if its own grad is 1.0.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """
        if _is_custom(self._operation) and self._operands:
            raise AttributeError(
                f"the custom operation {self._op!r} has no _local_grads: its step is its _backward"
            )
        data = [x._value for x in self._operands]
        return tuple(0.0 + slope for slope in self._operation.backward(1.0, self._value, *data))

    @_local_grads.setter
    def _local_grads(self, _: object) -> NoReturn:
        raise _fixed("_local_grads")

    def __delattr__(self, name: str) -> None:
        if name in _FIELDS:
            raise AttributeError(f"{name} of a Value cannot be deleted")
        super().__delattr__(name)

    def backward(self) -> None:
        """Compute the gradient of this Value with respect to every node under it.

        Sets this node's grad to 1.0, recomputes the grads of all nodes that have operands from
        zero, and adds into the leaves' grads, so zero those between steps. Depth is limited by
        memory alone. An exception from a custom operation propagates: the grads are then
        incomplete, the graph is as before. A custom operation may call backward itself, which is a
        RecursionError beyond 100 deep. Cost: proportional to the number of nodes and operands.
        Raises ValueError if a custom operation has children and no _backward, and then changes
        nothing.
        """
        with _one_pass():
            order = _topological_order([self])
            for node in order:
                _check_step(node)
            for node in order:
                if node._operands:
                    node._grad = 0.0
            self._grad = 1.0
            for node in reversed(order):
                _checked_step(node) if _detecting else node._backward()

    def __add__(self, other: Any) -> Value:
        return _binary("+", self, other)

    def __radd__(self, other: Any) -> Value:
        return _binary("+", other, self)

    def __sub__(self, other: Any) -> Value:
        return _binary("-", self, other)

    def __rsub__(self, other: Any) -> Value:
        return _binary("-", other, self)

    def __mul__(self, other: Any) -> Value:
        return _binary("*", self, other)

    def __rmul__(self, other: Any) -> Value:
        return _binary("*", other, self)

    def __truediv__(self, other: Any) -> Value:
        return _binary("/", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return _binary("/", other, self)

    def __pow__(self, other: Any, modulo: None = None) -> Value:
        if modulo is not None:
            return NotImplemented
        if _is_number(other):
            return _apply(constant_power(float(other)), self)
        return _binary("**", self, other)

    def __rpow__(self, other: Any, modulo: None = None) -> Value:
        if modulo is not None:
            return NotImplemented
        return _binary("**", other, self)

    def __neg__(self) -> Value:
        return _apply(OPERATIONS["neg"], self)

    def __abs__(self) -> Value:
        return _apply(OPERATIONS["abs"], self)

    def exp(self) -> Value:
        """e**self; inf on overflow."""
        return _apply(OPERATIONS["exp"], self)

    def log(self) -> Value:
        """The natural logarithm: -inf at zero, nan below it."""
        return _apply(OPERATIONS["log"], self)

    def sqrt(self) -> Value:
        """The square root; nan below zero."""
        return _apply(OPERATIONS["sqrt"], self)

    def sin(self) -> Value:
        """The sine of an angle in radians; nan at infinity."""
        return _apply(OPERATIONS["sin"], self)

    def cos(self) -> Value:
        """The cosine of an angle in radians; nan at infinity."""
        return _apply(OPERATIONS["cos"], self)

    def tanh(self) -> Value:
        """The hyperbolic tangent."""
        return _apply(OPERATIONS["tanh"], self)

    def sigmoid(self) -> Value:
        """1 / (1 + e**-self), computed without overflow."""
        return _apply(OPERATIONS["sigmoid"], self)

    def relu(self) -> Value:
        """self where positive, else 0; nan for nan."""
        return _apply(OPERATIONS["relu"], self)

    def __lt__(self, other: Any) -> Any:
        return _compare(operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return _compare(operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return _compare(operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return _compare(operator.ge, self, other)

    def __float__(self) -> NoReturn:
        raise TypeError("a Value does not turn into a float by itself: use .data")

    def __repr__(self) -> str:
        return f"Value(data={self._value!r})"

    def __format__(self, spec: str) -> str:
        return format(self._value, spec) if spec else str(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: data, grad, label and operation."""
        return _html_table(self)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._operation is _LEAF:
            fields = type(self), self._value, self._grad, self._constant
            return _restore_leaf, fields, _attributes([self])
        # The whole graph in one flat list, so that its depth does not matter.
        order = _topological_order([self])
        numbers = {id(node): i for i, node in enumerate(order)}
        saved = [_saved(node, numbers) for node in order]
        return _restore_graph, (saved,), _attributes(order)

    def __setstate__(self, state: dict[int, Any]) -> None:
        _set_attributes(_topological_order([self]), state)


_FIELDS = ("data", "grad", "label", "_op", "_children", "_prev", "_backward", "_local_grads")


# Pickling. A graph is a list of its nodes in topological order: leaves as they are, which keeps
# those that are pickled along with it the same objects, and other nodes as tuples. Attributes come
# after the nodes, for they may refer to them.


def _saved(node: Value, numbers: dict[int, int]) -> Any:
    if node._operation is _LEAF:
        return node
    detail: Any = node._operation.exponent
    if node._operation.custom:
        detail = type(node), node._closure, node._operation.slopes
    operands = tuple(numbers[id(x)] for x in node._operands)
    return node._op, detail, operands, node._value, node._grad


def _restore_graph(saved: list[Any]) -> Value:
    nodes: list[Value] = []
    for node in saved:
        if not _is_value(node):
            name, detail, numbers, data, grad = node
            operands = tuple(nodes[i] for i in numbers)
            if isinstance(detail, tuple):
                kind, closure, slopes = detail
                node = kind.__new__(kind)
                Value.__init__(node, data, operands, name, local_grads=slopes)
                if closure is not None:
                    node._backward = closure
            else:
                node = _apply(_operation(name, detail), *operands)
                node._value = data
            node._grad = grad
        nodes.append(node)
    return nodes[-1]


def _restore_leaf(kind: type[Value], data: float, grad: float, constant: bool) -> Value:
    leaf: Value = kind.__new__(kind)
    leaf._value, leaf._grad = data, grad
    leaf._constant, leaf._initialised = constant, True
    return leaf


def _attributes(order: list[Value]) -> Any:
    """The attributes of a graph's last node, and of those before it that have operands.

    By number, and in two dictionaries: the node's own, and that of the slots of its class.
    None if there are none.
    """
    found = {}
    for i, node in enumerate(order):
        if node is order[-1] or node._operation is not _LEAF:
            names = set(copyreg._slotnames(type(node))) - set(_Fields.__slots__)  # type: ignore[attr-defined]
            slots = {name: getattr(node, name) for name in sorted(names) if hasattr(node, name)}
            if node.__dict__ or slots:
                found[i] = node.__dict__.copy(), slots
    return found or None


def _set_attributes(order: list[Value], found: dict[int, Any]) -> None:
    for i, (attributes, slots) in found.items():
        order[i].__dict__.update(attributes)
        for name, value in slots.items():
            setattr(order[i], name, value)


def _label(node: Value) -> str:
    """Its label, without a property of a subclass, which would run Python."""
    return cast(str, node.__dict__.get("label", ""))


def _set_label(node: Value, label: str) -> None:
    if label:
        node.__dict__["label"] = label
    else:
        node.__dict__.pop("label", None)


def _slopes(local_grads: Any, children: int) -> tuple[float, ...]:
    if not issubclass(type(local_grads), (tuple, list)):
        raise TypeError(
            "the local gradients of a Value must be a tuple or list of numbers, "
            f"not '{_type_name(local_grads)}'"
        )
    slopes = tuple(_number(x, "a local gradient of a Value") for x in tuple(local_grads))
    if len(slopes) != children:
        raise ValueError(
            f"a Value expects a local gradient for each child, got {len(slopes)} local gradients "
            f"and {children} children"
        )
    return slopes


def _is_custom(operation: Operation) -> bool:
    """Whether its step is a closure."""
    return operation.custom and operation.slopes is None


def _check_step(node: Value) -> None:
    """Raise what a step would that was never assigned; a subclass may have its own."""
    missing = node._closure is None and _is_custom(node._operation)
    if missing and type(node)._backward is Value._backward:
        _step(node)


def _fixed(name: str) -> AttributeError:
    return AttributeError(f"{name} of a Value cannot be changed: make a new Value")


def _string(x: Any, what: str) -> str:
    if not issubclass(type(x), str):
        raise TypeError(f"the {what} of a Value must be a str, not '{_type_name(x)}'")
    return str.__str__(x)


def _html_table(node: Any) -> str:
    from html import escape

    fields = {"data": repr(node.data), "grad": repr(node.grad), "label": node.label, "op": node._op}
    cells = [f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in fields.items()]
    return f"<table>{''.join(cells)}</table>"


def _compare(relation: Callable[[float, float], bool], left: Value, right: Any) -> Any:
    if _is_array(right):
        return _elementwise(relation.__name__, left, right)
    a, b = left._value, _operand(right)._value
    return not (math.isnan(a) or math.isnan(b)) and relation(a, b)


def dot(xs: Iterable[Any], ys: Iterable[Any], start: Any = 0.0) -> Value:
    """start + xs[0] * ys[0] + xs[1] * ys[1] + ... as one node.

    xs, ys, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    products and sums, unless one operand depends on another.
    Raises ValueError if xs and ys differ in length.
    Cost: one node and three pointers a term, where the chain makes two nodes a term.
    """
    xs, ys = [_operand(x) for x in list(xs)], [_operand(y) for y in list(ys)]
    if len(xs) != len(ys):
        raise ValueError(f"dot expects two sequences of one length, got {len(xs)} and {len(ys)}")
    operands = [_operand(start)]
    for x, y in zip(xs, ys, strict=True):
        operands += [x, y]
    return _apply(OPERATIONS["dot"], *operands)


def sum(xs: Iterable[Any], start: Any = 0.0) -> Value:
    """start + xs[0] + xs[1] + ... as one node.

    xs, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    sums, unless one operand depends on another.
    Cost: one node and one pointer a term, where the chain makes one node a term.
    """
    return _apply(OPERATIONS["sum"], _operand(start), *[_operand(x) for x in list(xs)])
