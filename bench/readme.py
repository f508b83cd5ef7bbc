"""The graph of micrograd's README: built, differentiated and freed."""

from .measure import Task, Workload


def graph(a, b, relu):
    """The program of https://github.com/karpathy/micrograd, with relu as a function."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def with_values(Value):
    """What every Value class does: the code of the README."""

    def run():
        a, b = Value(-4.0), Value(2.0)
        g = graph(a, b, Value.relu)
        g.backward()
        return g.data, a.grad, b.grad

    return Task(run, run())


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

    def run():
        a = torch.tensor(-4.0, dtype=torch.float64, requires_grad=True)
        b = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        g = graph(a, b, torch.relu)
        g.backward()
        return g.item(), a.grad.item(), b.grad.item()

    return Task(run, run())


def autograd():
    import autograd.numpy as np
    from autograd import value_and_grad

    differentiate = value_and_grad(graph, argnum=(0, 1))

    def run():
        g, (a, b) = differentiate(-4.0, 2.0, lambda x: np.maximum(x, 0.0))
        return g, a, b

    return Task(run, run())


def jax():
    import jax

    jax.config.update("jax_enable_x64", True)
    differentiate = jax.value_and_grad(graph, argnums=(0, 1))

    def run():
        g, (a, b) = differentiate(-4.0, 2.0, jax.nn.relu)
        return float(g), float(a), float(b)

    return Task(run, run())


def jax_jit():
    import jax

    jax.config.update("jax_enable_x64", True)
    differentiate = jax.jit(jax.value_and_grad(lambda a, b: graph(a, b, jax.nn.relu), (0, 1)))

    def run():
        g, (a, b) = differentiate(-4.0, 2.0)
        return float(g), float(a), float(b)

    return Task(run, run(), note="compiled once")


def xad():
    from xad.adj_1st import Real, Tape
    from xad.math import max

    def run():
        with Tape() as tape:
            a, b = Real(-4.0), Real(2.0)
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


def casadi():
    def run():
        return [float(x) for x in casadi_function()(-4.0, 2.0)]

    return Task(run, run())


def casadi_recorded():
    function = casadi_function()

    def run():
        return [float(x) for x in function(-4.0, 2.0)]

    return Task(run, run(), note="built once")


WORKLOADS = [
    Workload(
        name="readme",
        title="micrograd's README graph: build, backward, free",
        per="graph",
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
            "casadi, recorded": casadi_recorded,
        },
    )
]
