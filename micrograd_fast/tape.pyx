# cython: embedsignature=True, embedsignature.format=clinic
"""Tape: record a graph once, replay it over rows of inputs."""

import os
import warnings
from array import array

cimport cython
from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDED, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport INT32_MAX, int32_t
from libc.string cimport memcmp, memcpy, memset, strcmp
from libc.time cimport CLOCKS_PER_SEC, clock, clock_t

from micrograd_ref import tape as reference

from .wording import check_call

from .engine cimport (
    ADD, COMPARED, CONSTANT, CUSTOM, DOT, END, LEAF, LOCAL, MUL, POWER, SUM, VISITED, Op, Stack, Value,
    arity_of, checked_step, give_signature, has_block, is_detecting, label_of, node_of, operands,
    shown_name, stack_free, stack_init, topological_order, tuple_items, type_name,
)

__all__ = ["Tape"]

cdef extern from "kernels.h":
    cdef enum:
        BLOCK
        DOT_SHARED "MG_DOT_SHARED"
        DOT_SWAPPED "MG_DOT_SWAPPED"
        TAPE_END "MG_TAPE_END"
    ctypedef struct Instruction:
        int32_t op, out, x, y, count
    ctypedef struct Program:
        Instruction* code
        Py_ssize_t length
        int32_t* terms
        int32_t constants
    ctypedef struct Block:
        double* values
        double* grads
        double* shared
        double* shared_grads
        Py_ssize_t stride
        Py_ssize_t rows
    void (*kernel_forward)(Program*, Block*, int) noexcept nogil
    void (*kernel_backward)(Program*, Block*, int) noexcept nogil
    double (*kernel_sum)(double*, Py_ssize_t) noexcept nogil
    const char* kernel_choose(const char*) noexcept

cdef bytes wanted_cpu = os.environ.get("MICROGRAD_CPU", "").encode()
cdef const char* cpu = NULL
if wanted_cpu:
    cpu = wanted_cpu
if kernel_choose(cpu) == NULL:
    raise ImportError(
        f"MICROGRAD_CPU must be 'plain', 'avx2' or 'avx512' and one that this machine has, "
        f"got {wanted_cpu.decode()!r}"
    )


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

cdef enum:
    ALIGNMENT = 64  # of block: a cache line, and the widest vector
    PART = 2048  # instructions and terms, each for the rows of a block

cdef void* memory(size_t size) except NULL:
    cdef void* out = PyMem_Malloc(size if size else 1)
    if out == NULL:
        raise MemoryError
    return out

