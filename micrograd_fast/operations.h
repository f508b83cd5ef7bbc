/* The operations, a row each: those of micrograd_ref in the same order, with the same formulas.

   A row has an operation's number, its name, how many operands it has, its value, and what its
   step adds to the gradient of each. In these formulas a, b and c are the operands, k is the
   constant of a power, out the result, and g its gradient. The order of operations is meant
   literally, because it decides the last bit.

   The numbers, names and arities, the value and the step of a node, and the loops of a Tape are
   all made from here, but for those of a LOOP: it takes any number of operands. */

#ifndef MICROGRAD_OPERATIONS_H
#define MICROGRAD_OPERATIONS_H

#include "ieee.h"

#include <stddef.h>

#define MG_TWO_OVER_ROOT_PI 1.1283791670955126 /* the slope of erf at 0 */

#define MG_OPERATIONS(ROW, LOOP)                                                                   \
    ROW(ADD,     "+",       2, a + b,                        TO_A(g) TO_B(g))                      \
    ROW(SUB,     "-",       2, a - b,                        TO_A(g) TO_B(-g))                     \
    ROW(MUL,     "*",       2, a * b,                        TO_A(b * g) TO_B(a * g))              \
    ROW(DIV,     "/",       2, mg_divide(a, b),              TO_A(g / b) TO_B(-g * (out / b)))     \
    ROW(NEG,     "neg",     1, -a,                           TO_A(-g))                             \
    ROW(MAXIMUM, "maximum", 2, mg_larger(a, b) ? a : b,      TO_A(mg_larger(a, b) ? g : 0.0)       \
                                                             TO_B(mg_larger(a, b) ? 0.0 : g))      \
    ROW(MINIMUM, "minimum", 2, mg_smaller(a, b) ? a : b,     TO_A(mg_smaller(a, b) ? g : 0.0)      \
                                                             TO_B(mg_smaller(a, b) ? 0.0 : g))     \
    ROW(LARGER,  "larger",  2, mg_larger(a, b) ? 1.0 : 0.0,  TO_A(0.0) TO_B(0.0))                  \
    ROW(SMALLER, "smaller", 2, mg_smaller(a, b) ? 1.0 : 0.0, TO_A(0.0) TO_B(0.0))                  \
    ROW(SIGN,    "sign",    1, mg_sign(a),                   TO_A(0.0))                            \
    ROW(WHERE,   "where",   3, isgreater(a, 0) ? b : c,      TO_A(0.0)                             \
                                                             TO_B(isgreater(a, 0) ? g : 0.0)       \
                                                             TO_C(isgreater(a, 0) ? 0.0 : g))      \
    ROW(POW,     "**",      2, mg_pow(a, b),                                                       \
                               TO_A(b != 0 ? b * mg_pow(a, b - 1) * g : 0.0)                       \
                               TO_B(a != 0 || !(b >= 0) ? out * mg_log(a) * g : 0.0))              \
    ROW(POWER,   "**k",     1, mg_power(a, k),                                                     \
                               TO_A(k != 0 ? k * mg_power(a, k - 1) * g : 0.0))                    \
    ROW(ABS,     "abs",     1, fabs(a),                      TO_A(a != 0 ? mg_sign(a) * g : 0.0))  \
    ROW(EXP,     "exp",     1, mg_exp(a),                    TO_A(out * g))                        \
    ROW(EXPM1,   "expm1",   1, mg_expm1(a),                  TO_A((out + 1.0) * g))                \
    ROW(LOG,     "log",     1, mg_log(a),                    TO_A(g / a))                          \
    ROW(LOG1P,   "log1p",   1, mg_log1p(a),                  TO_A(g / (1.0 + a)))                  \
    ROW(SQRT,    "sqrt",    1, mg_sqrt(a),                   TO_A(g / (2.0 * out)))                \
    ROW(SIN,     "sin",     1, mg_sin(a),                    TO_A(mg_cos(a) * g))                  \
    ROW(COS,     "cos",     1, mg_cos(a),                    TO_A(-mg_sin(a) * g))                 \
    ROW(ATAN,    "atan",    1, mg_atan(a),                   TO_A(g / (1.0 + a * a)))              \
    ROW(TANH,    "tanh",    1, mg_tanh(a),                   TO_A((1.0 - out * out) * g))          \
    ROW(SIGMOID, "sigmoid", 1, mg_sigmoid(a),                TO_A(out * (1.0 - out) * g))          \
    ROW(SOFTPLUS, "softplus", 1, mg_softplus(a),             TO_A(mg_sigmoid(a) * g))              \
    ROW(ERF,     "erf",     1, mg_erf(a),                                                          \
                               TO_A(MG_TWO_OVER_ROOT_PI * mg_exp(-(a * a)) * g))                   \
    ROW(RELU,    "relu",    1, islessequal(a, 0) ? 0.0 : a,  TO_A(out > 0 ? g : 0.0))              \
    ROW(LEAKY_RELU, "leaky_relu", 2, isgreater(a, 0) ? a : b * a,                                  \
                               TO_A(isgreater(a, 0) ? g : b * g)                                   \
                               TO_B(isgreater(a, 0) ? 0.0 : a * g))                                \
    LOOP(NORM,   "norm",    MG_MANY)                                                               \
    LOOP(DOT,    "dot",     MG_MANY)                                                               \
    LOOP(SUM,    "sum",     MG_MANY)

