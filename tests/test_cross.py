"""The twins give the same bits: one program in both packages, compared node by node."""

import itertools
import math
import random

import programs
import pytest
from bits import SPECIAL, bits, record
from hypothesis import given, settings
from hypothesis import strategies as st
from operations import ARITY, call, calls

import micrograd_fast
import micrograd_ref

TWINS = (micrograd_ref, micrograd_fast)


def assert_same(program, *args):
    """Run program(package, *args) in both; it returns the roots of what is compared."""
    ref, fast = (record(program(mg, *args)) for mg in TWINS)
    assert fast == ref


def test_the_twins_are_two_packages():
    assert micrograd_ref.Value is not micrograd_fast.Value


# Programs by hand


@pytest.mark.parametrize("program", programs.PROGRAMS, ids=lambda program: program.__name__)
def test_the_programs_of_the_lecture_have_the_same_bits(program):
    def differentiated(mg):
        *_, root = values = list(program(mg).values())
        root.backward()
        return values

    assert_same(differentiated)
    assert micrograd_ref.crosscheck(differentiated) == len(record(differentiated(micrograd_ref)))


def walk_of_order(mg, calls):
    """A custom node over operands that several others share."""
    a, b = mg.Value(0.1), mg.Value(0.7)
    nodes = [a, b]
    rng = random.Random(2)
    for i in range(60):
        operands = rng.choices(nodes, k=rng.randint(1, 4))
        out = mg.Value(math.fsum(x.data for x in operands) / 3, operands, f"custom{i}")

        def step(out=out, operands=operands):
            calls.append(out._op)
            for k, x in enumerate(operands):
                x.grad += out.grad / (k + 3)

        out._backward = step
        nodes += [out, out * rng.choice(nodes), mg.sum(rng.choices(nodes, k=3))]
    nodes[-1].backward()
    nodes[-7].backward()
    return nodes


def test_custom_steps_are_called_in_the_same_order():
    calls = [], []
    ref, fast = (record(walk_of_order(mg, seen)) for mg, seen in zip(TWINS, calls, strict=True))
    assert calls[1] == calls[0]
    assert len(calls[0]) > 30
    assert fast == ref


def test_a_step_that_differentiates_again_leaves_the_same_bits():
    def program(mg):
        a = mg.Value(0.3)
        shared = (a * 1.7).tanh()
        inner = shared * shared + a
        out = mg.Value(inner.data, (inner, shared), "nested")

        def step():
            (inner * 3.0).backward()
            shared.backward()
            inner.grad += out.grad / 7
            shared.grad -= out.grad / 3

        out._backward = step
        root = out * inner + shared
        root.backward()
        root.backward()
        return [root]

    assert_same(program)


def test_a_step_that_raises_leaves_the_same_bits():
    def program(mg):
        a = mg.Value(0.3)
        inner = a * 1.7
        bad = mg.Value(1.0, (inner,), "bad")
        bad._backward = lambda: 1 / 0
        root = bad.exp() * inner + a / inner
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                root.backward()
        inner.backward()
        return [root]

    assert_same(program)


def test_changed_data_gives_the_same_bits():
    def program(mg):
        xs = [mg.Value(x) for x in (0.1, 0.2, -0.3)]
        nodes = [xs[0] / xs[1], xs[1] ** xs[0], xs[2].exp(), xs[0] ** 2.5, mg.dot(xs, xs)]
        root = mg.sum(nodes)
        for i, x in enumerate([*xs, *nodes]):
            x.data = 0.7 / (i + 1)
        root.backward()
        return [root]

    assert_same(program)


@pytest.mark.parametrize("name", ARITY)
def test_operations_have_the_same_bits_on_a_thousand_numbers(name):
    rng = random.Random(3)
    numbers = [
        [math.ldexp(rng.uniform(-1, 1), rng.randint(-60, 12)) for _ in range(ARITY[name])]
        for _ in range(1000)
    ]

    def program(mg):
        nodes = [call(mg, name, *map(mg.Value, operands)) for operands in numbers]
        mg.sum(nodes).backward()
        return nodes

    assert_same(program)


@pytest.mark.parametrize("seed", [1.0, -0.0, math.inf, math.nan])
@pytest.mark.parametrize("name", ARITY)
def test_operations_have_the_same_bits_on_special_numbers(name, seed):
    def program(mg):
        nodes = [
            call(mg, name, *map(mg.Value, operands))
            for operands in itertools.product(SPECIAL, repeat=ARITY[name])
        ]
        for node in nodes:
            node.grad = seed
            node._backward()
        return nodes

    assert_same(program)


