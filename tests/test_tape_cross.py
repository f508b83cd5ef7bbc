"""Tapes of the twins give the same bits: as each other, as the eager graph, on every CPU path."""

import functools
import hashlib
import math
import operator
import random
from dataclasses import dataclass
from fractions import Fraction
from unittest import mock

import numpy as np
import programs
import pytest
from bits import SPECIAL, bits
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreters import on_cpu, run
from operations import ARITY, call, calls
from tapes import added, bits_of, blocks, every_operation, replay, rows_of

import micrograd_fast
import micrograd_ref
import micrograd_ref.tape
from micrograd_ref.operations import OPERATIONS
from micrograd_ref.tape import BLOCK

TWINS = (micrograd_ref, micrograd_fast)
COUNTS = (0, 1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 1, 300)


# Every operation, with operands that vary and that do not


def of_every_operation(mg):
    inputs, _, outputs = every_operation(mg)
    rng = np.random.default_rng(1)
    batches = []
    for n in COUNTS:
        rows = rng.uniform(0.1, 3, (n, 2)) * rng.choice([1, 1, 1, -1], (n, 2))
        batches += [(rows, None), (rows, rng.standard_normal((n, len(outputs))))]
    return replay(mg.Tape(outputs, inputs), batches)


def test_every_operation_is_among_them():
    names = {node._op for node in every_operation(micrograd_ref)[2]}
    assert {"**k" if name.startswith("**-") else name for name in names} >= set(OPERATIONS)


def test_every_operation_has_the_same_bits():
    ref, fast = map(of_every_operation, TWINS)
    assert fast == ref


def of_special_numbers(mg, data):
    """Of every operation, row by row beside parameters with the data."""
    pairs = np.array([[a, b] for a in SPECIAL for b in SPECIAL])
    inputs, parameters, outputs = every_operation(mg)
    found = []
    for out in outputs:
        for p, number in zip(parameters, data, strict=True):
            p.data, p.grad = number, 0.0
        columns = [i for i in (0, 1) if inputs[i] in mg.trace(out)[0]]
        tape = mg.Tape(out, [inputs[i] for i in columns])
        rows = pairs[:, columns]
        seeds = [np.full(len(rows), seed) for seed in (0.25, math.inf)]
        batches = (rows, seeds[0]), (rows, seeds[1]), (rows[7], -3.0)
        found.append((out._op, replay(tape, batches)))
    return found


@pytest.mark.parametrize("data", [(0.5, 2.0), (-2.0, 3.0), (math.inf, 0.0), (-0.0, math.nan)])
def test_every_operation_has_the_same_bits_on_special_numbers(data):
    ref, fast = (of_special_numbers(mg, data) for mg in TWINS)
    assert fast == ref


# Random graphs. A node made before is counted back from the last one.

indices = st.integers(0, 7)
scalars = st.floats(-3, 3) | st.sampled_from(SPECIAL)
operands = st.one_of(indices, indices, scalars)
chains = st.lists(st.tuples(operands) | st.tuples(indices, operands), min_size=1, max_size=5)

steps = st.one_of(
    *calls(indices, operands),
    st.tuples(st.just("**k"), indices, st.sampled_from([-2, -1, 0, 1, 2, 3, 4]) | scalars),
    st.tuples(st.just("dot"), operands, st.lists(st.tuples(operands, operands), max_size=3)),
    st.tuples(st.just("sum"), operands, st.lists(operands, max_size=4)),
    # Sums of values and products written out, closed and open: later steps can use what is within.
    st.tuples(st.just("closed"), chains),
    st.tuples(st.just("open"), chains),
)


