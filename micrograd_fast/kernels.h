/* The inner loops of a Tape: instructions over a block of rows.

   An operand is a slot: x >= 0 has a value for each row, in values[x * stride ...]; x < 0 has one
   for all rows, in shared[~x]. The formulas stand in operations.h. */

#ifndef MICROGRAD_KERNELS_H
#define MICROGRAD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "operations.h"

enum { BLOCK = 128 };

/* Operations of a Tape alone. */
enum {
    MG_DOT_SHARED = MG_END, /* a DOT over pairs of a slot that varies and a shared one */
    MG_DOT_SWAPPED,         /* the same, recorded with the shared one first */
    MG_TAPE_END,
    /* Of a plan alone, DOT_SHAREDs over the same slots: x is how many slots these are, y where in
       layers the layer stands, count how many pairs it has. See layers.h. */
    MG_LAYER = MG_TAPE_END
};

typedef struct {
    int32_t op;    /* an mg_operation, or one of the above */
    int32_t out;   /* the slot of the result */
    int32_t x, y;  /* the operands; y of POWER: its constant; of more than two: where in terms */
    int32_t count; /* of pairs in terms, after x; of SUM, NORM: of all its operands, which lie there */
} Instruction;

typedef struct {
    Instruction *code;
    ptrdiff_t length;
    int32_t *terms;
    int32_t constants;     /* shared slots below take no gradient */
    int32_t differentiated; /* so many after them take one; those of a plan alone follow */
    const int32_t *layers; /* the slots of MG_LAYERs, of which in->y says where */
} Program;

typedef struct {
    double *values, *grads;        /* a row of `stride` for each slot that varies */
    double *shared, *shared_grads; /* one for each other slot */
    unsigned char *is_new; /* for each slot that varies: its grads are unset, and stand for 0.0 */
    ptrdiff_t stride; /* 1 for a single row, else a multiple of 8 */
    ptrdiff_t rows;   /* in use, at most BLOCK */
} Block;

typedef struct {
    char *data; /* doubles, at any address */
    ptrdiff_t rows;
    ptrdiff_t row_step, column_step; /* in bytes */
} Table;

/* The loops for one kind of CPU. */
typedef struct {
    /* Compute the slots that vary, or the shared ones. */
    void (*forward)(const Program *, const Block *, int varying);

    /* Add the gradients of all results that vary, and of the shared ones too in the last block. */
    void (*backward)(const Program *, const Block *, int last);

    /* The first rows of a table, which are the inputs, into the first slots; whether they are
       there. */
    void (*load)(const Table *, const Block *, ptrdiff_t columns);
    int (*is_loaded)(const Table *, const Block *, ptrdiff_t columns);

    /* The values of the outputs' slots into a table. */
    void (*store_outputs)(
        const Table *, const Block *, const int32_t *outputs, ptrdiff_t columns);

    /* Weights into the gradients of the outputs; all of them are 1.0 for NULL. */
    void (*sow)(const Table *, const Program *, const Block *, const int32_t *outputs,
                ptrdiff_t columns);

    /* The gradients of the inputs into a table. */
    void (*store_gradient)(const Table *, const Block *, ptrdiff_t columns);
} Kernels;

extern const Kernels *mg_kernels;

/* Choose the loops for a CPU: "avx512", "avx2", "plain", or NULL for the best that it has.
   Returns the name of those chosen, NULL if the CPU lacks them. */
const char *mg_choose_kernels(const char *name);

/* Whether a table's rows lie one behind the other, as doubles. */
MG_INLINE int is_dense(const Table *table, ptrdiff_t columns) {
    const ptrdiff_t size = sizeof(double);
    return (uintptr_t)table->data % size == 0 && (columns == 1 || table->column_step == size) &&
           (table->rows == 1 || table->row_step == columns * size);
}

#endif
