/* The loops of a Tape, compiled once for each kind of CPU, and the choice among them. */

#ifndef TARGET

#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(_MSC_VER)
#define restrict __restrict
#define INLINE static __forceinline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

/* As in engine.pxd. */
enum {
    LEAF, CUSTOM, LOCAL, ADD, SUB, MUL, DIV, MAX, POW, POWER, NEG, ABS, EXP, LOG, SQRT, SIN, COS, TANH,
    SIGMOID, RELU, DOT, SUM,
    DOT_SHARED, /* a DOT over pairs of a slot that varies and a shared one */
    DOT_SWAPPED /* the same, recorded with the shared one first */
};

#define FIRST(x, y) ((x) >= (y) || (x) != (x)) /* whether it is the larger one, or nan */

#define TREE(s) (((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])))

#define TARGET
#define NAME(name) name##_plain
#include "kernels.c"
#undef TARGET
#undef NAME

#if defined(__GNUC__) && defined(__x86_64__)
#define MANY_TARGETS

#define TARGET __attribute__((target("avx2")))
#define NAME(name) name##_avx2
#include "kernels.c"
#undef TARGET
#undef NAME

#define TARGET __attribute__((target("avx512f")))
#define NAME(name) name##_avx512
#include "kernels.c"
#undef TARGET
#undef NAME

#endif

void (*kernel_forward)(const Program *, const Block *, int) = forward_plain;
void (*kernel_backward)(const Program *, const Block *, int) = backward_plain;
double (*kernel_sum)(const double *, ptrdiff_t) = sum_rows_plain;

#define CHOOSE(target)                     \
    do {                                   \
        kernel_forward = forward_##target; \
        kernel_backward = backward_##target; \
        kernel_sum = sum_rows_##target;    \
        return #target;                    \
    } while (0)

const char *kernel_choose(const char *name) {
#ifdef MANY_TARGETS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && (!name || !strcmp(name, "avx512"))) CHOOSE(avx512);
    if (__builtin_cpu_supports("avx2") && (!name || !strcmp(name, "avx2"))) CHOOSE(avx2);
#endif
    if (!name || !strcmp(name, "plain")) CHOOSE(plain);
    return NULL;
}

#else /* The loops for one TARGET. */

#define EACH(statement) \
    for (ptrdiff_t i = 0; i < n; i++) statement

/* The sum of an expression of row i, in eight partial sums and then a tree. */
#define SUM_ROWS(total, expression)                                   \
    do {                                                              \
        double s[8] = {0};                                            \
        ptrdiff_t from = 0;                                           \
        for (; from + 8 <= n; from += 8)                              \
            for (ptrdiff_t k = 0; k < 8; k++) {                       \
                const ptrdiff_t i = from + k;                         \
                s[k] += (expression);                                 \
            }                                                         \
        for (ptrdiff_t i = from; i < n; i++) s[i - from] += (expression); \
        total = TREE(s);                                              \
    } while (0)

/* Add an expression of row i to an operand's gradient: row by row, or summed if it has only one.
   A NULL takes none. */
#define PASS(grad, varies, expression)                     \
    do {                                                   \
        double *restrict to = (grad);                      \
        if (!to) break;                                    \
        if (varies) {                                      \
            EACH(to[i] += (expression));                   \
        } else if (n == 1) {                               \
            const ptrdiff_t i = 0;                         \
            to[0] += (expression);                         \
        } else {                                           \
            double total;                                  \
            SUM_ROWS(total, expression);                   \
            to[0] += total;                                \
        }                                                  \
    } while (0)

TARGET static double NAME(sum_rows)(const double *x, ptrdiff_t n) {
    double total;
    SUM_ROWS(total, x[i]);
    return total;
}

TARGET INLINE double NAME(power)(double x, double k) {
    if (k == 1) return x;
    if (k == 2) return x * x;
    if (k == 3) return (x * x) * x;
    if (k == -1) return 1.0 / x;
    if (k == -2) return 1.0 / (x * x);
    return pow(x, k);
}

TARGET INLINE double NAME(sigmoid)(double x) {
    if (x >= 0) return 1.0 / (1.0 + exp(-x));
    const double e = exp(x);
    return e / (1.0 + e);
}

TARGET INLINE double NAME(sign)(double x) {
    return x > 0 ? 1.0 : x < 0 ? -1.0 : x == 0 ? 0.0 : x;
}

