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

/* n doubles, which may lie at any address; the steps are in bytes. */
TARGET MG_INLINE void NAME(copy)(
    char *to, ptrdiff_t to_step, const char *from, ptrdiff_t from_step, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++)
        memcpy(to + i * to_step, from + i * from_step, sizeof(double));
}

/* Call statement(first, rows, k) for each tile of rows, and in it for each column: eight rows at a
   time, so that what is read and what is written stay in the cache, however many columns. */
#define EACH_TILE(n, columns, statement)                                      \
    do {                                                                      \
        ptrdiff_t first = 0;                                                  \
        if ((columns) > 1)                                                    \
            for (; first + 8 <= (n); first += 8)                              \
                for (ptrdiff_t k = 0; k < (columns); k++) statement(first, 8, k); \
        for (ptrdiff_t k = 0; k < (columns); k++) statement(first, (n) - first, k); \
    } while (0)

#define IN_TABLE(t, i, k) ((t)->data + (i) * (t)->row_step + (k) * (t)->column_step)
#define IN_BLOCK(rows, i, k) ((char *)((rows) + (k) * b->stride + (i)))

TARGET static void NAME(load_rows)(const Table *table, const Block *b, ptrdiff_t columns) {
    const ptrdiff_t n = b->rows;
    if (b->stride == 1 && is_dense(table, columns)) {
        memcpy(b->values, table->data, columns * sizeof(double));
        return;
    }
    if (columns <= FEW && is_dense(table, columns)) {
        double *column[FEW];
        for (ptrdiff_t k = 0; k < columns; k++) column[k] = b->values + k * b->stride;
        NAME(part_few)(columns, column, (const double *)table->data, n);
        prefetch_next(table, n);
        return;
    }
#define LOAD(i, n, k)                                                                           \
    NAME(copy)(IN_BLOCK(b->values, i, k), sizeof(double), IN_TABLE(table, i, k), table->row_step, n)
    EACH_TILE(n, columns, LOAD);
#undef LOAD
}

TARGET static int NAME(is_loaded)(const Table *table, const Block *b, ptrdiff_t columns) {
    uint64_t different = 0;
    if (b->stride == 1 && is_dense(table, columns))
        return !memcmp(table->data, b->values, columns * sizeof(double));
#define COMPARE(first, n, k)                                                      \
    for (ptrdiff_t i = first; i < first + n; i++) {                               \
        uint64_t there, here;                                                     \
        memcpy(&there, IN_TABLE(table, i, k), sizeof there);                      \
        memcpy(&here, IN_BLOCK(b->values, i, k), sizeof here);                    \
        different |= there ^ here;                                                \
    }
    EACH_TILE(b->rows, columns, COMPARE);
#undef COMPARE
    return different == 0;
}

TARGET static void NAME(store_outputs)(
    const Table *table, const Block *b, const int32_t *outputs, ptrdiff_t columns) {
    const ptrdiff_t n = b->rows;
    if (columns <= FEW && is_dense(table, columns)) {
        double *column[FEW];
        int all_vary = 1;
        for (ptrdiff_t k = 0; k < columns; k++)
            column[k] = b->values + outputs[k] * b->stride, all_vary &= VARIES(outputs[k]);
        if (all_vary) {
            NAME(join_few)(columns, column, (double *)table->data, n);
            return;
        }
    }
#define STORE(i, n, k)                                                                          \
    do {                                                                                        \
        const int32_t slot = outputs[k];                                                        \
        if (VARIES(slot))                                                                       \
            NAME(copy)(IN_TABLE(table, i, k), table->row_step, IN_BLOCK(b->values, i, slot),    \
                       sizeof(double), n);                                                      \
        else                                                                                    \
            NAME(copy)(IN_TABLE(table, i, k), table->row_step, (char *)(b->shared + ~slot), 0, n); \
    } while (0)
    EACH_TILE(n, columns, STORE);
#undef STORE
}

TARGET static void NAME(store_gradient)(const Table *table, const Block *b, ptrdiff_t columns) {
    const ptrdiff_t n = b->rows;
    if (b->stride == 1 && is_dense(table, columns)) {
        memcpy(table->data, b->grads, columns * sizeof(double));
        return;
    }
    for (ptrdiff_t k = 0; k < columns; k++) set_unset(b, (int32_t)k);
    if (columns <= FEW && is_dense(table, columns)) {
        double *column[FEW];
        for (ptrdiff_t k = 0; k < columns; k++) column[k] = b->grads + k * b->stride;
        NAME(join_few)(columns, column, (double *)table->data, n);
        return;
    }
#define STORE(i, n, k)                                                                          \
    NAME(copy)(IN_TABLE(table, i, k), table->row_step, IN_BLOCK(b->grads, i, k), sizeof(double), n)
    EACH_TILE(n, columns, STORE);
#undef STORE
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
            NAME(copy)((char *)given, sizeof(double), IN_TABLE(seeds, 0, k), seeds->row_step, n);
        if (VARIES(slot)) {
            double *grad = b->grads + slot * b->stride;
            const double *from = sum_so_far(b, slot, grad);
            for (ptrdiff_t i = 0; i < n; i++) grad[i] = from[i] + weights[i];
        } else if (~slot >= p->constants) {
            b->shared_grads[~slot] += NAME(sum_rows)(weights, n);
        }
    }
}

#undef EACH_TILE
#undef IN_TABLE
#undef IN_BLOCK
