"""What a Value is, and what each operation makes of one."""

import math
import operator
import random

import mpfr
import numpy as np
import pytest
from bits import bits
from operations import UFUNCS

inf, nan = math.inf, math.nan


# Attributes


def test_a_leaf_starts_without_gradient_operation_operands_or_label(mg):
    a = mg.Value(4)
    assert (a.data, a.grad, a.label, a._op) == (4.0, 0.0, "", "")
    assert (a._children, a._prev) == ((), set())


@pytest.mark.parametrize(
    ("x", "shown"),
    [(4, "4.0"), (-0.0, "-0.0"), (0.1, "0.1"), (1e100, "1e+100"), (inf, "inf"), (nan, "nan")],
)
def test_repr_shows_the_data(mg, x, shown):
    assert repr(mg.Value(x)) == f"Value(data={shown})"


NUMBERS = [
    2,
    2.0,
    True,
    np.float64(2),
    np.float32(2),
    np.float16(2),
    np.longdouble(2),
    np.int64(2),
    np.int8(-2),
    np.uint8(2),
    np.bool_(True),
]


@pytest.mark.parametrize("x", NUMBERS, ids=lambda x: type(x).__name__)
def test_data_and_grad_are_python_floats_whatever_number_they_came_from(mg, x):
    a = mg.Value(x)
    a.grad = x
    assert (a.data, a.grad) == (float(x), float(x))
    a.data = x
    assert (type(a.data), type(a.grad)) == (float, float)


def test_data_keeps_every_bit(mg):
    for x in (0.1, -0.0, 5e-324, 1.7976931348623157e308, -inf, nan):
        a = mg.Value(x)
        a.grad = x
        assert (bits(a.data), bits(a.grad)) == (bits(x), bits(x))


def test_an_int_is_rounded_as_float_rounds_it(mg):
    assert mg.Value(2**53 + 1).data == 2.0**53


def test_an_augmented_assignment_to_data_changes_the_leaf(mg):
    a = mg.Value(1.0)
    a.data -= 0.25
    a.grad += 2
    assert (a.data, a.grad) == (0.75, 2.0)


def test_changing_data_leaves_the_nodes_above_as_they_were(mg):
    a = mg.Value(1.0)
    b = a + 1
    a.data = 5.0
    assert b.data == 2.0


@pytest.mark.parametrize("label", ["", "x", "two words", "ünï-\U0001f642", "{a|b}\n", "\0"])
def test_a_label_is_any_string(mg, label):
    a = mg.Value(1.0, label=label)
    assert a.label == label
    a.label = "other"
    a.label = label
    assert a.label == label


def test_a_label_of_a_string_subclass_is_kept_as_a_plain_string(mg):
    class Name(str):
        pass

    assert type(mg.Value(1.0, label=Name("x")).label) is str


def test_arguments_are_accepted_by_position_and_by_name(mg):
    a = mg.Value(1.0)
    by_position = mg.Value(2.0, (a,), "double", "d")
    by_name = mg.Value(data=2.0, _children=(a,), _op="double", label="d")
    for v in (by_position, by_name):
        assert (v.data, v._children, v._op, v.label) == (2.0, (a,), "double", "d")


def test_children_come_from_any_iterable_and_keep_their_order(mg):
    a, b = mg.Value(1.0), mg.Value(2.0)
    for children in ([b, a, b], (b, a, b), iter([b, a, b]), (v for v in (b, a, b))):
        assert mg.Value(0.0, children, "op")._children == (b, a, b)


def test_prev_is_a_new_set_each_time(mg):
    a = mg.Value(1.0)
    b = a + a
    b._prev.clear()
    assert b._prev == {a}
    assert b._children == (a, a)


# Identity and order


def test_values_are_equal_only_to_themselves(mg):
    a, b = mg.Value(1.0), mg.Value(1.0)
    same = a
    assert a == same
    assert a != b
    assert a != 1.0
    assert len({a, b, same}) == 2
    assert hash(a) == hash(same)


def test_changing_data_keeps_the_hash(mg):
    a = mg.Value(1.0)
    seen = {a}
    a.data = 2.0
    assert a in seen


RELATIONS = [operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: r.__name__)
def test_values_compare_by_data_with_values_and_numbers_on_either_side(mg, relation):
    for x in (-1.0, 0.0, 2.0, inf, nan):
        for y in (-1.0, -0.0, 2.0, nan):
            expected = relation(x, y)
            assert relation(mg.Value(x), mg.Value(y)) is expected
            assert relation(mg.Value(x), y) is expected
            assert relation(x, mg.Value(y)) is expected
            assert relation(np.float64(x), mg.Value(y)) is expected
            assert relation(mg.Value(x), np.float64(y)) is expected


