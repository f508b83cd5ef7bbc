/* What the C code of a Tape calls, beside the functions: loops over a block of rows.

   micrograd_ref/native writes such code and takes from here, and from the other headers, what it
   uses. A block has up to MG_ROWS rows. What varies by row has MG_ROWS numbers in a row, one behind
   the other; a layer's inputs, results and weights lie behind each other, too.

   Loops run over m rows: those of the block, up to 7 copies of the last one behind them. Sums over
   rows take n, which are the block's. */

#ifndef MICROGRAD_NATIVE_H
#define MICROGRAD_NATIVE_H

#include "rounded.h"
#include "wide.h"

#ifndef MG_ROWS
#define MG_ROWS 128
#endif

#if defined(_WIN32)
#define MG_EXPORT __declspec(dllexport)
#else
#define MG_EXPORT
#endif

typedef void (*mg_pointer)(void); /* to a function, whatever that takes */

/* Eight rows: a vector, where the compiler has such types. */
#if defined(__GNUC__)
#define MG_LANES 8
typedef double mg_lanes __attribute__((vector_size(64), aligned(8), may_alias));
typedef double mg_half __attribute__((vector_size(32), aligned(8), may_alias));
typedef double mg_quarter __attribute__((vector_size(16), aligned(8), may_alias));
typedef int64_t mg_mask __attribute__((vector_size(64), aligned(8), may_alias));
#else
#define MG_LANES 1
typedef double mg_lanes;
#endif

#define MG_AT(x, row) (*(mg_lanes *)((x) + (row)))
#define MG_FROM(x, row) (*(const mg_lanes *)((x) + (row)))

/* No row reads what another wrote. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* where no vectors can be made */
#define MG_EACH(i, m)                               \
    _Pragma("clang loop vectorize(assume_safety)") \
    for (size_t i = 0; i < (m); i++)
#elif defined(__GNUC__)
#define MG_EACH(i, m) _Pragma("GCC ivdep") for (size_t i = 0; i < (m); i++)
#else
#define MG_EACH(i, m) for (size_t i = 0; i < (m); i++)
#endif

/* Row i of a block goes into partial sum i % 8, and this is the sum of these. */
#define MG_TOTAL(s) \
    ((((s)[0] + (s)[4]) + ((s)[2] + (s)[6])) + (((s)[1] + (s)[5]) + ((s)[3] + (s)[7])))

#if MG_LANES == 8
/* The same of a vector. */
MG_INLINE double total_of_lanes(const mg_lanes *s) {
    const mg_half *halves = (const mg_half *)s, half = halves[0] + halves[1];
    const mg_quarter *quarters = (const mg_quarter *)&half, quarter = quarters[0] + quarters[1];
    const double *sums = (const double *)&quarter;
    return sums[0] + sums[1];
}

/* Ones for the first n rows. */
MG_INLINE void mask_of_rows(size_t n, mg_mask *mask) {
    int64_t *rows = (int64_t *)mask;
    for (size_t i = 0; i < 8; i++) rows[i] = i < n ? -1 : 0;
}

#define MG_MASKED(x, mask) ((mg_lanes)((mg_mask)(x) & (mask)))
#endif

MG_NOINLINE double total_of_rows(size_t n, const double *x) {
    if (MG_ROWS == 1) return 0.0 + x[0];
#if MG_LANES == 8
    mg_lanes sum = {0};
    mg_mask mask;
    const size_t whole = n / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) sum = sum + MG_FROM(x, i);
    if (whole < n) {
        mask_of_rows(n - whole, &mask);
        sum = sum + MG_MASKED(MG_FROM(x, whole), mask);
    }
    return total_of_lanes(&sum);
#else
    double s[8] = {0};
    for (size_t i = 0; i < n; i++) s[i % 8] += x[i];
    return MG_TOTAL(s);
#endif
}

#define MG_TOTAL_OF_ROWS(n, x) (MG_ROWS == 1 ? 0.0 + (x)[0] : total_of_rows(n, x))

/* Up to m, which is a multiple of that, as compilers may know. */
#define MG_EACH_EIGHT(i, m) MG_EACH(i, MG_ROWS == 1 ? 1 : (m) / 8 * 8)

/* Columns of n rows become rows of numbers, behind each other. The last number is repeated up to m.
   Whether they were there. */
