/* Rows of a user's array into the slots of a block and back, for one kind of CPU. */

/* Few columns, whose rows lie one behind the other: their number is a constant to the compiler,
   which makes shuffles of vectors of these. */
TARGET MG_INLINE void NAME(part)(
    const int columns, double *const *column, const double *restrict rows, ptrdiff_t n) {
    double *restrict to[FEW];
    for (int k = 0; k < columns; k++) to[k] = column[k];
    INDEPENDENT for (ptrdiff_t i = 0; i < n; i++)
        for (int k = 0; k < columns; k++) to[k][i] = rows[i * columns + k];
}

TARGET MG_INLINE void NAME(join)(
    const int columns, double *const *column, double *restrict rows, ptrdiff_t n) {
    const double *restrict from[FEW];
    for (int k = 0; k < columns; k++) from[k] = column[k];
    INDEPENDENT for (ptrdiff_t i = 0; i < n; i++)
        for (int k = 0; k < columns; k++) rows[i * columns + k] = from[k][i];
}

#define WITH_FEW(action)                           \
    switch (columns) {                             \
        case 1: action(1, column, rows, n); break; \
        case 2: action(2, column, rows, n); break; \
        case 3: action(3, column, rows, n); break; \
        case 4: action(4, column, rows, n); break; \
    }

TARGET static void NAME(part_few)(
    ptrdiff_t columns, double *const *column, const double *rows, ptrdiff_t n) {
    WITH_FEW(NAME(part));
}

TARGET static void NAME(join_few)(
    ptrdiff_t columns, double *const *column, double *rows, ptrdiff_t n) {
    WITH_FEW(NAME(join));
}

#undef WITH_FEW

/* As many rows as a vector has lanes, each of as many columns. */
TARGET MG_INLINE void NAME(transpose)(NAME(Lanes) x[LANES]) {
#define SWAP(apart, low, high)                                  \
    for (int k = 0; k < LANES; k++)                             \
        if (!(k & apart)) {                                     \
            const NAME(Lanes) one = x[k], other = x[k + apart]; \
            x[k] = SHUFFLE(one, other, LANES_OF low);           \
            x[k + apart] = SHUFFLE(one, other, LANES_OF high);  \
        }
#define LANES_OF(...) __VA_ARGS__
#if LANES == 8
    SWAP(1, (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15));
    SWAP(2, (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15));
    SWAP(4, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15));
#elif LANES == 4
    SWAP(1, (0, 4, 2, 6), (1, 5, 3, 7));
    SWAP(2, (0, 1, 4, 5), (2, 3, 6, 7));
#elif LANES == 2
    SWAP(1, (0, 2), (1, 3));
#else
    (void)x;
#endif
#undef SWAP
#undef LANES_OF
}

/* LOAD here what is there, STORE there what is here, or COMPARE: not 0 where they differ. What is
   there belongs to the table and may lie at any address, its rows step bytes apart. */

/* n rows of one column. */
TARGET MG_INLINE int64_t NAME(move_column)(
    const int action, char *there, ptrdiff_t step, double *here, ptrdiff_t n) {
    int64_t different = 0;
    for (ptrdiff_t i = 0; i < n; i++, there += step, here++) {
        int64_t one, other;
        if (action == LOAD) memcpy(here, there, sizeof *here);
        else if (action == STORE) memcpy(there, here, sizeof *here);
        else {
            memcpy(&one, there, sizeof one), memcpy(&other, here, sizeof other);
            different |= one ^ other;
        }
    }
    return different;
}

/* As many rows and columns as a vector has lanes. */
TARGET MG_INLINE NAME(Masks) NAME(move_tile)(
    const int action, char *there, ptrdiff_t step, double *here, ptrdiff_t stride) {
    NAME(Masks) different = {0};
    NAME(Lanes) x[LANES];
    for (int k = 0; k < LANES; k++)
        x[k] = action == STORE ? NAME(load)(here + k * stride) : NAME(load)(there + k * step);
    NAME(transpose)(x);
    for (int k = 0; k < LANES; k++)
        if (action == LOAD) NAME(store)(here + k * stride, x[k]);
        else if (action == STORE) NAME(store)(there + k * step, x[k]);
        else {
            NAME(Masks) one, other;
            memcpy(&one, &x[k], sizeof one), memcpy(&other, here + k * stride, sizeof other);
            different |= one ^ other;
        }
    return different;
}

/* All columns. Eight rows at a time, so that what is read and what is written stay in the cache,
   however many columns there are. */
