"""From a program to the statements of its native code.

Forward, the order is free. Backward, whatever adds into one gradient keeps its order, the last user
first; the rest is free, too. So what needs no call comes first wherever it may, to share loops, and
the dots of a layer come together.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from . import Listing, Step, sources
from .loops import LOOP, ROW_NAME, Call, Statement

LAYER = 16  # products: fewer are written out
RUN = 4  # steps: fewer are written out
QUICK_POWER = re.compile(r"\bmg_(cube|inverse_square)\(")  # which small programs write out


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
            -1.0: "mg_divide(1.0, a)",
            -2.0: "mg_inverse_square(a)",
        }
        return named.get(exponent, f"mg_pow(a, {number(exponent)})")

    if k == 0 and formula.startswith("k != 0"):
        return "0.0"
    formula = re.sub(r"^k != 0 \? (.*) : 0\.0$", r"\1", formula)
    return re.sub(r"mg_power\(a, (k[^)]*)\)", chosen, formula)


class Writer:
    """Makes the loops of a program."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.table = sources.table()
        self.functions: set[str] = set()  # used anywhere
        self.over_rows: set[str] = set()  # used in loops
        self.temporaries = 0
        self.sums = 0
        self.is_small = False  # all in one loop, where a cube is written out
        self.sequence: list[Statement | Call] = []
        self.touched: set[str] = set()  # gradients that have a first contribution
        self.varying = [step for step in listing.steps if step.out >= 0]
        self.packed: dict[int, int] = {}  # where a number that does not vary lies
        self.constants: dict[str, int] = {}
        self.tables: list[str] = []
        self.positions: dict[str, int] = {}  # of rows in memory
        self.layers: dict[int, tuple[int | float, ...]] = {}  # inputs of the layer, by result

    # Operands

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

    def new(self) -> str:
        self.temporaries += 1
        return f"t{self.temporaries - 1}"

    # Statements

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
        return f"mg_sqrt({added})" if step.operation == "norm" else added

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

    # Layers

    def find_layers(self) -> None:
        """Dots over the same inputs, with weights and inputs that can lie behind each other."""
        groups = defaultdict(list)
        for step in self.varying:
            if step.operation == "dot" and len(step.operands) > 2:
                pairs = pairs_of(step)
                inputs = tuple(x for x, _ in pairs)
                if all(is_row(x) and is_shared(y) for x, y in pairs) and not (
                    len(set(inputs)) < len(inputs) or is_row(step.operands[0])
                ):
                    groups[inputs].append(step)
        for inputs, steps in groups.items():
            if len(inputs) * len(steps) >= LAYER and self.lie_behind(inputs):
                self.take_layer(inputs, steps)

    def take_layer(self, inputs: tuple[int | float, ...], steps: list[Step]) -> None:
        taken = []
        weights = {~int(y) for step in steps for _, y in pairs_of(step)}
        for step in steps:
            places = [self.place(~int(y)) for _, y in pairs_of(step)]
            start = step.operands[0]
            if is_shared(start) and ~int(start) in weights:
                continue  # a layer adds to the gradients of its starts before those of its weights
            if places == list(range(places[0], places[0] + len(places))):
                taken.append(step)
        for step in taken:
            self.operand(step.operands[0])
            self.layers[step.out] = inputs
        self.lie_behind([step.out for step in taken])

    def lie_behind(self, rows: Sequence[int | float]) -> bool:
        """Whether the values of the rows, and their gradients, lie behind each other, or now do."""
        for kind in "vd":
            names = [f"{kind}{row}" for row in rows]
            if not any(name in self.positions for name in names):
                for name in names:
                    self.position(name)
        return all(
            self.positions.get(f"{kind}{row}") == self.positions.get(f"{kind}{rows[0]}", 0) + i
            for kind in "vd"
            for i, row in enumerate(rows)
        )

    def position(self, name: str) -> int:
        return self.positions.setdefault(name, len(self.positions))

    def layer_runs(self, steps: Iterable[Step]) -> Iterator[list[Step]]:
        """Neighbors that one call can compute, in the order given."""
        run: list[Step] = []
        direction: tuple[int, int] | None = None
        for step in steps:
            if run and self.layers[step.out] == self.layers[run[0].out]:
                distance = self.distances(run[-1], step)
                if distance in ((1, 0), (1, 1), (-1, 0), (-1, -1)) and (
                    len(run) == 1 or distance == direction
                ):
                    run.append(step)
                    direction = distance
                    continue
            if run:
                yield run
            run, direction = [step], None
        if run:
            yield run

    def distances(self, first: Step, second: Step) -> tuple[int, int] | None:
        """By how many neurons the second lies behind the first, and by how many starts."""
        width = len(self.layers[first.out])
        a, b = (self.place(~int(pairs_of(step)[0][1])) for step in (first, second))
        found = {(b - a) / width}
        for kind in "vd":
            found.add(self.positions[f"{kind}{second.out}"] - self.positions[f"{kind}{first.out}"])
        x, y = first.operands[0], second.operands[0]
        starts: int | None = None
        if isinstance(x, float) and isinstance(y, float):
            starts = 0 if number(x) == number(y) else None
        elif is_shared(x) and is_shared(y):
            starts = self.place(~int(y)) - self.place(~int(x))
        return None if len(found) > 1 or starts is None else (int(found.pop()), starts)

    def layer_call(self, run: list[Step], backward: bool) -> None:
        if len(run) > 1 and self.positions[f"v{run[0].out}"] > self.positions[f"v{run[1].out}"]:
            run = run[::-1]
        inputs = self.layers[run[0].out]
        (start, *_), width = run[0].operands, len(inputs)
        weights = self.place(~int(pairs_of(run[0])[0][1]))
        step = 0
        if len(run) > 1:
            step = (self.distances(run[0], run[1]) or (0, 0))[1]
        v, d = ([f"{kind}{row}" for row in inputs] for kind in "vd")
        out, g = ([f"{kind}{one.out}" for one in run] for kind in "vd")
        sizes = f"{width}, {len(run)}"
        if not backward:
            text = self.operand(start)
            text = f"&{text}" if is_shared(start) else f"(const double[]){{{text}}}"
            line = f"layer(m, {sizes}, &{v[0]}, &s[{weights}], {text}, {step}, &{out[0]});"
            self.sequence.append(Call((line,), tuple(v), tuple(out), pure=True))
            return
        untouched = [name for name in d if name not in self.touched]
        self.touched.update(d)
        first = int(len(untouched) == len(d))
        if not first:
            self.sequence += [Statement("set", name, "0.0") for name in untouched]
        dstart = f"&{self.gradient(start)}" if is_shared(start) else "NULL"
        if is_shared(start) and step == 0 and len(run) > 1:  # all start with one number
            dstart = "NULL"
            for one in reversed(run):
                self.pass_on(start, f"d{one.out}")
        line = (
            f"layer_gradients(m, n, {sizes}, {first}, &{v[0]}, &s[{weights}], &{g[0]}, &{d[0]}, "
            f"&ds[{weights}], {dstart});"
        )
        reads = (*v, *g) if first else (*v, *g, *d)
        self.sequence.append(Call((line,), reads, tuple(d)))

    # The order of steps

    def is_heavy(self, step: Step) -> bool:
        return step.out in self.layers or self.has_function(self.value(step))

    def has_function(self, expression: str) -> bool:
        return self.last_function(expression) is not None

    def forward(self) -> None:
        """The values of all rows: what needs no call as soon as it can be."""
        level: dict[int, tuple[int, int]] = {}  # calls behind each other, and operations since
        order = []
        for i, step in enumerate(self.varying):
            operands = [level.get(int(x), (0, 0)) for x in step.operands if is_row(x)]
            calls, depth = max(operands, default=(0, 0))
            if heavy := self.is_heavy(step):
                level[step.out] = calls + 1, 0
            else:
                level[step.out] = calls, depth + 1
            order.append((calls, heavy, depth * (not heavy), self.kind(step), i))
        for (_, heavy, _, kind), group in groupby(sorted(order), lambda key: key[:-1]):
            steps = [self.varying[i] for *_, i in group]
            if kind.startswith("layer"):
                self.layer_calls(steps, backward=False)
            else:
                self.compute(steps, heavy)

    def layer_calls(self, batch: list[Step], backward: bool) -> None:
        for run in self.layer_runs(batch):
            self.layer_call(run, backward)

    def backward(self) -> None:
        """The gradients, each complete before it is passed on."""
        steps = self.listing.steps
        waits = [0] * len(steps)  # for how many others
        frees: list[set[int]] = [set() for _ in steps]
        next_user: dict[int, int] = {}
        for i in reversed(range(len(steps))):
            before = set()
            for x in {int(x) for x in steps[i].operands if not isinstance(x, float)}:
                if x in next_user:
                    before.add(next_user[x])
                next_user[x] = i
            # The first user of a result is the last one to add into its gradient.
            if steps[i].out in next_user:
                before.add(next_user[steps[i].out])
            waits[i] = len(before)
            for j in before:
                frees[j].add(i)
        ready: dict[str, list[int]] = defaultdict(list)  # by what is computed together

        def add(i: int) -> None:
            heapq.heappush(ready[self.kind(steps[i])], -i)

        for i, count in enumerate(waits):
            if not count:
                add(i)
        while any(ready.values()):
            kinds = (key for key, found in ready.items() if found)
            kind = min(kinds, key=lambda key: (key == "last", key.startswith("layer"), ready[key]))
            batch = []
            while ready[kind]:
                i = -heapq.heappop(ready[kind])
                batch.append(steps[i])
                for j in frees[i]:
                    waits[j] -= 1
                    if not waits[j]:
                        add(j)
            self.pass_back(kind, batch)

    def kind(self, step: Step) -> str:
        """What may be computed together."""
        if step.out < 0:
            return "last"
        if step.out in self.layers:
            return f"layer {self.layers[step.out]}"
        if self.is_small:
            return ""
        operands = (number(x) if isinstance(x, float) else x >= 0 for x in step.operands)
        return f"{step.operation} {step.exponent} {' '.join(map(str, operands))}"

    def pass_back(self, kind: str, batch: list[Step]) -> None:
        if kind.startswith("layer"):
            self.layer_calls(batch, backward=True)
            return
        if kind == "last":
            lines = [line for step in batch for line in self.number_gradients(step)]
            self.sequence.append(Call(("if (last) {", *(f"    {line}" for line in lines), "}")))
            return
        for run in self.runs(batch, "vd"):
            if not self.roll_back(run):
                for step in run:
                    for x, gradient in self.gradients(step):
                        self.pass_on(x, gradient)

    # Runs: the same operation over rows and numbers that lie behind each other

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

    def note_functions(self, expression: str) -> None:
        found = re.findall(r"\bmg_(\w+)\(", expression)
        self.functions.update(x for x in found if x in (*sources.functions(), *sources.POWERS))


def is_row(x: int | float) -> bool:
    return not isinstance(x, float) and x >= 0


def is_shared(x: int | float) -> bool:
    return not isinstance(x, float) and x < 0


def pairs_of(step: Step) -> list[tuple[int | float, int | float]]:
    """Those of a dot, what varies first where only one does."""
    rest = step.operands[1:]
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return [(x, y) if is_row(x) or not is_row(y) else (y, x) for x, y in pairs]
