/* The loops of a layer, for one kind of CPU: dots over the same slots, each with weights of its
   own, that layers.pxi found to be one instruction.

   The slots of a layer stand in p->layers, from in->y on: those of its inputs, in->x of them; and
   for each neuron that of its result, that of its start, whether its weights are consecutive, and
   its weights, which are indices of what is shared. No gradient goes to a slot twice, so only the
   order of the neurons matters: last to first.

   All sums are kept in registers, as vectors of LANES rows. Rows beyond the last are computed with
   the others, up to a multiple of 8, for which a slot has the room; what is there is never read but
   by them, and no sum over rows takes it in. */

#if defined(__GNUC__)
typedef double NAME(Lanes) __attribute__((vector_size(8 * LANES)));
typedef int64_t NAME(Masks) __attribute__((vector_size(8 * LANES)));
#else
typedef double NAME(Lanes);
typedef int64_t NAME(Masks);
#endif

TARGET MG_INLINE NAME(Lanes) NAME(load)(const void *x) {
    NAME(Lanes) out;
    memcpy(&out, x, sizeof out);
    return out;
}

TARGET MG_INLINE void NAME(store)(void *to, NAME(Lanes) x) { memcpy(to, &x, sizeof x); }

/* x where the mask is -1, 0.0 where it is 0. */
TARGET MG_INLINE NAME(Lanes) NAME(masked)(NAME(Lanes) x, const int64_t *mask) {
    NAME(Masks) bits, kept;
    memcpy(&bits, &x, sizeof x);
    memcpy(&kept, mask, sizeof kept);
    bits &= kept;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Up to four results for each row: a start, and then for each term the value of a slot times what
   is shared. */
typedef struct {
    const double *source, *shared;
    ptrdiff_t stride;
    const int32_t *slot;   /* of the first term */
    const int32_t *weight; /* of the first term, for the first result */
    ptrdiff_t to_slot, to_weight, to_result; /* steps to the next ones */
    ptrdiff_t terms;
    const double *start[4];
    int start_varies[4];
    double *out[4];
} NAME(Sums);

/* For rows from `from` on, as long as there are so many vectors of them; where it stopped. */
TARGET MG_INLINE ptrdiff_t NAME(add_terms)(
    const int results, const int vectors, const NAME(Sums) *c, ptrdiff_t from, ptrdiff_t n) {
    const ptrdiff_t stride = c->stride, to_slot = c->to_slot, to_weight = c->to_weight;
    const NAME(Lanes) zero = {0};
    for (; from + vectors * LANES <= n; from += vectors * LANES) {
        NAME(Lanes) sum[4][4];
        const int32_t *slot = c->slot, *weight[4];
        for (int k = 0; k < results; k++) {
            weight[k] = c->weight + k * c->to_result;
            for (int v = 0; v < vectors; v++)
                sum[k][v] = c->start_varies[k] ? NAME(load)(c->start[k] + from + v * LANES)
                                               : c->start[k][0] - zero;
        }
        for (ptrdiff_t left = c->terms; left > 0; left--) {
            const double *x = c->source + *slot * stride + from;
            for (int k = 0; k < results; k++) {
                const double w = c->shared[*weight[k]];
                for (int v = 0; v < vectors; v++)
                    sum[k][v] = sum[k][v] + NAME(load)(x + v * LANES) * w;
                weight[k] += to_weight;
            }
            slot += to_slot;
        }
        for (int k = 0; k < results; k++)
            for (int v = 0; v < vectors; v++)
                NAME(store)(c->out[k] + from + v * LANES, sum[k][v]);
    }
    return from;
}

/* Eight chains of additions, or four, hide how long each addition takes. */
TARGET MG_NOINLINE void NAME(four_sums)(const NAME(Sums) *c, ptrdiff_t n) {
    NAME(add_terms)(4, 1, c, NAME(add_terms)(4, 2, c, 0, n), n);
}

TARGET MG_NOINLINE void NAME(one_sum)(const NAME(Sums) *c, ptrdiff_t n) {
    NAME(add_terms)(1, 1, c, NAME(add_terms)(1, 4, c, 0, n), n);
}

/* From two vectors, the lanes that Lanes(INDICES) of them name, counted through both. */
#if LANES == 1
#elif defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLE(x, y, ...) __builtin_shuffle(x, y, (NAME(Masks)){__VA_ARGS__})
#endif

/* The trees of as many sums as a vector has lanes, each of eight partial sums. */
TARGET MG_INLINE NAME(Lanes) NAME(trees)(NAME(Lanes) s[LANES][8 / LANES]) {
#if LANES == 8
    NAME(Lanes) fours[4], twos[2];
    for (int k = 0; k < 4; k++)
        fours[k] = SHUFFLE(s[2 * k][0], s[2 * k + 1][0], 0, 1, 2, 3, 8, 9, 10, 11) +
                   SHUFFLE(s[2 * k][0], s[2 * k + 1][0], 4, 5, 6, 7, 12, 13, 14, 15);
    for (int k = 0; k < 2; k++)
        twos[k] = SHUFFLE(fours[2 * k], fours[2 * k + 1], 0, 1, 4, 5, 8, 9, 12, 13) +
                  SHUFFLE(fours[2 * k], fours[2 * k + 1], 2, 3, 6, 7, 10, 11, 14, 15);
    return SHUFFLE(twos[0], twos[1], 0, 2, 4, 6, 8, 10, 12, 14) +
           SHUFFLE(twos[0], twos[1], 1, 3, 5, 7, 9, 11, 13, 15);
#elif LANES == 4
    NAME(Lanes) fours[4], twos[2];
    for (int k = 0; k < 4; k++) fours[k] = s[k][0] + s[k][1];
    for (int k = 0; k < 2; k++)
        twos[k] = SHUFFLE(fours[2 * k], fours[2 * k + 1], 0, 1, 4, 5) +
                  SHUFFLE(fours[2 * k], fours[2 * k + 1], 2, 3, 6, 7);
    return SHUFFLE(twos[0], twos[1], 0, 2, 4, 6) + SHUFFLE(twos[0], twos[1], 1, 3, 5, 7);
#elif LANES == 2
    NAME(Lanes) twos[2];
    for (int k = 0; k < 2; k++) twos[k] = (s[k][0] + s[k][2]) + (s[k][1] + s[k][3]);
    return SHUFFLE(twos[0], twos[1], 0, 2) + SHUFFLE(twos[0], twos[1], 1, 3);
#else
    return TREE(s[0]);
#endif
}

/* The sums over rows of as many products as a vector has lanes, each in eight partial sums. */
TARGET MG_INLINE NAME(Lanes) NAME(sum_products)(
    const int one_g, const double *const *x, const double *const *g, ptrdiff_t n) {
    enum { VECTORS = 8 / LANES };
    const int64_t *mask = below + 8 - n % 8;
    NAME(Lanes) sum[LANES][VECTORS];
    ptrdiff_t from = 0;
    for (int k = 0; k < LANES; k++)
        for (int v = 0; v < VECTORS; v++) sum[k][v] = (NAME(Lanes)){0};
    for (; from + 8 <= n; from += 8)
        for (int k = 0; k < LANES; k++)
            for (int v = 0; v < VECTORS; v++)
                sum[k][v] = sum[k][v] + NAME(load)(x[k] + from + v * LANES) *
                                            NAME(load)(g[one_g ? 0 : k] + from + v * LANES);
    if (from < n)
        for (int k = 0; k < LANES; k++)
            for (int v = 0; v < VECTORS; v++)
                sum[k][v] = sum[k][v] +
                            NAME(masked)(NAME(load)(x[k] + from + v * LANES) *
                                             NAME(load)(g[one_g ? 0 : k] + from + v * LANES),
                                         mask + v * LANES);
    return NAME(trees)(sum);
}

/* Products to be summed over rows, and where their sums are added. */
typedef struct {
    ptrdiff_t n;
    int count;
    const double *x[LANES], *g[LANES];
    double *to[LANES];
} NAME(Products);

TARGET MG_NOINLINE void NAME(add_sums)(NAME(Products) *c) {
    double totals[LANES];
    for (int k = c->count; k < LANES; k++) c->x[k] = c->x[0], c->g[k] = c->g[0];
    NAME(store)(totals, NAME(sum_products)(0, c->x, c->g, c->n));
    for (int k = 0; k < c->count; k++) *c->to[k] += totals[k];
    c->count = 0;
}

TARGET MG_INLINE void NAME(sum_product)(
    NAME(Products) *c, const double *x, const double *g, double *to) {
    c->x[c->count] = x, c->g[c->count] = g, c->to[c->count] = to;
    if (++c->count == LANES) NAME(add_sums)(c);
}

/* Add the sums for the weights of as many inputs as a vector has lanes. */
TARGET MG_NOINLINE void NAME(add_sums_of_inputs)(
    const Block *b, const int32_t *input, const int32_t *neuron, ptrdiff_t size,
    ptrdiff_t neurons, ptrdiff_t j) {
    const double *x[LANES];
    double totals[LANES];
    for (int k = 0; k < LANES; k++) x[k] = b->values + input[j + k] * b->stride;
    for (; neurons > 0; neurons--, neuron += size) {
        const double *g = b->grads + neuron[RESULT] * b->stride;
        NAME(store)(totals, NAME(sum_products)(1, x, &g, b->rows));
        for (int k = 0; k < LANES; k++) b->shared_grads[neuron[WEIGHTS + j + k]] += totals[k];
    }
}

#define LAYER                                                                    \
    const ptrdiff_t stride = b->stride;                                          \
    double *values = b->values, *shared = b->shared;                             \
    const ptrdiff_t inputs = in->x, neurons = in->count / inputs, size = inputs + WEIGHTS; \
    const int32_t *input = p->layers + in->y, *neuron = input + inputs;          \
    (void)values, (void)shared, (void)stride

/* Of one row, so many neurons; their chains of additions hide how long each addition takes. */
TARGET MG_INLINE const int32_t *NAME(neurons_of_row)(
    const int count, const int consecutive, const Block *b, const int32_t *input,
    ptrdiff_t inputs, const int32_t *neuron) {
    const ptrdiff_t stride = b->stride, size = inputs + WEIGHTS;
    double *values = b->values, *shared = b->shared, sum[8];
    const double *weights[8];
    for (int k = 0; k < count; k++) {
        sum[k] = *VALUE(neuron[k * size + START]);
        weights[k] = shared + neuron[k * size + WEIGHTS];
    }
    for (ptrdiff_t j = 0; j < inputs; j++) {
        const double x = values[input[j] * stride];
        for (int k = 0; k < count; k++)
            sum[k] = sum[k] + x * (consecutive ? weights[k][j] : shared[neuron[k * size + WEIGHTS + j]]);
    }
    for (int k = 0; k < count; k++) values[neuron[k * size + RESULT] * stride] = sum[k];
    return neuron + count * size;
}

/* Whether the weights of each of so many neurons are consecutive. */
TARGET MG_INLINE int NAME(are_consecutive)(int count, const int32_t *neuron, ptrdiff_t size) {
    int all = 1;
    for (int k = 0; k < count; k++) all &= neuron[k * size + CONSECUTIVE];
    return all;
}

TARGET static void NAME(layer_of_row)(const Program *p, const Block *b, const Instruction *in) {
    LAYER;
    const int32_t *end = neuron + neurons * size;
    while (end - neuron >= 8 * size)
        neuron = NAME(are_consecutive)(8, neuron, size)
                     ? NAME(neurons_of_row)(8, 1, b, input, inputs, neuron)
                     : NAME(neurons_of_row)(8, 0, b, input, inputs, neuron);
    while (neuron < end) neuron = NAME(neurons_of_row)(1, 0, b, input, inputs, neuron);
}

TARGET static void NAME(layer)(const Program *p, const Block *b, const Instruction *in) {
    LAYER;
    NAME(Sums) c = {.source = values, .shared = shared, .stride = stride, .slot = input,
                    .to_slot = 1, .to_weight = 1, .to_result = size, .terms = inputs};
    for (ptrdiff_t i = 0, results; i < neurons; i += results, neuron += results * size) {
        results = neurons - i < 4 ? 1 : 4;
        c.weight = neuron + WEIGHTS;
        for (int k = 0; k < results; k++) {
            const int32_t *one = neuron + k * size;
            c.start[k] = VALUE(one[START]), c.start_varies[k] = VARIES(one[START]);
            c.out[k] = values + one[RESULT] * stride;
        }
        if (results == 4) NAME(four_sums)(&c, ROUNDED_UP(b->rows));
        else NAME(one_sum)(&c, ROUNDED_UP(b->rows));
    }
}

/* Of one row, the gradients of so many vectors of inputs, which stay in registers, and of their
   weights. */
TARGET MG_INLINE void NAME(inputs_of_row_backward)(
    const int vectors, const Block *b, const int32_t *input, const int32_t *neuron, ptrdiff_t j,
    ptrdiff_t size, ptrdiff_t neurons) {
    enum { MOST = 16 };
    double x[MOST], dx[MOST], w[MOST], dw[MOST];
    NAME(Lanes) value[MOST / LANES], sum[MOST / LANES];
    const ptrdiff_t n = vectors * LANES;
    for (ptrdiff_t k = 0; k < n; k++)
        x[k] = b->values[input[j + k] * b->stride], dx[k] = b->grads[input[j + k] * b->stride];
    for (int v = 0; v < vectors; v++)
        value[v] = NAME(load)(x + v * LANES), sum[v] = NAME(load)(dx + v * LANES);
    for (const int32_t *one = neuron + neurons * size; (one -= size) >= neuron;) {
        const double g = b->grads[one[RESULT] * b->stride];
        const int32_t *weight = one + WEIGHTS + j;
        const double *from = b->shared + *weight;
        double *to = b->shared_grads + *weight;
        if (!one[CONSECUTIVE]) {
            for (ptrdiff_t k = 0; k < n; k++)
                w[k] = b->shared[weight[k]], dw[k] = b->shared_grads[weight[k]];
            from = w, to = dw;
        }
        for (int v = 0; v < vectors; v++) {
            sum[v] = sum[v] + NAME(load)(from + v * LANES) * g;
            NAME(store)(to + v * LANES, NAME(load)(to + v * LANES) + value[v] * g);
        }
        if (!one[CONSECUTIVE])
            for (ptrdiff_t k = 0; k < n; k++) b->shared_grads[weight[k]] = dw[k];
    }
    for (int v = 0; v < vectors; v++) NAME(store)(dx + v * LANES, sum[v]);
    for (ptrdiff_t k = 0; k < n; k++) b->grads[input[j + k] * b->stride] = dx[k];
}

TARGET static void NAME(layer_of_row_backward)(
    const Program *p, const Block *b, const Instruction *in) {
    LAYER;
    double *grads = b->grads, *shared_grads = b->shared_grads;
    ptrdiff_t j = 0;
    for (; inputs - j >= 16; j += 16)
        NAME(inputs_of_row_backward)(16 / LANES, b, input, neuron, j, size, neurons);
    for (; inputs - j >= LANES; j += LANES)
        NAME(inputs_of_row_backward)(1, b, input, neuron, j, size, neurons);
    for (const int32_t *one = neuron + neurons * size; (one -= size) >= neuron;) {
        const double g = grads[one[RESULT] * stride];
        double *to = GRAD(one[START]);
        for (ptrdiff_t k = j; k < inputs; k++) {
            const ptrdiff_t x = input[k] * stride, w = one[WEIGHTS + k];
            grads[x] += shared[w] * g;
            shared_grads[w] += values[x] * g;
        }
        if (to) *to += g;
    }
}

TARGET static void NAME(layer_backward)(const Program *p, const Block *b, const Instruction *in) {
    LAYER;
    double *grads = b->grads, *shared_grads = b->shared_grads;
    const int32_t *last = neuron + (neurons - 1) * size;
    const ptrdiff_t n = b->rows;
    for (const int32_t *one = last; one >= neuron; one -= size) set_unset(b, one[RESULT]);
    NAME(Products) products = {.n = n};
    ptrdiff_t done = 0;
    for (; done + LANES <= inputs; done += LANES)
        NAME(add_sums_of_inputs)(b, input, neuron, size, neurons, done);
    for (const int32_t *one = last; one >= neuron; one -= size)
        for (ptrdiff_t j = done; j < inputs; j++)
            NAME(sum_product)(&products, values + input[j] * stride, grads + one[RESULT] * stride,
                              shared_grads + one[WEIGHTS + j]);
    for (const int32_t *one = last; one >= neuron; one -= size) {
        double *to = GRAD(one[START]);
        const double *g = grads + one[RESULT] * stride;
        if (VARIES(one[START])) PASS(one[START], 1, g[i]);
        else if (to) NAME(sum_product)(&products, ones, g, to);
    }
    if (products.count) NAME(add_sums)(&products);
    NAME(Sums) c = {.source = grads, .shared = shared, .stride = stride, .slot = last + RESULT,
                    .to_slot = -size, .to_weight = -size, .to_result = 1, .terms = neurons};
    for (ptrdiff_t j = 0, results; j < inputs; j += results) {
        results = inputs - j < 4 ? 1 : 4;
        c.weight = last + WEIGHTS + j;
        for (int k = 0; k < results; k++) {
            c.out[k] = grads + input[j + k] * stride;
            c.start[k] = sum_so_far(b, input[j + k], c.out[k]), c.start_varies[k] = 1;
        }
        if (results == 4) NAME(four_sums)(&c, ROUNDED_UP(n));
        else NAME(one_sum)(&c, ROUNDED_UP(n));
    }
}

#undef LAYER
