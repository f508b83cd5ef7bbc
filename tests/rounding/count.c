/* Which phase decides how many arguments of each function, and how many results are wrong:

       count SEED ARGUMENTS [FUNCTION ...]

   The loops of a Tape take the first answers of quick.h; single numbers go through all phases of
   rounded.c, of which the first may be one of scalar.h. Status 1 if a result is wrong, or if a
   phase leaves open more than it should: because it is lost, or its error bound is too wide.

   What is right costs one computation for all paths. The C library's functions of long doubles, off
   by 2^-58 at most, say it of 15 arguments in 16; MPFR says it of the others, among them all that
   are hard to round, and of one block in 32, where both must agree. */

#include <stdio.h>
#include <stdlib.h>

#include "wide.h"

/* What the 128 bits are asked for passes through here. */
enum { FIRST, SECOND, REFERENCE, PHASES };
static int phase;
#define nearest_double(x, out) (phase = SECOND, (nearest_double)(x, out))

#include "rounded.c"

#include "exact.h"

#include "arguments.h"

static double ask(int f, double x, double y) {
    (void)f, (void)x, (void)y;
    phase = REFERENCE;
    return NAN;
}

/* The paths: each computes a block of results, and says which phase decided, or would have to. */

enum { BLOCK = 512, BLOCKS_BY_BOTH = 32 };

typedef struct {
    double x[BLOCK], y[BLOCK];
} operands;

typedef struct {
    double found[BLOCK];
    unsigned char phases[BLOCK];
} results;

#define FUNCTION_OF_ONE(name, ...) PATH(name, (in->x[i]))
#define ALL_FUNCTIONS \
    MG_FUNCTIONS(FUNCTION_OF_ONE) PATH(pow, (in->x[i], in->y[i])) \
    PATH(cube, (in->x[i])) PATH(inverse_square, (in->x[i]))

