"""The graph of micrograd's README: built, differentiated and freed."""

from functools import partial

from .measure import Task, Workload, each
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

    return Task(run)


def differentiated(package, how="differentiate", note=""):
    """The others, each in its own way; those that record take the graph before it is timed."""
    number = scalars(package)
    run = getattr(number, how)(lambda a, b: graph(a, b, number.relu), 2)
    return Task(partial(run, A, B), note=note)


CONTESTANTS = [
    *each(["micrograd_fast", "micrograd_ref", "micrograd"], with_values),
    ("minigrad", "computes another value for this graph"),
    ("jax.jit", differentiated, "record", "compiled once"),
    *each(["torch", "autograd", "jax", "xad", "casadi"], differentiated),
    ("casadi, recorded", differentiated, "record", "built once"),
]

TITLE = "micrograd's README graph: build, backward, free"
WORKLOADS = [Workload("readme", TITLE, "graph", CONTESTANTS, baselines=["micrograd"])]
