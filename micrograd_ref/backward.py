"""The steps of backward: from a node to its operands."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fields import Fields

DEEPEST = 100  # calls of backward within backward


class Running(threading.local):
    """How many calls of backward run in this thread."""

    depth = 0


running = Running()


def step(node: Fields) -> None:
    """Add a built-in node's gradient into its operands."""
    operation, operands = node._operation, node._operands
    if len(operands) == 2:
        a, b = operands
        to_a, to_b = operation.gradients(node._grad, node._value, a._value, b._value)
        a._grad += to_a
        b._grad += to_b
    elif len(operands) == 1:
        (a,) = operands
        (to_a,) = operation.gradients(node._grad, node._value, a._value)
        a._grad += to_a
    elif operands:
        passed = gradients(node, node._grad)
        for i in operation.sequence(len(operands)):
            operands[i]._grad += passed[i]


def gradients(node: Fields, g: float) -> Any:
    """What the node passes to each operand if its own grad is g."""
    return node._operation.gradients(g, node._value, *[x._value for x in node._operands])


def is_assigned_its_step(node: Fields) -> bool:
    """Whether its author gives its _backward."""
    return node._operation.is_custom and node._operation.local_grads is None