def build(mg, leaves, steps):
    """All nodes that the steps make of the leaves, and the leaves."""
    made = list(leaves)

    def pick(operand):
        return made[-1 - operand % len(made)] if isinstance(operand, int) else operand

    for op, *args in steps:
        if op in ARITY:
            new = [call(mg, op, *map(pick, args))]
        elif op == "**k":
            new = [pick(args[0]) ** float(args[1])]
        elif op == "dot":
            start, pairs = args
            new = [mg.dot([pick(x) for x, _ in pairs], [pick(y) for _, y in pairs], pick(start))]
        elif op == "sum":
            start, terms = args
            new = [mg.sum([pick(x) for x in terms], pick(start))]
        else:
            new = []
            for term in args[0]:
                value = functools.reduce(operator.mul, map(pick, term))
                new += [value, new[-1] + value] if new else [value]
            new = [x for x in (new if op == "open" else new[-1:]) if isinstance(x, mg.Value)]
        made += new
    return made


@dataclass
class Program:
    """A random graph and the rows for it."""

    inputs: int
    parameters: list
    steps: list
    outputs: list  # empty for one that comes bare
    seed: int
    special: bool

    def graph(self, mg, row=None):
        """The Values of a row, the parameters, and the output or outputs."""
        inputs = [mg.Value(x) for x in ([0.0] * self.inputs if row is None else row)]
        parameters = [mg.Value(x) for x in self.parameters]
        made = build(mg, [*inputs, *parameters], self.steps)
        outputs = [made[-1 - i % len(made)] for i in self.outputs]
        return inputs, parameters, outputs or made[-1]

    def tape(self, mg):
        """A Tape, the parameters, and which numbers of a row are inputs of the graph."""
        inputs, parameters, output = self.graph(mg)
        nodes = set().union(*(mg.trace(root)[0] for root in np.ravel(output)))
        columns = [i for i, x in enumerate(inputs) if x in nodes]
        return mg.Tape(output, [inputs[i] for i in columns]), parameters, columns

    def numbers(self, *shape):
        rng = np.random.default_rng([self.seed, len(shape)])
        out = rng.standard_normal(shape)
        return np.where(rng.random(shape) < 0.2 * self.special, rng.choice(SPECIAL, shape), out)

    def run(self, mg, n):
        """The bits of all that a Tape gives for n rows."""
        tape, parameters, columns = self.tape(mg)
        rows = self.numbers(n, self.inputs)[:, columns]
        seed = self.numbers(n, len(self.outputs)) if self.outputs else self.numbers(n)
        order = [parameters.index(p) for p in tape.parameters]
        return [order, *replay(tape, [(rows, None), (rows, seed)])]


random_programs = st.builds(
    Program,
    inputs=st.integers(0, 3),
    parameters=st.lists(scalars, min_size=1, max_size=3),
    steps=st.lists(steps, max_size=12),
    outputs=st.just([]) | st.lists(indices, max_size=3),
    seed=st.integers(0, 1000),
    special=st.booleans(),
)


@settings(max_examples=3 * settings.default.max_examples)
@given(random_programs, st.sampled_from(COUNTS))
def test_random_graphs_have_the_same_bits(program, n):
    ref, fast = (program.run(mg, n) for mg in TWINS)
    assert fast == ref


@settings(max_examples=2 * settings.default.max_examples)
@given(random_programs, st.sampled_from(COUNTS))
def test_fusing_changes_no_bit(program, n):
    def unfused(fusion):
        return [node for node in fusion.nodes if node.operands]

    order, length, _, *fused = program.run(micrograd_ref, n)
    with mock.patch.object(micrograd_ref.fusion.Fusion, "instructions", unfused):
        same_order, longer, _, *expected = program.run(micrograd_ref, n)
    assert length <= longer
    assert [order, fused] == [same_order, expected]


