/* What the answers of each phase are off by before they are rounded, beside what was derived:

       bounds SEED ARGUMENTS [FUNCTION ...]

   Half of the arguments are random, and half lie next to one that was the worst so far. Status 1 if
   an answer is off by more than the comments in quick.h and rounded.c derive, or than its rounding
   allows for. Where quick.h rounds a pair, a PROBE has been put into its source. */

#include <stdio.h>
#include <stdlib.h>

static struct {
    double hi, lo, bound;
    int in_range, is_by_table;
} seen;
#define PROBE(x, its_bound, is_in_range, by_table)                    \
    (seen.hi = (x).hi, seen.lo = (x).lo, seen.bound = its_bound,      \
        seen.in_range = is_in_range, seen.is_by_table = by_table)

#include "rounded.c"

#include "exact.h"

#include "arguments.h"

/* A loop asks quick.h, a single number perhaps scalar.h. */
#define QUICK(name, number, ...) case MG_##number##_OF: (void)NAME(quick_##name)(x); break;
#define SINGLE(name, number, ...) case MG_##number##_OF: (void)NAME(name)(x); break;
#define ASK                                                                    \
    TARGET static void NAME(ask_quick)(int f, double x, double y) {            \
        switch (f) {                                                           \
            MG_FUNCTIONS(QUICK)                                                \
            case MG_POW_OF: (void)NAME(quick_pow)(x, y); break;                \
            case CUBE_OF: (void)NAME(quick_cube)(x); break;                    \
            case INVERSE_SQUARE_OF: (void)NAME(quick_inverse_square)(x); break; \
        }                                                                      \
    }                                                                          \
    static void NAME(ask_single)(int f, double x, double y) {                  \
        switch (f) {                                                           \
            MG_FUNCTIONS(SINGLE)                                               \
            case MG_POW_OF: (void)NAME(pow)(x, y); break;                      \
            case CUBE_OF: (void)NAME(cube)(x); break;                          \
            case INVERSE_SQUARE_OF: (void)NAME(inverse_square)(x); break;      \
        }                                                                      \
    }

#define TARGET
#define NAME(name) name##_plain
ASK
#undef NAME
#undef TARGET

#ifdef TWO_TARGETS
#define TARGET __attribute__((target("fma")))
#define NAME(name) name##_fma
ASK
#undef NAME
#undef TARGET
#endif

/* Binary logarithms of what is derived, in parts of the result. */
static const struct {
    double pair, wide;
} derived[FUNCTIONS] = {
    [MG_EXP_OF] = {-67.2, -115.6},      [MG_EXPM1_OF] = {-65.4, -115.5},
    [MG_LOG_OF] = {-67.5, -119.6},      [MG_LOG1P_OF] = {-67.0, -119.6},
    [MG_SIN_OF] = {-67.9, -121.0},      [MG_COS_OF] = {-67.9, -121.0},
    [MG_ATAN_OF] = {-65.6, -119.5},     [MG_TANH_OF] = {-65.7, -117.4},
    [MG_SIGMOID_OF] = {-67.2, -115.5},  [MG_SOFTPLUS_OF] = {-65.7, -115.5},
    [MG_ERF_OF] = {-66.5, -117.5},      [MG_POW_OF] = {0, -109.9},
    [CUBE_OF] = {-104.4, -109.9},       [INVERSE_SQUARE_OF] = {-101.6, -109.9},
};

static double derived_of_pair(int f) {
    if (seen.is_by_table) return seen.bound / fabs(seen.hi);
    if (f == MG_POW_OF) return seen.bound / fabs(seen.hi) / 4; /* four times what is needed */
    const int is_wave = f == MG_SIN_OF || f == MG_COS_OF; /* the angle is off, too */
    return exp2(derived[f].pair) + (is_wave ? 0x1p-100 / fabs(seen.hi) : 0.0);
}

enum { LOOP_PLAIN, LOOP_FMA, SINGLE_PLAIN, SINGLE_FMA, WIDE, EXTENDED, ANSWERS };
static const char *const answers[] = {
    "loop, plain", "loop, FMA", "single, plain", "single, FMA", "128 bits", "long double",
};

typedef struct {
    double off, derived, allowed, x, y; /* where off is the largest part of what is derived */
    int is_beyond;
} worst;

enum { PRECISION = 250 };
static mpfr_t right, answer, low;

/* In parts of what is right, without the sign and the power of 2 that come last. */
static double off_by(void) {
    long exponent;
    mpfr_div(answer, answer, right, MPFR_RNDN);
    mpfr_abs(answer, answer, MPFR_RNDN);
    if (mpfr_get_d_2exp(&exponent, answer, MPFR_RNDN) < 0.75) exponent--;
    mpfr_div_2si(answer, answer, exponent, MPFR_RNDN);
    mpfr_sub_ui(answer, answer, 1, MPFR_RNDN);
    return fabs(mpfr_get_d(answer, MPFR_RNDN));
}

static void note(worst *w, double derived, double allowed, double x, double y) {
    const double off = off_by();
    w->is_beyond |= !(off <= derived && off <= allowed);
    if (off * w->derived <= w->off * derived) return;
    *w = (worst){off, derived, allowed, x, y, w->is_beyond};
}

