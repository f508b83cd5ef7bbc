"""Fusion: chains of additions and products that become one dot or sum."""

from __future__ import annotations

import bisect
import math
from typing import NamedTuple

from .operations import OPERATIONS
from .program import Instruction


class Term(NamedTuple):
    """x * y, to be added to a chain that ends before the node `before`."""

    product: int | None  # the node that it is, None for a plain value
    x: int
    y: int
    before: float


class Fusion:
    """Finds chains of + and * that may become one dot or sum.

    A chain ((s + t1) + t2) + ... becomes one instruction if nothing else uses what is within it,
    and if no operand gets gradient from outside it between its term and the end of the chain: that
    gradient would then be added in another order. It is cut where this would happen, and where
    what varies by row begins. A product as the first term follows a start of -0.0, and a plain
    term is multiplied by 1.0: neither changes a bit.
    """

    def __init__(
        self,
        nodes: list[Instruction],
        varying: list[bool],
        outputs: list[int],
        minus_zero: int,
        one: int,
    ) -> None:
        self.nodes, self.varying, self.outputs = nodes, varying, set(outputs)
        self.minus_zero, self.one = minus_zero, one
        self.users: list[list[int]] = [[] for _ in nodes]
        for node in nodes:
            for slot in node.operands:
                self.users[slot].append(node.out)
        self.found = {node.out: node for node in nodes if node.operands}

    def instructions(self) -> list[Instruction]:
        """Those of the graph in topological order."""
        chained: set[int] = set()
        for end in reversed(range(len(self.nodes))):
            if self.nodes[end].operation is OPERATIONS["+"] and end not in chained:
                chain = [end]
                while self.is_private(self.nodes[chain[-1]].operands[0], "+"):
                    chain.append(self.nodes[chain[-1]].operands[0])
                chained.update(chain)
                self.fuse(chain[::-1])
        return [self.found[slot] for slot in sorted(self.found)]

    def fuse(self, chain: list[int]) -> None:
        """Replace a chain of +, each the left operand of the next, piece by piece."""
        inside = set(chain)
        for plus in chain:
            inside.update(x for x in self.nodes[plus].operands if self.is_product(x, plus))
        piece: list[int] = []
        terms: list[Term] = []
        for plus in chain:
            cut = any(term.before < plus for term in terms)
            if piece and (cut or self.varying[plus] != self.varying[piece[-1]]):
                self.emit(piece, terms)
                piece, terms = [], []
            operands = self.nodes[plus].operands
            terms += [self.term(slot, plus, inside) for slot in operands[bool(piece) :]]
            piece.append(plus)
        self.emit(piece, terms)

    def term(self, slot: int, plus: int, inside: set[int]) -> Term:
        """A term of a +: a product with its operands if it may be, else a value times one."""
        if self.is_product(slot, plus):
            x, y = self.nodes[slot].operands
            before = min(self.next_user(x, slot, inside), self.next_user(y, slot, inside))
            if before > plus:
                return Term(slot, x, y, before)
        return Term(None, slot, self.one, self.next_user(slot, plus, inside))

    def emit(self, piece: list[int], terms: list[Term]) -> None:
        """Put one instruction in the place of a piece of a chain, if that is shorter."""
        products = [term.product for term in terms if term.product is not None]
        if products:
            pairs = [slot for term in terms for slot in (term.x, term.y)]
            plain_start = terms[0].product is None
            operands = [pairs[0], *pairs[2:]] if plain_start else [self.minus_zero, *pairs]
        elif len(terms) > 2:
            operands = [term.x for term in terms]
        else:
            return
        for slot in (*piece, *products):
            del self.found[slot]
        operation = OPERATIONS["dot" if products else "sum"]
        self.found[piece[-1]] = Instruction(operation, piece[-1], tuple(operands))

    def is_private(self, slot: int, operation: str) -> bool:
        """Whether the slot is the result of the operation, for one use inside the graph."""
        return (
            self.nodes[slot].operation is OPERATIONS[operation]
            and len(self.users[slot]) == 1
            and slot not in self.outputs
        )

    def is_product(self, slot: int, plus: int) -> bool:
        return self.is_private(slot, "*") and self.varying[slot] == self.varying[plus]

    def next_user(self, slot: int, after: int, inside: set[int]) -> float:
        """The first node beyond `after` that uses the slot, inf if none does or it is inside."""
        users = self.users[slot]
        i = bisect.bisect_right(users, after)
        return math.inf if i == len(users) or users[i] in inside else users[i]
