"""Runs: the same operation over rows and numbers that lie behind each other becomes a loop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from . import Step
from .formulas import is_row, is_shared
from .loops import Call, Statement
from .statements import Statements

RUN = 4  # steps: fewer are written out


class Runs(Statements):
    """Those of a program."""

    def runs(self, steps: list[Step], kinds: str) -> Iterator[list[Step]]:
        """Parts of the list, as long as may be: their operands and results progress evenly."""
        if self.is_small or len(steps) < RUN:
            yield steps
            return
        for kind in kinds:
            for column in zip(*(self.slots(step) for step in steps), strict=True):
                names = [f"{kind}{x}" for x in column]
                if column[0] >= 0 and not any(x in self.positions for x in names):
                    for x in names:
                        self.position(x)
        run: list[Step] = []
        for step in steps:
            if len(run) > 1 and (
                self.strides(run[-1], step, kinds) != self.strides(run[0], run[1], kinds)
            ):
                yield run
                run = []
            run.append(step)
        yield run

    def slots(self, step: Step) -> list[int]:
        return [step.out, *(int(x) for x in step.operands if not isinstance(x, float))]

    def places(self, step: Step, kinds: str) -> list[tuple[int, ...]]:
        """Where the values of the result and the operands lie, and their gradients."""
        return [
            tuple(self.position(f"{kind}{x}") for kind in kinds) if x >= 0 else (self.place(~x),)
            for x in self.slots(step)
        ]

    def strides(self, first: Step, second: Step, kinds: str) -> list[tuple[int, ...]]:
        """From the one's places to the other's."""
        both = zip(self.places(first, kinds), self.places(second, kinds), strict=True)
        return [tuple(b - a for a, b in zip(x, y, strict=True)) for x, y in both]

    def indexed(self, run: list[Step], kinds: str) -> Callable[[str], str] | None:
        """What puts a run's places at j for the names in an expression of its first step."""
        strides = self.strides(run[0], run[1], kinds)
        found: dict[str, tuple[int, int]] = {}
        for x, places, steps in zip(
            self.slots(run[0]), self.places(run[0], kinds), strides, strict=True
        ):
            names = [f"{kind}{x}" for kind in kinds] if x >= 0 else [f"s[{self.place(~x)}]"]
            for name, place, step in zip(names, places, steps, strict=True):
                if found.setdefault(name, (place, step)) != (place, step):
                    return None

        def at(match: re.Match[str]) -> str:
            name = match[2] or match[3]
            place, step = found[name]
            index = str(place)
            if step:
                times = "j" if abs(step) == 1 else f"{abs(step)} * j"
                index = f"{place} {'+' if step > 0 else '-'} {times}"
            if match[2]:
                return f"{match[1]}s[{index}]"
            return f"r[({index}) * MG_ROWS + i]" if step else f"r[{index} * MG_ROWS + i]"

        return lambda text: re.sub(r"\b(d?)(s\[\d+\])|\b([vd]\d+)\b", at, text)

    def compute(self, steps: list[Step], heavy: bool) -> None:
        """Values, in runs where there are any."""
        for run in self.runs(steps, "v"):
            if not self.roll(run, heavy):
                for step in run:
                    self.put("set", f"v{step.out}", self.value(step))

    def roll(self, run: list[Step], heavy: bool) -> bool:
        """The values of a run, if that can be a call or a loop."""
        value = self.value(run[0])
        if self.is_small or len(run) < RUN or (heavy and not self.calls_row(run)):
            return False
        names = [f"v{x}" for step in run for x in self.slots(step)[1:] if x >= 0]
        outs = [f"v{step.out}" for step in run]
        if heavy:
            name = value[3 : value.index("(")]
            self.functions.add(name)
            self.over_rows.add(name)
            lines = [f"rows_{name}({len(run)}, m, &{names[0]}, &{outs[0]});"]
        else:
            at = self.indexed(run, "v")
            if at is None:
                return False
            lines = [
                f"for (size_t j = 0; j < {len(run)}; j++)",
                f"    MG_EACH_EIGHT(i, m) {at(outs[0])} = {at(value)};",
            ]
        self.sequence.append(Call(tuple(lines), tuple(names), tuple(outs), pure=True))
        return True

    def calls_row(self, run: list[Step]) -> bool:
        """Whether the run is one call of a function of one row."""
        strides = self.strides(run[0], run[1], "v")
        is_call = re.fullmatch(r"mg_(?!pow)\w+\(v\d+\)", self.value(run[0]))
        return bool(is_call) and strides == [(1,), (1,)]

    def roll_back(self, run: list[Step]) -> bool:
        """The gradients that a run passes on, if that can be a loop."""
        if self.is_small or len(run) < RUN:
            return False
        gradients = [list(self.gradients(step)) for step in run]
        at = self.indexed(run, "vd")
        if at is None or any(self.has_function(text) for _, text in gradients[0]):
            return False
        if not self.is_even(run):
            return False
        rows = sorted({int(operand) for operand, _ in gradients[0] if is_row(operand)})
        steps = self.strides(run[0], run[1], "vd")
        strides = dict(zip(self.slots(run[0]), steps, strict=True))
        for x in rows:
            if strides[x][1] == 0 and f"d{x}" not in self.touched:
                self.touched.add(f"d{x}")
                self.sequence.append(Statement("set", f"d{x}", "0.0"))
        body: list[str] = []
        after: list[str] = []
        made: set[str] = set()
        for operand, gradient in gradients[0]:
            gradient = f"({gradient})" if "?" in gradient else gradient
            if is_shared(operand):
                row = f"u{len(after)}"
                body.append(f"{self.memory_of(row)} = {at(gradient)};")
                after.append(f"{at(self.gradient(operand))} += MG_TOTAL_OF_ROWS(n, &{row});")
            elif is_row(operand):
                name = self.gradient(operand)
                place = at(name)
                if name in self.touched or name in made:
                    body.append(f"{place} = {place} + {at(gradient)};")
                else:
                    zero = "0.0 + " if self.is_seen(name) else ""
                    body.append(f"{place} = {zero}{at(gradient)};")
                made.add(name)
        lines = (
            f"for (size_t j = 0; j < {len(run)}; j++) {{",
            "    MG_EACH_EIGHT(i, m) {",
            *(f"        {line}" for line in body),
            "    }",
            *(f"    {line}" for line in after),
            "}",
        )
        reads: set[str] = set()
        writes: set[str] = set()
        for step in run:
            reads.add(f"d{step.out}")
            reads |= {f"v{x}" for x in self.slots(step) if x >= 0}
            passed = {f"d{x}" for x in self.slots(step)[1:] if x >= 0}
            reads |= passed & self.touched
            writes |= passed
        self.touched |= writes
        sums = {f"u{i}" for i in range(len(after))}
        self.sequence.append(Call(lines, tuple(sorted(reads)), tuple(sorted(writes | sums))))
        return True

    def memory_of(self, row: str) -> str:
        return f"r[{self.position(row)} * MG_ROWS + i]"

    def is_even(self, run: list[Step]) -> bool:
        """Whether all gradients of an operand are the first ones or none is, and operands do not
        lie among each other."""
        strides = self.strides(run[0], run[1], "vd")
        columns = list(zip(*(self.slots(step) for step in run), strict=True))
        seen: dict[int, int] = {}
        for q, (column, step) in enumerate(zip(columns, strides, strict=True)):
            if column[0] < 0:
                continue
            for x in set(column):
                if seen.setdefault(x, q) != q and columns[seen[x]] != column:
                    return False
            names = [f"d{x}" for x in column]
            states = {(name in self.touched, self.is_seen(name)) for name in names}
            if q and step[1] and len(states) > 1:
                return False
        return True
