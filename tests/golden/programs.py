"""The programs whose bits are golden. Each takes a package and returns numbers and Values."""

import importlib
import random
import sys
from pathlib import Path

import numpy as np
import programs

from . import graphs

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
L2 = 1e-4


def replayed(tape, rows, seed=None):
    """All that a Tape gives for rows: its results and gradients."""
    results = tape.forward(rows)
    tape.backward(seed)
    gradients = tape.input_grad, [p.grad for p in tape.parameters]
    return [x for numbers in (results, *gradients) for x in np.ravel(numbers).tolist()]


# The lecture and micrograd


def lecture_eager(mg, program):
    *_, root = values = list(program(mg).values())
    root.backward()
    return values


def lecture_tape(mg, program):
    *_, root = program(mg).values()
    return replayed(mg.Tape(root), [])


# Training


def trained(optimizer, compute, steps):
    """What compute, which differentiates a loss, gives in each step, and all parameters."""
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        found += compute()
        found += [x for p in optimizer.params for x in (p.data, p.grad)]
        optimizer.step()
    return [*found, *optimizer.params]


def eager_of(loss):
    def compute():
        root = loss()
        root.backward()
        return [root]

    return compute


def moons_model(mg, activation):
    random.seed(1337)
    return mg.MLP(2, [16, 16, 1], activation=activation)


def moons_eager(mg, activation):
    model = moons_model(mg, activation)
    samples = programs.moons_samples()[:20]
    compute = eager_of(lambda: programs.moons_loss(model, samples)[0])
    return trained(mg.SGD(model.parameters(), 0.5, momentum=0.9), compute, 3)


def moons_tape(mg, activation):
    model = moons_model(mg, activation)
    parameters = model.parameters()
    x1, x2, label = inputs = [mg.Value(0.0) for _ in range(3)]
    score = model([x1, x2])
    loss = (1 - label * score).relu() + L2 * mg.dot(parameters, parameters)
    tape = mg.Tape([loss, score], inputs)
    rows = programs.moons_samples() * 2  # more than a block
    seed = [[1.0 / len(rows), 0.0]] * len(rows)
    return trained(mg.Adam(parameters, 0.05), lambda: replayed(tape, rows, seed), 3)


def four_samples(mg):
    random.seed(1337)
    model = mg.MLP(3, [4, 4, 1], activation="tanh", output="tanh")

    def loss():
        scores = [model(x) for x in programs.SAMPLES]
        return sum((s - y) ** 2 for s, y in zip(scores, programs.TARGETS, strict=True))

    return trained(mg.SGD(model.parameters(), 0.05), eager_of(loss), 20)


def layers(mg):
    random.seed(1337)
    model = mg.Sequential(
        mg.Embedding(5, 4),
        mg.RMSNorm(4),
        mg.Layer(4, 6, activation=mg.Value.silu),
        mg.Dropout(0.25),
        mg.LayerNorm(6),
        mg.Layer(6, 5, nonlin=False),
    )

    def compute():
        outputs = [mg.log_softmax(model(i))[(i + 1) % 5] for i in range(5)]
        mg.backward(outputs, [-0.2] * len(outputs))
        return [*outputs, mg.clip_grad_norm(model.parameters(), 0.5)]

    found = []
    for step, optimizer in enumerate((mg.AdamW, mg.RMSprop, mg.SGD)):
        rate = mg.cosine_schedule(step, 4, 0.05, warmup=1)
        found += trained(optimizer(model.parameters(), rate, weight_decay=0.1), compute, 3)
    return found


# A GPT


def gpt(mg):
    """The model of docs/examples, with other numbers: a normal law is drawn by the C library."""
    sys.path.append(str(EXAMPLES))
    try:
        module = importlib.import_module("gpt_written_out")
    finally:
        sys.path.remove(str(EXAMPLES))
    model = module.GPT(mg.Value, mg.dot, mg.sum)
    draw = random.Random(42).random
    for p in model.parameters():
        p.data = 0.4 * draw() - 0.2
    return module, model


def gpt_eager(mg):
    _, model = gpt(mg)
    return trained(mg.Adam(model.parameters(), 0.01), eager_of(lambda: model.loss("golden")), 1)


def gpt_tape(mg):
    module, model = gpt(mg)
    recorded = module.RecordedLoss(mg, model)

    def compute():
        loss = recorded.forward("golden")
        recorded.backward()
        return [loss]

    return trained(mg.Adam(model.parameters(), 0.01), compute, 2)


# Random graphs


def graph_tape(mg, seed, operations):
    return replayed(*graphs.tape(mg, seed, operations))
