# cython: embedsignature=True, embedsignature.format=clinic
"""The autograd engine: Value, dot, sum, maximum, minimum and where.

A Value is a number that remembers which operation made it and from which operands. Calling
`backward` on a result walks that graph from the result to the leaves and leaves in every node's
`grad` the derivative of the result with respect to it.

The twin of `micrograd_ref.engine`, which is the specification: every formula here follows its
order of operations literally, because it decides the last bit.
"""

import copyreg
import sys
from contextlib import contextmanager
from functools import partial
from gc import get_referents

from micrograd_ref import engine as reference

from .wording import check_call, worded_as

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE, PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.limits cimport UINT_MAX
from libc.math cimport isfinite

__all__ = ["Value", "detect_anomaly", "dot", "maximum", "minimum", "where"]

cdef extern from *:
    """
    /* A node's second operand adjoins its first, and takes as much memory as a double. */
    #if SIZEOF_VOID_P != 8
    #error "micrograd_fast needs a 64-bit CPython: use micrograd_ref, which is pure Python, here"
    #endif

    #if defined(_MSC_VER)
    #define MG_OF_THIS_THREAD static __declspec(thread)
    #define MG_NOINLINE static __declspec(noinline)
    #else
    #define MG_OF_THIS_THREAD static __thread
    #define MG_NOINLINE static __attribute__((noinline))
    #endif
    MG_OF_THIS_THREAD int mg_running = 0;
    MG_OF_THIS_THREAD int mg_nested = 0;
    typedef struct {
        int running;    /* whether the operands of a node are being released */
        PyObject *dead; /* nodes whose operands are still to be, linked by attributes */
    } mg_release;
    MG_OF_THIS_THREAD mg_release mg_thread_release = {0, NULL};
    /* Inlined, every use of what it returns would look the thread up again. */
    MG_NOINLINE mg_release *mg_release_of_thread(void) { return &mg_thread_release; }

    /* The new reference that an owned pointer is. */
    #define MG_TAKE(p) ((void *)(p))
    """
    Value take "MG_TAKE"(PyObject* p)
    # Each thread has these for itself.
    int running "mg_running"  # calls of backward
    int nested "mg_nested"  # calls of what calls itself through Python
    ctypedef struct Release "mg_release":
        bint running
        PyObject* dead
    Release* release_of_thread "mg_release_of_thread"() noexcept

cdef extern from "Python.h":
    ctypedef int (*visitproc)(PyObject*, void*) noexcept
    ctypedef PyObject* const_args "PyObject *const"
    ctypedef object (*vectorcallfunc)(PyObject*, const_args*, size_t, PyObject*)
    ctypedef struct TypeSlots "PyTypeObject":
        Py_ssize_t tp_basicsize
        void (*tp_dealloc)(PyObject*) noexcept
        int (*tp_traverse)(PyObject*, visitproc, void*) noexcept
        int (*tp_clear)(PyObject*) noexcept
        void (*tp_free)(void*) noexcept
        Py_hash_t (*tp_hash)(PyObject*) except -1
        object (*tp_richcompare)(PyObject*, PyObject*, int)
        vectorcallfunc tp_vectorcall
        const char* tp_doc
        Py_ssize_t tp_dictoffset
        unsigned long tp_flags
    const unsigned long Py_TPFLAGS_HAVE_GC
    const unsigned long Py_TPFLAGS_IMMUTABLETYPE
    const unsigned long Py_TPFLAGS_HEAPTYPE
    void PyType_Modified(TypeSlots*)
    TypeSlots* Py_TYPE(PyObject*) noexcept
    void Py_SET_REFCNT(PyObject*, Py_ssize_t) noexcept
    PyObject* _PyObject_GC_New(TypeSlots*) noexcept
    void PyObject_GC_Del(void*) noexcept
    void PyObject_GC_Track(PyObject*) noexcept
    void PyObject_GC_UnTrack(PyObject*) noexcept
    bint PyObject_IS_GC(object) noexcept
    Py_ssize_t PyVectorcall_NARGS(size_t) noexcept
    object PyObject_Vectorcall(object, const_args*, size_t, PyObject*)
    int PyObject_GenericSetAttr(object, object, PyObject*) except -1
    object PyObject_GenericGetDict(object, void*)
    int PyObject_GenericSetDict(object, object, void*) except -1
    int PyErr_CheckSignals() except -1
    void PyErr_SetInterrupt() noexcept
    bint PyOS_InterruptOccurred() noexcept
    bint PyFloat_CheckExact(object) noexcept
    bint PyLong_CheckExact(object) noexcept
    double PyFloat_AS_DOUBLE(object) noexcept
    double PyLong_AsDouble(object) except? -1

# Quiet at a nan, as operations.h says.
cdef extern from "math.h" nogil:
    bint isgreater(double, double) noexcept
    bint isgreaterequal(double, double) noexcept
    bint isless(double, double) noexcept
    bint islessequal(double, double) noexcept

cdef TypeSlots* VALUE = <TypeSlots*>Value


cdef extern from "operations.h" nogil:
    double value_of "mg_value"(Op op, double a, double b, double c, double k) noexcept
    void step "mg_step"(
        Op op, double g, double out, double k, double* x, double* y, double* z
    ) noexcept


cdef inline double data_of(PyObject* node) noexcept:
    return (<Value>node)._data

cdef inline void add_grad(PyObject* node, double grad) noexcept:
    # Written out: for += Cython holds the node meanwhile, which takes longer than the addition.
    (<Value>node)._grad = (<Value>node)._grad + grad

cdef inline double* number_of(PyObject* node) noexcept:
    """Where its data lies, and behind that its grad."""
    return &(<Value>node)._data

cdef inline double* slopes_of(Value node) noexcept:
    """Of a LOCAL node."""
    return <double*>(node.second.block + node.count + 1)

cdef inline void dot_term_step(PyObject** pair, double g) noexcept:
    cdef double a = data_of(pair[0])
    cdef double b = data_of(pair[1])
    add_grad(pair[0], b * g)
    add_grad(pair[1], a * g)

cdef inline void backward_step(Value node) noexcept:
    """Add a built-in node's gradient into its operands."""
    cdef Op op = <Op>node.op
    if op == LEAF:
        return
    if has_block(op):
        block_step(node)
    else:
        step(
            op, node._grad, node._data, node.second.exponent,
            number_of(node.first), number_of(node.second.operand), NULL,
        )

cdef inline void block_step(Value node) noexcept:
    cdef Op op = <Op>node.op
    cdef double g = node._grad
    cdef PyObject** block = node.second.block
    cdef size_t i = node.count
    if op == DOT:
        # The chain that a dot stands for adds its last term first, and the start, at its first +,
        # before the first term.
        while i > 3:
            i -= 2
            dot_term_step(block + i, g)
        add_grad(block[0], g)
        if node.count > 1:
            dot_term_step(block + 1, g)
    elif op == SUM:
        while i > 0:
            i -= 1
            add_grad(block[i], g)
    elif op == LOCAL:
        for i in range(node.count):
            add_grad(block[i], slopes_of(node)[i] * g)
    else:
        step(
            op, g, node._data, 0.0, number_of(block[0]), number_of(block[1]), number_of(block[2])
        )

