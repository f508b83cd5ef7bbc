/* First answers: for most arguments, with the proof that they are the nearest double.

   Each function computes its result as a pair, hi + lo, with an error below 2^-65 of it, and rounds
   both ends of the interval that this leaves. If they agree, that is the result; if not, and for an
   argument out of range, it is nan, and rounded.c has to look. There is no branch, and but for erf
   no table, so that compilers make vectors of a loop over rows.

   Included once for each kind of CPU, as pairs.h says.

   What counts in the errors is the series, where it is cut off, and its plain part, which is
   computed in single numbers, its tail. "Off by 2^-67.2 (2^-67.5)": by no more than the one, and by
   the other where tests/rounding found it worst. */

#include "erf_table.h"
#include "pairs.h"
#include "wave_table.h"

/* e^x = 2^k n / d, k in the last 12 bits of `scale`; r = x - k ln 2, and e^r = n / d.

   |x| < 2^10, x may be a pair. With R = r coth(r/2) = 2 + r^2/6 - r^4/360 + ..., the terms of which
   are 2 B_2n r^2n / (2n)! with Bernoulli's numbers, e^r = (R + r) / (R - r).

   k: |k| < 1500, so the products with both parts of ln 2 are off by nothing, as the first has 42
   bits, and by 2^-86; x minus the first is exact (Sterbenz). |r| < 0.34658, and r is off by less
   than 2^-83, but for k = 0, where it is x.
   R: cut off at r^18, by 2^-73.2. The tail, z^2 / 360 - ... < 2^-14.6, is off by 7u of it where it
   is largest, that is by 2^-64.8: its last sum and the rounding of 1/360 come to 1.1u, z^2 to 0.6u,
   their product to 0.8u, and z_lo, which it leaves out, to 2 * 2u. For k = 0, where r.lo = 0, it is
   off by 4u: 2^-65.6. All else are pairs, the larger one first in each sum: 2, z / 6, the tail. R's
   error changes e^r by 2r / (R^2 - r^2) < 0.176 of it: e^r is off by 2^-67.2 (2^-67.5). */
typedef struct {
    PAIR n, d, r;
    uint64_t scale;
} NAME(exponential);

MG_INLINE NAME(exponential) NAME(exponential_of)(double x, double x_lo) {
    const double shifted = MUL_ADD(x, 0x1.71547652b82fep+0, TO_INTEGER);
    const double k = shifted - TO_INTEGER;
    const PAIR r = NAME(fast_two_sum)(
        MUL_ADD(k, -0x1.62e42fefa3800p-1, x), MUL_ADD(k, -0x1.ef35793c76730p-45, x_lo));
    const double z = r.hi * r.hi;
    const double z_lo = MUL_ADD(r.hi + r.hi, r.lo, NAME(product_error)(r.hi, r.hi, z));
    double tail = -0x1.7da4e1f79955cp-41;
    tail = MUL_ADD(tail, z, 0x1.d6db2c4e09162p-36);
    tail = MUL_ADD(tail, z, -0x1.22805d644267fp-30);
    tail = MUL_ADD(tail, z, 0x1.66a8f2bf70ebep-25);
    tail = MUL_ADD(tail, z, -0x1.bbd779334ef0bp-20);
    tail = MUL_ADD(tail, z, 0x1.1566abc011567p-14);
    tail = MUL_ADD(tail, z, -0x1.6c16c16c16c17p-9);
    tail = tail * (z * z);
    const double sixth = z * 0x1.5555555555555p-3;
    const double sixth_lo = MUL_ADD(z, 0x1.5555555555555p-57,
        MUL_ADD(z_lo, 0x1.5555555555555p-3, NAME(product_error)(z, 0x1.5555555555555p-3, sixth)));
    const PAIR above_2 = NAME(fast_two_sum)(sixth, tail), R = NAME(fast_two_sum)(2.0, above_2.hi);
    const double R_lo = R.lo + (above_2.lo + sixth_lo);
    PAIR n = NAME(fast_two_sum)(R.hi, r.hi), d = NAME(fast_two_sum)(R.hi, -r.hi);
    n.lo += R_lo + r.lo;
    d.lo += R_lo - r.lo;
    const NAME(exponential) e = {n, d, r, NAME(bits)(shifted) << 52};
    return e;
}

