"""A node's memory, and what other modules build from it.

A Value is 80 bytes: a garbage collector's header of 16, the 16 of every Python object, and the 48
below.
"""

from cpython.object cimport PyObject

cdef enum Op:
    LEAF
    CUSTOM  # Value(data, children, op)
    LOCAL  # Value(data, children, local_grads)
    ADD
    SUB
    MUL
    DIV
    MAX
    POW  # of two Values
    POWER  # by a constant
    NEG
    ABS
    EXP
    LOG
    SQRT
    SIN
    COS
    TANH
    SIGMOID
    RELU
    DOT
    SUM

cdef enum Flag:
    TRACKED = 1  # takes part in garbage collection
    VISITED = 2  # in a topological sort; clear whenever Python code can run
    CONSTANT = 4  # made from a number operand
    BLANK = 8  # made by __new__, still without __init__

cdef union Second:
    PyObject* operand  # of a binary operation, owned
    double exponent  # of POWER
    # Owned, of owned operands: DOT, SUM; CUSTOM has two more, name and closure; LOCAL has one more,
    # name, and then a double for each operand.
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

cdef inline bint has_block(unsigned char op) noexcept:
    return op == DOT or op == SUM or op == CUSTOM or op == LOCAL

cdef extern from *:
    """
    #define MG_LIST_ITEMS(list) (((PyListObject *)(list))->ob_item)
    #define MG_TUPLE_ITEMS(tuple) (((PyTupleObject *)(tuple))->ob_item)
    """
    PyObject** list_items "MG_LIST_ITEMS"(list) noexcept
    PyObject** tuple_items "MG_TUPLE_ITEMS"(tuple) noexcept

cdef str type_name(object x)
cdef str operation_name(int op)
cdef double number(object x, str what) except? -1
cdef Value operand(object x)
cpdef list values(object xs)
cdef Value unary_of(Op op, Value a)
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
cdef void clear_visited(Stack* order) noexcept
cdef void stack_init(Stack* stack) noexcept
cdef void stack_free(Stack* stack) noexcept
cdef int give_signature(object kind, str signature) except -1
