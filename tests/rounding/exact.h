/* The exact result of each function, to any precision, by MPFR, and to 64 bits by the C library. */

#include <float.h>
#include <mpfr.h>

enum { CUBE_OF = MG_POW_OF + 1, INVERSE_SQUARE_OF, FUNCTIONS };

static const char *const names[FUNCTIONS] = {
#define NAMED(name, ...) #name,
    MG_FUNCTIONS(NAMED) "pow", "cube", "x^-2",
#undef NAMED
};

/* Into out, rounded once to its precision. Returns on which side of the result it lies, as MPFR
   does. It has no sigmoid or softplus: those are off by less than 2^4 units of the last bit. */
static int compute(mpfr_t out, int f, mpfr_t x, mpfr_t y) {
    switch (f) {
        case MG_EXP_OF: return mpfr_exp(out, x, MPFR_RNDN);
        case MG_EXPM1_OF: return mpfr_expm1(out, x, MPFR_RNDN);
        case MG_LOG_OF: return mpfr_log(out, x, MPFR_RNDN);
        case MG_LOG1P_OF: return mpfr_log1p(out, x, MPFR_RNDN);
        case MG_SIN_OF: return mpfr_sin(out, x, MPFR_RNDN);
        case MG_COS_OF: return mpfr_cos(out, x, MPFR_RNDN);
        case MG_ATAN_OF: return mpfr_atan(out, x, MPFR_RNDN);
        case MG_TANH_OF: return mpfr_tanh(out, x, MPFR_RNDN);
        case MG_ERF_OF: return mpfr_erf(out, x, MPFR_RNDN);
        case MG_POW_OF: return mpfr_pow(out, x, y, MPFR_RNDN);
        case CUBE_OF: return mpfr_pow_ui(out, x, 3, MPFR_RNDN);
        case INVERSE_SQUARE_OF: return mpfr_pow_si(out, x, -2, MPFR_RNDN);
    }
    const int positive = mpfr_sgn(x) > 0;
    mpfr_t e, below;
    mpfr_inits2(mpfr_get_prec(out), e, below, NULL);
    mpfr_abs(e, x, MPFR_RNDN);
    mpfr_neg(e, e, MPFR_RNDN);
    mpfr_exp(e, e, MPFR_RNDN); /* e^-|x| */
    if (f == MG_SIGMOID_OF) {
        mpfr_add_ui(below, e, 1, MPFR_RNDN);
        if (positive) mpfr_set_ui(e, 1, MPFR_RNDN);
        mpfr_div(out, e, below, MPFR_RNDN);
    } else {
        mpfr_log1p(out, e, MPFR_RNDN);
        if (positive) mpfr_add(out, x, out, MPFR_RNDN);
    }
    mpfr_clears(e, below, NULL);
    return 0;
}

/* Another's work, and cheap. It may be off by 2^-58 of the result; `bounds` measures what it is. */
#define EXTENDED_ERROR 0x1p-58

static long double extended(int f, double x, double y) {
    const long double z = x;
    switch (f) {
        case MG_EXP_OF: return expl(z);
        case MG_EXPM1_OF: return expm1l(z);
        case MG_LOG_OF: return logl(z);
        case MG_LOG1P_OF: return log1pl(z);
        case MG_SIN_OF: return sinl(z);
        case MG_COS_OF: return cosl(z);
        case MG_ATAN_OF: return atanl(z);
        case MG_TANH_OF: return tanhl(z);
        case MG_SIGMOID_OF: return (z > 0 ? 1.0L : expl(z)) / (1.0L + expl(-fabsl(z)));
        case MG_SOFTPLUS_OF: return (z > 0 ? z : 0.0L) + log1pl(expl(-fabsl(z)));
        case MG_ERF_OF: return erfl(z);
        case MG_POW_OF: return powl(z, y);
        case CUBE_OF: return z * z * z;
        default: return 1.0L / (z * z);
    }
}
