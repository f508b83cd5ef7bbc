"""One row: the value and the gradients of micrograd's README graph, recorded once, from Python.

What there is to win by recording a graph of two dozen nodes, and what a call costs. What is
recorded or compiled is so before it is timed; the others build the graph each time.
"""

import numpy as np

from .measure import Task, Workload
from .readme import A, B, differentiated, graph, recorded, with_values


def tape(mg):
    a, b = mg.Value(0.0), mg.Value(0.0)
    recorded = mg.Tape(graph(a, b, mg.Value.relu), inputs=[a, b])
    row = np.array([A, B])

    def run():
        g = recorded.forward(row)
        recorded.backward()
        return g, recorded.input_grad

    g, grads = run()
    return Task(run, [g, *grads], note="recorded once")


def jax_array(jax):
    differentiate = jax.jit(jax.value_and_grad(lambda row: graph(row[0], row[1], jax.nn.relu)))
    row = jax.numpy.array([A, B])

    def run():
        return jax.block_until_ready(differentiate(row))

    g, grads = run()
    return Task(run, [g, *grads], note="compiled once, from JAX array to JAX array")


def casadi_buffer(casadi):
    a, b = casadi.SX.sym("a"), casadi.SX.sym("b")
    g = graph(a, b, lambda x: casadi.fmax(x, 0.0))
    outputs = [g, casadi.gradient(g, a), casadi.gradient(g, b)]
    function = casadi.Function("g", [a, b], outputs)
    buffer, evaluate = function.buffer()
    arguments = [np.array(x) for x in (A, B)]
    results = [np.zeros(()) for _ in outputs]
    for i, array in enumerate(arguments):
        buffer.set_arg(i, memoryview(array))
    for i, array in enumerate(results):
        buffer.set_res(i, memoryview(array))

    def run():
        evaluate()
        return results

    run.keeps = function, buffer, arguments  # which the buffer only points to
    return Task(run, [float(x) for x in run()], note="built once, reads and writes fixed places")


WORKLOADS = [
    Workload(
        name="tape_row",
        title="the README graph recorded: value and gradients of one row, from Python",
        per="row",
        baselines=["jax.jit"],
        contestants=[
            ("micrograd_fast", tape),
            ("micrograd_fast, eager", with_values),
            ("micrograd_ref", tape),
            ("micrograd_ref, eager", with_values),
            ("micrograd", with_values),
            ("minigrad", "computes another value for this graph"),
            ("torch", differentiated),
            ("autograd", differentiated),
            ("jax.jit", recorded, "compiled once"),
            ("jax.jit, one array", jax_array),
            ("xad", differentiated),
            ("casadi, recorded", recorded, "built once"),
            ("casadi, recorded, buffer", casadi_buffer),
        ],
    )
]