def test_comparing_with_a_large_int_rounds_it_first(mg):
    assert not mg.Value(2.0**53) < 2**53 + 1


def test_max_min_and_sorted_work(mg):
    a, b, c = mg.Value(2.0), mg.Value(-1.0), mg.Value(3.0)
    assert max(a, b, c) is c
    assert min(a, b, c) is b
    assert sorted([a, b, c]) == [b, a, c]


def test_every_value_is_true(mg):
    assert mg.Value(0.0)


# Operations: op, function, operands' data, data, gradients. The numbers are worked by hand.

log6 = 1.791759469228055
OPERATIONS = [
    ("+", lambda a, b: a + b, (6.0, 2.0), 8.0, (1.0, 1.0)),
    ("-", lambda a, b: a - b, (6.0, 2.0), 4.0, (1.0, -1.0)),
    ("*", lambda a, b: a * b, (6.0, 2.0), 12.0, (2.0, 6.0)),
    ("/", lambda a, b: a / b, (6.0, 2.0), 3.0, (0.5, -1.5)),
    ("**", lambda a, b: a**b, (6.0, 2.0), 36.0, (12.0, 36.0 * log6)),
    ("**", lambda b: 6**b, (2.0,), 36.0, (36.0 * log6,)),
    ("neg", lambda a: -a, (6.0,), -6.0, (-1.0,)),
    ("abs", abs, (-6.0,), 6.0, (-1.0,)),
    ("abs", abs, (6.0,), 6.0, (1.0,)),
    ("exp", lambda a: a.exp(), (1.0,), 2.718281828459045, (2.718281828459045,)),
    ("expm1", lambda a: a.expm1(), (1.0,), 1.718281828459045, (2.718281828459045,)),
    ("log", lambda a: a.log(), (6.0,), log6, (1 / 6,)),
    ("log1p", lambda a: a.log1p(), (5.0,), log6, (1 / 6,)),
    ("sqrt", lambda a: a.sqrt(), (4.0,), 2.0, (0.25,)),
    ("sin", lambda a: a.sin(), (0.0,), 0.0, (1.0,)),
    ("cos", lambda a: a.cos(), (math.pi / 2,), 6.123233995736766e-17, (-1.0,)),
    ("atan", lambda a: a.atan(), (-1.0,), -0.7853981633974483, (0.5,)),
    ("tanh", lambda a: a.tanh(), (math.atanh(0.5),), 0.5, (0.75,)),
    ("sigmoid", lambda a: a.sigmoid(), (0.0,), 0.5, (0.25,)),
    ("sigmoid", lambda a: a.sigmoid(), (math.log(3),), 0.75, (0.1875,)),
    ("sigmoid", lambda a: a.sigmoid(), (-math.log(3),), 0.25, (0.1875,)),
    ("softplus", lambda a: a.softplus(), (0.0,), 0.6931471805599453, (0.5,)),
    ("softplus", lambda a: a.softplus(), (log6,), 1.945910149055313, (6 / 7,)),
    ("erf", lambda a: a.erf(), (0.0,), 0.0, (1.1283791670955126,)),
    ("erf", lambda a: a.erf(), (-1.0,), -0.8427007929497149, (0.41510749742059466,)),
    ("relu", lambda a: a.relu(), (6.0,), 6.0, (1.0,)),
    ("relu", lambda a: a.relu(), (-6.0,), 0.0, (0.0,)),
    ("**1", lambda a: a**1, (-6.0,), -6.0, (1.0,)),
    ("**2", lambda a: a**2, (-6.0,), 36.0, (-12.0,)),
    ("**3", lambda a: a**3, (-6.0,), -216.0, (108.0,)),
    ("**4", lambda a: a**4, (-6.0,), 1296.0, (-864.0,)),
    ("**0", lambda a: a**0, (-6.0,), 1.0, (0.0,)),
    ("**0.5", lambda a: a**0.5, (4.0,), 2.0, (0.25,)),
    ("**-1", lambda a: a**-1, (4.0,), 0.25, (-0.0625,)),
    ("**-2", lambda a: a**-2, (4.0,), 0.0625, (-0.03125,)),
    ("**-3", lambda a: a**-3, (4.0,), 0.015625, (-0.01171875,)),
]