/* Off by 2^-67.2 (2^-67.5). Below -708 the result would be rounded a second time. */
MG_INLINE double NAME(quick_exp)(double x) {
    const NAME(exponential) e = NAME(exponential_of)(x, 0.0);
    const PAIR q = NAME(pair_quotient)(e.n, e.d);
    const double y = NAME(nearest)(q, fabs(x) <= 708.0);
    return y * NAME(number)(0x3ff0000000000000 + e.scale);
}

/* (e^2x - 1) / (e^2x + 1), or r / R for k = 0: off by half of R's error, 2^-66.6; or by that of
   e^2x times 1 / sinh 2x < 2.84, 2^-65.7 (2^-66.3). From 22 on tanh 22 stands for it: they round to
   1. */
MG_INLINE double NAME(quick_tanh)(double x) {
    const double ax = fabs(x);
    const NAME(exponential) e = NAME(exponential_of)(2.0 * NAME(choice)(ax < 22.0, ax, 22.0), 0.0);
    const double scale = NAME(number)(0x3ff0000000000000 - e.scale);
    const double d = scale * e.d.hi, d_lo = scale * e.d.lo;
    PAIR top = NAME(fast_two_sum)(e.n.hi, -d), bottom = NAME(fast_two_sum)(e.n.hi, d);
    top.lo += e.n.lo - d_lo;
    bottom.lo += e.n.lo + d_lo;
    top.hi = NAME(choice)(scale == 1.0, 2.0 * e.r.hi, top.hi);
    top.lo = NAME(choice)(scale == 1.0, 2.0 * e.r.lo, top.lo);
    const PAIR q = NAME(pair_quotient)(top, bottom);
    const double y = NAME(nearest)(q, ax >= 0x1p-26);
    return copysign(y, x);
}

/* e^x / (e^x + 1), by e^|x| = 2^k n / d: off by less than that, 2^-67.2 (2^-67.5). From 708 on,
   that of 708 stands for it: they round to 1. */
MG_INLINE double NAME(quick_sigmoid)(double x) {
    const double ax = fabs(x);
    const NAME(exponential) e = NAME(exponential_of)(NAME(choice)(ax < 708.0, ax, 708.0), 0.0);
    const double scale = NAME(number)(0x3ff0000000000000 - e.scale);
    const double d = scale * e.d.hi, d_lo = scale * e.d.lo;
    PAIR bottom = NAME(fast_two_sum)(e.n.hi, d);
    bottom.lo += e.n.lo + d_lo;
    const int positive = x >= 0;
    const PAIR top = {NAME(choice)(positive, e.n.hi, e.d.hi), NAME(choice)(positive, e.n.lo, e.d.lo)};
    const PAIR q = NAME(pair_quotient)(top, bottom);
    const double y = NAME(nearest)(q, x >= -708.0);
    return y * NAME(choice)(positive, 1.0, scale);
}

/* (2^k n - d) / d, or 2r / d for k = 0: off by R's error over d > 1.67, 2^-66.3; or by that of e^x
   times e^x / |e^x - 1| < 3.42, 2^-65.4 (2^-66). Beyond 680 the splitting would overflow. */
MG_INLINE double NAME(quick_expm1)(double x) {
    const NAME(exponential) e = NAME(exponential_of)(x, 0.0);
    const double scale = NAME(number)(0x3ff0000000000000 + e.scale);
    const double n = scale * e.n.hi, n_lo = scale * e.n.lo;
    PAIR top = NAME(two_sum)(n, -e.d.hi);
    top.lo += n_lo - e.d.lo;
    top.hi = NAME(choice)(scale == 1.0, 2.0 * e.r.hi, top.hi);
    top.lo = NAME(choice)(scale == 1.0, 2.0 * e.r.lo, top.lo);
    const PAIR q = NAME(pair_quotient)(top, e.d);
    const double ax = fabs(x);
    return NAME(nearest)(q, (ax >= 0x1p-26) & (ax <= 680.0));
}

