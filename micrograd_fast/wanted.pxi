# The nodes whose gradients are wanted: the inputs, and what has an operand that is wanted.

cdef enum:
    NONE = 0x7FFFFFFF  # the number of no node
    NUMBERED = 0x7FF4D1FF  # and the number, as a grad: a nan that nothing computes

cdef struct Node:
    PyObject* node  # which output or inputs keep alive
    PyObject* gradient  # owned; NULL until it has got all its terms
    PyObject* shared  # a gradient that is the only term so far, owned; else NULL
    PyObject** block  # of the dot that the gradient will be: zero and the terms; owned
    double grad  # of node, while that holds a number
    uint32_t most  # terms that there may be
    uint32_t count  # of terms in the block
    bint has_product  # if not, each term is times one


@cython.internal
@cython.no_gc
cdef class Wanted:
    """These nodes by number."""

    cdef Stack order  # of what is under the output
    cdef Node* nodes  # the inputs, then those in order with an operand that is wanted
    cdef uint32_t count
    cdef uint32_t* inputs  # their numbers; behind nodes, in the same memory, as are
    cdef uint32_t* numbers  # for each of order those of its operands and its own, or NONE alone
    cdef uint32_t* end
    cdef uint32_t root  # the output's

    def __cinit__(self):
        stack_init(&self.order)

    def __dealloc__(self):
        stack_free(&self.order)
        PyMem_Free(self.nodes)

    cdef int read(self, Value output, list inputs) except -1:
        cdef PyObject* root = <PyObject*>output
        cdef size_t i, most, held = 0
        topological_order(&root, 1, False, &self.order)
        for i in range(self.order.size):
            (<Value>self.order.items[i]).flags &= ~VISITED
            held += (<Value>self.order.items[i]).count
        most = self.order.size + <size_t>len(inputs)
        if most >= NONE:
            raise OverflowError(f"gradient takes up to {NONE} nodes, got {most}")
        self.nodes = <Node*>PyMem_Malloc(
            most * (sizeof(Node) + sizeof(uint32_t)) + held * sizeof(uint32_t)
        )
        if self.nodes == NULL:
            raise MemoryError
        self.inputs = <uint32_t*>(self.nodes + most)
        self.numbers = self.inputs + len(inputs)
        self.number(inputs)
        self.root = self.number_of(root)
        for i in range(self.count):  # no Python has run until the grads are back
            (<Value>self.nodes[i].node)._grad = self.nodes[i].grad
        return 0

    cdef void number(self, list inputs) noexcept:
        """Fill nodes and numbers. From here on, a grad may hold the number of its node."""
        # Copies of fields: for all that a compiler knows, the stores below change those.
        cdef Node* nodes = self.nodes
        cdef uint32_t* numbers = self.numbers
        cdef uint32_t number, known
        cdef PyObject* node
        cdef PyObject** held
        cdef size_t i, k, count
        cdef bint is_wanted
        for i in range(<size_t>len(inputs)):
            self.inputs[i] = self.numbered(<PyObject*>inputs[i])
        for i in range(self.order.size):
            node = self.order.items[i]
            held, count = operands(<Value>node), (<Value>node).count
            is_wanted, known = False, self.count
            for k in range(count):
                number = number_in(nodes, known, held[k])
                numbers[k] = number
                if number != NONE:
                    nodes[number].most += 1
                    is_wanted = True
            if is_wanted:
                numbers += count
            numbers[0] = self.numbered(node) if is_wanted else NONE
            numbers += 1
        self.end = numbers

    cdef inline uint32_t numbered(self, PyObject* node) noexcept:
        """The number of a node, a new one if it has none."""
        cdef uint32_t own = self.number_of(node)
        cdef uint64_t bits
        if own == NONE:
            own = self.count
            self.count += 1
            memset(self.nodes + own, 0, sizeof(Node))
            self.nodes[own].node = node
            self.nodes[own].grad = (<Value>node)._grad
            bits = <uint64_t>NUMBERED << 32 | own
            memcpy(&(<Value>node)._grad, &bits, sizeof(bits))
        return own

    cdef inline uint32_t number_of(self, PyObject* node) noexcept:
        return number_in(self.nodes, self.count, node)


cdef inline uint32_t number_in(Node* nodes, uint32_t count, PyObject* node) noexcept:
    """The number of a node that its grad holds, NONE if there is none."""
    cdef uint64_t bits
    cdef uint32_t number
    memcpy(&bits, &(<Value>node)._grad, sizeof(bits))
    number = <uint32_t>bits
    # A grad of a user may look like it, so look back.
    if bits >> 32 != NUMBERED or number >= count or nodes[number].node != node:
        return NONE
    return number
