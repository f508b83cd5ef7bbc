"""A node's memory, and what other modules build from it.

A Value is 80 bytes: a garbage collector's header of 16, the 16 of every Python object, and the 48
below.
"""

from cpython.object cimport PyObject

cdef extern from "operations.h" nogil:
    ctypedef enum Op "mg_operation":
        LEAF "MG_LEAF"
        CUSTOM "MG_CUSTOM"  # Value(data, children, op)
        LOCAL "MG_LOCAL"  # Value(data, children, local_grads)
        ADD "MG_ADD"
        SUB "MG_SUB"
        MUL "MG_MUL"
        DIV "MG_DIV"
        NEG "MG_NEG"
        MAXIMUM "MG_MAXIMUM"
        MINIMUM "MG_MINIMUM"
        LARGER "MG_LARGER"
        SMALLER "MG_SMALLER"
        SIGN "MG_SIGN"
        WHERE "MG_WHERE"
        POW "MG_POW"
        POWER "MG_POWER"  # by a constant
        ABS "MG_ABS"
        EXP "MG_EXP"
        EXPM1 "MG_EXPM1"
        LOG "MG_LOG"
        LOG1P "MG_LOG1P"
        SQRT "MG_SQRT"
        SIN "MG_SIN"
        COS "MG_COS"
        ATAN "MG_ATAN"
        TANH "MG_TANH"
        SIGMOID "MG_SIGMOID"
        SOFTPLUS "MG_SOFTPLUS"
        ERF "MG_ERF"
        RELU "MG_RELU"
        LEAKY_RELU "MG_LEAKY_RELU"
        DOT "MG_DOT"
        SUM "MG_SUM"
        NORM "MG_NORM"
        END "MG_END"  # one more than the last
    const char* name_of "mg_name"(Op op) noexcept  # NULL for CUSTOM and LOCAL
    int arity_of "mg_arity"(Op op) noexcept  # more than any for what takes any number
    bint has_block "mg_has_block"(int op) noexcept
    double value_of "mg_value"(Op op, double a, double b, double c, double k) noexcept
    double root_of "mg_sqrt"(double x) noexcept
    double length_of "mg_length"(double norm) noexcept
    double passed_by_norm "mg_passed_by_norm"(double norm, double g) noexcept
    void step "mg_step"(
        Op op, double g, double out, double k, double* x, double* y, double* z
    ) noexcept

cdef enum Flag:
    TRACKED = 1  # takes part in garbage collection
    VISITED = 2  # in a topological sort; clear whenever Python code can run
    CONSTANT = 4  # made from a number operand
    BLANK = 8  # made by __new__, still without __init__
    COMPARED = 16  # with < <= > >=, of which a Tape warns
    VARYING = 32  # an input, while a Tape numbers the nodes

cdef union Second:
    PyObject* operand  # of a binary operation, owned
    double exponent  # of POWER
    # Owned, of owned operands, if there may be more than two. CUSTOM has two more items, name and
    # closure; LOCAL has one more, name, and then a double for each operand.
    PyObject** block

cdef class Value:
    cdef double _data
    cdef double _grad
    cdef PyObject* first  # the operand, or the first of two, owned; adjoins second
    cdef Second second
    cdef PyObject* attributes  # a dict, the label among them, owned; NULL for none
    cdef unsigned char op
    cdef unsigned char flags
    cdef unsigned int count  # of operands

cdef struct Stack:
    PyObject** items  # owned
    size_t size
    size_t capacity

cdef inline PyObject** operands(Value node) noexcept:
    """Where the node's count operands lie."""
    return node.second.block if has_block(node.op) else &node.first

cdef extern from *:
    """
    #define MG_LIST_ITEMS(list) (((PyListObject *)(list))->ob_item)
    #define MG_TUPLE_ITEMS(tuple) (((PyTupleObject *)(tuple))->ob_item)
    """
    PyObject** list_items "MG_LIST_ITEMS"(list) noexcept
    PyObject** tuple_items "MG_TUPLE_ITEMS"(tuple) noexcept

cdef extern from "ieee.h" nogil:
    void prefetch "MG_PREFETCH"(void* address) noexcept

cdef enum:
    AHEAD = 16  # nodes, in whose time memory answers

cdef inline void fetch(PyObject* node) noexcept:
    """Ask memory for a node's flags and count, and most likely its operands; any address will do."""
    prefetch(<void*>(<size_t>node + sizeof(PyObject) + 5 * sizeof(double)))

cdef inline void look_ahead(Stack* order, size_t i) noexcept:
    """Ask for the node that comes AHEAD of i: in a large graph it lies anywhere."""
    if i + AHEAD < order.size:
        fetch(order.items[i + AHEAD])

cdef inline void look_back(Stack* order, size_t i) noexcept:
    if i >= AHEAD:
        fetch(order.items[i - AHEAD])

cdef double ask_reference(int f, double x, double y) noexcept with gil
cdef double power(double x, double y) noexcept nogil
cdef str type_name(object x)
cdef str shown_name(Op op)
cdef double number(object x, str what) except? -1
cdef Value operand(object x)
cpdef list values(object xs)
cdef Value constant_of(double data)
cdef Value unary_of(Op op, Value a)
cdef Value binary_of(Op op, Value a, Value b)
cdef Value ternary_node(Op op, Value a, Value b, Value c)
cdef PyObject** new_block(size_t n) except NULL
cdef void release_block(PyObject** block, size_t count) noexcept
cdef Value node_of_block(Op op, PyObject** block, size_t count, double data, int flags)
cdef Value node_of(Op op, list held, double exponent)
cdef Value dot_of(list xv, list yv, Value start)
cdef int enter_nested(str what) except -1
cdef void leave_nested() noexcept
cdef object label_of(Value node)
cdef bint is_detecting() noexcept
cdef int checked_step(Value node) except -1
cdef int topological_order(
    PyObject** roots, size_t count, bint leaves, Stack* order
) except -1
cdef void stack_init(Stack* stack) noexcept
cdef void stack_free(Stack* stack) noexcept
cdef int give_signature(object kind, str signature) except -1
