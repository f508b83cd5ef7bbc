# cython: embedsignature=True, embedsignature.format=clinic
"""Tape: record a graph once, replay it over rows of inputs."""

import os
import warnings
from array import array

cimport cython
from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDED, PyBUF_STRIDED_RO, PyBuffer_IsContiguous, PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport fabs, frexp, isinf
from libc.stdint cimport INT32_MAX, int32_t
from libc.string cimport memcpy, memset, strcmp
from libc.time cimport CLOCKS_PER_SEC, clock, clock_t

from micrograd_ref import tape as reference

from .wording import check_call

from .engine cimport (
    ADD, COMPARED, CONSTANT, CUSTOM, DIV, DOT, END, LEAF, LOCAL, MUL, POWER, SUM, VISITED, Op, Stack,
    Value, arity_of, checked_step, give_signature, has_block, is_detecting, label_of, node_of,
    ask_reference, operands, shown_name, stack_free, stack_init, topological_order, tuple_items,
    type_name,
)

__all__ = ["Tape"]

include "kernels.pxi"  # the loops in C, and the choice among them
include "rows.pxi"  # arrays from and for a user
include "program.pxi"  # a program, and how it runs over blocks of rows
include "layers.pxi"  # dots over the same slots that become one instruction
include "native.pxi"  # a program by a C compiler
include "recording.pxi"  # a graph as numbers
include "fusion.pxi"  # chains that become one dot or sum