@pytest.mark.parametrize("k", [-3, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 7.25, 100])
def test_powers_have_the_same_bits_on_a_thousand_numbers(k):
    rng = random.Random(4)
    numbers = [math.ldexp(rng.uniform(-1, 1), rng.randint(-60, 12)) for _ in range(1000)]

    def program(mg):
        nodes = [node for x in numbers for node in (mg.Value(x) ** k, mg.Value(x) ** mg.Value(k))]
        mg.sum(nodes).backward()
        return nodes

    assert_same(program)


# Random graphs

numbers = st.sampled_from(SPECIAL) | st.floats(-3, 3) | st.floats()
# A node made before, counted back from the last one; an operand is that or a number.
nodes = st.integers(0, 40)
operands = nodes | numbers

ACTIVATIONS = ["relu", "tanh", "sigmoid", "linear"]

steps = st.one_of(
    *calls(nodes, operands),
    st.tuples(st.just("max"), nodes, operands),  # compares
    st.tuples(st.just("**k"), nodes, st.sampled_from([-2, -1, 0, 1, 2, 3, 0.5]) | numbers),
    st.tuples(st.just("dot"), operands, st.lists(st.tuples(operands, operands), max_size=4)),
    st.tuples(st.just("softmax"), st.lists(operands, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["sum", "norm"]), operands, st.lists(operands, max_size=4)),
    st.tuples(st.just("neuron"), st.sampled_from(ACTIVATIONS), st.lists(operands, min_size=1)),
    st.tuples(st.just("custom"), st.lists(nodes, max_size=3)),
    st.tuples(st.just("data ="), nodes, numbers),
    st.tuples(st.just("grad ="), nodes, numbers),
    st.tuples(st.just("step"), nodes),
    st.tuples(st.just("backward"), nodes),
)


def custom(mg, operands):
    out = mg.Value(1.5, operands, "custom", "made by hand")

    def step():
        for i, x in enumerate(operands):
            x.grad += (i + 0.1) * out.grad

    out._backward = step
    return out


def neuron(mg, activation, inputs):
    made = mg.Neuron(len(inputs), activation=activation)
    for i, p in enumerate(made.parameters()):
        p.data = 0.3 * (i + 1)
    return made(inputs)


def graph(mg, leaves, steps):
    """What the steps make of the leaves: every node, once the last has been differentiated."""
    made = [mg.Value(x) for x in leaves]

    def pick(operand):
        return made[-1 - operand % len(made)] if isinstance(operand, int) else operand

    for op, *args in steps:
        if op in ARITY:
            made.append(call(mg, op, *map(pick, args)))
        elif op == "max":
            larger = max(*map(pick, args))
            made.append(larger if isinstance(larger, mg.Value) else mg.Value(larger))
        elif op == "**k":
            made.append(pick(args[0]) ** args[1])
        elif op == "softmax":
            made.append(mg.softmax(map(pick, *args))[-1])
        elif op == "dot":
            start, pairs = args
            xs, ys = [pick(x) for x, _ in pairs], [pick(y) for _, y in pairs]
            made.append(mg.dot(xs, ys, pick(start)))
        elif op in ("sum", "norm"):
            start, terms = args
            made.append(call(mg, op, pick(start), *map(pick, terms)))
        elif op == "neuron":
            activation, inputs = args
            made.append(neuron(mg, activation, [pick(x) for x in inputs]))
        elif op == "custom":
            made.append(custom(mg, [pick(x) for x in args[0]]))
        elif op == "data =":
            pick(args[0]).data = args[1]
        elif op == "grad =":
            pick(args[0]).grad = args[1]
        elif op == "step":
            pick(*args)._backward()
        elif op == "backward":
            pick(*args).backward()
    made[-1].backward()
    return made


@settings(max_examples=20 * settings.default.max_examples)
@given(
    st.lists(numbers, min_size=1, max_size=4),
    st.lists(steps, max_size=10) | st.lists(steps, min_size=15, max_size=40),
)
def test_random_graphs_have_the_same_bits(leaves, steps):
    assert_same(graph, leaves, steps)


