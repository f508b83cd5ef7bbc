"""Anomaly mode: an operation that turns finite numbers into nan or inf is an error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import Node

open_blocks = 0  # of detect_anomaly


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Within this block, an operation that turns finite numbers into nan or inf is an error.

    Raises FloatingPointError at the first one, in building a graph, in `backward` or in a Tape. It
    names the operation, its operands' data and labels, and in a Tape the row. A forward operation
    that fails makes no node; after a failure in `backward` the grads are incomplete.
    Cost: none that can be measured outside the block. Inside it, `backward` takes several times as
    long, and a Tape as long as the eager graph of each row.
    """
    global open_blocks
    open_blocks += 1
    try:
        yield
    finally:
        open_blocks -= 1


def is_detecting() -> bool:
    return open_blocks > 0


def check_forward(name: str, operands: Sequence[Node], data: float) -> None:
    if operands and not math.isfinite(data) and are_finite(operands):
        raise FloatingPointError(f"{name!r} made {data} of {described(operands)}")


def checked_step(node: Node) -> None:
    """The step of a node, and whether it spoils a gradient."""
    operands = node._operands
    finite = [math.isfinite(x._grad) for x in operands]
    node._backward()
    if not math.isfinite(node._grad) or not are_finite(operands):
        return
    for x, was_finite in zip(operands, finite, strict=True):
        if was_finite and not math.isfinite(x._grad):
            raise FloatingPointError(
                f"backward of {node._op!r} made a gradient {x._grad} of {node._grad} "
                f"for {described(operands)}"
            )


def are_finite(nodes: Iterable[Node]) -> bool:
    return all(math.isfinite(x._value) for x in nodes)


def described(operands: Sequence[Node]) -> str:
    shown = [repr(x._value) + (f" ({label_of(x)!r})" if label_of(x) else "") for x in operands[:8]]
    return ", ".join(shown) + (", ..." if len(operands) > 8 else "")


def label_of(node: Node) -> str:
    """Its label, without a property of a subclass, which would run Python."""
    return str(node.__dict__.get("label", ""))