cdef str shown_name(Op op):
    """What the table calls an operation, None for one that has no row."""
    return None if name_of(op) == NULL else name_of(op).decode()

cdef list NAMES = [shown_name(<Op>op) for op in range(END)]


# Memory. In front of every node lies the header of a garbage collector: since CPython 3.14, freeing
# may write there. But built-in nodes hold only older nodes, so among themselves they form no
# cycles, and the collector need not know them. A node takes part in collection if it is a custom
# one with a closure, an instance of a subclass, has an operand that takes part, or has an attribute
# that may refer to others.

cdef enum:
    FREE_LIST_LIMIT = 65536

cdef PyObject* free_list = NULL  # nodes to use again, linked by attributes
cdef size_t free_count = 0

cdef inline PyObject* allocate(Op op, unsigned int count, int tracked, double data) except NULL:
    """A node without its operands. Its maker sets them and passes it to finished."""
    global free_list, free_count
    cdef PyObject* node
    if free_list != NULL:
        node = free_list
        free_list = (<Value>node).attributes
        free_count -= 1
        Py_SET_REFCNT(node, 1)
    else:
        node = new_memory()
    (<Value>node)._data = data
    (<Value>node)._grad = 0.0
    (<Value>node).attributes = NULL
    (<Value>node).op = op
    (<Value>node).flags = <unsigned char>tracked
    (<Value>node).count = count
    return node

cdef inline Value finished(PyObject* node, int tracked):
    """The node, known to the garbage collector if it takes part."""
    if tracked:
        PyObject_GC_Track(node)
    return checked(take(node)) if detecting else take(node)

cdef PyObject* new_memory() except NULL:
    cdef PyObject* memory = _PyObject_GC_New(VALUE)
    if memory == NULL:
        raise MemoryError
    return memory

cdef inline void free_memory(PyObject* self) noexcept:
    global free_list, free_count
    if free_count < FREE_LIST_LIMIT:
        (<Value>self).attributes = free_list
        free_list = self
        free_count += 1
    else:
        PyObject_GC_Del(self)

cdef void release_operands(PyObject* self) noexcept:
    """Turn a node into a leaf."""
    cdef PyObject** held
    cdef size_t count, i
    if has_block((<Value>self).op):
        held, count = (<Value>self).second.block, held_by(<Value>self)
        (<Value>self).op = LEAF
        (<Value>self).count = 0
        release_block(held, count)
        return
    held, count = &(<Value>self).first, (<Value>self).count
    (<Value>self).op = LEAF
    (<Value>self).count = 0
    for i in range(count):
        Py_DECREF(<object>held[i])

cdef inline size_t held_by(Value node) noexcept:
    """How many references lie where its operands do."""
    return node.count + (2 if node.op == CUSTOM else 1 if node.op == LOCAL else 0)

cdef void release_block(PyObject** block, size_t count) noexcept:
    cdef size_t i
    for i in range(count):
        Py_XDECREF(block[i])
    PyMem_Free(block)

cdef void value_dealloc(PyObject* self) noexcept:
    """Free a node, and without recursion whatever it was the last to hold."""
    cdef Release* release
    if (<Value>self).flags & TRACKED:
        PyObject_GC_UnTrack(self)
    Py_XDECREF((<Value>self).attributes)
    if Py_TYPE(self) != VALUE:  # an instance of a subclass: CPython's trashcan limits the recursion
        release_operands(self)
        Py_TYPE(self).tp_free(self)
        return
    if (<Value>self).op == LEAF:
        free_memory(self)
        return
    release = release_of_thread()
    if release.running:
        (<Value>self).attributes = release.dead
        release.dead = self
        return
    release.running = True
    while True:
        release_operands(self)
        free_memory(self)
        if release.dead == NULL:
            break
        self = release.dead
        release.dead = (<Value>self).attributes
    release.running = False

cdef int value_traverse(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef PyObject** held = operands(<Value>self)
    cdef size_t i
    cdef int stop
    if (<Value>self).attributes != NULL:
        stop = visit((<Value>self).attributes, arg)
        if stop:
            return stop
    for i in range(held_by(<Value>self)):
        if held[i] != NULL:
            stop = visit(held[i], arg)
            if stop:
                return stop
    return 0

cdef int value_clear(PyObject* self) noexcept:
    # Every cycle runs through a closure or through attributes.
    cdef PyObject* attributes = (<Value>self).attributes
    (<Value>self).attributes = NULL
    Py_XDECREF(attributes)
    if (<Value>self).op == CUSTOM:
        release_operands(self)
    return 0

cdef inline void take_part(PyObject* node) noexcept:
    if not (<Value>node).flags & TRACKED:
        (<Value>node).flags = (<Value>node).flags | TRACKED
        PyObject_GC_Track(node)

cdef int refer(PyObject* node, object x) except -1:
    """Take note that a node has an attribute x."""
    if PyObject_IS_GC(x):
        take_part(node)
        show_nodes(x)
    return 0

cdef int show_nodes(object x) except -1:
    """Let what was made before take part: the nodes under x with an operand that takes part.

    x: a Value, or a list, tuple, dict or set with Values in it, nested in any way.
    """
    cdef list pending = [x]
    cdef set seen = set()
    cdef Value node
    while pending:
        x = pending.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, Value):
            for node in graph_under(x):
                seen.add(id(node))
                if has_tracked_operand(node):
                    take_part(<PyObject*>node)
        elif isinstance(x, (list, tuple, dict, set, frozenset)):
            pending += get_referents(x)
    return 0

cdef bint has_tracked_operand(Value node) noexcept:
    cdef size_t i
    for i in range(node.count):
        if (<Value>operands(node)[i]).flags & TRACKED:
            return True
    return False


# From what a user writes to doubles and nodes.

cdef list numpy_numbers = []  # NumPy's scalar types that were found to be real numbers

cdef str type_name(object x):
    kind = type(x)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"

cdef bint is_number(object x) except -1:
    """Whether x is an int, float, bool or NumPy real scalar. NumPy is not imported to find out."""
    if isinstance(x, (int, float)) or is_numpy_number(<PyObject*>Py_TYPE(<PyObject*>x)):
        return True
    np = sys.modules.get("numpy")
    if (
        np is None
        or not issubclass(type(x), (np.floating, np.integer, np.bool_))
        or issubclass(type(x), np.timedelta64)
    ):
        return False
    if not Py_TYPE(<PyObject*>x).tp_flags & Py_TPFLAGS_HEAPTYPE:  # it lives for ever
        numpy_numbers.append(type(x))
    return True

cdef bint is_numpy_number(PyObject* kind) noexcept:
    """Whether it is a type known to be one. By address: a metaclass may forbid hashing."""
    cdef PyObject** kinds = list_items(numpy_numbers)
    cdef Py_ssize_t i
    for i in range(len(numpy_numbers)):
        if kinds[i] == kind:
            return True
    return False

cdef bint is_array(object x) except -1:
    np = sys.modules.get("numpy")
    return np is not None and isinstance(x, np.ndarray)

