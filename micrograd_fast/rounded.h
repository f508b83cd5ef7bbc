/* Correctly rounded functions: the exact result, rounded once to the nearest double, ties to even.

   A function looks for it three times. scalar.h or quick.h computes a pair of doubles with an
   error below 2^-64 of it, which decides all but one argument in 10,000 or in 2,000, and in a loop
   one power in 250. wide.h computes those with 128 bits, to 2^-108 of them. What that leaves open,
   the reference decides: powers in the very middle of two doubles, and what lies next to a middle,
   as e^x does next to x = -2^-54.

   Whatever decides, there is one nearest double: the bits depend on no library, compiler or CPU.
   Special arguments give what C's functions of these names give, nan for nan, and set no flag. */

#ifndef MICROGRAD_ROUNDED_H
#define MICROGRAD_ROUNDED_H

#include <math.h>

/* Those of one argument: name, number, what gives first answers, and where it sets no flag. */
#define MG_BETWEEN(low, x, high) (isgreater(fabs(x), low) && isless(fabs(x), high))
#define MG_FUNCTIONS(FUNCTION)                                                                     \
    FUNCTION(exp,      EXP,      table_exp,      MG_BETWEEN(0x1p-100, x, 700))                     \
    FUNCTION(expm1,    EXPM1,    quick_expm1,    MG_BETWEEN(0x1p-100, x, 600))                     \
    FUNCTION(log,      LOG,      table_log,      isgreater(x, 0x1p-1022) && isless(x, INFINITY))   \
    FUNCTION(log1p,    LOG1P,    quick_log1p,    MG_BETWEEN(0x1p-100, x, 0x1p100) && x > -0.99)    \
    FUNCTION(sin,      SIN,      table_sin,      MG_BETWEEN(0x1p-100, x, 0x1p20))                  \
    FUNCTION(cos,      COS,      table_cos,      MG_BETWEEN(0x1p-100, x, 0x1p20))                  \
    FUNCTION(atan,     ATAN,     quick_atan,     MG_BETWEEN(0x1p-100, x, 0x1p60))                  \
    FUNCTION(tanh,     TANH,     table_tanh,     MG_BETWEEN(0x1p-100, x, 700))                     \
    FUNCTION(sigmoid,  SIGMOID,  table_sigmoid,  MG_BETWEEN(0x1p-100, x, 600))                     \
    FUNCTION(softplus, SOFTPLUS, quick_softplus, MG_BETWEEN(0x1p-100, x, 200))                     \
    FUNCTION(erf,      ERF,      quick_erf,      MG_BETWEEN(0x1p-100, x, 6))

#define NUMBER(name, number, ...) MG_##number##_OF,
typedef enum { MG_FUNCTIONS(NUMBER) MG_POW_OF } mg_function;
#undef NUMBER

/* With or without fused multiply-add, as mg_choose_functions found: the functions of the table, and
   powers, any, by 3 and by -2. */
#define DECLARE(name, ...) extern double (*mg_##name)(double x);
MG_FUNCTIONS(DECLARE)
#undef DECLARE
extern double (*mg_pow)(double x, double y);
extern double (*mg_cube)(double x), (*mg_inverse_square)(double x);

/* The functions for the best CPU, or those that ask little of it. */
void mg_choose_functions(int plain);

/* What decides in the end, from any thread: to be set before the functions are used. y is the
   second argument of MG_POW_OF. */
extern double (*mg_ask_reference)(int f, double x, double y);

#endif
