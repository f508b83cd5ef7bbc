"""NumPy and Values: object arrays, scalars, and the way from numbers to Values and back."""

import decimal
import fractions
import importlib
import itertools
import operator

import numpy as np
import pytest
from bits import bits
from operations import ARITY, UFUNCS, call

RELATIONS = [operator.lt, operator.le, operator.gt, operator.ge]


def micrograd(v):
    """The package of a Value."""
    return importlib.import_module(type(v).__module__.split(".")[0])


def test_array_makes_a_leaf_of_each_number(mg):
    x = mg.array([[1, 2.5], [True, -0.0]])
    assert x.shape == (2, 2)
    assert x.dtype == object
    assert {type(v) for v in x.flat} == {mg.Value}
    assert len(set(x.flat)) == 4
    assert mg.data(x).tolist() == [[1.0, 2.5], [1.0, 0.0]]


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?"])
def test_the_shape_is_kept(mg, shape, dtype):
    numbers = np.ones(shape, dtype)
    assert mg.array(numbers).shape == shape
    again = mg.data(mg.array(numbers))
    assert again.dtype == np.float64
    assert np.array_equal(again, numbers)


@pytest.mark.parametrize("wrong", ["text", [1j], [None], [[1, 2], "x"], np.array(["1"])])
def test_array_takes_real_numbers(mg, wrong):
    with pytest.raises((TypeError, ValueError)):
        mg.array(wrong)


def test_data_and_grad_take_any_nesting(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    (a * b).backward()
    assert mg.data([[a, b], [b, 1]]).tolist() == [[2.0, 3.0], [3.0, 1.0]]
    assert mg.grad((np.array([a, b]), [b, a])).tolist() == [[3.0, 2.0], [2.0, 3.0]]
    assert mg.data(a).shape == ()
    assert mg.grad([]).shape == (0,)


def test_data_and_grad_name_what_they_cannot_read(mg):
    with pytest.raises(TypeError, match="element 1 must be a Value, not 'str'"):
        mg.data([mg.Value(1.0), "1.0"])
    with pytest.raises(TypeError, match="element 0 must be a Value, not 'float'"):
        mg.grad([1.0])


def test_a_linear_regression_in_the_style_of_numpy(mg):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3))
    target = X @ [1.0, -2.0, 0.5] + 3.0
    w, b = mg.array(np.zeros(3)), mg.Value(0.0)
    optimizer = mg.SGD([*w, b], lr=0.1)
    for _ in range(200):
        loss = ((X @ w + b - target) ** 2).sum() / len(X)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert mg.data(w) == pytest.approx([1.0, -2.0, 0.5], abs=1e-6)
    assert b.data == pytest.approx(3.0, abs=1e-6)


def test_broadcasting_with_float_arrays_works_in_both_orders(mg):
    x, numbers = mg.array([[1.0], [2.0]]), np.array([10.0, 20.0, 30.0])
    for out in (x * numbers, numbers * x):
        assert mg.data(out).tolist() == [[10.0, 20.0, 30.0], [20.0, 40.0, 60.0]]
    assert mg.data(numbers - x).tolist() == [[9.0, 19.0, 29.0], [8.0, 18.0, 28.0]]
    assert mg.data(x**2 / numbers[:1]).tolist() == [[0.1], [0.4]]


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_calls_the_method_of_its_name(mg, name):
    x = mg.array([0.25, 0.75])
    out = getattr(np, name)(x)
    assert [v._op for v in out] == [name] * 2
    assert mg.data(out).tolist() == [getattr(v, name)().data for v in x]


def test_other_functions_of_numpy_work_on_elements(mg):
    x = mg.array([3.0, -1.0, 2.0])
    assert x.sum().data == 4.0
    assert (x @ x).data == 14.0
    assert mg.data(abs(x)).tolist() == [3.0, 1.0, 2.0]
    assert mg.data(-x).tolist() == [-3.0, 1.0, -2.0]
    assert mg.data(np.sort(x)).tolist() == [-1.0, 2.0, 3.0]
    assert x.max() is x[0]
    assert x.mean().data == pytest.approx(4 / 3)


def test_a_function_without_a_method_of_its_name_is_an_error_that_names_it(mg):
    with pytest.raises(TypeError, match="arctan"):
        np.arctan(mg.array([1.0]))
    with pytest.raises(TypeError, match="Value which has no callable arctan method"):
        np.arctan(mg.Value(1.0))


BY_NAME = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}


@pytest.mark.parametrize("name", BY_NAME)
def test_an_operator_works_by_its_name_and_in_place(mg, name):
    ufunc, v = getattr(np, name), mg.Value(3.0)
    for left, right in ((mg.array([2.0, 4.0]), v), (v, mg.array([2.0, 4.0])), (v, v), (v, 2.0)):
        expected = ufunc(mg.data(left), mg.data(right)).tolist()
        assert mg.data(ufunc(left, right)).tolist() == expected
    array = mg.array([2.0, 4.0])
    out = ufunc(array, v, out=array)
    assert out is array
    assert [x._op for x in array] == [BY_NAME[name]] * 2
    assert all(x._children[1] is v for x in array)


