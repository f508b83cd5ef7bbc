/* Correctly rounded functions: rounded.h says how they are found. */

#include "rounded.h"

#include "ieee.h"
#include "wide.h"

double (*mg_ask_reference)(int, double, double);

#define NAME(name) name##_plain
#include "quick.h"
#include "scalar.h"
#undef NAME

/* The errors here add up those that wide.h states, in parts of the result. What tests/rounding
   measured is 2 to 40 times smaller, as they seldom all point one way. The largest is that of a
   power: 2^-109.

   e^r - 1 for |r| < 1/2: that of r / 16 by the series, all of it over 18!, and then four times (1 +
   e)^2 - 1 = e (2 + e). Cut off by 2^-146; the series is off by 2^-122.6, each e (2 + e) by 2^-124
   more and by up to 1 + e / (2 + e) times what e was, in all 1.3 times: 2^-120.8. */
static wide exponential_minus_1(wide r) {
    double ratio = 1.0; /* 18! / n! */
    wide e = WIDE_ONE;
    r = scaled(r, -4);
    for (int n = 18; n > 1; n--) e = add(multiply(e, r), wide_of(ratio *= n));
    e = quotient(multiply(e, r), wide_of(ratio));
    for (int i = 0; i < 4; i++) e = multiply(e, add(scaled(WIDE_ONE, 1), e));
    return e;
}

/* By x = k ln 2 + r. |x| 2^-125.2 is what r is off by: k ln 2 by 2^-126 and 2^-128, the difference
   by 2^-127 of it. So the power is off by that and 2^-122: by 2^-115.6 for |x| < 746. */
static wide exponential(wide x) {
    if (x.exponent > 11) return scaled(WIDE_ONE, x.negative ? -2000 : 2000); /* far out of range */
    const double quotient = approximate(x) * 0x1.71547652b82fep+0;
    const int k = (int)(quotient < 0 ? quotient - 0.5 : quotient + 0.5);
    const wide r = subtract(x, multiply(wide_of(k), WIDE_LN_2));
    return scaled(add(WIDE_ONE, exponential_minus_1(r)), k);
}

/* e^x / |e^x - 1| < 2.6 in the second case: off by less than 2^-115.5, or by 2^-118.5 for |x| <
   40. */
static wide exponential_minus_1_of(wide x) {
    return x.exponent < 0 ? exponential_minus_1(x) : subtract(exponential(x), WIDE_ONE);
}

/* log(1 + x) for |x| < 1/16: 2 atanh s = 2 (s + s^3 / 3 + ...) with s = x / (2 + x) < 1/30, all of
   the series over 1 * 3 * 5 * ... * 27. Cut off by 2^-143, off by two quotients and a product:
   2^-121. */
static wide logarithm_near_1(wide x) {
    const double product = 213458046676875.0;
    const wide s = quotient(x, add(scaled(WIDE_ONE, 1), x)), z = multiply(s, s);
    wide sum = WIDE_ZERO;
    for (int n = x.exponent > -40 ? 27 : 5; n > 0; n -= 2) sum = add(multiply(sum, z), wide_of(product / n));
    return scaled(multiply(s, quotient(sum, wide_of(product))), 1);
}

/* By one step of Newton's method from a double y: log x = y + log(x e^-y). y is good to 2^-43, and
   so is x e^-y to 1, of which only the absolute error counts: that of e^-y, |y| 2^-125.2 and, as it
   comes from e^r - 1, 2^-120.8 of |y| or less, and 2^-126 twice for the product and the difference.
   As |y| > 0.06, log x is off by 2^-119.6. */
static wide logarithm(wide x) {
    const wide near_1 = subtract(x, WIDE_ONE);
    if (near_1.exponent <= -4 || !near_1.hi) return logarithm_near_1(near_1);
    const int exponent = x.exponent;
    const double y = log_of_plain(approximate(scaled(x, -exponent))).hi + exponent * 0x1.62e42fefa39efp-1;
    const wide start = wide_of(y);
    return add(start, logarithm_near_1(subtract(multiply(x, exponential(negative(start))), WIDE_ONE)));
}

static wide logarithm_of_1_plus(wide x) {
    return x.exponent <= -4 || !x.hi ? logarithm_near_1(x) : logarithm(add(WIDE_ONE, x));
}

/* The bits of 2 / pi, behind 64 that are 0. */
static const uint64_t TWO_OVER_PI[] = {
    0, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
    0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484,
    0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d, 0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
    0xa9e391615ee61b08, 0x6599855f14a06840,
};

