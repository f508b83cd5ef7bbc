"""Topological order: the order of every addition to a gradient, and so of every last bit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

DONE = object()


def topological_order(
    roots: Iterable[Any],
    operands: Callable[[Any], tuple[Any, ...]] = operator.attrgetter("_operands"),
) -> list[Any]:
    """Every node under the roots once, operands before the nodes made of them.

    Depth-first, operands in order, without recursion.
    """
    order = []
    visited = set()  # by id: a subclass may have another equality, or no hash
    for root in roots:
        pending = [root]
        while pending:
            node = pending.pop()
            if node is DONE:  # with all that is under the next one
                order.append(pending.pop())
            elif id(node) not in visited:
                visited.add(id(node))
                if under := operands(node):
                    pending += [node, DONE, *under[::-1]]
                else:
                    order.append(node)
    return order
