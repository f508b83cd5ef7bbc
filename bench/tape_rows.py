"""100,000 rows of a tiny graph: the value and both gradients of each.

The graph of BurTorch's tiny example, https://github.com/burlachenkok/burtorch, which differentiates
it 100,000 times at a = -41, b = 2; here every row differs a little. The scalar packages run fewer
rows; times are for one row, results compared on the first 100.
"""

import numpy as np

from .measure import Task, Workload

ROWS = 100_000
CHECKED = 100


def graph(a, b):
    c = a + b
    d = a * b + b**3
    e = c - d
    f = e**2
    return f / 2.0


def points(n):
    """The first n rows, (n, 2): a around -41, b around 2."""
    return np.random.default_rng(0).normal((-41.0, 2.0), 0.1, (n, 2))


def task(run, rows, note=""):
    """run gives, for every row, the value and the gradients to a and to b: three sequences."""
    checked = [float(x) for numbers in run() for x in numbers[:CHECKED]]
    return Task(run, checked, units=rows, note=note or f"{rows:,} rows")


def tape(mg, n):
    a, b = mg.Value(0.0), mg.Value(0.0)
    recorded = mg.Tape(graph(a, b), inputs=[a, b])
    rows = points(n)

    def run():
        values = recorded.forward(rows)
        recorded.backward()
        return values, *recorded.input_grad.T

    return task(run, n, f"{n:,} rows, recorded once")


def fast():
    import micrograd_fast

    return tape(micrograd_fast, ROWS)


def ref():
    import micrograd_ref

    return tape(micrograd_ref, 1_000)


def eager(Value, n):
    """What every Value class does, row by row."""
    rows = points(n).tolist()

    def run():
        found = []
        for row in rows:
            a, b = map(Value, row)
            g = graph(a, b)
            g.backward()
            found.append((g.data, a.grad, b.grad))
        return list(zip(*found, strict=True))

    return task(run, n)


def fast_eager():
    from micrograd_fast import Value

    return eager(Value, 10_000)


def ref_eager():
    from micrograd_ref import Value

    return eager(Value, 1_000)


def micrograd():
    from micrograd.engine import Value

    return eager(Value, 1_000)


def minigrad():
    from minigrad import Value

    return eager(Value, 1_000)


def numpy_by_hand():
    a, b = np.ascontiguousarray(points(ROWS).T)

    def run():
        square = b * b
        e = a + b - (a * b + square * b)
        return e * e / 2, e * (1 - b), e * (1 - a - 3 * square)

    return task(run, ROWS)


def numpy_in_place():
    """The same without new arrays: to have their pages anew costs more than the arithmetic."""
    a, b = np.ascontiguousarray(points(ROWS).T)
    square, e, values, da, db = np.empty((5, ROWS))

    def run():
        np.multiply(b, b, out=square)
        np.multiply(a, b, out=e)
        np.multiply(square, b, out=values)
        np.add(e, values, out=values)
        np.add(a, b, out=e)
        np.subtract(e, values, out=e)
        np.subtract(1, b, out=da)
        np.multiply(e, da, out=da)
        np.multiply(3, square, out=square)
        np.subtract(1, a, out=db)
        np.subtract(db, square, out=db)
        np.multiply(e, db, out=db)
        np.multiply(e, e, out=values)
        np.divide(values, 2, out=values)
        return values, da, db

    return task(run, ROWS)


def torch():
    import torch

    torch.set_num_threads(1)
    columns = torch.tensor(points(ROWS).T.copy())
    a, b = (column.requires_grad_() for column in columns)

    def run():
        values = graph(a, b)
        return values.detach(), *torch.autograd.grad(values.sum(), (a, b))

    return task(run, ROWS)


def autograd():
    from autograd import make_vjp

    a, b = np.ascontiguousarray(points(ROWS).T)
    differentiable = make_vjp(graph, argnum=(0, 1))
    ones = np.ones(ROWS)

    def run():
        backward, values = differentiable(a, b)
        return values, *backward(ones)

    return task(run, ROWS)


def jax_jit():
    import jax

    jax.config.update("jax_enable_x64", True)
    a, b = map(jax.numpy.asarray, np.ascontiguousarray(points(ROWS).T))
    differentiate = jax.jit(jax.vmap(jax.value_and_grad(graph, (0, 1))))

    def run():
        values, grads = jax.block_until_ready(differentiate(a, b))
        return values, *grads

    return task(run, ROWS, f"{ROWS:,} rows, compiled once")


def xad():
    from xad.adj_1st import Real, Tape

    n = 1_000
    rows = points(n).tolist()

    def run():
        found = []
        with Tape() as tape:
            for row in rows:
                a, b = map(Real, row)
                tape.registerInput(a)
                tape.registerInput(b)
                tape.newRecording()
                g = graph(a, b)
                tape.registerOutput(g)
                g.setAdjoint(1.0)
                tape.computeAdjoints()
                found.append((g.getValue(), a.getDerivative(), b.getDerivative()))
        return list(zip(*found, strict=True))

    return task(run, n)


def casadi_map():
    import casadi

    row = casadi.SX.sym("row", 2)
    g = graph(*casadi.vertsplit(row))
    out = casadi.vertcat(g, casadi.gradient(g, row))
    function = casadi.Function("g", [row], [out]).map(ROWS)
    columns = casadi.DM(points(ROWS).T)

    def run():
        return function(columns).full()

    return task(run, ROWS, f"{ROWS:,} rows, built once")


WORKLOADS = [
    Workload(
        name="tape_rows",
        title="100,000 rows of a tiny graph: value and both gradients of each",
        per="row",
        baseline="numpy, by hand",
        memory=True,
        contestants={
            "micrograd_fast": fast,
            "micrograd_fast, eager": fast_eager,
            "micrograd_ref": ref,
            "micrograd_ref, eager": ref_eager,
            "micrograd": micrograd,
            "minigrad": minigrad,
            "numpy, by hand": numpy_by_hand,
            "numpy, in place": numpy_in_place,
            "torch": torch,
            "autograd": autograd,
            "jax.jit": jax_jit,
            "xad": xad,
            "casadi, map": casadi_map,
        },
    )
]