TARGET static void NAME(unary)(
    int op, const double *restrict x, double *restrict out, ptrdiff_t n) {
    switch (op) {
        case NEG: EACH(out[i] = -x[i]); break;
        case ABS: EACH(out[i] = fabs(x[i])); break;
        case EXP: EACH(out[i] = exp(x[i])); break;
        case LOG: EACH(out[i] = log(x[i])); break;
        case SQRT: EACH(out[i] = sqrt(x[i])); break;
        case SIN: EACH(out[i] = sin(x[i])); break;
        case COS: EACH(out[i] = cos(x[i])); break;
        case TANH: EACH(out[i] = tanh(x[i])); break;
        case SIGMOID: EACH(out[i] = NAME(sigmoid)(x[i])); break;
        case RELU: EACH(out[i] = x[i] <= 0 ? 0.0 : x[i]); break;
    }
}

TARGET static void NAME(unary_backward)(
    int op, const double *x, double *dx, const double *out, const double *g, ptrdiff_t n) {
    switch (op) {
        case NEG: PASS(dx, 1, -g[i]); break;
        case ABS: PASS(dx, 1, x[i] != 0 ? NAME(sign)(x[i]) * g[i] : 0.0); break;
        case EXP: PASS(dx, 1, out[i] * g[i]); break;
        case LOG: PASS(dx, 1, g[i] / x[i]); break;
        case SQRT: PASS(dx, 1, g[i] / (2.0 * out[i])); break;
        case SIN: PASS(dx, 1, cos(x[i]) * g[i]); break;
        case COS: PASS(dx, 1, -sin(x[i]) * g[i]); break;
        case TANH: PASS(dx, 1, (1.0 - out[i] * out[i]) * g[i]); break;
        case SIGMOID: PASS(dx, 1, out[i] * (1.0 - out[i]) * g[i]); break;
        case RELU: PASS(dx, 1, out[i] > 0 ? g[i] : 0.0); break;
    }
}

/* sx, sy: 1 for an operand that varies, 0 for a shared one; constants where this is inlined. */
TARGET INLINE void NAME(binary)(
    int op, const double *restrict x, const int sx, const double *restrict y, const int sy,
    double *restrict out, ptrdiff_t n) {
    switch (op) {
        case ADD: EACH(out[i] = x[sx * i] + y[sy * i]); break;
        case SUB: EACH(out[i] = x[sx * i] - y[sy * i]); break;
        case MUL: EACH(out[i] = x[sx * i] * y[sy * i]); break;
        case DIV: EACH(out[i] = x[sx * i] / y[sy * i]); break;
        case MAX: EACH(out[i] = FIRST(x[sx * i], y[sy * i]) ? x[sx * i] : y[sy * i]); break;
        case POW: EACH(out[i] = pow(x[sx * i], y[sy * i])); break;
        case POWER: {
            const double k = y[0];
            if (k == 2) EACH(out[i] = x[sx * i] * x[sx * i]);
            else if (k == 3) EACH(out[i] = (x[sx * i] * x[sx * i]) * x[sx * i]);
            else if (k == -1) EACH(out[i] = 1.0 / x[sx * i]);
            else EACH(out[i] = NAME(power)(x[sx * i], k));
            break;
        }
    }
}

TARGET INLINE void NAME(binary_backward)(
    int op, const double *x, double *dx, const int sx, const double *y, double *dy, const int sy,
    const double *out, const double *g, ptrdiff_t n) {
    switch (op) {
        case ADD:
            PASS(dx, sx, g[i]);
            PASS(dy, sy, g[i]);
            break;
        case SUB:
            PASS(dx, sx, g[i]);
            PASS(dy, sy, -g[i]);
            break;
        case MUL:
            PASS(dx, sx, y[sy * i] * g[i]);
            PASS(dy, sy, x[sx * i] * g[i]);
            break;
        case DIV:
            PASS(dx, sx, g[i] / y[sy * i]);
            PASS(dy, sy, -g[i] * (out[i] / y[sy * i]));
            break;
        case MAX:
            PASS(dx, sx, FIRST(x[sx * i], y[sy * i]) ? g[i] : 0.0);
            PASS(dy, sy, FIRST(x[sx * i], y[sy * i]) ? 0.0 : g[i]);
            break;
        case POW:
            PASS(dx, sx, y[sy * i] != 0 ? y[sy * i] * pow(x[sx * i], y[sy * i] - 1) * g[i] : 0.0);
            PASS(dy, sy,
                 x[sx * i] != 0 || !(y[sy * i] >= 0) ? out[i] * log(x[sx * i]) * g[i] : 0.0);
            break;
        case POWER:
            if (y[0] == 2) PASS(dx, sx, 2.0 * x[sx * i] * g[i]);
            else if (y[0] == 3) PASS(dx, sx, 3.0 * (x[sx * i] * x[sx * i]) * g[i]);
            else PASS(dx, sx, y[0] != 0 ? y[0] * NAME(power)(x[sx * i], y[0] - 1) * g[i] : 0.0);
            break;
    }
}