cdef inline bint to_double(object x, double* out) except -1:
    """Whether x is a number, and the number."""
    if PyFloat_CheckExact(x):
        out[0] = PyFloat_AS_DOUBLE(x)
        return True
    return to_double_of(x, out)

cdef bint to_double_of(object x, double* out) except -1:
    """The same for what is no plain float."""
    if PyLong_CheckExact(x):
        out[0] = PyLong_AsDouble(x)
    elif is_number(x):
        out[0] = PyFloat_AS_DOUBLE(float(x))
    else:
        return False
    return True

cdef double number(object x, str what) except? -1:
    cdef double out
    if not to_double(x, &out):
        way_out = ": use .item()" if is_array(x) else ""
        raise TypeError(f"{what} must be a real number, not '{type_name(x)}'{way_out}")
    return out

cdef object string(object x, str what):
    if not isinstance(x, str):
        raise TypeError(f"the {what} of a Value must be a str, not '{type_name(x)}'")
    return str.__str__(x)

cdef inline Value constant(double data):
    cdef PyObject* out = allocate(LEAF, 0, 0, data)
    (<Value>out).flags = CONSTANT
    return take(out)

cdef Value operand_or_none(object x):
    """x itself if it is a Value, a constant leaf if it is a number, else None."""
    cdef double data
    if isinstance(x, Value):
        return <Value>x
    return constant(data) if to_double(x, &data) else None

cdef Value operand(object x):
    """x itself if it is a Value, a constant leaf if it is a number."""
    cdef Value out = operand_or_none(x)
    if out is None:
        raise TypeError(
            f"unsupported operand for a Value: '{type_name(x)}' "
            "(expected a Value or a real number)"
        )
    return out

cpdef list values(object xs):
    """xs itself if it is a list of Values, else a list of its operands."""
    if type(xs) is list and all_values(<list>xs):
        return <list>xs
    return [operand(x) for x in list(xs)]

cdef bint all_values(list xs) noexcept:
    cdef PyObject** items = list_items(xs)
    cdef Py_ssize_t i
    for i in range(len(xs)):
        if Py_TYPE(items[i]) != VALUE:
            return False
    return True


# Making nodes.

cdef inline Value leaf(double data):
    return take(allocate(LEAF, 0, 0, data))

cdef inline Value unary(Op op, Value a, double exponent=0.0):
    cdef int tracked = a.flags & TRACKED
    cdef PyObject* out = allocate(op, 1, tracked, value_of(op, a._data, 0.0, 0.0, exponent))
    (<Value>out).first = hold(<PyObject*>a)
    (<Value>out).second.exponent = exponent
    return finished(out, tracked)

cdef Value unary_of(Op op, Value a):
    return unary(op, a)

cdef inline Value binary_node(Op op, Value a, Value b):
    cdef int tracked = (a.flags | b.flags) & TRACKED
    cdef PyObject* out = allocate(op, 2, tracked, value_of(op, a._data, b._data, 0.0, 0.0))
    (<Value>out).first = hold(<PyObject*>a)
    (<Value>out).second.operand = hold(<PyObject*>b)
    return finished(out, tracked)

cdef inline PyObject* hold(PyObject* node) noexcept:
    """A reference of one's own."""
    Py_INCREF(<object>node)
    return node

cdef inline object binary(Op op, object left, object right):
    if Py_TYPE(<PyObject*>left) == VALUE and Py_TYPE(<PyObject*>right) == VALUE:
        return binary_node(op, <Value>left, <Value>right)
    return binary_mixed(op, left, right)

cdef object binary_mixed(Op op, object left, object right):
    """The node of a binary operator, or an object array of them if one side is an array."""
    cdef double data
    if Py_TYPE(<PyObject*>left) == VALUE and to_double(right, &data):
        return binary_node(op, <Value>left, constant(data))
    if Py_TYPE(<PyObject*>right) == VALUE and to_double(left, &data):
        return binary_node(op, constant(data), <Value>right)
    cdef Value a = operand_or_none(left)
    cdef Value b = operand_or_none(right)
    if (a is None and is_array(left)) or (b is None and is_array(right)):
        return elementwise(UFUNCS[op], left, right)
    return binary_node(op, operand(left) if a is None else a, operand(right) if b is None else b)

cdef dict UFUNCS = {ADD: "add", SUB: "subtract", MUL: "multiply", DIV: "divide", POW: "power"}
cdef dict RELATIONS = {
    Py_LT: "less", Py_LE: "less_equal", Py_GT: "greater", Py_GE: "greater_equal"
}

cdef object elementwise(str name, object left, object right):
    """A function of NumPy for an operator, which asks each element for it."""
    import numpy as np

    enter_nested("arrays within arrays")
    try:
        return getattr(np, name)(left, right)
    finally:
        leave_nested()

cdef int enter_nested(str what) except -1:
    """Count a call that may call itself through Python: the C stack is not CPython's to watch."""
    global nested
    if nested == 200:
        raise RecursionError(f"maximum recursion depth exceeded: {what}")
    nested += 1
    return 0

cdef void leave_nested() noexcept:
    global nested
    nested -= 1

cdef PyObject** new_block(size_t n) except NULL:
    if n > <size_t>UINT_MAX:
        raise OverflowError(f"a node has up to {UINT_MAX} operands, got {n}")
    cdef PyObject** block = <PyObject**>PyMem_Malloc(n * sizeof(PyObject*))
    if block == NULL:
        raise MemoryError
    return block

cdef Value block_node(Op op, PyObject** block, size_t count, double data):
    """The node of an operation over a block, which passes to it with its references."""
    cdef PyObject* out
    cdef int tracked = 0
    cdef size_t i
    for i in range(count):
        tracked |= (<Value>block[i]).flags
    tracked &= TRACKED
    try:
        out = allocate(op, <unsigned int>count, tracked, data)
    except MemoryError:
        release_block(block, count)
        raise
    (<Value>out).second.block = block
    return finished(out, tracked)

cdef Value ternary_node(Op op, Value a, Value b, Value c):
    cdef PyObject** block = new_block(3)
    block[0] = hold(<PyObject*>a)
    block[1] = hold(<PyObject*>b)
    block[2] = hold(<PyObject*>c)
    return block_node(op, block, 3, value_of(op, a._data, b._data, c._data, 0.0))

# Python that ran since a list was made may have found it, and put something else into it. So the
# makers of blocks look again, and no Python runs from there until they hold the operands.

cdef int still_values(list xs, size_t n) except -1:
    cdef PyObject** items = list_items(xs)
    cdef size_t i
    if <size_t>len(xs) == n:
        for i in range(n):
            if Py_TYPE(items[i]) != VALUE and not isinstance(<object>items[i], Value):
                break
        else:
            return 0
    raise RuntimeError("a list of operands was changed while a node was made of it")

