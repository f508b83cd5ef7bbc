"""The graph of micrograd's README: built, differentiated and freed."""

from .measure import Task, Workload
from .scalars import scalars

A, B = -4.0, 2.0


def graph(a, b, relu):
    """The program of https://github.com/karpathy/micrograd, with relu as a function."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def with_values(mg):
    """What every Value class does, written out: beside two microseconds a loop would count."""
    Value = mg.Value

    def run():
        a, b = Value(A), Value(B)
        g = graph(a, b, Value.relu)
        g.backward()
        return g.data, a.grad, b.grad

    return Task(run, run())


def differentiated(package):
    """The others, each in its own way."""
    number = scalars(package)
    run = number.differentiate(lambda a, b: graph(a, b, number.relu), (A, B))
    return Task(run, run())


def recorded(package, note):
    """Those that take the graph once, before it is timed."""
    number = scalars(package)
    run = number.record(lambda a, b: graph(a, b, number.relu), (A, B))
    return Task(run, run(), note=note)


WORKLOADS = [
    Workload(
        name="readme",
        title="micrograd's README graph: build, backward, free",
        per="graph",
        baselines=["micrograd"],
        contestants=[
            ("micrograd_fast", with_values),
            ("micrograd_ref", with_values),
            ("micrograd", with_values),
            ("minigrad", with_values),
            ("torch", differentiated),
            ("autograd", differentiated),
            ("jax", differentiated),
            ("jax.jit", recorded, "compiled once"),
            ("xad", differentiated),
            ("casadi", differentiated),
            ("casadi, recorded", recorded, "built once"),
        ],
    )
]
