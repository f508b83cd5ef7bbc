"""Native code: a program as C99. Written once for both packages.

The C code of a program is a sequence of loops over the rows of a block. Operations that lie one
behind the other share a loop, and what only they use stays in registers; rows that several loops
use lie in memory that the caller gives. Functions, and the layers of a network, have loops of their
own in native.h.

sources: the definitions in C, by name. formulas: the text of a step. statements: what becomes of
formulas. layers, runs: steps that share a call or a loop. writer: the order of steps. loops:
statements that share a loop, and where rows lie. text: the file.
"""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """An instruction. A number >= 0 is what varies by row, the inputs first; ~i is number i of what
    does not, the parameters first; a float is a constant.
    """

    operation: str  # its name in the table
    out: int
    operands: tuple[int | float, ...]
    exponent: float | None = None


class Listing(NamedTuple):
    """A program as both packages have it."""

    inputs: int
    parameters: int
    steps: list[Step]
    outputs: list[int | float]
