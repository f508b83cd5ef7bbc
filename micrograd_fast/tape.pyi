"""Tape: record a graph once, replay it over rows of inputs."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Self

from .engine import Value

__all__ = ["Tape"]

class Tape:
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

    def __init__(self, output: Value | Sequence[Value], inputs: Iterable[Value] = ()) -> None: ...
    @property
    def inputs(self) -> tuple[Value, ...]:
        """The leaves that vary by row."""

    @property
    def parameters(self) -> tuple[Value, ...]:
        """The other leaves that are no constants, in topological order."""

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

    @property
    def input_grad(self) -> NDArray[np.float64]:
        """The gradient with respect to the inputs, in the shape of the rows of the last forward.

        Raises ValueError if there was no backward since.
        """

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

    def to_c(self, name: str = "tape") -> str:
        """C99 that computes and differentiates rows: the functions NAME_forward and NAME_backward.

        It needs nothing but the C library's arithmetic: the functions that it uses are in it. It
        allocates nothing and keeps nothing. How they are called, what the order of their numbers
        is, and with which flags to compile them, is said at its beginning. The bits are those of
        the Tape, wherever 128 bits decide how to round.
        Raises ValueError if name is no identifier of C.
        Cost: proportional to the number of operands.
        """

    def __len__(self) -> int: ...
