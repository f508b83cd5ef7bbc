"""Functions correctly rounded: the exact real result, rounded once to the nearest double.

mpmath computes a function with a relative error below 2**-190, and Python's division of whole
numbers rounds that to the nearest double, of two to the even one, subnormal or not. It comes out
right unless the exact result is as close as that to the middle of two doubles. None is in the
middle: the functions of one operand are transcendental but where the result is a double, as
exp(0); and of 2**64 operands the closest is to be expected at 2**-118. The published searches over
all operands found it between 2**-113 and 2**-118 for exp, log, sin, cos, tanh and others. Only a
power may lie in the middle: see pow.

Special operands give what C's functions of these names give: nan for nan, and f(-0.0) is -0.0
where f(0.0) is 0.0. No function sets a flag of floating-point arithmetic, of which NumPy warns.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

Number = tuple[int, int, int, int]  # mpmath's: sign, mantissa, exponent, bits of the mantissa

BITS = 200  # of a result
SUM_BITS = 1400  # of 1 + x, where BITS are left of the smallest x
POWER_BITS = 250


@functools.cache
def libmp() -> Any:
    """mpmath's functions of its numbers, imported when first needed."""
    from mpmath import libmp

    # As many digits as any operand asks for. mpmath keeps digits and their number in two steps,
    # and another thread, or Ctrl-C, between these would get or leave one without the other.
    libmp.pi_fixed(2000)
    libmp.ln2_fixed(2000)
    return libmp


def nearest(number: Number) -> float:
    """The double nearest to (-1)**sign * mantissa * 2**exponent."""
    sign, mantissa, exponent, bits = number
    if not mantissa:
        mp = libmp()
        return {mp.fzero: 0.0, mp.finf: math.inf, mp.fninf: -math.inf}.get(number, math.nan)
    if exponent + bits > 1024:
        magnitude = math.inf
    elif exponent + bits < -1074:
        magnitude = 0.0
    else:
        try:
            magnitude = int(mantissa << max(exponent, 0)) / (1 << max(-exponent, 0))
        except OverflowError:
            magnitude = math.inf
    return -magnitude if sign else magnitude


def rounded(exact: Callable[[Any, Number], Number]) -> Callable[[float], float]:
    """The function of doubles that exact computes with mpmath: mp is libmp, x the operand."""

    @functools.wraps(exact)
    def function(x: float) -> float:
        if math.isnan(x):
            return x
        mp = libmp()
        try:
            result = nearest(exact(mp, mp.from_float(x)))
        except mp.ComplexResult:
            return math.nan
        return x if x == 0 and result == 0 else result

    return function


@rounded
def exp(mp: Any, x: Number) -> Any:
    """e**x."""
    return mp.mpf_exp(x, BITS)


@rounded
def expm1(mp: Any, x: Number) -> Any:
    """e**x - 1, as tanh(x / 2) * (e**x + 1), where nothing cancels."""
    total = mp.mpf_add(mp.mpf_exp(x, BITS), mp.fone, BITS)
    return mp.mpf_mul(mp.mpf_tanh(mp.mpf_shift(x, -1), BITS), total)


@rounded
def log(mp: Any, x: Number) -> Any:
    """The natural logarithm: -inf at zero, nan below it."""
    return mp.mpf_log(x, BITS)


@rounded
def log1p(mp: Any, x: Number) -> Any:
    """log(1 + x): -inf at -1, nan below it."""
    return mp.mpf_log(mp.mpf_add(mp.fone, x, SUM_BITS), BITS)


@rounded
def sin(mp: Any, x: Number) -> Any:
    """The sine, nan at infinity."""
    return mp.mpf_sin(x, BITS)


@rounded
def cos(mp: Any, x: Number) -> Any:
    """The cosine, nan at infinity."""
    return mp.mpf_cos(x, BITS)


@rounded
def atan(mp: Any, x: Number) -> Any:
    """The arc tangent."""
    return mp.mpf_atan(x, BITS)


def tanh(x: float) -> float:
    """The hyperbolic tangent, (p - 1) / (p + 1) for p = e**(2 * x).

    Training spends its time here, so it starts with few bits, and doubles them until both ends of
    what p may be give one double.
    """
    if math.isnan(x) or abs(x) < 1e-8:  # x - x**3 / 3 rounds to x
        return x
    numerator, denominator = min(abs(x), 20.0).as_integer_ratio()  # all the same from 19.1 on
    bits = 72 - min(math.frexp(x)[1], 0)
    while True:
        one = 1 << bits
        p = int(libmp().libelefun.exp_fixed((numerator << bits + 1) // denominator, bits))
        error = p >> bits - 8  # 2**8 units; 58 may come from the multiple of ln 2, few from more
        low = (p - error - one) / (p - error + one)
        high = (p + error - one) / (p + error + one)
        if low == high:
            return math.copysign(high, x)
        bits *= 2


@rounded
def sigmoid(mp: Any, x: Number) -> Any:
    """1 / (1 + e**-x)."""
    return mp.mpf_div(mp.fone, mp.mpf_add(mp.fone, mp.mpf_exp(mp.mpf_neg(x), BITS), BITS), BITS)


@rounded
def softplus(mp: Any, x: Number) -> Any:
    """log(1 + e**x)."""
    return mp.mpf_log(mp.mpf_add(mp.fone, mp.mpf_exp(x, BITS), SUM_BITS), BITS)


@rounded
def erf(mp: Any, x: Number) -> Any:
    """The error function."""
    return mp.mpf_erf(x, BITS)


def pow(x: float, y: float) -> float:
    """x**y as C's pow has it: inf at a pole, nan for a root of a negative number.

    In the middle of two doubles are powers of 54 bits, as (2**27 - 1)**2, or of fewer below the
    normal doubles, as (2**-430)**2.5. Those come out exact: with 70 bits more, then rounded to
    POWER_BITS. Of 2**128 pairs of operands, no other is to be expected closer than 2**-182.
    """
    if (not math.isnan(x) and x == 1) or (not math.isnan(y) and y == 0):
        return 1.0
    if math.isnan(x) or math.isnan(y):
        return math.nan
    y = max(-1e20, min(y, 1e20))  # beyond, nothing changes any more
    sign = math.copysign(1.0, x) if abs(math.fmod(y, 2.0)) == 1 else 1.0
    if x == 0 or math.isinf(x):
        return sign * (math.inf if (x == 0) == (y < 0) else 0.0)
    if x < 0 and math.floor(y) != y:
        return math.nan
    mp = libmp()
    power = mp.mpf_pow(mp.from_float(abs(x)), mp.from_float(y), POWER_BITS + 70)
    return sign * nearest(mp.mpf_pos(power, POWER_BITS, "n"))
