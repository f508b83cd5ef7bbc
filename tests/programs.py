"""Programs from the lecture on micrograd and from micrograd itself, for either package.

Each takes the package, builds a graph and returns its Values by name, the result last.
"""

import csv
import random
from pathlib import Path


def expression(mg):
    """L = (a * b + c) * f, the lecture's first graph."""
    a = mg.Value(2.0, label="a")
    b = mg.Value(-3.0, label="b")
    c = mg.Value(10.0, label="c")
    f = mg.Value(-2.0, label="f")
    e = a * b
    d = e + c
    L = d * f
    return {"a": a, "b": b, "c": c, "f": f, "e": e, "d": d, "L": L}


def neuron(mg):
    """The lecture's neuron: o = tanh(x1 * w1 + x2 * w2 + b)."""
    x1, x2 = mg.Value(2.0, label="x1"), mg.Value(0.0, label="x2")
    w1, w2 = mg.Value(-3.0, label="w1"), mg.Value(1.0, label="w2")
    b = mg.Value(6.8813735870195432, label="b")
    x1w1 = x1 * w1
    x2w2 = x2 * w2
    n = x1w1 + x2w2 + b
    o = n.tanh()
    return {"x1": x1, "x2": x2, "w1": w1, "w2": w2, "b": b, "n": n, "o": o}


def neuron_taken_apart(mg):
    """The same neuron with its tanh written out as (e - 1) / (e + 1), e = exp(2n)."""
    v = neuron(mg)
    v.pop("o")
    two = mg.Value(2.0, label="two")
    twice = two * v["n"]
    e = twice.exp()
    less, more = e - 1, e + 1
    o = less / more
    return {**v, "two": two, "twice": twice, "e": e, "less": less, "more": more, "o": o}


def sanity_check(mg):
    """The first test program of micrograd."""
    x = mg.Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    return {"x": x, "y": y}


def more_operations(mg):
    """The second test program of micrograd, which is also the one of its README."""
    a = mg.Value(-4.0)
    b = mg.Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return {"a": a, "b": b, "g": g}


SAMPLES = ((2.0, 3.0, -1.0), (3.0, -1.0, 0.5), (0.5, 1.0, 1.0), (1.0, 1.0, -1.0))
TARGETS = (1.0, -1.0, -1.0, 1.0)


def four_samples(mg):
    """The squared error of the lecture's network on its four samples."""
    random.seed(1337)
    model = mg.MLP(3, [4, 4, 1], activation="tanh", output="tanh")
    loss = sum((model(x) - y) ** 2 for x, y in zip(SAMPLES, TARGETS, strict=True))
    return {"loss": loss}


def moons(mg, samples=10):
    """The loss of micrograd's demo on the first of its samples."""
    random.seed(1337)
    return {"loss": moons_loss(mg.MLP(2, [16, 16, 1]), moons_samples()[:samples])[0]}


PROGRAMS = (
    expression,
    neuron,
    neuron_taken_apart,
    sanity_check,
    more_operations,
    four_samples,
    moons,
)


def moons_samples():
    """The rows (x1, x2, label) of scikit-learn's make_moons(n_samples=100, noise=0.1).

    Drawn after np.random.seed(1337); the labels 0 and 1 turned into -1 and 1.
    """
    with open(Path(__file__).with_name("moons.csv"), newline="") as file:
        return [(float(x1), float(x2), int(label)) for x1, x2, label in csv.reader(file)]


def moons_loss(model, samples):
    """The demo's max-margin loss with L2, and the share of samples on the right side."""
    scores = [model([x1, x2]) for x1, x2, _ in samples]
    labels = [label for *_, label in samples]
    losses = [(1 + -yi * score).relu() for yi, score in zip(labels, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
    right = [(yi > 0) == (score.data > 0) for yi, score in zip(labels, scores, strict=True)]
    return loss, sum(right) / len(right)


def walk(root):
    """microgpt's backward: a topological order by recursion, then children with local_grads."""
    order, visited = [], set()

    def visit(v):
        if v not in visited:
            visited.add(v)
            for child in v._children:
                visit(child)
            order.append(v)

    visit(root)
    root.grad = 1
    for v in reversed(order):
        for child, slope in zip(v._children, v._local_grads, strict=True):
            child.grad += slope * v.grad


def custom(mg, operands, name, calls):
    """A custom sum of its operands that notes each call of its _backward."""
    out = mg.Value(sum(x.data for x in operands), operands, name)

    def step():
        calls.append(name)
        for x in operands:
            x.grad += out.grad

    out._backward = step
    return out