/* k ln 2 + log(1 + f) = k ln 2 + 2 (s + s^3 / 3 + ...), s = f / (2 + f), for 0.7 < 1 + f < 1.42.

   |s| < 0.1717, z < 0.0295. Cut off at s^27: by 2^-70.8 of 2s. The tail, 2/7 + 2/9 z + ..., is off
   by 0.6u. What the fifths are off by counts with z^2 / 2 = 2^-11.2 of 2s: 0.6u z, and (a + 1) u
   times 0.0086, a for z.lo. Where f.lo = 0, that of s is 3u and that of z 7u: 0.09u. So for k = 0
   the logarithm is off by 2^-67.5 (2^-68.1). It is for other k as well: |k ln 2 + log(1 + f)| >
   0.346 is above |2s|, k ln 2 is off by 2^-97 of it, and it is the larger one in the sums. */
MG_INLINE PAIR NAME(log_of_parts)(double k, PAIR f) {
    PAIR f_plus_2 = NAME(fast_two_sum)(2.0, f.hi);
    f_plus_2.lo += f.lo;
    const PAIR s = NAME(pair_quotient)(f, f_plus_2), z = NAME(pair_product)(s, s);
    double tail = 2.0 / 25;
    tail = MUL_ADD(tail, z.hi, 2.0 / 23);
    tail = MUL_ADD(tail, z.hi, 2.0 / 21);
    tail = MUL_ADD(tail, z.hi, 2.0 / 19);
    tail = MUL_ADD(tail, z.hi, 2.0 / 17);
    tail = MUL_ADD(tail, z.hi, 2.0 / 15);
    tail = MUL_ADD(tail, z.hi, 2.0 / 13);
    tail = MUL_ADD(tail, z.hi, 2.0 / 11);
    tail = MUL_ADD(tail, z.hi, 2.0 / 9);
    tail = MUL_ADD(tail, z.hi, 2.0 / 7);
    const PAIR fifths = NAME(first_step)(0x1.999999999999ap-2, -0x1.999999999999ap-56, tail, z);
    const PAIR thirds = NAME(step)(0x1.5555555555555p-1, 0x1.5555555555555p-55, fifths, z);
    const PAIR cube = NAME(pair_product)(NAME(pair_product)(z, s), thirds);
    const PAIR first = NAME(fast_two_sum)(k * 0x1.62e42fefa3800p-1, 2.0 * s.hi);
    const PAIR second = NAME(fast_two_sum)(first.hi, cube.hi);
    const double low = MUL_ADD(k, 0x1.ef35793c76730p-45, MUL_ADD(2.0, s.lo, cube.lo));
    return NAME(fast_two_sum)(second.hi, second.lo + (first.lo + low));
}

/* x = 2^k (1 + f), for a normal x > 0. */
MG_INLINE double NAME(parts)(double x, PAIR *f, double *scale) {
    const uint64_t root_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
    const uint64_t shifted = NAME(bits)(x) - root_half + one, fraction = 0x000fffffffffffff;
    f->hi = NAME(number)((shifted & fraction) + root_half) - 1.0;
    f->lo = 0.0;
    *scale = NAME(number)(2 * one - (shifted & ~fraction));
    return NAME(number)(shifted >> 52 | 0x4330000000000000) - (0x1p52 + 1023);
}

MG_INLINE PAIR NAME(log_of)(double x) {
    PAIR f;
    double scale;
    const double k = NAME(parts)(x, &f, &scale);
    return NAME(log_of_parts)(k, f);
}

/* Near 1, f is x - 1, without an error, and at least u. */
MG_INLINE double NAME(quick_log)(double x) {
    const PAIR y = NAME(log_of)(x);
    const int in_range = (x >= 0x1p-1022) & (x <= 0x1.fffffffffffffp1023);
    return NAME(nearest_within)(y, fabs(y.hi) * 0x1p-67, in_range);
}

