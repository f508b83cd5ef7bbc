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
    result = [checked.forward(inputs())]
    checked.backward()
    xs, out, nodes = grown(operations)
    return Task(
        lambda: mg.Tape(out, inputs=xs),
        [*result, *checked.input_grad],
        units=nodes,
        note=f"{nodes:,} nodes",
    )


def fast():
    import micrograd_fast

    return tape(micrograd_fast, 100_000)


def fast_small():
    import micrograd_fast

    return tape(micrograd_fast, 1_000)


def ref():
    import micrograd_ref

    return tape(micrograd_ref, 10_000)


def traced(operations):
    """The program of so many operations, differentiated, as JAX has it, and its nodes."""
    import jax

    jax.config.update("jax_enable_x64", True)
    _, nodes = graph(inputs(), operations, abs, abs)

    def program(*xs):
        return graph(xs, operations, jax.nn.relu, jax.numpy.tanh)[0]

    return jax.value_and_grad(program, argnums=tuple(range(INPUTS))), nodes


def jax():
    import jax

    differentiate, _ = traced(CHECKED)
    out, grads = differentiate(*inputs())
    differentiate, nodes = traced(1_000)

    def run():
        jax.clear_caches()  # of the traces so far
        return jax.make_jaxpr(differentiate)(*inputs())

    return Task(run, [out, *grads], units=nodes, note=f"{nodes:,} nodes, traced only")


def jax_jit():
    import jax

    differentiate, _ = traced(CHECKED)
    out, grads = differentiate(*inputs())
    differentiate, nodes = traced(200)  # longer programs compile for minutes

    def run():
        jax.clear_caches()
        return jax.jit(differentiate).lower(*inputs()).compile()

    return Task(run, [out, *grads], units=nodes, note=f"{nodes:,} nodes, compiled too")


def casadi():
    import casadi

    def grown(operations):
        xs = casadi.SX.sym("xs", INPUTS)
        return xs, *graph(
            casadi.vertsplit(xs), operations, lambda x: casadi.fmax(x, 0.0), casadi.tanh
        )

    def record(xs, out):
        return casadi.Function("out", [xs], [out, casadi.gradient(out, xs)])

    xs, out, _ = grown(CHECKED)
    value, grads = record(xs, out)(inputs())
    xs, out, nodes = grown(100_000)
    return Task(
        lambda: record(xs, out),
        [float(value), *grads.full().ravel()],
        units=nodes,
        note=f"{nodes:,} nodes",
    )


WORKLOADS = [
    Workload(
        name="record",
        title="recording a graph, to replay it",
        per="node",
        memory=True,
        contestants={
            "micrograd_fast": fast,
            "micrograd_fast, small": fast_small,
            "micrograd_ref": ref,
            "jax": jax,
            "jax.jit": jax_jit,
            "casadi": casadi,
            "torch": "records a graph to differentiate it once, not to replay it",
        },
    )
]
