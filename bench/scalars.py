"""What each package does with a program of single numbers: differentiate it, or compile it.

A program is a function of the package's numbers. A package that takes part gives by its name:

    leaf           a number to differentiate by, where that is an object
    relu           of a number
    differentiate  (program, numbers) to a function that builds the program on these numbers, goes
                   backward, frees what it built, and returns the value and the gradients
    record         the same where the program is built or compiled once, before the function runs
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple


class Scalars(NamedTuple):
    leaf: Callable[[float], Any] | None
    relu: Callable[[Any], Any]
    differentiate: Callable[..., Callable[[], Any]]
    record: Callable[..., Callable[[], Any]] | None = None


def scalars(package):
    """The Scalars of an imported package: of micrograd's kind where it is no other."""
    return PACKAGES.get(package.__name__, values)(package)


def values(mg):
    """micrograd and its kind: a class Value."""

    def differentiate(program, numbers):
        def run():
            leaves = [mg.Value(x) for x in numbers]
            out = program(*leaves)
            out.backward()
            return [out.data, *(leaf.grad for leaf in leaves)]

        return run

    return Scalars(mg.Value, mg.Value.relu, differentiate)


def by_torch(torch):
    leaf = partial(torch.tensor, dtype=torch.float64, requires_grad=True)

    def differentiate(program, numbers):
        def run():
            leaves = [leaf(x) for x in numbers]
            out = program(*leaves)
            out.backward()
            return [out.item(), *(leaf.grad.item() for leaf in leaves)]

        return run

    return Scalars(leaf, torch.relu, differentiate)


def by_autograd(autograd):
    from autograd.core import VJPNode
    from autograd.tracer import new_box

    def differentiate(program, numbers):
        gradients = autograd.value_and_grad(program, argnum=tuple(range(len(numbers))))

        def run():
            out, grads = gradients(*numbers)
            return [out, *grads]

        return run

    def relu(x):
        return autograd.numpy.maximum(x, 0.0)

    return Scalars(lambda x: new_box(x, 0, VJPNode.new_root()), relu, differentiate)


def by_jax(jax):
    def differentiate(program, numbers, compile=lambda function: function):
        gradients = compile(jax.value_and_grad(program, argnums=tuple(range(len(numbers)))))

        def run():
            out, grads = gradients(*numbers)
            return [float(out), *map(float, grads)]

        return run

    return Scalars(None, jax.nn.relu, differentiate, partial(differentiate, compile=jax.jit))


def by_xad(xad):
    from xad.math import max

    def differentiate(program, numbers):
        def run():
            with xad.Tape() as tape:
                leaves = [xad.Real(x) for x in numbers]
                for leaf in leaves:
                    tape.registerInput(leaf)
                tape.newRecording()
                out = program(*leaves)
                tape.registerOutput(out)
                out.setAdjoint(1.0)
                tape.computeAdjoints()
                return [out.getValue(), *(leaf.getDerivative() for leaf in leaves)]

        return run

    return Scalars(None, lambda x: max(x, 0.0), differentiate)


def by_casadi(casadi):
    def differentiate(program, numbers):
        def run():
            leaves = casadi.SX.sym("leaves", len(numbers))
            out = program(*casadi.vertsplit(leaves))
            function = casadi.Function("out", [leaves], [out, casadi.gradient(out, leaves)])
            value, grads = function(numbers)
            return [float(value), *grads.full().ravel()]

        return run

    def record(program, numbers):
        leaves = [leaf(x) for x in numbers]
        out = program(*leaves)
        grads = [casadi.gradient(out, leaf) for leaf in leaves]
        function = casadi.Function("out", leaves, [out, *grads])
        return lambda: [float(x) for x in function(*numbers)]

    def leaf(_):
        return casadi.SX.sym("leaf")

    return Scalars(leaf, lambda x: casadi.fmax(x, 0.0), differentiate, record)


PACKAGES = {
    "torch": by_torch,
    "autograd": by_autograd,
    "jax": by_jax,
    "xad.adj_1st": by_xad,
    "casadi": by_casadi,
}
