"""Pickling and copying a graph, however deep.

A graph is a list of its nodes in topological order: leaves as they are, which keeps those that are
pickled along with it the same objects, and other nodes as tuples. Attributes come after the nodes,
for they may refer to them.
"""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any

from .custom import custom_operation, local_operation
from .fields import Fields
from .operations import CONSTANT, LEAF, OPERATIONS, Operation, constant_power
from .order import topological_order

if TYPE_CHECKING:
    from .node import Node


def reduced(node: Node) -> tuple[Any, ...]:
    """What a node's __reduce__ returns."""
    if node._operation.arity == 0:
        fields = type(node), node._value, node._grad, node._operation is CONSTANT
        return restore_leaf, fields, attributes([node])
    order = topological_order([node])
    numbers = {id(x): i for i, x in enumerate(order)}
    return restore_graph, ([saved(x, numbers) for x in order],), attributes(order)


def saved(node: Node, numbers: dict[int, int]) -> Any:
    if node._operation.arity == 0:
        return node
    operands = tuple(numbers[id(x)] for x in node._operands)
    return type(node), node._operation, operands, node._value, node._grad, node._closure


def restore_graph(saved: list[Any]) -> Node:
    nodes: list[Node] = []
    for node in saved:
        if not isinstance(node, Fields):
            kind, operation, numbers, value, grad, closure = node
            operands = tuple(nodes[i] for i in numbers)
            node = restored(kind, operation, operands, value, grad, closure)
        nodes.append(node)
    return nodes[-1]


def restore_leaf(kind: type[Node], value: float, grad: float, is_constant: bool) -> Node:
    return restored(kind, CONSTANT if is_constant else LEAF, (), value, grad)


def restored(
    kind: type[Node],
    operation: Operation,
    operands: tuple[Any, ...],
    value: float,
    grad: float,
    closure: Any = None,
) -> Node:
    node: Node = kind.__new__(kind)
    node._operation, node._operands, node._closure = operation, operands, closure
    node._value, node._grad = value, grad
    return node


def attributes(order: list[Node]) -> Any:
    """The attributes of a graph's last node, and of those before it that have operands.

    By number, and in two dictionaries: the node's own, and that of the slots of its class.
    None if there are none.
    """
    found = {}
    for i, node in enumerate(order):
        if node is order[-1] or node._operation.arity != 0:
            names = set(copyreg._slotnames(type(node))) - set(Fields.__slots__)  # type: ignore[attr-defined]
            slots = {name: getattr(node, name) for name in sorted(names) if hasattr(node, name)}
            if node.__dict__ or slots:
                found[i] = node.__dict__.copy(), slots
    return found or None


def set_attributes(order: list[Node], found: dict[int, Any]) -> None:
    for i, (attributes, slots) in found.items():
        order[i].__dict__.update(attributes)
        for name, value in slots.items():
            setattr(order[i], name, value)


def reduced_operation(operation: Operation) -> tuple[Any, ...]:
    fields = operation.name, operation.exponent, operation.is_custom, operation.local_grads
    return find_operation, fields


copyreg.pickle(Operation, reduced_operation)


def find_operation(
    name: str,
    exponent: float | None = None,
    is_custom: bool = False,
    local_grads: tuple[float, ...] | None = None,
) -> Operation:
    """The operation that a state names."""
    if is_custom:
        return custom_operation(name) if local_grads is None else local_operation(name, local_grads)
    if exponent is not None:
        return constant_power(exponent)
    if name not in OPERATIONS or name == "**k":
        raise ValueError(f"a state has the operation {name!r}, which is unknown here")
    return OPERATIONS[name]
