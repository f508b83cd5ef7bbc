"""The worked numbers of the lecture on micrograd and of micrograd's own demo and tests."""

import random

import numpy as np
import programs
import pytest


def nearly(expected):
    """Within a few units of the last place: approx alone would let 1e-12 pass."""
    return pytest.approx(expected, rel=1e-15, abs=0.0)


def test_the_derivative_of_the_first_polynomial_is_14_at_3(mg):
    x = mg.Value(3.0)
    y = 3 * x**2 - 4 * x + 5
    y.backward()
    assert (y.data, x.grad) == (20.0, 14.0)  # the lecture, f(x) = 3x^2 - 4x + 5


def test_the_derivative_of_the_first_polynomial_vanishes_at_two_thirds(mg):
    x = mg.Value(2 / 3)
    (3 * x**2 - 4 * x + 5).backward()
    assert x.grad == 0.0


def test_the_polynomial_maps_an_array_of_values(mg):
    xs = np.array([mg.Value(x) for x in np.arange(-5, 5, 0.25)])
    ys = 3 * xs**2 - 4 * xs + 5
    assert [y.data for y in ys[:3]] == [100.0, 91.6875, 83.75]  # at -5, -4.75, -4.5


def test_a_difference_quotient_agrees_with_the_slope(mg):
    def d(a, b, c):
        return (mg.Value(a) * mg.Value(b) + mg.Value(c)).data

    assert d(2.0, -3.0, 10.0) == 4.0
    assert d(2.001, -3.0, 10.0) == 3.997
    assert (d(2.001, -3.0, 10.0) - 4.0) / 0.001 == pytest.approx(-3.0000000000001137, rel=1e-9)
    assert (d(2.0, -3.0, 10.0001) - 4.0) / 0.0001 == pytest.approx(0.9999999999976694, rel=1e-9)


def test_a_value_shows_its_data_and_its_operands(mg):
    a, b, c = mg.Value(2), mg.Value(-3.0), mg.Value(10.0)
    d = a * b + c
    assert repr(a) == "Value(data=2.0)"
    assert {repr(child) for child in d._prev} == {"Value(data=-6.0)", "Value(data=10.0)"}
    assert (d._op, a._op) == ("+", "")


def test_backprop_by_hand_reaches_every_node_of_the_expression(mg):
    v = programs.expression(mg)
    assert v["L"].data == -8.0
    v["L"].backward()
    grads = {name: node.grad for name, node in v.items()}
    # The lecture derives these one by one.
    assert grads == {"a": 6.0, "b": -4.0, "c": -2.0, "f": 4.0, "e": -2.0, "d": -2.0, "L": 1.0}


def test_a_step_along_the_gradient_raises_the_result(mg):
    v = programs.expression(mg)
    v["L"].backward()
    for name in "abcf":
        v[name].data += 0.01 * v[name].grad
    L = (v["a"] * v["b"] + v["c"]) * v["f"]
    assert L.data == nearly(-7.286496)  # the lecture, after one step of 0.01


def test_a_bump_of_one_leaf_moves_the_result_by_its_grad(mg):
    v = programs.expression(mg)
    bumped = (v["a"] * v["b"] + (v["c"] + 1e-4)) * v["f"]
    slope = (bumped.data - v["L"].data) / 1e-4
    assert slope == pytest.approx(-1.9999999999953388, rel=1e-9)  # the lecture, h = 1e-4


# The lecture's figures for the neuron are rounded; these are exact: tanh(n) is sqrt(1/2).
NEURON_GRADS = {"x1": -1.5, "x2": 0.5, "w1": 1.0, "w2": 0.0, "b": 0.5}


def test_a_neuron_is_differentiated(mg):
    v = programs.neuron(mg)
    v["o"].backward()
    assert v["n"].data == nearly(0.8813735870195432)
    assert v["o"].data == nearly(0.7071067811865476)
    assert {name: v[name].grad for name in NEURON_GRADS} == nearly(NEURON_GRADS)


def test_a_neuron_is_differentiated_node_by_node(mg):
    v = programs.neuron(mg)
    n, o = v["n"], v["o"]
    both, b = n._children
    x1w1, x2w2 = both._children
    o.grad = 1.0
    o._backward()
    assert n.grad == pytest.approx(0.5)  # do/dn = 1 - o^2
    n._backward()
    assert (both.grad, b.grad) == (n.grad, n.grad)
    b._backward()  # a leaf has nothing to pass on
    both._backward()
    x2w2._backward()
    x1w1._backward()
    assert {name: v[name].grad for name in NEURON_GRADS} == nearly(NEURON_GRADS)


