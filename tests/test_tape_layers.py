"""Dots over the same inputs, which a Tape of the fast package computes together: the same bits.

Whether a dot may join others depends on what lies between them, so these graphs put there what
takes part in the same gradients.
"""

import itertools
import random

import numpy as np
import pytest
from tapes import replay, rows_of

import micrograd_fast
import micrograd_ref

ROWS = (1, 2, 7, 8, 9, 37, 128, 129, 135)
WIDTHS = (1, 2, 3, 4, 5, 8, 9, 17)


def same(program, counts=ROWS):
    """The Tape of program(mg), which gives an output and inputs, has the same bits in both."""
    found = []
    for mg in (micrograd_ref, micrograd_fast):
        output, inputs = program(mg)
        tape = mg.Tape(output, inputs)
        found.append(replay(tape, [(rows_of(n, len(inputs), n), None) for n in counts]))
    assert found[0] == found[1]


def leaves(mg, n, seed=0):
    return [mg.Value(x) for x in np.random.default_rng(seed).uniform(-1.0, 1.0, n)]


@pytest.mark.parametrize("inputs", WIDTHS)
@pytest.mark.parametrize("neurons", WIDTHS)
def test_a_layer_of_any_size(inputs, neurons):
    def program(mg):
        x, w = leaves(mg, inputs), leaves(mg, inputs * neurons, 1)
        starts = itertools.cycle([mg.Value(0.5), 0.0, x[0] * x[0], mg.Value(-1.5) * 2, x[0].exp()])
        dots = [mg.dot(w[i * inputs :][:inputs], x, next(starts)).tanh() for i in range(neurons)]
        return mg.sum(dots), x

    same(program, (1, 2, 21))


BETWEEN = {
    "nothing": lambda mg, x, w, dots: mg.Value(2.0),
    "a use of an input": lambda mg, x, w, dots: x[0] * 3,
    "two uses of an input": lambda mg, x, w, dots: x[1] * x[1],
    "a use of a weight": lambda mg, x, w, dots: w[0] * 3,
    "a use of a weight to come": lambda mg, x, w, dots: w[-1] * x[0],
    "a use of a start": lambda mg, x, w, dots: w[3] * x[2],
    "a use of a result": lambda mg, x, w, dots: dots[-1] * 2,
    "a dot over others": lambda mg, x, w, dots: mg.dot(x[:2], [w[0], w[4]]),
    "a dot over the same backwards": lambda mg, x, w, dots: mg.dot(x[::-1], w[1:4]),
    "a dot over results": lambda mg, x, w, dots: mg.dot(dots, [w[i] for i in range(len(dots))]),
    "a dot with an input for a start": lambda mg, x, w, dots: mg.dot(dots[:1], [w[2]], x[1]),
    "a sum": lambda mg, x, w, dots: mg.sum([x[0], w[0], w[-1], *dots]),
}


@pytest.mark.parametrize("between", BETWEEN.values(), ids=list(BETWEEN))
@pytest.mark.parametrize("start", ["a parameter", "an input", "the last", "one of the inputs"])
def test_what_lies_between_dots_takes_its_turn(between, start):
    def program(mg):
        x, w = leaves(mg, 3), leaves(mg, 20, 1)
        other, outputs, dots = mg.Value(0.25), [], []
        for i in range(0, 20, 4):
            starts = {
                "a parameter": w[i + 3],
                "an input": other,
                "the last": dots[-1] if dots else other,
                "one of the inputs": x[i % 3],
            }
            dots.append(mg.dot(x, w[i : i + 3], starts[start]))
            outputs += [dots[-1].relu(), between(mg, x, w, dots) * 1.0]
        return outputs, [*x, other] if start in ("an input", "the last") else x

    same(program, (1, 2, 21))


def test_weights_that_repeat():
    def program(mg):
        x, w = leaves(mg, 3), leaves(mg, 4, 1)
        picks = ([0, 1, 2], [1, 2, 3], [3, 3, 0], [0, 1, 2], [2, 0, 1], [0, 0, 0])
        return mg.sum([mg.dot(x, [w[i] for i in pick], w[3]).exp() for pick in picks]), x

    same(program)


def test_weights_that_are_made_between_and_of_each_other():
    def program(mg):
        x, w = leaves(mg, 3), leaves(mg, 3, 1)
        dots = []
        for _ in range(4):
            dots.append(mg.dot(w, x).sigmoid())
            w = [a * b for a, b in zip(w, w[1:] + w[:1], strict=True)]
        return mg.dot(dots, dots), x

    same(program)


def test_inputs_that_repeat_and_constants():
    def program(mg):
        x, w = leaves(mg, 3), leaves(mg, 9, 1)
        return [
            mg.dot([x[0], x[1], x[0]], w[:3]),
            mg.dot([x[0], x[1], x[0]], w[3:6]),
            mg.dot(x, [1.0, 2.0, w[6]], 1.0),
            mg.dot(x, [2.0, 2.0, w[7]], 1.0),
            mg.dot([1.0, w[8], 3.0], x, 0.0),
        ], x

    same(program)


@pytest.mark.parametrize("seed", range(60))
def test_random_nets_of_dots(seed):
    """Dots over lists from few, in layers that share weights, starts and inputs at random."""

    def program(mg):
        rng = random.Random(seed)
        x, w = leaves(mg, 4, seed), leaves(mg, 30, seed + 1)
        inputs, lists, outputs = x[:], [x, x[:2], x[::-1]], []
        for _ in range(rng.randint(3, 30)):
            kind = rng.random()
            if kind < 0.75:
                xs = rng.choice(lists)
                first = rng.randrange(31 - len(xs))
                ws = w[first : first + len(xs)] if rng.random() < 0.9 else rng.choices(w, k=len(xs))
                start = rng.choice([0.0, rng.choice(w), rng.choice(w), rng.choice(x)])
                made = mg.dot(*rng.choice([(xs, ws), (ws, xs)]), start)
            elif kind < 0.9:
                made = rng.choice([*x, *w]) * rng.choice(x)
            else:
                made = rng.choice(w) * rng.choice(w)
                w[rng.randrange(30)] = made
            if rng.random() < 0.4:
                made = made.tanh()
            outputs.append(made)
            if rng.random() < 0.2:
                x = [*x[1:], made]
                lists.append(x)
        return [mg.sum(outputs), rng.choice(outputs), *inputs], inputs

    same(program, (1, 2, 10, 131))


def test_a_start_that_a_dot_over_the_same_inputs_gave():
    def program(mg):
        x, w = leaves(mg, 3), leaves(mg, 15, 1)
        out = 0.25
        for i in range(0, 15, 3):
            out = mg.dot(x, w[i : i + 3], out)
        return out, x

    same(program)
