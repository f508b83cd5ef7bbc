/* First answers for a single number: by tables, in fewer steps than the branch-free series of
   quick.h, which loops over rows need. Included behind it, for the same kind of CPU.

   As there, a function gives the nearest double, or nan where its pair leaves it open, and is "off
   by 2^-68.1 (2^-68.8)". A pair's lo may be as large as 2^-17 of hi here, so that a sum with it
   counts. The tables: 5 KB for all, of which scalar_tables.h says more. */

#include "scalar_tables.h"

/* The nearest double of hi + lo if its error is below the bound less u |lo|, by which lo + bound is
   rounded; else nan. As nearest_within, for any lo. */
MG_INLINE double NAME(decided)(PAIR x, double bound) {
    const double above = x.hi + (x.lo + bound), below = x.hi + (x.lo - bound);
    return above == below ? above : NAN;
}

/* e^x = *scale (hi + lo), *scale = 2^n, for |x| <= 700, or a pair with |x_lo| < 2^-42. With
   k = 128 n + j and r = x - k ln 2 / 128, it is 2^n 2^(j / 128) e^r.

   r: |k| < 2^17, so the product with the first part of ln 2 / 128, of 36 bits, is off by nothing,
   and x minus it, too (Sterbenz); the second part is below 2^-46, and so r_hi + r_lo off by 2^-81.
   |r| < 2^-8.528. r_hi has whole 2^-34, 26 bits, and the table's hi 27: no error in their product.
   Its lo is below 2^-27: none to count in what that adds.
   e^r - 1 - r_hi is `low`, r^2 / 2 + r_lo + ..., below 2^-18.05, cut off at r^7 / 5040, by 2^-72.
   In parts of u r^2 / 2 = 2^-71.06, r^2 is off by 3, as r is a single number there; the sum is
   rounded, one, and so are the number with which it is multiplied, the product and the last sum:
   7. In all e^x is off by 2^-68.1 (2^-68.8) of 2^n 2^(j / 128), and by 2^-67.95 with one part more,
   for the next sum with lo. */
MG_INLINE PAIR NAME(exp_by_table)(double x, double x_lo, double *scale) {
    const double shifted = MUL_ADD(x, 0x1.71547652b82fep+7, TO_INTEGER), k = shifted - TO_INTEGER;
    const uint64_t whole = NAME(bits)(shifted);
    const double *power = MG_POWERS_OF_2[whole & 127];
    *scale = NAME(number)(0x3ff0000000000000 + (whole >> 7 << 52));
    const double rest = MUL_ADD(k, -0x1.62e42fefa0000p-8, x);
    const double rest_lo = MUL_ADD(k, -0x1.cf79abc9e3b3ap-47, x_lo);
    const double r = rest + rest_lo, r_hi = (rest + 0x1.8p18) - 0x1.8p18;
    const double r_lo = (rest - r_hi) + rest_lo, z = r * r;
    const double tail = MUL_ADD(
        MUL_ADD(1.0 / 720, r, 1.0 / 120), z, MUL_ADD(1.0 / 24, r, 1.0 / 6));
    const double low = MUL_ADD(0.5, z, MUL_ADD(tail, z * r, r_lo));
    PAIR y = NAME(fast_two_sum)(power[0], power[0] * r_hi);
    y.lo = MUL_ADD(power[0] + power[1], low, y.lo + MUL_ADD(power[1], r_hi, power[1]));
    return y;
}

/* 2^(127 / 128) times 2^-67.95 is 2^-66.95, rounded up. */
#define EXP_BOUND 0x1.1p-67

MG_INLINE double NAME(table_exp)(double x) {
    double scale;
    const PAIR y = NAME(exp_by_table)(x, -0.0, &scale); /* z + -0.0 is z */
    return NAME(decided)(y, EXP_BOUND) * scale;
}

/* 1 / (1 + 2^n y), for y of exp_by_table. Its relative error is that of e^x, 2^-67.9 with the sum
   of both los, times e^x / (1 + e^x), and what a quotient of normal pairs adds does not count. */
MG_INLINE PAIR NAME(sigmoid_of)(PAIR y, double scale) {
    const PAIR one = {1.0, 0.0}, sum = NAME(two_sum)(1.0, scale * y.hi);
    return NAME(pair_quotient)(one, NAME(fast_two_sum)(sum.hi, sum.lo + scale * y.lo));
}

/* Off by 2^-67.9 (2^-68.7), and by less for a positive x. */
MG_INLINE double NAME(table_sigmoid)(double x) {
    double scale;
    const PAIR e = NAME(exp_by_table)(-x, -0.0, &scale), y = NAME(sigmoid_of)(e, scale);
    return NAME(decided)(y, y.hi * 0x1.1p-68);
}

/* 1 - 2s, s = 1 / (1 + e^2x): off by 2s (1 - s) < 1/2 times 2^-67.9, 2^-68.9, not of tanh x but of
   1. So it takes the series below 1/16, where tanh x is much smaller. */
