"""A random graph whose nodes share operands: built, differentiated and freed.

The program is written out as Python source, so that no interpreter of ours is timed: line after
line an operation on two earlier results. It is shallow (each operand may be any earlier one), so
that recursion reaches its end. Times are for one node, results compared on 500 operations.
"""

import random

from .measure import Task, Workload
from .scalars import scalars

LEAVES = 32
CHECKED = 500


def program(operations, relu, seed=0):
    """A function of the leaves, and how many nodes it makes.

    Its values stay within -1 and 1. What nothing reads is added up in pairs at the end, so the
    result depends on every line.
    """
    rng = random.Random(seed)
    lines = []
    unread = set()

    def write(expression, *operands):
        name = f"v{LEAVES + len(lines)}"
        lines.append(f"    {name} = " + expression.format(*operands))
        unread.difference_update(operands)
        unread.add(name)
        return name

    for i in range(LEAVES, LEAVES + operations):
        a, b = f"v{rng.randrange(i)}", f"v{rng.randrange(i)}"
        kind = rng.choice(["+", "-", "*", "relu"])
        if kind == "relu":
            write("relu({})", a)
        elif kind == "*":
            write("{} * {}", a, b)
        else:
            write("({} " + kind + " {}) * 0.5", a, b)
    last = sorted(unread)
    while len(last) > 1:
        pairs = zip(last[::2], last[1::2], strict=False)
        last = [write("{} + {}", a, b) for a, b in pairs] + last[len(last) // 2 * 2 :]
    source = [f"def program({', '.join(f'v{i}' for i in range(LEAVES))}):", *lines]
    names = {"relu": relu}
    exec("\n".join([*source, f"    return {last[0]}"]), names)
    nodes = sum(1 + (" * 0.5" in line) for line in lines)
    return names["program"], nodes


def leaves():
    rng = random.Random(1)
    return [rng.uniform(-1, 1) for _ in range(LEAVES)]


def built(package, operations, recorded=False):
    number = scalars(package)
    run_of = number.record if recorded else number.differentiate
    checked, _ = program(CHECKED, number.relu)
    timed, nodes = program(operations, number.relu)
    note = f"{nodes:,} nodes" + ", compiled once" * recorded
    return Task(run_of(timed, leaves()), run_of(checked, leaves())(), units=nodes, note=note)


WORKLOADS = [
    Workload(
        name="random_dag",
        title="a random graph with shared nodes: build, backward, free",
        per="node",
        baselines=["micrograd"],
        contestants=[
            ("micrograd_fast", built, 20_000),
            ("micrograd_ref", built, 20_000),
            ("micrograd", built, 20_000),
            ("minigrad", built, 20_000),
            ("torch", built, 20_000),
            ("autograd", built, 20_000),
            ("jax", built, 1_000),
            ("jax.jit", built, 1_000, True),  # longer programs compile for minutes
            ("xad", built, 20_000),
            ("casadi", built, 20_000),
        ],
    )
]
