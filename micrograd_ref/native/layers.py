"""Layers: dots over the same inputs, with weights that lie behind each other, become calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from . import Listing, Step
from .formulas import is_row, is_shared, number, pairs_of
from .loops import Call, Statement
from .statements import Statements

LAYER = 16  # products: fewer are written out


class Layers(Statements):
    """Those of a program."""

    def __init__(self, listing: Listing) -> None:
        super().__init__(listing)
        self.layers: dict[int, tuple[int | float, ...]] = {}  # inputs of the layer, by result
        self.find_layers()

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

    def layer_calls(self, batch: list[Step], backward: bool) -> None:
        for run in self.layer_runs(batch):
            self.layer_call(run, backward)

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
