"""From a program to the statements of its native code: the order of its steps.

Forward, the order is free. Backward, whatever adds into one gradient keeps its order, the last user
first; the rest is free, too. So what needs no call comes first wherever it may, to share loops, and
the dots of a layer come together.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from itertools import groupby

from . import Listing, Step
from .formulas import is_row, number
from .layers import Layers
from .loops import Call
from .runs import Runs

SMALL = 64  # operations of a program in one loop


class Writer(Layers, Runs):
    """Makes the statements of a program."""

    def __init__(self, listing: Listing) -> None:
        super().__init__(listing)
        self.is_small = not self.layers and len(listing.steps) <= SMALL
        self.is_small = self.is_small and not any(map(self.calls_functions, self.varying))

    def calls_functions(self, step: Step) -> bool:
        texts = self.value(step), *(text for _, text in self.gradients(step))
        return any(map(self.has_function, texts))

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

    def is_heavy(self, step: Step) -> bool:
        return step.out in self.layers or self.has_function(self.value(step))

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