@cython.binding(False)  # else a method would take anything for self
@cython.auto_pickle(False)
cdef class Tape(Native):
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

    def forward(self, rows=(), out=None):
        """Evaluate the recorded output for every row.

        rows: (n, len(inputs)) array of float64; other real dtypes are converted. It is read again
        by backward, so leave it as it is until then.
        out: an array for the results, which is then what is returned: float64, in C order, and
        apart from rows in memory. A new one if None.
        Returns a new (n,) array, or (n, k) for a sequence of k outputs. A single row may come as a
        (len(inputs),) array: that returns a float, or (k,); its out has the shape (), or (k,).
        Raises ValueError if the last dimension is not len(inputs), or for an out that does not fit;
        TypeError for another dtype; RuntimeError if another thread is using the Tape.
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
                return self.evaluate(rows, &view, out)
            finally:
                self.busy = False
        finally:
            PyBuffer_Release(&view)

    def backward(self, seed=None, input_grad=None):
        """Differentiate the rows of the last forward.

        seed: the weight of each row, in the shape that forward returned; all 1.0 if None.
        input_grad: an array for the gradient with respect to the inputs, which the property is
        then: float64, in C order, and apart from rows and seed in memory. A new one if None.
        Adds the gradient of the weighted sum of the outputs into each parameter's grad, and leaves
        that with respect to the inputs in input_grad. A block's forward is computed again where it
        is no longer at hand, which is when there is more than one: time for memory.
        Raises ValueError without a forward before, for a seed of another shape, or for an
        input_grad that does not fit; TypeError for another dtype; RuntimeError if another thread is
        using the Tape.
        Cost: about two forwards, three with more than one block.
        """
        self.acquire()
        try:
            self.run_backward(seed, input_grad)
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

    def compile(self):
        """Let the C compiler of this machine make native code of this Tape, and use it from now on.

        The compiler is $CC, else cc, gcc, clang, or that of the package ziglang. It gets what to_c
        writes, and makes vectors for this CPU. Results, errors and interrupts are as before, to the
        last bit. What is written on the way lies in a private temporary folder, which is removed.
        A pickle holds the Tape as it was recorded. micrograd_ref compiles nothing.
        Returns the Tape.
        Raises RuntimeError if there is no compiler or it fails, if the Tape is too large for it, or
        if another thread is using the Tape.
        Cost: seconds, and for thousands of operations up to a minute.
        """
        self.acquire()
        try:
            if self.library is None:
                self.compile_program(len(self._parameters))
        finally:
            self.busy = False
        return self

    def to_c(self, name="tape"):
        """C99 that computes and differentiates rows: the functions NAME_forward and NAME_backward.

        It needs nothing but the C library's arithmetic: the functions that it uses are in it. It
        allocates nothing and keeps nothing. How they are called, what the order of their numbers
        is, and with which flags to compile them, is said at its beginning. The bits are those of
        the Tape, wherever 128 bits decide how to round.
        Raises ValueError if name is no identifier of C.
        Cost: proportional to the number of operands.
        """
        from micrograd_ref.native.text import to_c

        self.check_recorded()
        return to_c(self.listing(len(self._parameters)), name)

    def __len__(self):
        return self.program.length

    def __repr__(self):
        return (
            f"Tape({len(self)} instructions, {len(self._inputs)} inputs, "
            f"{len(self._parameters)} parameters)"
        )

    cdef int run_backward(self, object seed, object input_grad) except -1:
        cdef Py_buffer view, seed_view
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
                return self.differentiate(&view, NULL, input_grad)
            shape = self.output_shape(self.row_count)
            if seed.shape != shape:
                raise ValueError(f"seed must have the shape {shape}, got {seed.shape}")
            PyObject_GetBuffer(seed, &seed_view, PyBUF_STRIDED_RO)
            try:
                return self.differentiate(&view, &seed_view, input_grad)
            finally:
                PyBuffer_Release(&seed_view)
        finally:
            PyBuffer_Release(&view)

    cdef tuple output_shape(self, Py_ssize_t rows):
        lead = (rows,) if self.many else ()
        return lead if self.single else (*lead, self.output_count)

    cdef int check_recorded(self) except -1:
        if self.program.code == NULL:
            raise ValueError("this Tape is not recorded yet: Tape.__init__ has not run")
        return 0

    cdef int acquire(self) except -1:
        self.check_recorded()
        if self.busy:
            raise RuntimeError("this Tape is in use by another thread: give each thread its own")
        self.busy = True
        return 0

    cdef object evaluate(self, object rows, Py_buffer* rows_view, object out):
        """What forward returns."""
        cdef bint many = rows_view.ndim == 2
        cdef Table table = table_of(rows_view, many, True)
        cdef Table results
        cdef Py_buffer view
        cdef double result
        if out is None and self.single and not many:
            results.data, results.row_step, results.column_step = <char*>&result, 0, 0
            self.evaluate_table(rows, &table, &results, many)
            return result
        if out is None:
            out = get_empty(&view, table.rows, many, self.output_count, not self.single)
        else:
            get_result(&view, out, "out", table.rows, many, self.output_count, not self.single)
        try:
            check_apart(&view, "out", rows_view, "rows")
            results = table_of(&view, many, not self.single)
            self.evaluate_table(rows, &table, &results, many)
        finally:
            PyBuffer_Release(&view)
        return out

    cdef int evaluate_table(
        self, object rows, Table* table, Table* results, bint many
    ) except -1:
        """What forward does."""
        cdef Py_ssize_t i
        cdef PyObject** parameters = tuple_items(self._parameters)
        self.rows = self.gradient = None
        self.current = -1
        if self.library is None:
            self.make_plan()
            self.reserve(table.rows)
            memcpy(
                self.block.shared + self.shared_count, self.inverses,
                self.inverse_count * sizeof(double),
            )
        else:
            self.reserve(0)
        memcpy(self.block.shared, self.constants, self.program.constants * sizeof(double))
        for i in range(len(self._parameters)):
            self.block.shared[self.program.constants + i] = (<Value>parameters[i])._data
        if is_detecting():
            self.check(table, NULL, False)
        if self.library is None:
            self.run_forward(False)
        self.row_count, self.many = table.rows, many
        if self.is_long(table.rows):
            with nogil:
                self.evaluate_rows(table, results)
        else:
            self.evaluate_rows(table, results)
        self.rows = rows
        return 0

    cdef int differentiate(
        self, Py_buffer* rows_view, Py_buffer* seed_view, object input_grad
    ) except -1:
        """What backward does."""
        cdef Table table = table_of(rows_view, self.many, True)
        cdef Table gradient, seeds
        cdef Py_buffer view
        if input_grad is None:
            input_grad = get_empty(&view, table.rows, self.many, self.input_count, True)
        else:
            get_result(
                &view, input_grad, "input_grad", table.rows, self.many, self.input_count, True
            )
        try:
            check_apart(&view, "input_grad", rows_view, "rows")
            gradient = table_of(&view, self.many, True)
            if seed_view == NULL:
                self.differentiate_table(&table, NULL, &gradient)
            else:
                check_apart(&view, "input_grad", seed_view, "seed")
                seeds = table_of(seed_view, self.many, not self.single)
                self.differentiate_table(&table, &seeds, &gradient)
        finally:
            PyBuffer_Release(&view)
        self.gradient = input_grad
        return 0

    cdef int differentiate_table(self, Table* table, Table* seeds, Table* gradient) except -1:
        cdef Py_ssize_t i
        cdef PyObject** parameters = tuple_items(self._parameters)
        cdef double* grads = self.block.shared_grads + self.program.constants
        if is_detecting():
            self.check(table, seeds, True)
        memset(self.block.shared_grads, 0, self.shared_count * sizeof(double))
        if self.is_long(table.rows):
            with nogil:
                self.differentiate_rows(table, seeds, gradient)
        else:
            self.differentiate_rows(table, seeds, gradient)
        for i in range(len(self._parameters)):
            (<Value>parameters[i])._grad = (<Value>parameters[i])._grad + grads[i]
        return 0

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


include "writing.pxi"  # from a recording to a program
include "state.pxi"  # pickling


def _record(Tape tape, output, inputs=()):
    cdef Fusion recording = Fusion()
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
    write(recording, tape, single, varying, len(outputs))


give_signature(Tape, "(output, inputs=())")