/* x - k pi / 2, k the nearest whole number, of which the last two bits go to *k: Payne and Hanek's
   method. For x = whole * 2^exponent, bits of 2 / pi that only add multiples of 4 to the quotient
   are left out, and 320 more are taken: at least 64 + 128 of them are still good where the quotient
   is nearest to a whole number (within 2^-62 of it, of all doubles). So the product with pi / 2 is
   all that the angle is off by: 2^-124.2. */
static wide reduced_angle(double x, int *k) {
    const wide number = wide_of(x);
    *k = 0;
    if (fabs(x) < 0.7853) return number;
    const uint64_t whole = number.hi >> 11;
    const int first = number.exponent - 53 - 2 + 64, word = first / 64, bit = first % 64;
    uint64_t product[5], carry = 0;
    for (int i = 4; i >= 0; i--) {
        const uint64_t next = i + word + 1 < 23 ? TWO_OVER_PI[i + word + 1] : 0;
        const uint64_t bits = bit ? TWO_OVER_PI[i + word] << bit | next >> (64 - bit) : TWO_OVER_PI[i + word];
        uint64_t high;
        product[i] = multiply_64(whole, bits, &high) + carry;
        carry = high + (product[i] < carry);
    }
    /* The first two bits are k before rounding, the others the fraction. */
    *k = (int)(product[0] >> 62);
    for (int i = 0; i < 5; i++) product[i] = product[i] << 2 | (i < 4 ? product[i + 1] >> 62 : 0);
    const int above = (int)(product[0] >> 63); /* the fraction is a half or more: round up */
    if (above) {
        *k += 1;
        for (int i = 0; i < 5; i++) product[i] = ~product[i];
    }
    int zeros = 0;
    while (zeros < 2 && !product[zeros]) zeros++;
    const uint64_t *p = product + zeros;
    const int n = leading_zeros(p[0]);
    wide fraction = {p[0], p[1], -64 * zeros, above};
    if (n) fraction.hi = p[0] << n | p[1] >> (64 - n), fraction.lo = p[1] << n | p[2] >> (64 - n);
    fraction.exponent -= n;
    if (number.negative) fraction.negative = !fraction.negative, *k = -*k;
    return multiply(fraction, WIDE_HALF_PI);
}

/* The series of the sine or cosine, all of it over 35! or 34!, for |r| < 0.8. Cut off by 2^-150,
   off by 2^-122, and by the angle's error times r tan r < 0.9 or r / tan r < 1: by 2^-121. */
static wide wave_near_0(wide r, int is_cos) {
    const wide z = negative(multiply(r, r));
    wide sum = WIDE_ONE, ratio = WIDE_ONE;
    for (int n = is_cos ? 34 : 35; n > 1; n -= 2) {
        ratio = multiply(ratio, wide_of(n * (n - 1)));
        sum = add(multiply(sum, z), ratio);
    }
    sum = quotient(sum, ratio);
    return is_cos ? sum : multiply(sum, r);
}

static wide wave(double x, int quarters) {
    int k;
    const wide r = reduced_angle(x, &k);
    const int quarter = (k + quarters) & 3;
    const wide y = wave_near_0(r, quarter & 1);
    return quarter & 2 ? negative(y) : y;
}

/* By Newton: atan x = y + atan((x - tan y) / (1 + x tan y)), for a double y near it, within 2^-52
   of it at every size of x. So t < 2^-52 y, and t^3 / 3 is below 2^-157 of it. t is off by what the
   cosine and sine in x cos y - sin y are, 2^-119.5 sin y cos y < 2^-119.5 y. */
static wide arctangent(double x) {
    const double ax = fabs(x), start = atan_of_plain(ax < 0x1p60 ? ax : 0x1p60).hi;
    const wide y = wide_of(start), z = wide_of(ax), sin = wave(start, 0), cos = wave(start, 1);
    const wide t = quotient(subtract(multiply(z, cos), sin), add(cos, multiply(z, sin)));
    wide out = add(y, t);
    out.negative = x < 0;
    return out;
}

/* 2 / sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...), all terms of one sign; |x| <= 6. Cut
   off by 2^-170. A term of number j is off by j times 4.5 * 2^-126, and the weight of terms lies
   near j = x^2, so the series by 2^-118.4 at most, e^(-x^2) by 2^-119.7: in all by 2^-117.5. */
