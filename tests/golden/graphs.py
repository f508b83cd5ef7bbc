"""Random graphs of all operations, from a seed: eager, and recorded as a Tape."""

import random

from bits import SPECIAL
from operations import ARITY, METHODS, call

CONSTANTS = [-3, -2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 4, 10]  # of powers
OPERATIONS = [*ARITY, "**k", "dot", "sum", "norm"]


class Draw:
    """Random choices that no version of Python changes."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def whole(self, low, high):
        return low + int(self.random() * (high - low + 1))

    def one_of(self, things):
        return things[self.whole(0, len(things) - 1)]

    def number(self):
        """Mostly of ordinary size, sometimes a very small or large or a special one."""
        kind = self.random()
        if kind < 0.05:
            return self.one_of(SPECIAL)
        size = 2.0 ** self.whole(-60, 8) if kind < 0.15 else 1.0
        return (6.0 * self.random() - 3.0) * size


def graph(mg, seed, operations):
    """A graph that shares nodes: all its Values, leaves first; how many are leaves; its results."""
    draw = Draw(seed)
    count = draw.whole(2, 6)
    made = [mg.Value(draw.number()) for _ in range(count)]
    used = set()

    def node():
        """Half of the time a leaf: from operation to operation numbers become inf, nan, or 0."""
        return draw.one_of(made[:count] if draw.random() < 0.5 else made)

    def operand():
        return draw.number() if draw.random() < 0.2 else node()

    for _ in range(draw.whole(5, 40)):
        name = draw.one_of(operations)
        if name == "**k":
            operands = [node(), draw.one_of(CONSTANTS)]
        elif name in ARITY:
            operands = [node(), *(operand() for _ in range(ARITY[name] - 1))]
            if name not in METHODS and draw.random() < 0.3:
                operands.reverse()
        else:
            operands = [node(), *(operand() for _ in range(2 * draw.whole(0, 4)))]
        made.append(call(mg, name, *operands))
        used.update(operand for operand in operands if isinstance(operand, mg.Value))
    return made, count, [v for v in made[count:] if v not in used]


def eager(mg, seed, operations):
    """All Values of the graph, once the sum of its results has been differentiated."""
    made, _, results = graph(mg, seed, operations)
    mg.sum(results).backward()
    return made


def tape(mg, seed, operations):
    """A Tape of the graph's results over two of its leaves, with rows and a seed for backward."""
    made, _, results = graph(mg, seed, operations)
    nodes = set().union(*(mg.trace(v)[0] for v in results))
    inputs = [v for v in made[:2] if v in nodes]
    draw = Draw(seed)
    n = 131 if seed % 20 == 0 else 9  # more than a block, or a few
    rows, seeds = (
        [[draw.number() for _ in range(k)] for _ in range(n)] for k in (len(inputs), len(results))
    )
    return mg.Tape(results, inputs), rows, seeds