cdef Value dot_of(list xv, list yv, Value start):
    """start + xv[0] * yv[0] + ..."""
    cdef size_t n = len(xv), i
    cdef PyObject** block = new_block(2 * n + 1)
    try:
        still_values(xv, n)
        still_values(yv, n)
    except RuntimeError:
        PyMem_Free(block)
        raise
    cdef PyObject** xs = list_items(xv)
    cdef PyObject** ys = list_items(yv)
    cdef double total = start._data
    block[0] = hold(<PyObject*>start)
    for i in range(n):
        block[2 * i + 1] = hold(xs[i])
        block[2 * i + 2] = hold(ys[i])
        total = total + data_of(xs[i]) * data_of(ys[i])
    return block_node(DOT, block, 2 * n + 1, total)

cdef Value sum_of(list terms, Value start):
    """start + terms[0] + ..."""
    cdef size_t n = len(terms), i
    cdef PyObject** block = new_block(n + 1)
    try:
        still_values(terms, n)
    except RuntimeError:
        PyMem_Free(block)
        raise
    cdef PyObject** items = list_items(terms)
    cdef double total = start._data
    block[0] = hold(<PyObject*>start)
    for i in range(n):
        block[i + 1] = hold(items[i])
        total = total + data_of(items[i])
    return block_node(SUM, block, n + 1, total)

cdef object compare(int relation, Value left, object right):
    cdef double a = left._data  # before right may run Python
    cdef Value other = operand_or_none(right)
    if other is None and is_array(right):
        return elementwise(RELATIONS[relation], left, right)
    if other is None:
        other = operand(right)
    cdef double b = other._data
    left.flags = left.flags | COMPARED
    other.flags = other.flags | COMPARED
    if relation == Py_LT: return isless(a, b)
    if relation == Py_LE: return islessequal(a, b)
    if relation == Py_GT: return isgreater(a, b)
    return isgreaterequal(a, b)


# Anomalies.

cdef int detecting = 0  # how many detect_anomaly blocks are open

@worded_as(reference.detect_anomaly)
@contextmanager
def detect_anomaly():
    """Within this block, an operation that turns finite numbers into nan or inf is an error.

    Raises FloatingPointError at the first one, in building a graph, in `backward` or in a Tape. It
    names the operation, its operands' data and labels, and in a Tape the row. A forward operation
    that fails makes no node; after a failure in `backward` the grads are incomplete.
    Cost: none that can be measured outside the block. Inside it, `backward` takes several times as
    long, and a Tape as long as the eager graph of each row.
    """
    global detecting
    detecting += 1
    try:
        yield
    finally:
        detecting -= 1

cdef bint is_detecting() noexcept:
    return detecting != 0

cdef bint all_finite(tuple nodes) noexcept:
    for x in nodes:
        if not isfinite((<Value>x)._data):
            return False
    return True

cdef str described(tuple nodes):
    cdef Value x
    shown = []
    for x in nodes[:8]:
        shown.append(repr(x._data) + (f" ({label_of(x)!r})" if label_of(x) else ""))
    return ", ".join(shown) + (", ..." if len(nodes) > 8 else "")

cdef int check_forward(str name, tuple operands, double data) except -1:
    if operands and not isfinite(data) and all_finite(operands):
        raise FloatingPointError(f"{name!r} made {data} of {described(operands)}")
    return 0

cdef Value checked(Value node):
    check_forward(node._op, children_of(node), node._data)
    return node

cdef int checked_step(Value node) except -1:
    """The step of a node, and whether it spoils a gradient."""
    cdef tuple held = children_of(node)
    cdef list finite = [isfinite((<Value>x)._grad) for x in held]
    python_step(node)
    if not isfinite(node._grad) or not all_finite(held):
        return 0
    for x, was_finite in zip(held, finite):
        if was_finite and not isfinite((<Value>x)._grad):
            raise FloatingPointError(
                f"backward of {node._op!r} made a gradient {(<Value>x)._grad} of {node._grad} "
                f"for {described(held)}"
            )
    return 0


# The order of a graph. Scratch stacks belong to the call, so that backward can be entered again
# from a custom operation, and not to its frame, so that this takes little of the C stack.

cdef enum:
    SMALL_STACK = 256

cdef PyObject** spare_stacks[2]  # of items of small stacks, to use again
cdef int spare_count = 0

cdef void stack_init(Stack* stack) noexcept:
    stack.items = NULL
    stack.size = stack.capacity = 0

cdef void stack_free(Stack* stack) noexcept:
    global spare_count
    if stack.capacity == SMALL_STACK and spare_count < 2:
        spare_stacks[spare_count] = stack.items
        spare_count += 1
    else:
        PyMem_Free(stack.items)

cdef inline bint stack_push(Stack* stack, PyObject* item) noexcept:
    """Whether there was memory for it."""
    if stack.size == stack.capacity and not stack_grow(stack):
        return False
    stack.items[stack.size] = item
    stack.size += 1
    return True

cdef bint stack_grow(Stack* stack) noexcept:
    global spare_count
    cdef size_t capacity = 2 * stack.capacity if stack.capacity else SMALL_STACK
    cdef PyObject** items
    if not stack.capacity and spare_count:
        spare_count -= 1
        items = spare_stacks[spare_count]
    else:
        items = <PyObject**>PyMem_Realloc(stack.items, capacity * sizeof(PyObject*))
    if items == NULL:
        return False
    stack.items = items
    stack.capacity = capacity
    return True

cdef enum:
    COMPLETE = 1  # in an address on the stack of the sort: the node's operands are in order
    BETWEEN_SIGNALS = 1 << 16  # nodes and operands, a few milliseconds

cdef enum Outcome:
    SORTED
    NO_MEMORY
    INTERRUPTED

cdef int topological_order(
    PyObject** roots, size_t count, bint leaves, Stack* order
) except -1:
    """Put the nodes under some roots into order, operands before the nodes made of them.

    Depth-first, operands in order. Plain leaves are left out unless asked for: they have no step.
    The nodes are left flagged as VISITED; after an error they are not.
    """
    cdef Stack pending
    cdef Outcome outcome = INTERRUPTED
    cdef size_t i, entry, patience = BETWEEN_SIGNALS
    while outcome == INTERRUPTED:
        order.size = 0
        stack_init(&pending)
        outcome = SORTED
        for i in range(count):
            if outcome == SORTED:
                outcome = sort(roots[i], leaves, patience, order, &pending)
        if outcome != SORTED:
            clear_visited(order)
            for i in range(pending.size):
                entry = <size_t>pending.items[i]
                clear_flag(<PyObject*>(entry & ~<size_t>COMPLETE))
        stack_free(&pending)
        if outcome == NO_MEMORY:
            raise MemoryError
        if outcome == INTERRUPTED:  # the flags are clear: the handler may run, and raise
            PyErr_SetInterrupt()
            PyErr_CheckSignals()
            patience *= 2  # it returned: start again, and get further before the next signal
    return 0