cdef class Tape


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

    # Chains of + and * become one dot or sum, as _Fusion in the reference says.

    cdef void fuse(self) noexcept:
        cdef int32_t end, plus, length
        for end in range(self.count - 1, -1, -1):
            if self.nodes[end].op != ADD or self.nodes[end].chain != NONE:
                continue
            plus, length = end, 0
            while True:
                self.nodes[plus].chain = end
                self.pluses[length] = plus
                length += 1
                self.claim_product(self.nodes[plus].y, plus, end)
                if not self.is_private(self.nodes[plus].x, ADD):
                    break
                plus = self.nodes[plus].x
            self.claim_product(self.nodes[plus].x, plus, end)
            self.fuse_chain(length)

    cdef inline bint is_private(self, int32_t i, int32_t op) noexcept:
        return self.nodes[i].op == op and self.nodes[i].uses == 1 and not self.nodes[i].output

    cdef inline bint is_product(self, int32_t i, int32_t plus) noexcept:
        return self.is_private(i, MUL) and self.nodes[i].varying == self.nodes[plus].varying

    cdef inline void claim_product(self, int32_t i, int32_t plus, int32_t end) noexcept:
        if self.is_product(i, plus):
            self.nodes[i].chain = end

    cdef void fuse_chain(self, int32_t length) noexcept:
        """Replace the chain in pluses, piece by piece."""
        cdef int32_t i, plus, from_ = length - 1, terms = 0, before = NONE
        for i in range(length - 1, -1, -1):
            plus = self.pluses[i]
            if i < from_ and (
                before < plus or self.nodes[plus].varying != self.nodes[self.pluses[i + 1]].varying
            ):
                self.emit(i + 1, from_ + 1, terms)
                from_, terms, before = i, 0, NONE
            if i == from_:
                self.terms[terms] = self.term(self.nodes[plus].x, plus, self.nodes[plus].next_x)
                before = min(before, self.terms[terms].before)
                terms += 1
            self.terms[terms] = self.term(self.nodes[plus].y, plus, self.nodes[plus].next_y)
            before = min(before, self.terms[terms].before)
            terms += 1
        self.emit(0, from_ + 1, terms)

    cdef Term term(self, int32_t i, int32_t plus, int32_t next_user) noexcept:
        """A term of a +: a product with its operands if it may be, else a value times one."""
        cdef Term out
        cdef Node* node = self.nodes + i
        cdef int32_t chain = self.nodes[plus].chain
        if self.is_product(i, plus):
            out.product, out.x, out.y = i, node.x, node.y
            out.before = min(self.outside(node.next_x, chain), self.outside(node.next_y, chain))
            if out.before > plus:
                return out
        out.product, out.x, out.y = NONE, i, self.count + 1
        out.before = self.outside(next_user, chain)
        return out

    cdef inline int32_t outside(self, int32_t user, int32_t chain) noexcept:
        return NONE if user == NONE or self.nodes[user].chain == chain else user

    cdef void emit(self, int32_t first, int32_t stop, int32_t terms) noexcept:
        """Put one instruction in the place of pluses[first:stop], if that is shorter."""
        cdef int32_t i, products = 0
        cdef Node* node = self.nodes + self.pluses[first]
        for i in range(terms):
            if self.terms[i].product != NONE:
                self.nodes[self.terms[i].product].fused = True
                products += 1
        if products == 0 and terms == 2:
            return
        for i in range(first + 1, stop):
            self.nodes[self.pluses[i]].fused = True
        node.y = <int32_t>self.item_count
        if products == 0:
            node.op = SUM
            for i in range(terms):
                self.put(self.terms[i].x)
        else:
            node.op = DOT
            if self.terms[0].product == NONE:
                self.put(self.terms[0].x)
            else:
                self.put(self.count)
                self.put(self.terms[0].x)
                self.put(self.terms[0].y)
            for i in range(1, terms):
                self.put(self.terms[i].x)
                self.put(self.terms[i].y)
        node.count = <int32_t>self.item_count - node.y

    cdef inline void put(self, int32_t operand) noexcept:
        self.items[self.item_count] = operand
        self.item_count += 1


    cdef int write(self, Tape tape, bint single, tuple inputs, Py_ssize_t outputs) except -1:
        """Number the slots and make the instructions."""
        cdef int32_t i, k = 2, constants = 2, parameters = 0, parameter = 0, shared, varying
        cdef Py_ssize_t length = 0, terms = 0
        cdef Node* node
        cdef Instruction* out
        cdef tuple found
        for i in range(self.count):
            node = self.nodes + i
            if node.op == POWER:
                constants += 1
            elif node.op == LEAF and not node.varying:
                if self.value(i).flags & CONSTANT:
                    constants += 1
                else:
                    parameters += 1
            if node.count and not node.fused:
                length += 1
        found = PyTuple_New(parameters)
        # What came before may run Python, even in a garbage collection, and that record this Tape;
        # what follows may not, for it would find the Tape half made.
        if tape.program.code != NULL:
            raise TypeError("a Tape is recorded once: make a new one")
        tape.allocate(constants, self.item_count, outputs, length)
        tape.single, tape._inputs, tape._parameters = single, inputs, found
        tape.constants[0], tape.constants[1] = -0.0, 1.0
        self.nodes[self.count].slot, self.nodes[self.count + 1].slot = ~0, ~1
        shared, varying = constants + parameters, <int32_t>len(inputs)
        out = tape.program.code
        for i in range(self.count):
            node = self.nodes + i
            if node.fused:
                continue
            if node.op == LEAF:
                if node.varying:
                    continue
                if self.value(i).flags & CONSTANT:
                    tape.constants[k] = self.value(i)._data
                    node.slot = ~k
                    k += 1
                else:
                    Py_INCREF(self.value(i))
                    PyTuple_SET_ITEM(found, parameter, self.value(i))
                    node.slot = ~(constants + parameter)
                    parameter += 1
                continue
            if node.varying:
                node.slot = varying
                varying += 1
            else:
                node.slot = ~shared
                shared += 1
            out.op, out.out, out.count = node.op, node.slot, 0
            if has_block(node.op):
                self.write_terms(tape, node, out, &terms)
            else:
                out.x = self.nodes[node.x].slot
                out.y = self.nodes[node.y].slot if node.count > 1 else 0
                if node.op == POWER:
                    tape.constants[k] = self.value(i).second.exponent
                    out.y = ~k
                    k += 1
            out += 1
        for i in range(outputs):
            tape.outputs[i] = self.nodes[self.outputs[i]].slot
        tape.input_count, tape.output_count = <int32_t>len(inputs), <int32_t>outputs
        tape.program.length = length
        tape.program.constants = constants
        tape.term_count = <int32_t>terms
        tape.varying_count, tape.shared_count = varying, shared
        return 0

    cdef inline Value value(self, int32_t i):
        return <Value>self.order.items[i]

    cdef void write_terms(
        self, Tape tape, Node* node, Instruction* out, Py_ssize_t* terms
    ) noexcept:
        cdef int32_t* operands = self.items + node.y
        cdef int32_t* into = tape.program.terms + terms[0]
        cdef int32_t i, x, y, start = 0 if node.op == SUM else 1
        cdef int32_t shared_first = 0, shared_last = 0
        out.x = 0 if node.op == SUM else self.nodes[operands[0]].slot
        out.y = <int32_t>terms[0]
        terms[0] += node.count - start
        if node.op == SUM:
            out.count = node.count
            for i in range(node.count):
                into[i] = self.nodes[operands[i]].slot
            return
        out.count = (node.count - 1) // 2
        for i in range(out.count):
            x, y = self.nodes[operands[2 * i + 1]].slot, self.nodes[operands[2 * i + 2]].slot
            into[2 * i], into[2 * i + 1] = x, y
            shared_first += x < 0 <= y
            shared_last += y < 0 <= x
        if node.op != DOT or not node.varying or out.count == 0:
            return
        if shared_last == out.count:
            out.op = DOT_SHARED
        elif shared_first == out.count:
            out.op = DOT_SWAPPED
            for i in range(out.count):
                into[2 * i], into[2 * i + 1] = into[2 * i + 1], into[2 * i]


