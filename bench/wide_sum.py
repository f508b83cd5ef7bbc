"""A wide sum: leaves that are there already, added up, differentiated; the sum is freed.

Scalars are added with the builtin sum, arrays with their package's. Sizes differ, so that none
takes minutes; times are for one term, results compared on 500 terms.
"""

import builtins

from .measure import Task, Workload

CHECKED = 500


def terms(n):
    return [0.1 * (i % 10 + 1) for i in range(n)]


def with_values(Value, n, sum=builtins.sum):
    """What every Value class does."""

    def total(leaves):
        out = sum(leaves)
        out.backward()
        return out

    checked = [Value(x) for x in terms(CHECKED)]
    result = [total(checked).data] + [leaf.grad for leaf in checked]
    leaves = [Value(x) for x in terms(n)]
    return Task(lambda: total(leaves), result, units=n, note=f"{n:,} terms")


def fast():
    from micrograd_fast import Value

    return with_values(Value, 1_000_000)


def fast_sum():
    import micrograd_fast as mg

    return with_values(mg.Value, 1_000_000, mg.sum)


def ref():
    from micrograd_ref import Value

    return with_values(Value, 100_000)


def ref_sum():
    import micrograd_ref as mg

    return with_values(mg.Value, 100_000, mg.sum)


def micrograd():
    from micrograd.engine import Value

    return with_values(Value, 10_000)  # its backward recurses and stops at Python's limit


def micrograd_narrow():
    from micrograd.engine import Value

    return with_values(Value, 900)


def minigrad():
    from minigrad import Value

    return with_values(Value, 10_000)


def torch():
    import torch

    torch.set_num_threads(1)

    def total(leaves):
        out = sum(leaves)
        out.backward()
        return out

    def leaves(n):
        return [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in terms(n)]

    checked, many = leaves(CHECKED), leaves(10_000)
    result = [total(checked).item()] + [leaf.grad.item() for leaf in checked]
    return Task(lambda: total(many), result, units=len(many), note=f"{len(many):,} terms")


def torch_tensor():
    import torch

    torch.set_num_threads(1)

    def total(leaves):
        out = leaves.sum()
        out.backward()
        return out

    checked = torch.tensor(terms(CHECKED), dtype=torch.float64, requires_grad=True)
    many = torch.tensor(terms(1_000_000), dtype=torch.float64, requires_grad=True)
    result = [total(checked).item(), *checked.grad.tolist()]
    return Task(lambda: total(many), result, units=len(many), note=f"{len(many):,} terms")


def autograd_array():
    import autograd.numpy as np
    from autograd import value_and_grad

    differentiate = value_and_grad(np.sum)
    total, grads = differentiate(np.array(terms(CHECKED)))
    many = np.array(terms(1_000_000))
    return Task(
        lambda: differentiate(many), [total, *grads], units=len(many), note=f"{len(many):,} terms"
    )


def jax_array():
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    differentiate = jax.jit(jax.value_and_grad(jnp.sum))
    total, grads = differentiate(jnp.array(terms(CHECKED)))
    many = jnp.array(terms(1_000_000))
    return Task(
        lambda: jax.block_until_ready(differentiate(many)),
        [total, *grads.tolist()],
        units=len(many),
        note=f"{len(many):,} terms, compiled once",
    )


def xad():
    from xad.adj_1st import Real, Tape

    tape = Tape()

    def run(n=100_000):
        with tape:
            leaves = [Real(x) for x in terms(n)]
            for leaf in leaves:
                tape.registerInput(leaf)
            tape.newRecording()
            total = sum(leaves)
            tape.registerOutput(total)
            total.setAdjoint(1.0)
            tape.computeAdjoints()
            return [total.getValue()] + [leaf.getDerivative() for leaf in leaves]

    return Task(run, run(CHECKED), units=100_000, note="100,000 terms, leaves built anew")


def casadi():
    import casadi

    def run(n=10_000):
        leaves = casadi.SX.sym("leaves", n)
        total = sum(casadi.vertsplit(leaves))
        function = casadi.Function("sum", [leaves], [total, casadi.gradient(total, leaves)])
        total, grads = function(terms(n))
        return [float(total), *grads.full().ravel()]

    return Task(run, run(CHECKED), units=10_000, note="10,000 terms, leaves built anew")


WORKLOADS = [
    Workload(
        name="wide_sum",
        title="a wide sum of leaves: build, backward, free",
        per="term",
        memory=True,
        contestants={
            "micrograd_fast": fast,
            "micrograd_fast, mg.sum": fast_sum,
            "micrograd_ref": ref,
            "micrograd_ref, mg.sum": ref_sum,
            "micrograd": micrograd,
            "micrograd, narrow": micrograd_narrow,
            "minigrad": minigrad,
            "torch": torch,
            "torch, one tensor": torch_tensor,
            "autograd, one array": autograd_array,
            "jax.jit, one array": jax_array,
            "xad": xad,
            "casadi": casadi,
        },
    )
]