cdef Outcome sort(
    PyObject* root, bint leaves, size_t patience, Stack* order, Stack* pending
) noexcept:
    cdef size_t entry, i, steps = 0
    cdef PyObject* node
    cdef PyObject* child
    cdef PyObject** held
    if not stack_push(pending, root):
        return NO_MEMORY
    while pending.size:
        if steps >= patience:
            steps = 0
            if PyOS_InterruptOccurred():
                return INTERRUPTED
        entry = <size_t>pending.items[pending.size - 1]
        node = <PyObject*>(entry & ~<size_t>COMPLETE)
        if entry & COMPLETE:
            if not stack_push(order, node):
                return NO_MEMORY
            pending.size -= 1
        elif (<Value>node).flags & VISITED:
            pending.size -= 1
        else:
            # A flag, not a set: clearing it again is all that being visited costs.
            (<Value>node).flags = (<Value>node).flags | VISITED
            pending.items[pending.size - 1] = <PyObject*>(entry | COMPLETE)
            held = operands(<Value>node)
            i = (<Value>node).count
            steps += 1 + i
            while i > 0:
                i -= 1
                child = held[i]
                if (<Value>child).flags & VISITED:
                    continue
                if (leaves or has_step(child)) and not stack_push(pending, child):
                    return NO_MEMORY
    return SORTED

cdef inline bint has_step(PyObject* node) noexcept:
    """False for a plain leaf; one of a subclass may define _backward."""
    return (<Value>node).op != LEAF or (<Value>node).flags & TRACKED

cdef void clear_visited(Stack* order) noexcept:
    cdef size_t i
    for i in range(order.size):
        clear_flag(order.items[i])

cdef inline void clear_flag(PyObject* node) noexcept:
    (<Value>node).flags = (<Value>node).flags & ~VISITED

cdef enum:
    DEEPEST = 100  # calls of backward within backward

cdef int run_backward(PyObject* root) except -1:
    global running
    cdef Stack order
    cdef PyObject* node
    cdef size_t i, steps = 0
    if running == DEEPEST:
        raise RecursionError(f"backward is called within backward more than {DEEPEST} deep")
    running += 1
    stack_init(&order)
    try:
        topological_order(&root, 1, False, &order)
        if (<Value>root).flags & TRACKED:  # as everything is that has a closure under it
            clear_visited(&order)
            for i in range(order.size):
                check_step(<Value>order.items[i])
        for i in range(order.size):
            node = order.items[i]
            clear_flag(node)
            if (<Value>node).count:
                (<Value>node)._grad = 0.0
        (<Value>root)._grad = 1.0
        i = order.size
        while i > 0:
            i -= 1
            node = order.items[i]
            if detecting:
                checked_step(<Value>node)
            elif (<Value>node).op == CUSTOM or (<Value>node).flags & TRACKED:
                python_step(<Value>node)
            else:
                backward_step(<Value>node)
            steps += 1 + (<Value>node).count
            if steps >= BETWEEN_SIGNALS:
                steps = 0
                PyErr_CheckSignals()
    finally:
        running -= 1
        stack_free(&order)
    return 0

cdef int python_step(Value node) except -1:
    """The step of a node that may have one in Python."""
    if type(node) is not Value or node.op == CUSTOM:
        node._backward()
    else:
        backward_step(node)
    return 0

def _step(Value node not None):
    """Add a node's gradient into its operands, if it has no closure for that."""
    if node.op != CUSTOM:
        backward_step(node)
    elif node.count:
        raise ValueError(
            f"the custom operation {node._op!r} has no _backward: assign one (lambda: None passes "
            "no gradient), or make it with local_grads"
        )

cdef int check_step(Value node) except -1:
    """Raise what a step would that was never assigned; a subclass may have its own."""
    if node.op == CUSTOM and node.second.block[node.count + 1] == NULL:
        if type(node) is Value or type(node)._backward is Value._backward:
            _step(node)
    return 0


cdef tuple FIELDS = (
    "data", "grad", "label", "_op", "_children", "_prev", "_backward", "_local_grads"
)

cdef object fixed(str name):
    return AttributeError(f"{name} of a Value cannot be changed: make a new Value")