/* By x alone near 0, where f = x, else by the sum 1 + x, which is a pair: f.lo <= u |f|, so z's a
   is 11. The fifths are off by 0.13u: log1p by 2^-67 (2^-67.8). */
MG_INLINE double NAME(quick_log1p)(double x) {
    const PAIR sum = NAME(two_sum)(1.0, x);
    PAIR f;
    double scale;
    double k = NAME(parts)(sum.hi, &f, &scale);
    const int small = (x > -0.25) & (x < 0.375);
    const PAIR far = NAME(fast_two_sum)(f.hi, sum.lo * scale);
    f.hi = NAME(choice)(small, x, far.hi);
    f.lo = NAME(choice)(small, 0.0, far.lo);
    k = NAME(choice)(small, 0.0, k);
    const PAIR y = NAME(log_of_parts)(k, f);
    const int in_range = (x > -0x1.fffffffffffffp-1) & (x < 0x1p1000) & (fabs(x) > 0x1p-26);
    return NAME(nearest)(y, in_range);
}

/* x + log(1 + e^-x), or log(1 + e^x) for a negative x: with 1 + f = 1 + e^-|x|, or half of it.

   The power is off by 2^-67.2 of itself, and log(1 + e^-|x|) so by no more. A quotient, its a is 7,
   that of z 21: the fifths are off by 0.21u, the logarithm by 2^-66.4 and 2^-67.2, 2^-65.7
   (2^-67.5). Where f.lo is not far below f, next to x = 0, both are small against k ln 2. Below
   -600 bits of the power's lo are lost below all numbers. */
MG_INLINE double NAME(quick_softplus)(double x) {
    const double ax = NAME(choice)(fabs(x) < 700.0, fabs(x), 700.0);
    const NAME(exponential) e = NAME(exponential_of)(ax, 0.0);
    const double scale = NAME(number)(0x3ff0000000000000 - e.scale);
    PAIR power = NAME(pair_quotient)(e.d, e.n);
    power.hi *= scale; /* e^-|x| */
    power.lo *= scale;
    const int large = power.hi > 0x1.a827999fcef34p-2; /* sqrt 2 - 1; then 1 + f = (1 + power) / 2 */
    PAIR half = NAME(two_sum)(power.hi, -1.0);
    half.hi *= 0.5;
    half.lo = 0.5 * (half.lo + power.lo);
    const PAIR f = {
        NAME(choice)(large, half.hi, power.hi), NAME(choice)(large, half.lo, power.lo)};
    const PAIR log = NAME(log_of_parts)(NAME(choice)(large, 1.0, 0.0), f);
    PAIR y = NAME(two_sum)(NAME(choice)(x > 0, x, 0.0), log.hi);
    y.lo += log.lo;
    return NAME(nearest)(y, x > -600.0);
}

/* |x|^y times the sign of x^y. p is off by 2^-67.5 of it, q < 1.42 by 1.42 (|p| 2^-67.5 + 2^-67.2),
   so that |p| 2^-65 + 2^-64 is 4 times what is needed. Where p or its error is lost below all
   numbers, q is 1. */
MG_INLINE double NAME(quick_pow)(double x, double y) {
    const double ax = fabs(x), ay = fabs(y), half = 0.5 * ay;
    const PAIR log = NAME(log_of)(ax);
    const double p = y * log.hi;
    const double p_lo = MUL_ADD(y, log.lo, NAME(product_error)(y, log.hi, p));
    const NAME(exponential) e = NAME(exponential_of)(p, p_lo);
    const PAIR q = NAME(pair_quotient)(e.n, e.d);
    const int whole = (ay + 0x1p52) - 0x1p52 == ay, even = (half + 0x1p52) - 0x1p52 == half;
    const int in_range = (ax >= 0x1p-1022) & (ax <= 0x1.fffffffffffffp1023) & (fabs(p) <= 708.0) &
        ((x > 0) | (whole & (ay < 0x1p51)));
    const double power = NAME(nearest_within)(q, MUL_ADD(fabs(p), 0x1p-65, 0x1p-64), in_range) *
        NAME(number)(0x3ff0000000000000 + e.scale);
    return power * NAME(choice)((x < 0) & !even, -1.0, 1.0);
}

