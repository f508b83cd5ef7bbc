# The loops in C, and the choice among them.

cdef extern from "kernels.h":
    cdef enum:
        BLOCK
        DOT_SHARED "MG_DOT_SHARED"
        DOT_SWAPPED "MG_DOT_SWAPPED"
        TAPE_END "MG_TAPE_END"
        LAYER "MG_LAYER"
    ctypedef struct Instruction:
        int32_t op, out, x, y, count
    ctypedef struct Program:
        Instruction* code
        Py_ssize_t length
        int32_t* terms
        int32_t constants
        int32_t differentiated
        const int32_t* layers
    ctypedef struct Block:
        double* values
        double* grads
        double* shared
        double* shared_grads
        unsigned char* is_new
        Py_ssize_t stride
        Py_ssize_t rows
    ctypedef struct Table:
        char* data
        Py_ssize_t rows
        Py_ssize_t row_step, column_step
    ctypedef struct Kernels:
        void (*forward)(Program*, Block*, int) noexcept nogil
        void (*backward)(Program*, Block*, int) noexcept nogil
        void (*load)(Table*, Block*, Py_ssize_t) noexcept nogil
        bint (*is_loaded)(Table*, Block*, Py_ssize_t) noexcept nogil
        void (*store_outputs)(Table*, Block*, int32_t*, Py_ssize_t) noexcept nogil
        void (*sow)(Table*, Program*, Block*, int32_t*, Py_ssize_t) noexcept nogil
        void (*store_gradient)(Table*, Block*, Py_ssize_t) noexcept nogil
    const Kernels* kernels "mg_kernels"
    const char* choose_kernels "mg_choose_kernels"(const char*) noexcept
    bint is_dense(Table*, Py_ssize_t) noexcept nogil
    double (*function_to_ask "mg_ask_reference")(int f, double x, double y) noexcept

cdef bytes wanted_cpu = os.environ.get("MICROGRAD_CPU", "").encode()
cdef const char* cpu = NULL
if wanted_cpu:
    cpu = wanted_cpu
if choose_kernels(cpu) == NULL:
    raise ImportError(
        f"MICROGRAD_CPU must be 'plain', 'avx2' or 'avx512' and one that this machine has, "
        f"got {wanted_cpu.decode()!r}"
    )

function_to_ask = ask_reference

cdef void* memory(size_t size) except NULL:
    cdef void* out = PyMem_Malloc(size if size else 1)
    if out == NULL:
        raise MemoryError
    return out
