"""Custom operations: those whose values and gradients a user computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .checking import number, string, type_name
from .operations import LEAF, Operation


def given_operation(_op: Any, local_grads: Any, children: int) -> Operation:
    """What a user makes a Value of: a leaf, or a custom operation."""
    if local_grads is None and issubclass(type(_op), (tuple, list)):
        _op, local_grads = "", _op
    name = string(_op, "_op")
    if local_grads is not None and (found := local_gradients(local_grads, children)):
        return local_operation(name, found)
    return custom_operation(name) if children or name else LEAF


def local_gradients(xs: Any, children: int) -> tuple[float, ...]:
    if not issubclass(type(xs), (tuple, list)):
        raise TypeError(
            "the local gradients of a Value must be a tuple or list of numbers, "
            f"not '{type_name(xs)}'"
        )
    found = tuple(number(x, "a local gradient of a Value") for x in tuple(xs))
    if len(found) != children:
        raise ValueError(
            f"a Value expects a local gradient for each child, got {len(found)} local gradients "
            f"and {children} children"
        )
    return found


def passed_by_rule(node: Any, children: Sequence[Any], g: Any) -> list[Any]:
    """What a custom operation of the gradient g passes to its children, by its author's rule."""
    rule = getattr(node, "_gradient", None)
    if rule is None:
        raise ValueError(
            f"the custom operation {node._op!r} has no _gradient: assign a function of its "
            "gradient g, itself and its children that gives the gradient of each child as a Value, "
            "_gradient = lambda g, out, a, b: (b * g, a * g)"
        )
    passed = list(rule(g, node, *children))
    if len(passed) != len(children):
        raise ValueError(
            f"_gradient of the custom operation {node._op!r} must give a gradient for each of "
            f"{len(children)} children, got {len(passed)}"
        )
    return passed


def custom_operation(name: str) -> Operation:
    """One whose step is the closure that its author assigns to the node."""

    def gradients(g: float, out: float, *operands: float) -> tuple[float, ...]:
        if operands:
            raise ValueError(
                f"the custom operation {name!r} has no _backward: assign one (lambda: None passes "
                "no gradient), or make it with local_grads"
            )
        return ()

    return Operation(name, None, float, gradients, is_custom=True)


def local_operation(name: str, local_grads: tuple[float, ...]) -> Operation:
    """One that passes its local gradient times g to each operand."""
    return Operation(
        name or "custom",
        None,
        float,
        lambda g, out, *operands: [local_grad * g for local_grad in local_grads],
        is_custom=True,
        local_grads=local_grads,
    )
