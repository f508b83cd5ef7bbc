"""The operations that are functions: of many operands, or of numbers as well as Values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .engine import Value, apply, operand, unary, values
from .operations import OPERATIONS

__all__ = ["dot", "larger", "maximum", "minimum", "norm", "sign", "smaller", "where"]


def dot(xs: Iterable[Any], ys: Iterable[Any], start: Any = 0.0) -> Value:
    """start + xs[0] * ys[0] + xs[1] * ys[1] + ... as one node.

    xs, ys, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    products and sums, unless one operand depends on another.
    Raises ValueError if xs and ys differ in length.
    Cost: one node and three pointers a term, where the chain makes two nodes a term.
    """
    xs, ys = values(xs), values(ys)
    if len(xs) != len(ys):
        raise ValueError(f"dot expects two sequences of one length, got {len(xs)} and {len(ys)}")
    terms = [x for pair in zip(xs, ys, strict=True) for x in pair]
    return apply(OPERATIONS["dot"], operand(start), *terms)


def sum(xs: Iterable[Any], start: Any = 0.0) -> Value:
    """start + xs[0] + xs[1] + ... as one node.

    xs, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    sums, unless one operand depends on another.
    Cost: one node and one pointer a term, where the chain makes one node a term.
    """
    return apply(OPERATIONS["sum"], operand(start), *values(xs))


def norm(xs: Iterable[Any], start: Any = 0.0) -> Value:
    """The root of start + xs[0] * xs[0] + xs[1] * xs[1] + ... as one node.

    xs, start: Values or numbers. Where the root is 0, it has no derivative, and those of every
    order are 0.0; xs[i] / norm else, by xs[i].
    Cost: one node and one pointer a term.
    """
    return apply(OPERATIONS["norm"], operand(start), *values(xs))


def maximum(x: Any, y: Any) -> Value:
    """The larger of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    return apply(OPERATIONS["maximum"], operand(x), operand(y))


def minimum(x: Any, y: Any) -> Value:
    """The smaller of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    return apply(OPERATIONS["minimum"], operand(x), operand(y))


def larger(x: Any, y: Any) -> Value:
    """1.0 where maximum(x, y) takes x, which is where x >= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """
    return apply(OPERATIONS["larger"], operand(x), operand(y))


def smaller(x: Any, y: Any) -> Value:
    """1.0 where minimum(x, y) takes x, which is where x <= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """
    return apply(OPERATIONS["smaller"], operand(x), operand(y))


def sign(x: Any) -> Value:
    """1.0 for a positive Value or number, -1.0 for a negative one, 0.0 for zero, nan for nan.

    The gradient is 0.0.
    """
    return unary("sign", operand(x))


def where(c: Any, x: Any, y: Any) -> Value:
    """x where c > 0, else y: Values or numbers.

    The gradient goes to the one that was taken; the other gets exactly 0.0, and so does c.
    """
    return apply(OPERATIONS["where"], operand(c), operand(x), operand(y))
