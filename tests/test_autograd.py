"""Gradients of every operation, against finite differences and against HIPS autograd."""

import functools
import random

import autograd
import autograd.numpy as anp
import programs
import pytest
from operations import ARITY, METHODS, SPELLED, call

from micrograd_ref.operations import OPERATIONS

# Points where an operation is smooth: for each number of operands, and for those that need others.

POINTS = {
    1: [(-2.5,), (-0.3,), (0.7,), (3.0,)],
    2: [(1.5, -2.5), (-0.75, 0.5), (3.0, 2.0), (0.1, 20.0)],
    3: [(1.5, -2.5, 0.3), (-0.75, 0.5, 2.0), (3.0, -1.0, 1.0)],
}
EQUAL = [*POINTS[2], (3.0, 3.0)]
ABOVE_0 = [(0.01,), (0.7,), (1.0,), (30.0,)]
A_POWER_OF_ZERO = (0.1, 0.0)  # whose second derivatives are in test_second_order.py
MANY = [(0.5, 1.5, -2.0, 3.0, 0.25), (0.0, 2.0, 2.0), (1e-3, 2.0, -5.0, 7.0, 0.1), (-1.0,)]
POINTS_OF = {
    **dict.fromkeys("+-*/", EQUAL),
    **dict.fromkeys(("log", "log1p", "sqrt"), ABOVE_0),
    "**": [(1.5, -2.5), (0.75, 0.5), (3.0, 3.0), A_POWER_OF_ZERO],
    "dot": MANY,
    "sum": MANY,
    "norm": [*MANY[:-1], (1.0,)],
}

# What autograd.numpy has under another name, or not at all.


def sum_of(*xs):
    return sum(xs[1:], xs[0])


def dot_of(start, *terms):
    return sum((x * y for x, y in zip(terms[::2], terms[1::2], strict=True)), start)


def sigmoid(x):
    return 1 / (1 + anp.exp(-x))


THEIRS = {
    **{name: functools.partial(operator, anp) for name, operator in SPELLED.items()},
    "dot": dot_of,
    "sum": sum_of,
    "norm": lambda start, *xs: anp.sqrt(dot_of(start, *(x for x in xs for _ in range(2)))),
    "atan": anp.arctan,
    "sigmoid": sigmoid,
    "softplus": lambda x: anp.log1p(anp.exp(x)),
    "relu": lambda x: anp.maximum(x, 0.0),
    "leaky_relu": lambda x, slope: anp.where(x > 0, x, slope * x),
    "silu": lambda x: x * sigmoid(x),
    "clip": lambda x, low, high: anp.minimum(anp.maximum(x, low), high),
    "where": lambda c, x, y: anp.where(c > 0, x, y) + 0.0 * c,
    "larger": lambda x, y: 1.0 * (x >= y) + 0.0 * x * y,
    "smaller": lambda x, y: 1.0 * (x <= y) + 0.0 * x * y,
    "sign": lambda x: anp.sign(x) + 0.0 * x,
}


def case(name, *constants, points):
    theirs = THEIRS.get(name, getattr(anp, name, None))
    return pytest.param(
        lambda mg, *xs: call(mg, name, *xs, *constants),
        theirs and (lambda *xs: theirs(*xs, *constants)),
        points,
        id=name.replace("**k", "**") + "".join(map(str, constants)),
    )


NAMES = [name for name in {**OPERATIONS, **METHODS} if name != "**k"]
CASES = [
    *(case(name, points=POINTS_OF.get(name, POINTS.get(ARITY.get(name)))) for name in NAMES),
    *(case("**k", k, points=POINTS[1]) for k in (0, 1, 2, 3, 4, -1, -2, -3)),
    *(case("**k", k, points=ABOVE_0) for k in (0.5, 1.5, -0.5, 2.75)),
]


@pytest.mark.parametrize(("ours", "theirs", "points"), CASES)
def test_gradcheck_accepts_the_operation(mg, ours, theirs, points):
    for point in points:
        inputs = [mg.Value(x) for x in point]
        result = mg.gradcheck(lambda *xs: ours(mg, *xs), inputs)
        assert result.error < 1e-7, (point, result)


