"""What MPFR, through gmpy2, gives for each function: the exact result, rounded once.

MPFR rounds correctly, and in the context of IEEE-754 subnormal results too. What it has no function
for is computed to 300 bits, then rounded.
"""

import gmpy2

DOUBLES = gmpy2.ieee(64)
WIDE = gmpy2.context(precision=300, emin=gmpy2.get_emin_min(), emax=gmpy2.get_emax_max())


def of_doubles(function):
    return lambda *operands: float(function(*map(float, operands)))


exp, expm1 = of_doubles(DOUBLES.exp), of_doubles(DOUBLES.expm1)
log, log1p = of_doubles(DOUBLES.log), of_doubles(DOUBLES.log1p)
sin, cos, atan = of_doubles(DOUBLES.sin), of_doubles(DOUBLES.cos), of_doubles(DOUBLES.atan)
tanh, erf = of_doubles(DOUBLES.tanh), of_doubles(DOUBLES.erf)
pow = of_doubles(DOUBLES.pow)


def sigmoid(x):
    return float(WIDE.div(1, WIDE.add(1, WIDE.exp(-x))))


def softplus(x):
    return max(x, 0.0) if abs(x) > 1e3 else float(WIDE.log1p(WIDE.exp(x)))


# Those of one operand, by the names of the methods of Value.
FUNCTIONS = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sin": sin,
    "cos": cos,
    "atan": atan,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "erf": erf,
}