@settings(max_examples=3 * settings.default.max_examples)
@given(random_programs)
def test_a_row_has_the_bits_of_the_eager_graph(mg, program):
    tape, parameters, columns = program.tape(mg)
    rows = program.numbers(9, program.inputs)
    results = tape.forward(rows[:, columns])
    for row, result in zip(rows, results, strict=True):
        inputs, eager_parameters, output = program.graph(mg, row)
        assert bits_of(np.ravel(result)) == bits_of([root.data for root in np.ravel(output)])
        if program.outputs:
            continue
        output.backward()
        for p in parameters:
            p.grad = 0.0
        tape.forward(row[columns])
        tape.backward()
        assert bits_of(tape.input_grad) == bits_of([inputs[i].grad for i in columns])
        assert bits_of([p.grad for p in parameters]) == bits_of([p.grad for p in eager_parameters])


def test_constant_divisors_have_the_same_bits():
    """A power of 2 has an exact inverse, unless that is beyond all numbers."""
    powers = [
        sign * 2.0**k for k in (-1074, -1073, -1023, -1022, -3, 0, 1, 9, 1023) for sign in (1, -1)
    ]
    divisors = [*powers, 3.0, 0.1, 0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324 * 3]
    numbers = [1.0, -1.7, 5e-324, 1.5e-308, 1.7e308, 0.0, -0.0, math.inf, math.nan]
    found = []
    for mg in TWINS:
        x, w = mg.Value(0.0), mg.Value(2.0)
        quotients = [node / y for node in (x, w, x * w) for y in divisors]
        tape = mg.Tape([*quotients, x / w, 2.0 / x, mg.Value(4.0) / 2.0], [x])
        rows = [[number] for number in numbers * 15]
        found.append(replay(tape, [(rows[:n], None) for n in (1, 9, 135)]))
    assert found[0] == found[1]


