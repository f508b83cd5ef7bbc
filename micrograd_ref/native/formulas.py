"""The text of a program's formulas: what the table says of a step, with names for its operands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from . import Listing, Step, sources


def number(x: float) -> str:
    """A constant as C has it, exactly."""
    if math.isnan(x):
        return "NAN"
    if math.isinf(x):
        return "INFINITY" if x > 0 else "(-INFINITY)"
    text = repr(x)
    return f"({text})" if text.startswith("-") else text


def substituted(formula: str, names: dict[str, str]) -> str:
    """A formula of the table with operands for its letters, in parentheses where needed."""
    return re.sub(r"\b(?:a|b|c|k|g|out)\b", lambda match: names[match[0]], formula)


def with_power(formula: str, k: float) -> str:
    """With the function for an exponent in the place of mg_power, as ieee.h chooses it."""

    def chosen(match: re.Match[str]) -> str:
        exponent = k - 1 if "-" in match[1] else k
        named = {
            1.0: "a",
            2.0: "(a * a)",
            3.0: "mg_cube(a)",
            -1.0: "(1.0 / a)",
            -2.0: "mg_inverse_square(a)",
        }
        return named.get(exponent, f"mg_pow(a, {number(exponent)})")

    if k == 0 and formula.startswith("k != 0"):
        return "0.0"
    formula = re.sub(r"^k != 0 \? (.*) : 0\.0$", r"\1", formula)
    return re.sub(r"mg_power\(a, (k[^)]*)\)", chosen, formula)


class Formulas:
    """Those of a program, and where what does not vary lies."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.table = sources.table()
        self.varying = [step for step in listing.steps if step.out >= 0]
        self.packed: dict[int, int] = {}  # where a number that does not vary lies

    def operand(self, x: int | float) -> str:
        if isinstance(x, float):
            return number(x)
        return f"v{x}" if x >= 0 else f"s[{self.place(~x)}]"

    def place(self, i: int) -> int:
        """Where number i that does not vary lies: in the order of use, so that weights of a layer
        lie behind each other."""
        return self.packed.setdefault(i, len(self.packed))

    def gradient(self, x: int | float) -> str:
        """That of a result or an operand: a row, or one number."""
        return f"d{x}" if x >= 0 else f"ds[{self.place(~int(x))}]"

    def formula(self, step: Step, text: str) -> str:
        """A formula of the table with the step's operands."""
        if step.exponent is not None:
            text = with_power(text, step.exponent)
        names = dict(zip("abc", map(self.operand, step.operands), strict=False))
        if step.exponent is not None:
            names["k"] = number(step.exponent)
        names["out"] = self.operand(step.out)
        names["g"] = self.gradient(step.out)
        return substituted(text, names)

    def chain(self, step: Step) -> str:
        """The value of a dot, sum or norm."""
        a, *rest = map(self.operand, step.operands)
        terms = rest
        if step.operation == "dot":
            terms = [f"{x} * {y}" for x, y in zip(rest[::2], rest[1::2], strict=True)]
        elif step.operation == "norm":
            terms = [f"{x} * {x}" for x in rest]
        added = " + ".join([a, *terms])
        return f"sqrt({added})" if step.operation == "norm" else added

    def value(self, step: Step) -> str:
        if step.operation in ("dot", "sum", "norm"):
            return self.chain(step)
        return self.formula(step, self.table[step.operation].value)

    def gradients(self, step: Step) -> Iterator[tuple[int | float, str]]:
        """What goes to which operand, in the order in which it is added."""
        g = self.gradient(step.out)
        if step.operation == "sum":
            yield from ((x, g) for x in reversed(step.operands))
        elif step.operation == "dot":
            start, *rest = step.operands
            pairs = list(zip(rest[::2], rest[1::2], strict=True))
            for i in reversed(range(len(pairs))):
                if i == 0:
                    yield start, g
                x, y = pairs[i]
                yield x, f"{self.operand(y)} * {g}"
                yield y, f"{self.operand(x)} * {g}"
            if not pairs:
                yield start, g
        elif step.operation == "norm":
            out = self.operand(step.out)
            length, passed = f"mg_length({out})", f"mg_passed_by_norm({out}, {g})"
            start, *rest = step.operands
            yield start, f"{passed} / (2.0 * {length})"
            yield from ((x, f"{self.operand(x)} / {length} * {passed}") for x in rest)
        else:
            formulas = self.table[step.operation].gradients
            for x, text in zip(step.operands, formulas, strict=False):
                if not isinstance(x, float):
                    yield x, self.formula(step, text)


def is_row(x: int | float) -> bool:
    return not isinstance(x, float) and x >= 0


def is_shared(x: int | float) -> bool:
    return not isinstance(x, float) and x < 0


def pairs_of(step: Step) -> list[tuple[int | float, int | float]]:
    """Those of a dot, what varies first where only one does."""
    rest = step.operands[1:]
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return [(x, y) if is_row(x) or not is_row(y) else (y, x) for x, y in pairs]