@pytest.mark.parametrize(("op", "fn", "xs", "data", "grads"), OPERATIONS)
def test_an_operation_makes_one_node_with_its_data_and_gradients(mg, op, fn, xs, data, grads):
    operands = [mg.Value(x) for x in xs]
    out = fn(*operands)
    assert type(out) is mg.Value
    assert out._op == op
    assert out._children[-len(operands) :] == tuple(operands)
    assert out.data == pytest.approx(data, rel=1e-15, abs=0.0)
    out.backward()
    assert [x.grad for x in operands] == pytest.approx(grads, rel=1e-15, abs=0.0)


def test_a_gradient_is_scaled_by_that_of_the_result(mg):
    for _, fn, xs, _, grads in OPERATIONS:
        operands = [mg.Value(x) for x in xs]
        out = fn(*operands)
        out.grad = -2.0
        out._backward()
        expected = [-2.0 * grad for grad in grads]
        assert [x.grad for x in operands] == pytest.approx(expected, rel=1e-15, abs=0.0)


@pytest.mark.parametrize(
    ("k", "op"),
    [
        (2.0, "**2"),
        (True, "**1"),
        (np.float32(2), "**2"),
        (0.1 + 0.2, "**0.3"),
        (1234567, "**1.23457e+06"),
        (-0.0, "**-0"),
        (inf, "**inf"),
        (nan, "**nan"),
    ],
)
def test_a_constant_power_is_named_after_its_exponent(mg, k, op):
    a = mg.Value(2.0)
    out = a**k
    assert out._op == op
    assert out._children == (a,)


# The order of a formula's operations decides the last bit, so it is pinned here for a and b above
# 0: the function, its data, and its gradients given the result's own, g.
FORMULAS = [
    (lambda a, b: a / b, lambda a, b: a / b, lambda a, b, out, g: (g / b, -g * (out / b))),
    (
        lambda a, b: a**b,
        lambda a, b: mpfr.pow(a, b),
        lambda a, b, out, g: (b * mpfr.pow(a, b - 1) * g, out * mpfr.log(a) * g),
    ),
    (lambda a, _: a**2, lambda a, _: a * a, lambda a, _, out, g: (2 * a * g, 0)),
    (lambda a, _: a**3, lambda a, _: mpfr.pow(a, 3), lambda a, _, out, g: (3 * (a * a) * g, 0)),
    (
        lambda a, _: a**-1,
        lambda a, _: 1 / a,
        lambda a, _, out, g: (-1 * mpfr.pow(a, -2) * g, 0),
    ),
    (
        lambda a, _: a**0.7,
        lambda a, _: mpfr.pow(a, 0.7),
        lambda a, _, out, g: (0.7 * mpfr.pow(a, 0.7 - 1) * g, 0),
    ),
    (lambda a, _: a.exp(), lambda a, _: mpfr.exp(a), lambda a, _, out, g: (out * g, 0)),
    (lambda a, _: a.expm1(), lambda a, _: mpfr.expm1(a), lambda a, _, out, g: ((out + 1) * g, 0)),
    (lambda a, _: a.log(), lambda a, _: mpfr.log(a), lambda a, _, out, g: (g / a, 0)),
    (lambda a, _: a.log1p(), lambda a, _: mpfr.log1p(a), lambda a, _, out, g: (g / (1 + a), 0)),
    (lambda a, _: a.sqrt(), lambda a, _: math.sqrt(a), lambda a, _, out, g: (g / (2 * out), 0)),
    (lambda a, _: a.sin(), lambda a, _: mpfr.sin(a), lambda a, _, out, g: (mpfr.cos(a) * g, 0)),
    (lambda a, _: a.cos(), lambda a, _: mpfr.cos(a), lambda a, _, out, g: (-mpfr.sin(a) * g, 0)),
    (lambda a, _: a.atan(), lambda a, _: mpfr.atan(a), lambda a, _, out, g: (g / (1 + a * a), 0)),
    (
        lambda a, _: a.tanh(),
        lambda a, _: mpfr.tanh(a),
        lambda a, _, out, g: ((1 - out * out) * g, 0),
    ),
    (
        lambda a, _: a.sigmoid(),
        lambda a, _: mpfr.sigmoid(a),
        lambda a, _, out, g: (out * (1 - out) * g, 0),
    ),
    (
        lambda a, _: a.softplus(),
        lambda a, _: mpfr.softplus(a),
        lambda a, _, out, g: (mpfr.sigmoid(a) * g, 0),
    ),
    (
        lambda a, _: a.erf(),
        lambda a, _: mpfr.erf(a),
        lambda a, _, out, g: (2 / math.sqrt(math.pi) * mpfr.exp(-(a * a)) * g, 0),
    ),
]


