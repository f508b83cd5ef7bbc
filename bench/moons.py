"""One training step of micrograd's moons demo: 100 points, MLP 2-16-16-1, hinge loss, L2, SGD.

The whole batch, forward, backward and update. micrograd and the twins run the demo's own code with
only the imports changed; "fused" is the step as one writes it with dot, sum and SGD; the others
compute the same step as a program of arrays, which is natural to them, on the same weights.
"""

import random

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


def micrograd():
    from micrograd.engine import Value
    from micrograd.nn import MLP

    return demo(Value, MLP)


def fast():
    from micrograd_fast import MLP, Value

    return demo(Value, MLP)


def ref():
    from micrograd_ref import MLP, Value

    return demo(Value, MLP)


def fused(mg):
    """The same step with what the twins offer for it."""
    X, y = two_moons()
    X, y = X.tolist(), y.tolist()
    random.seed(1337)
    model = mg.MLP(2, [16, 16, 1])
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


def fast_fused():
    import micrograd_fast

    return fused(micrograd_fast)


def ref_fused():
    import micrograd_ref

    return fused(micrograd_ref)


def numpy_by_hand():
    X, y = two_moons()
    (W1, b1), (W2, b2), (W3, b3) = layers = weights()
    parameters = [x for layer in layers for x in layer]
    n = len(X)
    k = -1

    def run():
        nonlocal k
        k += 1
        h1 = np.maximum(X @ W1.T + b1, 0.0)
        h2 = np.maximum(h1 @ W2.T + b2, 0.0)
        losses = np.maximum(1 - y * (h2 @ W3[0] + b3[0]), 0.0)
        loss = losses.sum() / n + ALPHA * sum((p * p).sum() for p in parameters)
        d3 = np.where(losses > 0, -y / n, 0.0)
        d2 = np.outer(d3, W3[0]) * (h2 > 0)
        d1 = (d2 @ W2) * (h1 > 0)
        grads = [d1.T @ X, d1.sum(0), d2.T @ h1, d2.sum(0), (d3 @ h2)[None], d3.sum(keepdims=True)]
        for p, grad in zip(parameters, grads, strict=True):
            p -= learning_rate(k) * (grad + 2 * ALPHA * p)
        return float(loss)

    return Task(run, [run(), run(), *in_order(layers)])


def torch():
    import torch
    from torch.nn.functional import linear

    torch.set_num_threads(1)
    X, y = (torch.tensor(array, dtype=torch.float64) for array in two_moons())
    layers = [[torch.tensor(array, requires_grad=True) for array in layer] for layer in weights()]
    parameters = [p for layer in layers for p in layer]
    k = -1

    def run():
        nonlocal k
        k += 1
        h = X
        for W, b in layers[:-1]:
            h = linear(h, W, b).relu()
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


def array_loss(np, layers, X, y):
    """The loss in terms of a numpy that can be differentiated: autograd's or jax's."""
    h = X
    for W, b in layers[:-1]:
        h = np.maximum(h @ W.T + b, 0.0)
    W, b = layers[-1]
    scores = (h @ W.T + b)[:, 0]
    squares = sum(np.sum(p * p) for layer in layers for p in layer)
    return np.mean(np.maximum(1 - y * scores, 0.0)) + ALPHA * squares


def autograd():
    import autograd.numpy
    from autograd import value_and_grad

    X, y = two_moons()
    layers = weights()
    differentiate = value_and_grad(lambda layers: array_loss(autograd.numpy, layers, X, y))
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


def jax_jit():
    import jax

    jax.config.update("jax_enable_x64", True)
    X, y = two_moons()
    layers = jax.tree.map(jax.numpy.asarray, weights())
    k = -1

    @jax.jit
    def update(layers, rate):
        loss, grads = jax.value_and_grad(lambda layers: array_loss(jax.numpy, layers, X, y))(layers)
        return loss, jax.tree.map(lambda p, grad: p - rate * grad, layers, grads)

    def run():
        nonlocal k, layers
        k += 1
        loss, layers = update(layers, learning_rate(k))
        return float(loss)

    return Task(run, [run(), run(), *in_order(layers)], note="compiled once")


def xad():
    from xad.adj_1st import Real, Tape
    from xad.math import max

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
            x = [max(neuron(params, x), 0.0) for _ in range(nout)]
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


def casadi_recorded():
    import casadi

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
        h = casadi.fmax(W @ h + casadi.repmat(b, 1, len(X)), 0.0)
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


WORKLOADS = [
    Workload(
        name="moons",
        title="micrograd's moons demo: one step on 100 points, MLP 2-16-16-1",
        per="step",
        baseline="micrograd",
        memory=True,
        contestants={
            "micrograd_fast": fast,
            "micrograd_fast, fused": fast_fused,
            "micrograd_ref": ref,
            "micrograd_ref, fused": ref_fused,
            "micrograd": micrograd,
            "minigrad": "has no neural networks",
            "numpy, by hand": numpy_by_hand,
            "torch": torch,
            "autograd": autograd,
            "jax.jit": jax_jit,
            "xad": xad,
            "casadi, recorded": casadi_recorded,
        },
    )
]
