"""A wide sum: leaves that are there already, added up, differentiated; the sum is freed.

Scalars are added with the builtin sum, arrays with their package's. Sizes differ, so that none
takes minutes; times are for one term, results compared on 500 terms.
"""

from functools import partial

from .measure import Task, Workload
from .scalars import CHECKED, program, scalars


def terms(n):
    return [0.1 * (i % 10 + 1) for i in range(n)]


def differentiated(add, leaves):
    out = add(leaves)
    out.backward()
    return out


def scalar_leaves(package, n, fused=False):
    leaf, add = scalars(package).leaf, package.sum if fused else sum
    checked, leaves = ([leaf(x) for x in terms(n)] for n in (CHECKED, n))
    out = differentiated(add, checked)
    result = [out.data, [x.grad for x in checked]]
    return Task(partial(differentiated, add, leaves), result, units=n)


def leaves_anew(_, n):
    return lambda *leaves: sum(leaves), terms(n), n


def tensor(torch, n):
    checked, leaves = (scalars(torch).leaf(terms(n)) for n in (CHECKED, n))
    out = differentiated(torch.sum, checked)
    return Task(partial(differentiated, torch.sum, leaves), [out, checked.grad], units=n)


def array(package, n, note=""):
    """With a numpy that can be differentiated: autograd's, or JAX's, which is compiled."""
    np = package.numpy
    run = package.value_and_grad(np.sum)
    if package.__name__ == "jax":
        compiled = package.jit(run)

        def run(leaves):
            return package.block_until_ready(compiled(leaves))

    return Task(partial(run, np.array(terms(n))), run(np.array(terms(CHECKED))), units=n, note=note)


ANEW = "differentiate", "leaves built anew"

CONTESTANTS = [
    ("micrograd_fast", scalar_leaves, 1_000_000),
    ("micrograd_fast, mg.sum", scalar_leaves, 1_000_000, True),
    ("micrograd_ref", scalar_leaves, 100_000),
    ("micrograd_ref, mg.sum", scalar_leaves, 100_000, True),
    ("micrograd", scalar_leaves, 10_000),  # its backward recurses, to Python's limit
    ("micrograd, narrow", scalar_leaves, 900),
    ("minigrad", scalar_leaves, 10_000),
    ("torch", scalar_leaves, 10_000),
    ("torch, one tensor", tensor, 1_000_000),
    ("autograd, one array", array, 1_000_000),
    ("jax.jit, one array", array, 1_000_000, "compiled once"),
    ("xad", program, 100_000, leaves_anew, *ANEW),
    ("casadi", program, 10_000, leaves_anew, *ANEW),
]

TITLE = "a wide sum of leaves: build, backward, free"
WORKLOADS = [Workload("wide_sum", TITLE, "term", CONTESTANTS, memory=True)]