@pytest.mark.parametrize(("fn", "data", "grads"), FORMULAS)
def test_a_formula_is_computed_in_its_order(mg, fn, data, grads):
    rng = random.Random(8)
    for _ in range(100):
        x, y, g = (rng.uniform(0.1, 4) for _ in range(3))
        a, b = mg.Value(x), mg.Value(y)
        out = fn(a, b)
        (out * g).backward()
        assert out.data == data(x, y)
        assert (a.grad, b.grad) == grads(x, y, out.data, g)


def test_gelu_is_the_product_of_its_five_nodes(mg):
    for x in (-20.0, -1.5, -0.0, 0.3, 2.0, 1e308):
        a = mg.Value(x)
        out = a.gelu()
        out.backward()
        half, twice = x * 0.5, 1.0 + mpfr.erf(x / math.sqrt(2.0))
        assert bits(out.data) == bits(half * twice)
        slope = 2 / math.sqrt(math.pi) * mpfr.exp(-((x / math.sqrt(2.0)) * (x / math.sqrt(2.0))))
        assert a.grad == slope * half / math.sqrt(2.0) + twice * 0.5
        assert [v._op for v in (out, *out._children)] == ["*", "*", "+"]


def test_a_quotient_is_rounded_once(mg):
    assert (mg.Value(49.0) / mg.Value(49.0)).data == 1.0  # 49 * (1 / 49) is 0.9999999999999999


def test_an_augmented_assignment_makes_a_new_node(mg):
    for assign, data in (
        (operator.iadd, 8.0),
        (operator.isub, 4.0),
        (operator.imul, 12.0),
        (operator.itruediv, 3.0),
        (operator.ipow, 36.0),
    ):
        a = mg.Value(6.0)
        out = assign(a, mg.Value(2.0))
        assert out is not a
        assert out._children[0] is a
        assert (out.data, a.data) == (data, 6.0)


