"""The table of operations: each with its value, and the gradient that it passes to each operand.

The order in which a formula computes is meant literally, because it decides the last bit.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .ieee import (
    divide,
    larger,
    leaky_relu,
    maximum,
    minimum,
    power,
    relu,
    sign,
    smaller,
    sqrt,
    where,
)
from .rounded import atan, cos, erf, exp, expm1, log, log1p, pow, sigmoid, sin, softplus, tanh

TWO_OVER_ROOT_PI = 1.1283791670955126  # 2 / sqrt(pi), the slope of erf at 0


@dataclass(eq=False, slots=True)
class Operation:
    """How a node is computed from its operands, and how its gradient reaches them."""

    name: str
    arity: int | None  # None for any number of operands
    value: Callable[..., float]  # (the operands' data ...) -> data
    gradients: Callable[..., Sequence[float]]  # (g, out, the operands' data ...) -> one each
    sequence: Callable[[int], Iterable[int]] = range  # in which operands take their gradients
    exponent: float | None = None  # of a constant power
    is_custom: bool = False  # computed by its author, without value
    local_grads: tuple[float, ...] | None = None  # of a custom operation that was given them


def pairs(terms: tuple[float, ...]) -> Iterable[tuple[float, float]]:
    return zip(terms[::2], terms[1::2], strict=True)


def dot_value(start: float, *terms: float) -> float:
    total = start
    for x, y in pairs(terms):
        total = total + x * y
    return total


def dot_gradients(g: float, out: float, start: float, *terms: float) -> list[float]:
    return [g, *[gradient for x, y in pairs(terms) for gradient in (y * g, x * g)]]


def dot_sequence(count: int) -> Iterable[int]:
    """The chain that a dot stands for adds its last term first, and the start with the first."""
    return [*range(count - 1, 2, -1), *range(min(count, 3))]


def sum_value(start: float, *terms: float) -> float:
    total = start
    for x in terms:
        total = total + x
    return total


def norm_value(start: float, *xs: float) -> float:
    total = start
    for x in xs:
        total = total + x * x
    return sqrt(total)


def norm_gradients(g: float, out: float, start: float, *xs: float) -> list[float]:
    """0.0 where out is 0: there, 1.0 takes its place, and keeps every order of them finite."""
    is_zero = larger(0.0, out)
    length = where(is_zero, 1.0, out)
    g = where(is_zero, 0.0, g)
    return [g / (2.0 * length), *[x / length * g for x in xs]]


# fmt: off
TABLE = (
    Operation("+", 2, operator.add, lambda g, out, a, b: (g, g)),
    Operation("-", 2, operator.sub, lambda g, out, a, b: (g, -g)),
    Operation("*", 2, operator.mul, lambda g, out, a, b: (b * g, a * g)),
    Operation("/", 2, divide, lambda g, out, a, b: (divide(g, b), -g * divide(out, b))),
    Operation("neg", 1, operator.neg, lambda g, out, a: (-g,)),
    Operation("maximum", 2, maximum, lambda g, out, a, b: (
        where(larger(a, b), g, 0.0),
        where(larger(a, b), 0.0, g),
    )),
    Operation("minimum", 2, minimum, lambda g, out, a, b: (
        where(smaller(a, b), g, 0.0),
        where(smaller(a, b), 0.0, g),
    )),
    Operation("larger", 2, larger, lambda g, out, a, b: (0.0, 0.0)),
    Operation("smaller", 2, smaller, lambda g, out, a, b: (0.0, 0.0)),
    Operation("sign", 1, sign, lambda g, out, a: (0.0,)),
    Operation("where", 3, where, lambda g, out, a, b, c: (
        0.0,
        where(a, g, 0.0),
        where(a, 0.0, g),
    )),
    Operation("**", 2, pow, lambda g, out, a, b: (
        where(larger(0.0, abs(b)), 0.0, b * pow(a, b - 1) * g),
        where(larger(0.0, abs(a)) * smaller(0.0, b), 0.0, out * log(a) * g),
    )),
    Operation("**k", 1, power, lambda g, out, a, k: (k * power(a, k - 1) * g if k != 0 else 0.0,)),
    Operation("abs", 1, abs, lambda g, out, a: (where(larger(0.0, abs(a)), 0.0, sign(a) * g),)),
    Operation("exp", 1, exp, lambda g, out, a: (out * g,)),
    Operation("expm1", 1, expm1, lambda g, out, a: ((out + 1.0) * g,)),
    Operation("log", 1, log, lambda g, out, a: (divide(g, a),)),
    Operation("log1p", 1, log1p, lambda g, out, a: (divide(g, 1.0 + a),)),
    Operation("sqrt", 1, sqrt, lambda g, out, a: (divide(g, 2.0 * out),)),
    Operation("sin", 1, sin, lambda g, out, a: (cos(a) * g,)),
    Operation("cos", 1, cos, lambda g, out, a: (-sin(a) * g,)),
    Operation("atan", 1, atan, lambda g, out, a: (g / (1.0 + a * a),)),
    Operation("tanh", 1, tanh, lambda g, out, a: ((1.0 - out * out) * g,)),
    Operation("sigmoid", 1, sigmoid, lambda g, out, a: (out * (1.0 - out) * g,)),
    Operation("softplus", 1, softplus, lambda g, out, a: (sigmoid(a) * g,)),
    Operation("erf", 1, erf, lambda g, out, a: (TWO_OVER_ROOT_PI * exp(-(a * a)) * g,)),
    Operation("relu", 1, relu, lambda g, out, a: (where(out, g, 0.0),)),
    Operation("leaky_relu", 2, leaky_relu, lambda g, out, a, b: (
        where(a, g, b * g),
        where(a, 0.0, a * g),
    )),
    Operation("norm", None, norm_value, norm_gradients),
    Operation("dot", None, dot_value, dot_gradients, dot_sequence),
    Operation("sum", None, sum_value, lambda g, out, *operands: [g] * len(operands)),
)
# fmt: on

OPERATIONS = {operation.name: operation for operation in TABLE}

# What made a node that has no operands: a user, a number operand, or __new__ alone.
LEAF, CONSTANT, BLANK = (Operation("", 0, float, lambda g, out: ()) for _ in range(3))


def constant_power(k: float) -> Operation:
    """The operation a ** k for a constant k."""
    row = OPERATIONS["**k"]
    return Operation(
        f"**{k:g}",
        row.arity,
        lambda a: row.value(a, k),
        lambda g, out, a: row.gradients(g, out, a, k),
        exponent=k,
    )
