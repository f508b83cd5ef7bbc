/* Correctly rounded functions: the exact result, rounded once to the nearest double, ties to even.

   A function looks for it three times. quick.h computes a pair of doubles with an error below 2^-64
   of it, which decides all but one argument in 2,000, or one power in 250. wide.h computes those with
   128 bits, to 2^-108 of them. Of what that leaves open, none of 10^8 random arguments, but crafted
   ones and powers in the very middle of two doubles, the reference decides.

   Whatever decides, there is one nearest double: the bits depend on no library, compiler or CPU.
   Special arguments give what C's functions of these names give, nan for nan, and set no flag. */

#ifndef MICROGRAD_ROUNDED_H
#define MICROGRAD_ROUNDED_H

#include <math.h>

/* Those of one argument: name, number, and where quick.h may be asked without setting a flag. */
#define MG_BETWEEN(low, x, high) (isgreater(fabs(x), low) && isless(fabs(x), high))
#define MG_FUNCTIONS(FUNCTION)                                                   \
    FUNCTION(exp,      EXP,      MG_BETWEEN(0x1p-100, x, 700))                   \
    FUNCTION(expm1,    EXPM1,    MG_BETWEEN(0x1p-100, x, 600))                   \
    FUNCTION(log,      LOG,      isgreater(x, 0x1p-1022) && isless(x, INFINITY)) \
    FUNCTION(log1p,    LOG1P,    isgreater(x, -0.99) && MG_BETWEEN(0x1p-100, x, 0x1p100)) \
    FUNCTION(sin,      SIN,      MG_BETWEEN(0x1p-100, x, 0x1p20))                \
    FUNCTION(cos,      COS,      MG_BETWEEN(0x1p-100, x, 0x1p20))                \
    FUNCTION(atan,     ATAN,     MG_BETWEEN(0x1p-100, x, 0x1p60))                \
    FUNCTION(tanh,     TANH,     MG_BETWEEN(0x1p-100, x, 700))                   \
    FUNCTION(sigmoid,  SIGMOID,  MG_BETWEEN(0x1p-100, x, 600))                   \
    FUNCTION(softplus, SOFTPLUS, MG_BETWEEN(0x1p-100, x, 200))                   \
    FUNCTION(erf,      ERF,      MG_BETWEEN(0x1p-100, x, 6))

#define NUMBER(name, number, ...) MG_##number##_OF,
typedef enum { MG_FUNCTIONS(NUMBER) MG_POW_OF } mg_function;
#undef NUMBER

/* With or without fused multiply-add, as mg_choose_functions found. */
#define DECLARE(name, ...) extern double (*mg_##name)(double x);
MG_FUNCTIONS(DECLARE)
#undef DECLARE
extern double (*mg_pow)(double x, double y), (*mg_cube)(double x);

/* The functions for the best CPU, or those that ask little of it. */
void mg_choose_functions(int plain);

/* What decides in the end, from any thread: to be set before the functions are used. y is the
   second argument of MG_POW_OF. */
extern double (*mg_ask_reference)(int f, double x, double y);

#endif
