# Making nodes.

cdef inline Value leaf(double data):
    return take(allocate(LEAF, 0, 0, data))

# Inlined, for the compiler to choose the formula of an operation that it knows.
cdef inline Value unary(Op op, Value a):
    return unary_node(op, a, 0.0, value_of(op, a._data, 0.0, 0.0, 0.0))

cdef inline Value unary_node(Op op, Value a, double exponent, double data):
    cdef int tracked = a.flags & TRACKED
    cdef PyObject* out = allocate(op, 1, tracked, data)
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

cdef Value binary_of(Op op, Value a, Value b):
    return binary_node(op, a, b)

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
    cdef int flags = 0
    cdef size_t i
    for i in range(count):
        flags |= (<Value>block[i]).flags
    return node_of_block(op, block, count, data, flags)

cdef Value node_of_block(Op op, PyObject** block, size_t count, double data, int flags):
    """The same, given the flags of its operands."""
    cdef PyObject* out
    cdef int tracked = flags & TRACKED
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
    return added_up(SUM, terms, start)

cdef Value norm_of(list terms, Value start):
    """The root of start + terms[0] * terms[0] + ..."""
    return added_up(NORM, terms, start)

cdef inline Value added_up(Op op, list terms, Value start):
    cdef size_t n = len(terms), i
    cdef PyObject** block = new_block(n + 1)
    try:
        still_values(terms, n)
    except RuntimeError:
        PyMem_Free(block)
        raise
    cdef PyObject** items = list_items(terms)
    cdef double total = start._data, x
    block[0] = hold(<PyObject*>start)
    for i in range(n):
        block[i + 1] = hold(items[i])
        x = data_of(items[i])
        total = total + (x * x if op == NORM else x)
    return block_node(op, block, n + 1, root_of(total) if op == NORM else total)

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