@cython.binding(False)
@cython.auto_pickle(False)
@cython.c_api_binop_methods(True)
cdef class Value:
    """A number in a graph, with the gradient of the graph's result with respect to it.

    data: an int, float, bool or NumPy real scalar; kept as a float.
    _children: for a custom operation, the Values that it was computed from, in operand order.
    _op: for a custom operation, its name.
    label: any string; shown by draw_dot.
    local_grads: for a custom operation, the derivative with respect to each child, as a number.

    Operators and methods make new nodes: + - * / ** and negation, abs, exp, log, sqrt, sin, cos,
    tanh, sigmoid, relu, leaky_relu, silu, clip. A number operand becomes a constant leaf. Values
    compare by their data with < <= > >=, and are equal only to themselves. Arithmetic is IEEE-754:
    overflow gives inf, an invalid operation nan, and nothing raises.

    A custom operation is out = Value(data, (a, b), 'name') and out._backward = a function of no
    arguments that adds into a.grad and b.grad. Or it is Value(data, (a, b), (da, db)), where da and
    db are its local gradients: then backward adds da * out.grad and db * out.grad, in this order.
    It is called 'custom', or by the name in Value(data, (a, b), 'name', local_grads=(da, db)).

    A Value takes further attributes, v.name = x, which are copied and pickled with it. A label is
    one of them. A cycle through them is freed by the garbage collector. With micrograd_fast, it
    does not see one through c = v * 2 if c was made before v had attributes, unless c is under a
    Value that was assigned to an attribute, alone or in a list, tuple, dict or set: v.list = [c],
    not v.list.append(c). Such an assignment costs a walk over the graph under the Value.

    Raises TypeError for data that is no real number (a Fraction or a Decimal is none: pass a float
    of it), OverflowError for an int beyond a double, ValueError for another number of local
    gradients than of children.
    """

    # Above that of NumPy's scalars, which leave their operators to a Value, and below that of its
    # arrays, which take a Value for an element: in place and by name too.
    __array_priority__ = -1.0

    def __cinit__(self):
        # A leaf of 0.0 until __init__ has run, so that no Value is ever without its fields.
        self.flags = TRACKED | BLANK

    def __init__(self, *args, **kwargs):
        try:
            if len(args) == 1 and not kwargs:  # most often
                initialise(self, args[0], (), "", "", None)
            else:
                _initialise(self, *args, **kwargs)
        except TypeError:
            check_call(reference.Value.__init__, (self, *args), kwargs)
            raise

    @property
    def data(self):
        """The value. Assigning converts to a float; nodes computed from it before keep theirs."""
        return self._data

    @data.setter
    def data(self, x):
        self._data = number(x, "the data of a Value")

    @property
    def grad(self):
        """The derivative of the last backward's root with respect to this Value; 0.0 at first."""
        return self._grad

    @grad.setter
    def grad(self, x):
        self._grad = number(x, "the grad of a Value")

    @property
    def label(self):
        """A name to show in drawings."""
        return label_of(self)

    @label.setter
    def label(self, x):
        set_label(self, string(x, "label"))

    @property
    def _op(self):
        """The operation that made this node, '' for a leaf."""
        if self.op == CUSTOM or self.op == LOCAL:
            return <object>self.second.block[self.count]
        if self.op == POWER:
            return f"**{self.second.exponent:g}"
        return NAMES[self.op]

    @_op.setter
    def _op(self, _):
        raise fixed("_op")

    @property
    def _children(self):
        """The operands in order."""
        return children_of(self)

    @_children.setter
    def _children(self, _):
        raise fixed("_children")

    @property
    def _prev(self):
        """The operands as a new set."""
        return set(children_of(self))

    @_prev.setter
    def _prev(self, _):
        raise fixed("_prev")

    @property
    def _backward(self):
        """Adds this node's gradient into its operands; does nothing on a leaf.

        Assignable on a custom operation, AttributeError elsewhere.
        """
        cdef PyObject* closure = NULL
        if self.op == CUSTOM:
            closure = self.second.block[self.count + 1]
        return partial(_step, self) if closure == NULL else <object>closure

    @_backward.setter
    def _backward(self, closure):
        cdef PyObject* old
        if self.op != CUSTOM:
            raise AttributeError(
                "_backward can be set only on a custom operation: make one with its operands, "
                "out = Value(data, (a, b), 'name'), and set out._backward"
            )
        if not callable(closure):
            raise TypeError(f"_backward must be callable, not '{type_name(closure)}'")
        old = self.second.block[self.count + 1]
        Py_INCREF(closure)
        self.second.block[self.count + 1] = <PyObject*>closure
        Py_XDECREF(old)

    @property
    def _local_grads(self):
        """What this node's step adds to each operand's grad of 0.0 if its own grad is 1.0.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """
        return local_grads_of(self)

    @_local_grads.setter
    def _local_grads(self, _):
        raise fixed("_local_grads")

    @property
    def __dict__(self):
        take_part(<PyObject*>self)  # whoever has the dictionary may put anything into it
        return PyObject_GenericGetDict(self, NULL)

    @__dict__.setter
    def __dict__(self, attributes):
        PyObject_GenericSetDict(self, attributes, NULL)
        refer(<PyObject*>self, attributes)

    @__dict__.deleter
    def __dict__(self):
        cdef PyObject* attributes = self.attributes
        self.attributes = NULL
        Py_XDECREF(attributes)

    def __setattr__(self, name, x):
        PyObject_GenericSetAttr(self, name, <PyObject*>x)
        if self.attributes != NULL or type(self) is not Value:
            refer(<PyObject*>self, x)

    def __delattr__(self, name):
        if name in FIELDS:
            raise AttributeError(f"{name} of a Value cannot be deleted")
        PyObject_GenericSetAttr(self, name, NULL)

    def __sizeof__(self):
        cdef Py_ssize_t size = VALUE.tp_basicsize
        if has_block(self.op):
            size += held_by(self) * sizeof(PyObject*)
        if self.op == LOCAL:
            size += self.count * sizeof(double)
        return size

    @cython.embedsignature(False)
    def backward(self, *args, **kwargs):
        """backward($self)
--

Compute the gradient of this Value with respect to every node under it.

        Sets this node's grad to 1.0, recomputes the grads of all nodes that have operands from
        zero, and adds into the leaves' grads, so zero those between steps. Depth is limited by
        memory alone. An exception from a custom operation propagates: the grads are then
        incomplete, the graph is as before. A custom operation may call backward itself, which is a
        RecursionError beyond 100 deep. Cost: proportional to the number of nodes and operands.
        Raises ValueError if a custom operation has children and no _backward, and then changes
        nothing.
        """
        if args or kwargs:
            check_call(reference.Value.backward, (None, *args), kwargs)
        run_backward(<PyObject*>self)

    def __add__(left, right):
        return binary(ADD, left, right)

    def __sub__(left, right):
        return binary(SUB, left, right)

    def __mul__(left, right):
        return binary(MUL, left, right)

    def __truediv__(left, right):
        return binary(DIV, left, right)

    def __pow__(left, right, modulo):
        cdef double k
        if modulo is not None:
            return NotImplemented
        if not isinstance(right, Value) and to_double(right, &k):
            return unary(POWER, <Value>left, k)
        return binary(POW, left, right)

    def __neg__(self):
        return unary(NEG, self)

    def __abs__(self):
        return unary(ABS, self)

    def exp(self):
        """e**self; inf on overflow."""
        return unary(EXP, self)

    def log(self):
        """The natural logarithm: -inf at zero, nan below it."""
        return unary(LOG, self)

    def sqrt(self):
        """The square root; nan below zero."""
        return unary(SQRT, self)

    def sin(self):
        """The sine of an angle in radians; nan at infinity."""
        return unary(SIN, self)

    def cos(self):
        """The cosine of an angle in radians; nan at infinity."""
        return unary(COS, self)

    def tanh(self):
        """The hyperbolic tangent."""
        return unary(TANH, self)

    def sigmoid(self):
        """1 / (1 + e**-self), computed without overflow."""
        return unary(SIGMOID, self)

    def relu(self):
        """self where positive, else 0; nan for nan."""
        return unary(RELU, self)

    def leaky_relu(self, slope=0.01):
        """self where positive, else slope * self. slope: a Value or a number."""
        return binary_node(LEAKY_RELU, self, operand(slope))

    def silu(self):
        """self * sigmoid(self), in two nodes."""
        return binary_node(MUL, self, unary(SIGMOID, self))

    def clip(self, low, high):
        """self, at least low and at most high: Values or numbers. In two nodes.

        The gradient goes to self where low <= self <= high, else to the bound that was taken.
        """
        return minimum(maximum(self, low), high)

    # Those of object, which a class with __lt__ does not get from Cython.

    def __eq__(self, other):
        return (<TypeSlots*>object).tp_richcompare(<PyObject*>self, <PyObject*>other, Py_EQ)

    def __ne__(self, other):
        return (<TypeSlots*>object).tp_richcompare(<PyObject*>self, <PyObject*>other, Py_NE)

    def __lt__(self, other):
        return compare(Py_LT, self, other)

    def __le__(self, other):
        return compare(Py_LE, self, other)

    def __gt__(self, other):
        return compare(Py_GT, self, other)

    def __ge__(self, other):
        return compare(Py_GE, self, other)

    def __hash__(self):
        return (<TypeSlots*>object).tp_hash(<PyObject*>self)

    def __float__(self):
        raise TypeError("a Value does not turn into a float by itself: use .data")

    def __repr__(self):
        return f"Value(data={self._data!r})"

    def __format__(self, spec):
        return format(self._data, spec) if spec else str(self)

    def _repr_html_(self):
        """What a notebook shows: data, grad, label and operation."""
        return html_table(self)

    def __reduce__(self):
        if self.op == LEAF:
            fields = type(self), self._data, self._grad, bool(self.flags & CONSTANT)
            return _restore_leaf, fields, attributes_of([self])
        # The whole graph in one flat list, so that its depth does not matter.
        order = graph_under(self)
        numbers = {id(node): i for i, node in enumerate(order)}
        return _restore_graph, ([saved(node, numbers) for node in order],), attributes_of(order)

    def __setstate__(self, state):
        set_attributes(graph_under(self), state)


