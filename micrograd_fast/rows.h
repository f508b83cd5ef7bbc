/* Rows of a user's array into the slots of a block and back. Eight rows at a time, so that what is
   read and what is written stay in the cache, however many columns there are. */

#ifndef MICROGRAD_ROWS_H
#define MICROGRAD_ROWS_H

#include "kernels.h"

#include <string.h>

/* n doubles, which may lie at any address; the steps are in bytes. */
MG_INLINE void copy(char *to, ptrdiff_t to_step, const char *from, ptrdiff_t from_step, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) memcpy(to + i * to_step, from + i * from_step, sizeof(double));
}

/* Call statement(first, rows, k) for each tile of rows, and in it for each column. */
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

void kernel_load(const Table *table, const Block *b, ptrdiff_t columns) {
#define LOAD(i, n, k)                                                                        \
    copy(IN_BLOCK(b->values, i, k), sizeof(double), IN_TABLE(table, i, k), table->row_step, n)
    EACH_TILE(b->rows, columns, LOAD);
#undef LOAD
}

int kernel_is_loaded(const Table *table, const Block *b, ptrdiff_t columns) {
    uint64_t different = 0;
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

void kernel_store_outputs(
    const Table *table, const Block *b, const int32_t *outputs, ptrdiff_t columns) {
#define STORE(i, n, k)                                                                          \
    do {                                                                                        \
        const int32_t slot = outputs[k];                                                        \
        if (slot >= 0)                                                                          \
            copy(IN_TABLE(table, i, k), table->row_step, IN_BLOCK(b->values, i, slot),          \
                 sizeof(double), n);                                                            \
        else copy(IN_TABLE(table, i, k), table->row_step, (char *)(b->shared + ~slot), 0, n);   \
    } while (0)
    EACH_TILE(b->rows, columns, STORE);
#undef STORE
}

void kernel_store_gradient(const Table *table, const Block *b, ptrdiff_t columns) {
    for (ptrdiff_t k = 0; k < columns; k++) set_unset(b, (int32_t)k);
#define STORE(i, n, k)                                                                          \
    copy(IN_TABLE(table, i, k), table->row_step, IN_BLOCK(b->grads, i, k), sizeof(double), n)
    EACH_TILE(b->rows, columns, STORE);
#undef STORE
}

void kernel_sow(
    const Table *seeds, const Program *p, const Block *b, const int32_t *outputs,
    ptrdiff_t columns) {
    double weights[BLOCK];
    const ptrdiff_t n = b->rows;
    memcpy(weights, ones, n * sizeof(double));
    for (ptrdiff_t k = 0; k < columns; k++) {
        const int32_t slot = outputs[k];
        if (seeds)
            copy((char *)weights, sizeof(double), IN_TABLE(seeds, 0, k), seeds->row_step, n);
        if (slot >= 0) {
            double *grad = b->grads + slot * b->stride;
            const double *from = sum_so_far(b, slot, grad);
            for (ptrdiff_t i = 0; i < n; i++) grad[i] = from[i] + weights[i];
        } else if (~slot >= p->constants) {
            b->shared_grads[~slot] += kernel_sum(weights, n);
        }
    }
}

#undef EACH_TILE
#undef IN_TABLE
#undef IN_BLOCK

#endif
