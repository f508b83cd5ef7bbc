"""What a node weighs: a chain x = x + y, built and held, in a process of its own."""

import sys

from .measure import Task, Workload, each, resident_bytes
from .scalars import scalars


def resident(x, y, nodes):
    """The memory that the process gains."""
    before = resident_bytes()
    for _ in range(nodes):
        x = x + y
    return Task("pass", [], units=nodes, bytes=resident_bytes() - before)


def object_alone(x, y, _):
    """sys.getsizeof of one node: the object without what it refers to."""
    return Task("pass", [], bytes=sys.getsizeof(x + y))


def weighed(package, weigh, nodes):
    leaf = scalars(package).leaf
    return weigh(leaf(1.0), leaf(1.0), nodes)


def contestants(weigh):
    return [
        *each(
            ["micrograd_fast", "micrograd_ref", "micrograd", "python", "xad"],
            weighed,
            weigh,
            1_000_000,
        ),
        *each(["minigrad", "torch", "autograd", "casadi"], weighed, weigh, 100_000),
        ("jax", "traces into a program; there are no node objects to weigh"),
    ]


SIZE = "sys.getsizeof(x + y), without what the object refers to"
WORKLOADS = [
    Workload("memory", "resident memory a node", "node", contestants(resident), ["micrograd"]),
    Workload("getsizeof", SIZE, "node", contestants(object_alone), ["micrograd"]),
]
