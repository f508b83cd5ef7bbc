"""Topological order: the order of every addition to a gradient, and so of every last bit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def topological_order(
    roots: Iterable[Any],
    operands: Callable[[Any], Iterable[Any]] = operator.attrgetter("_operands"),
) -> list[Any]:
    """Every node under the roots once, operands before the nodes made of them.

    Depth-first, operands in order, without recursion.
    """
    order: list[Any] = []
    visited = set()  # by id: a subclass may have another equality, or no hash
    path: list[tuple[Any, Iterator[Any]]] = []  # down to the node, with what is left of each
    node, rest = None, iter(roots)
    while True:
        for child in rest:
            if id(child) not in visited:
                visited.add(id(child))
                path.append((node, rest))
                node, rest = child, iter(operands(child))
                break
        else:
            if not path:
                return order
            order.append(node)
            node, rest = path.pop()
