"""100,000 rows of a tiny graph: the value and both gradients of each.

The graph of BurTorch's tiny example, https://github.com/burlachenkok/burtorch, which differentiates
it 100,000 times at a = -41, b = 2; here every row differs a little. The scalar packages run fewer
rows; times are for one row, results compared on the first 500.
"""

import numpy as np

from .measure import Task, Workload, each
from .scalars import CHECKED, scalars

NOTES = ["recorded once", "recorded and compiled once"]


def graph(a, b):
    c = a + b
    d = a * b + b**3
    e = c - d
    f = e**2
    return f / 2.0


def points(rows):
    """The first rows, (rows, 2): a around -41, b around 2."""
    return np.random.default_rng(0).normal((-41.0, 2.0), 0.1, (rows, 2))


def columns(rows):
    """The same as two arrays."""
    return np.ascontiguousarray(points(rows).T)


def task(run, rows, note=""):
    """run gives, for every row, the value and the gradients to a and to b: three sequences."""
    return Task(run, [numbers[:CHECKED] for numbers in run()], units=rows, note=note)


def replayed(mg, graph, rows, is_compiled=False):
    """A function that gives the values and the gradients of a graph of a and b, recorded once."""
    a, b = inputs = mg.Value(0.0), mg.Value(0.0)
    recorded = mg.Tape(graph(a, b), inputs)
    if is_compiled:
        recorded.compile()

    def run():
        values = recorded.forward(rows)
        recorded.backward()
        return values, recorded.input_grad

    return run


def tape(mg, rows, is_compiled=False):
    run = replayed(mg, graph, points(rows), is_compiled)
    values, grads = run()
    result = [numbers[:CHECKED] for numbers in (values, *grads.T)]
    return Task(run, result, units=rows, note=NOTES[is_compiled])


def compiled_tape(mg, rows):
    return tape(mg, rows, is_compiled=True)


def row_by_row(differentiate, rows):
    data = points(rows).tolist()
    return task(lambda: list(zip(*[differentiate(*row) for row in data], strict=True)), rows)


def with_values(mg, rows):
    """What every Value class does, written out: beside one microsecond a loop would count."""
    Value = mg.Value

    def differentiate(x, y):
        a, b = Value(x), Value(y)
        g = graph(a, b)
        g.backward()
        return g.data, a.grad, b.grad

    return row_by_row(differentiate, rows)


def differentiated(xad, rows):
    return row_by_row(scalars(xad).differentiate(graph, 2), rows)


def numpy_by_hand(_, rows):
    a, b = columns(rows)

    def run():
        square = b * b
        e = a + b - (a * b + square * b)
        return e * e / 2, e * (1 - b), e * (1 - a - 3 * square)

    return task(run, rows)


def numpy_in_place(_, rows):
    """The same without new arrays: to have their pages anew costs more than the arithmetic."""
    a, b = columns(rows)
    square, e, values, da, db = np.empty((5, rows))

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

    return task(run, rows)


def torch_columns(torch, rows):
    a, b = (column.requires_grad_() for column in torch.tensor(columns(rows)))

    def run():
        values = graph(a, b)
        return values.detach(), *torch.autograd.grad(values.sum(), (a, b))

    return task(run, rows)


def autograd_columns(autograd, rows):
    a, b = columns(rows)
    differentiable = autograd.make_vjp(graph, argnum=(0, 1))
    ones = np.ones(rows)

    def run():
        backward, values = differentiable(a, b)
        return values, *backward(ones)

    return task(run, rows)


def jax_vmap(jax, rows):
    a, b = map(jax.numpy.asarray, columns(rows))
    differentiate = jax.jit(jax.vmap(jax.value_and_grad(graph, (0, 1))))

    def run():
        values, grads = jax.block_until_ready(differentiate(a, b))
        return values, *grads

    return task(run, rows, "compiled once")


def casadi_map(casadi, rows):
    row = casadi.SX.sym("row", 2)
    g = graph(*casadi.vertsplit(row))
    out = casadi.vertcat(g, casadi.gradient(g, row))
    function = casadi.Function("g", [row], [out]).map(rows)
    data = casadi.DM(columns(rows))

    def run():
        return function(data).full()

    return task(run, rows, "built once")


CONTESTANTS = [
    ("micrograd_fast", tape, 100_000),
    ("micrograd_fast, compiled", compiled_tape, 100_000),
    ("micrograd_fast, eager", with_values, 10_000),
    ("micrograd_ref", tape, 1_000),
    ("numpy, by hand", numpy_by_hand, 100_000),
    ("numpy, in place", numpy_in_place, 100_000),
    ("torch", torch_columns, 100_000),
    ("autograd", autograd_columns, 100_000),
    ("jax.jit", jax_vmap, 100_000),
    *each(["micrograd_ref, eager", "micrograd", "minigrad"], with_values, 1_000),
    ("xad", differentiated, 1_000),
    ("casadi, map", casadi_map, 100_000),
]

TITLE = "100,000 rows of a tiny graph: value and both gradients of each"
WORKLOADS = [
    Workload("tape_rows", TITLE, "row", CONTESTANTS, baselines=["numpy, by hand"], memory=True)
]
