"""Derivatives of derivatives: hessian, jacobian and hvp, known traps, and what is at the edges."""

import math

import autograd
import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from bits import bits
from errors import error_of
from golden.graphs import Draw


def bits_of(values):
    return [bits(x.data) for x in values]


def data_of(rows):
    return [[x.data for x in row] for row in rows]


def derivatives(mg, fn, x, order):
    """The derivatives of a function of one Value, from the first on."""
    v = mg.Value(x)
    out, found = fn(v), []
    for _ in range(order):
        (out,) = mg.gradient(out, [v])
        found.append(out.data)
    return found


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def test_hessian_and_hvp_are_those_of_a_function_by_hand(mg):
    x, y = xs = [mg.Value(-1.0), mg.Value(2.0)]
    f = rosenbrock(x, y)
    # 2 - 400 (y - x^2) + 800 x^2, -400 x, 200
    assert data_of(mg.hessian(f, xs)) == [[402.0, 400.0], [400.0, 200.0]]
    assert [h.data for h in mg.hvp(f, xs, [1.0, -2.0])] == [-398.0, 0.0]
    assert [h.data for h in mg.hvp(f, xs, np.array([1, -2]))] == [-398.0, 0.0]
    assert (x.grad, y.grad) == (0.0, 0.0)


def test_a_jacobian_has_a_row_for_each_output(mg):
    x, y = xs = [mg.Value(2.0), mg.Value(3.0)]
    assert data_of(mg.jacobian([x * y, x, x + 2 * y], xs)) == [[3.0, 2.0], [1.0, 0.0], [1.0, 2.0]]
    assert mg.jacobian([], xs) == []
    assert mg.hessian(x * y, []) == []


def test_arrays_of_values_are_taken_in_their_order(mg):
    xs = mg.array([[0.5, -1.0], [2.0, 3.0]])
    f = (xs[0, 0] * xs[0, 1]).tanh() + xs[1, 0] ** 3 * xs[1, 1]
    flat = list(xs.ravel())
    assert data_of(mg.hessian(f, xs)) == data_of(mg.hessian(f, flat))
    assert data_of(mg.jacobian(xs * f, xs)) == data_of(mg.jacobian([x * f for x in flat], flat))
    vector = np.array([[1.0, 0.0], [-1.0, 2.0]])
    found = [h.data for h in mg.hvp(f, xs, vector)]
    assert found == pytest.approx(mg.data(mg.hessian(f, xs)) @ vector.ravel(), rel=1e-14)


def test_autograd_has_the_same_hessian_jacobian_and_product(mg):
    def ours(a, b, c):
        return (a * b).sin() * c.exp() / (1.0 + a * a) + (b - c).tanh() ** 3

    def theirs(v):
        a, b, c = v
        return anp.sin(a * b) * anp.exp(c) / (1.0 + a * a) + anp.tanh(b - c) ** 3

    point, vector = np.array([0.7, -1.2, 0.4]), np.array([2.0, -1.0, 0.5])
    xs = [mg.Value(x) for x in point]
    f = ours(*xs)
    assert mg.data(mg.hessian(f, xs)) == pytest.approx(autograd.hessian(theirs)(point), rel=1e-12)
    product = autograd.hessian(theirs)(point) @ vector
    assert mg.data(mg.hvp(f, xs, vector)) == pytest.approx(product, rel=1e-12)
    several = mg.jacobian([f, f * f, xs[0]], xs)
    expected = autograd.jacobian(lambda v: anp.array([theirs(v), theirs(v) ** 2, v[0]]))(point)
    assert mg.data(several) == pytest.approx(expected, rel=1e-12)


def test_the_vector_of_hvp_may_vary_by_row_of_a_tape(mg):
    x, y, v, w = (mg.Value(0.0) for _ in range(4))
    tape = mg.Tape(mg.hvp(rosenbrock(x, y), [x, y], [v, w]), [x, y, v, w])
    rows = [[-1.0, 2.0, 1.0, -2.0], [1.0, 1.0, 1.0, 0.0]]
    assert tape.forward(rows).tolist() == [[-398.0, 0.0], [802.0, -400.0]]


