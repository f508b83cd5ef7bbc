"""Program: the instructions of a recorded graph, and how they run over rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .anomaly import checked_step, label_of
from .engine import Value, apply
from .native import Listing, Step
from .operations import Operation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Instruction(NamedTuple):
    """The operation of the values in the slots `operands`, into the slot `out`."""

    operation: Operation
    out: int
    operands: tuple[int, ...]

    def gradients(self, grads: list[float], values: list[float]) -> list[tuple[int, float]]:
        """Each operand's slot and gradient, in the order in which they are added."""
        data = [values[slot] for slot in self.operands]
        passed = self.operation.gradients(grads[self.out], values[self.out], *data)
        return [(self.operands[i], passed[i]) for i in self.operation.sequence(len(data))]


class Program(NamedTuple):
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

    def output_shape(self, rows: NDArray[np.float64]) -> tuple[int, ...]:
        """Of what forward returns; () for a float."""
        return rows.shape[:-1] if self.single else (*rows.shape[:-1], len(self.outputs))

    def run(self, values: list[float], varying: bool) -> None:
        """Fill the slots that depend on an input, or those that do not."""
        for operation, out, operands in self.instructions:
            if self.varying[out] is varying:
                values[out] = operation.value(*[values[slot] for slot in operands])

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
                shared[slot] += reduce(contributions)

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

    def listing(self) -> Listing:
        """The instructions as native code is made of them, with the numbers of both packages."""
        number: dict[int, int | float] = dict(self.constants)
        number |= {slot: i for i, slot in enumerate(self.input_slots)}
        number |= {slot: ~i for i, slot in enumerate(self.parameter_slots)}
        varying, shared = len(self.inputs), len(self.parameters)
        steps = []
        for operation, out, operands in self.instructions:
            if self.varying[out]:
                number[out], varying = varying, varying + 1
            else:
                number[out], shared = ~shared, shared + 1
            k = operation.exponent
            name = operation.name if k is None else "**k"
            steps.append(Step(name, int(number[out]), tuple(number[x] for x in operands), k))
        outputs = [number[slot] for slot in self.outputs]
        return Listing(len(self.inputs), len(self.parameters), steps, outputs)

    def replay(self, read: list[float], row: NDArray[np.float64], seeds: Sequence[float]) -> None:
        """Evaluate a row as an eager graph, and differentiate it if there are seeds."""
        nodes = {slot: Value(x) for slot, x in self.constants.items()}
        for slot, x, data in zip(self.input_slots, self.inputs, row, strict=True):
            nodes[slot] = Value(data, label=label_of(x))
        for slot, x in zip(self.parameter_slots, self.parameters, strict=True):
            nodes[slot] = Value(read[slot], label=label_of(x))
        for operation, out, operands in self.instructions:
            nodes[out] = apply(operation, *[nodes[slot] for slot in operands])
        if len(seeds):
            for slot, seed in zip(self.outputs, seeds, strict=True):
                nodes[slot].grad += seed
            for instruction in reversed(self.instructions):
                checked_step(nodes[instruction.out])


def reduce(contributions: Sequence[float]) -> float:
    """The sum over the rows of a block, in the order that the docstring of Tape gives."""
    partial = [0.0] * 8
    for i, contribution in enumerate(contributions):
        partial[i % 8] += contribution
    s0, s1, s2, s3, s4, s5, s6, s7 = partial
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