cdef object html_table(Value node):
    from html import escape

    fields = {"data": repr(node.data), "grad": repr(node.grad), "label": node.label, "op": node._op}
    cells = [f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in fields.items()]
    return f"<table>{''.join(cells)}</table>"

cdef tuple children_of(Value node):
    # An allocation may run a finaliser, and that initialise the node.
    cdef size_t n = node.count, i
    cdef tuple out = PyTuple_New(n)
    while n != node.count:
        n = node.count
        out = PyTuple_New(n)
    cdef PyObject** held = operands(node)
    for i in range(n):
        Py_INCREF(<object>held[i])
        PyTuple_SET_ITEM(out, i, <object>held[i])
    return out

cdef tuple tuple_of_values(object children):
    children = tuple(children)
    for child in children:
        if not isinstance(child, Value):
            raise TypeError(f"a child of a Value must be a Value, not '{type_name(child)}'")
    return children

cdef dict own_attributes(Value node):
    """Its attributes; whoever puts something there says so to refer."""
    return PyObject_GenericGetDict(node, NULL)

cdef object label_of(Value node):
    """Its label, without a property of a subclass, which would run Python."""
    return "" if node.attributes == NULL else (<dict>node.attributes).get("label", "")

cdef int set_label(Value node, object label) except -1:
    if label:
        own_attributes(node)["label"] = label
    elif node.attributes != NULL:
        (<dict>node.attributes).pop("label", None)
    return 0

cdef tuple slopes_from(object local_grads, size_t children):
    if not isinstance(local_grads, (tuple, list)):
        raise TypeError(
            "the local gradients of a Value must be a tuple or list of numbers, "
            f"not '{type_name(local_grads)}'"
        )
    cdef tuple slopes = tuple(
        [number(x, "a local gradient of a Value") for x in tuple(local_grads)]
    )
    if <size_t>len(slopes) != children:
        raise ValueError(
            f"a Value expects a local gradient for each child, got {len(slopes)} local gradients "
            f"and {children} children"
        )
    return slopes

cdef tuple local_grads_of(Value node):
    global detecting
    cdef int was_detecting = detecting
    cdef Value x, copy
    if node.op == CUSTOM and node.count:
        raise AttributeError(
            f"the custom operation {node._op!r} has no _local_grads: its step is its _backward"
        )
    if node.count == 0:
        return ()
    if node.op == LOCAL:
        return tuple([0.0 + slope for slope in exact_slopes(node)])
    # What the step adds to the grads of other leaves.
    cdef list leaves = [leaf((<Value>child)._data) for child in children_of(node)]
    detecting = 0
    try:
        copy = node_of(<Op>node.op, leaves, node.second.exponent)
    finally:
        detecting = was_detecting
    copy._data, copy._grad = node._data, 1.0
    backward_step(copy)
    return tuple([x._grad for x in leaves])

cdef tuple exact_slopes(Value node):
    return tuple([slopes_of(node)[i] for i in range(node.count)])

cdef int initialise(
    Value node, object data, object operands, object op, object label, object local_grads
) except -1:
    """What the constructor does to a blank Value."""
    cdef double value = number(data, "the data of a Value")
    cdef tuple children = tuple_of_values(operands)
    cdef tuple slopes = None
    cdef size_t n = len(children)
    if local_grads is None and isinstance(op, (tuple, list)):
        op, local_grads = "", op
    op = string(op, "_op")
    if local_grads is not None:
        slopes = slopes_from(local_grads, n)
        if n and not op:
            op = CUSTOM_NAME
    label = string(label, "label")
    if detecting:
        check_forward(op, children, value)
    # Last, for what came before may run Python, which may do the same.
    if not node.flags & BLANK:
        raise TypeError("a Value is initialised once: make a new one")
    if label:
        set_label(node, label)
    if slopes is not None and n:
        set_operands(node, LOCAL, children, op, n + 1 + n)
        for i in range(n):
            slopes_of(node)[i] = slopes[i]
        if has_tracked_operand(node):
            take_part(<PyObject*>node)
    elif n or op:
        set_operands(node, CUSTOM, children, op, n + 2)
        node.second.block[n + 1] = NULL
        take_part(<PyObject*>node)
    node._data = value
    node.flags &= ~BLANK
    return 0

cdef int set_operands(Value node, Op op, tuple children, object name, size_t size) except -1:
    """Turn a blank node into one with a block of so many items, the operands and the name first."""
    cdef PyObject** block = new_block(size)
    cdef size_t n = len(children), i
    for i in range(n):
        block[i] = hold(<PyObject*>children[i])
    Py_INCREF(name)
    block[n] = <PyObject*>name
    node.second.block = block
    node.count = <unsigned int>n
    node.op = op
    return 0

def _initialise(Value node, data, _children=(), _op="", label="", local_grads=None):
    initialise(node, data, _children, _op, label, local_grads)

def _construct(data, _children=(), _op="", label="", local_grads=None):
    """Value(...) for exact Values: what needs no garbage collector stays out of it."""
    cdef Value node = blank_value()
    initialise(node, data, _children, _op, label, local_grads)
    return node

cdef inline Value blank_value():
    """What Value.__new__ makes, out of the collector."""
    cdef Value node = leaf(0.0)
    node.flags = BLANK
    return node

def _check_construct(*args, **kwargs):
    check_call(reference.Value.__init__, (None, *args), kwargs)

cdef object construct(PyObject* kind, const_args* args, size_t nargs, PyObject* names):
    """Value's vectorcall."""
    cdef double data
    cdef Value node
    cdef Py_ssize_t n = 0 if names != NULL else PyVectorcall_NARGS(nargs)
    if n == 1 and to_double(<object>args[0], &data):
        return leaf(data)
    if n == 3 and type(<object>args[1]) is tuple and type(<object>args[2]) is tuple:
        node = local_node(<object>args[0], <tuple>args[1], <tuple>args[2])
        if node is not None:
            return node
    try:
        return PyObject_Vectorcall(constructor, args, nargs, names)
    except TypeError:
        PyObject_Vectorcall(check_construct, args, nargs, names)
        raise

cdef Value local_node(object data, tuple children, tuple slopes):
    """Value(data, children, slopes) of exact Values and plain numbers, None of anything else."""
    cdef size_t n = len(children), i
    cdef PyObject** held = tuple_items(children)
    cdef PyObject** numbers = tuple_items(slopes)
    cdef PyObject** block
    if n == 0 or n != <size_t>len(slopes) or not is_plain(data):
        return None
    for i in range(n):
        if Py_TYPE(held[i]) != VALUE or not is_plain(<object>numbers[i]):
            return None
    cdef double value = number(data, "the data of a Value")
    block = new_block(n + 1 + n)
    try:
        for i in range(n):
            to_double(<object>numbers[i], <double*>(block + n + 1) + i)
    except OverflowError:
        PyMem_Free(block)
        raise
    for i in range(n):
        block[i] = hold(held[i])
    Py_INCREF(CUSTOM_NAME)
    block[n] = <PyObject*>CUSTOM_NAME
    return block_node(LOCAL, block, n, value)

cdef inline bint is_plain(object x) noexcept:
    """Whether turning it into a double runs no Python."""
    return PyFloat_CheckExact(x) or PyLong_CheckExact(x)

