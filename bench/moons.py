"""One training step of micrograd's moons demo: 100 points, MLP 2-16-16-1, hinge loss, L2, SGD.

The whole batch, forward, backward and update; with the demo's relu, and with tanh in its place.
micrograd and the twins run the demo's own code with only the imports changed; "fused" is the step
as one writes it with dot, sum and SGD; "Tape" is the loss of one point, recorded once and replayed
over the batch; the others compute the same step as a program of arrays, which is natural to them,
on the same weights.
"""

import random
from functools import partial

import numpy as np

from .measure import Task, Workload

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


def learning_rate(step):
    return 1.0 - 0.9 * min(step, 100) / 100


def weights():
    """A matrix and a bias for each layer, drawn as MLP(2, [16, 16, 1]) draws them."""
    random.seed(1337)
    layers = []
    for nin, nout in SIZES:
        W = np.array([[random.uniform(-1, 1) for _ in range(nin)] for _ in range(nout)])
        layers.append((W, np.zeros(nout)))
    return layers


def in_order(layers):
    """Matrices and biases as one list, neuron by neuron, as MLP.parameters() has them."""
    return [x for W, b in layers for x in np.column_stack([np.asarray(W), np.asarray(b)]).ravel()]


def demo(Value, MLP):
    """The demo's code, https://github.com/karpathy/micrograd/blob/master/demo.ipynb."""
    X, y = two_moons()
    random.seed(1337)
    model = MLP(2, [16, 16, 1])
    k = -1

    def run():
        nonlocal k
        k += 1
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
            p.data -= learning_rate(k) * p.grad
        return total_loss.data

    return Task(run, [run(), run()] + [p.data for p in model.parameters()])


def micrograd(activation):
    from micrograd.engine import Value
    from micrograd.nn import MLP

    return demo(Value, MLP)


def fast(activation):
    from micrograd_fast import MLP, Value

    return demo(Value, partial(MLP, activation=activation))


def ref(activation):
    from micrograd_ref import MLP, Value

    return demo(Value, partial(MLP, activation=activation))


def fused(mg, activation):
    """The same step with what the twins offer for it."""
    X, y = two_moons()
    X, y = X.tolist(), y.tolist()
    random.seed(1337)
    model = mg.MLP(2, [16, 16, 1], activation)
    params = model.parameters()
    optimizer = mg.SGD(params, lr=1.0)
    k = -1

    def run():
        nonlocal k
        k += 1
        losses = [(1 - yi * model(xi)).relu() for xi, yi in zip(X, y, strict=True)]
        loss = mg.sum(losses) * (1.0 / len(losses)) + ALPHA * mg.dot(params, params)
        optimizer.zero_grad()
        loss.backward()
        optimizer.lr = learning_rate(k)
        optimizer.step()
        return loss.data

    return Task(run, [run(), run()] + [p.data for p in params])


def fast_fused(activation):
    import micrograd_fast

    return fused(micrograd_fast, activation)


def ref_fused(activation):
    import micrograd_ref

    return fused(micrograd_ref, activation)


def tape(mg, activation):
    """The same step with the graph of one point, recorded once. The L2 term is in it."""
    X, y = two_moons()
    points, share = np.column_stack([X, y]), np.full(len(X), 1 / len(X))
    random.seed(1337)
    model = mg.MLP(2, [16, 16, 1], activation)
    params = model.parameters()
    xs, label = [mg.Value(0.0), mg.Value(0.0)], mg.Value(0.0)
    loss = (1 - label * model(xs)).relu() + ALPHA * mg.dot(params, params)
    recorded = mg.Tape(loss, inputs=[*xs, label])
    optimizer = mg.SGD(params, lr=1.0)
    k = -1

    def run():
        nonlocal k
        k += 1
        losses = recorded.forward(points)
        optimizer.zero_grad()
        recorded.backward(share)
        optimizer.lr = learning_rate(k)
        optimizer.step()
        return float(losses @ share)

    return Task(run, [run(), run()] + [p.data for p in params], note="recorded once")


def fast_tape(activation):
    import micrograd_fast

    return tape(micrograd_fast, activation)


def ref_tape(activation):
    import micrograd_ref

    return tape(micrograd_ref, activation)


