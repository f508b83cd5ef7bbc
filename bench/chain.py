"""A deep chain: x = x * a + b, over and over; built, differentiated and freed.

Sizes differ, so that none takes minutes; times are for one node, results compared on 500 nodes.
"""

from .measure import Task, Workload

CHECKED = 500


def chain(x, a, b, nodes):
    for _ in range(nodes // 2):
        x = x * a + b
    return x


def with_values(Value, nodes):
    """What every Value class does."""

    def run(nodes=nodes):
        x, a, b = Value(1.0), Value(0.9999), Value(0.0002)
        out = chain(x, a, b, nodes)
        out.backward()
        return out.data, x.grad, a.grad, b.grad

    return Task(run, run(CHECKED), units=nodes, note=f"{nodes:,} nodes")


def fast():
    from micrograd_fast import Value

    return with_values(Value, 1_000_000)


def ref():
    from micrograd_ref import Value

    return with_values(Value, 100_000)


def micrograd():
    from micrograd.engine import Value

    return with_values(Value, 10_000)  # its backward recurses and stops at Python's limit


def micrograd_shallow():
    from micrograd.engine import Value

    return with_values(Value, 900)


def minigrad():
    from minigrad import Value

    return with_values(Value, 100_000)  # its backward recurses in C: a million overflow the stack


def torch():
    import torch

    torch.set_num_threads(1)
    nodes = 10_000

    def run(nodes=nodes):
        leaves = [
            torch.tensor(data, dtype=torch.float64, requires_grad=True)
            for data in (1.0, 0.9999, 0.0002)
        ]
        out = chain(*leaves, nodes)
        out.backward()
        return [out.item()] + [leaf.grad.item() for leaf in leaves]

    return Task(run, run(CHECKED), units=nodes, note=f"{nodes:,} nodes")


def autograd():
    from autograd import value_and_grad

    differentiate = value_and_grad(chain, argnum=(0, 1, 2))
    nodes = 10_000

    def run(nodes=nodes):
        out, grads = differentiate(1.0, 0.9999, 0.0002, nodes)
        return [out, *grads]

    return Task(run, run(CHECKED), units=nodes, note=f"{nodes:,} nodes")


def jax():
    import jax

    jax.config.update("jax_enable_x64", True)
    differentiate = jax.value_and_grad(chain, argnums=(0, 1, 2))
    nodes = 1_000

    def run(nodes=nodes):
        out, grads = differentiate(1.0, 0.9999, 0.0002, nodes)
        return [float(out)] + [float(grad) for grad in grads]

    return Task(run, run(CHECKED), units=nodes, note=f"{nodes:,} nodes")


def jax_scan():
    import jax

    jax.config.update("jax_enable_x64", True)
    nodes = 1_000_000

    def scanned(x, a, b, nodes):
        return jax.lax.scan(lambda x, _: (x * a + b, None), x, length=nodes // 2)[0]

    differentiate = jax.jit(jax.value_and_grad(scanned, argnums=(0, 1, 2)), static_argnums=3)

    def run(nodes=nodes):
        out, grads = differentiate(1.0, 0.9999, 0.0002, nodes)
        return [float(out)] + [float(grad) for grad in grads]

    return Task(run, run(CHECKED), units=nodes, note=f"{nodes:,} nodes, lax.scan, compiled once")


def xad():
    from xad.adj_1st import Real, Tape

    nodes = 100_000

    def run(nodes=nodes):
        with Tape() as tape:
            leaves = [Real(1.0), Real(0.9999), Real(0.0002)]
            for leaf in leaves:
                tape.registerInput(leaf)
            tape.newRecording()
            out = chain(*leaves, nodes)
            tape.registerOutput(out)
            out.setAdjoint(1.0)
            tape.computeAdjoints()
            return [out.getValue()] + [leaf.getDerivative() for leaf in leaves]

    return Task(run, run(CHECKED), units=nodes, note=f"{nodes:,} nodes")


def casadi():
    import casadi

    nodes = 10_000

    def run(nodes=nodes):
        leaves = casadi.SX.sym("leaves", 3)
        out = chain(*casadi.vertsplit(leaves), nodes)
        function = casadi.Function("out", [leaves], [out, casadi.gradient(out, leaves)])
        out, grads = function([1.0, 0.9999, 0.0002])
        return [float(out), *grads.full().ravel()]

    return Task(run, run(CHECKED), units=nodes, note=f"{nodes:,} nodes")


WORKLOADS = [
    Workload(
        name="chain",
        title="a deep chain, x = x * a + b: build, backward, free",
        per="node",
        memory=True,
        contestants={
            "micrograd_fast": fast,
            "micrograd_ref": ref,
            "micrograd": micrograd,
            "micrograd, shallow": micrograd_shallow,
            "minigrad": minigrad,
            "torch": torch,
            "autograd": autograd,
            "jax": jax,
            "jax.jit": jax_scan,
            "xad": xad,
            "casadi": casadi,
        },
    )
]
