# cython: embedsignature=True, embedsignature.format=clinic
"""gradient: derivatives that are graphs themselves."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF

from micrograd_ref import gradients as reference
from micrograd_ref.checking import list_of_values
from micrograd_ref.custom import passed_by_rule
from micrograd_ref.patterns import PATTERNS, power_patterns

from .wording import worded_as

from .engine cimport (
    CUSTOM, DOT, END, LEAF, LOCAL, POWER, SUM, VISITED, Op, Stack, Value, arity_of, binary_of,
    block_node, constant_of, name_of, new_block, node_of, operand, operands, shown_name, stack_free,
    stack_init, ternary_node, topological_order, type_name, unary_of,
)

__all__ = ["gradient"]

cdef extern from "math.h" nogil:
    bint isgreaterequal(double, double) noexcept
    bint isless(double, double) noexcept

include "patterns.pxi"  # how to make what a node passes to an operand

cdef enum:
    BETWEEN_SIGNALS = 1 << 16  # operands, some milliseconds

cdef size_t NONE = <size_t>-1  # the number of no node

cdef struct Node:
    PyObject* node  # which output or inputs keep alive
    PyObject* gradient  # owned, NULL until it has got all its terms
    size_t operands  # where their numbers begin, NONE if no gradient of an operand is wanted
    size_t terms  # where its terms begin
    size_t count  # of terms so far
    bint has_product
    bint is_gradient  # whether the last term is one
    bint is_wanted

cdef struct Term:
    PyObject* x  # owned
    PyObject* y  # to be multiplied by, owned; NULL for none


@cython.internal
cdef class Gradients:
    """The gradients of an output: each is 0.0 and the terms that are added to it, in order."""

    cdef Stack order
    cdef Node* nodes  # those in order, then inputs that are not among them
    cdef size_t count
    cdef size_t* numbers  # of operands
    cdef size_t* inputs  # their numbers
    cdef Term* terms
    cdef Value zero, one

    def __cinit__(self):
        stack_init(&self.order)

    def __dealloc__(self):
        cdef Node* node
        cdef size_t i, k
        for i in range(self.count):
            node = self.nodes + i
            Py_XDECREF(node.gradient)
            for k in range(node.count):
                Py_DECREF(<object>self.terms[node.terms + k].x)
                Py_XDECREF(self.terms[node.terms + k].y)
        stack_free(&self.order)
        PyMem_Free(self.nodes)
        PyMem_Free(self.numbers)
        PyMem_Free(self.inputs)
        PyMem_Free(self.terms)

    cdef int read(self, Value output, list inputs) except -1:
        """Number the nodes, and find those whose gradients are wanted."""
        cdef PyObject* root = <PyObject*>output
        cdef size_t i, held = 0
        cdef Value node
        topological_order(&root, 1, False, &self.order)
        for i in range(self.order.size):
            node = <Value>self.order.items[i]
            node.flags = node.flags & ~VISITED
            held += node.count
        cdef size_t most = self.order.size + <size_t>len(inputs)
        cdef double* grads = NULL
        self.nodes = <Node*>PyMem_Calloc(most, sizeof(Node))
        self.numbers = <size_t*>PyMem_Malloc(held * sizeof(size_t))
        self.inputs = <size_t*>PyMem_Malloc(len(inputs) * sizeof(size_t))
        if self.nodes != NULL and self.numbers != NULL and self.inputs != NULL:
            grads = <double*>PyMem_Malloc(most * sizeof(double))
        if grads == NULL:
            raise MemoryError
        # No Python runs until the grads are back.
        self.number(inputs, grads)
        for i in range(self.count):
            (<Value>self.nodes[i].node)._grad = grads[i]
        PyMem_Free(grads)
        return self.make_room()

    cdef void number(self, list inputs, double* grads) noexcept:
        """Fill nodes. While this runs, the grad of a node holds its number."""
        cdef size_t i, k, listed = 0
        cdef PyObject** held
        cdef size_t* numbers
        cdef Node* node
        cdef Value value
        for i in range(self.order.size):
            self.append(self.order.items[i], grads)
        for i in range(<size_t>len(inputs)):
            value = <Value>inputs[i]
            k = self.number_of(<PyObject*>value)
            if k == NONE:
                k = self.append(<PyObject*>value, grads)
            self.nodes[k].is_wanted = True
            self.inputs[i] = k
        for i in range(self.order.size):
            node = self.nodes + i
            node.operands = NONE
            value = <Value>node.node
            held = operands(value)
            numbers = self.numbers + listed
            for k in range(value.count):
                numbers[k] = self.number_of(held[k])
                if numbers[k] != NONE and self.nodes[numbers[k]].is_wanted:
                    self.nodes[numbers[k]].terms += 1  # how many it may get
                    node.operands = listed
                else:
                    numbers[k] = NONE
            if node.operands != NONE:
                node.is_wanted = True
                listed += value.count

    cdef size_t append(self, PyObject* node, double* grads) noexcept:
        cdef size_t i = self.count
        self.nodes[i].node = node
        grads[i] = (<Value>node)._grad
        (<Value>node)._grad = <double>i
        self.count += 1
        return i

    cdef inline size_t number_of(self, PyObject* node) noexcept:
        """NONE for a leaf that has none, whatever its grad."""
        cdef double number = (<Value>node)._grad
        if isgreaterequal(number, 0.0) and isless(number, <double>self.count):
            if self.nodes[<size_t>number].node == node:
                return <size_t>number
        return NONE

    cdef int make_room(self) except -1:
        cdef size_t i, count, total = 0
        for i in range(self.count):
            count = self.nodes[i].terms
            self.nodes[i].terms = total
            total += count
        self.terms = <Term*>PyMem_Malloc(total * sizeof(Term))
        if self.terms == NULL:
            raise MemoryError
        self.zero, self.one = constant_of(0.0), constant_of(1.0)
        return 0

    cdef int differentiate(self) except -1:
        cdef size_t i = self.order.size, steps = 0
        Py_INCREF(self.one)
        self.nodes[i - 1].gradient = <PyObject*>self.one
        while i > 0:
            i -= 1
            if self.nodes[i].operands == NONE:
                continue
            self.pass_on(<Value>self.nodes[i].node, self.gradient(i), self.nodes[i].operands)
            steps += (<Value>self.nodes[i].node).count
            if steps >= BETWEEN_SIGNALS:
                steps = 0
                PyErr_CheckSignals()
        return 0

    cdef int pass_on(self, Value node, Value g, size_t first) except -1:
        """Add what a node of the gradient g passes to those of its operands that are wanted."""
        cdef Op op = <Op>node.op
        cdef size_t* numbers = self.numbers + first
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

    cdef int follow_rule(self, Value node, Value g, size_t* numbers) except -1:
        cdef list passed = passed_by_rule(node, g)
        cdef Value x
        for i, to_x in enumerate(passed):
            if numbers[i] != NONE:
                x = operand(to_x)
                self.add(numbers[i], <PyObject*>x, NULL, x is g)
        return 0

    cdef int replay(self, Pattern* pattern, Value node, Value g, size_t to) except -1:
        """Add what a pattern makes."""
        cdef PyObject* nodes[MOST_NODES]
        cdef size_t i, given = 2 + node.count, count = given
        cdef PyObject** held = operands(node)
        cdef Value made
        nodes[0], nodes[1] = <PyObject*>g, <PyObject*>node
        for i in range(node.count):
            nodes[2 + i] = held[i]
        try:
            for i in range(pattern.count):
                made = made_by(pattern.steps + i, nodes)
                Py_INCREF(made)
                nodes[count] = <PyObject*>made
                count += 1
            self.add(
                to, nodes[pattern.x], NULL if pattern.is_plain else nodes[pattern.y],
                pattern.is_plain and pattern.x == 0,
            )
        finally:
            for i in range(given, count):
                Py_DECREF(<object>nodes[i])
        return 0

    cdef inline void add(self, size_t to, PyObject* x, PyObject* y, bint is_gradient) noexcept:
        """Add a term to the gradient of a node, if that is wanted."""
        cdef Node* node
        cdef Term* term
        if to == NONE:
            return
        node = self.nodes + to
        term = self.terms + node.terms + node.count
        Py_INCREF(<object>x)
        term.x = x
        term.y = y
        if y != NULL:
            Py_INCREF(<object>y)
            node.has_product = True
        node.is_gradient = is_gradient
        node.count += 1

    cdef Value gradient(self, size_t i):
        """The gradient of a node that has got all its terms."""
        cdef Node* node = self.nodes + i
        cdef Value g
        if node.gradient == NULL:
            if node.count == 0:
                g = self.zero
            elif node.count == 1 and node.is_gradient:  # which is never -0.0, so 0.0 + x is x
                g = <Value>self.terms[node.terms].x
            else:
                g = self.dot(node) if node.has_product else self.sum(node)
            Py_INCREF(g)
            node.gradient = <PyObject*>g
        return <Value>node.gradient

    cdef Value sum(self, Node* node):
        cdef Term* term = self.terms + node.terms
        cdef PyObject** block = new_block(1 + node.count)
        cdef double total = 0.0
        cdef size_t i, count = node.count
        Py_INCREF(self.zero)
        block[0] = <PyObject*>self.zero
        for i in range(count):
            block[1 + i] = term[i].x
            total = total + (<Value>term[i].x)._data
        node.count = 0  # the block has its references
        return block_node(SUM, block, 1 + count, total)

    cdef Value dot(self, Node* node):
        cdef Term* term = self.terms + node.terms
        cdef PyObject** block = new_block(1 + 2 * node.count)
        cdef double total = 0.0
        cdef size_t i, count = node.count
        Py_INCREF(self.zero)
        block[0] = <PyObject*>self.zero
        for i in range(count):
            if term[i].y == NULL:
                Py_INCREF(self.one)
                term[i].y = <PyObject*>self.one
            block[1 + 2 * i], block[2 + 2 * i] = term[i].x, term[i].y
            total = total + (<Value>term[i].x)._data * (<Value>term[i].y)._data
        node.count = 0  # the block has its references
        return block_node(DOT, block, 1 + 2 * count, total)


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

@worded_as(reference.gradient)
def gradient(output, inputs):
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
    """
    cdef Gradients gradients = Gradients.__new__(Gradients)
    cdef size_t i
    if not isinstance(output, Value):
        raise TypeError(f"gradient differentiates a Value, not '{type_name(output)}'")
    cdef list xs = checked(inputs)
    gradients.read(<Value>output, xs)
    gradients.differentiate()
    return [gradients.gradient(gradients.inputs[i]) for i in range(<size_t>len(xs))]
