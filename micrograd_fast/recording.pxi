# Recording. A node is known by its number in topological order.

cdef struct Node:
    int32_t x, y  # the operands; y of those with a block: where in items all of them stand
    int32_t count  # of operands
    int32_t next_x, next_y  # the next node that uses x or y
    int32_t chain  # the last + of the chain that it is inside, NONE outside
    int32_t slot
    unsigned char op
    unsigned char uses  # 0, 1, or 2 for more
    unsigned char varying
    unsigned char output
    unsigned char fused  # into another node

cdef struct Term:
    int32_t product  # the node that it is, NONE for a plain value
    int32_t x, y
    int32_t before

cdef enum:
    NONE = 0x7FFFFFFF


@cython.internal
cdef class Recording:
    """A graph's nodes as numbers, and the instructions made of them."""

    cdef Stack order  # of the graph's nodes, which the outputs keep alive
    cdef Node* nodes
    cdef int32_t count  # of nodes; the constants -0.0 and 1.0 come after them
    cdef int32_t* items  # operands of nodes with a block
    cdef Py_ssize_t item_count
    cdef int32_t* outputs
    cdef int32_t* pluses  # of the chain at hand, last first
    cdef Term* terms  # of the piece at hand

    def __cinit__(self):
        stack_init(&self.order)

    def __dealloc__(self):
        stack_free(&self.order)
        PyMem_Free(self.nodes)
        PyMem_Free(self.items)
        PyMem_Free(self.outputs)
        PyMem_Free(self.pluses)
        PyMem_Free(self.terms)

    cdef int read(self, tuple outputs, tuple inputs) except -1:
        cdef Value x, node
        cdef Value custom = None
        cdef Py_ssize_t i, results = -1, missing = -1, listed = 0
        cdef bint repeated = len({id(x) for x in inputs}) != len(inputs)
        topological_order(tuple_items(outputs), len(outputs), True, &self.order)
        for i in range(len(inputs) - 1, -1, -1):
            x = <Value>inputs[i]
            if x.count:
                results, missing = i, -1
            elif not x.flags & VISITED:
                results, missing = -1, i
        # The flags go before Python can run again, which making an error may let it.
        for i in range(<Py_ssize_t>self.order.size):
            node = <Value>self.order.items[i]
            node.flags = node.flags & ~VISITED
            if has_block(node.op):
                listed += node.count
            if (node.op == CUSTOM or node.op == LOCAL) and custom is None:
                custom = node
        if repeated:
            raise ValueError("a Tape expects each input once, got one twice")
        if results >= 0:
            raise ValueError(
                f"input {results} must be a leaf, got the result of {inputs[results]._op!r}"
            )
        if missing >= 0:
            raise ValueError(
                f"input {missing} is not in the graph of {self.order.size} nodes under the output"
            )
        if custom is not None:
            reason = ": its local gradients are those of one row" if custom.op == LOCAL else ""
            raise ValueError(f"a Tape cannot replay the custom operation {custom._op!r}{reason}")
        if listed + 5 * <Py_ssize_t>self.order.size > INT32_MAX:
            raise ValueError(
                f"a Tape holds up to {INT32_MAX} operands and nodes, where a node counts for 5, "
                f"got {listed + 5 * self.order.size}"
            )
        self.number(outputs, inputs, listed)
        return 0

    cdef int number(self, tuple outputs, tuple inputs, Py_ssize_t listed) except -1:
        """Fill nodes. While this runs, the grad of a node holds its number."""
        cdef Py_ssize_t n = self.order.size, i, k
        cdef PyObject** graph = self.order.items
        cdef PyObject** operand
        cdef Node* node
        cdef Value x
        self.nodes = <Node*>PyMem_Calloc(n + 2, sizeof(Node))
        if self.nodes == NULL:
            raise MemoryError
        # Fusing turns at most n nodes with two operands each into lists: pairs and a start.
        self.items = <int32_t*>memory((listed + 5 * n) * sizeof(int32_t))
        self.outputs = <int32_t*>memory(len(outputs) * sizeof(int32_t))
        self.pluses = <int32_t*>memory(n * sizeof(int32_t))
        self.terms = <Term*>memory((n + 1) * sizeof(Term))
        cdef double* grads = <double*>memory(n * sizeof(double))
        self.count = <int32_t>n
        for i in range(n):
            grads[i] = (<Value>graph[i])._grad
            (<Value>graph[i])._grad = i
            node = self.nodes + i
            node.op = (<Value>graph[i]).op
            node.count = <int32_t>(<Value>graph[i]).count
            node.chain = NONE
            operand = operands(<Value>graph[i])
            if has_block(node.op):
                node.y = <int32_t>self.item_count
                for k in range(node.count):
                    self.items[self.item_count] = <int32_t>(<Value>operand[k])._grad
                    self.item_count += 1
            else:
                if node.count > 0:
                    node.x = <int32_t>(<Value>operand[0])._grad
                if node.count > 1:
                    node.y = <int32_t>(<Value>operand[1])._grad
        for i in range(len(outputs)):
            self.outputs[i] = <int32_t>(<Value>outputs[i])._grad
            self.nodes[self.outputs[i]].output = True
        for i in range(len(inputs)):
            node = self.nodes + <int32_t>(<Value>inputs[i])._grad
            node.varying = True
            node.slot = <int32_t>i
        for i in range(n):
            (<Value>graph[i])._grad = grads[i]
        PyMem_Free(grads)
        return 0

    cdef int link(self) except -1:
        """Fill in what varies, and who uses what."""
        cdef int32_t* next_user = <int32_t*>memory(self.count * sizeof(int32_t))
        cdef Node* node
        cdef int32_t i, k, x
        for i in range(self.count):
            node = self.nodes + i
            next_user[i] = NONE
            for k in range(node.count):
                x = self.operand(node, k)
                node.varying |= self.nodes[x].varying
                self.nodes[x].uses = 1 if self.nodes[x].uses == 0 else 2
        for i in range(self.count - 1, -1, -1):
            node = self.nodes + i
            if node.op == ADD or node.op == MUL:
                node.next_x, node.next_y = next_user[node.x], next_user[node.y]
            for k in range(node.count):
                next_user[self.operand(node, k)] = i
        PyMem_Free(next_user)
        return 0

    cdef int warn_of_branches(self) except -1:
        """Python may have taken a branch for the row that was at hand."""
        cdef Py_ssize_t i
        cdef Value x
        for i in range(self.count):
            x = self.value(i)
            if self.nodes[i].varying and x.flags & COMPARED:
                what = f"the result of {x._op!r}" if x.count else "an input"
                warnings.warn(
                    f"{what} was compared before this Tape was recorded, and every row takes the "
                    "branch that was taken then: maximum, minimum and where let each row take its "
                    "own"
                )
                return 0
        return 0

    cdef inline int32_t operand(self, Node* node, int32_t k) noexcept:
        if has_block(node.op):
            return self.items[node.y + k]
        return node.x if k == 0 else node.y

    cdef inline void put(self, int32_t operand) noexcept:
        self.items[self.item_count] = operand
        self.item_count += 1

    cdef inline Value value(self, int32_t i):
        return <Value>self.order.items[i]


cdef tuple values(object xs, str what):
    xs = tuple(xs)
    for x in xs:
        if not isinstance(x, Value):
            raise TypeError(f"{what} of a Tape must be a Value, not '{type_name(x)}'")
    return xs
