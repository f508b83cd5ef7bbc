# Custom operations by their local gradients.

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

cdef tuple passed_by(Value node, double g):
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
        return tuple([0.0 + slopes_of(node)[i] * g for i in range(node.count)])
    # What the step adds to the grads of other leaves.
    cdef list leaves = [leaf((<Value>child)._data) for child in children_of(node)]
    detecting = 0
    try:
        copy = node_of(<Op>node.op, leaves, node.second.exponent)
    finally:
        detecting = was_detecting
    copy._data, copy._grad = node._data, g
    backward_step(copy)
    return tuple([x._grad for x in leaves])

cdef tuple exact_slopes(Value node):
    return tuple([slopes_of(node)[i] for i in range(node.count)])
