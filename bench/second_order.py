"""A loss that contains derivatives, and what it takes to make them.

The network of docs/examples/pinn.py, MLP 1-16-16-1 with tanh, is to solve u'' + 2 zeta omega u' +
omega^2 u = 0 with u(0) = 1 and u'(0) = 0: one training step by SGD on 100 points and the start. The
twins record the loss of a point once; torch differentiates twice in every step, with create_graph.

And `gradient` beside `backward`, on the graph of that network at one point, with respect to its
input and to its weights.
"""

import random
from functools import partial

import numpy as np

from .measure import Task, Workload, each
from .moons import in_order, training, weights

ZETA, OMEGA = 0.15, 8.0
RATE = 1e-5
TIMES = np.linspace(0.0, 2.0, 100)
SIZES = [(1, 16), (16, 16), (16, 1)]


def lacking(u, velocity, acceleration):
    """What the left side of the equation lacks to 0."""
    return acceleration + 2 * ZETA * OMEGA * velocity + OMEGA**2 * u


def tape(mg):
    random.seed(1337)
    model = mg.MLP(1, [16, 16, 1], "tanh")
    params, optimizer = model.parameters(), mg.SGD(model.parameters(), lr=RATE)
    t = mg.Value(0.0)
    u = model([t])
    (velocity,) = mg.gradient(u, [t])
    (acceleration,) = mg.gradient(velocity, [t])
    equation = mg.Tape(lacking(u, velocity, acceleration) ** 2, [t])
    start = mg.Tape((u - 1) ** 2 + velocity**2, [t])
    points, share = TIMES[:, None], np.full(len(TIMES), 1 / len(TIMES))

    def step():
        losses, of_start = equation.forward(points), start.forward([[0.0]])
        optimizer.zero_grad()
        equation.backward(share)
        start.backward()
        optimizer.step()
        return float(losses @ share + of_start[0])

    return training(step, lambda: [p.data for p in params], "recorded once")


def torch_arrays(torch):
    linear, grad = torch.nn.functional.linear, partial(torch.autograd.grad, create_graph=True)
    layers = [
        [torch.tensor(array, requires_grad=True) for array in layer] for layer in weights(SIZES)
    ]
    parameters = [p for layer in layers for p in layer]
    times = torch.tensor(TIMES[:, None], requires_grad=True)
    zero = torch.zeros((1, 1), dtype=torch.float64, requires_grad=True)

    def solution(t):
        h = t
        for W, b in layers[:-1]:
            h = torch.tanh(linear(h, W, b))
        u = linear(h, *layers[-1])
        return u, *grad(u.sum(), t)

    def step():
        u, velocity = solution(times)
        (acceleration,) = grad(velocity.sum(), times)
        at_start, speed = solution(zero)
        loss = (lacking(u, velocity, acceleration) ** 2).mean()
        loss = loss + ((at_start - 1) ** 2 + speed**2).sum()
        grads = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, g in zip(parameters, grads, strict=True):
                p.sub_(g, alpha=RATE)
        return loss.item()

    return training(step, lambda: in_order([[p.detach() for p in layer] for layer in layers]))


def jax_arrays(jax):
    np = jax.numpy
    times = np.array(TIMES)
    layers = [list(map(np.array, layer)) for layer in weights(SIZES)]

    def solution(layers, t):
        h = t[None]
        for W, b in layers[:-1]:
            h = np.tanh(W @ h + b)
        W, b = layers[-1]
        return (W @ h + b)[0]

    speed = jax.grad(solution, 1)

    def loss_of(layers):
        def at(t):
            return lacking(solution(layers, t), speed(layers, t), jax.grad(speed, 1)(layers, t))

        zero = np.zeros(())
        start = (solution(layers, zero) - 1) ** 2 + speed(layers, zero) ** 2
        return np.mean(jax.vmap(at)(times) ** 2) + start

    @jax.jit
    def update(layers):
        loss, grads = jax.value_and_grad(loss_of)(layers)
        return loss, jax.tree_util.tree_map(lambda p, g: p - RATE * g, layers, grads)

    def step():
        nonlocal layers
        loss, layers = update(layers)
        return float(loss)

    return training(step, lambda: in_order(layers), "compiled once")


def autograd_arrays(autograd):
    np = autograd.numpy
    layers = [list(layer) for layer in weights(SIZES)]

    def solution(t, layers):
        h = t[:, None]
        for W, b in layers[:-1]:
            h = np.tanh(h @ W.T + b)
        W, b = layers[-1]
        return (h @ W.T + b)[:, 0]

    speed = autograd.elementwise_grad(solution)
    bend = autograd.elementwise_grad(speed)

    def loss_of(layers):
        at = TIMES
        residual = lacking(solution(at, layers), speed(at, layers), bend(at, layers))
        zero = np.zeros(1)
        start = (solution(zero, layers) - 1) ** 2 + speed(zero, layers) ** 2
        return np.mean(residual**2) + np.sum(start)

    differentiate = autograd.value_and_grad(loss_of)

    def step():
        nonlocal layers
        loss, grads = differentiate(layers)
        pairs = zip(layers, grads, strict=True)
        layers = [[W - RATE * dW, b - RATE * db] for (W, b), (dW, db) in pairs]
        return float(loss)

    return training(step, lambda: in_order(layers))


def differentiated(mg, way, inputs):
    """The gradient of the network at a point, as numbers by backward or as a graph."""
    random.seed(1337)
    model = mg.MLP(1, [16, 16, 1], "tanh")
    t = mg.Value(0.5)
    u = model([t])
    inputs = [t] if inputs == "input" else model.parameters()
    u.backward()
    grads = [x.grad for x in inputs]
    if way == "backward":
        return Task(u.backward, grads)
    assert [g.data for g in mg.gradient(u, inputs)] == grads
    return Task(partial(mg.gradient, u, inputs), grads)


def ways(inputs):
    for package in ("micrograd_fast", "micrograd_ref"):
        for way in ("backward", "gradient"):
            yield f"{package}, {way}", differentiated, way, inputs


TITLE = "a physics-informed network: one step on 100 points, MLP 1-16-16-1, u'' and u' in the loss"
GRADIENT = "gradient of an MLP 1-16-16-1 by its {}, as a graph, beside backward"
WORKLOADS = [
    Workload(
        "second_order",
        TITLE,
        "step",
        [
            *each(["micrograd_fast, Tape", "micrograd_ref, Tape"], tape),
            ("torch", torch_arrays),
            ("autograd", autograd_arrays),
            ("jax.jit", jax_arrays),
        ],
        ["torch", "jax.jit"],
    ),
    *(
        Workload(
            f"gradient_by_{inputs}",
            GRADIENT.format(inputs),
            "gradient",
            list(ways(inputs)),
            ["micrograd_fast, backward"],
        )
        for inputs in ("input", "weights")
    ),
]
