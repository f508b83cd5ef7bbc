# What the functions in C leave open, the reference decides.

cdef extern from "rounded.h" nogil:
    void choose_functions "mg_choose_functions"(bint plain)
    double (*function_to_ask "mg_ask_reference")(int f, double x, double y) noexcept
    double (*rounded_pow "mg_pow")(double x, double y) noexcept
    enum: POW_OF "MG_POW_OF"

cdef list FUNCTIONS = [
    "exp", "expm1", "log", "log1p", "sin", "cos", "atan", "tanh", "sigmoid", "softplus", "erf", "pow"
]  # by the numbers in rounded.h

cdef double ask_reference(int f, double x, double y) noexcept with gil:
    """Never in vain: an interrupt has to wait until there is an answer, and memory may return."""
    cdef bint interrupted = False
    while True:
        try:
            function = getattr(rounded, FUNCTIONS[f])
            answer = function(x, y) if f == POW_OF else function(x)
            if interrupted:
                PyErr_SetInterrupt()
            return answer
        except KeyboardInterrupt:
            interrupted = True
        except MemoryError:
            pass
        except Exception:  # mpmath is not there
            sys.excepthook(*sys.exc_info())
            return NAN

cdef double power(double x, double y) noexcept nogil:
    return rounded_pow(x, y)

choose_functions(os.environ.get("MICROGRAD_CPU") == "plain")
function_to_ask = ask_reference