# Replaying.

cdef object ndarray = None  # numpy.ndarray, once it is needed
cdef object empty = None
cdef object float64 = None

cdef object real_array(object x, str what):
    """x as an array of float64."""
    global ndarray, empty, float64
    if ndarray is None:
        import numpy as np

        ndarray, empty, float64 = np.ndarray, np.empty, np.dtype(np.float64)
    if type(x) is ndarray and x.dtype is float64:
        return x
    import numpy as np

    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be an array of real numbers, got dtype {x.dtype}")
    return x.astype(np.float64, copy=False)

cdef bint holds_doubles(Py_buffer* view) noexcept:
    """In the order of this machine's bytes, at any address."""
    cdef const char* format = view.format
    return strcmp(format + (format[0] in b"=^@"), b"d") == 0

cdef object get_empty(
    Py_buffer* view, Py_ssize_t rows, bint many, Py_ssize_t columns, bint wide
):
    """A new array with a dimension for rows, for columns, for both or for none, and its buffer."""
    cdef tuple shape = (rows,) if many else ()
    out = empty((*shape, columns) if wide else shape)
    PyObject_GetBuffer(out, view, PyBUF_STRIDED)
    if (
        view.itemsize != sizeof(double)
        or view.ndim != many + wide
        or many and view.shape[0] != rows
        or wide and view.shape[view.ndim - 1] != columns
    ):
        PyBuffer_Release(view)
        raise ValueError("numpy.empty was replaced by what makes other arrays")
    return out

cdef struct Table:
    char* data  # of doubles
    Py_ssize_t rows
    Py_ssize_t row_step, column_step  # in bytes

cdef Table table_of(Py_buffer* view, bint many, bint wide) noexcept:
    """An array of rows as a table, whether or not it has a dimension for rows or for columns."""
    cdef Table out
    out.data = <char*>view.buf
    out.rows = view.shape[0] if many else 1
    out.row_step = view.strides[0] if many else 0
    out.column_step = view.strides[view.ndim - 1] if wide else 0
    return out

