/* The loops of a Tape, compiled once for each kind of CPU, and the choice among them. */

#define MG_NO_FLAGS
#include "kernels.h"

#include <math.h>
#include <string.h>

#if defined(_MSC_VER)
#define restrict __restrict
#endif

/* No row reads what another wrote: compilers need not look whether the arrays of a loop overlap. */
#if defined(__GNUC__) && !defined(__clang__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

#define VALUE(slot) ((slot) >= 0 ? values + (slot)*stride : shared + ~(slot))
#define GRAD(slot)                                   \
    ((slot) >= 0               ? grads + (slot)*stride  \
     : (uint32_t)(~(slot)-p->constants) < (uint32_t)p->differentiated ? shared_grads + ~(slot) \
                                                                      : NULL)
#define VARIES(slot) ((slot) >= 0)

/* The formulas with functions that never leave the result open, for the elements where quick.h
   does. */

MG_NOINLINE double careful_value(int op, double a, double b, double c, double k) {
    return mg_value(op, a, b, c, k);
}

/* What a step adds to the gradient of operand `which`: -0.0 + that is that. */
MG_NOINLINE double careful_gradient(
    int op, int which, double g, double out, double a, double b, double c, double k) {
    double x[3][2] = {{a, -0.0}, {b, -0.0}, {c, -0.0}};
    mg_step(op, g, out, k, x[0], x[1], x[2]);
    return x[which][1];
}

#define TREE(s) (((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])))

static const double ones[BLOCK] = {
#define EIGHT 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0
    EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT,
    EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT,
#undef EIGHT
};

static const double zeros[BLOCK];

/* Where the gradient of a slot is read to which something is about to be added: that stores it. */
MG_INLINE const double *sum_so_far(const Block *b, int32_t slot, const double *grad) {
    if (slot < 0 || !b->is_new[slot]) return grad;
    b->is_new[slot] = 0;
    return zeros;
}

/* Zeros where nothing was added: a Tape of another build may compute what no output needs. */
MG_INLINE void set_unset(const Block *b, int32_t slot) {
    if (!b->is_new[slot]) return;
    b->is_new[slot] = 0;
    memset(b->grads + slot * b->stride, 0, b->stride * sizeof(double));
}

/* From below + 8 - n on: a mask of n lanes. */
static const int64_t below[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

/* Fetch the next block's rows while this one, of n rows, is computed. */
MG_INLINE void prefetch_next(const Table *table, ptrdiff_t n) {
    const char *next = table->data + n * table->row_step;
    const ptrdiff_t rows = table->rows - n < n ? table->rows - n : n;
    for (ptrdiff_t i = 0; i < rows * table->row_step; i += 64) MG_PREFETCH(next + i);
}

/* Of a neuron in p->layers, see layers.h. */
enum { RESULT, START, CONSECUTIVE, WEIGHTS };

enum { FEW = 4 }; /* columns of a table, for which there are loops of their own */
enum { LOAD, STORE, COMPARE };
#define IN_TABLE(t, i, k) ((t)->data + (i) * (t)->row_step + (k) * (t)->column_step)

#define ROUNDED_UP(rows) (((rows) + 7) & ~(ptrdiff_t)7)

#if defined(__GNUC__)
#define LANES 2
#else
#define LANES 1
#endif
#define TARGET
#define NAME(name) name##_plain
#include "loops.h"
#undef LANES
#undef TARGET
#undef NAME

#if defined(__GNUC__) && defined(__x86_64__)
#define MANY_TARGETS

#define FAST_FMA
#define LANES 4
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_avx2
#include "loops.h"
#undef LANES
#undef TARGET
#undef NAME

#define LANES 8
#define TARGET __attribute__((target("avx512f,fma")))
#define NAME(name) name##_avx512
#include "loops.h"
#undef LANES
#undef TARGET
#undef NAME

#endif

const Kernels *mg_kernels = &kernels_plain;

#define CHOOSE(target)                  \
    do {                                \
        mg_kernels = &kernels_##target; \
        return #target;                 \
    } while (0)

const char *mg_choose_kernels(const char *name) {
    mg_choose_functions(name && !strcmp(name, "plain"));
#ifdef MANY_TARGETS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("fma")) {
        if (__builtin_cpu_supports("avx512f") && (!name || !strcmp(name, "avx512"))) CHOOSE(avx512);
        if (__builtin_cpu_supports("avx2") && (!name || !strcmp(name, "avx2"))) CHOOSE(avx2);
    }
#endif
    if (!name || !strcmp(name, "plain")) CHOOSE(plain);
    return NULL;
}