@pytest.mark.parametrize(("ours", "theirs", "points"), CASES)
def test_gradcheck_accepts_the_second_derivatives_of_the_operation(mg, ours, theirs, points):
    for point in points:
        inputs = [mg.Value(x) for x in point]
        result = mg.gradcheck(lambda *xs: ours(mg, *xs), inputs, order=2)
        assert result.error < 2e-7 or point == A_POWER_OF_ZERO, (point, result)


@pytest.mark.parametrize(("ours", "theirs", "points"), [c for c in CASES if c.values[1]])
def test_autograd_gives_the_same_data_and_gradients(mg, ours, theirs, points):
    for point in points:
        inputs = [mg.Value(x) for x in point]
        out = ours(mg, *inputs)
        out.backward()
        assert out.data == pytest.approx(theirs(*point), rel=1e-14, abs=0.0)
        grads = [float(autograd.grad(theirs, i)(*point)) for i in range(len(point))]
        assert [x.grad for x in inputs] == pytest.approx(grads, rel=1e-13, abs=1e-15)


@pytest.mark.filterwarnings("ignore:Output seems independent")
@pytest.mark.parametrize(("ours", "theirs", "points"), [c for c in CASES if c.values[1]])
def test_autograd_gives_the_same_second_derivatives(mg, ours, theirs, points):
    for point in points:
        if point == A_POWER_OF_ZERO:
            continue
        inputs = [mg.Value(x) for x in point]
        found = mg.hessian(ours(mg, *inputs), inputs)
        for i, row in enumerate(found):
            first = autograd.grad(theirs, i)
            expected = [float(autograd.grad(first, j)(*point)) for j in range(len(point))]
            assert [x.data for x in row] == pytest.approx(expected, rel=1e-11, abs=1e-13)


def test_autograd_agrees_on_the_readme_program_of_micrograd(mg):
    def theirs(a, b):
        c = a + b
        d = a * b + b**3
        c = c + c + 1
        c = c + 1 + c + (-a)
        d = d + d * 2 + anp.maximum(b + a, 0.0)
        d = d + 3 * d + anp.maximum(b - a, 0.0)
        f = (c - d) ** 2
        return f / 2.0 + 10.0 / f

    v = programs.more_operations(mg)
    v["g"].backward()
    grads = [autograd.grad(theirs, i)(-4.0, 2.0) for i in (0, 1)]
    assert v["g"].data == pytest.approx(theirs(-4.0, 2.0), rel=1e-14)
    assert [v["a"].grad, v["b"].grad] == pytest.approx(grads, rel=1e-14)


ACTIVATIONS = {
    "relu": THEIRS["relu"],
    "tanh": anp.tanh,
    "sigmoid": sigmoid,
    "linear": lambda x: x,
}


@pytest.mark.parametrize("output", ACTIVATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_autograd_agrees_on_a_network(mg, activation, output):
    random.seed(11)
    model = mg.MLP(3, [4, 5, 2], activation=activation, output=output)
    x = [0.5, -1.25, 2.0]
    first, second = model(x)
    (first * second + second).backward()

    def theirs(*layers):
        h = anp.array(x)
        for i, weights in enumerate(layers):
            activate = ACTIVATIONS[output if i == len(layers) - 1 else activation]
            h = activate(anp.dot(weights[:, :-1], h) + weights[:, -1])
        return h[0] * h[1] + h[1]

    layers = [
        anp.array([[p.data for p in neuron.parameters()] for neuron in layer.neurons])
        for layer in model.layers
    ]
    for i, layer in enumerate(model.layers):
        grads = autograd.grad(theirs, i)(*layers)
        for neuron, expected in zip(layer.neurons, grads, strict=True):
            found = [p.grad for p in neuron.parameters()]
            assert found == pytest.approx(expected.tolist(), rel=1e-11, abs=1e-14)
