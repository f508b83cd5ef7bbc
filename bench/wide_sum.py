"""A wide sum: leaves that are there already, added up, differentiated; the sum is freed.

Scalars are added with the builtin sum, arrays with their package's. Sizes differ, so that none
takes minutes; times are for one term, results compared on 500 terms.
"""

import builtins

from .measure import Task, Workload
from .scalars import scalars

CHECKED = 500


def terms(n):
    return [0.1 * (i % 10 + 1) for i in range(n)]


def scalar_leaves(package, n, sum=builtins.sum):
    """Leaves with a backward() and a grad."""
    leaf = scalars(package).leaf

    def total(leaves):
        out = sum(leaves)
        out.backward()
        return out

    checked, leaves = ([leaf(x) for x in terms(n)] for n in (CHECKED, n))
    out = total(checked)
    result = [out.data, *(x.grad for x in checked)]
    return Task(lambda: total(leaves), result, units=n, note=f"{n:,} terms")


def fused(mg, n):
    return scalar_leaves(mg, n, mg.sum)


def leaves_anew(package, n):
    def run_of(n):
        return scalars(package).differentiate(lambda *leaves: sum(leaves), terms(n))

    return Task(run_of(n), run_of(CHECKED)(), units=n, note=f"{n:,} terms, leaves built anew")


def torch_tensor(torch, n):
    def total(leaves):
        out = leaves.sum()
        out.backward()
        return out

    checked, leaves = (
        torch.tensor(terms(n), dtype=torch.float64, requires_grad=True) for n in (CHECKED, n)
    )
    result = [total(checked), *checked.grad]
    return Task(lambda: total(leaves), result, units=n, note=f"{n:,} terms")


def autograd_array(autograd, n):
    np = autograd.numpy
    differentiate = autograd.value_and_grad(np.sum)
    total, grads = differentiate(np.array(terms(CHECKED)))
    leaves = np.array(terms(n))
    return Task(lambda: differentiate(leaves), [total, *grads], units=n, note=f"{n:,} terms")


def jax_array(jax, n):
    differentiate = jax.jit(jax.value_and_grad(jax.numpy.sum))
    total, grads = differentiate(jax.numpy.array(terms(CHECKED)))
    leaves = jax.numpy.array(terms(n))
    return Task(
        lambda: jax.block_until_ready(differentiate(leaves)),
        [total, *grads],
        units=n,
        note=f"{n:,} terms, compiled once",
    )


WORKLOADS = [
    Workload(
        name="wide_sum",
        title="a wide sum of leaves: build, backward, free",
        per="term",
        memory=True,
        contestants=[
            ("micrograd_fast", scalar_leaves, 1_000_000),
            ("micrograd_fast, mg.sum", fused, 1_000_000),
            ("micrograd_ref", scalar_leaves, 100_000),
            ("micrograd_ref, mg.sum", fused, 100_000),
            ("micrograd", scalar_leaves, 10_000),  # its backward recurses, to Python's limit
            ("micrograd, narrow", scalar_leaves, 900),
            ("minigrad", scalar_leaves, 10_000),
            ("torch", scalar_leaves, 10_000),
            ("torch, one tensor", torch_tensor, 1_000_000),
            ("autograd, one array", autograd_array, 1_000_000),
            ("jax.jit, one array", jax_array, 1_000_000),
            ("xad", leaves_anew, 100_000),
            ("casadi", leaves_anew, 10_000),
        ],
    )
]
