"""Tape: record a graph once, replay it over rows of inputs."""

from __future__ import annotations

import bisect
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .engine import (
    OPERATIONS,
    Gradients,
    Operation,
    Value,
    _apply,
    _checked_step,
    _gradients,
    _is_detecting,
    _is_value,
    _label,
    _topological_order,
    _type_name,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

__all__ = ["Tape"]

BLOCK = 128  # rows; part of the rule of reduction, so a change of it changes last bits
VERSION = 1  # of a Tape's state


class Instruction(NamedTuple):
    """The operation of the values in the slots `operands`, into the slot `out`."""

    operation: Operation
    out: int
    operands: tuple[int, ...]

    def gradients(self, grads: list[float], values: list[float]) -> Gradients:
        """Each operand's slot and gradient, in the order in which they are added."""
        data = [values[slot] for slot in self.operands]
        found = _gradients(self.operation, grads[self.out], values[self.out], data)
        return [(self.operands[i], gradient) for i, gradient in found]


class _Fields:
    """What a Tape holds: nothing recorded, until __init__ has run."""

    __slots__ = ("_input_grad", "_lock", "_program", "_read", "_rows", "_shape")
    _program: _Program | None  # None until __init__ has run
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


class Tape(_Fields):
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

    Chains of additions and products that nothing else uses are recorded as one dot or sum, where
    that changes no bit. len(tape) is the number of instructions.

    Raises TypeError for what is no Value; ValueError for no output, a repeated input, an input
    that is no leaf or not in the graph, a custom operation.
    Cost: recording is proportional to the size of the graph. Replaying needs memory for one block,
    whatever the number of rows.
    """

    __slots__ = ()

    def __init__(self, output: Value | Sequence[Value], inputs: Iterable[Value] = ()) -> None:
        program = _recorded(output, inputs)
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

    def forward(self, rows: ArrayLike = ()) -> Any:
        """Evaluate the recorded output for every row.

        rows: (n, len(inputs)) array of float64; other real dtypes are converted. It is read again
        by backward, so leave it as it is until then.
        Returns a new (n,) array, or (n, k) for a sequence of k outputs. A single row may come as a
        (len(inputs),) array: that returns a float, or (k,).
        Raises ValueError if the last dimension is not len(inputs), TypeError for another dtype,
        RuntimeError if another thread is using the Tape.
        Cost: one pass over the instructions per block of rows; no Python objects are made.
        """
        import numpy as np

        rows = _real_array(rows, "rows")
        if rows.ndim not in (1, 2) or rows.shape[-1] != len(self.inputs):
            raise ValueError(
                f"rows must have the shape (n, {len(self.inputs)}) or ({len(self.inputs)},), "
                f"got {rows.shape}"
            )
        with self._alone() as program:
            self._rows = self._input_grad = None
            self._read = [0.0] * len(program.varying)
            for slot, constant in program.constants.items():
                self._read[slot] = constant
            for slot, p in zip(program.parameter_slots, program.parameters, strict=True):
                self._read[slot] = p._value
            if _is_detecting():
                self._check(program, np.atleast_2d(rows))
            program.run(self._read, varying=False)
            table = np.atleast_2d(rows)
            results = np.empty((len(table), len(program.outputs)))
            for i, row in enumerate(table):
                values = program.evaluate(self._read, row)
                results[i] = [values[slot] for slot in program.outputs]
            self._rows, self._shape = rows, rows.shape
        if rows.ndim == 1:
            return float(results[0, 0]) if program.single else results[0].copy()
        return results[:, 0].copy() if program.single else results

    def backward(self, seed: ArrayLike | None = None) -> None:
        """Differentiate the rows of the last forward.

        seed: the weight of each row, in the shape that forward returned; all 1.0 if None.
        Adds the gradient of the weighted sum of the outputs into each parameter's grad, and leaves
        that with respect to the inputs in input_grad. A block's forward is computed again where it
        is no longer at hand, which is when there is more than one: time for memory.
        Raises ValueError without a forward before, or for a seed of another shape; TypeError for a
        seed of another dtype; RuntimeError if another thread is using the Tape.
        Cost: about two forwards, three with more than one block.
        """
        import numpy as np

        with self._alone() as program:
            rows = self._rows
            if rows is None:
                raise ValueError("backward needs a forward before it")
            weights = None if seed is None else _real_array(seed, "seed")
            if rows.dtype != np.float64:
                raise ValueError(f"rows had the dtype float64 in forward, now {rows.dtype}")
            if rows.shape != self._shape:
                raise ValueError(f"rows had the shape {self._shape} in forward, now {rows.shape}")
            shape = rows.shape[:-1] if program.single else (*rows.shape[:-1], len(program.outputs))
            weights = np.ones(shape) if weights is None else weights
            if weights.shape != shape:
                raise ValueError(f"seed must have the shape {shape}, got {weights.shape}")
            table = np.atleast_2d(rows)
            seeds = weights.reshape(len(table), len(program.outputs))
            if _is_detecting():
                self._check(program, table, seeds)
            input_grad = np.zeros(table.shape)
            shared = [0.0] * len(program.varying)
            for start in range(0, len(table), BLOCK):
                block = slice(start, start + BLOCK)
                input_grad[block] = program.differentiate(
                    self._read, table[block], seeds[block], shared, start + BLOCK >= len(table)
                )
            for slot, p in zip(program.parameter_slots, program.parameters, strict=True):
                p._grad += shared[slot]
            self._input_grad = input_grad if rows.ndim == 2 else input_grad[0].copy()

    @contextmanager
    def _alone(self) -> Iterator[_Program]:
        if self._program is None:
            raise ValueError("this Tape is not recorded yet: Tape.__init__ has not run")
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("this Tape is in use by another thread: give each thread its own")
        try:
            yield self._program
        finally:
            self._lock.release()

    def _check(
        self,
        program: _Program,
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

    def __len__(self) -> int:
        return len(self._program.instructions) if self._program else 0

    def __repr__(self) -> str:
        return (
            f"Tape({len(self)} instructions, {len(self.inputs)} inputs, "
            f"{len(self.parameters)} parameters)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._program, VERSION)


def _restore(program: _Program | None, version: int) -> Tape:
    """A Tape from what __reduce__ says of it."""
    if version != VERSION:
        raise ValueError(f"a Tape's state of version {version!r} was given, expected {VERSION}")
    if program is None:
        raise ValueError("this is not the state of a Tape")
    tape = Tape.__new__(Tape)
    tape._program = program
    return tape


class _Program(NamedTuple):
    """What a Tape records. A slot is the number of a node in topological order."""

    single: bool  # one output, which comes bare
    inputs: tuple[Value, ...]
    parameters: tuple[Value, ...]
    input_slots: list[int]
    parameter_slots: list[int]
    outputs: list[int]
    constants: dict[int, float]  # by slot
    varying: list[bool]  # whether a slot depends on an input
    instructions: list[Instruction]

    def run(self, values: list[float], varying: bool) -> None:
        """Fill the slots that depend on an input, or those that do not."""
        for operation, out, operands in self.instructions:
            if self.varying[out] is varying:
                values[out] = operation.forward(*[values[slot] for slot in operands])

    def evaluate(self, read: list[float], row: NDArray[np.float64]) -> list[float]:
        """The value of every slot for a row."""
        values = read.copy()
        for slot, x in zip(self.input_slots, row.tolist(), strict=True):
            values[slot] = x
        self.run(values, varying=True)
        return values

    def differentiate(
        self,
        read: list[float],
        rows: NDArray[np.float64],
        seeds: NDArray[np.float64],
        shared: list[float],
        last: bool,
    ) -> list[list[float]]:
        """The gradients of a block's inputs; those of what depends on no input go into shared."""
        values = [self.evaluate(read, row) for row in rows]
        grads = [[0.0] * len(self.varying) for _ in rows]

        def add(slot: int, contributions: Sequence[float]) -> None:
            if self.varying[slot]:
                for grad, contribution in zip(grads, contributions, strict=True):
                    grad[slot] += contribution
            else:
                shared[slot] += _reduce(contributions)

        for i, slot in enumerate(self.outputs):
            add(slot, [float(weights[i]) for weights in seeds])
        for instruction in reversed(self.instructions):
            if self.varying[instruction.out]:
                by_row = [instruction.gradients(g, v) for g, v in zip(grads, values, strict=True)]
                for contributions in zip(*by_row, strict=True):
                    add(contributions[0][0], [gradient for _, gradient in contributions])
            elif last:
                for slot, gradient in instruction.gradients(shared, read):
                    shared[slot] += gradient
        return [[grad[slot] for slot in self.input_slots] for grad in grads]

    def replay(self, read: list[float], row: NDArray[np.float64], seeds: Sequence[float]) -> None:
        """Evaluate a row as an eager graph, and differentiate it if there are seeds."""
        nodes = {slot: Value(x) for slot, x in self.constants.items()}
        for slot, x, data in zip(self.input_slots, self.inputs, row, strict=True):
            nodes[slot] = Value(data, label=_label(x))
        for slot, x in zip(self.parameter_slots, self.parameters, strict=True):
            nodes[slot] = Value(read[slot], label=_label(x))
        for operation, out, operands in self.instructions:
            nodes[out] = _apply(operation, *[nodes[slot] for slot in operands])
        if len(seeds):
            for slot, seed in zip(self.outputs, seeds, strict=True):
                nodes[slot].grad += seed
            for instruction in reversed(self.instructions):
                _checked_step(nodes[instruction.out])


def _recorded(output: Value | Sequence[Value], inputs: Iterable[Value]) -> _Program:
    """What a Tape records of a graph."""
    single = _is_value(output)
    outputs = _values([output] if _is_value(output) else output, "an output")  # type: ignore[arg-type]
    inputs = _values(inputs, "an input")
    if not outputs:
        raise ValueError("a Tape needs at least one output, got none")
    order = _topological_order(outputs)
    _check_recordable(order, inputs)

    slots = {id(x): slot for slot, x in enumerate(order)}
    input_slots = [slots[id(x)] for x in inputs]
    leaves = [x for x in order if not x._operands and slots[id(x)] not in input_slots]
    parameters = tuple(x for x in leaves if not x._constant)
    constants = {slots[id(x)]: x._value for x in leaves if x._constant}
    minus_zero, one = len(order), len(order) + 1
    constants |= {minus_zero: -0.0, one: 1.0}

    nodes = [
        Instruction(x._operation, slot, tuple(slots[id(operand)] for operand in x._operands))
        for slot, x in enumerate(order)
    ]
    varying = [False] * (len(order) + 2)
    for node in nodes:
        varying[node.out] = node.out in input_slots or any(varying[slot] for slot in node.operands)
    output_slots = [slots[id(x)] for x in outputs]
    fusion = _Fusion(nodes, varying, output_slots, minus_zero, one)
    return _Program(
        single=single,
        inputs=inputs,
        parameters=parameters,
        input_slots=input_slots,
        parameter_slots=[slots[id(x)] for x in parameters],
        outputs=output_slots,
        constants=constants,
        varying=varying,
        instructions=fusion.instructions(),
    )


def _values(xs: Iterable[Value], what: str) -> tuple[Value, ...]:
    xs = tuple(xs)
    for x in xs:
        if not _is_value(x):
            raise TypeError(f"{what} of a Tape must be a Value, not '{_type_name(x)}'")
    return xs


def _check_recordable(order: list[Value], inputs: tuple[Value, ...]) -> None:
    if len({id(x) for x in inputs}) != len(inputs):
        raise ValueError("a Tape expects each input once, got one twice")
    nodes = {id(x) for x in order}
    for i, x in enumerate(inputs):
        if x._operands:
            raise ValueError(f"input {i} must be a leaf, got the result of {x._op!r}")
        if id(x) not in nodes:
            raise ValueError(
                f"input {i} is not in the graph of {len(nodes)} nodes under the output"
            )
    for x in order:
        if x._operation.slopes is not None:
            raise ValueError(
                f"a Tape cannot replay the custom operation {x._op!r}: "
                "its local gradients are those of one row"
            )
        if x._operation.custom:
            raise ValueError(f"a Tape cannot replay the custom operation {x._op!r}")


def _real_array(x: ArrayLike, what: str) -> NDArray[np.float64]:
    import numpy as np

    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be an array of real numbers, got dtype {array.dtype}")
    return array.astype(np.float64, copy=False)


def _reduce(contributions: Sequence[float]) -> float:
    """The sum over the rows of a block, in the order that the docstring of Tape gives."""
    partial = [0.0] * 8
    for i, contribution in enumerate(contributions):
        partial[i % 8] += contribution
    s0, s1, s2, s3, s4, s5, s6, s7 = partial
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))


