"""IEEE-754 arithmetic: where Python raises, NumPy and C return inf or nan, and so do these.

A nan is sorted out before any comparison: comparing one may set the flag of an invalid operation,
of which NumPy warns, or may not, as the compiler of this Python had it.
"""

from __future__ import annotations

import math

from .rounded import pow


def divide(a: float, b: float) -> float:
    """a / b, where dividing by zero gives inf or nan."""
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)


def sqrt(x: float) -> float:
    """The square root, nan below zero."""
    return math.sqrt(x) if math.isnan(x) or x >= 0 else math.nan


def relu(x: float) -> float:
    """x where it is positive, 0 where it is not, nan for nan."""
    return x if math.isnan(x) or x > 0 else 0.0


def maximum(x: float, y: float) -> float:
    """The larger one, the first of equal ones, nan if either is."""
    if math.isnan(x) or math.isnan(y):
        return x if math.isnan(x) else y
    return x if x >= y else y


def minimum(x: float, y: float) -> float:
    """The smaller one, the first of equal ones, nan if either is."""
    if math.isnan(x) or math.isnan(y):
        return x if math.isnan(x) else y
    return x if x <= y else y


def larger(x: float, y: float) -> float:
    """1 where maximum takes x, which is nan or not below y; 0 where it takes y."""
    return 1.0 if math.isnan(x) or (not math.isnan(y) and x >= y) else 0.0


def smaller(x: float, y: float) -> float:
    """1 where minimum takes x, which is nan or not above y; 0 where it takes y."""
    return 1.0 if math.isnan(x) or (not math.isnan(y) and x <= y) else 0.0


def where(c: float, x: float, y: float) -> float:
    """x where c is positive, y where it is not."""
    return x if not math.isnan(c) and c > 0 else y


def leaky_relu(x: float, slope: float) -> float:
    """x where it is positive, slope * x where it is not."""
    return x if not math.isnan(x) and x > 0 else slope * x


def sign(x: float) -> float:
    """-1, 0 or 1, nan for nan."""
    return x if math.isnan(x) else 1.0 if x > 0 else -1.0 if x < 0 else 0.0


def power(x: float, k: float) -> float:
    """x**k for a constant k."""
    if k == 1:
        return x
    if k == 2:
        return x * x
    if k == -1:
        return divide(1.0, x)
    return pow(x, k)