MG_NOINLINE int put_rows(
    size_t n, size_t m, size_t count, size_t columns, const double *rows, double *out) {
    uint64_t other = 0, a, b;
    if (MG_ROWS == 1) {
        other = memcmp(out, rows, count * sizeof *out) != 0;
        memcpy(out, rows, count * sizeof *out);
        return !other;
    }
    for (; count; count--, rows++, out += MG_ROWS) {
        for (size_t i = 0; i < n; i++) {
            memcpy(&a, rows + i * columns, sizeof a);
            memcpy(&b, out + i, sizeof b);
            other |= a ^ b;
            memcpy(out + i, &a, sizeof a);
        }
        for (size_t i = n; i < m; i++) out[i] = rows[(n - 1) * columns];
    }
    return !other;
}

/* Up to m, a row that is none weighs nothing. */
MG_NOINLINE void put_seeds(size_t n, size_t m, size_t columns, const double *seed, double *out) {
    for (size_t i = 0; i < m; i++) out[i] = i < n ? seed[i * columns] : 0.0;
}

MG_NOINLINE void take_rows(size_t n, size_t count, size_t columns, const double *x, double *out) {
    if (MG_ROWS == 1) {
        memcpy(out, x, count * sizeof *out);
        return;
    }
    for (; count; count--, x += MG_ROWS, out++)
        for (size_t i = 0; i < n; i++) out[i * columns] = x[i];
}

/* Parameters lie elsewhere: so many from one place on, and where they lie. */
typedef struct {
    unsigned first, place, count;
} mg_run;

MG_NOINLINE void put_parameters(
    size_t runs, const mg_run *run, const double *restrict parameters, double *restrict s) {
    for (; runs; runs--, run++)
        for (size_t i = 0; i < run->count; i++) s[run->place + i] = parameters[run->first + i];
}

MG_NOINLINE void add_gradients(
    size_t runs, const mg_run *run, const double *restrict ds, double *restrict parameter_grads) {
    for (; runs; runs--, run++)
        for (size_t i = 0; i < run->count; i++)
            parameter_grads[run->first + i] += ds[run->place + i];
}

/* Rows with what the first answers of quick.h leave open made up for: `count` times m of them. */
#define MG_ROWS_OF(name)                                                                        \
    MG_NOINLINE void rows_##name(size_t count, size_t m, const double *x, double *out) {        \
        if (MG_ROWS == 1) m = count, count = 1;                                                 \
        for (; count; count--, x += MG_ROWS, out += MG_ROWS) {                                  \
            int open = 0;                                                                       \
            MG_EACH(i, m) out[i] = quick_##name##_plain(x[i]);                                  \
            for (size_t i = 0; i < m; i++) open |= out[i] != out[i];                            \
            if (open)                                                                           \
                for (size_t i = 0; i < m; i++)                                                  \
                    if (out[i] != out[i]) out[i] = mg_##name(x[i]);                             \
        }                                                                                       \
    }

#define MG_ROWS_OF_POW                                                                          \
    MG_NOINLINE void rows_pow(size_t m, const double *x, const double *y, double *out) {        \
        int open = 0;                                                                           \
        MG_EACH(i, m) out[i] = quick_pow_plain(x[i], y[i]);                                     \
        for (size_t i = 0; i < m; i++) open |= out[i] != out[i];                                \
        if (open)                                                                               \
            for (size_t i = 0; i < m; i++)                                                      \
                if (out[i] != out[i]) out[i] = mg_pow(x[i], y[i]);                              \
    }

