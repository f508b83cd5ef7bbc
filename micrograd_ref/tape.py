"""Tape: record a graph once, replay it over rows of inputs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .anomaly import is_detecting
from .checking import real_array, result_array
from .engine import Value
from .program import Program
from .recording import record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

__all__ = ["Tape"]

BLOCK = 128  # rows; part of the rule of reduction, so a change of it changes last bits
VERSION = 1  # of a Tape's state


class Fields:
    """What a Tape holds: nothing recorded, until __init__ has run."""

    __slots__ = ("_input_grad", "_lock", "_program", "_read", "_rows", "_shape")
    _program: Program | None  # None until __init__ has run
    _rows: NDArray[np.float64] | None  # of the last forward
    _shape: tuple[int, ...]  # that they had then
    _read: list[float]  # what that forward knew before any row: a value for each slot
    _input_grad: NDArray[np.float64] | None
    _lock: threading.Lock

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self._program = self._rows = self._input_grad = None
        self._shape, self._read, self._lock = (), [], threading.Lock()
        return self


class Tape(Fields):
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

    __slots__ = ()

    def __init__(self, output: Value | Sequence[Value], inputs: Iterable[Value] = ()) -> None:
        program = record(output, inputs)
        # Last, for what came before may run Python, which may do the same.
        if self._program is not None:
            raise TypeError("a Tape is recorded once: make a new one")
        self._program = program

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The leaves that vary by row."""
        return self._program.inputs if self._program else ()

    @property
    def parameters(self) -> tuple[Value, ...]:
        """The other leaves that are no constants, in topological order."""
        return self._program.parameters if self._program else ()

    def forward(self, rows: ArrayLike = (), out: NDArray[np.float64] | None = None) -> Any:
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
        import numpy as np

        rows = real_array(rows, "rows")
        if rows.ndim not in (1, 2) or rows.shape[-1] != len(self.inputs):
            raise ValueError(
                f"rows must have the shape (n, {len(self.inputs)}) or ({len(self.inputs)},), "
                f"got {rows.shape}"
            )
        with self._alone() as program:
            shape = program.output_shape(rows)
            into = np.empty(shape) if out is None else result_array(out, "out", shape, rows=rows)
            self._rows = self._input_grad = None
            self._read = [0.0] * len(program.varying)
            for slot, constant in program.constants.items():
                self._read[slot] = constant
            for slot, p in zip(program.parameter_slots, program.parameters, strict=True):
                self._read[slot] = p._value
            if is_detecting():
                self._check(program, np.atleast_2d(rows))
            program.run(self._read, varying=False)
            table = np.atleast_2d(rows)
            results = into.reshape(len(table), len(program.outputs))
            for i, row in enumerate(table):
                values = program.evaluate(self._read, row)
                results[i] = [values[slot] for slot in program.outputs]
            self._rows, self._shape = rows, rows.shape
        if out is not None:
            return out
        return into if shape else float(into)

    def backward(
        self, seed: ArrayLike | None = None, input_grad: NDArray[np.float64] | None = None
    ) -> None:
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
        import numpy as np

        with self._alone() as program:
            rows = self._rows
            if rows is None:
                raise ValueError("backward needs a forward before it")
            weights = None if seed is None else real_array(seed, "seed")
            if rows.dtype != np.float64:
                raise ValueError(f"rows had the dtype float64 in forward, now {rows.dtype}")
            if rows.shape != self._shape:
                raise ValueError(f"rows had the shape {self._shape} in forward, now {rows.shape}")
            shape = program.output_shape(rows)
            weights = np.ones(shape) if weights is None else weights
            if weights.shape != shape:
                raise ValueError(f"seed must have the shape {shape}, got {weights.shape}")
            if input_grad is None:
                input_grad = np.empty(rows.shape)
            into = result_array(input_grad, "input_grad", rows.shape, rows=rows, seed=weights)
            table = np.atleast_2d(rows)
            seeds = weights.reshape(len(table), len(program.outputs))
            if is_detecting():
                self._check(program, table, seeds)
            gradient = into.reshape(table.shape)
            shared = [0.0] * len(program.varying)
            for start in range(0, len(table), BLOCK):
                block = slice(start, start + BLOCK)
                gradient[block] = program.differentiate(
                    self._read, table[block], seeds[block], shared, start + BLOCK >= len(table)
                )
            for slot, p in zip(program.parameter_slots, program.parameters, strict=True):
                p._grad += shared[slot]
            self._input_grad = input_grad

    @contextmanager
    def _alone(self) -> Iterator[Program]:
        program = self._recorded()
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("this Tape is in use by another thread: give each thread its own")
        try:
            yield program
        finally:
            self._lock.release()

    def _check(
        self,
        program: Program,
        table: NDArray[np.float64],
        seeds: NDArray[np.float64] | None = None,
    ) -> None:
        """Replay each row as an eager graph, which raises at an anomaly."""
        for i, row in enumerate(table):
            try:
                program.replay(self._read, row, () if seeds is None else seeds[i])
            except FloatingPointError as error:
                raise FloatingPointError(f"row {i}: {error}") from None

    @property
    def input_grad(self) -> NDArray[np.float64]:
        """The gradient with respect to the inputs, in the shape of the rows of the last forward.

        Raises ValueError if there was no backward since.
        """
        if self._input_grad is None:
            raise ValueError("input_grad needs a backward after the last forward")
        return self._input_grad

    def compile(self) -> Self:
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
        with self._alone():
            return self

    def to_c(self, name: str = "tape") -> str:
        """C99 that computes and differentiates rows: the functions NAME_forward and NAME_backward.

        It needs nothing but the C library's arithmetic: the functions that it uses are in it. It
        allocates nothing and keeps nothing. How they are called, what the order of their numbers
        is, and with which flags to compile them, is said at its beginning. The bits are those of
        the Tape, wherever 128 bits decide how to round.
        Raises ValueError if name is no identifier of C.
        Cost: proportional to the number of operands.
        """
        from .native.text import to_c

        return to_c(self._recorded().listing(), name)

    def _recorded(self) -> Program:
        if self._program is None:
            raise ValueError("this Tape is not recorded yet: Tape.__init__ has not run")
        return self._program

    def __len__(self) -> int:
        return len(self._program.instructions) if self._program else 0

    def __repr__(self) -> str:
        return (
            f"Tape({len(self)} instructions, {len(self.inputs)} inputs, "
            f"{len(self.parameters)} parameters)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (self._program, VERSION)


def restore(program: Program | None, version: int) -> Tape:
    """A Tape from what __reduce__ says of it."""
    if version != VERSION:
        raise ValueError(f"a Tape's state of version {version!r} was given, expected {VERSION}")
    if program is None:
        raise ValueError("this is not the state of a Tape")
    tape = Tape.__new__(Tape)
    tape._program = program
    return tape