static void look_at_pair(worst *w, void ask(int, double, double), int f, double x, double y) {
    if (f == MG_TANH_OF && fabs(x) > 22) return; /* tanh 22 stands for it */
    seen.in_range = 0;
    ask(f, x, y);
    if (!seen.in_range) return;
    mpfr_set_d(answer, seen.hi, MPFR_RNDN);
    mpfr_add_d(answer, answer, seen.lo, MPFR_RNDN);
    note(w, derived_of_pair(f), seen.bound / fabs(seen.hi), x, y);
}

#define SPECIAL(name, number, ...) case MG_##number##_OF: return special_##name(x, out);
static int is_special(int f, double x, double *out) {
    if (isnan(x)) return 1;
    switch (f) { MG_FUNCTIONS(SPECIAL) }
    return 0;
}

#define RESULT(name, number, ...) case MG_##number##_OF: return wide_##name(x);
static wide result(int f, double x, double y) {
    switch (f) { MG_FUNCTIONS(RESULT) }
    return wide_pow(x, y);
}

static void look_at_wide(worst *w, int f, double x, double y) {
    const int is_power = f >= MG_POW_OF;
    const double base = fabs(x), exponent = f == CUBE_OF ? 3.0 : f == INVERSE_SQUARE_OF ? -2.0 : y;
    double special;
    if (is_power ? base == 1 || exponent == 0 : is_special(f, x, &special)) return;
    const wide z = is_power ? result(MG_POW_OF, base, exponent) : result(f, x, y);
    mpfr_set_ui_2exp(low, z.lo, z.exponent - 128, MPFR_RNDN);
    mpfr_set_ui_2exp(answer, z.hi, z.exponent - 64, MPFR_RNDN);
    mpfr_add(answer, answer, low, MPFR_RNDN);
    note(w, exp2(derived[f].wide), 0x1p-108, x, y);
}

static void look_at(worst *w, int f, double x, double y) {
    static mpfr_t a, b;
    static int is_ready;
    if (!is_ready++) {
        mpfr_inits2(53, a, b, NULL);
        mpfr_inits2(PRECISION, right, answer, low, NULL);
    }
    mpfr_set_d(a, x, MPFR_RNDN), mpfr_set_d(b, y, MPFR_RNDN);
    compute(right, f, a, b);
    if (!mpfr_regular_p(right)) return;
    if (mpfr_get_exp(right) > 1024 || mpfr_get_exp(right) < -1074) return;
    look_at_pair(&w[LOOP_PLAIN], ask_quick_plain, f, x, y);
    look_at_pair(&w[SINGLE_PLAIN], ask_single_plain, f, x, y);
#ifdef TWO_TARGETS
    if (__builtin_cpu_supports("fma")) {
        look_at_pair(&w[LOOP_FMA], ask_quick_fma, f, x, y);
        look_at_pair(&w[SINGLE_FMA], ask_single_fma, f, x, y);
    }
#endif
    look_at_wide(&w[WIDE], f, x, y);
    if (LDBL_MANT_DIG < 64) return;
    mpfr_set_ld(answer, extended(f, x, y), MPFR_RNDN);
    note(&w[EXTENDED], EXTENDED_ERROR, EXTENDED_ERROR, x, y);
}

static int show(int f, int of, const worst *w) {
    printf("%-9s %-13s 2^%-7.2f 2^%-7.2f 2^%-7.2f %a", names[f], answers[of], log2(w->off),
        log2(w->derived), log2(w->allowed), w->x);
    if (f == MG_POW_OF) printf(" %a", w->y);
    printf("%s\n", w->is_beyond ? "  beyond its bound" : "");
    return w->is_beyond;
}

static int measure(int f, uint64_t n) {
    worst w[ANSWERS];
    int failed = 0;
    for (int i = 0; i < ANSWERS; i++) w[i] = (worst){0, 1, 1, 0, 0, 0};
    for (uint64_t i = 0; i < n; i++) {
        double x, y;
        arguments(f, i, &x, &y);
        look_at(w, f, x, y);
        const worst *near = &w[i % ANSWERS];
        look_at(w, f, close_to(near->x), close_to(near->y));
    }
    for (int i = 0; i < ANSWERS; i++)
        if (w[i].off > 0) failed |= show(f, i, &w[i]);
    return failed;
}

/* Whatever has an error of 2^-108 and may lie on either side of a middle has to be left open. */
static int decides_next_to_a_middle(uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t units = random_bits() >> 45; /* below 2^-108, where the highest bit is 1/2 */
        const uint64_t middle = 0x8000000000000000 | (random_bits() & ~(uint64_t)0x7ff) | 0x400;
        const wide above = {middle, units, random_below(2000) - 1000, 0};
        const wide below = {middle - 1, ~units, above.exponent, 0};
        double out;
        if (!nearest_double(above, &out) && !nearest_double(below, &out)) continue;
        printf("128 bits: decided at 0x%llx and 2^-128 * %llu\n", (unsigned long long)middle,
            (unsigned long long)units);
        return 1;
    }
    return 0;
}

static double ask_nobody(int f, double x, double y) {
    (void)f, (void)x, (void)y;
    return NAN;
}

int main(int argc, char **argv) {
    int failed = has_unknown_name(argc, argv);
    uint64_t n = 0;
    mg_ask_reference = ask_nobody;
    printf("%-9s %-13s %-9s %-9s %-9s at\n", "function", "answer", "off by", "derived", "allowed");
    for (int f = 0; f < FUNCTIONS; f++) {
        if (!is_chosen(f, argc, argv)) continue;
        n = start(f, argv);
        failed |= measure(f, n);
        fflush(stdout);
    }
    return failed | decides_next_to_a_middle(n);
}