cdef inline double* at(Table* table, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    return <double*>(table.data + row * table.row_step + column * table.column_step)

cdef inline double read(Table* table, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    """What is there, which may lie at any address."""
    cdef double out
    memcpy(&out, at(table, row, column), sizeof(double))
    return out


@cython.binding(False)  # else a method would take anything for self
@cython.auto_pickle(False)
cdef class Tape:
    """A graph recorded once, to evaluate and differentiate over many rows of inputs.

    output: the Value to compute, or a sequence of them.
    inputs: leaves that vary by row. Every other leaf that is not a constant is a parameter.

        x, y = [Value(0.0), Value(0.0)], Value(0.0)
        loss = (1 - y * model(x)).relu()
        tape = Tape(loss, inputs=[*x, y])
        losses = tape.forward(rows)            # (n, 3) -> (n,)
        tape.backward(np.full(n, 1 / n))       # adds into each parameter's .grad

    The graph is taken as it stands; it can be dropped, and changing it afterwards changes nothing.
    A parameter's data is read at each forward, and backward differentiates at what was read.

    A row of `forward` has the bits of the eager graph. `backward` takes the rows in blocks of 128,
    first to last. In a block it goes through the graph in reverse topological order. Where a node
    that depends on an input passes gradient to an operand that does not, the contributions of the
    block's rows are summed into one: row i into partial sum i % 8, rows in order, and then
    ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)). What depends on no input is differentiated
    once, in its place in the last block. So one row, with grads zero before, has the bits of the
    eager backward.

    A branch that Python took while the graph was made is recorded as it was taken, for every row:
    x * 2 if x > 0 else x * 0.01, recorded at 2, doubles a row of -2 too, and max(a, b) is the same
    one of them in all rows. Numbers read from data, and masks drawn at random, are recorded as they
    were. maximum, minimum, where and softmax let each row take its own; a mask can be an input.
    Recording what depends on an input and was compared with < <= > >= is a UserWarning.

    Chains of additions and products that nothing else uses are recorded as one dot or sum, where
    that changes no bit. len(tape) is the number of instructions.

    Raises TypeError for what is no Value; ValueError for no output, a repeated input, an input
    that is no leaf or not in the graph, a custom operation.
    Cost: recording is proportional to the size of the graph. Replaying needs memory for one block,
    whatever the number of rows.
    """

    cdef tuple _inputs
    cdef tuple _parameters
    cdef bint single  # one output, which comes bare
    cdef bint busy
    cdef Program program
    cdef double* constants  # as many as program.constants
    cdef int32_t* outputs
    cdef int32_t input_count, output_count
    cdef int32_t term_count
    cdef int32_t varying_count
    cdef int32_t shared_count
    cdef void* storage  # of block
    cdef Py_ssize_t capacity  # of storage, in rows
    cdef Block block
    cdef Py_ssize_t current  # the first row of those whose values are in block, -1 for none
    cdef Py_ssize_t steps  # since the last look at the clock
    cdef clock_t next_look  # for a KeyboardInterrupt
    cdef object rows  # of the last forward
    cdef Py_ssize_t row_count  # that they had then
    cdef bint many  # rather than one row as a 1-D array
    cdef object gradient  # of the last backward, with respect to the inputs

    def __cinit__(self):
        self._inputs = self._parameters = ()

    def __init__(self, *args, **kwargs):
        try:
            _record(self, *args, **kwargs)
        except TypeError:
            check_call(reference.Tape.__init__, (self, *args), kwargs)
            raise

    @property
    def inputs(self):
        """The leaves that vary by row."""
        return self._inputs

    @property
    def parameters(self):
        """The other leaves that are no constants, in topological order."""
        return self._parameters

    def __dealloc__(self):
        self.free_program()
        PyMem_Free(self.storage)

    def forward(self, rows=()):
        """Evaluate the recorded output for every row.

        rows: (n, len(inputs)) array of float64; other real dtypes are converted. It is read again
        by backward, so leave it as it is until then.
        Returns a new (n,) array, or (n, k) for a sequence of k outputs. A single row may come as a
        (len(inputs),) array: that returns a float, or (k,).
        Raises ValueError if the last dimension is not len(inputs), TypeError for another dtype,
        RuntimeError if another thread is using the Tape.
        Cost: one pass over the instructions per block of rows; no Python objects are made.
        """
        cdef Py_buffer view
        cdef bint fits
        rows = real_array(rows, "rows")
        PyObject_GetBuffer(rows, &view, PyBUF_STRIDED_RO)
        try:
            fits = 1 <= view.ndim <= 2 and view.shape[view.ndim - 1] == len(self._inputs)
            if not fits:
                raise ValueError(
                    f"rows must have the shape (n, {len(self._inputs)}) or ({len(self._inputs)},), "
                    f"got {rows.shape}"
                )
            self.acquire()
            try:
                return self.evaluate(rows, table_of(&view, view.ndim == 2, True), view.ndim == 2)
            finally:
                self.busy = False
        finally:
            PyBuffer_Release(&view)

    def backward(self, seed=None):
        """Differentiate the rows of the last forward.

        seed: the weight of each row, in the shape that forward returned; all 1.0 if None.
        Adds the gradient of the weighted sum of the outputs into each parameter's grad, and leaves
        that with respect to the inputs in input_grad. A block's forward is computed again where it
        is no longer at hand, which is when there is more than one: time for memory.
        Raises ValueError without a forward before, or for a seed of another shape; TypeError for a
        seed of another dtype; RuntimeError if another thread is using the Tape.
        Cost: about two forwards, three with more than one block.
        """
        self.acquire()
        try:
            self.run_backward(seed)
        finally:
            self.busy = False

    @property
    def input_grad(self):
        """The gradient with respect to the inputs, in the shape of the rows of the last forward.

        Raises ValueError if there was no backward since.
        """
        if self.gradient is None:
            raise ValueError("input_grad needs a backward after the last forward")
        return self.gradient

    def __len__(self):
        return self.program.length

    def __repr__(self):
        return (
            f"Tape({len(self)} instructions, {len(self._inputs)} inputs, "
            f"{len(self._parameters)} parameters)"
        )

    cdef int run_backward(self, object seed) except -1:
        cdef Py_buffer view, seed_view
        cdef Table seeds
        cdef bint many
        if self.rows is None:
            raise ValueError("backward needs a forward before it")
        if seed is not None:
            seed = real_array(seed, "seed")  # may run Python, so before the buffer of rows is held
        PyObject_GetBuffer(self.rows, &view, PyBUF_STRIDED_RO | PyBUF_FORMAT)
        try:
            if not holds_doubles(&view):
                raise ValueError(f"rows had the dtype float64 in forward, now {self.rows.dtype}")
            many = self.many
            if (
                view.ndim != 1 + many
                or view.shape[view.ndim - 1] != self.input_count
                or many and view.shape[0] != self.row_count
            ):
                before = (self.row_count, self.input_count)[0 if many else 1 :]
                raise ValueError(f"rows had the shape {before} in forward, now {self.rows.shape}")
            if seed is None:
                return self.differentiate(table_of(&view, many, True), NULL)
            shape = self.output_shape(self.row_count)
            if seed.shape != shape:
                raise ValueError(f"seed must have the shape {shape}, got {seed.shape}")
            PyObject_GetBuffer(seed, &seed_view, PyBUF_STRIDED_RO)
            try:
                seeds = table_of(&seed_view, many, not self.single)
                return self.differentiate(table_of(&view, many, True), &seeds)
            finally:
                PyBuffer_Release(&seed_view)
        finally:
            PyBuffer_Release(&view)

    cdef tuple output_shape(self, Py_ssize_t rows):
        lead = (rows,) if self.many else ()
        return lead if self.single else (*lead, self.output_count)

    cdef int acquire(self) except -1:
        if self.program.code == NULL:
            raise ValueError("this Tape is not recorded yet: Tape.__init__ has not run")
        if self.busy:
            raise RuntimeError("this Tape is in use by another thread: give each thread its own")
        self.busy = True
        return 0

    cdef int allocate(
        self, Py_ssize_t constants, Py_ssize_t terms, Py_ssize_t outputs, Py_ssize_t length
    ) except -1:
        """Room for a program: all of it, or none."""
        self.constants = <double*>PyMem_Malloc(constants * sizeof(double))
        self.program.terms = <int32_t*>PyMem_Malloc(terms * sizeof(int32_t))
        self.outputs = <int32_t*>PyMem_Malloc(outputs * sizeof(int32_t))
        self.program.code = <Instruction*>PyMem_Malloc(length * sizeof(Instruction))
        if (
            self.constants == NULL
            or self.program.terms == NULL
            or self.outputs == NULL
            or self.program.code == NULL
        ):
            self.free_program()
            raise MemoryError
        return 0

    cdef void free_program(self) noexcept:
        PyMem_Free(self.constants)
        PyMem_Free(self.program.terms)
        PyMem_Free(self.outputs)
        PyMem_Free(self.program.code)
        self.constants = NULL
        self.program.terms = self.outputs = NULL
        self.program.code = NULL

    cdef int reserve(self, Py_ssize_t rows) except -1:
        """Room in block for so many rows, up to BLOCK."""
        cdef Py_ssize_t stride = min(rows, <Py_ssize_t>BLOCK)
        cdef double* start
        if self.storage == NULL or stride > self.capacity:
            PyMem_Free(self.storage)
            self.storage = NULL
            self.storage = memory(
                2 * sizeof(double) * (self.shared_count + self.varying_count * stride) + ALIGNMENT
            )
            self.capacity = stride
        start = <double*>((<size_t>self.storage + ALIGNMENT - 1) & ~<size_t>(ALIGNMENT - 1))
        self.block.values = start
        self.block.grads = self.block.values + self.varying_count * stride
        self.block.shared = self.block.grads + self.varying_count * stride
        self.block.shared_grads = self.block.shared + self.shared_count
        self.block.stride = stride
        return 0

    cdef object evaluate(self, object rows, Table table, bint many):
        """What forward returns."""
        cdef Py_ssize_t i
        cdef Py_buffer view
        cdef Table results
        cdef double result
        self.rows = self.gradient = None
        self.current = -1
        self.reserve(table.rows)
        memcpy(self.block.shared, self.constants, self.program.constants * sizeof(double))
        for i in range(len(self._parameters)):
            self.block.shared[self.program.constants + i] = (<Value>self._parameters[i])._data
        if is_detecting():
            self.check(&table, NULL, False)
        self.run_forward(False)
        self.row_count, self.many = table.rows, many
        if self.single and not many:
            results.data, results.row_step, results.column_step = <char*>&result, 0, 0
            self.evaluate_rows(&table, &results)
            self.rows = rows
            return result
        out = get_empty(&view, table.rows, many, self.output_count, not self.single)
        try:
            results = table_of(&view, many, not self.single)
            if self.is_long(table.rows):
                with nogil:
                    self.evaluate_rows(&table, &results)
            else:
                self.evaluate_rows(&table, &results)
        finally:
            PyBuffer_Release(&view)
        self.rows = rows
        return out

    cdef int evaluate_rows(self, Table* table, Table* results) except -1 nogil:
        cdef Py_ssize_t start = 0, i
        cdef int32_t k, slot
        while start < table.rows:
            if start:
                self.look(self.work())
            self.load(table, start)
            self.run_forward(True)
            self.current = start
            for k in range(self.output_count):
                slot = self.outputs[k]
                for i in range(self.block.rows):
                    at(results, start + i, k)[0] = (
                        self.block.shared[~slot] if slot < 0
                        else self.block.values[slot * self.block.stride + i]
                    )
            start += BLOCK
        return 0

    cdef bint load(self, Table* table, Py_ssize_t start) noexcept nogil:
        """Put a block's inputs in place; whether they are those of the values at hand."""
        cdef Py_ssize_t i, k
        cdef double* row
        cdef bint same = self.current == start
        self.block.rows = min(table.rows - start, <Py_ssize_t>BLOCK)
        for k in range(self.input_count):
            row = self.block.values + k * self.block.stride
            for i in range(self.block.rows):
                same = same and memcmp(row + i, at(table, start + i, k), sizeof(double)) == 0
                row[i] = read(table, start + i, k)
        return same

    cdef int differentiate(self, Table table, Table* seeds) except -1:
        """What backward does."""
        cdef Py_ssize_t i
        cdef Py_buffer view
        cdef Table gradient
        cdef Value p
        if is_detecting():
            self.check(&table, seeds, True)
        out = get_empty(&view, table.rows, self.many, self.input_count, True)
        memset(self.block.shared_grads, 0, self.shared_count * sizeof(double))
        try:
            gradient = table_of(&view, view.ndim == 2, True)
            if self.is_long(table.rows):
                with nogil:
                    self.differentiate_rows(&table, seeds, &gradient)
            else:
                self.differentiate_rows(&table, seeds, &gradient)
        finally:
            PyBuffer_Release(&view)
        for i in range(len(self._parameters)):
            p = <Value>self._parameters[i]
            p._grad = p._grad + self.block.shared_grads[self.program.constants + i]
        self.gradient = out
        return 0

    cdef int differentiate_rows(self, Table* table, Table* seeds, Table* gradient) except -1 nogil:
        cdef Py_ssize_t start = 0, i, k
        cdef double* grads = self.block.grads
        while start < table.rows:
            if start:
                self.look(2 * self.work())
            if not self.load(table, start):
                self.current = -1
                self.run_forward(True)
                self.current = start
            self.clear_grads()
            self.sow(seeds, start)
            self.run_backward_block(start + BLOCK >= table.rows)
            for k in range(self.input_count):
                for i in range(self.block.rows):
                    at(gradient, start + i, k)[0] = grads[k * self.block.stride + i]
            start += BLOCK
        return 0

    cdef void sow(self, Table* seeds, Py_ssize_t start) noexcept nogil:
        """Give the outputs the gradients of a block."""
        cdef double weights[BLOCK]
        cdef Py_ssize_t i, n = self.block.rows
        cdef double* grad
        cdef int32_t k, slot
        for k in range(self.output_count):
            slot = self.outputs[k]
            for i in range(n):
                weights[i] = 1.0 if seeds == NULL else read(seeds, start + i, k)
            if slot < 0:
                if ~slot >= self.program.constants:
                    self.block.shared_grads[~slot] += kernel_sum(weights, n)
                continue
            grad = self.block.grads + slot * self.block.stride
            for i in range(n):
                grad[i] += weights[i]

    cdef int check(self, Table* table, Table* seeds, bint backward) except -1:
        """Replay each row as an eager graph, which raises at an anomaly."""
        cdef Py_ssize_t i
        for i in range(table.rows):
            try:
                self.replay(table, seeds, i, backward)
            except FloatingPointError as error:
                raise FloatingPointError(f"row {i}: {error}") from None
        return 0

    cdef int replay(self, Table* table, Table* seeds, Py_ssize_t row, bint backward) except -1:
        cdef dict nodes = {}
        cdef Py_ssize_t i
        cdef Instruction* step
        cdef Value node
        for i in range(self.program.constants):
            nodes[~i] = Value(self.constants[i])
        for i in range(len(self._parameters)):
            slot = ~(self.program.constants + i)
            label = label_of(<Value>self._parameters[i])
            nodes[slot] = Value(self.block.shared[~slot], label=label)
        for i in range(self.input_count):
            nodes[i] = Value(read(table, row, i), label=label_of(<Value>self._inputs[i]))
        for i in range(self.program.length):
            step = self.program.code + i
            operands = [nodes[slot] for slot in self.operand_slots(step)]
            node = node_of(
                eager_operation(step.op),
                operands,
                self.constants[~step.y] if step.op == POWER else 0.0,
            )
            nodes[step.out] = node
            self.look(1 + step.count)
        if backward:
            for i in range(self.output_count):
                node = nodes[self.outputs[i]]
                node._grad += 1.0 if seeds == NULL else read(seeds, row, i)
            for i in range(self.program.length - 1, -1, -1):
                step = self.program.code + i
                checked_step(nodes[step.out])
                self.look(1 + step.count)
        return 0

    cdef list operand_slots(self, Instruction* step):
        cdef int32_t* terms = self.program.terms + step.y
        cdef int arity = arity_of(eager_operation(step.op))
        cdef int swapped = step.op == DOT_SWAPPED
        if step.op == SUM:
            return [terms[i] for i in range(step.count)]
        if arity > 2:
            return [step.x] + [terms[i ^ swapped] for i in range(2 * step.count)]
        return [step.x, step.y] if arity == 2 else [step.x]

    cdef inline Py_ssize_t work(self) noexcept nogil:
        """Steps for a row."""
        return 1 + self.program.length + self.term_count

    # A pass goes through a long program in parts, and looks for a KeyboardInterrupt between them.

    cdef inline int run_forward(self, bint varying) except -1 nogil:
        if self.work() > PART:
            return self.forward_in_parts(varying)
        kernel_forward(&self.program, &self.block, varying)
        return 0

    cdef inline int run_backward_block(self, bint last) except -1 nogil:
        if self.work() > PART:
            return self.backward_in_parts(last)
        kernel_backward(&self.program, &self.block, last)
        return 0

    cdef int forward_in_parts(self, bint varying) except -1 nogil:
        cdef Program part = self.program
        cdef Instruction* end = part.code + part.length
        while part.code < end:
            part.length = part_of(part.code, end - part.code, 1)
            kernel_forward(&part, &self.block, varying)
            part.code += part.length
            self.look(PART)
        return 0

    cdef int backward_in_parts(self, bint last) except -1 nogil:
        cdef Program part = self.program
        cdef Py_ssize_t left = part.length
        while left:
            part.length = part_of(self.program.code + left - 1, left, -1)
            left -= part.length
            part.code = self.program.code + left
            kernel_backward(&part, &self.block, last)
            self.look(PART)
        return 0

    cdef inline int clear_grads(self) except -1 nogil:
        """Set the block's gradients to zero, in parts too: memory that is new takes its time."""
        cdef Py_ssize_t first = 0, n
        while True:
            n = min(self.varying_count - first, <Py_ssize_t>PART)
            memset(
                self.block.grads + first * self.block.stride, 0,
                n * self.block.stride * sizeof(double),
            )
            first += n
            if first == self.varying_count:
                return 0
            self.look(PART)

    cdef int look(self, Py_ssize_t steps) except -1 nogil:
        """For a KeyboardInterrupt, where that is due after so many steps more."""
        self.steps += steps
        if self.steps < PART:
            return 0
        self.steps = 0
        if clock() < self.next_look:
            return 0
        with gil:
            PyErr_CheckSignals()
        self.next_look = clock() + CLOCKS_PER_SEC // 50
        return 0

    cdef inline bint is_long(self, Py_ssize_t rows) noexcept nogil:
        """Whether rows take longer than to release the GIL."""
        return rows * self.work() > 2000

    def __reduce__(self):
        return _restore, (
            self.single,
            self._inputs,
            self._parameters,
            to_array(<int32_t*>self.program.code, 5 * self.program.length),
            to_array(self.program.terms, self.term_count),
            to_array(self.outputs, self.output_count),
            [self.constants[i] for i in range(self.program.constants)],
            (VERSION, operation_names()),
        )


cdef inline Op eager_operation(int32_t op) noexcept nogil:
    """That of the node which an instruction replays."""
    return DOT if op == DOT_SHARED or op == DOT_SWAPPED else <Op>op

cdef Py_ssize_t part_of(Instruction* first, Py_ssize_t left, int step) noexcept nogil:
    """How many of the instructions left, from the first on or back, take some milliseconds."""
    cdef Py_ssize_t n = 0, steps = 0
    while n < left and steps < PART:
        steps += 1 + first[n * step].count
        n += 1
    return n

cdef tuple values(object xs, str what):
    xs = tuple(xs)
    for x in xs:
        if not isinstance(x, Value):
            raise TypeError(f"{what} of a Tape must be a Value, not '{type_name(x)}'")
    return xs


# Pickling. A state has the operations by number, and their names by number too: another build may
# number them in another way.

cdef enum:
    VERSION = 1

cdef tuple operation_names():
    cdef dict others = {DOT_SHARED: "dot, shared", DOT_SWAPPED: "dot, swapped"}
    return tuple([others.get(op) or shown_name(<Op>op) for op in range(TAPE_END)])

cdef object numbers_here(tuple names):
    """The number of each operation in this build, -1 for one that it does not have."""
    cdef dict own = {name: op for op, name in enumerate(operation_names())}
    return array("i", [own.get(name, -1) for name in names])

cdef object to_array(int32_t* items, Py_ssize_t n):
    return array("i", (<char*>items)[: n * sizeof(int32_t)])

cdef void copy_items(void* into, const int32_t[::1] items) noexcept:
    if len(items):
        memcpy(into, &items[0], len(items) * sizeof(int32_t))

def _restore(single, inputs, parameters, code, terms, outputs, constants, table):
    """A Tape from what __reduce__ says of it."""
    version, names = table
    if version != VERSION:
        raise ValueError(f"a Tape's state of version {version!r} was given, expected {VERSION}")
    names = tuple(names)
    cdef const int32_t[::1] numbers_of = numbers_here(names)
    cdef Tape tape = Tape.__new__(Tape)
    cdef bint single_output = single
    cdef tuple input_values = values(inputs, "an input")
    cdef tuple parameter_values = values(parameters, "a parameter")
    cdef const double[::1] numbers = array("d", constants)
    cdef const int32_t[::1] code_items = array("i", code)
    cdef const int32_t[::1] term_items = array("i", terms)
    cdef const int32_t[::1] output_items = array("i", outputs)
    cdef Py_ssize_t i, length = len(code_items) // 5
    cdef int32_t op
    for i in range(length):
        op = code_items[5 * i]
        if 0 <= op < len(names) and numbers_of[op] == -1:
            raise ValueError(f"a state has the operation {names[op]!r}, which is unknown here")
    # From here on, as in write, no Python runs.
    tape.allocate(len(numbers), len(term_items), len(output_items), length + 1)
    copy_items(tape.program.code, code_items)
    for i in range(length):
        op = code_items[5 * i]
        tape.program.code[i].op = numbers_of[op] if 0 <= op < len(numbers_of) else -1
    copy_items(tape.program.terms, term_items)
    copy_items(tape.outputs, output_items)
    for i in range(len(numbers)):
        tape.constants[i] = numbers[i]
    tape.single, tape._inputs, tape._parameters = single_output, input_values, parameter_values
    tape.program.constants, tape.term_count = <int32_t>len(numbers), <int32_t>len(term_items)
    tape.input_count, tape.output_count = <int32_t>len(input_values), <int32_t>len(output_items)
    tape.varying_count = tape.input_count
    tape.shared_count = <int32_t>(len(numbers) + len(parameter_values))
    if not is_program(tape, len(code_items)):
        tape.free_program()
        raise ValueError("this is not the state of a Tape")
    tape.program.length = length
    return tape

cdef bint is_program(Tape tape, Py_ssize_t code) noexcept:
    """Whether it reads and writes only what it may: slots come into being one after another."""
    cdef Instruction* step = tape.program.code
    cdef Py_ssize_t i
    if code % 5 or tape.program.constants < 2:
        return False
    if tape.output_count != 1 if tape.single else tape.output_count < 1:
        return False
    for i in range(code // 5):
        if not is_step(tape, step + i):
            return False
        if step[i].out == tape.varying_count:
            tape.varying_count += 1
        elif ~step[i].out == tape.shared_count:
            tape.shared_count += 1
        else:
            return False
    for i in range(tape.output_count):
        if not is_known(tape, tape.outputs[i]):
            return False
    return True

cdef bint is_step(Tape tape, Instruction* step) noexcept:
    cdef int32_t* terms = tape.program.terms + step.y
    cdef int32_t op = step.op
    cdef bint shared = op == DOT_SHARED or op == DOT_SWAPPED
    cdef Py_ssize_t i, count = 0
    cdef int arity
    cdef bint varies
    if not shared and (not 0 <= op < END or op == LEAF or op == CUSTOM or op == LOCAL):
        return False
    arity = arity_of(eager_operation(op))
    if arity > 2:
        count = step.count if op == SUM else 2 * <Py_ssize_t>step.count
        if step.y < 0 or count < (op == SUM) or step.y + count > tape.term_count:
            return False
    if arity == 3 and step.count != 1 or shared and (step.out < 0 or count == 0):
        return False
    varies = op != SUM and step.x >= 0
    if op != SUM and not is_known(tape, step.x):
        return False
    for i in range(count):
        if not is_known(tape, terms[i]):
            return False
        if shared and (terms[i] >= 0) != (i % 2 == 0):
            return False
        varies = varies or terms[i] >= 0
    if op == POWER:
        if step.y >= 0 or ~step.y >= tape.program.constants:
            return False
    elif arity == 2:
        if not is_known(tape, step.y):
            return False
        varies = varies or step.y >= 0
    return varies == (step.out >= 0)

cdef inline bint is_known(Tape tape, int32_t slot) noexcept:
    return -tape.shared_count <= slot < tape.varying_count


def _record(Tape tape, output, inputs=()):
    cdef Recording recording = Recording()
    cdef bint single = isinstance(output, Value)
    cdef tuple outputs = values([output] if single else output, "an output")
    cdef tuple varying = values(inputs, "an input")
    if not outputs:
        raise ValueError("a Tape needs at least one output, got none")
    recording.read(outputs, varying)
    PyErr_CheckSignals()
    recording.link()
    recording.warn_of_branches()
    PyErr_CheckSignals()
    recording.fuse()
    PyErr_CheckSignals()
    recording.write(tape, single, varying, len(outputs))


give_signature(Tape, "(output, inputs=())")
