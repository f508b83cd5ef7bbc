# From what a user passes to Value(...) to a node.

cdef tuple tuple_of_values(object children):
    children = tuple(children)
    for child in children:
        if not isinstance(child, Value):
            raise TypeError(f"a child of a Value must be a Value, not '{type_name(child)}'")
    return children

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

cdef object constructor = _construct
cdef object check_construct = _check_construct
