"""The operations that are functions: of many operands, or of numbers as well as Values."""

from collections.abc import Iterable

from .engine import Value, _Number

__all__ = ["dot", "larger", "maximum", "minimum", "norm", "sign", "smaller", "where"]

def dot(
    xs: Iterable[Value | _Number], ys: Iterable[Value | _Number], start: Value | _Number = 0.0
) -> Value:
    """start + xs[0] * ys[0] + xs[1] * ys[1] + ... as one node.

    xs, ys, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    products and sums, unless one operand depends on another.
    Raises ValueError if xs and ys differ in length.
    Cost: one node and three pointers a term, where the chain makes two nodes a term.
    """

def sum(xs: Iterable[Value | _Number], start: Value | _Number = 0.0) -> Value:
    """start + xs[0] + xs[1] + ... as one node.

    xs, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    sums, unless one operand depends on another.
    Cost: one node and one pointer a term, where the chain makes one node a term.
    """

def norm(xs: Iterable[Value | _Number], start: Value | _Number = 0.0) -> Value:
    """The root of start + xs[0] * xs[0] + xs[1] * xs[1] + ... as one node.

    xs, start: Values or numbers. Where the root is 0, it has no derivative, and those of every
    order are 0.0; xs[i] / norm else, by xs[i].
    Cost: one node and one pointer a term.
    """

def maximum(x: Value | _Number, y: Value | _Number) -> Value:
    """The larger of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """

def minimum(x: Value | _Number, y: Value | _Number) -> Value:
    """The smaller of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """

def larger(x: Value | _Number, y: Value | _Number) -> Value:
    """1.0 where maximum(x, y) takes x, which is where x >= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """

def smaller(x: Value | _Number, y: Value | _Number) -> Value:
    """1.0 where minimum(x, y) takes x, which is where x <= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """

def sign(x: Value | _Number) -> Value:
    """1.0 for a positive Value or number, -1.0 for a negative one, 0.0 for zero, nan for nan.

    The gradient is 0.0.
    """

def where(c: Value | _Number, x: Value | _Number, y: Value | _Number) -> Value:
    """x where c > 0, else y: Values or numbers.

    The gradient goes to the one that was taken; the other gets exactly 0.0, and so does c.
    """
