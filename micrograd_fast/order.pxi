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
                if leaves or has_step(child):
                    if not stack_push(pending, child):
                        return NO_MEMORY
                    fetch((<Value>child).first)  # what its visit looks at
                    fetch((<Value>child).second.operand)
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
