"""One training step of a network that reads digits: 64 images of 8 x 8, MLP 64-32-10, SGD.

The sizes of docs/examples/digits.py; the pixels and the labels are drawn at random, which takes as
long. The twins record the loss of one image as a Tape; the others compute the same step as a
program of arrays, on the same weights.
"""

import random
from functools import partial

import numpy as np

from .measure import Workload, each
from .moons import in_order, training, weights
from .python import by_optimizer

RATE, SIZES = 0.01, [(64, 32), (32, 10)]


def minibatch(n=64):
    """Pixels (n, 64) from 0 to 1, and labels from 0 to 9."""
    rng = np.random.default_rng(0)
    return rng.uniform(0.0, 1.0, (n, 64)), rng.integers(0, 10, n)


def tape(mg):
    random.seed(1337)
    model = mg.MLP(64, [32, 10])
    params = model.parameters()
    x, chances = ([mg.Value(0.0) for _ in range(n)] for n in (64, 10))
    recorded = mg.Tape(mg.cross_entropy(model(x), chances), [*x, *chances])
    pixels, labels = minibatch()
    rows = np.hstack([pixels, np.eye(10)[labels]])
    share = np.full(len(rows), 1 / len(rows))

    def forward():
        losses = recorded.forward(rows)
        return float(losses.dot(share)), partial(recorded.backward, share)

    step = partial(by_optimizer(mg.SGD(params, lr=RATE), forward), RATE)
    return training(step, lambda: [p.data for p in params], note="recorded once")


def numpy_by_hand(_):
    pixels, labels = minibatch()
    (W1, b1), (W2, b2) = layers = weights(SIZES)
    n, chances = len(pixels), np.eye(10)[labels]

    def step():
        h = np.maximum(pixels @ W1.T + b1, 0.0)
        logits = h @ W2.T + b2
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        totals = powers.sum(axis=1, keepdims=True)
        loss = (np.log(totals).sum() - (logits * chances).sum()) / n
        d2 = (powers / totals - chances) / n
        d1 = (d2 @ W2) * (h > 0)
        grads = [d1.T @ pixels, d1.sum(0), d2.T @ h, d2.sum(0)]
        for p, grad in zip([W1, b1, W2, b2], grads, strict=True):
            p -= RATE * grad
        return float(loss)

    return training(step, lambda: in_order(layers))


def torch_arrays(torch):
    from torch.nn.functional import cross_entropy, linear

    pixels, labels = map(torch.tensor, minibatch())
    layers = [
        [torch.tensor(array, requires_grad=True) for array in layer] for layer in weights(SIZES)
    ]
    parameters = [p for layer in layers for p in layer]

    def step():
        h = linear(pixels, *layers[0]).relu()
        loss = cross_entropy(linear(h, *layers[1]), labels)
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p.sub_(p.grad, alpha=RATE)
                p.grad = None
        return loss.item()

    return training(step, lambda: in_order([[p.detach() for p in layer] for layer in layers]))


def arrays(package, note=""):
    """With a numpy that can be differentiated: autograd's, or JAX's, which is compiled."""
    np = package.numpy
    pixels, labels = map(np.array, minibatch())
    layers = [list(map(np.array, layer)) for layer in weights(SIZES)]
    chances = np.eye(10)[labels]

    def compute_loss(layers):
        (W1, b1), (W2, b2) = layers
        logits = np.maximum(pixels @ W1.T + b1, 0.0) @ W2.T + b2
        logits = logits - np.max(logits, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(logits), axis=1)) - np.sum(logits * chances, axis=1))

    def update(layers):
        loss, grads = package.value_and_grad(compute_loss)(layers)
        pairs = zip(layers, grads, strict=True)
        return loss, [[W - RATE * dW, b - RATE * db] for (W, b), (dW, db) in pairs]

    if hasattr(package, "jit"):
        update = package.jit(update)

    def step():
        nonlocal layers
        loss, layers = update(layers)
        return float(loss)

    return training(step, lambda: in_order(layers), note)


CONTESTANTS = [
    *each(["micrograd_fast, Tape", "micrograd_ref, Tape"], tape),
    ("numpy, by hand", numpy_by_hand),
    ("torch", torch_arrays),
    ("autograd", arrays),
    ("jax.jit", arrays, "compiled once"),
]

TITLE = "digits: one step on 64 images, MLP 64-32-10, cross entropy"
WORKLOADS = [Workload("digits", TITLE, "step", CONTESTANTS, baselines=["numpy, by hand"])]
