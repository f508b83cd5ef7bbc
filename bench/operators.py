"""Single operations, each by itself: what an operator costs beside Python's own float addition.

The loop is timeit's and its own cost stays in the figures, for floats and Values alike.
"""

from .measure import Task, Workload

SETUP = {
    "float": "a, b = 2.0, 3.0",
    "micrograd_fast": """
from micrograd_fast import Value
a, b = Value(2.0), Value(3.0)
""",
    "micrograd_ref": """
from micrograd_ref import Value
a, b = Value(2.0), Value(3.0)
""",
    "micrograd": """
from micrograd.engine import Value
a, b = Value(2.0), Value(3.0)
""",
    "minigrad": """
from minigrad import Value
a, b = Value(2.0), Value(3.0)
""",
    "torch": """
import torch
torch.set_num_threads(1)
a, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (2.0, 3.0))
""",
    "autograd": """
import autograd.numpy as np
from autograd.core import VJPNode
from autograd.tracer import new_box
a, b = (new_box(x, 0, VJPNode.new_root()) for x in (2.0, 3.0))
""",
    "jax": """
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
relu = jax.nn.relu
Value = jnp.float64
a, b = Value(2.0), Value(3.0)
""",
    "xad": """
from xad.adj_1st import Real as Value, Tape
from xad.math import max
tape = Tape()
tape.activate()
a, b = Value(2.0), Value(3.0)
tape.registerInput(a)
tape.registerInput(b)
tape.newRecording()
""",
    "casadi": """
import casadi
a, b = casadi.SX.sym("a"), casadi.SX.sym("b")
""",
}

# How a package writes an operation, where that is not as Values do.
OTHERWISE = {
    "Value(1.0)": {
        "torch": "torch.tensor(1.0, dtype=torch.float64, requires_grad=True)",
        "autograd": "new_box(1.0, 0, VJPNode.new_root())",
        "casadi": "casadi.SX(1.0)",
    },
    "a.relu()": {
        "torch": "torch.relu(a)",
        "autograd": "np.maximum(a, 0.0)",
        "jax": "relu(a)",
        "xad": "max(a, 0.0)",
        "casadi": "casadi.fmax(a, 0.0)",
    },
}

# How to ask for the number in what it gives.
DATA = {
    "micrograd_fast": "({}).data",
    "micrograd_ref": "({}).data",
    "micrograd": "({}).data",
    "minigrad": "({}).data",
    "torch": "({}).item()",
    "autograd": "({})._value",
    "jax": "float({})",
    "xad": "({}).getValue()",
    "casadi": "float(casadi.Function('f', [a, b], [{}])(2.0, 3.0))",
}


def contestant(package, statement):
    """A function that sets a statement up and checks what it gives."""

    def prepare():
        names = {}
        exec(SETUP[package], names)
        number = eval(DATA[package].format(statement), names)
        return Task(statement, [number], setup=SETUP[package])

    return prepare


def operation(name, result):
    """The workload of one operation. The float addition beside it is given the same result."""
    contestants = {"float a + b": lambda: Task("a + b", [result], setup=SETUP["float"])}
    for package in DATA:
        statement = OTHERWISE.get(name, {}).get(package, name)
        contestants[package] = contestant(package, statement)
    return Workload(
        name=name,
        title=f"one operation, {name}, beside an addition of floats",
        per="operation",
        baseline="float a + b",
        contestants=contestants,
    )


WORKLOADS = [
    operation("a + b", 5.0),
    operation("a + 2.0", 4.0),
    operation("Value(1.0)", 1.0),
    operation("a.relu()", 2.0),
]
