"""Branches: Python takes one for all rows of a Tape, operations take one for each row."""

import math

import numpy as np
import pytest

WAYS_OUT = "maximum, minimum and where let each row take its own"


def test_a_python_branch_is_frozen_and_warned_of(mg):
    x = mg.Value(2.0)
    y = x * 2 if x > 0 else x * 0.01
    with pytest.warns(UserWarning, match=f"an input was compared .*{WAYS_OUT}") as caught:
        tape = mg.Tape(y, inputs=[x])
    assert caught[0].filename == __file__
    assert tape.forward([[2.0], [-2.0]]).tolist() == [4.0, -4.0]


def test_where_lets_each_row_take_its_own_branch(mg):
    x = mg.Value(2.0)
    tape = mg.Tape(mg.where(x, x * 2, x * 0.01), inputs=[x])
    assert tape.forward([[2.0], [-2.0]]).tolist() == [4.0, -0.02]
    tape.backward()
    assert tape.input_grad.tolist() == [[2.0], [0.01]]


def test_the_builtin_max_is_frozen_and_warned_of(mg):
    a, b = mg.Value(3.0), mg.Value(0.0)
    with pytest.warns(UserWarning, match=WAYS_OUT):
        tape = mg.Tape(max(a, b) + 0 * b, inputs=[a, b])
    assert tape.forward([[1.0, 5.0]]).tolist() == [1.0]
    a, b = mg.Value(3.0), mg.Value(0.0)
    tape = mg.Tape(mg.maximum(a, b), inputs=[a, b])
    assert tape.forward([[1.0, 5.0]]).tolist() == [5.0]


@pytest.mark.parametrize("compare", ["__lt__", "__le__", "__gt__", "__ge__"])
def test_a_result_that_depends_on_an_input_is_warned_of_by_its_operation(mg, compare):
    x, p = mg.Value(1.0), mg.Value(2.0)
    y = x * p
    getattr(y, compare)(0.0)
    with pytest.warns(UserWarning, match=r"the result of '\*' was compared"):
        mg.Tape(y + 1, inputs=[x])


def test_the_right_side_of_a_comparison_counts_too(mg):
    x, p = mg.Value(1.0), mg.Value(2.0)
    assert not p < x
    with pytest.warns(UserWarning, match=WAYS_OUT):
        mg.Tape(x * p, inputs=[x])


def test_what_depends_on_no_input_may_be_compared(mg):
    x, p = mg.Value(1.0), mg.Value(2.0)
    assert p > 0
    assert p * p > 0
    assert mg.Value(1.0) < 2
    tape = mg.Tape(x * p, inputs=[x])
    assert tape.forward([[3.0]]).tolist() == [6.0]
    assert tape.forward([[4.0]]).item() < 10


def test_a_warning_that_is_an_error_leaves_the_tape_unrecorded(mg):
    x = mg.Value(1.0)
    assert x > 0
    tape = mg.Tape.__new__(mg.Tape)
    with pytest.raises(UserWarning, match=WAYS_OUT):
        tape.__init__(x * 2, [x])
    assert tape.inputs == ()
    tape.__init__(mg.Value(1.0) * 2)
    assert tape.forward([]) == 2.0


def test_a_mask_is_frozen_but_as_an_input_it_is_not(mg):
    x, keep = mg.Value(1.0), mg.Value(1.0)
    frozen = mg.Tape(x * 0.0, inputs=[x])
    assert frozen.forward([[3.0], [4.0]]).tolist() == [0.0, 0.0]
    tape = mg.Tape(x * keep, inputs=[x, keep])
    assert tape.forward([[3.0, 0.0], [4.0, 1.0]]).tolist() == [0.0, 4.0]


def test_where_is_x_where_c_is_positive(mg):
    for c, taken in ((1.0, 10.0), (0.0, 20.0), (-0.0, 20.0), (-1.0, 20.0), (math.nan, 20.0)):
        c, x, y = (mg.Value(v) for v in (c, 10.0, 20.0))
        out = mg.where(c, x, y)
        assert (out.data, out._op, out._children) == (taken, "where", (c, x, y))
        out.backward()
        assert (c.grad, x.grad, y.grad) == (0.0, float(taken == 10.0), float(taken == 20.0))


def test_where_hides_a_nan_in_the_branch_that_is_not_taken(mg):
    x = mg.Value(math.nan)
    out = mg.where(-1.0, x, 2.0)
    out.backward()
    assert (out.data, x.grad) == (2.0, 0.0)


