"""A deep chain: x = x * a + b, over and over; built, differentiated and freed.

Sizes differ, so that none takes minutes; times are for one node, results compared on 500 nodes.
"""

from .measure import Task, Workload
from .scalars import scalars

START = (1.0, 0.9999, 0.0002)
CHECKED = 500


def chain(x, a, b, nodes):
    for _ in range(nodes // 2):
        x = x * a + b
    return x


def built(package, nodes):
    def run_of(nodes):
        return scalars(package).differentiate(lambda x, a, b: chain(x, a, b, nodes), START)

    return Task(run_of(nodes), run_of(CHECKED)(), units=nodes, note=f"{nodes:,} nodes")


def scanned(jax, nodes):
    def run_of(nodes):
        def program(x, a, b):
            return jax.lax.scan(lambda x, _: (x * a + b, None), x, length=nodes // 2)[0]

        return scalars(jax).record(program, START)

    note = f"{nodes:,} nodes, lax.scan, compiled once"
    return Task(run_of(nodes), run_of(CHECKED)(), units=nodes, note=note)


WORKLOADS = [
    Workload(
        name="chain",
        title="a deep chain, x = x * a + b: build, backward, free",
        per="node",
        memory=True,
        contestants=[
            ("micrograd_fast", built, 1_000_000),
            ("micrograd_ref", built, 100_000),
            ("micrograd", built, 10_000),  # its backward recurses and stops at Python's limit
            ("micrograd, shallow", built, 900),
            ("minigrad", built, 100_000),  # it recurses in C: a million overflow the stack
            ("torch", built, 10_000),
            ("autograd", built, 10_000),
            ("jax", built, 1_000),
            ("jax.jit", scanned, 1_000_000),
            ("xad", built, 100_000),
            ("casadi", built, 10_000),
        ],
    )
]
