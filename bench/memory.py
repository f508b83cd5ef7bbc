"""What a node weighs: a chain x = x + y, built and held, in a process of its own."""

import sys

from .measure import Task, Workload, resident_bytes


def resident(x, y, nodes):
    """The memory that the process gains, shared out among the nodes."""
    before = resident_bytes()
    for _ in range(nodes):
        x = x + y
    return Task("pass", [], bytes=(resident_bytes() - before) / nodes, note=f"{nodes:,} nodes")


def object_alone(x, y, nodes):
    """sys.getsizeof of one node: the object without what it refers to."""
    return Task("pass", [], bytes=sys.getsizeof(x + y))


def fast(weigh):
    from micrograd_fast import Value

    return weigh(Value(1.0), Value(1.0), 1_000_000)


def ref(weigh):
    from micrograd_ref import Value

    return weigh(Value(1.0), Value(1.0), 1_000_000)


def micrograd(weigh):
    from micrograd.engine import Value

    return weigh(Value(1.0), Value(1.0), 1_000_000)


def python(weigh):
    from .gpt import PythonValue

    return weigh(PythonValue(1.0), PythonValue(1.0), 1_000_000)


def minigrad(weigh):
    from minigrad import Value

    return weigh(Value(1.0), Value(1.0), 100_000)


def torch(weigh):
    import torch

    torch.set_num_threads(1)
    leaves = [torch.tensor(1.0, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    return weigh(*leaves, 100_000)


def autograd(weigh):
    import autograd.numpy  # noqa: F401, it teaches autograd to differentiate
    from autograd.core import VJPNode
    from autograd.tracer import new_box

    return weigh(*[new_box(1.0, 0, VJPNode.new_root()) for _ in range(2)], 100_000)


def xad(weigh):
    from xad.adj_1st import Real, Tape

    with Tape() as tape:
        leaves = [Real(1.0), Real(1.0)]
        for leaf in leaves:
            tape.registerInput(leaf)
        tape.newRecording()
        return weigh(*leaves, 1_000_000)


def casadi(weigh):
    import casadi

    return weigh(casadi.SX.sym("x"), casadi.SX.sym("y"), 100_000)


CONTESTANTS = {
    "micrograd_fast": fast,
    "micrograd_ref": ref,
    "micrograd": micrograd,
    "python": python,
    "minigrad": minigrad,
    "torch": torch,
    "autograd": autograd,
    "xad": xad,
    "casadi": casadi,
}
NO_NODES = {"jax": "traces into a program; there are no node objects to weigh"}

WORKLOADS = [
    Workload(
        name="memory",
        title="resident memory a node",
        per="node",
        baseline="micrograd",
        contestants={name: lambda f=f: f(resident) for name, f in CONTESTANTS.items()} | NO_NODES,
    ),
    Workload(
        name="getsizeof",
        title="sys.getsizeof(x + y), without what the object refers to",
        per="node",
        baseline="micrograd",
        contestants={name: lambda f=f: f(object_alone) for name, f in CONTESTANTS.items()}
        | NO_NODES,
    ),
]
