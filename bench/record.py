"""Recording: a random graph that is there already becomes a program, to run as often as one likes.

For the twins that is Tape(output, inputs); for casadi a Function of the value and its gradients;
JAX runs the Python code again to trace it and may then compile what it saw. The graph has sums,
products, powers, quotients, relus and tanhs, nodes that are shared and chains that fuse. Sizes
differ, so that none takes minutes; times are for one node, results compared on 500 operations.
"""

import random
from collections import deque

from .measure import Task, Workload

INPUTS = 32
CHECKED = 500


def graph(xs, operations, relu, tanh, seed=0):
    """The graph's output, and the number of its nodes with those of the inputs and constants."""
    rng = random.Random(seed)
    found, unread = list(xs), deque(xs)
    nodes = len(found)
    for _ in range(operations):
        a = unread.popleft()  # so that the output depends on every operation
        b, c = rng.choice(found), rng.choice(found)
        kind = rng.randrange(7)
        if kind == 0:
            out, made = (a + b) * 0.5, 3
        elif kind == 1:
            out, made = (a - b) * 0.5, 3
        elif kind == 2:
            out, made = a * b, 1
        elif kind == 3:
            out, made = relu(a), 1
        elif kind == 4:
            out, made = tanh(a * b + b * c + a), 5
        elif kind == 5:
            out, made = a**2, 1
        else:
            out, made = a / (b**2 + 1.0), 4
        found.append(out)
        unread.append(out)
        nodes += made
    return sum(unread, 0.0), nodes + 1 + len(unread)


def inputs():
    rng = random.Random(1)
    return [rng.uniform(-1, 1) for _ in range(INPUTS)]


def tape(mg, operations):
    def grown(operations):
        xs = [mg.Value(x) for x in inputs()]
        return xs, *graph(xs, operations, mg.Value.relu, mg.Value.tanh)

    xs, out, _ = grown(CHECKED)
    checked = mg.Tape(out, inputs=xs)
    value = checked.forward(inputs())
    checked.backward()
    xs, out, nodes = grown(operations)
    result = [value, *checked.input_grad]
    return Task(lambda: mg.Tape(out, inputs=xs), result, units=nodes, note=f"{nodes:,} nodes")


def traced(jax, operations, compiled=False):
    def differentiate(operations):
        def program(*xs):
            return graph(xs, operations, jax.nn.relu, jax.numpy.tanh)[0]

        return jax.value_and_grad(program, argnums=tuple(range(INPUTS)))

    value, grads = differentiate(CHECKED)(*inputs())
    timed = differentiate(operations)
    _, nodes = graph(inputs(), operations, abs, abs)

    def run():
        jax.clear_caches()  # of the traces so far
        if compiled:
            return jax.jit(timed).lower(*inputs()).compile()
        return jax.make_jaxpr(timed)(*inputs())

    note = f"{nodes:,} nodes, " + ("compiled too" if compiled else "traced only")
    return Task(run, [value, *grads], units=nodes, note=note)


def function(casadi, operations):
    def relu(x):
        return casadi.fmax(x, 0.0)

    def grown(operations):
        xs = casadi.SX.sym("xs", INPUTS)
        return xs, *graph(casadi.vertsplit(xs), operations, relu, casadi.tanh)

    def record(xs, out):
        return casadi.Function("out", [xs], [out, casadi.gradient(out, xs)])

    xs, out, _ = grown(CHECKED)
    value, grads = record(xs, out)(inputs())
    xs, out, nodes = grown(operations)
    result = [float(value), *grads.full().ravel()]
    return Task(lambda: record(xs, out), result, units=nodes, note=f"{nodes:,} nodes")


WORKLOADS = [
    Workload(
        name="record",
        title="recording a graph, to replay it",
        per="node",
        memory=True,
        contestants=[
            ("micrograd_fast", tape, 100_000),
            ("micrograd_fast, small", tape, 1_000),
            ("micrograd_ref", tape, 10_000),
            ("jax", traced, 1_000),
            ("jax.jit", traced, 200, True),  # longer programs compile for minutes
            ("casadi", function, 100_000),
            ("torch", "records a graph to differentiate it once, not to replay it"),
        ],
    )
]
