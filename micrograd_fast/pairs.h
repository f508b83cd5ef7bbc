/* Pairs of doubles, hi + lo: their arithmetic, and the nearest double of one.

   Included once for each kind of CPU, with NAME, its name behind that of a function, and FAST_FMA
   where a fused multiply-add is an instruction. That finds the error of a product, which splitting
   the factors (Veltkamp and Dekker) finds as well; elsewhere it only saves time. The bounds hold
   both ways, so no bit of a result depends on it.

   In the derivations u is 2^-53: an operation has an error of at most u times its result. Where a
   pair's lo is at most a few u |hi|, steps of pairs are off by a few tens of u^2, below 2^-99: that
   is never what counts. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Of the kind before. */
#undef HAS_FMA
#undef FMA
#undef MUL_ADD
#undef PAIR
#undef TO_INTEGER

#if defined(FAST_FMA) || defined(__FMA__) || defined(__aarch64__) || defined(_M_ARM64)
#define HAS_FMA
#endif

#if defined(HAS_FMA) && defined(__GNUC__)
#define FMA(x, y, z) __builtin_fma(x, y, z)
#define MUL_ADD FMA
#elif defined(HAS_FMA)
#define FMA(x, y, z) fma(x, y, z)
#define MUL_ADD FMA
#else
#define MUL_ADD(x, y, z) ((x) * (y) + (z))
#endif

#define PAIR NAME(pair)

typedef struct {
    double hi, lo; /* |lo| is far below |hi| */
} PAIR;

/* x * y - product, without an error if product is x * y rounded, and |x|, |y| and it are below
   2^995. If |product| is below 2^-960, bits may be lost below all numbers: what the ranges leave of
   that is too small to count. */
MG_INLINE double NAME(product_error)(double x, double y, double product) {
#ifdef HAS_FMA
    return FMA(x, y, -product);
#else
    const double x_big = x * 0x1.0000002p27, y_big = y * 0x1.0000002p27; /* 2^27 + 1 */
    const double x_hi = x_big - (x_big - x), y_hi = y_big - (y_big - y);
    const double x_lo = x - x_hi, y_lo = y - y_hi;
    return x_lo * y_lo - (((product - x_hi * y_hi) - x_lo * y_hi) - x_hi * y_lo);
#endif
}

/* x + y without an error, where |x| >= |y| or x = 0; else off by 2u (|x| + |y|). */
MG_INLINE PAIR NAME(fast_two_sum)(double x, double y) {
    const double hi = x + y;
    const PAIR s = {hi, y - (hi - x)};
    return s;
}

MG_INLINE PAIR NAME(two_sum)(double x, double y) {
    const double hi = x + y, y_in_it = hi - x;
    const PAIR s = {hi, (x - (hi - y_in_it)) + (y - y_in_it)};
    return s;
}

/* The product of two pairs. Where |lo| <= a u |hi| in both, it is off by (1 + 6a + a^2) u^2 of
   itself: lo * lo is left out, and three times something of at most 2a u is rounded, once (2a + 1)
   u. Its own a is 2a + 1. */
MG_INLINE PAIR NAME(pair_product)(PAIR x, PAIR y) {
    const double hi = x.hi * y.hi;
    const PAIR p = {hi, NAME(product_error)(x.hi, y.hi, hi) + MUL_ADD(x.hi, y.lo, x.lo * y.hi)};
    return p;
}

/* Steps of Horner's method: c + y z, c = c_hi + c_lo, |c_hi| >= |y z|. The first has its y as a
   single number, and is off by what y is off and by (a + 1) u |y|, times |z|. */
MG_INLINE PAIR NAME(first_step)(double c_hi, double c_lo, double y, PAIR z) {
    PAIR s = NAME(fast_two_sum)(c_hi, y * z.hi);
    s.lo += c_lo;
    return s;
}

MG_INLINE PAIR NAME(step)(double c_hi, double c_lo, PAIR y, PAIR z) {
    const PAIR yz = NAME(pair_product)(y, z);
    PAIR s = NAME(fast_two_sum)(c_hi, yz.hi);
    s.lo += yz.lo + c_lo;
    return s;
}

/* x / y. Where |lo| <= a u |hi| in both, it is off by (8 + 11a + 2a^2) u^2 of itself: hi is off by
   2u, so the rest is off by 2u^2 (it may have a bit more than a number holds), what stands in
   parentheses is at most (2 + 2a) u and rounded five times, and 1 / y.hi is off by a u from 1 /
   y. */
MG_INLINE PAIR NAME(pair_quotient)(PAIR x, PAIR y) {
    const double inverse = 1.0 / y.hi, hi = x.hi * inverse;
#ifdef HAS_FMA
    const double rest = FMA(-hi, y.hi, x.hi);
#else
    const double product = hi * y.hi;
    const double rest = (x.hi - product) - NAME(product_error)(hi, y.hi, product);
#endif
    const PAIR q = {hi, (MUL_ADD(-hi, y.lo, x.lo) + rest) * inverse};
    return q;
}

MG_INLINE uint64_t NAME(bits)(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

MG_INLINE double NAME(number)(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x where the condition holds, else y. By bits: a compiler would move what computes x behind a
   branch, lest it set a flag, and then make no vectors. */
MG_INLINE double NAME(choice)(int condition, double x, double y) {
    const uint64_t mask = condition ? ~(uint64_t)0 : 0;
    return NAME(number)((NAME(bits)(x) & mask) | (NAME(bits)(y) & ~mask));
}

/* The nearest double of hi + lo if its error is below the bound, or 2^-65 of it, else nan. lo +
   bound is rounded, too: by at most u |lo|, 2^-104 of the number. As rounding never turns the order
   of numbers round, what lies between both ends rounds to what both round to. */
MG_INLINE double NAME(nearest_within)(PAIR x, double bound, int in_range) {
    const double above = x.hi + (x.lo + bound), below = x.hi + (x.lo - bound);
    return (above == below) & in_range ? above : NAN;
}

MG_INLINE double NAME(nearest)(PAIR x, int in_range) {
    return NAME(nearest_within)(x, fabs(x.hi) * 0x1p-65, in_range);
}

#define TO_INTEGER 0x1.8p52 /* added to |x| < 2^51, it leaves the nearest integer in the last bits */
