"""gradcheck and crosscheck: that they find what is wrong, and only that."""

import math
import random

import numpy as np
import pytest

from micrograd_ref import crosscheck

# gradcheck


def test_gradcheck_agrees_with_a_right_gradient(mg):
    result = mg.gradcheck(lambda a, b: a * b.tanh() + a**3, [mg.Value(2.0), mg.Value(0.5)])
    assert result.error < 1e-8


def wrong_product(mg, a, b):
    """A product that forgets the gradient of its second operand."""
    out = mg.Value(a.data * b.data, (a, b), "product")

    def step():
        a.grad += b.data * out.grad

    out._backward = step
    return out


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_gradcheck_finds_the_input_whose_gradient_is_wrong(mg, wrong):
    inputs = [mg.Value(2.0), mg.Value(3.0), mg.Value(4.0)]

    def fn(*xs):
        others = [x for i, x in enumerate(xs) if i != wrong]
        return wrong_product(mg, others[0] * others[1], xs[wrong])

    result = mg.gradcheck(fn, inputs)
    expected = math.prod(x.data for i, x in enumerate(inputs) if i != wrong)
    assert isinstance(result, mg.GradCheck)
    assert result.input == wrong
    assert result.backward == 0.0
    assert result.numeric == pytest.approx(expected)
    assert result.error == pytest.approx(1.0)  # relative to the larger


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_nan_is_the_worst_gradient_wherever_it_stands(mg, wrong):
    inputs = [mg.Value(2.0), mg.Value(3.0), mg.Value(4.0)]

    def fn(*xs):
        x = xs[wrong]
        broken = mg.Value(x.data, (x,), "broken")
        broken._backward = lambda: setattr(x, "grad", math.nan)
        return mg.sum(broken if xi is x else xi for xi in xs)

    result = mg.gradcheck(fn, inputs)
    assert math.isnan(result.error)
    assert result.input == wrong
    assert math.isnan(result.backward)
    assert result.numeric == pytest.approx(1.0)


def test_gradcheck_of_order_2_agrees_with_right_second_derivatives(mg):
    inputs = [mg.Value(2.0), mg.Value(0.5)]
    inputs[0].grad = 5.0
    result = mg.gradcheck(
        lambda a, b: a * b.tanh() + squared(mg, a, square_rule) * b, inputs, order=2
    )
    assert result.error < 1e-8
    assert isinstance(result.input, tuple)
    assert (inputs[0].data, inputs[0].grad, inputs[1].grad) == (2.0, 5.0, 0.0)


def square_rule(g, out, a):
    return [2 * a * g]


def squared(mg, a, rule):
    out = mg.Value(a.data**2, (a,), "squared", local_grads=(2 * a.data,))
    out._gradient = rule
    return out


@pytest.mark.parametrize(
    ("rule", "backward"),
    [
        (lambda g, out, a: [2 * a.data * g], 0.0),  # no graph
        (lambda g, out, a: [3 * a * g], 3.0),  # not what its step does
    ],
)
def test_gradcheck_of_order_2_finds_a_wrong_rule(mg, rule, backward):
    class Sub(mg.Value):
        pass

    inputs = [Sub(3.0), mg.Value(4.0)]
    result = mg.gradcheck(lambda a, b: b + squared(mg, a, rule), inputs, order=2)
    assert result.numeric == pytest.approx(2.0)
    assert (result.input, result.backward) == ((0, 0), backward)


def test_gradcheck_has_two_orders(mg):
    for order in (0, 3, "2", None):
        with pytest.raises(ValueError, match=f"order must be 1 or 2, got {order!r}"):
            mg.gradcheck(lambda a: a * a, [mg.Value(1.0)], order=order)


def test_gradcheck_compares_small_gradients_absolutely(mg):
    result = mg.gradcheck(lambda a: a * 1e-12, [mg.Value(1.0)])
    assert result.backward == 1e-12
    assert result.error < 1e-9


def test_gradcheck_takes_its_step_as_an_option(mg):
    x = mg.Value(2.0)
    assert mg.gradcheck(lambda a: a**3, [x], eps=0.5).numeric == 12.25  # 3 x^2 + eps^2


def test_the_step_of_gradcheck_is_taken_as_a_float(mg):
    # In the precision of float32, 1.0 + eps is 1.0.
    eps = np.float32(0.5**30)
    assert mg.gradcheck(lambda x: 2 * x, [mg.Value(1.0)], eps=eps).numeric == 2.0