/* x^3, from x^2 with its error. With FMA: the error times x is off by 2u of itself, so x^3 lies
   between what 2^-50 of it more and less lead to, and each of these is rounded once. Without: x^3
   is off by 3 u^2, 2^-104.4 (2^-104.6), as both errors are at most u and two are rounded. As in
   nearest_within, rounding 2u may be off by 2 u^2. */
MG_INLINE double NAME(quick_cube)(double x) {
    const double square = x * x, error = NAME(product_error)(x, x, square);
    const int in_range = (square > 0x1p-600) & (square < 0x1p600); /* so is the error times x */
#ifdef HAS_FMA
    const double above = FMA(square, x, error * (x * (1.0 + 0x1p-50)));
    const double below = FMA(square, x, error * (x * (1.0 - 0x1p-50)));
#else
    const double cube = square * x, bound = fabs(cube) * 0x1p-102;
    const double lo = error * x + NAME(product_error)(square, x, cube);
    const double above = cube + (lo + bound), below = cube + (lo - bound);
#endif
    return (above == below) & in_range ? above : NAN;
}

/* x^-2, from x^2 with its error: as a quotient of pairs, whose a is 1, off by 21u^2, 2^-101.6
   (2^-103.8). nearest_within may round 3u off by 3 u^2. */
MG_INLINE double NAME(quick_inverse_square)(double x) {
    const double size = x * x;
    const PAIR one = {1.0, 0.0}, square = {size, NAME(product_error)(x, x, size)};
    const PAIR y = NAME(pair_quotient)(one, square);
    return NAME(nearest_within)(y, y.hi * 0x1p-101, (size > 0x1p-900) & (size < 0x1p900));
}

/* sin x, or cos x = sin(x + pi / 2), after `quarters` quarters of a turn. A single number may take
   the series by its index; loops choose each term.

   |k| < 2^20, so its products with the first two parts of pi / 2 (31 and 32 bits) have no error; x
   minus the first has none either (Sterbenz). |r| < 0.7854, z < 0.617; r is off by 2^-100: by the
   last bits of pi / 2, 2^-102, by the last product and by its sum, even where that is the larger
   one. Cut off at r^22 or r^23: by 2^-77. Of cos, the tail, 1/8! - ... < 2^-15.3, is off by 2u,
   with its product with z, less z.lo, 6u: c by 2^-66.3, cos r > 0.707 by z^3 < 0.235 of it, 2^-67.9
   of itself. Of sin, the tail is 1/9!, and sin r / r > 0.9: off by 2^-71 (2^-68.9 both). 2^-95 is
   for the error of r. */
MG_INLINE double NAME(wave)(double x, uint64_t quarters, const int is_single) {
    const double shifted = MUL_ADD(x, 0x1.45f306dc9c883p-1, TO_INTEGER), k = shifted - TO_INTEGER;
    const PAIR first = NAME(two_sum)(x - k * 0x1.921fb544p+0, -k * 0x1.0b4611a6p-34);
    const PAIR r = NAME(fast_two_sum)(first.hi, first.lo - k * 0x1.3198a2e037073p-69);
    const uint64_t quarter = NAME(bits)(shifted) + quarters;
    const int is_cos = (quarter & 1) != 0;
    const PAIR z = NAME(pair_product)(r, r);
    /* y = a z + b z^2 + c z^3 + ..., and the result is r + r y, or 1 + y. */
#define TERM(i)                          \
    (is_single ? MG_WAVE_TABLE[is_cos][i] \
               : NAME(choice)(is_cos, MG_WAVE_TABLE[1][i], MG_WAVE_TABLE[0][i]))
    double tail = TERM(0);
    tail = MUL_ADD(tail, z.hi, TERM(1));
    tail = MUL_ADD(tail, z.hi, TERM(2));
    tail = MUL_ADD(tail, z.hi, TERM(3));
    tail = MUL_ADD(tail, z.hi, TERM(4));
    tail = MUL_ADD(tail, z.hi, TERM(5));
    tail = MUL_ADD(tail, z.hi, TERM(6));
    const PAIR c = NAME(first_step)(TERM(7), TERM(8), tail, z);
    const PAIR b = NAME(step)(TERM(9), TERM(10), c, z);
    const PAIR a = NAME(step)(TERM(11), TERM(12), b, z);
#undef TERM
    const PAIR base = {NAME(choice)(is_cos, 1.0, r.hi), NAME(choice)(is_cos, 0.0, r.lo)};
    const PAIR change = NAME(pair_product)(NAME(pair_product)(a, z), base);
    PAIR y = NAME(fast_two_sum)(base.hi, change.hi);
    y.lo += base.lo + change.lo;
    const double ax = fabs(x), bound = MUL_ADD(fabs(y.hi), 0x1p-67, 0x1p-95);
    const double size = NAME(nearest_within)(y, bound, (ax > 0x1p-26) & (ax < 0x1p20));
    return NAME(number)(NAME(bits)(size) ^ (quarter & 2) << 62);
}