@settings(max_examples=5 * settings.default.max_examples)
@given(st.lists(st.tuples(numbers, numbers), max_size=6), numbers, numbers)
def test_dot_and_sum_have_the_bits_of_the_chains_they_stand_for(mg, pairs, start, seed):
    def run(build):
        xs, ys = [mg.Value(x) for x, _ in pairs], [mg.Value(y) for _, y in pairs]
        leaves = [mg.Value(start), *xs, *ys]
        # One leaf in many places shows the order of the additions.
        same, first = xs[:1] * len(xs), leaves[:1] * len(xs)
        cases = (xs, ys), (same, ys), (first, ys), (ys, first), (first, first), (xs, xs)
        found = []
        for case in cases:
            root = build(*case, leaves[0])
            (root * seed).backward()
            found.append([bits(root.data), *(bits(x.grad) for x in leaves)])
        return found

    def chain_of_products(xs, ys, start):
        for x, y in zip(xs, ys, strict=True):
            start = start + x * y
        return start

    def chain_of_terms(xs, _, start):
        for x in xs:
            start = start + x
        return start

    assert run(mg.dot) == run(chain_of_products)
    assert run(lambda xs, _, start: mg.sum(xs, start)) == run(chain_of_terms)


# Training


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda mg, p: mg.SGD(p, 0.05),
        lambda mg, p: mg.SGD(p, 0.05, momentum=0.9),
        lambda mg, p: mg.Adam(p, 0.05, betas=(0.8, 0.99), eps=1e-6),
        lambda mg, p: mg.Adam(p, 0.05, betas=(0.0, 0.0), eps=0.0),
        lambda mg, p: mg.AdamW(p, 0.05, weight_decay=0.1),
        lambda mg, p: mg.RMSprop(p, 0.05, weight_decay=0.1, momentum=0.5),
    ],
    ids=["SGD", "momentum", "Adam", "Adam without memory", "AdamW", "RMSprop"],
)
def test_training_has_the_same_bits(optimizer, activation):
    def train(mg):
        random.seed(1337)
        model = mg.MLP(3, [4, 4, 1], activation=activation)
        steps = optimizer(mg, model.parameters())
        losses = []
        for k in range(15):
            scores = [model(x) for x in programs.SAMPLES]
            errors = [(s - y) ** 2 for s, y in zip(scores, programs.TARGETS, strict=True)]
            losses.append(sum(errors) + 1e-4 * mg.dot(model.parameters(), model.parameters()))
            steps.zero_grad()
            losses[-1].backward()
            mg.clip_grad_norm(steps.params, 2.0)
            steps.lr = 0.05 / (k + 1)
            steps.step()
        return [*losses, *model.parameters()]

    assert_same(train)


def test_training_without_zero_grad_has_the_same_bits():
    def train(mg):
        random.seed(1)
        model = mg.MLP(2, [5, 5, 2], activation="sigmoid", output="tanh")
        for _ in range(10):
            first, second = model([0.5, -0.25])
            for root in (first * second, first, second - first):
                root.backward()
            for p in model.parameters():
                p.data -= 0.1 * p.grad
        return [first, second, *model.parameters()]

    assert_same(train)


@settings(max_examples=settings.default.max_examples)
@given(
    st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=3),
    st.integers(0, 4),
    st.floats(0, 10),
    st.floats(0, 0.999),
    st.floats(0, 10),
)
def test_optimizers_have_the_same_bits_on_any_numbers(params, steps, lr, beta, decay):
    def train(mg):
        roots = []
        for make in (
            lambda p: mg.SGD(p, lr),
            lambda p: mg.SGD(p, lr, beta),
            lambda p: mg.Adam(p, lr, (beta, 0.5)),
            lambda p: mg.Adam(p, lr, (0.5, beta), eps=0.0),
            lambda p: mg.SGD(p, lr, beta, decay),
            lambda p: mg.Adam(p, lr, (beta, 0.5), weight_decay=decay),
            lambda p: mg.AdamW(p, lr, (0.5, beta), weight_decay=decay),
            lambda p: mg.RMSprop(p, lr, beta, 1e-8, decay, beta),
        ):
            values = [mg.Value(x) for x, _, _ in params]
            optimizer = make(values)
            for k in range(steps):
                for v, (_, first, later) in zip(values, params, strict=True):
                    v.grad = later if k else first
                mg.clip_grad_norm(values, lr)
                optimizer.step()
            roots += values
        return roots

    assert_same(train)
