"""A random graph whose nodes share operands: built, differentiated and freed.

The program is written out as Python source, so that no interpreter of ours is timed: line after
line an operation on earlier results. It is shallow (each operand may be any earlier one), so that
recursion reaches its end. Times are for one node, results compared on 500 operations.
"""

import itertools
import random

from .measure import Workload, each
from .scalars import program

LEAVES = 32

# What keeps values within -1 and 1, and how many nodes each makes.
OPERATIONS = {"({} + {}) * 0.5": 2, "({} - {}) * 0.5": 2, "{} * {}": 1, "relu({})": 1}


def leaves():
    rng = random.Random(1)
    return [rng.uniform(-1, 1) for _ in range(LEAVES)]


def random_lines(length, operations):
    """So many random operations as lines of Python, and how many nodes they make.

    v0 to v31 are the leaves. What nothing reads is added up in pairs at the end, so the last line's
    result depends on every line.
    """
    rng = random.Random(0)
    lines, unread, nodes = [], dict.fromkeys(range(LEAVES)), 0

    def write(operation, operands):
        for operand in operands:
            unread.pop(operand, None)
        new = LEAVES + len(lines)
        lines.append(f"v{new} = " + operation.format(*(f"v{i}" for i in operands)))
        unread[new] = None

    for operation in rng.choices(list(operations), k=length):
        end = LEAVES + len(lines)
        write(operation, [rng.randrange(end) for _ in range(operation.count("{"))])
        nodes += operations[operation]
    while len(unread) > 1:
        write("{} + {}", list(itertools.islice(unread, 2)))
        nodes += 1
    return lines, nodes


def written_out(lines, **functions):
    """A function of the leaves that runs the lines, which call these functions."""
    parameters = ", ".join(f"v{i}" for i in range(LEAVES))
    result = lines[-1].split()[0]
    source = [f"def run({parameters}):", *lines, f"return {result}"]
    exec("\n    ".join(source), functions)
    return functions["run"]


def graph(number, length):
    lines, nodes = random_lines(length, OPERATIONS)
    return written_out(lines, relu=number.relu), leaves(), nodes


CONTESTANTS = [
    *each(["micrograd_fast", "micrograd_ref", "micrograd", "minigrad"], program, 20_000, graph),
    *each(["torch", "autograd", "xad", "casadi"], program, 20_000, graph),
    ("jax", program, 1_000, graph),
    ("jax.jit", program, 1_000, graph, "record", "compiled once"),  # longer ones take minutes
]

TITLE = "a random graph with shared nodes: build, backward, free"
WORKLOADS = [Workload("random_dag", TITLE, "node", CONTESTANTS, baselines=["micrograd"])]