def numpy_by_hand(activation):
    X, y = two_moons()
    (W1, b1), (W2, b2), (W3, b3) = layers = weights()
    parameters = [x for layer in layers for x in layer]
    n = len(X)
    activate, slope = {
        "relu": (lambda x: np.maximum(x, 0.0), lambda h: h > 0),
        "tanh": (np.tanh, lambda h: 1 - h * h),
    }[activation]
    k = -1

    def run():
        nonlocal k
        k += 1
        h1 = activate(X @ W1.T + b1)
        h2 = activate(h1 @ W2.T + b2)
        losses = np.maximum(1 - y * (h2 @ W3[0] + b3[0]), 0.0)
        loss = losses.sum() / n + ALPHA * sum((p * p).sum() for p in parameters)
        d3 = np.where(losses > 0, -y / n, 0.0)
        d2 = np.outer(d3, W3[0]) * slope(h2)
        d1 = (d2 @ W2) * slope(h1)
        grads = [d1.T @ X, d1.sum(0), d2.T @ h1, d2.sum(0), (d3 @ h2)[None], d3.sum(keepdims=True)]
        for p, grad in zip(parameters, grads, strict=True):
            p -= learning_rate(k) * (grad + 2 * ALPHA * p)
        return float(loss)

    return Task(run, [run(), run(), *in_order(layers)])


def torch(activation):
    import torch
    from torch.nn.functional import linear

    torch.set_num_threads(1)
    activate = {"relu": torch.relu, "tanh": torch.tanh}[activation]
    X, y = (torch.tensor(array, dtype=torch.float64) for array in two_moons())
    layers = [[torch.tensor(array, requires_grad=True) for array in layer] for layer in weights()]
    parameters = [p for layer in layers for p in layer]
    k = -1

    def run():
        nonlocal k
        k += 1
        h = X
        for W, b in layers[:-1]:
            h = activate(linear(h, W, b))
        scores = linear(h, *layers[-1])[:, 0]
        loss = (1 - y * scores).relu().mean() + ALPHA * sum((p * p).sum() for p in parameters)
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p.sub_(p.grad, alpha=learning_rate(k))
                p.grad = None
        return loss.item()

    losses = [run(), run()]
    return Task(run, losses + in_order([[p.detach() for p in layer] for layer in layers]))


def array_loss(np, activation, layers, X, y):
    """The loss in terms of a numpy that can be differentiated: autograd's or jax's."""
    activate = {"relu": lambda x: np.maximum(x, 0.0), "tanh": np.tanh}[activation]
    h = X
    for W, b in layers[:-1]:
        h = activate(h @ W.T + b)
    W, b = layers[-1]
    scores = (h @ W.T + b)[:, 0]
    squares = sum(np.sum(p * p) for layer in layers for p in layer)
    return np.mean(np.maximum(1 - y * scores, 0.0)) + ALPHA * squares


def autograd(activation):
    import autograd.numpy
    from autograd import value_and_grad

    X, y = two_moons()
    layers = weights()
    differentiate = value_and_grad(
        lambda layers: array_loss(autograd.numpy, activation, layers, X, y)
    )
    k = -1

    def run():
        nonlocal k
        k += 1
        loss, grads = differentiate(layers)
        for layer, layer_grads in zip(layers, grads, strict=True):
            for p, grad in zip(layer, layer_grads, strict=True):
                p -= learning_rate(k) * grad
        return float(loss)

    return Task(run, [run(), run(), *in_order(layers)])


def jax_jit(activation):
    import jax

    jax.config.update("jax_enable_x64", True)
    X, y = two_moons()
    layers = jax.tree.map(jax.numpy.asarray, weights())
    differentiate = jax.value_and_grad(
        lambda layers: array_loss(jax.numpy, activation, layers, X, y)
    )
    k = -1

    @jax.jit
    def update(layers, rate):
        loss, grads = differentiate(layers)
        return loss, jax.tree.map(lambda p, grad: p - rate * grad, layers, grads)

    def run():
        nonlocal k, layers
        k += 1
        loss, layers = update(layers, learning_rate(k))
        return float(loss)

    return Task(run, [run(), run(), *in_order(layers)], note="compiled once")