cdef str CUSTOM_NAME = "custom"  # of an operation that was given none

cdef object constructor = _construct
cdef object check_construct = _check_construct


# Pickling. A graph is a list of its nodes in topological order: leaves as they are, which keeps
# those that are pickled along with it the same objects, and other nodes as tuples. Attributes come
# after the nodes, for they may refer to them.

cdef dict BUILT_IN = {name: op for op, name in enumerate(NAMES) if name and op != POWER}

cdef list graph_under(Value root):
    cdef Stack order
    cdef PyObject* start = <PyObject*>root
    cdef size_t i
    stack_init(&order)
    try:
        topological_order(&start, 1, True, &order)
        clear_visited(&order)
        return [<object>order.items[i] for i in range(order.size)]
    finally:
        stack_free(&order)

cdef object saved(Value node, dict numbers):
    cdef PyObject* closure = NULL
    if node.op == LEAF:
        return node
    detail = None
    if node.op == POWER:
        detail = node.second.exponent
    elif node.op == LOCAL:
        detail = type(node), None, exact_slopes(node)
    elif node.op == CUSTOM:
        closure = node.second.block[node.count + 1]
        detail = type(node), None if closure == NULL else <object>closure, None
    operands = tuple([numbers[id(x)] for x in children_of(node)])
    return node._op, detail, operands, node._data, node._grad

def _restore_graph(saved):
    cdef list nodes = []
    cdef Value node
    for entry in saved:
        if isinstance(entry, Value):
            nodes.append(entry)
            continue
        name, detail, numbers, data, grad = entry
        operands = tuple([nodes[i] for i in numbers])
        if isinstance(detail, tuple):
            kind, closure, slopes = detail
            node = blank(kind)
            initialise(node, data, operands, name, "", slopes)
            if closure is not None:
                node._backward = closure
        else:
            node = restored(name, detail, operands)
            node._data = data
        node._grad = grad
        nodes.append(node)
    return nodes[-1]

cdef Value restored(str name, object exponent, tuple operands):
    """A built-in node from what saved says of it."""
    if exponent is None and name not in BUILT_IN:
        raise ValueError(f"a state has the operation {name!r}, which is unknown here")
    cdef Op op = POWER if exponent is not None else BUILT_IN[name]
    cdef Py_ssize_t n = len(operands)
    cdef bint good
    if op == DOT:
        good = n % 2 == 1
    elif op == SUM:
        good = n >= 1
    else:
        good = n == arity_of(op)
    if not good:
        raise ValueError(f"this is not the state of a Value: {name!r} of {n} operands")
    return node_of(op, list(operands), 0.0 if exponent is None else exponent)

cdef Value node_of(Op op, list held, double exponent):
    """The node of an operation, by number."""
    cdef Value first = held[0]
    if op == DOT:
        return dot_of(held[1::2], held[2::2], first)
    if op == SUM:
        return sum_of(held[1:], first)
    if arity_of(op) == 3:
        return ternary_node(op, first, held[1], held[2])
    if arity_of(op) == 2:
        return binary_node(op, first, held[1])
    return unary(op, first, exponent)

cdef Value blank(object kind):
    """A new Value of a kind, without its fields."""
    if kind is Value:
        return blank_value()
    node = kind.__new__(kind)
    if not isinstance(node, Value) or not (<Value>node).flags & BLANK:
        raise TypeError(f"this is not the state of a Value: {type_name(node)!r} is not new")
    return <Value>node

def _restore_leaf(kind, data, grad, constant):
    cdef Value node = leaf(0.0) if kind is Value else blank(kind)
    node._data, node._grad = data, grad
    node.flags = (node.flags & TRACKED) | (CONSTANT if constant else 0)
    return node

cdef object attributes_of(list order):
    """The attributes of a graph's last node, and of those before it that have operands.

    By number, and in two dictionaries: the node's own, and that of the slots of its class.
    None if there are none.
    """
    cdef dict found = {}
    cdef Value node
    for i, node in enumerate(order):
        if node is not order[-1] and node.op == LEAF:
            continue
        slots = {}
        if type(node) is not Value:
            names = sorted(set(copyreg._slotnames(type(node))))
            slots = {name: getattr(node, name) for name in names if hasattr(node, name)}
        if node.attributes != NULL and <dict>node.attributes or slots:
            found[i] = own_attributes(node).copy(), slots
    return found or None

cdef int set_attributes(list order, dict found) except -1:
    for i, (attributes, slots) in found.items():
        own_attributes(order[i]).update(attributes)
        for x in attributes.values():
            refer(<PyObject*>order[i], x)
        for name, x in slots.items():
            setattr(order[i], name, x)
    return 0


def dot(xs, ys, start=0.0):
    """start + xs[0] * ys[0] + xs[1] * ys[1] + ... as one node.

    xs, ys, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    products and sums, unless one operand depends on another.
    Raises ValueError if xs and ys differ in length.
    Cost: one node and three pointers a term, where the chain makes two nodes a term.
    """
    cdef list xv = values(list(xs))
    cdef list yv = values(list(ys))
    if len(xv) != len(yv):
        raise ValueError(f"dot expects two sequences of one length, got {len(xv)} and {len(yv)}")
    return dot_of(xv, yv, operand(start))

def sum(xs, start=0.0):
    """start + xs[0] + xs[1] + ... as one node.

    xs, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    sums, unless one operand depends on another.
    Cost: one node and one pointer a term, where the chain makes one node a term.
    """
    cdef Value first = operand(start)
    return sum_of(values(list(xs)), first)

def maximum(x, y):
    """The larger of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    cdef Value a = operand(x)
    return binary_node(MAXIMUM, a, operand(y))

def minimum(x, y):
    """The smaller of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    cdef Value a = operand(x)
    return binary_node(MINIMUM, a, operand(y))

def where(c, x, y):
    """x where c > 0, else y: Values or numbers.

    The gradient goes to the one that was taken; the other gets exactly 0.0, and so does c.
    """
    cdef Value condition = operand(c)
    cdef Value a = operand(x)
    return ternary_node(WHERE, condition, a, operand(y))


cdef int give_signature(object kind, str signature) except -1:
    """Put in front of a type's docstring what inspect.signature reads."""
    cdef bytes doc = f"{kind.__name__}{signature}\n--\n\n{kind.__doc__}".encode()
    Py_INCREF(doc)  # for as long as the type, which is for ever
    (<TypeSlots*>kind).tp_doc = doc
    return 0

give_signature(Value, "(data, _children=(), _op='', label='', local_grads=None)")
VALUE.tp_dealloc = value_dealloc
VALUE.tp_traverse = value_traverse
VALUE.tp_clear = value_clear
VALUE.tp_vectorcall = construct
VALUE.tp_flags |= Py_TPFLAGS_HAVE_GC  # from here on there may be nodes
VALUE.tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE  # a program may add methods
cdef Value example = leaf(0.0)
VALUE.tp_dictoffset = <char*>&example.attributes - <char*><PyObject*>example
PyType_Modified(VALUE)