def test_rows_that_change_before_backward_have_the_same_bits():
    def run(mg):
        found = []
        for n in (1, 5, 300):
            inputs, parameters, output = per_row_loss(mg, "tanh", [0.0, 0.0, 0.0])
            tape = mg.Tape(output, inputs)
            rows = rows_of(n, 3)
            tape.forward(rows)
            rows[n // 2] = 0.25
            tape.backward()
            found += [bits_of(tape.input_grad), bits_of([p.grad for p in parameters])]
        return found

    ref, fast = map(run, TWINS)
    assert fast == ref


# Networks


def per_row_loss(mg, activation, row):
    """A hinge loss with L2: the Values of the row, the parameters, the loss."""
    random.seed(3)
    model = mg.MLP(2, [5, 4, 1], activation=activation)
    x1, x2, label = inputs = [mg.Value(x) for x in row]
    regulariser = 1e-3 * sum(p * p for p in model.parameters())
    return inputs, model.parameters(), (1 - label * model([x1, x2])).relu() + regulariser


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
def test_gradients_of_many_rows_are_those_of_the_rows_added(mg, activation):
    rows = np.array(programs.moons_samples() * 2)[: BLOCK + 5]
    weights = np.random.default_rng(2).uniform(0.1, 1, len(rows)).tolist()
    inputs, parameters, loss = per_row_loss(mg, activation, [0.0, 0.0, 0.0])
    tape = mg.Tape(loss, inputs)
    losses = tape.forward(rows)
    tape.backward(weights)

    contributions = [[] for _ in parameters]
    for i, weight in enumerate(weights):
        inputs, eager, loss = per_row_loss(mg, activation, rows[i])
        loss.backward()
        assert bits(losses[i]) == bits(loss.data)
        expected = [weight * x.grad for x in inputs]
        assert tape.input_grad[i] == pytest.approx(expected, rel=1e-12, abs=0.0)
        for found, p in zip(contributions, eager, strict=True):
            found.append(weight * p.grad)
    for p, found in zip(parameters, contributions, strict=True):
        assert p.grad == pytest.approx(math.fsum(found), rel=0.0, abs=1e-12 * sum(map(abs, found)))


@pytest.mark.parametrize("program", programs.PROGRAMS, ids=lambda program: program.__name__)
def test_the_programs_of_the_lecture_have_the_bits_of_their_graphs(mg, program):
    *_, root = program(mg).values()
    tape = mg.Tape(root)
    assert bits(tape.forward()) == bits(root.data)
    tape.backward()
    found = [bits(p.grad) for p in tape.parameters]
    for p in tape.parameters:
        p.grad = 0.0
    root.backward()
    assert found == [bits(p.grad) for p in tape.parameters]


def test_gradcheck_accepts_a_tape(mg):
    random.seed(4)
    model = mg.MLP(2, [4, 2], activation="tanh", output="sigmoid")
    x = [mg.Value(0.0), mg.Value(0.0)]
    tape = mg.Tape(model(x), x)
    weights = rows_of(3, 2)

    def replayed(*operands):
        """The weighted sum over 3 rows of all outputs, as a node above rows and parameters."""
        rows = np.array([a.data for a in operands[:6]]).reshape(3, 2)
        out = mg.Value(float((tape.forward(rows) * weights).sum()), operands, "tape")

        def step():
            before = [p.grad for p in tape.parameters]
            tape.backward(weights * out.grad)
            for a, grad in zip(operands, tape.input_grad.ravel(), strict=False):
                a.grad += grad
            assert [p.grad for p in tape.parameters] != before

        out._backward = step
        return out

    leaves = [mg.Value(x) for x in rows_of(6, 1, 5)[:, 0]]
    result = mg.gradcheck(replayed, [*leaves, *tape.parameters])
    assert result.error < 1e-8


def test_a_hundred_thousand_rows_have_the_bits_of_the_formulas():
    rows = np.random.default_rng(7).uniform(-3, 3, (100_000, 2))

    def run(mg, rows):
        a, b, w = mg.Value(0.0), mg.Value(0.0), mg.Value(-0.7)
        e = (a + b) - (a * b + b**3) * w
        tape = mg.Tape(e**2 / 2, [a, b])
        results = tape.forward(rows)
        tape.backward()
        return results, tape.input_grad, w.grad

    results, input_grad, w_grad = run(micrograd_fast, rows)
    a, b = rows.T
    d = a * b + np.array([float(Fraction(x) ** 3) for x in b])  # rounded once
    e = (a + b) - d * -0.7
    assert bits_of(results) == bits_of(e * e / 2)
    assert w_grad == added(blocks((d * -(2.0 * e * 0.5)).tolist()))
    expected, expected_grad, _ = run(micrograd_ref, rows[:1000])
    assert bits_of(results[:1000]) == bits_of(expected)
    assert bits_of(input_grad[:1000]) == bits_of(expected_grad)


# The loops for each kind of CPU


def digest(mg):
    """Of the bits of programs that go through every loop."""
    found = [*of_every_operation(mg), of_special_numbers(mg, (0.5, 2.0))]
    for activation in ("relu", "tanh", "linear"):
        inputs, _, loss = per_row_loss(mg, activation, [0.0, 0.0, 0.0])
        tape = mg.Tape([loss, *inputs, loss], inputs)
        found += replay(tape, [(rows_of(n, 3), rows_of(n, 5, 1)) for n in COUNTS])
    return hashlib.sha256(repr(found).encode()).hexdigest()


@pytest.fixture(scope="module")
def expected_digest():
    return digest(micrograd_ref)


@pytest.mark.parametrize("cpu", ["", "plain", "avx2", "avx512"])
def test_the_loops_for_a_cpu_give_the_bits_of_the_reference(cpu, expected_digest):
    code = "import micrograd_fast, test_tape_cross as t; print(t.digest(micrograd_fast))"
    assert on_cpu(code, cpu) == expected_digest


def test_an_unknown_cpu_is_an_import_error():
    done = run("import micrograd_fast", MICROGRAD_CPU="6502")
    message = (
        "ImportError: MICROGRAD_CPU must be 'plain', 'avx2' or 'avx512' and one that this machine "
        "has, got '6502'"
    )
    assert done.returncode != 0
    assert message in done.stderr