def test_backward_of_a_tape_of_gradients_gives_products_with_the_hessian(mg):
    x, y = mg.Value(0.0), mg.Value(0.0)
    tape = mg.Tape(mg.gradient(rosenbrock(x, y), [x, y]), [x, y])
    tape.forward([[-1.0, 2.0], [1.0, 1.0]])
    tape.backward([[1.0, -2.0], [1.0, 0.0]])
    assert tape.input_grad.tolist() == [[-398.0, 0.0], [802.0, -400.0]]


def test_errors_name_what_does_not_fit(mg):
    x, y = mg.Value(1.0), mg.Value(2.0)
    kind = f"{mg.__name__}.engine.Value"
    for fn, error, message in (
        (
            lambda: mg.hvp(x * y, [x, y], [1.0]),
            ValueError,
            "hvp expects a vector with an element for each of 2 inputs, got 1",
        ),
        (
            lambda: mg.hvp(x * y, [x], [y * x]),
            ValueError,
            "the vector of hvp must not depend on the inputs",
        ),
        (
            lambda: mg.hvp(x * y, [x], 1.0),
            TypeError,
            "the vector of hvp must be a sequence of "
            "Values or numbers, not 'float': write [x] for a single x",
        ),
        (
            lambda: mg.jacobian(x, [x]),
            TypeError,
            "the outputs of a derivative must be a sequence "
            f"of Values, not '{kind}': write [x] for a single x",
        ),
        (
            lambda: mg.jacobian([x, 2], [x]),
            TypeError,
            "output 1 of a derivative must be a Value, not 'int'",
        ),
        (
            lambda: mg.hessian(x, [None]),
            TypeError,
            "input 0 of a derivative must be a Value, not 'NoneType'",
        ),
        (lambda: mg.hessian(1.0, [x]), TypeError, "gradient differentiates a Value, not 'float'"),
    ):
        assert error_of(fn) == (error, message)


# Reports from other libraries.


def test_a_gradient_is_no_constant_of_the_next(mg):
    """AutoGrad.jl#75: the derivative in x of x * d/dy (x + y) is 1, it gave 2."""
    x, y = mg.Value(3.0), mg.Value(5.0)
    (inner,) = mg.gradient(x + y, [y])
    assert [g.data for g in mg.gradient(x * inner, [x])] == [1.0]


@pytest.mark.parametrize("square", [lambda x: x**2, lambda x: x * x, lambda x: x**2.0])
def test_a_square_has_derivatives_of_every_order_at_zero(mg, square):
    """HIPS/autograd#116: those of exp(-x**2) at 0 are 0, -2, 0, 12, it gave nan."""
    assert derivatives(mg, lambda x: (-square(x)).exp(), 0.0, 4) == [0.0, -2.0, 0.0, 12.0]


def test_a_power_of_one_and_a_half_has_no_slope_at_zero(mg):
    """HIPS/autograd#581."""
    assert derivatives(mg, lambda x: x**1.5, 0.0, 2) == [0.0, math.inf]
    assert derivatives(mg, lambda x: x ** mg.Value(1.5), 0.0, 1) == [0.0]


def test_a_pole_on_the_way_is_what_ieee_arithmetic_makes_of_it(mg):
    assert math.isnan(derivatives(mg, lambda x: 1 / (1 / x), 0.0, 1)[0])
    assert math.isnan(derivatives(mg, lambda x: x.sqrt() ** 2, 0.0, 1)[0])


def test_where_passes_zero_to_the_branch_not_taken(mg):
    c, x, y = mg.Value(1.0), mg.Value(2.0), mg.Value(3.0)
    gradients = mg.gradient(mg.where(c, x * x, y * y), [c, x, y])
    assert [bits(g.data) for g in gradients] == [bits(0.0), bits(4.0), bits(0.0)]
    # 0.0 times the slope of the root, which is inf at 0.
    assert math.isnan(derivatives(mg, lambda x: mg.where(x, x.sqrt(), 0.0), 0.0, 1)[0])
    safe = derivatives(mg, lambda x: mg.where(x, mg.where(x, x, 1.0).sqrt(), 0.0), 0.0, 3)
    assert safe == [0.0, 0.0, 0.0]
    assert derivatives(mg, lambda x: mg.where(x, mg.where(x, x, 1.0).sqrt(), 0.0), 4.0, 2) == [
        0.25, -0.03125,
    ]  # fmt: skip


