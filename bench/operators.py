"""Single operations, each by itself: what an operator costs beside Python's own float addition.

The loop is timeit's and its own cost stays in the figures, for floats and Values alike.
"""

from typing import NamedTuple

from .measure import Task, Workload
from .scalars import scalars


class Written(NamedTuple):
    """How a package writes what is not as Values have it, on operands a = 2 and b = 3."""

    imports: str = ""
    leaf: str = "Value(1.0)"
    relu: str = "a.relu()"
    number: str = "({}).data"


PACKAGES = {
    "micrograd_fast": Written(),
    "micrograd_ref": Written(),
    "micrograd": Written(),
    "minigrad": Written(),
    "torch": Written("import torch", "torch.tensor(1.0, dtype=torch.float64, requires_grad=True)"),
    "autograd": Written(
        "from autograd import core, numpy, tracer",
        leaf="tracer.new_box(1.0, 0, core.VJPNode.new_root())",
        relu="numpy.maximum(a, 0.0)",
        number="({})._value",
    ),
    "jax": Written("from jax.nn import relu", relu="relu(a)", number="float({})"),
    "xad": Written(
        "from xad.adj_1st import Real; from xad.math import max",
        leaf="Real(1.0)",
        relu="max(a, 0.0)",
        number="({}).getValue()",
    ),
    "casadi": Written(
        "import casadi",
        leaf="casadi.SX(1.0)",
        relu="casadi.fmax(a, 0.0)",
        number="float(casadi.Function('f', [a, b], [{}])(2.0, 3.0))",
    ),
}


def inline(package, written, statement):
    """A statement, and what it gives after the set-up."""
    names = {"leaf": scalars(package).leaf}
    setup = f"{written.imports}\nValue, a, b = leaf, leaf(2.0), leaf(3.0)"
    known = dict(names)
    exec(setup, known)
    result = [eval(written.number.format(statement), known)]
    return Task(statement, result, setup=setup, names=names)


def operation(name, result, of=lambda written, name: name):
    """The workload of one operation. The float addition beside it is given the same result.

    of: how a package writes it, where that is not as Values do.
    """
    title = f"one operation, {name}, beside an addition of floats"
    contestants = [
        ("float a + b", lambda _: Task("a + b", [result], setup="a, b = 2.0, 3.0")),
        *((package, inline, row, of(row, name)) for package, row in PACKAGES.items()),
    ]
    return Workload(name, title, "operation", contestants, ["float a + b", "micrograd"])


WORKLOADS = [
    operation("a + b", 5.0),
    operation("a + 2.0", 4.0),
    operation("Value(1.0)", 1.0, lambda written, _: written.leaf),
    operation("a.relu()", 2.0, lambda written, _: written.relu),
]
