"""One training step of micrograd's moons demo: 100 points, MLP 2-16-16-1, hinge loss, L2, SGD.

The whole batch, forward, backward and update; with the demo's relu, and with tanh in its place.
micrograd and the twins run the demo's own code with only the imports changed; "fused" is the step
as one writes it with dot, sum and SGD; "Tape" is the loss of one point, recorded once and replayed
over the batch; the others compute the same step as a program of arrays, which is natural to them,
on the same weights.
"""

import itertools
import random
from functools import partial

import numpy as np

from .measure import Task, Workload, each
from .python import by_optimizer
from .scalars import scalars

ALPHA = 1e-4
SIZES = [(2, 16), (16, 16), (16, 1)]


def two_moons(n=100, noise=0.1, seed=1337):
    """Two interleaved half circles with noise: points (n, 2) and labels -1 or 1, shuffled."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, np.pi, n // 2)
    upper = np.stack([np.cos(t), np.sin(t)], axis=1)
    lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    X = np.concatenate([upper, lower]) + rng.normal(0, noise, (n, 2))
    y = np.repeat([-1, 1], n // 2)
    order = rng.permutation(n)
    return X[order], y[order]


def weights(sizes=SIZES):
    """A matrix and a bias for each layer, drawn as an MLP draws them."""
    random.seed(1337)
    draw = random.uniform
    return [
        (np.array([[draw(-1, 1) for _ in range(nin)] for _ in range(nout)]), np.zeros(nout))
        for nin, nout in sizes
    ]


def in_order(layers):
    """All numbers of the layers, neuron by neuron, as MLP.parameters() has them."""
    return np.concatenate([np.column_stack(layer).ravel() for layer in layers])


def training(step, numbers, note=""):
    """The Task of step(), which trains once and returns the loss; numbers() are the weights."""
    return Task(step, [step(), step(), numbers()], note=note)


def task(step, numbers, note=""):
    """The same for step(rate)."""
    rates = (1.0 - 0.9 * min(k, 100) / 100 for k in itertools.count())
    return training(lambda: step(next(rates)), numbers, note)


def demo(package, activation):
    """The demo's code, https://github.com/karpathy/micrograd/blob/master/demo.ipynb."""
    X, y = two_moons()
    Value = package.Value
    random.seed(1337)
    if package.__name__ == "micrograd.engine":
        from micrograd.nn import MLP

        model = MLP(2, [16, 16, 1])
    else:
        model = package.MLP(2, [16, 16, 1], activation)

    def step(learning_rate):
        # forward
        inputs = [list(map(Value, xrow)) for xrow in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores)]  # noqa: B905
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = ALPHA * sum(p * p for p in model.parameters())
        total_loss = data_loss + reg_loss
        accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores)]  # noqa: B905
        sum(accuracy) / len(accuracy)
        # backward
        model.zero_grad()
        total_loss.backward()
        # update
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        return total_loss.data

    return task(step, lambda: [p.data for p in model.parameters()])


def fused(mg, activation):
    """The same step with what the twins offer for it."""
    X, y = (array.tolist() for array in two_moons())
    random.seed(1337)
    model = mg.MLP(2, [16, 16, 1], activation)
    params = model.parameters()

    def forward():
        losses = [(1 - yi * model(xi)).relu() for xi, yi in zip(X, y, strict=True)]
        loss = mg.sum(losses) * (1.0 / len(losses)) + ALPHA * mg.dot(params, params)
        return loss.data, loss.backward

    return task(by_optimizer(mg.SGD(params, lr=1.0), forward), lambda: [p.data for p in params])


def one_point(mg, activation="relu"):
    """The graph of one point, to record: the parameters, the inputs, the hinge loss."""
    random.seed(1337)
    model = mg.MLP(2, [16, 16, 1], activation)
    *x, y = inputs = [mg.Value(0.0) for _ in range(3)]
    return model.parameters(), inputs, (1 - y * model(x)).relu()


def tape(mg, activation):
    """The same step with the graph of one point, recorded once. The L2 term is in it."""
    points = np.column_stack(two_moons())
    share = np.full(len(points), 1 / len(points))
    params, inputs, loss = one_point(mg, activation)
    recorded = mg.Tape(loss + ALPHA * mg.dot(params, params), inputs)

    def forward():
        losses = recorded.forward(points)
        return float(losses.dot(share)), partial(recorded.backward, share)

    step = by_optimizer(mg.SGD(params, lr=1.0), forward)
    return task(step, lambda: [p.data for p in params], note="recorded once")


def numpy_by_hand(_, activation):
    X, y = two_moons()
    (W1, b1), (W2, b2), (W3, b3) = layers = weights()
    parameters = [x for layer in layers for x in layer]
    n = len(X)
    activate, slope = {
        "relu": (lambda x: np.maximum(x, 0.0), lambda h: h > 0),
        "tanh": (np.tanh, lambda h: 1 - h * h),
    }[activation]

    def step(rate):
        h1 = activate(X @ W1.T + b1)
        h2 = activate(h1 @ W2.T + b2)
        losses = np.maximum(1 - y * (h2 @ W3[0] + b3[0]), 0.0)
        loss = losses.sum() / n + ALPHA * sum((p * p).sum() for p in parameters)
        d3 = np.where(losses > 0, -y / n, 0.0)
        d2 = np.outer(d3, W3[0]) * slope(h2)
        d1 = (d2 @ W2) * slope(h1)
        grads = [d1.T @ X, d1.sum(0), d2.T @ h1, d2.sum(0), (d3 @ h2)[None], d3.sum(keepdims=True)]
        for p, grad in zip(parameters, grads, strict=True):
            p -= rate * (grad + 2 * ALPHA * p)
        return float(loss)

    return task(step, lambda: in_order(layers))