/* A layer: out[j] = ((start[j] + x[0] * w[j][0]) + x[1] * w[j][1]) + ... */
MG_NOINLINE void layer(
    size_t m, size_t inputs, size_t neurons, const double *x, const double *w, const double *start,
    size_t stride, double *out) {
    const size_t fours = neurons / 4 * 4;
    for (size_t j = 0; j < fours;
         j += 4, w += 4 * inputs, start += 4 * stride, out += 4 * MG_ROWS) {
        const double *w1 = w + inputs, *w2 = w1 + inputs, *w3 = w2 + inputs;
        const double s0 = start[0], s1 = start[stride];
        const double s2 = start[2 * stride], s3 = start[3 * stride];
        if (MG_ROWS == 1) {
            double a0 = s0, a1 = s1, a2 = s2, a3 = s3;
            for (size_t k = 0; k < inputs; k++) {
                a0 = a0 + x[k] * w[k];
                a1 = a1 + x[k] * w1[k];
                a2 = a2 + x[k] * w2[k];
                a3 = a3 + x[k] * w3[k];
            }
            out[0] = a0, out[1] = a1, out[2] = a2, out[3] = a3;
            continue;
        }
        for (size_t i = 0; i < m; i += MG_LANES) {
            const mg_lanes zero = {0};
            mg_lanes a0 = s0 - zero, a1 = s1 - zero, a2 = s2 - zero, a3 = s3 - zero;
            for (size_t k = 0; k < inputs; k++) {
                const mg_lanes a = MG_FROM(x, k * MG_ROWS + i);
                a0 = a0 + a * w[k];
                a1 = a1 + a * w1[k];
                a2 = a2 + a * w2[k];
                a3 = a3 + a * w3[k];
            }
            MG_AT(out, i) = a0;
            MG_AT(out, MG_ROWS + i) = a1;
            MG_AT(out, 2 * MG_ROWS + i) = a2;
            MG_AT(out, 3 * MG_ROWS + i) = a3;
        }
    }
    for (size_t j = fours; j < neurons; j++, w += inputs, start += stride, out += MG_ROWS) {
        if (MG_ROWS == 1) {
            double a = start[0];
            for (size_t k = 0; k < inputs; k++) a = a + x[k] * w[k];
            out[0] = a;
            continue;
        }
        for (size_t i = 0; i < m; i += MG_LANES) {
            const mg_lanes zero = {0};
            mg_lanes a = start[0] - zero;
            for (size_t k = 0; k < inputs; k++) a = a + MG_FROM(x, k * MG_ROWS + i) * w[k];
            MG_AT(out, i) = a;
        }
    }
}

/* What a layer adds to the gradients of its inputs: those of its results are g, the last first. */
MG_NOINLINE void layer_to_inputs(
    size_t m, size_t inputs, size_t neurons, int first, const double *w, const double *g,
    double *dx) {
    for (size_t k = 0; k < inputs / 4 * 4; k += 4, w += 4, dx += 4 * MG_ROWS)
        for (size_t i = 0; i < m; i += MG_LANES) {
            mg_lanes a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0};
            if (!first) {
                a0 = MG_AT(dx, i), a1 = MG_AT(dx, MG_ROWS + i);
                a2 = MG_AT(dx, 2 * MG_ROWS + i), a3 = MG_AT(dx, 3 * MG_ROWS + i);
            }
            for (size_t j = neurons; j--;) {
                const double *to = w + j * inputs;
                const mg_lanes a = MG_FROM(g, j * MG_ROWS + i);
                a0 = a0 + to[0] * a;
                a1 = a1 + to[1] * a;
                a2 = a2 + to[2] * a;
                a3 = a3 + to[3] * a;
            }
            MG_AT(dx, i) = a0;
            MG_AT(dx, MG_ROWS + i) = a1;
            MG_AT(dx, 2 * MG_ROWS + i) = a2;
            MG_AT(dx, 3 * MG_ROWS + i) = a3;
        }
    for (size_t k = inputs / 4 * 4; k < inputs; k++, w++, dx += MG_ROWS)
        for (size_t i = 0; i < m; i += MG_LANES) {
            mg_lanes a = {0};
            if (!first) a = MG_AT(dx, i);
            for (size_t j = neurons; j--;) a = a + w[j * inputs] * MG_FROM(g, j * MG_ROWS + i);
            MG_AT(dx, i) = a;
        }
}