class _Term(NamedTuple):
    """x * y, to be added to a chain that ends before the node `before`."""

    product: int | None  # the node that it is, None for a plain value
    x: int
    y: int
    before: float


class _Fusion:
    """Finds chains of + and * that may become one dot or sum.

    A chain ((s + t1) + t2) + ... becomes one instruction if nothing else uses what is within it,
    and if no operand gets gradient from outside it between its term and the end of the chain: that
    gradient would then be added in another order. It is cut where this would happen, and where
    what varies by row begins. A product as the first term follows a start of -0.0, and a plain
    term is multiplied by 1.0: neither changes a bit.
    """

    def __init__(
        self,
        nodes: list[Instruction],
        varying: list[bool],
        outputs: list[int],
        minus_zero: int,
        one: int,
    ) -> None:
        self.nodes, self.varying, self.outputs = nodes, varying, set(outputs)
        self.minus_zero, self.one = minus_zero, one
        self.users: list[list[int]] = [[] for _ in nodes]
        for node in nodes:
            for slot in node.operands:
                self.users[slot].append(node.out)
        self.found = {node.out: node for node in nodes if node.operands}

    def instructions(self) -> list[Instruction]:
        """Those of the graph in topological order."""
        chained: set[int] = set()
        for end in reversed(range(len(self.nodes))):
            if self.nodes[end].operation is OPERATIONS["+"] and end not in chained:
                chain = [end]
                while self.is_private(self.nodes[chain[-1]].operands[0], "+"):
                    chain.append(self.nodes[chain[-1]].operands[0])
                chained.update(chain)
                self.fuse(chain[::-1])
        return [self.found[slot] for slot in sorted(self.found)]

    def fuse(self, chain: list[int]) -> None:
        """Replace a chain of +, each the left operand of the next, piece by piece."""
        inside = set(chain)
        for plus in chain:
            inside.update(x for x in self.nodes[plus].operands if self.is_product(x, plus))
        piece: list[int] = []
        terms: list[_Term] = []
        for plus in chain:
            cut = any(term.before < plus for term in terms)
            if piece and (cut or self.varying[plus] != self.varying[piece[-1]]):
                self.emit(piece, terms)
                piece, terms = [], []
            operands = self.nodes[plus].operands
            terms += [self.term(slot, plus, inside) for slot in operands[bool(piece) :]]
            piece.append(plus)
        self.emit(piece, terms)

    def term(self, slot: int, plus: int, inside: set[int]) -> _Term:
        """A term of a +: a product with its operands if it may be, else a value times one."""
        if self.is_product(slot, plus):
            x, y = self.nodes[slot].operands
            before = min(self.next_user(x, slot, inside), self.next_user(y, slot, inside))
            if before > plus:
                return _Term(slot, x, y, before)
        return _Term(None, slot, self.one, self.next_user(slot, plus, inside))

    def emit(self, piece: list[int], terms: list[_Term]) -> None:
        """Put one instruction in the place of a piece of a chain, if that is shorter."""
        products = [term.product for term in terms if term.product is not None]
        if products:
            pairs = [slot for term in terms for slot in (term.x, term.y)]
            plain_start = terms[0].product is None
            operands = [pairs[0], *pairs[2:]] if plain_start else [self.minus_zero, *pairs]
        elif len(terms) > 2:
            operands = [term.x for term in terms]
        else:
            return
        for slot in (*piece, *products):
            del self.found[slot]
        operation = OPERATIONS["dot" if products else "sum"]
        self.found[piece[-1]] = Instruction(operation, piece[-1], tuple(operands))

    def is_private(self, slot: int, operation: str) -> bool:
        """Whether the slot is the result of the operation, for one use inside the graph."""
        return (
            self.nodes[slot].operation is OPERATIONS[operation]
            and len(self.users[slot]) == 1
            and slot not in self.outputs
        )

    def is_product(self, slot: int, plus: int) -> bool:
        return self.is_private(slot, "*") and self.varying[slot] == self.varying[plus]

    def next_user(self, slot: int, after: int, inside: set[int]) -> float:
        """The first node beyond `after` that uses the slot, inf if none does or it is inside."""
        users = self.users[slot]
        i = bisect.bisect_right(users, after)
        return math.inf if i == len(users) or users[i] in inside else users[i]
