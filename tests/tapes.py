"""Tapes that several files of tests record, and how their results are compared."""

import functools
import itertools
import math
import operator

import numpy as np
import programs
from bits import bits
from operations import ARITY, METHODS, call


def bits_of(x):
    """The shape and the bits of an array."""
    return np.shape(x), [bits(number) for number in np.ravel(x).tolist()]


def rows_of(n, k, seed=0):
    return np.random.default_rng(seed).standard_normal((n, k))


def neuron(mg):
    """tanh(x1 * w1 + x2 * w2 + b) of the lecture as a Tape, and its Values by name."""
    v = programs.neuron(mg)
    return mg.Tape(v["o"], [v["x1"], v["x2"]]), v


def line(mg):
    """w * x + b as a Tape of 1 instruction, with w = 2 and b = -1."""
    x, w, b = mg.Value(0.0), mg.Value(2.0), mg.Value(-1.0)
    return mg.Tape(w * x + b, [x]), w, b


def long_tape(mg):
    """A Tape of 30 tanh over one input, its parameter, and rows that take it a while."""
    x, w = mg.Value(0.0), mg.Value(1.25)
    node = x
    for _ in range(30):
        node = (node * w).tanh()
    n = {"micrograd_ref": 1_000, "micrograd_fast": 100_000}[mg.__name__]
    return mg.Tape(node, [x]), w, rows_of(n, 1)


def every_operation(mg):
    """Inputs, parameters, and a node for each operation and kind of operand."""
    x, y, p, q = leaves = [mg.Value(number) for number in (0.5, 1.25, 0.75, 2.5)]
    kinds = {1: (x, p), 2: (*leaves, 1.5), 3: (x, y, p, 1.5)}
    made = [
        call(mg, name, *operands)
        for name, count in ARITY.items()
        for operands in itertools.product(kinds[count], repeat=count)
        if any(isinstance(a, mg.Value) for a in operands[: 1 if name in METHODS else count])
    ]
    for a in (x, p):
        made += [a**k for k in (-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, math.inf)]
    several = ([], [x, y], [x, p, y, q], [p, x, q, y, 2.0, x], [p, q], [x, x, p, p, y, 2.0])
    for start in (x, p, 0.25):
        made += [mg.dot(operands[::2], operands[1::2], start) for operands in several]
        made += [fn(operands, start) for fn in (mg.sum, mg.norm) for operands in several]
    return [x, y], [p, q], made


def replay(tape, batches):
    """The bits of all that a Tape gives for batches of rows and seeds, one after the other."""
    found = [len(tape), repr(tape)]
    for rows, seed in batches:
        found.append(bits_of(tape.forward(rows)))
        tape.backward(seed)
        found += [bits_of(tape.input_grad), bits_of([p.grad for p in tape.parameters])]
    return found


def added(terms):
    """From left to right; the builtin sum is more precise in some versions of Python."""
    return functools.reduce(operator.add, terms, 0.0)


def tree(contributions):
    """The sum over the rows of a block, as the docstring of Tape has it."""
    s = [added(contributions[i::8]) for i in range(8)]
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))


def blocks(contributions):
    return [tree(contributions[i : i + 128]) for i in range(0, len(contributions), 128)]
