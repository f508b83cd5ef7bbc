"""The loops of native code: statements over rows, which share loops, and where rows lie."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

LOOP = 48  # statements of a loop: beyond, registers do not suffice, and compilers take long
ROW_NAME = re.compile(r"\b[vdtu]\d+\b")


class Statement(NamedTuple):
    """Part of a loop over rows. An expression has names of rows: v3, d3 for its gradient, t3."""

    # "set" a row, "add" to it, a number "out" for each row, whether the row is "open", a line
    # "after" the loop
    kind: str
    target: str
    expression: str


class Call(NamedTuple):
    """Lines between the loops."""

    lines: tuple[str, ...]
    reads: tuple[str, ...] = ()  # names of rows
    writes: tuple[str, ...] = ()
    pure: bool = False  # does nothing but write these


class Loop(NamedTuple):
    """Statements that share a loop."""

    statements: list[Statement]

    @property
    def reads(self) -> set[str]:
        made: set[str] = set()
        found: set[str] = set()
        for kind, target, expression in self.statements:
            if kind == "after":
                continue
            found |= set(ROW_NAME.findall(expression)) - made
            if kind == "add" and target not in made:
                found.add(target)
            if kind in ("set", "add"):
                made.add(target)
        return found

    @property
    def writes(self) -> set[str]:
        return {target for kind, target, _ in self.statements if kind in ("set", "add")}


Piece = Loop | Call


def loops(sequence: Iterable[Statement | Call]) -> list[Piece]:
    """The statements in loops."""
    pieces: list[Piece] = []
    for item in sequence:
        if isinstance(item, Call):
            pieces.append(item)
        elif pieces and isinstance(pieces[-1], Loop) and len(pieces[-1].statements) < LOOP:
            pieces[-1].statements.append(item)
        else:
            pieces.append(Loop([item]))
    return pieces


def pruned(sequence: Sequence[Statement | Call]) -> list[Statement | Call]:
    """Without what nothing uses."""
    used: set[str] = set()
    kept: list[Statement | Call] = []
    for item in reversed(sequence):
        if isinstance(item, Call):
            if item.pure and not used & set(item.writes):
                continue
            used |= set(item.reads)
        elif item.kind in ("set", "add"):
            if item.target not in used:
                continue
            if item.kind == "set" and item.target[0] != "d":
                used.discard(item.target)
            used |= set(ROW_NAME.findall(item.expression))
        else:
            used |= set(ROW_NAME.findall(item.expression))
        kept.append(item)
    return kept[::-1]


class Memory:
    """Where rows lie that several loops use: the position of each."""

    def __init__(self, positions: dict[str, int], pieces: Iterable[Piece]) -> None:
        self.positions = dict(positions)
        users: dict[str, int] = defaultdict(int)
        for piece in pieces:
            for name in {*piece.reads, *piece.writes}:
                users[name] += 1
            if isinstance(piece, Call):
                for name in (*piece.reads, *piece.writes):
                    self.positions.setdefault(name, len(self.positions))
            else:
                for kind, _, expression in piece.statements:
                    if kind == "after":
                        for name in ROW_NAME.findall(expression):
                            users[name] += 1
        self.stored = {name for name, count in users.items() if count > 1}
        for name in sorted(self.stored, key=natural):
            self.positions.setdefault(name, len(self.positions))

    def at(self, name: str) -> str:
        return f"r + {self.positions[name]} * MG_ROWS"

    def placed(self, lines: Iterable[str]) -> list[str]:
        """Lines with where rows lie in the place of their addresses."""
        return [re.sub(r"&([vdtu]\d+)\b", lambda match: self.at(match[1]), line) for line in lines]

    def lines(self, piece: Piece, padded: bool) -> list[str]:
        if isinstance(piece, Call):
            return self.placed(piece.lines)
        body: list[str] = []
        after: list[str] = []
        made: set[str] = set()
        for name in sorted(piece.reads, key=natural):
            const = "" if name in piece.writes else "const "
            body.append(f"{const}double {name} = r[{self.positions[name]} * MG_ROWS + i];")
            made.add(name)
        added = {target for kind, target, _ in piece.statements if kind == "add"}
        for kind, target, expression in piece.statements:
            if kind == "set":
                declared = (
                    "" if target in made else "double " if target in added else "const double "
                )
                body.append(f"{declared}{target} = {expression};")
                made.add(target)
            elif kind == "add":
                body.append(f"{target} = {target} + {expression};")
            elif kind == "out":
                body.append(f"{target} = {expression};")
            elif kind == "open":
                body.append(f"open |= {target} != {target};")
            elif kind == "after":
                after += self.placed(expression.splitlines())
        for name in sorted(piece.writes, key=natural):
            if name in self.stored:
                body.append(f"r[{self.positions[name]} * MG_ROWS + i] = {name};")
        if after and any(statement.kind == "open" for statement in piece.statements):
            after = ["if (!open) {", *indented(after), "}"]
        if not body:
            return after
        head = "MG_EACH_EIGHT(i, m) {" if padded else "MG_EACH(i, n) {"
        return [head, *indented(body), "}", *after]


def natural(name: str) -> tuple[str, int]:
    return name[0], int(name[1:])


def indented(lines: Iterable[str], levels: int = 1) -> list[str]:
    return ["    " * levels + line for line in lines]


def wrapped(text: str) -> str:
    """The same in lines of 100 characters."""
    lines = []
    for line in text.splitlines():
        if len(line) > 100 and not line.endswith("\\"):
            indent = " " * (len(line) - len(line.lstrip()))
            lines += textwrap.wrap(
                line,
                100,
                subsequent_indent=indent + "    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
