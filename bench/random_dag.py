"""A random graph whose nodes share operands: built, differentiated and freed.

The program is written out as Python source, so that no interpreter of ours is timed: line after
line an operation on two earlier results. It is shallow (each operand may be any earlier one), so
that recursion reaches its end. Times are for one node, results compared on 500 operations.
"""

import random

from .measure import Task, Workload

LEAVES = 32
CHECKED = 500


def program(operations, seed=0):
    """A function of the leaves and of relu, and how many nodes it makes.

    Its values stay within -1 and 1. What nothing reads is added up in pairs at the end, so the
    result depends on every line.
    """
    rng = random.Random(seed)
    lines = []
    unread = set()

    def write(expression, *operands):
        name = f"v{LEAVES + len(lines)}"
        lines.append(f"    {name} = " + expression.format(*operands))
        unread.difference_update(operands)
        unread.add(name)
        return name

    for i in range(LEAVES, LEAVES + operations):
        a, b = f"v{rng.randrange(i)}", f"v{rng.randrange(i)}"
        kind = rng.choice(["+", "-", "*", "relu"])
        if kind == "relu":
            write("relu({})", a)
        elif kind == "*":
            write("{} * {}", a, b)
        else:
            write("({} " + kind + " {}) * 0.5", a, b)
    last = sorted(unread)
    while len(last) > 1:
        pairs = zip(last[::2], last[1::2], strict=False)
        last = [write("{} + {}", a, b) for a, b in pairs] + last[len(last) // 2 * 2 :]
    source = [f"def program({', '.join(f'v{i}' for i in range(LEAVES))}, relu):", *lines]
    names = {}
    exec("\n".join([*source, f"    return {last[0]}"]), names)
    nodes = sum(1 + (" * 0.5" in line) for line in lines)
    return names["program"], nodes


def leaves():
    rng = random.Random(1)
    return [rng.uniform(-1, 1) for _ in range(LEAVES)]


def with_values(Value, operations=20_000):
    """What every Value class does."""
    checked, _ = program(CHECKED)
    timed, nodes = program(operations)

    def run(program=timed):
        xs = [Value(x) for x in leaves()]
        out = program(*xs, Value.relu)
        out.backward()
        return [out.data] + [x.grad for x in xs]

    return Task(run, run(checked), units=nodes, note=f"{nodes:,} nodes")


def fast():
    from micrograd_fast import Value

    return with_values(Value)


def ref():
    from micrograd_ref import Value

    return with_values(Value)


def micrograd():
    from micrograd.engine import Value

    return with_values(Value)


def minigrad():
    from minigrad import Value

    return with_values(Value)


def torch():
    import torch

    torch.set_num_threads(1)
    checked, _ = program(CHECKED)
    timed, nodes = program(20_000)

    def run(program=timed):
        xs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in leaves()]
        out = program(*xs, torch.relu)
        out.backward()
        return [out.item()] + [x.grad.item() for x in xs]

    return Task(run, run(checked), units=nodes, note=f"{nodes:,} nodes")


def autograd():
    import autograd.numpy as np
    from autograd import value_and_grad

    checked, _ = program(CHECKED)
    timed, nodes = program(20_000)

    def run(program=timed):
        differentiate = value_and_grad(program, argnum=tuple(range(LEAVES)))
        out, grads = differentiate(*leaves(), lambda x: np.maximum(x, 0.0))
        return [out, *grads]

    return Task(run, run(checked), units=nodes, note=f"{nodes:,} nodes")


def jax():
    import jax

    jax.config.update("jax_enable_x64", True)
    checked, _ = program(CHECKED)
    timed, nodes = program(1_000)

    def run(program=timed):
        differentiate = jax.value_and_grad(program, argnums=tuple(range(LEAVES)))
        out, grads = differentiate(*leaves(), jax.nn.relu)
        return [float(out)] + [float(grad) for grad in grads]

    return Task(run, run(checked), units=nodes, note=f"{nodes:,} nodes")


def jax_jit():
    import jax

    jax.config.update("jax_enable_x64", True)

    def compiled(operations):
        timed, nodes = program(operations)
        differentiate = jax.jit(
            jax.value_and_grad(lambda *xs: timed(*xs, jax.nn.relu), tuple(range(LEAVES)))
        )

        def run():
            out, grads = differentiate(*leaves())
            return [float(out)] + [float(grad) for grad in grads]

        return run, nodes

    checked, _ = compiled(CHECKED)
    run, nodes = compiled(1_000)  # longer programs compile for minutes
    return Task(run, checked(), units=nodes, note=f"{nodes:,} nodes, compiled once")


def xad():
    from xad.adj_1st import Real, Tape
    from xad.math import max

    checked, _ = program(CHECKED)
    timed, nodes = program(20_000)

    def run(program=timed):
        with Tape() as tape:
            xs = [Real(x) for x in leaves()]
            for x in xs:
                tape.registerInput(x)
            tape.newRecording()
            out = program(*xs, lambda x: max(x, 0.0))
            tape.registerOutput(out)
            out.setAdjoint(1.0)
            tape.computeAdjoints()
            return [out.getValue()] + [x.getDerivative() for x in xs]

    return Task(run, run(checked), units=nodes, note=f"{nodes:,} nodes")


def casadi():
    import casadi

    checked, _ = program(CHECKED)
    timed, nodes = program(20_000)

    def run(program=timed):
        xs = casadi.SX.sym("xs", LEAVES)
        out = program(*casadi.vertsplit(xs), lambda x: casadi.fmax(x, 0.0))
        function = casadi.Function("out", [xs], [out, casadi.gradient(out, xs)])
        out, grads = function(leaves())
        return [float(out), *grads.full().ravel()]

    return Task(run, run(checked), units=nodes, note=f"{nodes:,} nodes")


WORKLOADS = [
    Workload(
        name="random_dag",
        title="a random graph with shared nodes: build, backward, free",
        per="node",
        baseline="micrograd",
        contestants={
            "micrograd_fast": fast,
            "micrograd_ref": ref,
            "micrograd": micrograd,
            "minigrad": minigrad,
            "torch": torch,
            "autograd": autograd,
            "jax": jax,
            "jax.jit": jax_jit,
            "xad": xad,
            "casadi": casadi,
        },
    )
]