TARGET MG_INLINE int NAME(move)(
    const int action, const Table *table, double *block, ptrdiff_t stride, ptrdiff_t columns,
    ptrdiff_t n) {
    const int is_tiled = table->column_step == (ptrdiff_t)sizeof(double);
    const ptrdiff_t in_tiles = is_tiled ? columns - columns % LANES : 0, step = table->row_step;
    NAME(Masks) different = {0};
    int64_t others = 0, lanes[LANES];
    ptrdiff_t first = 0;
    for (; first + 8 <= n; first += 8) {
        for (ptrdiff_t k = 0; k < in_tiles; k += LANES)
            for (ptrdiff_t i = first; i < first + 8; i += LANES)
                different |= NAME(move_tile)(
                    action, IN_TABLE(table, i, k), step, block + k * stride + i, stride);
        for (ptrdiff_t k = in_tiles; k < columns; k++)
            others |= NAME(move_column)(
                action, IN_TABLE(table, first, k), step, block + k * stride + first, 8);
    }
    for (ptrdiff_t k = 0; k < columns; k++)
        others |= NAME(move_column)(
            action, IN_TABLE(table, first, k), step, block + k * stride + first, n - first);
    memcpy(lanes, &different, sizeof different);
    for (int k = 0; k < LANES; k++) others |= lanes[k];
    return others != 0;
}

TARGET static void NAME(load_rows)(const Table *table, const Block *b, ptrdiff_t columns) {
    if (b->stride == 1 && is_dense(table, columns)) {
        memcpy(b->values, table->data, columns * sizeof(double));
    } else if (columns <= FEW && is_dense(table, columns)) {
        double *column[FEW];
        for (ptrdiff_t k = 0; k < columns; k++) column[k] = b->values + k * b->stride;
        NAME(part_few)(columns, column, (const double *)table->data, b->rows);
        prefetch_next(table, b->rows);
    } else {
        NAME(move)(LOAD, table, b->values, b->stride, columns, b->rows);
    }
}

TARGET static int NAME(is_loaded)(const Table *table, const Block *b, ptrdiff_t columns) {
    if (b->stride == 1 && is_dense(table, columns))
        return !memcmp(table->data, b->values, columns * sizeof(double));
    return !NAME(move)(COMPARE, table, b->values, b->stride, columns, b->rows);
}

TARGET static void NAME(store_outputs)(
    const Table *table, const Block *b, const int32_t *outputs, ptrdiff_t columns) {
    const ptrdiff_t n = b->rows;
    double *column[FEW];
    int in_few = columns <= FEW && is_dense(table, columns);
    for (ptrdiff_t k = 0; in_few && k < columns; k++) {
        column[k] = b->values + outputs[k] * b->stride;
        in_few = VARIES(outputs[k]);
    }
    if (in_few) {
        NAME(join_few)(columns, column, (double *)table->data, n);
        return;
    }
    for (ptrdiff_t first = 0, end; first < n; first = end) {
        end = first + 8 < n ? first + 8 : n;
        for (ptrdiff_t k = 0; k < columns; k++) {
            const int32_t slot = outputs[k];
            if (VARIES(slot))
                NAME(move_column)(STORE, IN_TABLE(table, first, k), table->row_step,
                                  b->values + slot * b->stride + first, end - first);
            else
                for (ptrdiff_t i = first; i < end; i++)
                    memcpy(IN_TABLE(table, i, k), b->shared + ~slot, sizeof(double));
        }
    }
}

TARGET static void NAME(store_gradient)(const Table *table, const Block *b, ptrdiff_t columns) {
    if (b->stride == 1 && is_dense(table, columns)) {
        memcpy(table->data, b->grads, columns * sizeof(double));
        return;
    }
    for (ptrdiff_t k = 0; k < columns; k++) set_unset(b, (int32_t)k);
    if (columns <= FEW && is_dense(table, columns)) {
        double *column[FEW];
        for (ptrdiff_t k = 0; k < columns; k++) column[k] = b->grads + k * b->stride;
        NAME(join_few)(columns, column, (double *)table->data, b->rows);
    } else {
        NAME(move)(STORE, table, b->grads, b->stride, columns, b->rows);
    }
}

TARGET static void NAME(sow)(
    const Table *seeds, const Program *p, const Block *b, const int32_t *outputs,
    ptrdiff_t columns) {
    double given[BLOCK];
    const double *weights = seeds ? given : ones;
    const ptrdiff_t n = b->rows;
    for (ptrdiff_t k = 0; k < columns; k++) {
        const int32_t slot = outputs[k];
        if (seeds)
            NAME(move_column)(LOAD, IN_TABLE(seeds, 0, k), seeds->row_step, given, n);
        if (VARIES(slot)) {
            double *grad = b->grads + slot * b->stride;
            const double *from = sum_so_far(b, slot, grad);
            for (ptrdiff_t i = 0; i < n; i++) grad[i] = from[i] + weights[i];
        } else if (~slot >= p->constants) {
            b->shared_grads[~slot] += NAME(sum_rows)(weights, n);
        }
    }
}