def test_the_norm_has_no_slope_at_the_origin(mg):
    """HIPS/autograd#151, #183, #268, #570, #586, #617 and pytorch#2421: it gave nan."""
    x, y = xs = [mg.Value(0.0), mg.Value(-0.0)]
    start = mg.Value(0.0)
    n = mg.norm(xs, start)
    assert bits(n.data) == bits(0.0)
    first = mg.gradient(n, [*xs, start])
    assert bits_of(first) == [bits(0.0)] * 3
    second = mg.hessian(n, [*xs, start])
    assert [bits(h.data) for row in second for h in row] == [bits(0.0)] * 9
    third = [h for row in second for g in row for h in mg.gradient(g, [*xs, start])]
    assert bits_of(third) == [bits(0.0)] * 27
    n.backward()
    assert (x.grad, y.grad, start.grad) == (0.0, 0.0, 0.0)


def test_nor_where_squares_vanish_or_cancel(mg):
    for x, start in ((1e-170, 0.0), (3.0, -9.0), (2.0, -4.0)):
        x, start = xs = [mg.Value(x), mg.Value(start)]
        n = mg.norm([x], start)
        assert n.data == 0.0
        assert [g.data for g in mg.gradient(n, xs)] == [0.0, 0.0]
        assert data_of(mg.hessian(n, xs)) == [[0.0, 0.0], [0.0, 0.0]]
        n.backward()
        assert (x.grad, start.grad) == (0.0, 0.0)


def test_the_norm_is_the_root_of_the_sum_of_squares(mg):
    xs = [mg.Value(3.0), mg.Value(-4.0)]
    n = mg.norm(xs)
    assert (n.data, n._op, n._children[1:]) == (5.0, "norm", tuple(xs))
    assert [g.data for g in mg.gradient(n, xs)] == [0.6, -0.8]
    expected = np.array([[0.128, 0.096], [0.096, 0.072]])
    assert mg.data(mg.hessian(n, xs)) == pytest.approx(expected, rel=1e-14)
    start = mg.Value(11.0)
    smooth = mg.norm(xs, start)
    assert (smooth.data, mg.norm([], 4).data, mg.norm(iter([2, xs[0]]), 3.0).data) == (
        6.0,
        2.0,
        4.0,
    )
    assert [g.data for g in mg.gradient(smooth, [*xs, start])] == [0.5, -4 / 6, 1 / 12]
    for nan in (mg.norm([xs[0], math.nan]), mg.norm([xs[0]], -10.0), mg.norm([], -1.0)):
        assert math.isnan(nan.data)
    assert math.isnan(mg.gradient(mg.norm([xs[0]], -10.0), xs)[0].data)
    assert mg.norm([xs[0], math.inf]).data == math.inf


@pytest.mark.parametrize("n", [0, 1, 2, 5, 9])
def test_the_data_of_a_norm_are_those_of_a_dot_and_its_root(mg, n):
    draw = Draw(n)
    for _ in range(50):
        xs, start = [draw.number() for _ in range(n)], abs(draw.number())
        assert bits(mg.norm(xs, start).data) == bits(mg.dot(xs, xs, start).sqrt().data)


def test_each_row_of_a_tape_has_its_own_norm(mg):
    xs = [mg.Value(3.0), mg.Value(4.0)]
    n = mg.norm(xs)
    rows = [[3.0, 4.0], [0.0, 0.0], [0.0, -2.0], [math.nan, 0.0], [1e-170, 1.0]]
    tape = mg.Tape(n, xs)
    assert tape.forward(rows[:3]).tolist() == [5.0, 0.0, 2.0]
    tape.forward(rows)
    tape.backward()
    assert tape.input_grad[:3].tolist() == [[0.6, 0.8], [0.0, 0.0], [0.0, -1.0]]
    first = mg.Tape(mg.gradient(n, xs), xs)
    assert list(map(bits, first.forward(rows).ravel())) == list(map(bits, tape.input_grad.ravel()))
    first.backward([[1.0, -1.0]] * len(rows))
    assert first.input_grad[0] == pytest.approx([0.224, -0.168], rel=1e-14)
    assert first.input_grad[1:3].tolist() == [[0.0, 0.0], [0.5, 0.0]]


