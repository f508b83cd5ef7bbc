/* IEEE arithmetic: the functions in the formulas of operations.h.

   Where the reference has no C function compute inf or nan, neither have these: it would leave a
   flag behind, which NumPy takes for an error. A comparison with > or < does so at a nan, isgreater
   and its like do not. Clang has to be told that flags are read; in the loops of a Tape nobody
   reads them. */

#ifndef MICROGRAD_IEEE_H
#define MICROGRAD_IEEE_H

#include <math.h>

#if defined(_MSC_VER)
#define MG_INLINE static __forceinline
#define MG_NOINLINE static __declspec(noinline)
#else
#define MG_INLINE static inline __attribute__((always_inline))
#define MG_NOINLINE static __attribute__((noinline))
#endif

#if defined(__clang__) && !defined(MG_NO_FLAGS)
#pragma STDC FENV_ACCESS ON
#endif

MG_INLINE double mg_divide(double x, double y) {
    if (y != 0) return x / y;
    return x == 0 || isnan(x) ? NAN : copysign(INFINITY, x) * copysign(1.0, y);
}

MG_INLINE double mg_log(double x) {
    return isgreater(x, 0) ? log(x) : x == 0 ? -INFINITY : NAN;
}

MG_INLINE double mg_sqrt(double x) { return isgreaterequal(x, 0) ? sqrt(x) : NAN; }

MG_INLINE double mg_sin(double x) { return isfinite(x) ? sin(x) : NAN; }

MG_INLINE double mg_cos(double x) { return isfinite(x) ? cos(x) : NAN; }

MG_INLINE double mg_sigmoid(double x) {
    double e;
    if (isgreaterequal(x, 0)) return 1.0 / (1.0 + exp(-x));
    e = exp(x);
    return e / (1.0 + e);
}

MG_INLINE double mg_sign(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x == 0 ? 0.0 : x; }

/* Whether x is the larger or smaller one, the first of equal ones, or nan. */
MG_INLINE int mg_larger(double x, double y) { return isgreaterequal(x, y) | (x != x); }

MG_INLINE int mg_smaller(double x, double y) { return islessequal(x, y) | (x != x); }

MG_INLINE double mg_power(double x, double k) {
    if (k == 1) return x;
    if (k == 2) return x * x;
    if (k == 3) return (x * x) * x;
    if (k == -1) return mg_divide(1.0, x);
    if (k == -2) return mg_divide(1.0, x * x);
    return pow(x, k);
}

#endif