#define VALUE(slot) ((slot) >= 0 ? values + (slot)*stride : shared + ~(slot))
#define GRAD(slot)                             \
    ((slot) >= 0            ? b->grads + (slot)*stride \
     : ~(slot) >= p->constants ? b->shared_grads + ~(slot) \
                            : NULL)
#define VARIES(slot) ((slot) >= 0)

/* `width` rows at a time, their sums in registers. */
#define DOT_SHARED_ROWS(width)                                                       \
    for (; from + width <= n; from += width) {                                       \
        double sum[width];                                                           \
        for (int k = 0; k < width; k++) sum[k] = start[start_varies * (from + k)];   \
        for (const int32_t *pair = first; pair < end; pair += 2) {                   \
            const double *x = values + pair[0] * stride + from;                      \
            const double y = shared[~pair[1]];                                       \
            for (int k = 0; k < width; k++) sum[k] = sum[k] + x[k] * y;              \
        }                                                                            \
        for (int k = 0; k < width; k++) out[from + k] = sum[k];                      \
    }

/* A dot over pairs of a slot that varies and a shared one, as in a layer of a network. */
TARGET static void NAME(dot_shared)(
    const Program *p, const Block *b, const Instruction *in, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const double *restrict values = b->values, *restrict shared = b->shared;
    const double *start = VALUE(in->x);
    const int start_varies = VARIES(in->x);
    const int32_t *first = p->terms + in->y, *end = first + 2 * in->count;
    double *restrict out = b->values + in->out * stride;
    ptrdiff_t from = 0;
    DOT_SHARED_ROWS(16)
    DOT_SHARED_ROWS(4)
    DOT_SHARED_ROWS(1)
}

TARGET static void NAME(dot)(
    const Program *p, const Block *b, const Instruction *in, double *restrict out, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const double *values = b->values, *shared = b->shared;
    const double *start = VALUE(in->x);
    const int32_t *pair = p->terms + in->y, *end = pair + 2 * in->count;
    if (n == 1) {
        double sum = start[0];
        for (; pair < end; pair += 2) sum = sum + *VALUE(pair[0]) * *VALUE(pair[1]);
        out[0] = sum;
        return;
    }
    if (VARIES(in->x)) EACH(out[i] = start[i]);
    else EACH(out[i] = start[0]);
    for (; pair < end; pair += 2) {
        const double *x = VALUE(pair[0]), *y = VALUE(pair[1]);
        if (VARIES(pair[0]) && VARIES(pair[1])) EACH(out[i] = out[i] + x[i] * y[i]);
        else if (VARIES(pair[0])) EACH(out[i] = out[i] + x[i] * y[0]);
        else if (VARIES(pair[1])) EACH(out[i] = out[i] + x[0] * y[i]);
        else EACH(out[i] = out[i] + x[0] * y[0]);
    }
}

TARGET INLINE void NAME(pair_backward)(
    const Program *p, const Block *b, const int32_t *pair, const double *g, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const double *values = b->values, *shared = b->shared;
    const double *x = VALUE(pair[0]), *y = VALUE(pair[1]);
    double *dx = GRAD(pair[0]), *dy = GRAD(pair[1]);
    const int vx = VARIES(pair[0]), vy = VARIES(pair[1]);
    if (n == 1) {
        const double a = x[0], c = y[0];
        if (dx) dx[0] += c * g[0];
        if (dy) dy[0] += a * g[0];
    } else if (vx && vy) {
        PASS(dx, 1, y[i] * g[i]);
        PASS(dy, 1, x[i] * g[i]);
    } else if (vx && dy) {
        /* Both at once: g and x are read once. */
        double *restrict to = dx;
        const double w = y[0];
        double s[8] = {0};
        ptrdiff_t from = 0;
        for (; from + 8 <= n; from += 8)
            for (ptrdiff_t k = 0; k < 8; k++) {
                s[k] += x[from + k] * g[from + k];
                to[from + k] += w * g[from + k];
            }
        for (ptrdiff_t i = from; i < n; i++) {
            s[i - from] += x[i] * g[i];
            to[i] += w * g[i];
        }
        dy[0] += TREE(s);
    } else {
        PASS(dx, vx, y[vy * i] * g[i]);
        PASS(dy, vy, x[vx * i] * g[i]);
    }
}

