"""gradient: derivatives that are graphs themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .checking import list_of_values, type_name
from .custom import passed_by_rule
from .engine import Value, apply, node_of, operand
from .node import is_value
from .operations import CONSTANT, OPERATIONS
from .order import topological_order
from .patterns import Pattern, patterns_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["gradient"]


def gradient(output: Value, inputs: Iterable[Value] | NDArray[np.object_]) -> list[Value]:
    """d output / d input for each of the inputs, as Values: a graph to differentiate again.

    output: a Value. inputs: a sequence of Values, or an array of them in any shape; the gradient
    is 0.0 for one that is not under output.
    The data have the bits that output.backward() leaves in the grads of the inputs, if those were
    0.0 before; in a Tape of the gradient, for each row. The grads stay as they are. The new graph
    shares the nodes under output.
    A custom operation between them needs a rule: node._gradient = f, where f(g, node, *children)
    gives from its gradient g that of each child, as Values or numbers.
    Cost: proportional to the number of nodes and operands under output. Depth is limited by memory
    alone.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x = Value(3.0)
    >>> (slope,) = gradient(x**3, [x])
    >>> slope.data, gradient(slope, [x])[0].data
    (27.0, 18.0)
    """
    if not is_value(output):
        raise TypeError(f"gradient differentiates a Value, not '{type_name(output)}'")
    inputs = list_of_values(inputs, "input", is_value)
    order = topological_order([output])
    wanted = {id(x) for x in inputs}
    for node in order:
        if not wanted.isdisjoint(map(id, node._operands)):
            wanted.add(id(node))
    gradients = Gradients(output)
    for node in reversed(order):
        if not wanted.isdisjoint(map(id, node._operands)):
            for x, term in gradients.passed(node, wanted):
                gradients.terms[id(x)].append(term)
    return [gradients.of(x) for x in inputs]


class Term(NamedTuple):
    """What is added to a gradient."""

    x: Value
    y: Value | None = None  # to be multiplied by
    is_gradient: bool = False  # whether x is one of the output


class Gradients:
    """Those of an output: each is 0.0 and the terms that are added to it, in order."""

    def __init__(self, output: Value) -> None:
        self.zero, self.one = (node_of(CONSTANT, (), x) for x in (0.0, 1.0))
        self.constants = {0.0: self.zero, 1.0: self.one}  # that are made once
        self.terms: dict[int, list[Term]] = defaultdict(list)  # by the id of a node, as are
        self.found = {id(output): self.one}

    def of(self, node: Value) -> Value:
        """The gradient of a node that has got all its terms."""
        if id(node) not in self.found:
            self.found[id(node)] = self.total(self.terms.pop(id(node), []))
        return self.found[id(node)]

    def total(self, terms: list[Term]) -> Value:
        if not terms:
            return self.zero
        if len(terms) == 1 and terms[0].is_gradient:  # which is never -0.0, so 0.0 + x is x
            return terms[0].x
        if all(term.y is None for term in terms):
            return apply(OPERATIONS["sum"], self.zero, *[term.x for term in terms])
        pairs = [(term.x, self.one if term.y is None else term.y) for term in terms]
        return apply(OPERATIONS["dot"], self.zero, *[x for pair in pairs for x in pair])

    def passed(self, node: Value, wanted: set[int]) -> Iterator[tuple[Value, Term]]:
        """What a node adds to those of its operands that are wanted, in order."""
        operation, operands, g = node._operation, node._operands, self.of(node)
        if operation.is_custom:
            for x, to_x in zip(operands, passed_by_rule(node, operands, g), strict=True):
                if id(x) in wanted:
                    yield x, Term(operand(to_x), is_gradient=to_x is g)
            return
        patterns = patterns_of(operation, len(operands))
        nodes = dict(enumerate([g, node, *operands]))
        for i in operation.sequence(len(operands)):
            if id(operands[i]) in wanted and not patterns[i].is_zero:
                yield operands[i], self.replayed(patterns[i], nodes)

    def replayed(self, pattern: Pattern, nodes: dict[int, Value]) -> Term:
        """What a pattern makes of the nodes by their numbers, and of what others have made."""
        for number, operation, data, numbers in pattern.steps:
            if number in nodes:
                continue
            if numbers:
                nodes[number] = apply(operation, *[nodes[i] for i in numbers])
            else:
                nodes[number] = self.constants.get(data) or node_of(CONSTANT, (), data)
        y = None if pattern.y is None else nodes[pattern.y]
        return Term(nodes[pattern.x], y, is_gradient=pattern.x == 0 and y is None)
