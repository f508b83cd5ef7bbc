# Recording. A node is known by its number in topological order.

cdef union Place:
    int32_t next_user  # in link: the first of the later nodes that use it
    int32_t chain  # in fuse: the last + of the chain that it is inside, NONE outside
    int32_t slot  # in write

cdef struct Node:
    int32_t x, y  # the operands; for a block: how many there are, and where in items they stand
    int32_t next_x, next_y  # the next node that uses x or y
    Place place
    unsigned char op
    unsigned char flags  # the Value's
    unsigned char uses  # 0, 1, or 2 for more, and for an output
    unsigned char varying

cdef struct Term:
    int32_t product  # the node that it is, NONE for a plain value
    int32_t x, y
    int32_t before

cdef enum:
    NONE = 0x7FFFFFFF
    FUSED = END  # the op of what became a part of another node


@cython.internal
cdef class Recording:
    """A graph's nodes as numbers, and the instructions made of them."""

    cdef Stack order  # of the graph's nodes, which the outputs keep alive
    cdef Node* nodes
    cdef int32_t count  # of nodes; the constants -0.0 and 1.0 come after them
    cdef int32_t* items  # operands of nodes with a block
    cdef Py_ssize_t item_count
    cdef int32_t* inputs  # their numbers, as of
    cdef int32_t* outputs
    cdef int32_t* pluses  # of the chain at hand, last first
    cdef Term* terms  # of the piece at hand

    def __cinit__(self):
        stack_init(&self.order)

    def __dealloc__(self):
        stack_free(&self.order)
        PyMem_Free(self.nodes)
        PyMem_Free(self.items)
        PyMem_Free(self.inputs)
        PyMem_Free(self.outputs)
        PyMem_Free(self.pluses)
        PyMem_Free(self.terms)

    cdef int read(self, tuple outputs, tuple inputs) except -1:
        cdef Value x
        cdef PyObject* node
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
            look_ahead(&self.order, i)
            node = self.order.items[i]
            (<Value>node).flags = (<Value>node).flags & ~VISITED
            if has_block((<Value>node).op):
                listed += (<Value>node).count
                if ((<Value>node).op == CUSTOM or (<Value>node).op == LOCAL) and custom is None:
                    custom = <Value>node
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
        """Fill nodes. While this runs, the count of a Value holds its number."""
        cdef Py_ssize_t n = self.order.size, i
        self.nodes = <Node*>memory((n + 2) * sizeof(Node))
        # Fusing turns at most n nodes with two operands each into lists: pairs and a start.
        self.items = <int32_t*>memory((listed + 5 * n) * sizeof(int32_t))
        self.inputs = <int32_t*>memory(len(inputs) * sizeof(int32_t))
        self.outputs = <int32_t*>memory(len(outputs) * sizeof(int32_t))
        self.pluses = <int32_t*>memory(n * sizeof(int32_t))
        self.terms = <Term*>memory((n + 1) * sizeof(Term))
        self.count = <int32_t>n
        memset(self.nodes + n, 0, 2 * sizeof(Node))
        for i in range(len(inputs)):
            (<Value>inputs[i]).flags = (<Value>inputs[i]).flags | VARYING
        for i in range(n):
            look_ahead(&self.order, i)
            self.fill(self.nodes + i, self.order.items[i])
            (<Value>self.order.items[i]).count = <unsigned int>i
        for i in range(len(inputs)):
            self.inputs[i] = <int32_t>(<Value>inputs[i]).count
            (<Value>inputs[i]).flags = (<Value>inputs[i]).flags & ~VARYING
        for i in range(len(outputs)):
            self.outputs[i] = <int32_t>(<Value>outputs[i]).count
            self.nodes[self.outputs[i]].uses = 2
        for i in range(n - 1, -1, -1):
            look_back(&self.order, i)
            (<Value>self.order.items[i]).count = self.link(<int32_t>i)
        return 0

    cdef inline void fill(self, Node* node, PyObject* x) noexcept:
        """Fill in what is known from a Value, whose operands have their numbers."""
        cdef int32_t count = <int32_t>(<Value>x).count, k
        node.op, node.flags, node.uses = (<Value>x).op, (<Value>x).flags, 0
        node.varying = node.flags & VARYING != 0
        node.place.next_user = NONE
        if has_block(node.op):
            node.x, node.y = count, <int32_t>self.item_count
            for k in range(count):
                self.put(self.used(node, (<Value>x).second.block[k]))
        else:
            node.x = self.used(node, (<Value>x).first) if count > 0 else self.count
            node.y = self.used(node, (<Value>x).second.operand) if count > 1 else self.count

    cdef inline int32_t used(self, Node* user, PyObject* operand) noexcept:
        """Note that a node uses an operand; its number."""
        cdef int32_t number = <int32_t>(<Value>operand).count
        cdef Node* node = self.nodes + number
        node.uses = 1 if node.uses == 0 else 2
        user.varying |= node.varying
        return number

    cdef inline unsigned int link(self, int32_t i) noexcept:
        """Fill in who uses the operands next, all later nodes being linked; how many there are."""
        cdef Node* node = self.nodes + i
        cdef int32_t k
        node.place.chain = NONE
        if has_block(node.op):
            for k in range(node.x):
                self.nodes[self.items[node.y + k]].place.next_user = i
            return node.x
        node.next_x = self.nodes[node.x].place.next_user
        node.next_y = self.nodes[node.y].place.next_user
        self.nodes[node.x].place.next_user = self.nodes[node.y].place.next_user = i
        return arity_of(<Op>node.op)

    cdef int warn_of_branches(self) except -1:
        """Python may have taken a branch for the row that was at hand."""
        cdef int32_t i
        cdef Value x
        for i in range(self.count):
            if self.nodes[i].varying and self.nodes[i].flags & COMPARED:
                x = self.value(i)
                what = f"the result of {x._op!r}" if x.count else "an input"
                warnings.warn(
                    f"{what} was compared before this Tape was recorded, and every row takes the "
                    "branch that was taken then: maximum, minimum and where let each row take its "
                    "own"
                )
                return 0
        return 0

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
