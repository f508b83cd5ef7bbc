"""What a node weighs: a chain x = x + y, built and held, in a process of its own."""

import sys

from .measure import Task, Workload, resident_bytes
from .scalars import scalars


def resident(x, y, nodes):
    """The memory that the process gains, shared out among the nodes."""
    before = resident_bytes()
    for _ in range(nodes):
        x = x + y
    return Task("pass", [], bytes=(resident_bytes() - before) / nodes, note=f"{nodes:,} nodes")


def object_alone(x, y, nodes):
    """sys.getsizeof of one node: the object without what it refers to."""
    return Task("pass", [], bytes=sys.getsizeof(x + y))


def weighed(package, weigh, nodes):
    leaf = scalars(package).leaf
    return weigh(leaf(1.0), leaf(1.0), nodes)


def on_a_tape(xad, weigh, nodes):
    with xad.Tape() as tape:
        leaves = [xad.Real(1.0), xad.Real(1.0)]
        for leaf in leaves:
            tape.registerInput(leaf)
        tape.newRecording()
        return weigh(*leaves, nodes)


def contestants(weigh):
    return [
        ("micrograd_fast", weighed, weigh, 1_000_000),
        ("micrograd_ref", weighed, weigh, 1_000_000),
        ("micrograd", weighed, weigh, 1_000_000),
        ("python", weighed, weigh, 1_000_000),
        ("minigrad", weighed, weigh, 100_000),
        ("torch", weighed, weigh, 100_000),
        ("autograd", weighed, weigh, 100_000),
        ("xad", on_a_tape, weigh, 1_000_000),
        ("casadi", weighed, weigh, 100_000),
        ("jax", "traces into a program; there are no node objects to weigh"),
    ]


WORKLOADS = [
    Workload(
        name="memory",
        title="resident memory a node",
        per="node",
        baselines=["micrograd"],
        contestants=contestants(resident),
    ),
    Workload(
        name="getsizeof",
        title="sys.getsizeof(x + y), without what the object refers to",
        per="node",
        baselines=["micrograd"],
        contestants=contestants(object_alone),
    ),
]
