"""SGD and Adam."""

import random

import numpy as np
import pytest


def parameters(mg, data, grads):
    params = [mg.Value(x) for x in data]
    for p, g in zip(params, grads, strict=True):
        p.grad = g
    return params


def test_sgd_steps_against_the_gradient(mg):
    params = parameters(mg, [1.0, -2.0], [0.5, 4.0])
    assert mg.SGD(params, 0.25).step() is None
    assert [p.data for p in params] == [0.875, -3.0]
    assert [p.grad for p in params] == [0.5, 4.0]


def test_sgd_gives_the_step_of_the_lecture(mg):
    written_out, stepped = (parameters(mg, [0.1, 0.7], [0.3, 1e-9]) for _ in range(2))
    for p in written_out:
        p.data -= 0.01 * p.grad
    mg.SGD(stepped, 0.01).step()
    assert [p.data for p in stepped] == [p.data for p in written_out]


def test_momentum_keeps_a_share_of_the_steps_before(mg):
    (p,) = params = parameters(mg, [0.0], [1.0])
    optimizer = mg.SGD(params, 0.5, momentum=0.5)
    seen = []
    for grad in (1.0, 1.0, 0.0):
        p.grad = grad
        optimizer.step()
        seen.append(p.data)
    # v = 1, 1.5, 0.75, as torch.optim.SGD has it
    assert seen == [-0.5, -1.25, -1.625]


def test_the_first_step_of_adam_has_the_length_of_the_rate(mg):
    params = parameters(mg, [0.0, 0.0, 0.0], [1e-3, -5.0, 0.0])
    mg.Adam(params, lr=0.1, eps=0.0).step()
    assert [p.data for p in params[:2]] == pytest.approx([-0.1, 0.1], rel=1e-14)
    assert np.isnan(params[2].data)  # 0 / 0; the default eps is there for this


def test_a_parameter_without_gradient_is_not_moved_by_adam(mg):
    (p,) = params = parameters(mg, [3.0], [0.0])
    mg.Adam(params).step()
    assert p.data == 3.0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.1},
        {"lr": 0.01, "betas": (0.5, 0.75), "eps": 0.1},
        {"betas": (0, 0)},
        {"lr": 0.1, "betas": (0.9, 0.0)},
    ],
)
def test_adam_follows_the_paper(mg, settings):
    rng = np.random.default_rng(1)
    data = rng.normal(size=5)
    params = parameters(mg, data, [0.0] * 5)
    optimizer = mg.Adam(params, **settings)
    lr, (beta1, beta2) = settings.get("lr", 0.001), settings.get("betas", (0.9, 0.999))
    m, v, x = np.zeros(5), np.zeros(5), data.copy()
    for t in range(1, 21):
        g = rng.normal(size=5)
        for p, gi in zip(params, g, strict=True):
            p.grad = gi
        optimizer.step()
        # Kingma and Ba, https://arxiv.org/abs/1412.6980, algorithm 1, line by line
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        x = x - lr * m_hat / (np.sqrt(v_hat) + settings.get("eps", 1e-8))
        assert [p.data for p in params] == pytest.approx(x.tolist(), rel=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_zero_grad_clears_every_grad_and_no_data(mg, name):
    params = parameters(mg, [1.0, 2.0], [3.0, 4.0])
    assert getattr(mg, name)(params, 0.1).zero_grad() is None
    assert [(p.data, p.grad) for p in params] == [(1.0, 0.0), (2.0, 0.0)]


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_the_rate_may_follow_a_schedule(mg, name):
    (p,) = params = parameters(mg, [1.0], [1.0])
    optimizer = getattr(mg, name)(params, np.float32(0.5))
    assert type(optimizer.lr) is float
    optimizer.lr = 0
    optimizer.step()
    assert (optimizer.lr, p.data) == (0.0, 1.0)
    optimizer.lr *= 2
    optimizer.lr += 0.25
    optimizer.step()
    assert p.data == pytest.approx(0.75)


def test_settings_are_attributes(mg):
    params = parameters(mg, [1.0], [1.0])
    sgd = mg.SGD(params, 1, momentum=np.float64(0.5))
    adam = mg.Adam(iter(params), 1, betas=[0.5, 0], eps=1)
    assert (sgd.lr, sgd.momentum) == (1.0, 0.5)
    assert (adam.lr, adam.betas, adam.eps) == (1.0, (0.5, 0.0), 1.0)
    assert sgd.params == adam.params == tuple(params)


def test_the_defaults_of_adam_are_those_of_the_paper(mg):
    adam = mg.Adam([mg.Value(1.0)])
    assert (adam.lr, adam.betas, adam.eps) == (0.001, (0.9, 0.999), 1e-8)


def test_a_changed_momentum_counts_from_the_next_step(mg):
    (p,) = params = parameters(mg, [0.0], [1.0])
    optimizer = mg.SGD(params, 1.0)
    optimizer.step()  # keeps no velocity
    optimizer.momentum = 0.5
    optimizer.step()  # v = 1
    optimizer.step()  # v = 1.5
    assert p.data == -3.5


def test_the_list_of_parameters_is_copied(mg):
    params = parameters(mg, [1.0, 1.0], [1.0, 1.0])
    optimizer = mg.SGD(params, 1.0)
    second = params.pop()
    optimizer.step()
    assert second.data == 0.0


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_the_parameters_cannot_be_replaced(mg, name):
    optimizer = getattr(mg, name)(parameters(mg, [1.0], [1.0]), 0.5)
    with pytest.raises(AttributeError):
        optimizer.params = [mg.Value(1.0)]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("SGD", {"lr": -1}),
        ("SGD", {"momentum": 1}),
        ("Adam", {"betas": [0]}),
        ("Adam", {"eps": -1}),
    ],
)
def test_an_optimizer_that_cannot_be_made_anew_stays_what_it_was(mg, name, wrong):
    params = parameters(mg, [1.0], [1.0])
    optimizer = getattr(mg, name)(params, 0.5)
    before = vars(optimizer).copy()
    with pytest.raises(ValueError, match=r"must be at least 0|expects two betas"):
        optimizer.__init__(parameters(mg, [2.0], [2.0]), **{"lr": 0.25, **wrong})
    assert vars(optimizer) == before


def test_a_parameter_may_be_an_instance_of_a_subclass(mg):
    class Parameter(mg.Value):
        pass

    p = Parameter(1.0)
    (p * 3).backward()
    mg.SGD([p], 0.5).step()
    assert p.data == -0.5


@pytest.mark.parametrize(
    "make",
    [
        lambda mg, p: mg.SGD(p, 0.05),
        lambda mg, p: mg.SGD(p, 0.02, momentum=0.9),
        lambda mg, p: mg.Adam(p, 0.05),
    ],
    ids=["SGD", "SGD with momentum", "Adam"],
)
def test_an_optimizer_fits_a_line(mg, make):
    random.seed(3)
    rows = [(x, 2 * x - 1) for x in (random.uniform(-1, 1) for _ in range(20))]
    w, b = mg.Value(0.0), mg.Value(0.0)
    optimizer = make(mg, [w, b])
    for _ in range(400):
        loss = mg.sum((w * x + b - y) ** 2 for x, y in rows) / len(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (w.data, b.data) == pytest.approx((2.0, -1.0), abs=1e-3)
