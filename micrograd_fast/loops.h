/* The loops of a Tape, for one kind of CPU: kernels.c includes them once for each, with
   TARGET, what the compiler must know of it, and NAME, its name behind that of a function. */

#include "quick.h"

#define EACH(statement) \
    INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) statement

/* The sum of an expression of row i, in eight partial sums and then a tree. */
#define SUM_ROWS(total, expression)                                   \
    do {                                                              \
        double s[8] = {0};                                            \
        ptrdiff_t from = 0;                                           \
        for (; from + 8 <= n; from += 8)                              \
            for (ptrdiff_t j = 0; j < 8; j++) {                       \
                const ptrdiff_t i = from + j;                         \
                (void)i;                                              \
                s[j] += (expression);                                 \
            }                                                         \
        for (ptrdiff_t i = from; i < n; i++) s[i - from] += (expression); \
        total = TREE(s);                                              \
    } while (0)

/* Add an expression of row i to the gradient of a slot: row by row, or summed if it has only
   one. */
#define PASS(slot, varies, expression)                     \
    do {                                                   \
        double *restrict to = GRAD(slot);                  \
        if (!to) break;                                    \
        if (varies) {                                      \
            const double *from = sum_so_far(b, slot, to);  \
            EACH(to[i] = from[i] + (expression));          \
        } else if (n == 1) {                               \
            const ptrdiff_t i = 0;                         \
            (void)i;                                       \
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

TARGET static int NAME(any_nan)(const double *x, ptrdiff_t n) {
    int64_t any = 0;
    for (ptrdiff_t i = 0; i < n; i++) any |= isnan(x[i]) != 0;
    return any != 0;
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

TARGET MG_INLINE void NAME(pair_backward)(
    const Program *p, const Block *b, const int32_t *pair, const double *g, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const double *values = b->values, *shared = b->shared;
    double *grads = b->grads, *shared_grads = b->shared_grads;
    const double *x = VALUE(pair[0]), *y = VALUE(pair[1]);
    const int vx = VARIES(pair[0]), vy = VARIES(pair[1]);
    if (n == 1) {
        double *dx = GRAD(pair[0]), *dy = GRAD(pair[1]);
        const double a = x[0], c = y[0];
        if (dx) dx[0] += c * g[0];
        if (dy) dy[0] += a * g[0];
    } else if (vx && vy) {
        PASS(pair[0], 1, y[i] * g[i]);
        PASS(pair[1], 1, x[i] * g[i]);
    } else {
        PASS(pair[0], vx, y[vy * i] * g[i]);
        PASS(pair[1], vy, x[vx * i] * g[i]);
    }
}

TARGET static void NAME(dot_backward)(
    const Program *p, const Block *b, const Instruction *in, const double *g, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const int32_t *first = p->terms + in->y, *pair = first + 2 * in->count;
    const int start_varies = VARIES(in->x) || in->out < 0;
    double *grads = b->grads, *shared_grads = b->shared_grads;
    while (pair > first + 2) {
        pair -= 2;
        NAME(pair_backward)(p, b, pair, g, n);
    }
    PASS(in->x, start_varies, g[i]);
    if (in->count) NAME(pair_backward)(p, b, first, g, n);
}

TARGET MG_INLINE void NAME(add_up)(
    const Program *p, const Block *b, const Instruction *in, double *restrict out, ptrdiff_t n,
    const int squares) {
    const ptrdiff_t stride = b->stride;
    const double *values = b->values, *shared = b->shared;
    const int32_t *term = p->terms + in->y, *end = term + in->count;
    const double *x = VALUE(*term);
    if (VARIES(*term) || n == 1) EACH(out[i] = x[i]);
    else EACH(out[i] = x[0]);
    while (++term < end) {
        x = VALUE(*term);
        if (VARIES(*term) || n == 1) EACH(out[i] = out[i] + (squares ? x[i] * x[i] : x[i]));
        else EACH(out[i] = out[i] + (squares ? x[0] * x[0] : x[0]));
    }
}

TARGET static void NAME(sum)(
    const Program *p, const Block *b, const Instruction *in, double *restrict out, ptrdiff_t n) {
    NAME(add_up)(p, b, in, out, n, 0);
}

TARGET static void NAME(norm)(
    const Program *p, const Block *b, const Instruction *in, double *restrict out, ptrdiff_t n) {
    NAME(add_up)(p, b, in, out, n, 1);
    EACH(out[i] = mg_sqrt(out[i]));
}

TARGET static void NAME(sum_backward)(
    const Program *p, const Block *b, const Instruction *in, const double *g, ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const int32_t *first = p->terms + in->y, *term = first + in->count;
    double *grads = b->grads, *shared_grads = b->shared_grads;
    while (term-- > first) PASS(*term, VARIES(*term) || n == 1, g[i]);
}

TARGET static void NAME(norm_backward)(
    const Program *p, const Block *b, const Instruction *in, const double *out, const double *g,
    ptrdiff_t n) {
    const ptrdiff_t stride = b->stride;
    const int32_t *term = p->terms + in->y, *end = term + in->count;
    const double *values = b->values, *shared = b->shared;
    double *grads = b->grads, *shared_grads = b->shared_grads;
    double length[BLOCK], passed[BLOCK];
    EACH(length[i] = mg_length(out[i]));
    EACH(passed[i] = mg_passed_by_norm(out[i], g[i]));
    PASS(*term, VARIES(*term), passed[i] / (2.0 * length[i]));
    while (++term < end) {
        const double *x = VALUE(*term);
        const int varies = VARIES(*term);
        PASS(*term, varies, x[varies * i] / length[i] * passed[i]);
    }
}

TARGET MG_INLINE double NAME(quick_power)(int is_known, double x, double k) {
    if (is_known && k == 1) return x;
    if (is_known && k == 2) return x * x;
    if (is_known && k == 3) return NAME(quick_cube)(x);
    if (is_known && k == -1) return mg_divide(1.0, x);
    return NAME(quick_pow)(x, k);
}

/* What a formula of the table calls its operands, its result and its gradient. The stride of an
   operand that varies is 1, of another 0: a constant wherever that makes a loop faster. */
#define a x[sx * i]
#define b y[sy * i]
#define c z[sz * i]
#define out result[i]
#define g grad[i]

/* In a loop, a function is its first answer, and nan stands for one that this leaves open: there
   the formula is computed again, with care. Whether a formula has a function is seen in its text,
   by the compiler, but for the powers that are exact without one. Where no fused multiply-add makes
   the first answers short, the whole functions are quicker: they look into tables. */
#ifdef HAS_FMA
#define mg_exp NAME(quick_exp)
#define mg_expm1 NAME(quick_expm1)
#define mg_log NAME(quick_log)
#define mg_log1p NAME(quick_log1p)
#define mg_sin NAME(quick_sin)
#define mg_cos NAME(quick_cos)
#define mg_atan NAME(quick_atan)
#define mg_tanh NAME(quick_tanh)
#define mg_sigmoid NAME(quick_sigmoid)
#define mg_softplus NAME(quick_softplus)
#define mg_erf NAME(quick_erf)
#define mg_pow NAME(quick_pow)
#define mg_power(x, k) NAME(quick_power)(is_known, x, k)
#endif
#define TEXT(...) #__VA_ARGS__
#define MAY_BE_OPEN(...) (strstr(TEXT(__VA_ARGS__), "quick_") && !is_exact)

/* By way of an array: for AVX2 and a condition of two comparisons, GCC 12 gives half of the rows of
   SUM_ROWS the condition of the other half. */
#define PASS_ROWS(which, to, slot, varies, expression)                                   \
    do {                                                                                 \
        double *restrict grads_of = (to);                                                \
        const int open = MAY_BE_OPEN(expression);                                        \
        if (!grads_of) break;                                                            \
        const double *from = sum_so_far(block, slot, grads_of);                          \
        if (varies && !open) {                                                           \
            EACH(grads_of[i] = from[i] + (expression));                                  \
        } else {                                                                         \
            double terms[BLOCK];                                                         \
            EACH(terms[i] = (expression));                                               \
            if (open && NAME(any_nan)(terms, n))                                         \
                for (ptrdiff_t i = 0; i < n; i++)                                        \
                    if (isnan(terms[i]))                                                 \
                        terms[i] = careful_gradient(in->op, which, g, out, a, b, c, k);  \
            if (varies) EACH(grads_of[i] = from[i] + terms[i]);                          \
            else grads_of[0] += NAME(sum_rows)(terms, n);                                \
        }                                                                                \
    } while (0)
#define TO_A(gradient) PASS_ROWS(0, dx, slot_of_x, sx, gradient);
#define TO_B(gradient) PASS_ROWS(1, dy, slot_of_y, sy, gradient);
#define TO_C(gradient) PASS_ROWS(2, dz, slot_of_z, sz, gradient);

#define RUN(value, gradients)                                                 \
    do {                                                                      \
        if (backward) { gradients }                                           \
        else {                                                                \
            EACH(out = value);                                                \
            if (MAY_BE_OPEN(value) && NAME(any_nan)(result, n))               \
                for (ptrdiff_t i = 0; i < n; i++)                             \
                    if (isnan(out)) out = careful_value(in->op, a, b, c, k);  \
        }                                                                     \
    } while (0)

#define OPERAND(x, dx, vx, slot)                     \
    const int32_t slot_of_##x = (slot);              \
    const double *restrict x = VALUE(slot);          \
    double *const dx = backward ? GRAD(slot) : NULL; \
    const int vx = VARIES(slot);                     \
    (void)slot_of_##x, (void)dx, (void)vx

#define ROW_1(op, value, gradients)                                                      \
    {                                                                                    \
        OPERAND(x, dx, vx, in->x);                                                       \
        const double *const y = x, *const z = x;                                         \
        const int sx = 1, sy = 1, sz = 1;                                                \
        const double power = op == MG_POWER ? shared[~in->y] : 0;                        \
        (void)y, (void)z, (void)sy, (void)sz;                                            \
        if (op == MG_POWER && power == 2) RUN_POWER(2, 1, value, gradients);             \
        else if (op == MG_POWER && power == 3) RUN_POWER(3, 1, value, gradients);        \
        else if (op == MG_POWER && power == -1) RUN_POWER(-1, 1, value, gradients);      \
        else RUN_POWER(power, 0, value, gradients);                                      \
    }

#define RUN_POWER(exponent, known, value, gradients)    \
    do {                                                \
        const double k = exponent;                      \
        const int is_known = known; /* to the compiler */ \
        const int is_exact = known && (k == 2 || k == (backward ? 3 : -1)); \
        (void)k, (void)is_known, (void)is_exact;        \
        RUN(value, gradients);                          \
    } while (0)

#define ROW_2(op, value, gradients)                                        \
    {                                                                      \
        OPERAND(x, dx, vx, in->x);                                         \
        OPERAND(y, dy, vy, in->y);                                         \
        const double *const z = x;                                         \
        const double k = 0;                                                \
        const int sz = 0, is_exact = 0;                                    \
        (void)z, (void)sz, (void)k, (void)is_exact;                        \
        if (vx && vy) { const int sx = 1, sy = 1; RUN(value, gradients); } \
        else if (vx) { const int sx = 1, sy = 0; RUN(value, gradients); }  \
        else { const int sx = 0, sy = 1; RUN(value, gradients); }          \
    }

#define ROW_3(op, value, gradients)                                                      \
    {                                                                                    \
        OPERAND(x, dx, vx, in->x);                                                       \
        OPERAND(y, dy, vy, p->terms[in->y]);                                             \
        OPERAND(z, dz, vz, p->terms[in->y + 1]);                                         \
        const double k = 0;                                                              \
        const int is_exact = 0;                                                          \
        (void)k, (void)is_exact;                                                         \
        if (vx && vy && vz) { const int sx = 1, sy = 1, sz = 1; RUN(value, gradients); } \
        else { const int sx = vx, sy = vy, sz = vz; RUN(value, gradients); }             \
    }

#define ROW(number, name, arity, value, gradients) \
    case MG_##number: ROW_##arity(MG_##number, value, gradients) break;
#define LOOP(number, name, arity) /* has its own code */

/* An instruction that has a row in the table. */
TARGET MG_INLINE void NAME(row)(
    const int backward, const Program *p, const Block *block, const Instruction *in,
    double *restrict result, const double *restrict grad, ptrdiff_t n) {
    const ptrdiff_t stride = block->stride;
    double *values = block->values, *shared = block->shared;
    double *grads = block->grads, *shared_grads = block->shared_grads;
    switch (in->op) { MG_OPERATIONS(ROW, LOOP) }
}

#undef a
#undef b
#undef c
#undef out
#undef g
#undef mg_exp
#undef mg_expm1
#undef mg_log
#undef mg_log1p
#undef mg_sin
#undef mg_cos
#undef mg_atan
#undef mg_tanh
#undef mg_sigmoid
#undef mg_softplus
#undef mg_erf
#undef mg_pow
#undef mg_power
#undef TEXT
#undef MAY_BE_OPEN
#undef PASS_ROWS
#undef TO_A
#undef TO_B
#undef TO_C
#undef RUN
#undef RUN_POWER
#undef OPERAND
#undef ROW_1
#undef ROW_2
#undef ROW_3
#undef ROW
#undef LOOP

#include "layers.h"

/* A single row of inputs, or what depends on none: without loops over rows. */

#define READ_1 READ(a, slot_of_a, in->x)
#define READ_2 READ_1 READ(b, slot_of_b, in->y)
#define READ_3 READ_1 READ(b, slot_of_b, p->terms[in->y]) READ(c, slot_of_c, p->terms[in->y + 1])
#define READ(name, slot_of, slot)         \
    const int32_t slot_of = (slot);       \
    const double name = *VALUE(slot_of);  \
    (void)name;
#define READ_K const double k = in->op == MG_POWER ? shared[~in->y] : 0; (void)k;
#define LOOP(number, name, arity) /* has its own code */

TARGET static void NAME(forward_once)(const Program *p, const Block *block, int varying) {
    const ptrdiff_t stride = block->stride;
    double *values = block->values, *shared = block->shared;
    for (const Instruction *in = p->code; in < p->code + p->length; in++) {
        if (VARIES(in->out) != varying) continue;
        double *const result = VALUE(in->out);
        switch (in->op) {
#define ROW(number, name, arity, value, gradients) \
    case MG_##number: { READ_##arity READ_K *result = value; break; }
            MG_OPERATIONS(ROW, LOOP)
#undef ROW
            case MG_LAYER: NAME(layer_of_row)(p, block, in); break;
            case MG_SUM: NAME(sum)(p, block, in, result, 1); break;
            case MG_NORM: NAME(norm)(p, block, in, result, 1); break;
            default: NAME(dot)(p, block, in, result, 1);
        }
    }
}

TARGET MG_INLINE void NAME(step_once)(const Program *p, const Block *block, const Instruction *in) {
    const ptrdiff_t stride = block->stride;
    double *values = block->values, *shared = block->shared;
    double *grads = block->grads, *shared_grads = block->shared_grads;
    const double out = *VALUE(in->out), g = *GRAD(in->out);
    double *to;
    (void)out;
    switch (in->op) {
#define TO_A(gradient) if ((to = GRAD(slot_of_a))) *to += (gradient);
#define TO_B(gradient) if ((to = GRAD(slot_of_b))) *to += (gradient);
#define TO_C(gradient) if ((to = GRAD(slot_of_c))) *to += (gradient);
#define ROW(number, name, arity, value, gradients) \
    case MG_##number: { READ_##arity READ_K gradients break; }
        MG_OPERATIONS(ROW, LOOP)
#undef ROW
#undef TO_A
#undef TO_B
#undef TO_C
        case MG_LAYER: NAME(layer_of_row_backward)(p, block, in); break;
        case MG_SUM: NAME(sum_backward)(p, block, in, &g, 1); break;
        case MG_NORM: NAME(norm_backward)(p, block, in, &out, &g, 1); break;
        default: NAME(dot_backward)(p, block, in, &g, 1);
    }
}

#undef READ_1
#undef READ_2
#undef READ_3
#undef READ_K
#undef READ
#undef LOOP

TARGET static void NAME(forward)(const Program *p, const Block *b, int varying) {
    const ptrdiff_t stride = b->stride, n = b->rows;
    double *values = b->values, *shared = b->shared;
    if (!varying || n == 1) {
        NAME(forward_once)(p, b, varying);
        return;
    }
    for (const Instruction *in = p->code; in < p->code + p->length; in++) {
        if (!VARIES(in->out)) continue;
        switch (in->op) {
            case MG_LAYER: NAME(layer)(p, b, in); break;
            case MG_DOT_SHARED:
            case MG_DOT_SWAPPED:
            case MG_DOT: NAME(dot)(p, b, in, VALUE(in->out), n); break;
            case MG_SUM: NAME(sum)(p, b, in, VALUE(in->out), n); break;
            case MG_NORM: NAME(norm)(p, b, in, VALUE(in->out), n); break;
            default: NAME(row)(0, p, b, in, VALUE(in->out), NULL, n);
        }
    }
}

TARGET static void NAME(backward)(const Program *p, const Block *b, int last) {
    const ptrdiff_t stride = b->stride, n = b->rows;
    double *values = b->values, *shared = b->shared;
    double *grads = b->grads, *shared_grads = b->shared_grads;
    for (const Instruction *in = p->code + p->length; in-- > p->code;) {
        if (!VARIES(in->out) || n == 1) {
            if (VARIES(in->out) || last) NAME(step_once)(p, b, in);
            continue;
        }
        if (in->op != MG_LAYER) set_unset(b, in->out);
        switch (in->op) {
            case MG_LAYER: NAME(layer_backward)(p, b, in); break;
            case MG_DOT_SHARED:
            case MG_DOT_SWAPPED:
            case MG_DOT: NAME(dot_backward)(p, b, in, GRAD(in->out), n); break;
            case MG_SUM: NAME(sum_backward)(p, b, in, GRAD(in->out), n); break;
            case MG_NORM:
                NAME(norm_backward)(p, b, in, VALUE(in->out), GRAD(in->out), n);
                break;
            default: NAME(row)(1, p, b, in, VALUE(in->out), GRAD(in->out), n);
        }
    }
}

#include "rows.h"

static const Kernels NAME(kernels) = {
    NAME(forward), NAME(backward), NAME(load_rows), NAME(is_loaded), NAME(store_outputs),
    NAME(sow), NAME(store_gradient),
};

#undef SHUFFLE
#undef EACH
#undef SUM_ROWS
#undef PASS
