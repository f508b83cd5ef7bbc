/* IEEE arithmetic: the functions in the formulas of operations.h.

   Where the reference has no C function compute inf or nan, neither have these: it would leave a
   flag behind, which NumPy takes for an error. A comparison with > or < does so at a nan, isgreater
   and its like do not. Clang has to be told that flags are read; in the loops of a Tape nobody
   reads them. */

#ifndef MICROGRAD_IEEE_H
#define MICROGRAD_IEEE_H

#include <float.h>
#include <math.h>

#include "rounded.h"

#if defined(__FAST_MATH__) || defined(_M_FP_FAST) ||                  \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||        \
    (defined(__GCC_IEC_559) && __GCC_IEC_559 == 0)
#error "micrograd_fast gives the same bits everywhere, by IEEE-754: build it without -ffast-math, \
-Ofast, /fp:fast and their parts (in CFLAGS?), which change results and drop nan and -0.0"
#endif
#if FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 2
#error "micrograd_fast rounds each double once: build it without -mfpmath=387 (in CFLAGS?)"
#endif

#if defined(_MSC_VER)
#define MG_INLINE static __forceinline
#define MG_NOINLINE static __declspec(noinline)
#define MG_PREFETCH(address) ((void)(address))
#else
#define MG_INLINE static inline __attribute__((always_inline))
#define MG_NOINLINE static __attribute__((noinline))
#define MG_PREFETCH(address) __builtin_prefetch(address)
#endif

#if defined(__clang__) && !defined(MG_NO_FLAGS)
#pragma STDC FENV_ACCESS ON
#endif

MG_INLINE double mg_divide(double x, double y) {
    if (y != 0) return x / y;
    return x == 0 || isnan(x) ? NAN : copysign(INFINITY, x) * copysign(1.0, y);
}

MG_INLINE double mg_sqrt(double x) { return isgreaterequal(x, 0) ? sqrt(x) : NAN; }

MG_INLINE double mg_sign(double x) {
    return isgreater(x, 0) ? 1.0 : isless(x, 0) ? -1.0 : x == 0 ? 0.0 : x;
}

/* What a norm divides by, and the gradient that it passes on: 1 and 0 where it is 0. */
MG_INLINE double mg_length(double norm) { return islessequal(norm, 0) ? 1.0 : norm; }

MG_INLINE double mg_passed_by_norm(double norm, double g) { return islessequal(norm, 0) ? 0.0 : g; }

/* Whether x is the larger or smaller one, the first of equal ones, or nan. */
MG_INLINE int mg_larger(double x, double y) { return isgreaterequal(x, y) | (x != x); }

MG_INLINE int mg_smaller(double x, double y) { return islessequal(x, y) | (x != x); }

/* x^k for a constant k, the quick way where there is one. */
MG_INLINE double mg_power(double x, double k) {
    if (k == 1) return x;
    if (k == 2) return x * x;
    if (k == 3) return mg_cube(x);
    if (k == -1) return mg_divide(1.0, x);
    if (k == -2) return mg_inverse_square(x);
    return mg_pow(x, k);
}

#endif
