"""One row: the value and the gradients of micrograd's README graph, recorded once, from Python.

What there is to win by recording a graph of two dozen nodes, and what a call costs. What is
recorded or compiled is so before it is timed; the others build the graph each time.
"""

from functools import partial

import numpy as np

from .measure import Task, Workload, each
from .readme import A, B, differentiated, graph, with_values
from .scalars import scalars
from .tape_rows import NOTES, replayed


def tape(mg):
    program = partial(graph, relu=mg.Value.relu)
    return Task(replayed(mg, program, np.array([A, B])), note="recorded once")


def tape_buffer(mg, is_compiled=False):
    a, b = inputs = mg.Value(0.0), mg.Value(0.0)
    recorded = mg.Tape(graph(a, b, relu=mg.Value.relu), inputs)
    if is_compiled:
        recorded.compile()
    row, value, grads = np.array([A, B]), np.empty(()), np.empty(2)

    def run():
        recorded.forward(row, value)
        recorded.backward(None, grads)
        return value, grads

    return Task(run, note=f"{NOTES[is_compiled]}, reads and writes fixed arrays")


def compiled_buffer(mg):
    return tape_buffer(mg, is_compiled=True)


def jax_array(jax):
    differentiate = jax.jit(jax.value_and_grad(lambda row: graph(row[0], row[1], jax.nn.relu)))
    row = jax.numpy.array([A, B])
    note = "compiled once, from JAX array to JAX array"
    return Task(lambda: jax.block_until_ready(differentiate(row)), note=note)


def casadi_buffer(casadi):
    a, b = casadi.SX.sym("a"), casadi.SX.sym("b")
    g = graph(a, b, scalars(casadi).relu)
    outputs = [g, casadi.gradient(g, a), casadi.gradient(g, b)]
    function = casadi.Function("g", [a, b], outputs)
    buffer, evaluate = function.buffer()
    arguments, results = [np.array(A), np.array(B)], [np.zeros(()) for _ in outputs]
    for i, array in enumerate(arguments):
        buffer.set_arg(i, memoryview(array))
    for i, array in enumerate(results):
        buffer.set_res(i, memoryview(array))

    def run():
        evaluate()
        return results

    run.keeps = function, buffer, arguments  # which the buffer only points to
    return Task(run, note="built once, reads and writes fixed places")


CONTESTANTS = [
    *each(["micrograd_fast", "micrograd_ref"], tape),
    *each(["micrograd_fast, buffer", "micrograd_ref, buffer"], tape_buffer),
    ("micrograd_fast, compiled", compiled_buffer),
    *each(["micrograd_fast, eager", "micrograd_ref, eager", "micrograd"], with_values),
    ("minigrad", "computes another value for this graph"),
    ("jax.jit", differentiated, "record", "compiled once"),
    ("jax.jit, one array", jax_array),
    *each(["torch", "autograd", "xad"], differentiated),
    ("casadi, recorded", differentiated, "record", "built once"),
    ("casadi, recorded, buffer", casadi_buffer),
]

TITLE = "the README graph recorded: value and gradients of one row, from Python"
WORKLOADS = [Workload("tape_row", TITLE, "row", CONTESTANTS, baselines=["jax.jit"])]
