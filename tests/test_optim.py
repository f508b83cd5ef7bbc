"""The optimizers, and clip_grad_norm."""

import math
import random

import numpy as np
import pytest
from bits import bits

OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop"]


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


# torch.optim of PyTorch 2.13.0, in float64: 1.0 and -0.5 after these grads, one step each.
GRADS = [(0.5, -2.0), (1.5, 0.25), (-1.0, 0.125)]
PYTORCH = [
    ("SGD", {"lr": 0.1, "weight_decay": 0.3}, (0.8201280000000001, -0.30490649999999997)),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3},
        (0.525648, 0.04213350000000004),
    ),
    ("Adam", {"lr": 0.1, "weight_decay": 0.3}, (0.759164500275405, -0.2900891958320975)),
    ("AdamW", {"lr": 0.1}, (0.7797261877589889, -0.3012912107183519)),
    (
        "AdamW",
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.3},
        (0.7096286460596676, -0.2745597511157361),
    ),
    ("RMSprop", {}, (0.8587475153424796, -0.41871663671071613)),
    (
        "RMSprop",
        {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.3, "momentum": 0.5},
        (0.1627213848514327, -0.009954802233955498),
    ),
]


@pytest.mark.parametrize(("name", "settings", "expected"), PYTORCH)
def test_an_optimizer_goes_where_that_of_pytorch_goes(mg, name, settings, expected):
    params = parameters(mg, [1.0, -0.5], [0.0, 0.0])
    optimizer = getattr(mg, name)(params, **settings)
    for grads in GRADS:
        for p, g in zip(params, grads, strict=True):
            p.grad = g
        assert optimizer.step() is None
    assert [p.data for p in params] == pytest.approx(expected, rel=1e-14)
    assert [p.grad for p in params] == list(GRADS[-1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_weight_decay_of_0_leaves_the_gradient_alone(mg, name):
    (p,) = params = parameters(mg, [math.inf], [1.0])
    getattr(mg, name)(params, 0.1, weight_decay=0).step()
    assert p.data == math.inf  # and not 0 * inf


def test_decoupled_decay_leaves_the_averages_alone(mg):
    adam, adamw = parameters(mg, [3.0], [0.5]), parameters(mg, [3.0], [0.5])
    mg.Adam(adam, 0.25).step()
    mg.AdamW(adamw, 0.25, weight_decay=1.0).step()
    assert adamw[0].data == 3.0 * 0.75 - (3.0 - adam[0].data)


def test_a_changed_weight_decay_counts_from_the_next_step(mg):
    params = parameters(mg, [1.0], [0.0])
    for optimizer in (mg.SGD(params, 0.5), mg.AdamW(params, 0.5, weight_decay=0.0)):
        params[0].data = 1.0
        optimizer.step()
        optimizer.weight_decay = 0.5
        optimizer.step()
        assert params[0].data == 0.75
        optimizer.weight_decay = -1
        with pytest.raises(ValueError, match=r"weight_decay must be at least 0 and below inf, got"):
            optimizer.step()
        assert params[0].data == 0.75


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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_zero_grad_clears_every_grad_and_no_data(mg, name):
    params = parameters(mg, [1.0, 2.0], [3.0, 4.0])
    assert getattr(mg, name)(params, 0.1).zero_grad() is None
    assert [(p.data, p.grad) for p in params] == [(1.0, 0.0), (2.0, 0.0)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_rate_may_follow_a_schedule(mg, name):
    (p,) = params = parameters(mg, [1.0], [1.0])
    optimizer = getattr(mg, name)(params, np.float32(0.5))
    assert type(optimizer.lr) is float
    optimizer.lr = 0
    optimizer.step()
    assert (optimizer.lr, p.data) == (0.0, 1.0)
    optimizer.lr *= 2
    optimizer.lr += 0.25
    assert optimizer.lr == 0.25
    optimizer.step()
    assert p.data < 0.8


def test_settings_are_attributes(mg):
    params = parameters(mg, [1.0], [1.0])
    sgd = mg.SGD(params, 1, momentum=np.float64(0.5))
    adam = mg.Adam(iter(params), 1, betas=[0.5, 0], eps=1)
    assert (sgd.lr, sgd.momentum) == (1.0, 0.5)
    assert (adam.lr, adam.betas, adam.eps) == (1.0, (0.5, 0.0), 1.0)
    assert sgd.params == adam.params == tuple(params)


def test_the_defaults_are_those_of_pytorch(mg):
    params = parameters(mg, [1.0], [1.0])
    adamw, rms = mg.AdamW(params), mg.RMSprop(params)
    assert (adamw.lr, adamw.betas, adamw.eps) == (0.001, (0.9, 0.999), 1e-8)
    assert (rms.lr, rms.alpha, rms.eps, rms.momentum) == (0.01, 0.99, 1e-8, 0.0)
    assert (adamw.weight_decay, rms.weight_decay) == (0.01, 0.0)
    assert (mg.SGD(params, 1).weight_decay, mg.Adam(params).weight_decay) == (0.0, 0.0)


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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_parameters_cannot_be_replaced(mg, name):
    optimizer = getattr(mg, name)(parameters(mg, [1.0], [1.0]), 0.5)
    with pytest.raises(AttributeError):
        optimizer.params = [mg.Value(1.0)]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("method", ["step", "zero_grad"])
def test_an_optimizer_that_lost_its_parameters_raises(mg, name, method):
    optimizer = getattr(mg, name)(parameters(mg, [1.0], [1.0]), 0.5)
    optimizer._params = None
    with pytest.raises(TypeError, match="NoneType"):
        getattr(optimizer, method)()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("SGD", {"lr": -1}),
        ("SGD", {"momentum": 1}),
        ("Adam", {"betas": [0]}),
        ("Adam", {"eps": -1}),
        ("AdamW", {"weight_decay": -1}),
        ("RMSprop", {"alpha": 1}),
        ("RMSprop", {"momentum": -1}),
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
        lambda mg, p: mg.AdamW(p, 0.05, weight_decay=1e-3),
        lambda mg, p: mg.RMSprop(p, 0.01, momentum=0.5),
    ],
    ids=["SGD", "SGD with momentum", "Adam", "AdamW", "RMSprop"],
)
def test_an_optimizer_fits_a_line(mg, make):
    random.seed(3)
    rows = [(x, 2 * x - 1) for x in (random.uniform(-1, 1) for _ in range(20))]
    w, b = mg.Value(0.0), mg.Value(0.0)
    optimizer = make(mg, [w, b])
    for _ in range(600):
        loss = mg.sum((w * x + b - y) ** 2 for x, y in rows) / len(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (w.data, b.data) == pytest.approx((2.0, -1.0), abs=5e-3)


# clip_grad_norm


@pytest.mark.parametrize(
    ("max_norm", "expected"),  # torch.nn.utils.clip_grad_norm_ of PyTorch 2.13.0, in float64
    [
        (1.0, [0.23076921301775288, -0.3076922840236705, 0.9230768520710115]),
        (10.0, [2.3076921301775286, -3.076922840236705, 9.230768520710114]),
        (0, [0.0, -0.0, 0.0]),
        (14.0, [3.0, -4.0, 12.0]),
        (math.inf, [3.0, -4.0, 12.0]),
    ],
)
def test_the_norm_of_the_grads_is_clipped_and_returned(mg, max_norm, expected):
    params = parameters(mg, [1.0, 2.0, 3.0], [3.0, -4.0, 12.0])
    norm = mg.clip_grad_norm(iter(params), max_norm)
    assert (type(norm), norm) == (float, 13.0)
    assert [bits(p.grad) for p in params] == [bits(g) for g in expected]
    assert [p.data for p in params] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("grads", "clipped"), [((1.0, math.nan), "nan"), ((1e200, 1.0), "0.0")])
def test_what_is_not_finite_reaches_all_grads_as_in_pytorch(mg, grads, clipped):
    params = parameters(mg, [1.0, 1.0], grads)
    norm = mg.clip_grad_norm(params, 1.0)
    assert str(norm) == {"nan": "nan", "0.0": "inf"}[clipped]  # 1e200 squared is inf
    assert [str(p.grad) for p in params] == [clipped] * 2


@pytest.mark.parametrize(
    ("params", "max_norm", "kind", "message"),
    [
        ([], 1.0, ValueError, "clip_grad_norm needs at least one parameter, got none"),
        ("twice", 1.0, ValueError, "clip_grad_norm expects each parameter once, got one twice"),
        ([2.0], 1.0, TypeError, "a parameter must be a Value, not 'float'"),
        ("once", -1, ValueError, "max_norm must be at least 0, got -1.0"),
        ("once", math.nan, ValueError, "max_norm must be at least 0, got nan"),
        ("once", "1", TypeError, "max_norm must be a real number, not 'str'"),
    ],
)
def test_clipping_refuses(mg, params, max_norm, kind, message):
    (p,) = parameters(mg, [1.0], [5.0])
    params = {"once": [p], "twice": [p, p]}.get(str(params), params)
    with pytest.raises(kind) as error:
        mg.clip_grad_norm(params, max_norm)
    assert str(error.value) == message
    assert p.grad == 5.0
