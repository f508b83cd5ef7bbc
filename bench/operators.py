"""Single operations, each by itself: what an operator costs beside Python's own float addition.

The loop is timeit's and its own cost stays in the figures, for floats and Values alike.
"""

from typing import NamedTuple

from .measure import Task, Workload


class Written(NamedTuple):
    """How a package writes things: operands a = 2 and b = 3, and what is not as Values have it."""

    setup: str
    leaf: str = "Value(1.0)"
    relu: str = "a.relu()"
    number: str = "({}).data"


VALUES = "from {} import Value; a, b = Value(2.0), Value(3.0)"
PACKAGES = {
    "micrograd_fast": Written(VALUES.format("micrograd_fast")),
    "micrograd_ref": Written(VALUES.format("micrograd_ref")),
    "micrograd": Written(VALUES.format("micrograd.engine")),
    "minigrad": Written(VALUES.format("minigrad")),
    "torch": Written(
        """
import torch
a, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (2.0, 3.0))
""",
        leaf="torch.tensor(1.0, dtype=torch.float64, requires_grad=True)",
        relu="torch.relu(a)",
        number="({}).item()",
    ),
    "autograd": Written(
        """
import autograd.numpy as np
from autograd.core import VJPNode
from autograd.tracer import new_box
a, b = (new_box(x, 0, VJPNode.new_root()) for x in (2.0, 3.0))
""",
        leaf="new_box(1.0, 0, VJPNode.new_root())",
        relu="np.maximum(a, 0.0)",
        number="({})._value",
    ),
    "jax": Written(
        """
from jax.nn import relu
from jax.numpy import float64 as Value
a, b = Value(2.0), Value(3.0)
""",
        relu="relu(a)",
        number="float({})",
    ),
    "xad": Written(
        """
from xad.adj_1st import Real as Value, Tape
from xad.math import max
tape = Tape()
tape.activate()
a, b = Value(2.0), Value(3.0)
tape.registerInput(a)
tape.registerInput(b)
tape.newRecording()
""",
        relu="max(a, 0.0)",
        number="({}).getValue()",
    ),
    "casadi": Written(
        "import casadi; a, b = casadi.SX.sym('a'), casadi.SX.sym('b')",
        leaf="casadi.SX(1.0)",
        relu="casadi.fmax(a, 0.0)",
        number="float(casadi.Function('f', [a, b], [{}])(2.0, 3.0))",
    ),
}


def inline(_, written, statement):
    """A statement, and what it gives after the set-up."""
    names = {}
    exec(written.setup, names)
    return Task(statement, [eval(written.number.format(statement), names)], setup=written.setup)


def operation(name, result, of=lambda written, name: name):
    """The workload of one operation. The float addition beside it is given the same result.

    of: how a package writes it, where that is not as Values do.
    """
    return Workload(
        name=name,
        title=f"one operation, {name}, beside an addition of floats",
        per="operation",
        baselines=["float a + b", "micrograd"],
        contestants=[
            ("float a + b", lambda _: Task("a + b", [result], setup="a, b = 2.0, 3.0")),
            *((package, inline, row, of(row, name)) for package, row in PACKAGES.items()),
        ],
    )


WORKLOADS = [
    operation("a + b", 5.0),
    operation("a + 2.0", 4.0),
    operation("Value(1.0)", 1.0, lambda written, _: written.leaf),
    operation("a.relu()", 2.0, lambda written, _: written.relu),
]