def test_gradcheck_leaves_its_inputs_as_they_were(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    a.grad, b.grad = 5.0, -0.0
    result = mg.gradcheck(lambda a, b: a * b, [a, b])
    assert result.error < 1e-8
    assert (a.data, a.grad, b.data) == (2.0, 5.0, 3.0)
    assert math.copysign(1.0, b.grad) == -1.0


def test_gradcheck_leaves_its_inputs_as_they_were_when_the_function_raises(mg):
    a = mg.Value(2.0)
    a.grad = 5.0
    calls = []

    def fn(a):
        calls.append(a.data)
        if len(calls) == 2:
            raise LookupError("at the second point")
        return a * 1

    with pytest.raises(LookupError, match="at the second point"):
        mg.gradcheck(fn, [a])
    assert (a.data, a.grad) == (2.0, 5.0)
    assert calls == [2.0, 2.0 + 1e-6]


def test_gradcheck_of_an_input_that_is_not_used_finds_0(mg):
    result = mg.gradcheck(lambda a, b: b * 1, [mg.Value(2.0), mg.Value(3.0)])
    assert result.error < 1e-9


def test_gradcheck_of_one_input_twice_sees_both_uses(mg):
    a = mg.Value(2.0)
    result = mg.gradcheck(lambda x, y: x * y, [a, a])
    assert result.backward == 4.0
    assert result.error < 1e-8


# crosscheck. A function that asks for the package's name stands for a bug in one of the twins.


def is_fast(mg):
    return mg.__name__ == "micrograd_fast"


def test_crosscheck_counts_the_nodes_that_agree():
    def program(mg):
        a = mg.Value(2.0)
        root = a * 3 + a
        root.backward()
        return root

    assert crosscheck(program) == 4


def test_crosscheck_passes_its_arguments_on():
    def program(mg, data, scale):
        assert (data, scale) == ([1.0, 2.0], 3)
        return mg.sum(data) * scale

    assert crosscheck(program, [1.0, 2.0], 3) == 6


def test_crosscheck_takes_several_roots_and_counts_shared_nodes_once():
    def program(mg):
        a = mg.Value(2.0)
        return [a + a, -a]

    assert crosscheck(program) == 3


def test_crosscheck_gives_both_packages_the_same_random_numbers():
    random.seed(5)
    assert crosscheck(lambda mg: mg.MLP(2, [3, 1])([1.0, random.random()])) > 10
    after = random.random()
    random.seed(5)
    for _ in range(2 * 3 + 3 + 1):
        random.random()
    assert after == random.random()


def test_crosscheck_finds_different_data():
    def program(mg):
        a = mg.Value(0.1, label="a")
        return a * (3.0 if is_fast(mg) else 3.0000000000000004)

    message = (
        r"^node 1 \(leaf ''\): data is 3\.0000000000000004 \(0x1\.8000000000001p\+1\) "
        r"in micrograd_ref, 3\.0 \(0x1\.8000000000000p\+1\) in micrograd_fast$"
    )
    with pytest.raises(AssertionError, match=message):
        crosscheck(program)


def test_crosscheck_finds_a_different_sign_of_zero():
    def program(mg):
        return mg.Value(-0.0 if is_fast(mg) else 0.0, label="zero")

    with pytest.raises(AssertionError, match=r"node 0 \(leaf 'zero'\): data is 0\.0 .*, -0\.0 "):
        crosscheck(program)


def test_crosscheck_finds_a_different_grad():
    def program(mg):
        root = mg.Value(1.0) * 2
        root.backward()
        root.grad += is_fast(mg)
        return root

    with pytest.raises(AssertionError, match=r"node 2 \(\* ''\): grad is 1\.0 .*, 2\.0 "):
        crosscheck(program)


def test_crosscheck_finds_a_different_operation():
    def program(mg):
        a = mg.Value(1.0)
        return a**2 if is_fast(mg) else a * a

    with pytest.raises(AssertionError, match=r"node 1 .*: _op is '\*' in .*, '\*\*2' in "):
        crosscheck(program)


def test_crosscheck_finds_a_different_number_of_nodes():
    def program(mg):
        root = mg.Value(1.0)
        return [root, mg.Value(2.0)] if is_fast(mg) else [root]

    message = "^the graph has 1 nodes in micrograd_ref, 2 in micrograd_fast$"
    with pytest.raises(AssertionError, match=message):
        crosscheck(program)


def test_crosscheck_takes_one_nan_for_another():
    def program(mg):
        return mg.Value(-math.nan if is_fast(mg) else math.nan)

    assert crosscheck(program) == 1