/* What it adds to those of its weights: sums over the rows. */
MG_NOINLINE void layer_to_weights(
    size_t n, size_t inputs, size_t neurons, const double *x, const double *g, double *dw) {
#if MG_LANES == 8
    const size_t whole = n / 8 * 8;
    mg_mask mask;
    mask_of_rows(n - whole, &mask);
    for (; neurons; neurons--, g += MG_ROWS, dw += inputs) {
        const double *from = x;
        for (size_t k = 0; k < inputs / 4 * 4; k += 4, from += 4 * MG_ROWS) {
            const double *x1 = from + MG_ROWS, *x2 = x1 + MG_ROWS, *x3 = x2 + MG_ROWS;
            mg_lanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
            for (size_t i = 0; i < whole; i += 8) {
                const mg_lanes a = MG_FROM(g, i);
                s0 = s0 + MG_FROM(from, i) * a;
                s1 = s1 + MG_FROM(x1, i) * a;
                s2 = s2 + MG_FROM(x2, i) * a;
                s3 = s3 + MG_FROM(x3, i) * a;
            }
            if (whole < n) {
                const mg_lanes a = MG_FROM(g, whole);
                s0 = s0 + MG_MASKED(MG_FROM(from, whole) * a, mask);
                s1 = s1 + MG_MASKED(MG_FROM(x1, whole) * a, mask);
                s2 = s2 + MG_MASKED(MG_FROM(x2, whole) * a, mask);
                s3 = s3 + MG_MASKED(MG_FROM(x3, whole) * a, mask);
            }
            dw[k] += total_of_lanes(&s0);
            dw[k + 1] += total_of_lanes(&s1);
            dw[k + 2] += total_of_lanes(&s2);
            dw[k + 3] += total_of_lanes(&s3);
        }
        for (size_t k = inputs / 4 * 4; k < inputs; k++, from += MG_ROWS) {
            mg_lanes sum = {0};
            for (size_t i = 0; i < whole; i += 8) sum = sum + MG_FROM(from, i) * MG_FROM(g, i);
            if (whole < n)
                sum = sum + MG_MASKED(MG_FROM(from, whole) * MG_FROM(g, whole), mask);
            dw[k] += total_of_lanes(&sum);
        }
    }
#else
    for (; neurons; neurons--, g += MG_ROWS, dw += inputs)
        for (size_t k = 0; k < inputs; k++) {
            double s[8] = {0};
            for (size_t i = 0; i < n; i++) s[i % 8] += x[k * MG_ROWS + i] * g[i];
            dw[k] += MG_TOTAL(s);
        }
#endif
}

/* All that a layer passes on. `first` says that dx has nothing yet; dstart is NULL where its
   results start with a constant. */
MG_NOINLINE void layer_gradients(
    size_t m, size_t n, size_t inputs, size_t neurons, int first, const double *restrict x,
    const double *restrict w, const double *restrict g, double *restrict dx, double *restrict dw,
    double *restrict dstart) {
    for (size_t j = neurons; dstart && j--;) dstart[j] += total_of_rows(n, g + j * MG_ROWS);
    if (MG_ROWS == 1) {
        for (size_t k = 0; first && k < inputs; k++) dx[k] = 0.0;
        for (size_t j = neurons; j--;) {
            const double *restrict to = w + j * inputs;
            double *restrict dto = dw + j * inputs;
            MG_EACH(k, inputs) {
                dx[k] += to[k] * g[j];
                dto[k] += x[k] * g[j];
            }
        }
        return;
    }
    layer_to_inputs(m, inputs, neurons, first, w, g, dx);
    layer_to_weights(n, inputs, neurons, x, g, dw);
}

/* Sums of products of numbers that do not vary, by where they lie: a dot, and what it passes on. */
MG_NOINLINE double dot_of_numbers(
    size_t pairs, const unsigned *x, const unsigned *y, const double *s, double start) {
    for (size_t k = 0; k < pairs; k++) start = start + s[x[k]] * s[y[k]];
    return start;
}

MG_NOINLINE void dot_of_numbers_gradients(
    size_t pairs, const unsigned *x, const unsigned *y, const double *s, double g, double *ds) {
    while (pairs--) {
        ds[x[pairs]] += s[y[pairs]] * g;
        ds[y[pairs]] += s[x[pairs]] * g;
    }
}

/* A function has no reference to ask. */
#define UNDECIDED(exact, number, x, y) to_even(exact)

/* What lies as near to the middle of two doubles as 128 bits can tell: the even one of them. Of a
   power, that is right, if it lies in the very middle. */
static double to_even(wide x) {
    const wide little = scaled(x, x.exponent >= -1021 ? -61 : -8 - (x.exponent + 1074));
    double below = 0.0, above = 0.0;
    uint64_t bits;
    nearest_double(subtract(x, little), &below);
    nearest_double(add(x, little), &above);
    memcpy(&bits, &below, sizeof bits);
    return bits % 2 ? above : below;
}

#endif
