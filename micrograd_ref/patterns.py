"""Patterns: the gradients of the table as steps that make nodes, for both packages.

Each formula is run once, over symbols in the place of floats; what they write down is how to make
the same of Values.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from operator import attrgetter
from types import FunctionType
from typing import Any, NamedTuple

from . import operations
from .operations import CONSTANT, OPERATIONS, Operation, constant_power
from .order import topological_order


class Symbol:
    """Stands for a Value in a formula, and tells of what it was made."""

    def __init__(self, operation: Operation, operands: Sequence[Any], data: float = 0.0) -> None:
        self.operation, self.operands, self.data = operation, operands, data

    def __add__(self, other: Any) -> Symbol:
        return made("+", self, other)

    def __radd__(self, other: Any) -> Symbol:
        return made("+", other, self)

    def __sub__(self, other: Any) -> Symbol:
        return made("-", self, other)

    def __rsub__(self, other: Any) -> Symbol:
        return made("-", other, self)

    def __mul__(self, other: Any) -> Symbol:
        return made("*", self, other)

    def __rmul__(self, other: Any) -> Symbol:
        return made("*", other, self)

    def __truediv__(self, other: Any) -> Symbol:
        return made("/", self, other)

    def __neg__(self) -> Symbol:
        return made("neg", self)


def made(name: str, *operands: Any) -> Symbol:
    """What an operation of the table makes of symbols and numbers."""
    symbols = [x if isinstance(x, Symbol) else Symbol(CONSTANT, (), float(x)) for x in operands]
    return Symbol(OPERATIONS[name], symbols)


def power(x: Symbol, k: float) -> Any:
    """x**k; no node for what is 1 or x itself."""
    return 1.0 if k == 0 else x if k == 1 else Symbol(constant_power(k), (x,))


# What the names in a formula mean there.
OVER_SYMBOLS = {
    **vars(operations),
    **{name: partial(made, name) for name in OPERATIONS if name.isidentifier()},
    **{"divide": partial(made, "/"), "pow": partial(made, "**"), "power": power},
}


class Step(NamedTuple):
    """How to make a node: of those with the numbers operands, or of none, a constant."""

    number: int  # that it gets
    operation: Operation
    data: float  # of a constant
    operands: tuple[int, ...]


class Pattern(NamedTuple):
    """How to make what a node passes to one of its operands.

    Node 0 is the gradient of the node, 1 the node itself, and its operands follow, and then what
    the steps make; patterns of several operands may have a step in common.
    """

    steps: tuple[Step, ...]
    x: int  # the number of the node that is passed
    y: int | None  # or that of what it is multiplied by
    is_zero: bool = False  # nothing is passed


def patterns_of(operation: Operation, count: int) -> list[Pattern]:
    """A pattern for each of so many operands of an operation of the table."""
    if operation.exponent is not None:
        return power_patterns(operation.exponent)
    return PATTERNS.get(operation.name) or patterns(operation, count)


def patterns(row: Operation, count: int, *constants: float) -> list[Pattern]:
    given = [Symbol(CONSTANT, ()) for _ in range(2 + count)]
    formula = FunctionType(row.gradients.__code__, OVER_SYMBOLS)
    results = list(formula(*given, *constants))
    numbers = {id(x): i for i, x in enumerate(given)}
    return [pattern(x, numbers, len(given)) for x in results]


def pattern(result: Any, numbers: dict[int, int], given: int) -> Pattern:
    """That of a result: what it is made of gets a number if it has none."""
    if not isinstance(result, Symbol):
        assert result == 0.0
        return Pattern((), 0, None, is_zero=True)
    is_product = result.operation is OPERATIONS["*"]
    roots = result.operands if is_product else [result]
    steps = []
    for x in topological_order(roots, attrgetter("operands")):
        number = numbers.setdefault(id(x), len(numbers))
        if number >= given:
            operands = tuple(numbers[id(y)] for y in x.operands)
            steps.append(Step(number, x.operation, x.data, operands))
    x, *factor = (numbers[id(root)] for root in roots)
    return Pattern(tuple(steps), x, factor[0] if factor else None)


PATTERNS = {
    row.name: patterns(row, row.arity)
    for row in OPERATIONS.values()
    if row.arity is not None and row.name != "**k"
}


@lru_cache
def power_patterns(k: float) -> list[Pattern]:
    """Those of the operation a ** k."""
    return patterns(OPERATIONS["**k"], 1, k)