# Mixing with numbers

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.mark.parametrize("x", NUMBERS, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("fn", BINARY, ids=lambda fn: fn.__name__)
def test_a_number_mixes_with_a_value_on_either_side(mg, fn, x):
    a = mg.Value(3.0)
    for out, expected in ((fn(a, x), fn(3.0, float(x))), (fn(x, a), fn(float(x), 3.0))):
        assert type(out) is mg.Value
        assert out.data == expected


@pytest.mark.parametrize("fn", [*BINARY[:-1]], ids=lambda fn: fn.__name__)
def test_a_number_operand_becomes_a_leaf_in_its_place(mg, fn):
    a = mg.Value(3.0)
    left, right = fn(2, a), fn(a, 2)
    assert left._children[1] is a
    assert right._children[0] is a
    for constant in (left._children[0], right._children[1]):
        assert (constant.data, constant._op, constant._children) == (2.0, "", ())


def test_a_constant_receives_a_gradient(mg):
    a = mg.Value(3.0)
    out = 2 * a
    out.backward()
    assert out._children[0].grad == 3.0


def test_mixing_keeps_the_typed_order_of_operands(mg):
    a, b = mg.Value(3.0), mg.Value(2.0)
    for fn in BINARY:
        assert fn(a, b)._children == (a, b)
        assert fn(b, a)._children == (b, a)
        assert fn(a, a)._children == (a, a)


# IEEE-754 arithmetic: nothing raises, as in NumPy and PyTorch. What, how, data.

SPECIAL = [
    ("1e308 * 10 overflows", lambda V: V(1e308) * V(10.0), inf),
    ("-1e308 - 1e308 overflows", lambda V: V(-1e308) - V(1e308), -inf),
    ("inf - inf", lambda V: V(inf) - V(inf), nan),
    ("0 * inf", lambda V: V(0.0) * V(inf), nan),
    ("5e-324 / 2 underflows", lambda V: V(5e-324) / V(2.0), 0.0),
    ("-0.0 + -0.0", lambda V: V(-0.0) + V(-0.0), -0.0),
    ("-0.0 + 0.0", lambda V: V(-0.0) + V(0.0), 0.0),
    ("0 - 0.0", lambda V: 0 - V(0.0), 0.0),
    ("neg 0.0", lambda V: -V(0.0), -0.0),
    ("1 / 0", lambda V: 1 / V(0.0), inf),
    ("1 / -0.0", lambda V: 1 / V(-0.0), -inf),
    ("-1 / 0", lambda V: -1 / V(0.0), -inf),
    ("0 / 0", lambda V: 0 / V(0.0), nan),
    ("nan / 0", lambda V: nan / V(0.0), nan),
    ("inf / 0", lambda V: inf / V(0.0), inf),
    ("inf / inf", lambda V: inf / V(inf), nan),
    ("1 / inf", lambda V: 1 / V(-inf), -0.0),
    ("exp 1000", lambda V: V(1000.0).exp(), inf),
    ("exp -1000", lambda V: V(-1000.0).exp(), 0.0),
    ("exp nan", lambda V: V(nan).exp(), nan),
    ("exp -inf", lambda V: V(-inf).exp(), 0.0),
    ("expm1 1000", lambda V: V(1000.0).expm1(), inf),
    ("expm1 -1000", lambda V: V(-1000.0).expm1(), -1.0),
    ("expm1 -inf", lambda V: V(-inf).expm1(), -1.0),
    ("expm1 -0.0", lambda V: V(-0.0).expm1(), -0.0),
    ("log 0", lambda V: V(0.0).log(), -inf),
    ("log -0.0", lambda V: V(-0.0).log(), -inf),
    ("log -1", lambda V: V(-1.0).log(), nan),
    ("log inf", lambda V: V(inf).log(), inf),
    ("log nan", lambda V: V(nan).log(), nan),
    ("log1p -1", lambda V: V(-1.0).log1p(), -inf),
    ("log1p -2", lambda V: V(-2.0).log1p(), nan),
    ("log1p -inf", lambda V: V(-inf).log1p(), nan),
    ("log1p -0.0", lambda V: V(-0.0).log1p(), -0.0),
    ("sqrt -1", lambda V: V(-1.0).sqrt(), nan),
    ("sqrt -0.0", lambda V: V(-0.0).sqrt(), -0.0),
    ("sqrt inf", lambda V: V(inf).sqrt(), inf),
    ("sqrt nan", lambda V: V(nan).sqrt(), nan),
    ("sin inf", lambda V: V(inf).sin(), nan),
    ("sin -0.0", lambda V: V(-0.0).sin(), -0.0),
    ("cos -inf", lambda V: V(-inf).cos(), nan),
    ("cos nan", lambda V: V(nan).cos(), nan),
    ("atan -inf", lambda V: V(-inf).atan(), -1.5707963267948966),
    ("atan -0.0", lambda V: V(-0.0).atan(), -0.0),
    ("tanh 1000", lambda V: V(1000.0).tanh(), 1.0),
    ("tanh -inf", lambda V: V(-inf).tanh(), -1.0),
    ("tanh nan", lambda V: V(nan).tanh(), nan),
    ("sigmoid 1000", lambda V: V(1000.0).sigmoid(), 1.0),
    ("sigmoid -1000", lambda V: V(-1000.0).sigmoid(), 0.0),
    ("sigmoid -700", lambda V: V(-700.0).sigmoid(), math.exp(-700)),
    ("sigmoid nan", lambda V: V(nan).sigmoid(), nan),
    ("softplus 1000", lambda V: V(1000.0).softplus(), 1000.0),
    ("softplus -1000", lambda V: V(-1000.0).softplus(), 0.0),
    ("softplus -700", lambda V: V(-700.0).softplus(), 9.859676543759770e-305),
    ("softplus -inf", lambda V: V(-inf).softplus(), 0.0),
    ("erf 1000", lambda V: V(1000.0).erf(), 1.0),
    ("erf -inf", lambda V: V(-inf).erf(), -1.0),
    ("erf -0.0", lambda V: V(-0.0).erf(), -0.0),
    ("relu 0", lambda V: V(0.0).relu(), 0.0),
    ("relu -0.0", lambda V: V(-0.0).relu(), 0.0),
    ("relu inf", lambda V: V(inf).relu(), inf),
    ("relu -inf", lambda V: V(-inf).relu(), 0.0),
    ("relu nan", lambda V: V(nan).relu(), nan),
    ("abs -0.0", lambda V: abs(V(-0.0)), 0.0),
    ("abs -inf", lambda V: abs(V(-inf)), inf),
    ("abs nan", lambda V: abs(V(nan)), nan),
    ("0 ** 0", lambda V: V(0.0) ** 0, 1.0),
    ("nan ** 0", lambda V: V(nan) ** 0, 1.0),
    ("0 ** -1", lambda V: V(0.0) ** -1, inf),
    ("-0.0 ** -1", lambda V: V(-0.0) ** -1, -inf),
    ("-0.0 ** -2", lambda V: V(-0.0) ** -2, inf),
    ("-0.0 ** -3", lambda V: V(-0.0) ** -3, -inf),
    ("-0.0 ** -0.5", lambda V: V(-0.0) ** -0.5, inf),
    ("0 ** -inf", lambda V: V(0.0) ** -inf, inf),
    ("-8 ** (1/3)", lambda V: V(-8.0) ** (1 / 3), nan),
    ("10 ** 400", lambda V: V(10.0) ** 400, inf),
    ("-10 ** 401", lambda V: V(-10.0) ** 401, -inf),
    ("-10 ** 400", lambda V: V(-10.0) ** 400, inf),
    ("-1 ** inf", lambda V: V(-1.0) ** inf, 1.0),
    ("1 ** nan", lambda V: V(1.0) ** nan, 1.0),
    ("1e200 squared", lambda V: V(1e200) ** 2, inf),
    ("-1e200 cubed", lambda V: V(-1e200) ** 3, -inf),
    ("0 ** Value(0)", lambda V: 0 ** V(0.0), 1.0),
    ("0 ** Value(-1)", lambda V: 0 ** V(-1.0), inf),
    ("-2 ** Value(0.5)", lambda V: (-2) ** V(0.5), nan),
    ("10 ** Value(400)", lambda V: 10 ** V(400.0), inf),
]


@pytest.mark.parametrize(
    ("fn", "data"), [case[1:] for case in SPECIAL], ids=[c[0] for c in SPECIAL]
)
def test_arithmetic_is_ieee_754(mg, fn, data):
    assert bits(fn(mg.Value).data) == bits(data)


# What, a function of one Value, its data, its grad.
SPECIAL_GRADIENTS = [
    ("abs at 0", abs, 0.0, 0.0),
    ("abs at -0.0", abs, -0.0, 0.0),
    ("abs at nan", abs, nan, nan),
    ("abs at 0 under inf", lambda a: abs(a) * inf, 0.0, 0.0),
    ("a ** 0 under inf", lambda a: a**0 * inf, 2.0, 0.0),
    ("relu at -1 under inf", lambda a: a.relu() * inf, -1.0, 0.0),
    ("relu at 0", lambda a: a.relu(), 0.0, 0.0),
    ("relu at nan", lambda a: a.relu(), nan, 0.0),
    ("relu at inf", lambda a: a.relu(), inf, 1.0),
    ("sqrt at 0", lambda a: a.sqrt(), 0.0, inf),
    ("sqrt at -0.0", lambda a: a.sqrt(), -0.0, -inf),
    ("log at 0", lambda a: a.log(), 0.0, inf),
    ("log at -2", lambda a: a.log(), -2.0, -0.5),
    ("exp at 1000", lambda a: a.exp(), 1000.0, inf),
    ("tanh at 1000", lambda a: a.tanh(), 1000.0, 0.0),
    ("expm1 at -1000", lambda a: a.expm1(), -1000.0, 0.0),
    ("log1p at -1", lambda a: a.log1p(), -1.0, inf),
    ("atan at 1e200", lambda a: a.atan(), 1e200, 0.0),
    ("softplus at 1000", lambda a: a.softplus(), 1000.0, 1.0),
    ("erf at 1e200", lambda a: a.erf(), 1e200, 0.0),
    ("sigmoid at -1000", lambda a: a.sigmoid(), -1000.0, 0.0),
    ("1 / a at 0", lambda a: 1 / a, 0.0, -inf),
    ("a / 0", lambda a: a / 0, 1.0, inf),
    ("a ** 0 at 0", lambda a: a**0, 0.0, 0.0),
    ("a ** 0 at nan", lambda a: a**0, nan, 0.0),
    ("a ** 1 at inf", lambda a: a**1, inf, 1.0),
    ("a ** 2 at 0", lambda a: a**2, 0.0, 0.0),
    ("a ** 0.5 at 0", lambda a: a**0.5, 0.0, inf),
    ("a ** -1 at 0", lambda a: a**-1, 0.0, -inf),
    ("0 ** b at 2", lambda b: 0**b, 2.0, 0.0),
    ("0 ** b at 0", lambda b: 0**b, 0.0, 0.0),
    ("0 ** b at -1", lambda b: 0**b, -1.0, -inf),
    ("-2 ** b at 2", lambda b: (-2) ** b, 2.0, nan),
]


@pytest.mark.parametrize(
    ("fn", "x", "grad"), [c[1:] for c in SPECIAL_GRADIENTS], ids=[c[0] for c in SPECIAL_GRADIENTS]
)
def test_gradients_at_special_points_are_ieee_754(mg, fn, x, grad):
    a = mg.Value(x)
    fn(a).backward()
    assert bits(a.grad) == bits(grad)


def test_the_gradient_of_a_base_is_0_for_an_exponent_of_0(mg):
    a, b = mg.Value(0.0), mg.Value(0.0)
    (a**b).backward()
    assert (a.grad, b.grad) == (0.0, 0.0)


def test_a_format_is_that_of_the_data(mg):
    v = mg.Value(3.14159)
    assert f"{v:.2f}|{v:>8.1f}|{v:e}" == "3.14|     3.1|3.141590e+00"
    assert f"{v}" == format(v, "") == str(v) == "Value(data=3.14159)"
    with pytest.raises(ValueError, match="Unknown format code 's'"):
        format(v, "s")


# NumPy


def test_an_array_and_a_value_meet_elementwise(mg):
    a, array = mg.Value(3.0), np.array([[1.0, 2.0], [4.0, 8.0]])
    for fn in BINARY:
        for out, expected in ((fn(a, array), fn(3.0, array)), (fn(array, a), fn(array, 3.0))):
            assert out.dtype == object
            assert [[v.data for v in row] for row in out] == expected.tolist()


def test_an_array_and_a_value_compare_elementwise(mg):
    a, array = mg.Value(3.0), np.array([1.0, 3.0, 4.0])
    for relation in RELATIONS:
        assert relation(a, array).tolist() == relation(3.0, array).tolist()
        assert relation(array, a).tolist() == relation(array, 3.0).tolist()


def test_arrays_of_values_work_with_operators_sum_and_matmul(mg):
    m = np.array([[mg.Value(1.0), mg.Value(2.0)], [mg.Value(3.0), mg.Value(4.0)]])
    assert [v.data for v in m @ np.array([10.0, 1.0])] == [12.0, 34.0]
    assert m.sum().data == 10.0
    assert [v.data for v in (2 * m - m / 2)[1]] == [4.5, 6.0]


@pytest.mark.parametrize("name", UFUNCS)
def test_a_numpy_function_calls_the_method_of_its_name(mg, name):
    out = getattr(np, name)(np.array([mg.Value(0.5)]))[0]
    assert out._op == name
    assert out.data == getattr(math, name)(0.5)


# dot and sum


@pytest.mark.parametrize(("a", "b"), [(2.0, -1.0), (-1.0, 2.0), (3.0, 3.0), (0.0, -0.0)])
def test_the_maximum_is_one_of_two_and_takes_the_gradient(mg, a, b):
    a, b = mg.Value(a), mg.Value(b)
    out = mg.maximum(a, b)
    assert (out._op, out._children) == ("maximum", (a, b))
    assert bits(out.data) == bits(max(a.data, b.data))
    out.backward()
    assert (a.grad, b.grad) == ((1.0, 0.0) if a >= b else (0.0, 1.0))


def test_the_maximum_of_a_nan_is_nan_and_gives_it_the_gradient(mg):
    for a, b in ((math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)):
        x, y = mg.Value(a), mg.Value(b)
        out = mg.maximum(x, y)
        out.backward()
        assert math.isnan(out.data)
        assert (x.grad, y.grad) == ((1.0, 0.0) if math.isnan(a) else (0.0, 1.0))


def test_the_maximum_takes_numbers_for_constants(mg):
    out = mg.maximum(1, 2.5)
    assert (type(out), out.data) == (mg.Value, 2.5)
    x = mg.Value(-3.0)
    assert mg.Tape(mg.maximum(x, 0)).parameters == (x,)


def test_dot_is_one_node_over_start_and_pairs(mg):
    xs, ys, start = [mg.Value(1.0), mg.Value(2.0)], [mg.Value(3.0), mg.Value(4.0)], mg.Value(5.0)
    out = mg.dot(xs, ys, start)
    assert out._op == "dot"
    assert out._children == (start, xs[0], ys[0], xs[1], ys[1])
    assert out.data == 16.0  # 5 + 1 * 3 + 2 * 4
    out.backward()
    assert [v.grad for v in out._children] == [1.0, 3.0, 1.0, 4.0, 2.0]


def test_sum_is_one_node_over_start_and_terms(mg):
    xs, start = [mg.Value(1.0), mg.Value(2.0)], mg.Value(5.0)
    out = mg.sum(xs, start)
    assert out._op == "sum"
    assert out._children == (start, *xs)
    assert out.data == 8.0
    out.backward()
    assert [v.grad for v in out._children] == [1.0, 1.0, 1.0]


def test_dot_and_sum_start_from_0_and_take_numbers(mg):
    product, total = mg.dot([1, mg.Value(2.0)], [3.0, np.float64(4)]), mg.sum([1, True, 2.5])
    assert (product.data, total.data) == (11.0, 4.5)
    assert product._children[0].data == total._children[0].data == 0.0
    assert mg.dot([1], [2], start=3).data == 5.0
    assert mg.sum([1], start=3).data == 4.0


def test_dot_and_sum_of_nothing_are_their_start(mg):
    start = mg.Value(-0.0)
    for out in (mg.dot([], [], start), mg.sum([], start)):
        assert bits(out.data) == bits(-0.0)
        assert out._children == (start,)
        start.grad = 0.0
        out.backward()
        assert start.grad == 1.0


def test_dot_and_sum_take_any_iterable(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    assert mg.dot((x for x in (a, b)), iter([b, a]))._children[1:] == (a, b, b, a)
    assert mg.sum(x for x in (a, b))._children[1:] == (a, b)
    assert mg.dot(np.array([a, b]), np.array([1.0, 2.0])).data == 8.0
    assert mg.sum({a: 1, b: 2}).data == 5.0


def test_a_generator_given_to_dot_may_build_and_differentiate_graphs(mg):
    w = mg.Value(2.0)

    def terms():
        for i in range(3):
            (w * i).backward()
            yield w * w.grad

    out = mg.dot(terms(), terms())
    assert out.data == 2.0 * 2.0 * (0 * 3 + 1 * 4 + 3 * 6)  # w.grad: 0, 1, 3, then 3, 4, 6


def test_dot_has_read_its_first_list_before_it_reads_the_second(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    xs = [a, b]

    def ys():
        xs.clear()
        yield from (10.0, 1.0)

    out = mg.dot(xs, ys())
    assert out.data == 23.0
    assert (out._children[1], out._children[3]) == (a, b)


def test_the_lists_given_to_dot_and_sum_are_not_kept(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    xs = [a, b]
    product, total = mg.dot(xs, xs), mg.sum(xs)
    xs.clear()
    (product + total).backward()
    assert product._children[1:] == (a, a, b, b)
    assert total._children[1:] == (a, b)
    assert (a.grad, b.grad) == (5.0, 7.0)


def test_sum_of_repeated_terms_adds_their_gradients(mg):
    a = mg.Value(2.0)
    out = mg.sum([a, a, a], a)
    out.backward()
    assert (out.data, a.grad) == (8.0, 4.0)


def test_dot_of_a_vector_with_itself_has_twice_the_vector_as_gradient(mg):
    xs = [mg.Value(1.5), mg.Value(-2.0)]
    mg.dot(xs, xs).backward()
    assert [x.grad for x in xs] == [3.0, -4.0]


def test_sum_is_not_exported_by_a_star_import(mg):
    namespace = {}
    exec(f"from {mg.__name__} import *", namespace)
    assert "sum" not in namespace
    assert "dot" in namespace


# Subclasses


def test_an_operation_on_instances_of_a_subclass_gives_a_plain_value(mg):
    class Parameter(mg.Value):
        pass

    p = Parameter(2.0, label="p")
    assert repr(p) == "Value(data=2.0)"
    for out in (p + p, -p, p**2, p.tanh(), mg.dot([p], [p]), 1 - p):
        assert type(out) is mg.Value


def test_a_subclass_may_have_attributes_and_methods(mg):
    class Named(mg.Value):
        def __init__(self, data, name):
            super().__init__(data, label=name)
            self.name = name

        def double(self):
            return self + self

    v = Named(2.0, "n")
    v.double().backward()
    assert (v.name, v.label, v.grad) == ("n", "n", 2.0)


def test_a_subclass_that_skips_the_initialiser_is_a_leaf_of_0(mg):
    class Bare(mg.Value):
        def __init__(self):
            pass

    v = Bare()
    (v + 1.0).backward()
    assert (v.data, v.grad, v.label, v._op, v._children) == (0.0, 1.0, "", "", ())


def test_equality_is_identity(mg):
    a, b = mg.Value(1.0), mg.Value(1.0)
    assert a == a
    assert a != b
    assert a != 1.0
    assert (a.__eq__(a), a.__ne__(a)) == (True, False)
    assert a.__eq__(b) is a.__ne__(b) is NotImplemented


def test_the_attributes_can_be_deleted_together(mg):
    a = mg.Value(1.0, label="a")
    a.m = 2.0
    del a.__dict__
    assert (vars(a), a.label) == ({}, "")
    del a.__dict__
    del a.__dict__
    a.m = 3.0
    assert vars(a) == {"m": 3.0}
    assert a.data == 1.0
