"""The losses of nn: their numbers, their gradients, their extremes, and Tapes of them."""

import math

import numpy as np
import pytest

from micrograd_ref.checks import crosscheck

LOGITS = [0.5, -1.0, 2.0]
# scipy.special.softmax(LOGITS) and log_softmax(LOGITS), SciPy 1.17.1
SOFTMAX = [0.1752903921400367, 0.039112573270687456, 0.7855970345892759]
LOG_SOFTMAX = [-1.7413112966571571, -3.241311296657157, -0.24131129665715703]


def values(mg, xs):
    return [mg.Value(x) for x in xs]


def close(expected):
    return pytest.approx(expected, rel=1e-14, abs=1e-14)


def test_mse_is_the_mean_of_the_squares(mg):
    a, b = values(mg, [1.0, 4.0])
    loss = mg.nn.mse([a, b], [3.0, 5.0])
    loss.backward()
    assert (loss.data, a.grad, b.grad) == (2.5, -2.0, -1.0)


def test_hinge_costs_what_is_within_the_margin(mg):
    scores = values(mg, [2.0, 0.5, 0.5])
    loss = mg.nn.hinge(scores, [1, 1, -1])
    loss.backward()
    assert loss.data == close((0.0 + 0.5 + 1.5) / 3)
    assert [x.grad for x in scores] == close([0.0, -1 / 3, 1 / 3])


@pytest.mark.parametrize("logit", [-3.0, 0.0, 0.25])
@pytest.mark.parametrize("target", [0.0, 1.0, 0.3])
def test_binary_cross_entropy_has_the_gradient_of_the_textbook(mg, logit, target):
    x = mg.Value(logit)
    loss = mg.nn.binary_cross_entropy([x], [target])
    loss.backward()
    p = 1 / (1 + math.exp(-logit))
    assert loss.data == close(-target * math.log(p) - (1 - target) * math.log(1 - p))
    assert x.grad == close(p - target)


def test_softmax_is_positive_and_sums_to_one(mg):
    assert [p.data for p in mg.nn.softmax(values(mg, LOGITS))] == close(SOFTMAX)


@pytest.mark.parametrize("target", [0, 1, 2, np.int64(2)])
def test_cross_entropy_is_the_log_of_the_softmax(mg, target):
    logits = values(mg, LOGITS)
    loss = mg.nn.cross_entropy(logits, target)
    loss.backward()
    assert loss.data == close(-LOG_SOFTMAX[target])
    assert [x.grad for x in logits] == close([p - (i == target) for i, p in enumerate(SOFTMAX)])


def test_log_softmax_has_the_numbers_of_pytorch(mg):
    # torch.nn.functional.log_softmax of PyTorch 2.13.0, in float64
    logits = values(mg, [1.0, -2.0, 0.5, 3.0])
    out = mg.log_softmax(logits)
    assert [x.data for x in out] == close(
        [-2.2022534476793516, -5.202253447679352, -2.7022534476793516, -0.20225344767935172]
    )
    mg.dot(out, [1.0, -2.0, 3.0, 0.5]).backward()
    assert [x.grad for x in logits] == close(
        [0.7236156240956519, -2.0137603678189593, 2.832364402148471, -1.5422196584251642]
    )


@pytest.mark.parametrize("target", range(3))
def test_log_softmax_has_the_bits_of_cross_entropy(mg, target):
    for logits in (LOGITS, [0.1, 0.7, -30.0], [1e300, -1e300, 5.0]):
        loss = mg.cross_entropy(values(mg, logits), target)
        assert -mg.log_softmax(logits)[target].data == loss.data