MG_INLINE double NAME(quick_sin)(double x) { return NAME(wave)(x, 0, 0); }

MG_INLINE double NAME(quick_cos)(double x) { return NAME(wave)(x, 1, 0); }

/* atan x, for x >= 0, by atan x = atan c + atan((x - c) / (1 + c x)) with c = 0, 1/2 or 1, or by pi
   / 2 - atan(1 / x).

   The sums of s have no error. |s| < 1/4, z < 1/16, and for c = 1/2 |s| < 0.2223, z < 0.0494. Cut
   off at s^35: by 2^-73. The tail, -1/7 + z / 9 - ..., is off by 0.3u, so the fifths by 0.3u z,
   0.008u of the product's rounding, and 0.009u times a, for z.lo; and s (1 + ...) by z^2 of that.
   For c = 0 and x < 1, s = x, and next to 1/4 z.lo < 0.25u z: 0.03u, 2^-66 of atan x. For c = 1/2,
   with roundings next to s = -0.2223, where it is worst, z.lo < 5u z: 0.07u, times s z^2 /
   atan(1/4): 2^-65.6. Elsewhere atan x is larger: less (2^-66.4). */
MG_INLINE PAIR NAME(atan_of)(double x) {
    const int inverted = x > 1.0;
    const double above = NAME(choice)(inverted, 1.0, x), below = NAME(choice)(inverted, x, 1.0);
    const int middle = above > 0.25 * below, far = above > 0.75 * below;
    const double c = NAME(choice)(far, 1.0, NAME(choice)(middle, 0.5, 0.0));
    const double atan_c = NAME(choice)(
        far, 0x1.921fb54442d18p-1, NAME(choice)(middle, 0x1.dac670561bb4fp-2, 0.0));
    const double atan_c_lo = NAME(choice)(
        far, 0x1.1a62633145c07p-55, NAME(choice)(middle, 0x1.a2b7f222f65e2p-56, 0.0));
    const PAIR top = NAME(two_sum)(above, -c * below), bottom = NAME(fast_two_sum)(below, c * above);
    const PAIR s = NAME(pair_quotient)(top, bottom), z = NAME(pair_product)(s, s);
    double tail = 1.0 / 33;
    tail = MUL_ADD(tail, z.hi, -1.0 / 31);
    tail = MUL_ADD(tail, z.hi, 1.0 / 29);
    tail = MUL_ADD(tail, z.hi, -1.0 / 27);
    tail = MUL_ADD(tail, z.hi, 1.0 / 25);
    tail = MUL_ADD(tail, z.hi, -1.0 / 23);
    tail = MUL_ADD(tail, z.hi, 1.0 / 21);
    tail = MUL_ADD(tail, z.hi, -1.0 / 19);
    tail = MUL_ADD(tail, z.hi, 1.0 / 17);
    tail = MUL_ADD(tail, z.hi, -1.0 / 15);
    tail = MUL_ADD(tail, z.hi, 1.0 / 13);
    tail = MUL_ADD(tail, z.hi, -1.0 / 11);
    tail = MUL_ADD(tail, z.hi, 1.0 / 9);
    tail = MUL_ADD(tail, z.hi, -1.0 / 7);
    const PAIR fifths = NAME(first_step)(0x1.999999999999ap-3, -0x1.999999999999ap-57, tail, z);
    const PAIR a = NAME(step)(-0x1.5555555555555p-2, -0x1.5555555555555p-56, fifths, z);
    const PAIR change = NAME(pair_product)(NAME(pair_product)(a, z), s);
    const PAIR first = NAME(two_sum)(atan_c, s.hi), second = NAME(two_sum)(first.hi, change.hi);
    PAIR y = NAME(fast_two_sum)(second.hi, second.lo + (first.lo + (atan_c_lo + s.lo + change.lo)));
    const PAIR turned = NAME(fast_two_sum)(0x1.921fb54442d18p+0, -y.hi);
    y.lo = NAME(choice)(inverted, turned.lo + (0x1.1a62633145c07p-54 - y.lo), y.lo);
    y.hi = NAME(choice)(inverted, turned.hi, y.hi);
    return y;
}