def test_minimum_takes_the_first_of_equal_ones_and_nan(mg):
    a, b = mg.Value(0.0), mg.Value(-0.0)
    out = mg.minimum(a, b)
    out.backward()
    assert (math.copysign(1, out.data), a.grad, b.grad) == (1.0, 1.0, 0.0)
    for x, y in ((math.nan, 1.0), (1.0, math.nan)):
        assert math.isnan(mg.minimum(x, y).data)
    assert mg.minimum(2.0, 1).data == 1.0


def test_larger_and_smaller_are_1_where_maximum_and_minimum_take_the_first(mg):
    numbers = (-math.inf, -1.0, -0.0, 0.0, 2.0, math.nan)
    for x in numbers:
        for y in numbers:
            a, b = mg.Value(x), mg.Value(y)
            larger, smaller = mg.larger(a, b), mg.smaller(a, b)
            assert (larger._op, smaller._op) == ("larger", "smaller")
            assert larger.data == float(x >= y or x != x)
            assert smaller.data == float(x <= y or x != x)
            (larger + smaller).backward()
            assert (a.grad, b.grad) == (0.0, 0.0)
    assert (mg.larger(3, 2.0).data, mg.smaller(3.0, 2).data) == (1.0, 0.0)


def test_sign_is_a_step_at_zero(mg):
    for x, expected in ((2.5, 1.0), (5e-324, 1.0), (-0.1, -1.0), (-math.inf, -1.0)):
        a = mg.Value(x)
        out = mg.sign(a)
        out.backward()
        assert (out.data, a.grad, out._op) == (expected, 0.0, "sign")
    for zero in (0.0, -0.0):
        assert math.copysign(1.0, mg.sign(zero).data) == 1.0
        assert mg.sign(zero).data == 0.0
    assert math.isnan(mg.sign(math.nan).data)


def test_leaky_relu_has_a_slope_below_zero(mg):
    for data, slope, value, to_x, to_slope in (
        (2.0, 0.01, 2.0, 1.0, 0.0),
        (-2.0, 0.5, -1.0, 0.5, -2.0),
        (0.0, 0.25, 0.0, 0.25, 0.0),
    ):
        x, s = mg.Value(data), mg.Value(slope)
        out = x.leaky_relu(s)
        out.backward()
        assert (out.data, x.grad, s.grad) == (value, to_x, to_slope)
        assert mg.Value(data).leaky_relu(slope).data == value
    assert mg.Value(-1.0).leaky_relu().data == -0.01
    assert math.isnan(mg.Value(math.nan).leaky_relu().data)


def test_silu_is_a_value_times_its_sigmoid(mg):
    x = mg.Value(1.5)
    out = x.silu()
    out.backward()
    s = 1 / (1 + math.exp(-1.5))
    assert out.data == 1.5 * s
    assert x.grad == pytest.approx(s * (1 + 1.5 * (1 - s)), rel=1e-15)


def test_clip_keeps_a_value_between_two_bounds(mg):
    for data, clipped, slope in ((-2.0, -1.0, 0.0), (-1.0, -1.0, 1.0), (0.5, 0.5, 1.0)):
        x = mg.Value(data)
        out = x.clip(-1.0, 1)
        out.backward()
        assert (out.data, x.grad) == (clipped, slope)
    low, high = mg.Value(-1.0), mg.Value(1.0)
    out = mg.Value(3.0).clip(low, high)
    out.backward()
    assert (out.data, low.grad, high.grad) == (1.0, 0.0, 1.0)


def test_operations_that_choose_choose_for_each_row(mg):
    x, y = mg.Value(0.0), mg.Value(0.0)
    outputs = [
        *(mg.minimum(x, y), mg.maximum(x, y), mg.where(x, y, 7.0)),
        *(mg.larger(x, y), mg.smaller(x, y), mg.sign(y)),
        *(x.leaky_relu(0.5), x.clip(-1.0, 1.0), x.silu()),
    ]
    rows = np.array([[2.0, 1.0], [-3.0, 4.0], [0.0, 0.0]])
    found = mg.Tape(outputs, inputs=[x, y]).forward(rows)
    for (a, b), row in zip(rows.tolist(), found.tolist(), strict=True):
        v, w = mg.Value(a), mg.Value(b)
        eager = [
            *(mg.minimum(v, w), mg.maximum(v, w), mg.where(v, w, 7.0)),
            *(mg.larger(v, w), mg.smaller(v, w), mg.sign(w)),
            *(v.leaky_relu(0.5), v.clip(-1.0, 1.0), v.silu()),
        ]
        assert row == [out.data for out in eager]
