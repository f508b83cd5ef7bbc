/* Numbers of 128 bits, for what the first answers of scalar.h and quick.h leave open.

   Everything is done in integers, so no rounding mode, flag or compiler has a part in it. Each
   operation cuts off what is behind 128 bits:

   add, subtract: by less than 2^-127 of the larger operand; exact if no bit of the smaller falls
   off. multiply: by less than 3 * 2^-126, three parts of less than a unit each; by less than 2^-126
   if one operand has 64 bits, as a double does. quotient: by less than 2^-123, two products and the
   inverse, of which Newton's method makes 2^-51 to 2^-102 and 2^-204, and its own roundings
   2^-124. */

#ifndef MICROGRAD_WIDE_H
#define MICROGRAD_WIDE_H

#include <stdint.h>
#include <string.h>

typedef struct {
    uint64_t hi, lo; /* hi * 2^64 + lo, the highest bit of hi set; both 0 for zero */
    int exponent;    /* the number is (hi * 2^64 + lo) * 2^(exponent - 128): below 2^exponent */
    int negative;
} wide;

static const wide WIDE_ZERO = {0, 0, 0, 0};
static const wide WIDE_ONE = {0x8000000000000000, 0, 1, 0};
static const wide WIDE_LN_2 = {0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af, 0, 0};
static const wide WIDE_HALF_PI = {0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, 1, 0};
static const wide WIDE_2_OVER_ROOT_PI = {0x906eba8214db688d, 0x71d48a7f6bfec344, 1, 0};

static int leading_zeros(uint64_t x) {
#ifdef __GNUC__
    return __builtin_clzll(x);
#else
    int n = 0;
    for (; !(x >> 63); x <<= 1) n++;
    return n;
#endif
}

/* x * y = *high * 2^64 + the result. */
static uint64_t multiply_64(uint64_t x, uint64_t y, uint64_t *high) {
#ifdef __SIZEOF_INT128__
    __extension__ const unsigned __int128 product = (unsigned __int128)x * y;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    const uint64_t x_lo = x & 0xffffffff, x_hi = x >> 32, y_lo = y & 0xffffffff, y_hi = y >> 32;
    const uint64_t low = x_lo * y_lo, a = x_hi * y_lo, b = x_lo * y_hi;
    const uint64_t middle = (low >> 32) + (a & 0xffffffff) + (b & 0xffffffff);
    *high = x_hi * y_hi + (a >> 32) + (b >> 32) + (middle >> 32);
    return middle << 32 | (low & 0xffffffff);
#endif
}

static wide normal(uint64_t hi, uint64_t lo, int exponent, int negative) {
    if (!hi && !lo) return WIDE_ZERO;
    if (!hi) hi = lo, lo = 0, exponent -= 64;
    const int n = leading_zeros(hi);
    if (n) hi = hi << n | lo >> (64 - n), lo <<= n;
    const wide x = {hi, lo, exponent - n, negative};
    return x;
}

static wide wide_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int biased = bits >> 52 & 0x7ff;
    const uint64_t fraction = bits & 0x000fffffffffffff;
    const uint64_t whole = biased ? fraction | 0x0010000000000000 : fraction;
    return normal(whole << 11, 0, (biased ? biased : 1) - 1022, (int)(bits >> 63));
}

/* The number cut off to a double, for one below 2^1000; 0 for one below 2^-1000. */
static double approximate(wide x) {
    if (!x.hi || x.exponent < -1000) return 0.0;
    const uint64_t bits = (uint64_t)x.negative << 63 | (uint64_t)(x.exponent + 1021) << 52;
    const uint64_t all = bits + (x.hi >> 11); /* the highest bit adds one to the exponent */
    double out;
    memcpy(&out, &all, sizeof out);
    return out;
}

static wide negative(wide x) {
    x.negative = !x.negative;
    return x;
}

static wide scaled(wide x, int exponent) {
    if (x.hi) x.exponent += exponent;
    return x;
}

static int magnitude_below(wide x, wide y) {
    if (!x.hi || !y.hi) return !x.hi && y.hi;
    if (x.exponent != y.exponent) return x.exponent < y.exponent;
    return x.hi != y.hi ? x.hi < y.hi : x.lo < y.lo;
}

static wide add(wide x, wide y) {
    if (magnitude_below(x, y)) {
        const wide larger = y;
        y = x, x = larger;
    }
    const int distance = x.exponent - y.exponent;
    if (!y.hi || distance > 127) return x;
    if (distance >= 64) y.lo = y.hi, y.hi = 0;
    if (distance % 64) {
        y.lo = y.lo >> distance % 64 | y.hi << (64 - distance % 64);
        y.hi >>= distance % 64;
    }
    if (x.negative != y.negative) {
        const uint64_t lo = x.lo - y.lo;
        return normal(x.hi - y.hi - (x.lo < y.lo), lo, x.exponent, x.negative);
    }
    const uint64_t lo = x.lo + y.lo, carry = lo < x.lo, sum = x.hi + y.hi, hi = sum + carry;
    if (sum >= x.hi && hi >= sum) return normal(hi, lo, x.exponent, x.negative);
    const wide out = {0x8000000000000000 | hi >> 1, hi << 63 | lo >> 1, x.exponent + 1, x.negative};
    return out;
}

static wide subtract(wide x, wide y) { return add(x, negative(y)); }

static wide multiply(wide x, wide y) {
    uint64_t high, high_2, high_3;
    const uint64_t low = multiply_64(x.hi, y.hi, &high);
    (void)multiply_64(x.hi, y.lo, &high_2);
    (void)multiply_64(x.lo, y.hi, &high_3);
    const uint64_t cross = high_2 + high_3, lo = low + cross;
    const uint64_t hi = high + (cross < high_2) + (lo < low);
    return normal(hi, lo, x.exponent + y.exponent, x.negative ^ y.negative);
}

/* x / y by Newton's method, from the 52 bits of a quotient of doubles. */
static wide quotient(wide x, wide y) {
    const int exponent = y.exponent;
    y.exponent = 0;
    wide inverse = wide_of(1.0 / approximate(y));
    for (int i = 0; i < 2; i++)
        inverse = add(inverse, multiply(inverse, subtract(WIDE_ONE, multiply(y, inverse))));
    return scaled(multiply(x, inverse), -exponent);
}

/* The nearest double of a number with an error below 2^-108 of it: into *out, and 1. Or 0 where
   that leaves it open: near the midpoint of two doubles. */
static int nearest_double(wide x, double *out) {
    const int kept = x.exponent >= -1021 ? 53 : x.exponent + 1074; /* bits of the result */
    uint64_t bits = 0;
    if (x.hi && x.exponent > 1024) {
        bits = 0x7ff0000000000000;
    } else if (x.hi && kept >= -1) { /* -1 for what lies just below the middle of 0 and 2^-1074 */
        const uint64_t behind = kept > 0 ? x.hi << kept | x.lo >> (64 - kept) : x.hi >> -kept;
        if (behind + 0x400 - 0x8000000000000000 < 0x800) return 0;
        bits = (kept > 0 ? x.hi >> (64 - kept) : 0) + (behind >> 63);
        if (kept == 53) bits += (uint64_t)(x.exponent + 1021) << 52; /* with the highest bit, 1022 */
    }
    bits |= (uint64_t)x.negative << 63;
    memcpy(out, &bits, sizeof bits);
    return 1;
}

#endif