static wide error_function(double x) {
    const wide z = wide_of(x), square = multiply(z, z), twice = scaled(square, 1);
    const int terms = 45 + (fabs(x) > 1 ? (int)(5 * x * x) : 0);
    wide sum = WIDE_ONE, ratio = WIDE_ONE;
    for (int n = 2 * terms + 1; n > 1; n -= 2) {
        ratio = multiply(ratio, wide_of(n));
        sum = add(multiply(sum, twice), ratio);
    }
    sum = multiply(quotient(sum, ratio), multiply(z, WIDE_2_OVER_ROOT_PI));
    return multiply(sum, exponential(negative(square)));
}

/* e^-|x| for the next two. */
static wide decay(double x) {
    wide size = wide_of(x);
    size.negative = 1;
    return exponential(size);
}

/* For each function: the result with 128 bits. tanh is off by twice what e^2x - 1 is, sigmoid and
   softplus by what e^-|x| is, 2^-115.6, and a quotient or logarithm. A power is off by |y log x| <
   746 times what the logarithm is: 2^-109.9. */
static wide wide_exp(double x) { return exponential(wide_of(x)); }

static wide wide_expm1(double x) { return exponential_minus_1_of(wide_of(x)); }

static wide wide_log(double x) { return logarithm(wide_of(x)); }

static wide wide_log1p(double x) { return logarithm_of_1_plus(wide_of(x)); }

static wide wide_sin(double x) { return wave(x, 0); }

static wide wide_cos(double x) { return wave(x, 1); }

static wide wide_atan(double x) { return arctangent(x); }

static wide wide_tanh(double x) {
    const wide e = exponential_minus_1_of(scaled(wide_of(x), 1));
    return quotient(e, add(scaled(WIDE_ONE, 1), e));
}

static wide wide_sigmoid(double x) {
    const wide e = decay(x);
    return quotient(x < 0 ? e : WIDE_ONE, add(WIDE_ONE, e));
}

static wide wide_softplus(double x) {
    const wide log = logarithm_of_1_plus(decay(x));
    return x > 0 ? add(wide_of(x), log) : log;
}

static wide wide_erf(double x) { return error_function(x); }

static wide wide_pow(double x, double y) { return exponential(multiply(wide_of(y), logarithm(wide_of(x)))); }

/* What needs no computing, nan apart: 1 and the result in *out, else 0. Below 2^-27 or 2^-54, what
   the series of a function adds to x is less than a quarter of the distance to the next double. */
static int special_exp(double x, double *out) { return isinf(x) && (*out = x > 0 ? INFINITY : 0.0, 1); }

static int special_expm1(double x, double *out) {
    if (isinf(x)) return *out = x > 0 ? INFINITY : -1.0, 1;
    return fabs(x) < 0x1p-54 && (*out = x, 1);
}

static int special_log(double x, double *out) {
    return (x <= 0 || isinf(x)) && (*out = x > 0 ? x : x == 0 ? -INFINITY : NAN, 1);
}

static int special_log1p(double x, double *out) {
    if (x <= -1 || isinf(x)) return *out = x > 0 ? x : x == -1 ? -INFINITY : NAN, 1;
    return fabs(x) < 0x1p-54 && (*out = x, 1);
}

static int special_sin(double x, double *out) {
    if (isinf(x)) return *out = NAN, 1;
    return fabs(x) < 0x1p-27 && (*out = x, 1);
}

static int special_cos(double x, double *out) { return isinf(x) && (*out = NAN, 1); }

static int special_atan(double x, double *out) {
    if (isinf(x)) return *out = copysign(0x1.921fb54442d18p+0, x), 1;
    return fabs(x) < 0x1p-27 && (*out = x, 1);
}

static int special_tanh(double x, double *out) {
    if (fabs(x) > 20) return *out = copysign(1.0, x), 1;
    return fabs(x) < 0x1p-27 && (*out = x, 1);
}

static int special_sigmoid(double x, double *out) { return isinf(x) && (*out = x > 0 ? 1.0 : 0.0, 1); }

static int special_softplus(double x, double *out) { return isinf(x) && (*out = x > 0 ? x : 0.0, 1); }

static int special_erf(double x, double *out) {
    if (fabs(x) > 6) return *out = copysign(1.0, x), 1;
    return x == 0 && (*out = x, 1);
}

/* What decides where 128 bits do not. */
#define UNDECIDED(exact, number, x, y) mg_ask_reference(MG_##number##_OF, x, y)

