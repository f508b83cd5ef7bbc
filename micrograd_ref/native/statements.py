"""From formulas to statements: the functions in them become calls, and gradients add up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from . import Listing, Step, sources
from .formulas import Formulas, is_shared
from .loops import LOOP, ROW_NAME, Call, Statement

QUICK_POWER = re.compile(r"\bmg_(cube|inverse_square)\(")  # which small programs write out


class Statements(Formulas):
    """What has been written so far."""

    def __init__(self, listing: Listing) -> None:
        super().__init__(listing)
        self.functions: set[str] = set()  # used anywhere
        self.over_rows: set[str] = set()  # used in loops
        self.temporaries = 0
        self.sums = 0
        self.is_small = False  # all in one loop, where a cube is written out
        self.sequence: list[Statement | Call] = []
        self.touched: set[str] = set()  # gradients that have a first contribution
        self.tables: list[str] = []
        self.positions: dict[str, int] = {}  # of rows in memory

    def new(self) -> str:
        self.temporaries += 1
        return f"t{self.temporaries - 1}"

    def position(self, name: str) -> int:
        return self.positions.setdefault(name, len(self.positions))

    def put(self, kind: str, target: str, expression: str) -> None:
        """Add a statement. Functions in it become calls before it, over all rows."""
        while match := self.last_function(expression):
            given, end = sources.arguments(expression, match.end() - 1)
            rows = [self.row_of(x) for x in given]
            out = self.new()
            self.call_function(match[1], rows, out)
            expression = expression[: match.start()] + out + expression[end:]
        if kind != "set" and QUICK_POWER.search(expression):
            expression = self.row_of(expression)
        if kind == "sum":
            row = f"u{self.sums if self.is_small else self.sums % LOOP}"
            self.sums += 1
            self.sequence.append(Statement("set", row, expression))
            kind, expression = "after", f"{target} += MG_TOTAL_OF_ROWS(n, &{row});"
        self.sequence.append(Statement(kind, target, expression))

    def last_function(self, expression: str) -> re.Match[str] | None:
        powers = sources.POWERS[:1] if self.is_small else sources.POWERS
        names = "|".join((*sources.functions(), *powers))
        found = list(re.finditer(rf"\bmg_({names})\(", expression))
        return found[-1] if found else None

    def has_function(self, expression: str) -> bool:
        return self.last_function(expression) is not None

    def row_of(self, expression: str) -> str:
        """The name of a row with what the expression gives."""
        if ROW_NAME.fullmatch(expression):
            return expression
        out = self.new()
        self.sequence.append(Statement("set", out, expression))
        return out

    def call_function(self, name: str, rows: Sequence[str], out: str) -> None:
        self.functions.add(name)
        self.over_rows.add(name)
        arguments = "m, " if name == "pow" else "1, m, "
        line = f"rows_{name}({arguments}{', '.join(f'&{row}' for row in (*rows, out))});"
        self.sequence.append(Call((line,), tuple(rows), (out,), pure=True))

    def note_functions(self, expression: str) -> None:
        found = re.findall(r"\bmg_(\w+)\(", expression)
        self.functions.update(x for x in found if x in (*sources.functions(), *sources.POWERS))

    def pass_on(self, x: int | float, gradient: str) -> None:
        """Add a gradient to that of an operand."""
        if "?" in gradient:
            gradient = f"({gradient})"
        if isinstance(x, float):
            return
        if x < 0:
            self.put("sum", self.gradient(x), gradient)
        else:
            name = self.gradient(x)
            self.put("add" if name in self.touched else "set", name, self.first(name, gradient))

    def first(self, name: str, gradient: str) -> str:
        """A contribution; as the first one to what is seen in the end, to 0.0. The sign of a zero
        on the way changes no bit there: what is passed on is a multiple of a gradient.
        """
        is_first = name not in self.touched
        self.touched.add(name)
        return f"0.0 + {gradient}" if is_first and self.is_seen(name) else gradient

    def is_seen(self, name: str) -> bool:
        """Whether it is the gradient of an input."""
        return int(name[1:]) < self.listing.inputs

    # What does not vary

    def number_value(self, step: Step) -> str:
        """The value of a step that depends on no input."""
        if self.is_long(step):
            x, y = self.tables_of(step)
            start = self.operand(step.operands[0])
            return f"dot_of_numbers({len(step.operands) // 2}, {x}, {y}, s, {start})"
        value = self.value(step)
        self.note_functions(value)
        return value

    def number_gradients(self, step: Step) -> Iterator[str]:
        """What it adds to gradients, a line each."""
        if not self.is_long(step):
            for x, gradient in self.gradients(step):
                if is_shared(x):
                    self.note_functions(gradient)
                    yield f"{self.gradient(x)} += {gradient};"
            return
        a, b = self.tables_of(step)
        g, start = self.gradient(step.out), step.operands[0]
        rest = f"{len(step.operands) // 2 - 1}, {a} + 1, {b} + 1"
        yield f"dot_of_numbers_gradients({rest}, s, {g}, ds);"
        if is_shared(start):
            yield f"{self.gradient(start)} += {g};"
        yield f"dot_of_numbers_gradients(1, {a}, {b}, s, {g}, ds);"

    def is_long(self, step: Step) -> bool:
        operands = step.operands[1:]
        return step.operation == "dot" and len(operands) > 16 and all(map(is_shared, operands))

    def tables_of(self, step: Step) -> list[str]:
        """The names of two tables: where the first and the second ones of all pairs lie."""
        names = [f"{kind}_{self.place(~step.out)}" for kind in ("first", "second")]
        for i, name in enumerate(names):
            places = ", ".join(str(self.place(~int(x))) for x in step.operands[1 + i :: 2])
            table = f"static const unsigned {name}[] = {{{places}}};"
            if table not in self.tables:
                self.tables.append(table)
        return names