#define NUMBER(number, ...) MG_##number,
#define NAME(number, name, ...) name,
#define ARITY(number, name, n, ...) n,

typedef enum {
    MG_LEAF,
    MG_CUSTOM, /* Value(data, children, op) */
    MG_LOCAL,  /* Value(data, children, local_grads) */
    MG_OPERATIONS(NUMBER, NUMBER)
    MG_END
} mg_operation;

enum { MG_MANY = 255 }; /* an arity: any number of operands */

/* By number. What has no row has no name. */
static const char *const mg_names[] = {"", NULL, NULL, MG_OPERATIONS(NAME, NAME)};
static const unsigned char mg_arities[] = {0, MG_MANY, MG_MANY, MG_OPERATIONS(ARITY, ARITY)};

#undef NUMBER
#undef NAME
#undef ARITY

MG_INLINE const char *mg_name(int op) { return mg_names[op]; }

MG_INLINE int mg_arity(int op) { return mg_arities[op]; }

/* Whether the operands lie in a block: a node has room for two. A switch, which compilers make a
   test of a bit, where the array above would be read. */
MG_INLINE int mg_has_block(int op) {
    switch (op) {
#define ROW(number, name, n, ...) case MG_##number: return n > 2;
        MG_OPERATIONS(ROW, ROW)
#undef ROW
        default: return op != MG_LEAF;
    }
}

MG_INLINE double mg_value(int op, double a, double b, double c, double k) {
    (void)c;
    switch (op) {
#define ROW(number, name, n, value, gradients) case MG_##number: return value;
#define LOOP(number, name, n) /* has its own code */
        MG_OPERATIONS(ROW, LOOP)
#undef ROW
#undef LOOP
        default: return NAN;
    }
}

/* Add the gradient of a result into its operands: x, y and z are a datum each and, behind it, its
   gradient. Those beyond the arity are not looked at. */
MG_INLINE void mg_step(int op, double g, double out, double k, double *x, double *y, double *z) {
    double a, b, c;
    (void)z, (void)c;
    switch (op) {
#define READ_1 a = x[0];
#define READ_2 a = x[0], b = y[0];
#define READ_3 a = x[0], b = y[0], c = z[0];
#define TO_A(gradient) x[1] += (gradient);
#define TO_B(gradient) y[1] += (gradient);
#define TO_C(gradient) z[1] += (gradient);
#define ROW(number, name, n, value, gradients) case MG_##number: READ_##n gradients break;
#define LOOP(number, name, n) /* has its own code */
        MG_OPERATIONS(ROW, LOOP)
#undef READ_1
#undef READ_2
#undef READ_3
#undef TO_A
#undef TO_B
#undef TO_C
#undef ROW
#undef LOOP
    }
}

#endif