#define SLOWLY(name, number, ...)                                               \
    static double slow_##name(double x) {                                       \
        double out;                                                             \
        if (isnan(x)) return NAN;                                               \
        if (special_##name(x, &out)) return out;                                \
        const wide exact = wide_##name(x);                                      \
        return nearest_double(exact, &out) ? out : UNDECIDED(exact, number, x, 0.0); \
    }
MG_FUNCTIONS(SLOWLY)

static int is_whole(double y) { return isfinite(y) && floor(y) == y; }

static int is_odd(double y) { return is_whole(y) && floor(0.5 * y) != 0.5 * y; }

/* As C has it: a power of 0, 1 or infinity, or to one of these, needs no computing. */
static double slow_pow(double x, double y) {
    const double size = fabs(x), sign = signbit(x) && is_odd(y) ? -1.0 : 1.0;
    double out;
    if (y == 0 || x == 1) return 1.0;
    if (isnan(x) || isnan(y)) return NAN;
    if (size == 1 && isinf(y)) return 1.0;
    if (isinf(y)) return (size > 1) == (y > 0) ? INFINITY : 0.0;
    if (x == 0 || isinf(x)) return (x == 0) == (y < 0) ? sign * INFINITY : sign * 0.0;
    if (x < 0 && !is_whole(y)) return NAN;
    wide exact = wide_pow(size, y);
    exact.negative = sign < 0;
    return nearest_double(exact, &out) ? out : UNDECIDED(exact, POW, x, y);
}

/* With the first answers for one kind of CPU. */
#define FUNCTION(name, number, first, may_ask)                               \
    TARGET static double NAME(name)(double x) {                              \
        const double y = may_ask ? NAME(first)(x) : NAN;                     \
        return isnan(y) ? slow_##name(x) : y;                                \
    }
#define POW_FUNCTION                                                         \
    TARGET static double NAME(pow)(double x, double y) {                     \
        double z = NAN;                                                      \
        if (MG_BETWEEN(0x1p-1022, x, INFINITY) && MG_BETWEEN(0x1p-100, y, 1000)) { \
            z = NAME(table_pow)(x, y);                                       \
            if (x < 0) z = is_odd(y) ? -z : is_whole(y) ? z : NAN;           \
        }                                                                    \
        return isnan(z) ? slow_pow(x, y) : z;                              \
    }
#define CUBE_FUNCTION                                                        \
    TARGET static double NAME(cube)(double x) {                              \
        const double y = MG_BETWEEN(0x1p-300, x, 0x1p300) ? NAME(quick_cube)(x) : NAN; \
        return isnan(y) ? slow_pow(x, 3.0) : y;                            \
    }
#define INVERSE_SQUARE_FUNCTION                                              \
    TARGET static double NAME(inverse_square)(double x) {                    \
        const int may_ask = MG_BETWEEN(0x1p-300, x, 0x1p300);                \
        const double y = may_ask ? NAME(quick_inverse_square)(x) : NAN;      \
        return isnan(y) ? slow_pow(x, -2.0) : y;                           \
    }
#define POWERS POW_FUNCTION CUBE_FUNCTION INVERSE_SQUARE_FUNCTION

#define TARGET
#define NAME(name) name##_plain
MG_FUNCTIONS(FUNCTION)
POWERS
#undef NAME
#undef TARGET

#if defined(__GNUC__) && defined(__x86_64__) && !defined(__FMA__)
#define TWO_TARGETS
#define TARGET __attribute__((target("fma")))
#define FAST_FMA
#define NAME(name) name##_fma
#include "quick.h"
#include "scalar.h"
MG_FUNCTIONS(FUNCTION)
POWERS
#undef NAME
#undef FAST_FMA
#undef TARGET
#endif

#define POINTER(name, ...) double (*mg_##name)(double) = name##_plain;
MG_FUNCTIONS(POINTER)
double (*mg_pow)(double, double) = pow_plain;
double (*mg_cube)(double) = cube_plain, (*mg_inverse_square)(double) = inverse_square_plain;

void mg_choose_functions(int plain) {
#ifdef TWO_TARGETS
#define CHOOSE(name, ...) mg_##name = name##_fma;
    __builtin_cpu_init();
    if (plain || !__builtin_cpu_supports("fma")) return;
    MG_FUNCTIONS(CHOOSE)
    mg_pow = pow_fma, mg_cube = cube_fma, mg_inverse_square = inverse_square_fma;
#else
    (void)plain;
#endif
}