def test_a_large_bias_leaves_the_tanh_nearly_flat(mg):
    n = mg.Value(2.0) * -3.0 + mg.Value(0.0) * 1.0 + 8.0
    o = n.tanh()
    o.backward()
    assert n.data == 2.0
    assert n.grad == pytest.approx(0.0707, abs=5e-5)  # 1 - tanh(2)^2


def test_tanh_taken_apart_gives_the_same_gradients(mg):
    v = programs.neuron_taken_apart(mg)
    v["o"].backward()
    assert v["o"].data == nearly(0.7071067811865476)
    assert {name: v[name].grad for name in NEURON_GRADS} == nearly(NEURON_GRADS)
    figures = {  # data and grad as the lecture's drawing shows them
        "e": (5.8284, 0.0429),
        "less": (4.8284, 0.1464),
        "more": (6.8284, -0.1036),
        "twice": (1.7627, 0.2500),
        "two": (2.0, 0.2203),
    }
    assert {k: (v[k].data, v[k].grad) for k in figures} == {
        k: pytest.approx(expected, abs=5e-5) for k, expected in figures.items()
    }


def test_the_neuron_agrees_with_pytorch(mg):
    v = programs.neuron(mg)
    v["o"].backward()
    # Printed by PyTorch in the lecture; its inputs pass through float32.
    assert v["o"].data == pytest.approx(0.7071066904050358, rel=1e-6)
    grads = [v[name].grad for name in ("x1", "w1", "x2", "w2")]
    printed = [-1.5000003851533106, 1.0000002567688737, 0.5000001283844369, 0.0]
    assert grads == pytest.approx(printed, rel=1e-6)


def test_a_node_used_twice_adds_both_gradients(mg):
    a = mg.Value(3.0)
    b = a + a
    b.backward()
    assert (b.data, a.grad) == (6.0, 2.0)  # the lecture's bug: 1.0


def test_a_node_used_on_two_paths_adds_both_gradients(mg):
    a, b = mg.Value(-2.0), mg.Value(3.0)
    d, e = a * b, a + b
    (d * e).backward()
    assert (a.grad, b.grad) == (-3.0, -8.0)  # the lecture: d = a * b, e = a + b, f = d * e


def test_the_sanity_check_of_micrograd(mg):
    v = programs.sanity_check(mg)
    v["y"].backward()
    assert (v["y"].data, v["x"].grad) == (-20.0, 46.0)  # PyTorch


def test_the_readme_program_of_micrograd(mg):
    v = programs.more_operations(mg)
    v["g"].backward()
    # micrograd's README prints 24.7041, 138.8338 and 645.5773.
    assert v["g"].data == nearly(24.70408163265306)
    assert v["a"].grad == nearly(138.83381924198252)
    assert v["b"].grad == nearly(645.5772594752186)


def test_the_network_of_the_lecture_has_41_parameters(mg):
    assert len(mg.MLP(3, [4, 4, 1]).parameters()) == 41


@pytest.mark.parametrize("seed", range(5))
def test_the_four_samples_train_with_a_loss_that_falls_every_step(mg, seed):
    random.seed(seed)
    model = mg.MLP(3, [4, 4, 1], activation="tanh", output="tanh")
    losses = []
    for _ in range(20):
        scores = [model(x) for x in programs.SAMPLES]
        errors = [(score - y) ** 2 for score, y in zip(scores, programs.TARGETS, strict=True)]
        loss = np.array(errors).sum()
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.01 * p.grad
        losses.append(loss.data)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_forgetting_zero_grad_adds_the_gradients_of_both_steps(mg):
    w = mg.Value(0.5)
    (w * 3).backward()
    (w * 4).backward()
    assert w.grad == 7.0  # the classic mistake: 4.0 was meant


def test_the_moons_demo_of_micrograd(mg):
    random.seed(1337)
    samples = programs.moons_samples()
    model = mg.MLP(2, [16, 16, 1])
    losses, accuracies = [], []
    for k in range(41):
        loss, accuracy = programs.moons_loss(model, samples)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * p.grad
        losses.append(loss.data)
        accuracies.append(accuracy)
    assert losses[0] == 0.8958441028683222  # micrograd's demo prints these
    # micrograd adds gradients in the order of a set of addresses: its last bit varies.
    assert losses[1] == nearly(1.7235905336972022)
    assert accuracies[0] == 0.5
    assert accuracies[40] == 1.0
