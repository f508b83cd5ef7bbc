# The steps of backward: from a node to its operands.

cdef inline double data_of(PyObject* node) noexcept:
    return (<Value>node)._data

cdef inline void add_grad(PyObject* node, double grad) noexcept:
    # Written out: for += Cython holds the node meanwhile, which takes longer than the addition.
    (<Value>node)._grad = (<Value>node)._grad + grad

cdef inline double* number_of(PyObject* node) noexcept:
    """Where its data lies, the first of its fields, and behind that its grad; of NULL too."""
    return <double*>(<size_t>node + sizeof(PyObject))

cdef inline double* slopes_of(Value node) noexcept:
    """Of a LOCAL node."""
    return <double*>(node.second.block + node.count + 1)

cdef inline void dot_term_step(PyObject** pair, double g) noexcept:
    cdef double a = data_of(pair[0])
    cdef double b = data_of(pair[1])
    add_grad(pair[0], b * g)
    add_grad(pair[1], a * g)

cdef void norm_step(Value node) noexcept:
    cdef double length = length_of(node._data)
    cdef double g = passed_by_norm(node._data, node._grad)
    cdef PyObject** block = node.second.block
    cdef size_t i
    add_grad(block[0], g / (2.0 * length))
    for i in range(1, node.count):
        add_grad(block[i], data_of(block[i]) / length * g)

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
    elif op == NORM:
        norm_step(node)
    else:
        step(
            op, g, node._data, 0.0, number_of(block[0]), number_of(block[1]), number_of(block[2])
        )

cdef enum:
    DEEPEST = 100  # calls of backward within backward

cdef int run_backward(PyObject** outputs, double* seeds, size_t count) except -1:
    global running
    cdef Stack order
    cdef PyObject* node
    cdef bint may_be_custom = False
    cdef size_t i, steps = 0
    if running == DEEPEST:
        raise RecursionError(f"backward is called within backward more than {DEEPEST} deep")
    running += 1
    stack_init(&order)
    try:
        topological_order(outputs, count, False, &order)
        for i in range(count):  # TRACKED is all that has a closure under it
            may_be_custom |= (<Value>outputs[i]).flags & TRACKED
        if may_be_custom:
            clear_visited(&order)
            for i in range(order.size):
                check_step(<Value>order.items[i])
        for i in range(order.size):
            node = order.items[i]
            clear_flag(node)
            if (<Value>node).count:
                (<Value>node)._grad = 0.0
        for i in range(count):
            (<Value>outputs[i])._grad = 0.0
        for i in range(count):
            add_grad(outputs[i], seeds[i])
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

@worded_as(reference.backward)
def backward(outputs, gradients=None):
    """Compute the gradient of several Values at once, each weighted by a gradient of its own.

    outputs: Values, at least one. gradients: a number for each of them; 1.0 if None.
    The order is one over all outputs, the first output first. The grads of the outputs, and of all
    nodes under them that have operands, are set to 0.0; then each output's gradient is added to
    its grad, and from there on it is as in Value.backward: what lies under several outputs is
    differentiated once.
    Raises TypeError for what is no Value or number, ValueError for no outputs or another number of
    gradients, and as Value.backward does.

    >>> a = Value(3.0)
    >>> backward([a * a, a * 2], [1.0, 0.5])
    >>> a.grad
    7.0
    """
    cdef list held = list_of_values(outputs, "output", _is_value)
    cdef Py_ssize_t i
    if gradients is None:
        seeds = [1.0] * len(held)
    else:
        given = sequence(gradients, "the gradients of backward")
        seeds = [number(gradient, "a gradient of backward") for gradient in given]
    if not held or len(seeds) != len(held):
        raise ValueError(
            "backward expects at least one output and a gradient for each, "
            f"got {len(held)} and {len(seeds)}"
        )
    cdef double* numbers = <double*>PyMem_Malloc(<size_t>len(seeds) * sizeof(double))
    if numbers == NULL:
        raise MemoryError
    try:
        for i, seed in enumerate(seeds):
            numbers[i] = seed
        run_backward(list_items(held), numbers, len(held))
    finally:
        PyMem_Free(numbers)

def _is_value(x):
    return isinstance(x, Value)

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