# Edges: the first and second derivative, as PyTorch 2.13 has them unless it says so.

EDGES = {
    "relu at 0": (lambda mg, x: x.relu(), 0.0, [0.0, 0.0]),
    "abs at 0": (lambda mg, x: abs(x), 0.0, [0.0, 0.0]),
    "abs below 0": (lambda mg, x: abs(x), -2.0, [-1.0, 0.0]),
    # PyTorch has 0 and 0; here nan stays nan.
    "abs of nan": (lambda mg, x: abs(x), math.nan, [math.nan, math.nan]),
    "sqrt at 0": (lambda mg, x: x.sqrt(), 0.0, [math.inf, -math.inf]),
    "square at 0": (lambda mg, x: x**2, 0.0, [0.0, 2.0]),
    "cube at 0": (lambda mg, x: x**3, 0.0, [0.0, 0.0]),
    # PyTorch has no second derivative of what is constant.
    "to the power of 0 at 0": (lambda mg, x: x**0, 0.0, [0.0, 0.0]),
    "to the power of 1 at 0": (lambda mg, x: x**1, 0.0, [1.0, 0.0]),
    "root by a power at 0": (lambda mg, x: x**0.5, 0.0, [math.inf, -math.inf]),
    "where at equality": (lambda mg, x: mg.where(x - 1, x * x, x * x * x), 1.0, [3.0, 6.0]),
    "leaky_relu at 0": (lambda mg, x: x.leaky_relu(0.5), 0.0, [0.5, 0.0]),
    "log at 0": (lambda mg, x: x.log(), 0.0, [math.inf, -math.inf]),
    "log1p at -1": (lambda mg, x: x.log1p(), -1.0, [math.inf, -math.inf]),
    "larger": (lambda mg, x: mg.larger(x, 0.0), 0.0, [0.0, 0.0]),
    "sign": (lambda mg, x: mg.sign(x), 0.0, [0.0, 0.0]),
    # PyTorch halves the gradient between equal ones: here it is the first one's.
    "maximum at equality": (lambda mg, x: mg.maximum(x, x * x), 1.0, [1.0, 0.0]),
    "minimum at equality": (lambda mg, x: mg.minimum(x * x, x), 1.0, [2.0, 2.0]),
    # PyTorch masks the gradient outside, and counts the bounds as inside, as here.
    "clip at a bound": (lambda mg, x: (x * x).clip(0.0, 1.0), 1.0, [2.0, 2.0]),
    "clip beyond": (lambda mg, x: (x * x).clip(0.0, 1.0), 2.0, [0.0, 0.0]),
}


@pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES)
def test_the_derivatives_at_an_edge(mg, edge):
    fn, x, expected = edge
    found = derivatives(mg, lambda v: fn(mg, v), x, 2)
    assert list(map(bits, found)) == list(map(bits, expected))


def test_a_variable_power_of_zero_has_no_slope_by_its_base(mg):
    """As in PyTorch, whatever the base: so the derivatives by both depend on which comes first."""
    a, b = mg.Value(0.5), mg.Value(0.0)
    assert data_of(mg.hessian(a**b, [a, b])) == [
        [0.0, 0.0],
        [2.0, pytest.approx(math.log(0.5) ** 2, rel=1e-15)],
    ]


# The derivatives of smooth functions, by mpmath.

SMOOTH = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "atan": mpmath.atan,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "erf": mpmath.erf,
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_mpmath_has_the_same_derivatives_up_to_the_fourth(mg, name):
    for x in (0.3, 1.7):
        found = derivatives(mg, lambda v: getattr(v, name)(), x, 4)
        with mpmath.workdps(60):
            expected = [float(mpmath.diff(SMOOTH[name], mpmath.mpf(x), n)) for n in (1, 2, 3, 4)]
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-13)