def xad(activation):
    from xad.adj_1st import Real, Tape
    from xad.math import max, tanh

    activate = {"relu": lambda x: max(x, 0.0), "tanh": tanh}[activation]
    X, y = two_moons()
    X, y = X.tolist(), y.tolist()
    numbers = in_order(weights())
    k = -1

    def neuron(params, x):
        w = [next(params) for _ in x]
        return sum((wi * xi for wi, xi in zip(w, x, strict=True)), next(params))

    def model(params, x):
        params = iter(params)
        for _, nout in SIZES[:-1]:
            x = [activate(neuron(params, x)) for _ in range(nout)]
        return neuron(params, x)

    def run():
        nonlocal k
        k += 1
        with Tape() as tape:
            params = [Real(float(x)) for x in numbers]
            for p in params:
                tape.registerInput(p)
            tape.newRecording()
            losses = [max(1 - yi * model(params, xi), 0.0) for xi, yi in zip(X, y, strict=True)]
            loss = sum(losses) * (1.0 / len(losses)) + ALPHA * sum(p * p for p in params)
            tape.registerOutput(loss)
            loss.setAdjoint(1.0)
            tape.computeAdjoints()
            numbers[:] = [p.getValue() - learning_rate(k) * p.getDerivative() for p in params]
            return loss.getValue()

    return Task(run, [run(), run(), *numbers])


def casadi_recorded(activation):
    import casadi

    activate = {"relu": lambda x: casadi.fmax(x, 0.0), "tanh": casadi.tanh}[activation]
    X, y = two_moons()
    numbers = np.concatenate([array.ravel() for layer in weights() for array in layer])
    params = casadi.MX.sym("params", len(numbers))
    shapes = [shape for nin, nout in SIZES for shape in ((nin, nout), (nout, 1))]
    ends = np.cumsum([0] + [a * b for a, b in shapes])
    parts = casadi.vertsplit(params, [int(end) for end in ends])
    # Its matrices are stored by column, so a layer's matrix arrives transposed.
    layers = [
        (casadi.reshape(W, nin, nout).T, b)
        for (nin, nout), W, b in zip(SIZES, parts[::2], parts[1::2], strict=True)
    ]
    h = casadi.DM(X.T)
    for W, b in layers[:-1]:
        h = activate(W @ h + casadi.repmat(b, 1, len(X)))
    W, b = layers[-1]
    losses = casadi.fmax(1 - casadi.DM(y).T * (W @ h + b), 0.0)
    loss = casadi.sum2(losses) / len(X) + ALPHA * casadi.sumsqr(params)
    function = casadi.Function("loss", [params], [loss, casadi.gradient(loss, params)])
    k = -1

    def run():
        nonlocal k
        k += 1
        loss, grad = function(numbers)
        numbers[:] -= learning_rate(k) * grad.full().ravel()
        return float(loss)

    losses = [run(), run()]
    arrays = [part.reshape(-1) for part in np.split(numbers, ends[1:-1])]
    trained = [
        (W.reshape(nout, nin), b)
        for (nin, nout), W, b in zip(SIZES, arrays[::2], arrays[1::2], strict=True)
    ]
    return Task(run, losses + in_order(trained), note="built once")


CONTESTANTS = {
    "micrograd_fast": fast,
    "micrograd_fast, fused": fast_fused,
    "micrograd_fast, Tape": fast_tape,
    "micrograd_ref": ref,
    "micrograd_ref, fused": ref_fused,
    "micrograd_ref, Tape": ref_tape,
    "micrograd": micrograd,
    "numpy, by hand": numpy_by_hand,
    "torch": torch,
    "autograd": autograd,
    "jax.jit": jax_jit,
    "xad": xad,
    "casadi, recorded": casadi_recorded,
}
NO_NETWORKS = {"minigrad": "has no neural networks"}
NO_TANH = {"micrograd": "has no tanh"}


def with_activation(activation):
    return {name: partial(f, activation) for name, f in CONTESTANTS.items()} | NO_NETWORKS


WORKLOADS = [
    Workload(
        name="moons",
        title="micrograd's moons demo: one step on 100 points, MLP 2-16-16-1",
        per="step",
        baseline="micrograd",
        memory=True,
        contestants=with_activation("relu"),
    ),
    Workload(
        name="moons_tanh",
        title="the moons demo with tanh in place of relu",
        per="step",
        baseline="torch",
        contestants=with_activation("tanh") | NO_TANH,
    ),
]