MG_INLINE double NAME(table_tanh)(double x) {
    const double size = fabs(x);
    if (size < 0x1p-4 || size > 20.0) return NAME(quick_tanh)(x);
    double scale;
    const PAIR e = NAME(exp_by_table)(2.0 * size, -0.0, &scale), s = NAME(sigmoid_of)(e, scale);
    PAIR y = NAME(fast_two_sum)(1.0, -2.0 * s.hi);
    y.lo -= 2.0 * s.lo;
    return copysign(NAME(decided)(y, 0x1.1p-69), x);
}

/* log x = k ln 2 - log(c) + log(1 + z), x = 2^k m and z = c m - 1 with the table's c near 1 / m,
   for a normal x > 0. What it is off by is below *bound, with one more sum with lo.

   c has 10 bits, m_hi 25, so z_hi has no error, nor has z_lo < 2^-24. |z| < 0.00477 = 2^-7.71.
   z_hi is whole 2^-33 below 2^-7, or whole 2^-34 below 2^-8: 26 bits, and its square has no error.
   The parts of ln 2 and log c are whole 2^-42, z_hi is far below 2^10, and so the first sum has no
   error either.
   Cut off at z^10 / 10, by 2^-80.4. In parts of u z^3 / 3 = u 2^-24.7 the tail's product is off by
   8.5: z as a single number 3, two products 2, two sums 2, a third 0.5, the last product 1. Then
   there are three sums with z_lo, or with both, 2^-23.3, and one more: in all 2^-73.6 (2^-75.1).
   Next to 1, c is 1, and z = x - 1 may be small. There z_hi is its first 26 bits, so that z_lo <
   2^-25 z, and |z| <= 2^-8: the tail's product is off by 5.5 u z^2 / 3 of it, as z is exact, and
   the last sum and one more by u z^2 / 3: by 2^-67.6 (2^-68.2) of the logarithm. */
MG_INLINE PAIR NAME(log_by_table)(double x, double *bound) {
    const uint64_t one = 0x3ff0000000000000, first = 0x3fe6900000000000; /* 1 - 151/512 */
    const uint64_t bits = NAME(bits)(x), shifted = bits - first + one;
    const double *entry = MG_LOGARITHMS[shifted >> 45 & 127];
    const double k = (int)(shifted >> 52) - 1023;
    double z_hi, z_lo;
    if (bits - 0x3feff00000000000 < 0x0000200000000000) { /* 1 - 1/512 <= x < 1 + 1/256 */
        const double z = x - 1.0;
        z_hi = NAME(number)(NAME(bits)(z) & ~(uint64_t)0x7ffffff);
        z_lo = z - z_hi;
        *bound = fabs(z) * 0x1p-67;
    } else {
        const uint64_t m_bits = bits - (shifted & 0xfff0000000000000) + one;
        const double m = NAME(number)(m_bits), m_hi = NAME(number)(m_bits & ~(uint64_t)0xfffffff);
        z_hi = MUL_ADD(entry[0], m_hi, -1.0);
        z_lo = entry[0] * (m - m_hi);
        *bound = 0x1.6p-74;
    }
    const double z = z_hi + z_lo, square = z * z;
    const double sevenths = MUL_ADD(1.0 / 9, square, MUL_ADD(-1.0 / 8, z, 1.0 / 7));
    const double fifths = MUL_ADD(sevenths, square, MUL_ADD(-1.0 / 6, z, 1.0 / 5));
    const double tail = MUL_ADD(fifths, square, MUL_ADD(-1.0 / 4, z, 1.0 / 3));
    PAIR y = NAME(fast_two_sum)(
        MUL_ADD(k, 0x1.62e42fefa3800p-1, entry[1]) + z_hi, -0.5 * z_hi * z_hi);
    y.lo += MUL_ADD(k, 0x1.ef35793c76730p-45, entry[2]);
    y.lo += MUL_ADD(-z_lo, MUL_ADD(0.5, z_lo, z_hi), z_lo);
    y.lo = MUL_ADD(tail, square * z, y.lo);
    return y;
}

MG_INLINE double NAME(table_log)(double x) {
    double bound;
    const PAIR y = NAME(log_by_table)(x, &bound);
    return NAME(decided)(y, bound);
}

/* |x|^y, for a normal x. p is off by |y| times what the logarithm is, the power by that, as it is
   below 2 without its scale, and by what e^p is. */
MG_INLINE double NAME(table_pow)(double x, double y) {
    double bound, scale;
    const PAIR sum = NAME(log_by_table)(fabs(x), &bound), log = NAME(fast_two_sum)(sum.hi, sum.lo);
    const double p = y * log.hi;
    const double p_lo = MUL_ADD(y, log.lo, NAME(product_error)(y, log.hi, p));
    if (fabs(p) > 690.0) return NAN;
    const PAIR power = NAME(exp_by_table)(p, p_lo, &scale);
    return NAME(decided)(power, MUL_ADD(fabs(y), 2.0 * bound, EXP_BOUND)) * scale;
}

#undef EXP_BOUND

MG_INLINE double NAME(table_sin)(double x) { return NAME(wave)(x, 0, 1); }

MG_INLINE double NAME(table_cos)(double x) { return NAME(wave)(x, 1, 1); }