#define LOOP(name, values)                                                                  \
    TARGET static void NAME(loop_##name)(const operands *in, results *out) {                \
        for (int i = 0; i < BLOCK; i++) out->found[i] = NAME(quick_##name) values;          \
        for (int i = 0; i < BLOCK; i++) out->phases[i] = isnan(out->found[i]) ? SECOND : FIRST; \
    }

#define SINGLE(name, values)                                                 \
    static void NAME(single_##name)(const operands *in, results *out) {      \
        for (int i = 0; i < BLOCK; i++) {                                    \
            phase = FIRST;                                                   \
            out->found[i] = NAME(name) values;                               \
            out->phases[i] = (unsigned char)phase;                           \
        }                                                                    \
    }

#define TARGET
#define NAME(name) name##_plain
#define PATH LOOP
ALL_FUNCTIONS
#undef PATH
#define PATH SINGLE
ALL_FUNCTIONS
#undef NAME
#undef TARGET

#ifdef TWO_TARGETS
#define NAME(name) name##_fma
ALL_FUNCTIONS
#undef NAME
#undef PATH

#define PATH LOOP
#define FAST_FMA
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_avx2
#include "quick.h"
ALL_FUNCTIONS
#undef NAME
#undef TARGET

#define TARGET __attribute__((target("avx512f,fma")))
#define NAME(name) name##_avx512
#include "quick.h"
ALL_FUNCTIONS
#undef NAME
#undef TARGET
#endif
#undef PATH

enum { PLAIN, WITH_FMA, AVX2, AVX512 };

/* Whether this CPU has it. */
static int has(int target) {
#ifdef TWO_TARGETS
    if (target != PLAIN && !__builtin_cpu_supports("fma")) return 0;
    if (target == AVX2) return __builtin_cpu_supports("avx2") != 0;
    if (target == AVX512) return __builtin_cpu_supports("avx512f") != 0;
#endif
    (void)target;
    return 1;
}

#define PATH(name, values) NAME(name),
static const struct {
    const char *name;
    int is_loop, target;
    void (*of[FUNCTIONS])(const operands *in, results *out);
} paths[] = {
#define NAME(name) loop_##name##_plain
    {"loops, plain", 1, PLAIN, {ALL_FUNCTIONS}},
#undef NAME
#ifdef TWO_TARGETS
#define NAME(name) loop_##name##_avx2
    {"loops, AVX2", 1, AVX2, {ALL_FUNCTIONS}},
#undef NAME
#define NAME(name) loop_##name##_avx512
    {"loops, AVX-512", 1, AVX512, {ALL_FUNCTIONS}},
#undef NAME
#endif
#define NAME(name) single_##name##_plain
    {"single, plain", 0, PLAIN, {ALL_FUNCTIONS}},
#undef NAME
#ifdef TWO_TARGETS
#define NAME(name) single_##name##_fma
    {"single, FMA", 0, WITH_FMA, {ALL_FUNCTIONS}},
#undef NAME
#endif
};
enum { PATHS = sizeof paths / sizeof *paths };

/* What is right */

static int same(double x, double y) {
    return bits_plain(x) == bits_plain(y) || (isnan(x) && isnan(y));
}

/* A number of 53 bits as a double, which may be subnormal or infinite; `side` is MPFR's. */
static double as_double(mpfr_t z, int side) {
    mpfr_set_emin(-1073), mpfr_set_emax(1024);
    side = mpfr_check_range(z, side, MPFR_RNDN);
    mpfr_subnormalize(z, side, MPFR_RNDN);
    const double out = mpfr_get_d(z, MPFR_RNDN);
    mpfr_set_emin(mpfr_get_emin_min()), mpfr_set_emax(mpfr_get_emax_max());
    return out;
}

/* The nearest double. Sigmoid and softplus get so many bits that both ends of their error agree. */
static double exact(int f, double x, double y) {
    static mpfr_t a, b, z, many, end;
    static int is_ready;
    if (!is_ready++) mpfr_inits2(53, a, b, z, many, end, NULL);
    mpfr_set_d(a, x, MPFR_RNDN), mpfr_set_d(b, y, MPFR_RNDN);
    if (f != MG_SIGMOID_OF && f != MG_SOFTPLUS_OF) {
        const int side = compute(z, f, a, b);
        return as_double(z, side);
    }
    for (int precision = 90;; precision *= 2) {
        double ends[2];
        mpfr_set_prec(many, precision), mpfr_set_prec(end, precision);
        compute(many, f, a, b);
        for (int i = 0; i < 2; i++) {
            mpfr_set_si_2exp(end, i ? 1 : -1, 5 - precision, MPFR_RNDN);
            mpfr_add_ui(end, end, 1, MPFR_RNDN);
            const int side = mpfr_mul(z, many, end, MPFR_RNDN);
            ends[i] = as_double(z, side);
        }
        if (same(ends[0], ends[1])) return ends[0];
    }
}

/* Where there are long doubles of 64 bits or more, and both ends of their error agree. */
static int settled(int f, double x, double y, double *out) {
    if (LDBL_MANT_DIG < 64) return 0;
    const long double z = extended(f, x, y), error = fabsl(z) * EXTENDED_ERROR;
    const double low = (double)(z - error), high = (double)(z + error);
    *out = low;
    return bits_plain(low) == bits_plain(high);
}

/* Of a million arguments from the range, how many a first answer leaves open, and a sixth more: in
   a loop, and of single numbers. */
static const double most_open[FUNCTIONS][2] = {
    [MG_EXP_OF] = {410, 72},       [MG_EXPM1_OF] = {410, 410},  [MG_LOG_OF] = {120, 6},
    [MG_LOG1P_OF] = {420, 420},    [MG_SIN_OF] = {140, 140},    [MG_COS_OF] = {140, 140},
    [MG_ATAN_OF] = {420, 420},     [MG_TANH_OF] = {530, 50},    [MG_SIGMOID_OF] = {430, 60},
    [MG_SOFTPLUS_OF] = {430, 430}, [MG_ERF_OF] = {570, 570},    [MG_POW_OF] = {4600, 115},
    [CUBE_OF] = {1, 1},            [INVERSE_SQUARE_OF] = {1, 1},
};

typedef struct {
    uint64_t all[PHASES], from_range[PHASES], wrong;
} tally;

static int show(int f, int p, const tally *t) {
    const uint64_t open = t->from_range[SECOND] + t->from_range[REFERENCE];
    const double from_range = (double)(open + t->from_range[FIRST]);
    const double most = most_open[f][!paths[p].is_loop] * 1e-6 * from_range;
    const int is_lost = (double)open > most + 4 * sqrt(most) || t->from_range[REFERENCE];
    printf("%-9s %-15s %12llu %12llu %10llu %6llu %9.0f%s\n", names[f], paths[p].name,
        (unsigned long long)t->all[FIRST], (unsigned long long)t->all[SECOND],
        (unsigned long long)t->all[REFERENCE], (unsigned long long)t->wrong,
        1e6 * (double)open / from_range, is_lost ? "  too many are left open" : "");
    return is_lost || t->wrong;
}

static int count(int f, uint64_t n) {
    static operands in;
    static results out[PATHS];
    tally tallies[PATHS] = {0};
    uint64_t by_mpfr = 0;
    int failed = 0;
    for (uint64_t block = 0; block * BLOCK < n; block++) {
        for (int i = 0; i < BLOCK; i++) arguments(f, (uint64_t)i, &in.x[i], &in.y[i]);
        for (int p = 0; p < PATHS; p++)
            if (has(paths[p].target)) paths[p].of[f](&in, &out[p]);
        for (int i = 0; i < BLOCK; i++) {
            const double x = in.x[i], y = in.y[i];
            double right = NAN;
            const int is_settled = settled(f, x, y, &right);
            if (!is_settled || block % BLOCKS_BY_BOTH == 0) {
                const double by_mpfr_too = exact(f, x, y);
                by_mpfr++;
                if (is_settled && !same(right, by_mpfr_too)) {
                    printf("%s: the long double for %a %a is off\n", names[f], x, y);
                    failed = 1;
                }
                right = by_mpfr_too;
            }
            for (int p = 0; p < PATHS; p++) {
                if (!has(paths[p].target)) continue;
                const int by = out[p].phases[i];
                tallies[p].all[by]++;
                if (is_from_range((uint64_t)i)) tallies[p].from_range[by]++;
                if (by == (paths[p].is_loop ? SECOND : REFERENCE) || same(out[p].found[i], right))
                    continue;
                if (tallies[p].wrong++ < 3)
                    printf("%s, %s: %a for %a %a, where %a is right\n", names[f], paths[p].name,
                        out[p].found[i], x, y, right);
            }
        }
    }
    for (int p = 0; p < PATHS; p++)
        if (has(paths[p].target)) failed |= show(f, p, &tallies[p]);
    printf("%-9s %llu by MPFR\n", names[f], (unsigned long long)by_mpfr);
    return failed;
}

int main(int argc, char **argv) {
    int failed = has_unknown_name(argc, argv);
    mg_ask_reference = ask;
    printf("%-9s %-15s %12s %12s %10s %6s %9s\n", "function", "path", "first", "128 bits",
        "reference", "wrong", "ppm open");
    for (int f = 0; f < FUNCTIONS; f++) {
        if (!is_chosen(f, argc, argv)) continue;
        const uint64_t n = start(f, argv);
        failed |= count(f, n);
        fflush(stdout);
    }
    return failed;
}
