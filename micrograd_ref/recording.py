"""Recording: from a graph to a program."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

from .checking import type_name
from .engine import Value
from .fusion import Fusion
from .node import is_value
from .operations import CONSTANT
from .order import topological_order
from .program import Instruction, Program


def record(output: Value | Sequence[Value], inputs: Iterable[Value]) -> Program:
    """What a Tape records of a graph."""
    single = is_value(output)
    outputs = values([output] if is_value(output) else output, "an output")  # type: ignore[arg-type]
    inputs = values(inputs, "an input")
    if not outputs:
        raise ValueError("a Tape needs at least one output, got none")
    order = topological_order(outputs)
    check_recordable(order, inputs)

    slots = {id(x): slot for slot, x in enumerate(order)}
    input_slots = [slots[id(x)] for x in inputs]
    leaves = [x for x in order if not x._operands and slots[id(x)] not in input_slots]
    parameters = tuple(x for x in leaves if x._operation is not CONSTANT)
    constants = {slots[id(x)]: x._value for x in leaves if x._operation is CONSTANT}
    minus_zero, one = len(order), len(order) + 1
    constants |= {minus_zero: -0.0, one: 1.0}

    nodes = [
        Instruction(x._operation, slot, tuple(slots[id(operand)] for operand in x._operands))
        for slot, x in enumerate(order)
    ]
    varying = [False] * (len(order) + 2)
    for node in nodes:
        varying[node.out] = node.out in input_slots or any(varying[slot] for slot in node.operands)
    warn_of_branches(x for slot, x in enumerate(order) if varying[slot])
    output_slots = [slots[id(x)] for x in outputs]
    fusion = Fusion(nodes, varying, output_slots, minus_zero, one)
    return Program(
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


def warn_of_branches(varying: Iterable[Value]) -> None:
    """Python may have taken a branch for the row that was at hand."""
    for x in varying:
        if hasattr(x, "_is_compared"):
            what = f"the result of {x._op!r}" if x._operands else "an input"
            warnings.warn(
                f"{what} was compared before this Tape was recorded, and every row takes the "
                "branch that was taken then: maximum, minimum and where let each row take its own",
                stacklevel=4,
            )
            return


def values(xs: Iterable[Value], what: str) -> tuple[Value, ...]:
    xs = tuple(xs)
    for x in xs:
        if not is_value(x):
            raise TypeError(f"{what} of a Tape must be a Value, not '{type_name(x)}'")
    return xs


def check_recordable(order: list[Value], inputs: tuple[Value, ...]) -> None:
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
        if x._operation.local_grads is not None:
            raise ValueError(
                f"a Tape cannot replay the custom operation {x._op!r}: "
                "its local gradients are those of one row"
            )
        if x._operation.is_custom:
            raise ValueError(f"a Tape cannot replay the custom operation {x._op!r}")