TARGET static void NAME(dot_backward)(
    const Program *p, const Block *b, const Instruction *in, const double *g, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const int32_t *first = p->terms + in->y, *pair = first + 2 * in->count;
    const int start_varies = VARIES(in->x) || in->out < 0;
    if (n == 1 && in->op >= DOT_SHARED) { /* the same, without a look at what each operand is */
        const double *values = b->values, *shared = b->shared;
        double *grads = b->grads, *shared_grads = b->shared_grads;
        const double g0 = g[0];
        const int32_t constants = p->constants;
        while (pair > first + 2) {
            pair -= 2;
            const ptrdiff_t x = pair[0] * stride, y = ~pair[1];
            const double a = values[x], c = shared[y];
            grads[x] += c * g0;
            if (y >= constants) shared_grads[y] += a * g0;
        }
    }
    while (pair > first + 2) {
        pair -= 2;
        NAME(pair_backward)(p, b, pair, g, n);
    }
    PASS(GRAD(in->x), start_varies, g[i]);
    if (in->count) NAME(pair_backward)(p, b, first, g, n);
}

TARGET static void NAME(sum)(
    const Program *p, const Block *b, const Instruction *in, double *restrict out, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const double *values = b->values, *shared = b->shared;
    const int32_t *term = p->terms + in->y, *end = term + in->count;
    const double *x = VALUE(*term);
    if (VARIES(*term) || n == 1) EACH(out[i] = x[i]);
    else EACH(out[i] = x[0]);
    while (++term < end) {
        x = VALUE(*term);
        if (VARIES(*term) || n == 1) EACH(out[i] = out[i] + x[i]);
        else EACH(out[i] = out[i] + x[0]);
    }
}

TARGET static void NAME(sum_backward)(
    const Program *p, const Block *b, const Instruction *in, const double *g, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const int32_t *first = p->terms + in->y, *term = first + in->count;
    while (term-- > first) PASS(GRAD(*term), VARIES(*term) || n == 1, g[i]);
}

TARGET static void NAME(forward)(const Program *p, const Block *b, int varying) {
    const ptrdiff_t stride = b->stride, n = varying ? b->rows : 1;
    double *values = b->values, *shared = b->shared;
    for (const Instruction *in = p->code; in < p->code + p->length; in++) {
        if (VARIES(in->out) != varying) continue;
        double *out = VALUE(in->out);
        if (in->op >= DOT_SHARED) {
            NAME(dot_shared)(p, b, in, n);
        } else if (in->op == DOT) {
            NAME(dot)(p, b, in, out, n);
        } else if (in->op == SUM) {
            NAME(sum)(p, b, in, out, n);
        } else if (in->op >= NEG) {
            NAME(unary)(in->op, VALUE(in->x), out, n);
        } else {
            const double *x = VALUE(in->x), *y = VALUE(in->y);
            if (n == 1 || (VARIES(in->x) && VARIES(in->y)))
                NAME(binary)(in->op, x, 1, y, 1, out, n);
            else if (VARIES(in->x)) NAME(binary)(in->op, x, 1, y, 0, out, n);
            else NAME(binary)(in->op, x, 0, y, 1, out, n);
        }
    }
}

TARGET static void NAME(backward)(const Program *p, const Block *b, int last) {
    const ptrdiff_t stride = b->stride;
    double *values = b->values, *shared = b->shared;
    for (const Instruction *in = p->code + p->length; in-- > p->code;) {
        if (!VARIES(in->out) && !last) continue;
        const ptrdiff_t n = VARIES(in->out) ? b->rows : 1;
        const double *out = VALUE(in->out), *g = GRAD(in->out);
        if (in->op == DOT || in->op >= DOT_SHARED) {
            NAME(dot_backward)(p, b, in, g, n);
        } else if (in->op == SUM) {
            NAME(sum_backward)(p, b, in, g, n);
        } else if (in->op >= NEG) {
            NAME(unary_backward)(in->op, VALUE(in->x), GRAD(in->x), out, g, n);
        } else {
            const double *x = VALUE(in->x), *y = VALUE(in->y);
            double *dx = GRAD(in->x), *dy = in->op == POWER ? NULL : GRAD(in->y);
            if (n == 1 || (VARIES(in->x) && VARIES(in->y)))
                NAME(binary_backward)(in->op, x, dx, 1, y, dy, 1, out, g, n);
            else if (VARIES(in->x))
                NAME(binary_backward)(in->op, x, dx, 1, y, dy, 0, out, g, n);
            else
                NAME(binary_backward)(in->op, x, dx, 0, y, dy, 1, out, g, n);
        }
    }
}

#undef EACH
#undef SUM_ROWS
#undef PASS
#undef VALUE
#undef GRAD
#undef VARIES
#undef DOT_SHARED_ROWS

#endif
