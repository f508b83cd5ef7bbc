# cython: embedsignature=True, embedsignature.format=clinic
"""gradient: derivatives that are graphs themselves."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from micrograd_ref import gradients as reference
from micrograd_ref.checking import list_of_values
from micrograd_ref.custom import passed_by_rule
from micrograd_ref.patterns import PATTERNS, power_patterns

from .wording import check_call

from .engine cimport (
    CUSTOM, DIV, DOT, END, LARGER, LEAF, LOCAL, MUL, NORM, POWER, SUM, VISITED, WHERE, Op, Stack,
    Value, arity_of, binary_of, constant_of, name_of, new_block, node_of, node_of_block, operand,
    operands, release_block, shown_name, stack_free, stack_init, ternary_node, topological_order,
    type_name, unary_of,
)

__all__ = ["gradient"]

include "patterns.pxi"  # how to make what a node passes to an operand

cdef enum:
    BETWEEN_SIGNALS = 1 << 16  # operands, some milliseconds
    NONE = 0x7FFFFFFF  # the number of no node

cdef uint64_t NUMBERED = 0x7FF4D1FF00000000  # in a grad, with a number: a nan that nothing computes

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
cdef class Gradients:
    """The gradients of an output: each is 0.0 and the terms that are added to it, in order."""

    cdef Stack order
    cdef Node* nodes  # the inputs, then those in order with an operand that is wanted
    cdef uint32_t count
    cdef uint32_t* inputs  # their numbers; behind nodes, in the same memory, as are
    cdef uint32_t* numbers  # for each of order those of its operands and its own, or NONE alone
    cdef uint32_t* end
    cdef uint32_t root  # the output's
    cdef Value zero, one

    def __cinit__(self):
        stack_init(&self.order)

    def __dealloc__(self):
        cdef Node* node
        cdef size_t i
        for i in range(self.count):
            node = self.nodes + i
            Py_XDECREF(node.gradient)
            Py_XDECREF(node.shared)
            if node.block != NULL:
                release_block(node.block, 1 + 2 * <size_t>node.count)
        stack_free(&self.order)
        PyMem_Free(self.nodes)

    cdef int read(self, Value output, list inputs) except -1:
        """Number the nodes whose gradients are wanted."""
        cdef PyObject* root = <PyObject*>output
        cdef size_t i, most, held = 0
        cdef Value node
        topological_order(&root, 1, False, &self.order)
        for i in range(self.order.size):
            node = <Value>self.order.items[i]
            node.flags = node.flags & ~VISITED
            held += node.count
        most = self.order.size + <size_t>len(inputs)
        if most >= NONE:
            raise OverflowError(f"gradient takes up to {NONE} nodes, got {most}")
        self.nodes = <Node*>PyMem_Calloc(
            1, most * (sizeof(Node) + sizeof(uint32_t)) + held * sizeof(uint32_t)
        )
        if self.nodes == NULL:
            raise MemoryError
        self.inputs = <uint32_t*>(self.nodes + most)
        self.numbers = self.inputs + len(inputs)
        self.number(inputs)
        self.root = self.number_of(root)
        for i in range(self.count):  # no Python has run until the grads are back
            (<Value>self.nodes[i].node)._grad = self.nodes[i].grad
        self.zero, self.one = constant_of(0.0), constant_of(1.0)
        return 0

    cdef void number(self, list inputs) noexcept:
        """Fill nodes and numbers. From here on, a grad may hold the number of its node."""
        cdef size_t i, k
        cdef uint32_t* numbers = self.numbers
        cdef PyObject** held
        cdef Value value
        cdef bint is_wanted
        for i in range(<size_t>len(inputs)):
            self.inputs[i] = self.numbered(<PyObject*>inputs[i])
        for i in range(self.order.size):
            value = <Value>self.order.items[i]
            held = operands(value)
            is_wanted = False
            for k in range(value.count):
                numbers[k] = self.number_of(held[k])
                if numbers[k] != NONE:
                    self.nodes[numbers[k]].most += 1
                    is_wanted = True
            if is_wanted:
                numbers += value.count
            numbers[0] = self.numbered(<PyObject*>value) if is_wanted else NONE
            numbers += 1
        self.end = numbers

    cdef inline uint32_t numbered(self, PyObject* node) noexcept:
        """The number of a node, a new one if it has none."""
        cdef uint32_t own = self.number_of(node)
        cdef uint64_t bits
        if own == NONE:
            own = self.count
            self.count += 1
            self.nodes[own].node = node
            self.nodes[own].grad = (<Value>node)._grad
            bits = NUMBERED | own
            memcpy(&(<Value>node)._grad, &bits, sizeof(bits))
        return own

    cdef inline uint32_t number_of(self, PyObject* node) noexcept:
        cdef uint64_t bits
        cdef uint32_t number
        memcpy(&bits, &(<Value>node)._grad, sizeof(bits))
        number = <uint32_t>bits
        # A grad of a user may look like it, so look back.
        if (bits ^ NUMBERED) >> 32 or number >= self.count or self.nodes[number].node != node:
            return NONE
        return number

    cdef int differentiate(self) except -1:
        cdef uint32_t* numbers = self.end
        cdef uint32_t own
        cdef Value node
        cdef size_t i = self.order.size, steps = 0
        if self.root != NONE:
            self.nodes[self.root].gradient = hold(<PyObject*>self.one)
        while i > 0:
            i -= 1
            numbers -= 1
            own = numbers[0]
            if own == NONE:
                continue
            node = <Value>self.order.items[i]
            numbers -= node.count
            self.pass_on(node, self.gradient(own), numbers)
            steps += node.count
            if steps >= BETWEEN_SIGNALS:
                steps = 0
                PyErr_CheckSignals()
        return 0

    cdef int pass_on(self, Value node, Value g, uint32_t* numbers) except -1:
        """Add what a node of the gradient g passes to those of its operands that are wanted."""
        cdef Op op = <Op>node.op
        cdef PyObject** held = operands(node)
        cdef PyObject* to = <PyObject*>g
        cdef Pattern* pattern
        cdef Pattern of_power
        cdef size_t i = node.count
        if op == DOT:
            while i > 3:
                i -= 2
                self.add(numbers[i], held[i + 1], to, False)
                self.add(numbers[i + 1], held[i], to, False)
            self.add(numbers[0], to, NULL, True)
            if node.count > 1:
                self.add(numbers[1], held[2], to, False)
                self.add(numbers[2], held[1], to, False)
        elif op == SUM:
            while i > 0:
                i -= 1
                self.add(numbers[i], to, NULL, True)
        elif op == NORM:
            self.pass_on_norm(node, g, numbers)
        elif op == CUSTOM or op == LOCAL:
            self.follow_rule(node, g, numbers)
        else:
            if op == POWER:
                of_power = power_pattern(node.second.exponent)[0]  # a finaliser may ask for another
                pattern = &of_power
            else:
                pattern = patterns_of(op)
            for i in range(node.count):
                if numbers[i] != NONE and not pattern[i].is_zero:
                    self.replay(pattern + i, node, g, numbers[i])
        return 0

    cdef int pass_on_norm(self, Value node, Value g, uint32_t* numbers) except -1:
        cdef PyObject** held = operands(node)
        cdef Value is_zero = binary_of(LARGER, self.zero, node)
        cdef Value length = ternary_node(WHERE, is_zero, self.one, node)
        cdef Value passed = ternary_node(WHERE, is_zero, self.zero, g)
        cdef Value to_x
        cdef size_t i
        if numbers[0] != NONE:
            to_x = binary_of(DIV, passed, binary_of(MUL, constant_of(2.0), length))
            self.add(numbers[0], <PyObject*>to_x, NULL, False)
        for i in range(1, node.count):
            if numbers[i] != NONE:
                to_x = binary_of(DIV, <Value>held[i], length)
                self.add(numbers[i], <PyObject*>to_x, <PyObject*>passed, False)
        return 0

    cdef int follow_rule(self, Value node, Value g, uint32_t* numbers) except -1:
        cdef PyObject** held = operands(node)
        cdef size_t k
        cdef list children = [<Value>held[k] for k in range(node.count)]
        cdef list passed = passed_by_rule(node, children, g)
        cdef Value x
        for i, to_x in enumerate(passed):
            if numbers[i] != NONE:
                x = operand(to_x)
                self.add(numbers[i], <PyObject*>x, NULL, x is g)
        return 0

    cdef int replay(self, Pattern* pattern, Value node, Value g, uint32_t to) except -1:
        """Add what a pattern makes."""
        cdef PyObject* nodes[MOST_NODES]
        cdef PyObject** held = operands(node)
        cdef PyObject** made = nodes + OPERANDS + node.count
        cdef Value x
        cdef size_t i, count = 0
        nodes[GRADIENT], nodes[NODE] = <PyObject*>g, <PyObject*>node
        nodes[ZERO], nodes[ONE] = <PyObject*>self.zero, <PyObject*>self.one
        for i in range(node.count):
            nodes[OPERANDS + i] = held[i]
        try:
            while count < pattern.count:
                x = made_by(pattern.steps + count, nodes)
                made[count] = hold(<PyObject*>x)
                count += 1
            self.add(
                to, nodes[pattern.x], NULL if pattern.is_plain else nodes[pattern.y],
                pattern.is_plain and pattern.x == GRADIENT,
            )
        finally:
            for i in range(count):
                Py_DECREF(<object>made[i])
        return 0

    cdef inline int add(self, uint32_t to, PyObject* x, PyObject* y, bint is_gradient) except -1:
        """Add x, or x * y, to the gradient of a node, if that is wanted."""
        cdef Node* node
        if to == NONE:
            return 0
        node = self.nodes + to
        if node.block == NULL:
            if is_gradient and node.shared == NULL:
                Py_INCREF(<object>x)
                node.shared = x
                return 0
            node.block = new_block(1 + 2 * <size_t>node.most)
            node.block[0] = hold(<PyObject*>self.zero)
            if node.shared != NULL:
                append(node, node.shared, <PyObject*>self.one)
                Py_DECREF(<object>node.shared)
                node.shared = NULL
        if y != NULL:
            node.has_product = True
        append(node, x, <PyObject*>self.one if y == NULL else y)
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


cdef inline Value made_by(Step* step, PyObject** nodes):
    """The node that a step makes of those with its numbers."""
    cdef Op op = <Op>step.op
    cdef PyObject* a = nodes[step.operands[0]]
    cdef PyObject* b = nodes[step.operands[1]]
    if op == LEAF:
        return constant_of(step.data)
    if op == POWER:
        return node_of(POWER, [<Value>a], step.data)
    if arity_of(op) == 1:
        return unary_of(op, <Value>a)
    if arity_of(op) == 2:
        return binary_of(op, <Value>a, <Value>b)
    return ternary_node(op, <Value>a, <Value>b, <Value>nodes[step.operands[2]])

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

def _is_value(x):
    return isinstance(x, Value)

cdef list checked(object inputs):
    cdef Py_ssize_t i
    if type(inputs) is not list:
        return list_of_values(inputs, "input", _is_value)
    for i in range(len(<list>inputs)):
        if not isinstance((<list>inputs)[i], Value):
            return list_of_values(inputs, "input", _is_value)
    return list(<list>inputs)  # which no rule of a custom operation can change

def gradient(*args, **kwargs):
    """d output / d input for each of the inputs, as Values: a graph to differentiate again.

    output: a Value. inputs: a sequence of Values, or an array of them in any shape; the gradient
    is 0.0 for one that is not under output.
    The data have the bits that output.backward() leaves in the grads of the inputs, if those were
    0.0 before; in a Tape of the gradient, for each row. The grads stay as they are. The new graph
    shares the nodes under output.
    A custom operation between them needs a rule: node._gradient = f, where f(g, node, *children)
    gives from its gradient g that of each child, as Values or numbers.
    Cost: proportional to the number of nodes and operands under output. Depth is limited by memory
    alone.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x = Value(3.0)
    >>> (slope,) = gradient(x**3, [x])
    >>> slope.data, gradient(slope, [x])[0].data
    (27.0, 18.0)
    """
    cdef Gradients gradients = Gradients.__new__(Gradients)
    cdef list xs
    cdef size_t i
    if len(args) != 2 or kwargs:
        check_call(reference.gradient, args, kwargs)
        args = _arguments(*args, **kwargs)
    output, inputs = args
    if not isinstance(output, Value):
        raise TypeError(f"gradient differentiates a Value, not '{type_name(output)}'")
    xs = checked(inputs)
    gradients.read(<Value>output, xs)
    gradients.differentiate()
    return [gradients.gradient(gradients.inputs[i]) for i in range(<size_t>len(xs))]

gradient.__wrapped__ = reference.gradient  # whose signature it has

def _arguments(output, inputs):
    return output, inputs