@pytest.mark.parametrize("weights", [[0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])
def test_cross_entropy_takes_a_weight_for_each_class(mg, weights):
    expected = -sum(w * x for w, x in zip(weights, LOG_SOFTMAX, strict=True))
    for target in (weights, np.array(weights), values(mg, weights)):
        assert mg.nn.cross_entropy(values(mg, LOGITS), target).data == close(expected)


@pytest.mark.parametrize("scale", [1e3, 1e300])
def test_large_logits_do_not_overflow(mg, scale):
    logits = values(mg, [scale, -scale, 0.0])
    assert [p.data for p in mg.nn.softmax(logits)] == [1.0, 0.0, 0.0]
    assert mg.nn.cross_entropy(logits, 0).data == 0.0
    assert mg.nn.cross_entropy(logits, 1).data == 2 * scale
    assert mg.nn.binary_cross_entropy(logits[:2], [1, 0]).data == 0.0
    assert mg.nn.binary_cross_entropy(logits[:1], [0]).data == scale


# Where a logit is lost beside another: what PyTorch 2.13 gives.
EXTREMES = [
    ([-1e20, 800.0], 1, 0.0),
    ([800.0, -1e20], 0, 0.0),
    ([-1e25, -5000.0], 1, 0.0),
    ([-1e308, 1e308], 1, 0.0),
    ([1e16, 1e16], 0, math.log(2)),
    ([1e8, 1e8, 1e8], 2, math.log(3)),
    ([-math.inf, 1.0], 1, 0.0),
    ([1.0, -math.inf], 1, math.inf),
]


@pytest.mark.parametrize(("logits", "target", "expected"), EXTREMES)
def test_cross_entropy_is_stable_whatever_the_order_and_the_size_of_the_logits(
    mg, logits, target, expected
):
    leaves = values(mg, logits)
    loss = mg.cross_entropy(leaves, target)
    assert loss.data == close(expected)
    assert mg.Tape(loss, leaves).forward(logits) == loss.data
    assert -mg.log_softmax(leaves)[target].data == loss.data
    powers = [p.data for p in mg.softmax(leaves)]
    assert sum(powers) == close(1.0)
    assert powers[target] == close(math.exp(-expected))
    if all(map(math.isfinite, logits)):
        loss.backward()
        assert [x.grad for x in leaves] == close([p - (i == target) for i, p in enumerate(powers)])


@pytest.mark.parametrize(
    ("logit", "target", "expected"),
    [
        (-math.inf, 1.0, math.inf),
        (1e16, 1.0, 0.0),
        (-1e300, 0.0, 0.0),
        (1e300, 0.0, 1e300),
        (30.0, 1.0, 9.357622968839737e-14),  # mpmath, 1.4
        (-30.0, 0.0, 9.357622968839737e-14),
    ],
)
def test_binary_cross_entropy_is_stable_for_every_size_of_logit(mg, logit, target, expected):
    loss = mg.binary_cross_entropy([logit], [target])
    assert loss.data == pytest.approx(expected, rel=1e-14, abs=2e-16)


def test_a_loss_is_as_stable_under_a_tape_for_every_row(mg):
    logits, target = values(mg, [0.0] * 3), values(mg, [0.0] * 3)
    tape = mg.Tape(mg.nn.cross_entropy(logits, target), [*logits, *target])
    assert tape.parameters == ()
    rows = np.array([[900.0, -5.0, 3.0, 1, 0, 0], [-900.0, 900.0, 0.0, 0, 0, 1]])
    assert tape.forward(rows).tolist() == [0.0, 900.0]
    tape.backward()
    assert tape.input_grad[:, :3] == close(np.array([[0.0, 0, 0], [0, 1, -1]]))


def test_the_zero_of_binary_cross_entropy_is_no_parameter_of_a_tape(mg):
    x = mg.Value(0.5)
    assert mg.Tape(mg.nn.binary_cross_entropy([x], [1.0])).parameters == (x,)


def test_both_packages_give_the_same_bits():
    def program(mg):
        logits = values(mg, [0.3, -7.0, 700.0, 1e-3])
        losses = [
            mg.nn.mse(logits, [1, 2, 3, 4]),
            mg.nn.hinge(logits, [1, -1, 1, -1]),
            mg.nn.binary_cross_entropy(logits, [0, 1, 0.5, 1]),
            mg.nn.cross_entropy(logits, 1),
            mg.nn.cross_entropy(logits, [0.1, 0.2, 0.3, 0.4]),
            *mg.nn.softmax(logits),
            *mg.nn.log_softmax(logits),
        ]
        mg.sum(losses).backward()
        return losses

    assert crosscheck(program) > 100


MISTAKES = {
    "no predictions": (lambda nn: nn.mse([], []), "mse expects as many of both"),
    "lengths": (lambda nn: nn.hinge([1.0, 2.0], [1]), "at least one, got 2 and 1"),
    "no logits": (lambda nn: nn.softmax([]), "softmax expects at least one logit, got none"),
    "no logits to take": (lambda nn: nn.log_softmax([]), "log_softmax expects at least one logit"),
    "weights": (lambda nn: nn.cross_entropy([1.0, 2.0], [1]), "each of 2 classes, got 1"),
    "a target above": (
        lambda nn: nn.binary_cross_entropy([2.0], [3]),
        r"a target of binary_cross_entropy must lie in \[0, 1\], got 3\.0",
    ),
    "a target below, a Value": (
        lambda nn: nn.binary_cross_entropy([2.0, 1.0], [1, nn.Neuron(1).b - 0.5]),
        r"must lie in \[0, 1\], got -0\.5",
    ),
    "a target that is nan": (
        lambda nn: nn.binary_cross_entropy([2.0], [float("nan")]),
        r"must lie in \[0, 1\], got nan",
    ),
    "a class": (lambda nn: nn.cross_entropy([1.0, 2.0], 2), "must be from 0 to 1, got 2"),
    "a class below": (lambda nn: nn.cross_entropy([1.0, 2.0], -1), "must be from 0 to 1, got -1"),
}


SINGLE = {
    "mse": (lambda mg, v: mg.mse(v, 2.0), "the first argument of mse"),
    "hinge": (lambda mg, v: mg.hinge([v], v), "the second argument of hinge"),
    "binary_cross_entropy": (
        lambda mg, v: mg.binary_cross_entropy(v, [1]),
        "the first argument of binary_cross_entropy",
    ),
    "softmax": (lambda mg, v: mg.softmax(v), "the first argument of softmax"),
    "cross_entropy": (lambda mg, v: mg.cross_entropy([v], v), "the target of cross_entropy"),
    "MLP": (lambda mg, v: mg.MLP(1, [1])(v), "the input of MLP"),
    "Layer": (lambda mg, v: mg.Layer(1, 1)(v), "the input of Layer"),
    "Neuron": (lambda mg, v: mg.Neuron(1)(v), "the input of Neuron"),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_value_in_the_place_of_a_sequence_is_an_error_that_shows_the_way(mg, name):
    program, what = SINGLE[name]
    with pytest.raises(TypeError) as caught:
        program(mg, mg.Value(1.0))
    assert str(caught.value) == (
        f"{what} must be a sequence of Values or numbers, not '{mg.__name__}.engine.Value': "
        "write [x] for a single x"
    )


@pytest.mark.parametrize("name", MISTAKES)
def test_what_does_not_fit_is_an_error(mg, name):
    program, message = MISTAKES[name]
    with pytest.raises((ValueError, IndexError), match=message):
        program(mg.nn)
