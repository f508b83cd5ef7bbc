"""What each package does with a program of single numbers: differentiate it, or compile it.

A program is a function of the package's numbers. A package that takes part gives by its name:

    leaf           a number to differentiate by, made of a float
    relu           of a number
    differentiate  (program, n) to a function of n numbers that builds the program on them, goes
                   backward, and returns the value and the gradients; what it built it frees
    record         the same where the program is built or compiled once
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from .measure import Task

CHECKED = 500  # of a workload that comes in sizes, so much is run and compared by all


class Scalars(NamedTuple):
    leaf: Callable[[float], Any]
    relu: Callable[[Any], Any]
    differentiate: Callable[..., Callable[..., Any]]
    record: Callable[..., Callable[..., Any]] | None = None


def program(package, size, make, how="differentiate", note=""):
    """The Task of a program by differentiate or record, checked at a size of at most CHECKED.

    make(number, size), with the package's Scalars, gives the program, what numbers it takes, and
    how many units it handles.
    """
    number = scalars(package)

    def run_of(size):
        function, numbers, units = make(number, size)
        return partial(getattr(number, how)(function, len(numbers)), *numbers), units

    run, units = run_of(size)
    checked, _ = run_of(min(size, CHECKED))
    return Task(run, checked(), units=units, note=note)


@cache
def scalars(package):
    """The Scalars of an imported package: of micrograd's kind where it is no other."""
    if package.__name__ in PACKAGES:
        return PACKAGES[package.__name__](package)
    return of_objects(package.Value, package.Value.relu)


def of_objects(leaf, relu):
    """Objects with data, grad and backward(): micrograd's Value and its kind, PyTorch's tensor."""

    def differentiate(program, _):
        def run(*numbers):
            leaves = [leaf(x) for x in numbers]
            out = program(*leaves)
            out.backward()
            return [out.data, *(leaf.grad for leaf in leaves)]

        return run

    return Scalars(leaf, relu, differentiate)


def by_torch(torch):
    return of_objects(partial(torch.tensor, dtype=torch.float64, requires_grad=True), torch.relu)


def by_autograd(autograd):
    from autograd.core import VJPNode
    from autograd.tracer import new_box

    return Scalars(
        leaf=lambda x: new_box(x, 0, VJPNode.new_root()),
        relu=lambda x: autograd.numpy.maximum(x, 0.0),
        differentiate=lambda program, n: autograd.value_and_grad(program, argnum=tuple(range(n))),
    )


def by_jax(jax):
    def differentiate(program, n, compile=lambda function: function):
        gradients = compile(jax.value_and_grad(program, argnums=tuple(range(n))))

        def run(*numbers):
            out, grads = gradients(*numbers)
            return [float(out), *map(float, grads)]

        return run

    record = partial(differentiate, compile=jax.jit)
    return Scalars(jax.numpy.float64, jax.nn.relu, differentiate, record)


def by_xad(xad):
    from xad.math import max

    tape = xad.Tape()
    tape.activate()

    def leaf(x):
        number = xad.Real(x)
        tape.registerInput(number)
        return number

    def differentiate(program, _):
        def run(*numbers):
            tape.clearAll()  # or what earlier runs registered would slow it down
            leaves = [leaf(x) for x in numbers]
            tape.newRecording()
            out = program(*leaves)
            tape.registerOutput(out)
            out.setAdjoint(1.0)
            tape.computeAdjoints()
            return [out.getValue(), *(leaf.getDerivative() for leaf in leaves)]

        return run

    return Scalars(leaf, lambda x: max(x, 0.0), differentiate)


def by_casadi(casadi):
    def leaf(_):
        return casadi.SX.sym("leaf")

    def differentiate(program, n):
        def run(*numbers):
            leaves = casadi.SX.sym("leaves", n)
            out = program(*casadi.vertsplit(leaves))
            function = casadi.Function("out", [leaves], [out, casadi.gradient(out, leaves)])
            value, grads = function(numbers)
            return [float(value), *grads.full().ravel()]

        return run

    def record(program, n):
        leaves = [leaf(0.0) for _ in range(n)]
        out = program(*leaves)
        grads = [casadi.gradient(out, leaf) for leaf in leaves]
        function = casadi.Function("out", leaves, [out, *grads])
        return lambda *numbers: [float(x) for x in function(*numbers)]

    return Scalars(leaf, lambda x: casadi.fmax(x, 0.0), differentiate, record)


PACKAGES = {
    "torch": by_torch,
    "autograd": by_autograd,
    "jax": by_jax,
    "xad.adj_1st": by_xad,
    "casadi": by_casadi,
}