MG_INLINE double NAME(quick_atan)(double x) {
    const double size = fabs(x);
    const PAIR y = NAME(atan_of)(size);
    const int in_range = (size > 0x1p-26) & (size < 0x1p60);
    return copysign(NAME(nearest)(y, in_range), x);
}

/* By Taylor's series at the nearest whole eighth c, h = |x| - c: erf(c + h) = erf(c) + slope (h +
   b1 h^2 / 2 + b2 h^3 / 3 + ...) with the coefficients of e^(-2ch - h^2) = 1 + b1 h + b2 h^2 + ...,
   n bn = -2 (c b(n-1) + b(n-2)).

   |h| <= 1/16, without an error. By Cramer's bound of Hermite's polynomials |slope bn| is below 1.3
   sqrt(2^n / n!): cut off at h^17, by 2^-85 or 2^-82 of erf. b1 and b2 have no error, b3 one of 2u.
   The tail counts with slope h^4 / erf x. Adding up the roundings of all bn and of the tail for
   each c gives at most 2^-66.5, for c = 1/8 and x = 1/16, 2^-67.2 for other c (2^-68.2). In each
   sum the larger one comes first, for each c. */
MG_INLINE double NAME(quick_erf)(double x) {
    const int in_range = (fabs(x) >= 0x1p-26) & (fabs(x) <= 6.0);
    const double size = NAME(choice)(in_range, fabs(x), 0.0);
    const double c = (size * 8.0 + TO_INTEGER) - TO_INTEGER;
    const int eighth = (int)c;
    const double at = c * 0.125;
    const PAIR h = {size - at, 0.0};
    double before = -2.0 * at, b = 2.0 * at * at - 1.0; /* b1 and b2, without an error */
    const double third = b / 3.0, product = 3.0 * third;
    const double third_lo = ((b - product) - NAME(product_error)(3.0, third, product)) / 3.0;
    double terms[13];
    for (int n = 3; n < 16; n++) {
        const double next = -2.0 / n * (at * b + before);
        before = b;
        b = next;
        terms[n - 3] = b / (n + 1);
    }
    double tail = terms[12];
    for (int n = 11; n >= 0; n--) tail = MUL_ADD(tail, h.hi, terms[n]);
    const PAIR of_cubes = NAME(first_step)(third, third_lo, tail, h);
    const PAIR sum = NAME(pair_product)(
        NAME(step)(1.0, 0.0, NAME(step)(-at, 0.0, of_cubes, h), h), h);
    const PAIR slope = {MG_ERF_TABLE[eighth].slope[0], MG_ERF_TABLE[eighth].slope[1]};
    const PAIR rest = NAME(pair_product)(sum, slope);
    PAIR y = NAME(two_sum)(MG_ERF_TABLE[eighth].erf[0], rest.hi);
    y.lo += MG_ERF_TABLE[eighth].erf[1] + rest.lo;
    return copysign(NAME(nearest)(y, in_range), x);
}
