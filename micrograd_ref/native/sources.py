"""The C sources of micrograd_fast: formulas of the table, and functions, by name."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

FILES = (
    *("ieee.h", "rounded.h", "pairs.h", "erf_table.h", "wave_table.h", "quick.h"),
    *("scalar_tables.h", "scalar.h", "wide.h", "native.h", "rounded.c"),
)
POWERS = ("pow", "cube", "inverse_square")  # beside the functions of rounded.h's table
IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*")


class Row(NamedTuple):
    """An operation of the table, as operations.h has it."""

    value: str
    gradients: tuple[str, ...]  # what goes to each operand


class Part(NamedTuple):
    """A definition: a function, a constant, a type, or some lines for the preprocessor."""

    names: frozenset[str]  # that it defines
    text: str
    uses: frozenset[str]  # all identifiers in it


def read(name: str) -> str:
    """A source without its comments. The package is looked for, and not imported."""
    spec = find_spec("micrograd_fast")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise RuntimeError("C code is made of the sources in micrograd_fast, which is not there")
    text = Path(folders[0], name).read_text(encoding="utf-8")
    return re.sub(r"[ \t]*/\*.*?\*/", "", text, flags=re.DOTALL)


def arguments(text: str, start: int) -> tuple[list[str], int]:
    """Those of a call, whose parenthesis opens at start, and where it ends."""
    found, depth, first = [], 0, start + 1
    for i in range(start, len(text)):
        if text[i] in "(),":
            depth += {"(": 1, ")": -1, ",": 0}[text[i]]
            if depth == 0 or (depth == 1 and text[i] == ","):
                found.append(" ".join(text[first:i].split()))
                first = i + 1
            if depth == 0:
                return found, i + 1
    raise ValueError(f"a parenthesis is not closed: {text[start:]}")


def calls(text: str, pattern: str) -> Iterator[tuple[str, list[str]]]:
    """The calls of what matches: its name and its arguments."""
    for match in re.finditer(rf"\b({pattern})\(", text):
        yield match[1], arguments(text, match.end() - 1)[0]


@functools.cache
def table() -> dict[str, Row]:
    """The rows of operations.h by the names of the operations."""
    text = read("operations.h").replace("\\\n", "\n")
    rows = {}
    for _, (_, name, arity, value, *steps) in calls(text, "ROW"):
        if name.startswith('"'):
            gradients = [expression for _, (expression,) in calls(",".join(steps), "TO_[ABC]")]
            if len(gradients) != int(arity):
                raise ValueError(f"{name} has {arity} operands and {len(gradients)} gradients")
            # Nobody reads the flags that guarded roots and divisions leave alone, and where the
            # guard stands behind a sum that may be nan, GCC 16 takes the terms for negative.
            plain = value.replace("mg_sqrt(", "sqrt(").replace("mg_divide(a, b)", "a / b")
            rows[name.strip('"')] = Row(plain, tuple(gradients))
    return rows


@functools.cache
def functions() -> dict[str, tuple[str, str]]:
    """The functions of rounded.h: the number of each, and where its first answer may be asked."""
    text = read("rounded.h").replace("\\\n", "\n")
    return {name: (number, where) for _, (name, number, _, where) in calls(text, "FUNCTION")}


@functools.cache
def constants() -> dict[str, str]:
    """The numbers that formulas of the table have by name."""
    found = re.findall(r"#define (MG_\w+) ([\d.]+)$", read("operations.h"), re.MULTILINE)
    return dict(found)


@functools.cache
def parts() -> tuple[Part, ...]:
    """All definitions in the sources, in order."""
    found: list[Part] = []
    for part in (part for name in FILES for part in definitions(read(name))):
        macros = part.names if part.text.startswith("#") else frozenset()
        if not any(macros & other.names for other in found if other.text.startswith("#")):
            found.append(part)
    return tuple(found)


def definitions(text: str) -> Iterator[Part]:
    """Those of a file. Each begins at the beginning of a line."""
    lines = text.splitlines()
    i = 0
    while i < len(lines):
        first, i = i, i + 1
        line = lines[first]
        if not line.strip() or re.fullmatch(r"[A-Z_]+(\(\w+\))?", line):  # a macro's use
            continue
        if re.match(r"#if", line) and not re.match(r"#ifndef MICROGRAD_\w+_H$", line):
            depth = 1
            while depth:
                depth += bool(re.match(r"#\s*if", lines[i])) - bool(
                    re.match(r"#\s*endif", lines[i])
                )
                i += 1
        elif line.startswith("#"):
            while lines[i - 1].endswith("\\"):
                i += 1
        else:
            while not is_whole("\n".join(lines[first:i])):
                i += 1
        piece = "\n".join(lines[first:i])
        names = defined(piece)
        if "#error" in piece or (names and "#include" not in piece):
            yield Part(names, piece, frozenset(IDENTIFIER.findall(strip_suffix(piece))))


def is_whole(text: str) -> bool:
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#")).rstrip()
    return code.endswith((";", "}")) and all(
        code.count(a) == code.count(b) for a, b in ("()", "{}")
    )


def defined(piece: str) -> frozenset[str]:
    """The names that a piece of a source defines."""
    if piece.startswith("#"):
        macros = re.findall(r"^#\s*define (\w+)", piece, re.MULTILINE)
        return frozenset(macros) - {"TARGET", "NAME"}
    piece = re.sub(r"NAME\((\w+)\)", r"\1", piece)
    if piece.startswith("typedef"):
        found = re.search(r"(\w+)(?:\)\(.*\)| __attribute__\(.*\))?;$", piece)
    elif re.match(r"(?:static|MG_\w*INLINE|TARGET)\b", piece):
        found = re.search(
            r"(\w+)(?:\[\w*\])*(?:\(| =)", re.sub(r"struct \{.*?\n\}", "", piece, flags=re.DOTALL)
        )
    else:
        found = None
    return frozenset(found.groups()) if found else frozenset()


def strip_suffix(text: str) -> str:
    """Names of functions for a kind of CPU without that."""
    return re.sub(r"_plain\b", "", text)


def needed(names: Iterable[str]) -> str:
    """The definitions of these names, and of what they use."""
    by_name: dict[str, list[int]] = {}
    for i, part in enumerate(parts()):
        for name in part.names:
            by_name.setdefault(name, []).append(i)
    left, seen = list(names), set()
    taken = {i for i, part in enumerate(parts()) if not part.names}
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        for i in by_name.get(name, ()):
            if i not in taken:
                taken.add(i)
                left += parts()[i].uses
    return "\n\n".join(parts()[i].text for i in sorted(taken))
