"""One row: the value and the gradients of micrograd's README graph, recorded once, from Python.

What there is to win by recording a graph of two dozen nodes, and what a call costs. What is
recorded or compiled is so before it is timed; the others build the graph each time.
"""

from .measure import Task, Workload
from .readme import graph

A, B = -4.0, 2.0


def tape(mg):
    import numpy as np

    a, b = mg.Value(0.0), mg.Value(0.0)
    recorded = mg.Tape(graph(a, b, mg.Value.relu), inputs=[a, b])
    row = np.array([A, B])

    def run():
        g = recorded.forward(row)
        recorded.backward()
        return g, recorded.input_grad

    g, grads = run()
    return Task(run, [g, *grads], note="recorded once")


def fast():
    import micrograd_fast

    return tape(micrograd_fast)


def ref():
    import micrograd_ref

    return tape(micrograd_ref)


def eager(Value):
    def run():
        a, b = Value(A), Value(B)
        g = graph(a, b, Value.relu)
        g.backward()
        return g.data, a.grad, b.grad

    return Task(run, run())


def fast_eager():
    from micrograd_fast import Value

    return eager(Value)


def ref_eager():
    from micrograd_ref import Value

    return eager(Value)


def micrograd():
    from micrograd.engine import Value

    return eager(Value)


def torch():
    import torch

    torch.set_num_threads(1)

    def run():
        a = torch.tensor(A, dtype=torch.float64, requires_grad=True)
        b = torch.tensor(B, dtype=torch.float64, requires_grad=True)
        g = graph(a, b, torch.relu)
        g.backward()
        return g.item(), a.grad.item(), b.grad.item()

    return Task(run, run())


def autograd():
    import autograd.numpy as np
    from autograd import value_and_grad

    differentiate = value_and_grad(graph, argnum=(0, 1))

    def run():
        g, (a, b) = differentiate(A, B, lambda x: np.maximum(x, 0.0))
        return g, a, b

    return Task(run, run())


def jax_jit():
    import jax

    jax.config.update("jax_enable_x64", True)
    differentiate = jax.jit(jax.value_and_grad(lambda a, b: graph(a, b, jax.nn.relu), (0, 1)))

    def run():
        g, (a, b) = differentiate(A, B)
        return float(g), float(a), float(b)

    return Task(run, run(), note="compiled once")


def jax_jit_array():
    import jax

    jax.config.update("jax_enable_x64", True)
    differentiate = jax.jit(jax.value_and_grad(lambda row: graph(row[0], row[1], jax.nn.relu)))
    row = jax.numpy.array([A, B])

    def run():
        return jax.block_until_ready(differentiate(row))

    g, grads = run()
    return Task(run, [g, *grads], note="compiled once, from JAX array to JAX array")


def xad():
    from xad.adj_1st import Real, Tape
    from xad.math import max

    def run():
        with Tape() as tape:
            a, b = Real(A), Real(B)
            tape.registerInput(a)
            tape.registerInput(b)
            tape.newRecording()
            g = graph(a, b, lambda x: max(x, 0.0))
            tape.registerOutput(g)
            g.setAdjoint(1.0)
            tape.computeAdjoints()
            return g.getValue(), a.getDerivative(), b.getDerivative()

    return Task(run, run())


def casadi_function():
    import casadi

    a, b = casadi.SX.sym("a"), casadi.SX.sym("b")
    g = graph(a, b, lambda x: casadi.fmax(x, 0.0))
    return casadi.Function("g", [a, b], [g, casadi.gradient(g, a), casadi.gradient(g, b)])


def casadi_recorded():
    function = casadi_function()

    def run():
        return [float(x) for x in function(A, B)]

    return Task(run, run(), note="built once")


def casadi_buffer():
    import numpy as np

    function = casadi_function()
    buffer, evaluate = function.buffer()
    arguments = [np.array(x) for x in (A, B)]
    results = [np.zeros(()) for _ in range(3)]
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
        baseline="jax.jit",
        contestants={
            "micrograd_fast": fast,
            "micrograd_fast, eager": fast_eager,
            "micrograd_ref": ref,
            "micrograd_ref, eager": ref_eager,
            "micrograd": micrograd,
            "minigrad": "computes another value for this graph",
            "torch": torch,
            "autograd": autograd,
            "jax.jit": jax_jit,
            "jax.jit, one array": jax_jit_array,
            "xad": xad,
            "casadi, recorded": casadi_recorded,
            "casadi, recorded, buffer": casadi_buffer,
        },
    )
]
