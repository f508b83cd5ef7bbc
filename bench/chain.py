"""A deep chain: x = x * a + b, over and over; built, differentiated and freed.

Sizes differ, so that none takes minutes; times are for one node, results compared on 500 nodes.
"""

from functools import partial

from .measure import Workload
from .scalars import program

START = (1.0, 0.9999, 0.0002)


def loop(x, a, b, nodes):
    for _ in range(nodes // 2):
        x = x * a + b
    return x


def chain(_, nodes):
    return partial(loop, nodes=nodes), START, nodes


def scanned(_, nodes):
    from jax.lax import scan

    def run(x, a, b):
        return scan(lambda x, _: (x * a + b, None), x, length=nodes // 2)[0]

    return run, START, nodes


CONTESTANTS = [
    ("micrograd_fast", program, 1_000_000, chain),
    ("micrograd_ref", program, 100_000, chain),
    ("micrograd", program, 10_000, chain),  # its backward recurses, to Python's limit
    ("micrograd, shallow", program, 900, chain),
    ("minigrad", program, 100_000, chain),  # it recurses in C: a million overflow the stack
    ("torch", program, 10_000, chain),
    ("autograd", program, 10_000, chain),
    ("jax", program, 1_000, chain),
    ("jax.jit", program, 1_000_000, scanned, "record", "lax.scan, compiled once"),
    ("xad", program, 100_000, chain),
    ("casadi", program, 10_000, chain),
]

TITLE = "a deep chain, x = x * a + b: build, backward, free"
WORKLOADS = [Workload("chain", TITLE, "node", CONTESTANTS, memory=True)]
