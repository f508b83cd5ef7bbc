# The terms of which a gradient is the sum.

@cython.internal
@cython.no_gc
cdef class Terms(Wanted):
    """Each gradient is 0.0 and the terms that are added to it, in order."""

    cdef Value zero, one

    def __cinit__(self):
        self.zero, self.one = constant_of(0.0), constant_of(1.0)

    def __dealloc__(self):
        cdef Node* node
        cdef size_t i
        for i in range(self.count):
            node = self.nodes + i
            Py_XDECREF(node.gradient)
            Py_XDECREF(node.shared)
            if node.block != NULL:
                release_block(node.block, 1 + 2 * <size_t>node.count)

    cdef inline int add(self, uint32_t to, PyObject* x, bint is_gradient) except -1:
        """Add x to the gradient of a node, if that is wanted."""
        cdef Node* node = self.nodes + to
        if to == NONE:
            return 0
        if node.block == NULL:
            if is_gradient and node.shared == NULL:
                node.shared = hold(x)
                return 0
            self.open_block(node)
        append(node, x, <PyObject*>self.one)
        return 0

    cdef inline int add_product(self, uint32_t to, PyObject* x, PyObject* y) except -1:
        cdef Node* node = self.nodes + to
        if to == NONE:
            return 0
        if node.block == NULL:
            self.open_block(node)
        node.has_product = True
        append(node, x, y)
        return 0

    cdef int open_block(self, Node* node) except -1:
        node.block = new_block(1 + 2 * <size_t>node.most)
        node.block[0] = hold(<PyObject*>self.zero)
        if node.shared != NULL:
            append(node, node.shared, <PyObject*>self.one)
            Py_DECREF(<object>node.shared)
            node.shared = NULL
        return 0

    cdef Value gradient(self, uint32_t own):
        """The gradient of a node that has got all its terms, by its number."""
        cdef Node* node = self.nodes + own
        cdef Value g
        if node.gradient == NULL:
            if node.block != NULL:
                g = self.sum(node)
            else:  # a gradient is never -0.0, so 0.0 + x is x
                g = self.zero if node.shared == NULL else <Value>node.shared
            node.gradient = hold(<PyObject*>g)
        return <Value>node.gradient

    cdef Value sum(self, Node* node):
        """The dot of the block, or a sum if nothing in it is a product."""
        cdef PyObject** pairs = node.block + 1
        cdef PyObject** block
        cdef double total = self.zero._data
        cdef int flags = 0
        cdef size_t i, count = node.count
        if node.has_product:
            for i in range(0, 2 * count, 2):
                total = total + data_of(pairs[i]) * data_of(pairs[i + 1])
                flags |= (<Value>pairs[i]).flags | (<Value>pairs[i + 1]).flags
            block, node.block = node.block, NULL
            return node_of_block(DOT, block, 1 + 2 * count, total, flags)
        block = new_block(1 + count)
        block[0] = hold(<PyObject*>self.zero)
        for i in range(count):
            block[1 + i] = hold(pairs[2 * i])
            total = total + data_of(pairs[2 * i])
            flags |= (<Value>pairs[2 * i]).flags
        return node_of_block(SUM, block, 1 + count, total, flags)


cdef inline PyObject* hold(PyObject* node) noexcept:
    """A reference of one's own."""
    Py_INCREF(<object>node)
    return node

cdef inline double data_of(PyObject* node) noexcept:
    return (<Value>node)._data

cdef inline void append(Node* node, PyObject* x, PyObject* y) noexcept:
    """Put a term into a block."""
    cdef PyObject** pair = node.block + 1 + 2 * <size_t>node.count
    pair[0], pair[1] = hold(x), hold(y)
    node.count += 1
