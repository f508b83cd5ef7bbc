"""Writing programs: a program is a list of source lines, the same for the same seed."""

import random

from . import building, networks, tapes, using
from .running import compiled
from .words import Words

# Kinds of lines and how often they come.
LINES = {
    building.leaf: 5,
    building.several: 10,
    building.unary: 6,
    using.backward: 6,
    using.gradient: 4,
    using.rule: 2,
    building.subclass: 1,
    building.augmented: 3,
    building.nested: 5,
    building.power: 4,
    building.dot: 4,
    building.sum: 5,
    building.long: 1,
    building.custom: 3,
    building.local_grads: 3,
    using.attribute: 4,
    building.wrong_value: 2,
    using.ask: 2,
    using.arrays: 1.5,
    using.assign: 5,
    using.rename: 1,
    using.forget: 1,
    using.step: 1.5,
    using.new_step: 1,
    using.copying: 2,
    networks.loss: 2,
    using.anomaly: 2,
    networks.file: 0.3,
    using.between: 1,
    networks.module: 3,
    networks.call: 6,
    networks.take: 3,
    networks.change_module: 3,
    networks.state: 2,
    networks.optimizer: 2,
    networks.train: 5,
    tapes.tape: 4,
    tapes.forward: 3,
    tapes.differentiate: 3,
    tapes.replay: 4,
    tapes.ask_tape: 1,
    tapes.compile: 1,
}
ALWAYS = (building.leaf, building.several, building.unary, using.backward)
# Those after which all is compared, half of the times.
CHANGING = (
    using.backward,
    using.assign,
    using.step,
    networks.train,
    tapes.differentiate,
    tapes.replay,
    tapes.compile,
    using.copying,
    using.attribute,
)


class Writer(Words):
    """Writes a program line by line."""

    def __init__(self, seed):
        rng = random.Random(seed)
        # A program that leaves some kinds of lines out has more of the others.
        self.kinds = [kind for kind in LINES if kind in ALWAYS or rng.random() < 0.5]
        super().__init__(rng)

    def lines(self):
        """A whole program. Each line must have been run before the next is asked for."""
        weights = [LINES[kind] for kind in self.kinds]
        length = self.rng.choice((5, 10, 20, 40))
        for kind in [building.leaf, *self.rng.choices(self.kinds, weights, k=length)]:
            line = kind(self)
            yield line if is_python(line) else building.leaf(self)
            if kind in CHANGING and self.chance(0.5):
                yield "check()"
        yield "check()"


def is_python(line):
    try:
        return bool(compiled(line))
    except SyntaxError:  # an assignment to what is no name
        return False


def program(seed):
    """The lines of a program, which only the reference runs along the way."""
    writer = Writer(seed)
    for line in writer.lines():
        yield line
        writer.run.do(compiled(line))
