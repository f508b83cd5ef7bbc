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