def test_operators_in_place_change_the_array_itself(mg):
    a = mg.array([[1.0, 2.0], [3.0, 5.0]])
    whole, row = a, a[1]
    a -= a.max()
    row /= mg.Value(2.0)
    row *= row.sum()
    row += mg.Value(1.0)
    row **= mg.Value(2.0)
    assert a is whole
    assert mg.data(a).tolist() == [[-4.0, -3.0], [4.0, 1.0]]
    with pytest.raises(TypeError, match="Cannot cast ufunc 'subtract' output"):
        np.ones(2).__isub__(mg.Value(1.0))


def test_an_array_and_a_value_are_equal_where_they_are_the_same(mg):
    a = mg.array([1.0, 2.0])
    for equal, different in ((a == a[0], a != a[0]), (a[0] == a, a[0] != a)):
        assert equal.tolist() == [True, False]
        assert different.tolist() == [False, True]
    assert (a == mg.Value(1.0)).tolist() == [False, False]
    assert a[a > mg.Value(1.5)].tolist() == [a[1]]
    assert a[mg.Value(1.5) > a].tolist() == [a[0]]


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_of_a_value_is_its_method(mg, name):
    out = getattr(np, name)(mg.Value(0.5))
    assert type(out) is mg.Value
    assert out._op == name


def test_numbers_do_not_come_from_values_unseen(mg):
    with pytest.raises(TypeError, match="Cannot cast ufunc 'exp' output"):
        np.exp(mg.Value(1.0), np.empty(1))
    with pytest.raises(TypeError, match=r"use \.data"):
        np.array([mg.Value(1.0)], dtype=float)


@pytest.mark.parametrize("scalar", [np.float64(2), np.float32(2), np.int64(2), np.uint8(2)])
def test_a_numpy_scalar_is_a_number_on_either_side(mg, scalar):
    v = mg.Value(3.0)
    assert [(v * scalar).data, (scalar * v).data] == [6.0, 6.0]
    assert [(v - scalar).data, (scalar - v).data] == [1.0, -1.0]
    assert [(v**scalar).data, (scalar**v).data] == [9.0, 8.0]
    assert type(scalar * v) is mg.Value
    assert scalar < v
    assert not v < scalar


@pytest.mark.parametrize("wrong", [fractions.Fraction(1, 2), decimal.Decimal(1), np.complex128(1)])
def test_other_kinds_of_numbers_are_refused(mg, wrong):
    for make in (lambda: mg.Value(wrong), lambda: mg.Value(1.0) * wrong):
        with pytest.raises(TypeError, match=type(wrong).__name__):
            make()


SPECIAL = [2.0, 0.0, -0.0, 1.0, -1.0, 5e-324, 1e308, -1e308, 800.0, -800.0, np.inf, -np.inf, np.nan]


def elementwise(name):
    return np.frompyfunc(lambda *vs: call(micrograd(vs[0]), name, *vs), ARITY[name], 1)


OPERATIONS = {
    **{name: (getattr(np, name), 1) for name in [*UFUNCS, "negative", "absolute"]},
    **{name: (getattr(np, name), 2) for name in ["add", "subtract", "multiply", "divide", "power"]},
    **{name: (elementwise(name), count) for name, count in ARITY.items() if name not in UFUNCS},
    **{f.__name__: (np.frompyfunc(f, 2, 1), 2) for f in RELATIONS},
    "powers by 2, 3": (np.frompyfunc(lambda v: v**2 - v**3, 1, 1), 1),
    "powers by -1, -2": (np.frompyfunc(lambda v: v**-1 - v**-2, 1, 1), 1),
    "a power by nan": (np.frompyfunc(lambda v: v**np.nan, 1, 1), 1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_numpy_warns_of_the_same_with_both_packages_and_never_of_a_nan(name):
    operation, count = OPERATIONS[name]

    def outcome(package, *numbers):
        mg = importlib.import_module(package)
        with np.errstate(all="raise"):
            try:
                return bits(float(mg.data(operation(*[mg.array([x]) for x in numbers]))[0]))
            except FloatingPointError as error:
                return str(error)

    for numbers in itertools.product(SPECIAL, repeat=count):
        outcomes = [outcome(package, *numbers) for package in ("micrograd_ref", "micrograd_fast")]
        assert outcomes[0] == outcomes[1], numbers
        assert "invalid" not in outcomes[0] or not np.isnan(numbers).any(), numbers


def test_a_masked_array_and_a_value_meet_elementwise(mg):
    v, masked = mg.Value(2.0), np.ma.array([1.0, 3.0], mask=[False, True])
    for out in (masked * v, v * masked, np.ma.multiply(masked, v)):
        assert out.mask.tolist() == [False, True]
        assert type(out[0]) is mg.Value
        assert out[0].data == 2.0
