# cython: embedsignature=True, embedsignature.format=clinic
"""Tape: record a graph once, replay it over rows of inputs."""

import os
import warnings
from array import array

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport fabs, frexp, isinf
from libc.stdint cimport INT32_MAX, int32_t
from libc.string cimport memcpy, memset
from libc.time cimport CLOCKS_PER_SEC, clock, clock_t

from micrograd_ref import tape as reference

from .wording import check_call

from .engine cimport (
    ADD, COMPARED, CONSTANT, CUSTOM, DIV, DOT, END, LEAF, LOCAL, MUL, NORM, POWER, SUM, VARYING,
    VISITED, Op, Stack, Value, arity_of, ask_reference, checked_step, give_signature, has_block,
    is_detecting, label_of, look_ahead, look_back, node_of, shown_name, stack_free, stack_init,
    topological_order, tuple_items, type_name,
)

__all__ = ["Tape"]

include "kernels.pxi"  # the loops in C, and the choice among them
include "rows.pxi"  # arrays from and for a user
include "program.pxi"  # a program, and how it runs over blocks of rows
include "layers.pxi"  # dots over the same slots that become one instruction
include "native.pxi"  # a program by a C compiler
include "recording.pxi"  # a graph as numbers
include "fusion.pxi"  # chains that become one dot or sum
include "passes.pxi"  # what forward and backward do with a user's arrays


@cython.binding(False)  # else a method would take anything for self
@cython.auto_pickle(False)
cdef class Tape(Passes):
    """A graph recorded once, to evaluate and differentiate over many rows of inputs.

    output: the Value to compute, or a sequence of them.
    inputs: leaves that vary by row. Every other leaf that is not a constant is a parameter.

    >>> x, y, w = Value(0.0), Value(0.0), Value(3.0)
    >>> tape = Tape((w * x - y) ** 2, inputs=[x, y])
    >>> tape.forward([[1.0, 2.0], [2.0, 4.0]])  # (n, 2) -> (n,)
    array([1., 4.])
    >>> tape.backward([0.5, 0.5])  # of the mean; adds into each parameter's grad
    >>> w.grad
    5.0

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
        cdef Array* array
        cdef Table table
        cdef bint many
        rows = real_array(rows, "rows")
        array = array_of(rows)
        many = array.ndim == 2
        if not (1 <= array.ndim <= 2 and array.shape[many] == len(self._inputs)):
            raise ValueError(
                f"rows must have the shape (n, {len(self._inputs)}) or ({len(self._inputs)},), "
                f"got {rows.shape}"
            )
        table = table_of(array, many, True)
        self.acquire()
        try:
            return self.evaluate(rows, &table, many, out)
        finally:
            self.busy = False

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
    recording.warn_of_branches()
    PyErr_CheckSignals()
    recording.fuse()
    PyErr_CheckSignals()
    write(recording, tape, single, varying, len(outputs))


give_signature(Tape, "(output, inputs=())")