def torch_arrays(torch, activation):
    activate, linear = getattr(torch, activation), torch.nn.functional.linear
    X, y = map(torch.tensor, two_moons())
    layers = [[torch.tensor(array, requires_grad=True) for array in layer] for layer in weights()]
    parameters = [p for layer in layers for p in layer]

    def step(rate):
        h = X
        for W, b in layers[:-1]:
            h = activate(linear(h, W, b))
        scores = linear(h, *layers[-1])[:, 0]
        loss = (1 - y * scores).relu().mean() + ALPHA * sum((p * p).sum() for p in parameters)
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p.sub_(p.grad, alpha=rate)
                p.grad = None
        return loss.item()

    return task(step, lambda: in_order([[p.detach() for p in layer] for layer in layers]))


def arrays(package, activation, note=""):
    """With a numpy that can be differentiated: autograd's, or JAX's, which is compiled."""
    np = package.numpy
    activate = {"relu": lambda x: np.maximum(x, 0.0), "tanh": np.tanh}[activation]
    X, y = map(np.array, two_moons())
    layers = [list(map(np.array, layer)) for layer in weights()]

    def compute_loss(layers):
        h = X
        for W, b in layers[:-1]:
            h = activate(h @ W.T + b)
        W, b = layers[-1]
        scores = (h @ W.T + b)[:, 0]
        squares = sum(np.sum(p * p) for layer in layers for p in layer)
        return np.mean(np.maximum(1 - y * scores, 0.0)) + ALPHA * squares

    def update(layers, rate):
        loss, grads = package.value_and_grad(compute_loss)(layers)
        pairs = zip(layers, grads, strict=True)
        return loss, [[W - rate * dW, b - rate * db] for (W, b), (dW, db) in pairs]

    if hasattr(package, "jit"):
        update = package.jit(update)

    def step(rate):
        nonlocal layers
        loss, layers = update(layers, rate)
        return float(loss)

    return task(step, lambda: in_order(layers), note)


def xad_scalars(xad, activation):
    from xad.math import tanh

    number = scalars(xad)
    activate = number.relu if activation == "relu" else tanh
    X, y = (array.tolist() for array in two_moons())
    numbers = in_order(weights()).tolist()

    def model(params, x):
        params = iter(params)
        for _, nout in SIZES:
            scores = [sum([next(params) * xi for xi in x]) + next(params) for _ in range(nout)]
            x = [activate(score) for score in scores]
        return scores[0]

    def compute_loss(*params):
        losses = [number.relu(1 - yi * model(params, xi)) for xi, yi in zip(X, y, strict=True)]
        return sum(losses) * (1.0 / len(losses)) + ALPHA * sum(p * p for p in params)

    differentiate = number.differentiate(compute_loss, len(numbers))

    def step(rate):
        loss, *grads = differentiate(*numbers)
        numbers[:] = [p - rate * grad for p, grad in zip(numbers, grads, strict=True)]
        return loss

    return task(step, lambda: numbers)


def casadi_matrices(casadi, activation):
    activate = scalars(casadi).relu if activation == "relu" else casadi.tanh
    X, y = two_moons()
    numbers = in_order(weights())
    params = casadi.MX.sym("params", len(numbers))
    h, end = casadi.DM(X.T), 0
    for nin, nout in SIZES:
        begin, end = end, end + (nin + 1) * nout
        # It fills matrices by column, so a neuron's weights and bias arrive as one.
        neurons = casadi.reshape(params[begin:end], nin + 1, nout)
        scores = neurons[:-1, :].T @ h + casadi.repmat(neurons[-1, :].T, 1, len(X))
        h = activate(scores)
    losses = casadi.fmax(1 - casadi.DM(y).T * scores, 0.0)
    loss = casadi.sum2(losses) / len(X) + ALPHA * casadi.sumsqr(params)
    function = casadi.Function("loss", [params], [loss, casadi.gradient(loss, params)])

    def step(rate):
        loss, grad = function(numbers)
        numbers[:] -= rate * grad.full().ravel()
        return float(loss)

    return task(step, lambda: numbers, note="built once")


def contestants(activation):
    return [
        *each(["micrograd_fast", "micrograd_ref"], demo, activation),
        *each(["micrograd_fast, fused", "micrograd_ref, fused"], fused, activation),
        *each(["micrograd_fast, Tape", "micrograd_ref, Tape"], tape, activation),
        ("micrograd", demo, activation) if activation == "relu" else ("micrograd", "has no tanh"),
        ("numpy, by hand", numpy_by_hand, activation),
        ("torch", torch_arrays, activation),
        ("autograd", arrays, activation),
        ("jax.jit", arrays, activation, "compiled once"),
        ("xad", xad_scalars, activation),
        ("casadi, recorded", casadi_matrices, activation),
        ("minigrad", "has no neural networks"),
    ]


TITLE = "micrograd's moons demo: one step on 100 points, MLP 2-16-16-1"
TANH = "the moons demo with tanh in place of relu"
WORKLOADS = [
    Workload("moons", TITLE, "step", contestants("relu"), ["micrograd"], memory=True),
    Workload("moons_tanh", TANH, "step", contestants("tanh"), ["torch"]),
]
