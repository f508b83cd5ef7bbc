"""Programs as people write them for other engines: only the import of Value is theirs to change."""

import itertools
import math
import operator
import random
from contextlib import contextmanager
from functools import reduce
from types import SimpleNamespace

import pytest
from bits import bits, record
from programs import walk

import micrograd_fast
import micrograd_ref

# The manners of writing an operation: given its slopes, as in microgpt, or built in.


def sigmoid(x):
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


def written_out(mg):
    """Each operation a function that gives its slopes as numbers."""
    Value = mg.Value

    def power(a, k):
        return Value(a.data**k, (a,), (k * a.data ** (k - 1),))

    def exp(a):
        e = math.exp(a.data)
        return Value(e, (a,), (e,))

    def log(a):
        x = max(a.data, 1e-12)
        return Value(math.log(x), (a,), (1 / x,))

    def tanh(a):
        t = math.tanh(a.data)
        return Value(t, (a,), (1 - t * t,))

    def logistic(a):
        s = sigmoid(a.data)
        return Value(s, (a,), (s * (1 - s),))

    return SimpleNamespace(
        add=lambda a, b: Value(a.data + b.data, (a, b), (1, 1)),
        mul=lambda a, b: Value(a.data * b.data, (a, b), (b.data, a.data)),
        scale=lambda a, k: Value(a.data * k, (a,), (k,)),
        relu=lambda a: Value(max(0, a.data), (a,), (float(a.data > 0),)),
        step=lambda a, h, b, x: Value(a.data * h.data + b.data * x, (a, h, b), (h.data, a.data, x)),
        power=power,
        exp=exp,
        log=log,
        tanh=tanh,
        sigmoid=logistic,
    )


def built_in(mg):
    """The same operations as the package has them."""
    return SimpleNamespace(
        add=operator.add,
        mul=operator.mul,
        scale=operator.mul,
        relu=mg.Value.relu,
        step=lambda a, h, b, x: a * h + b * x,
        power=operator.pow,
        exp=mg.Value.exp,
        log=mg.Value.log,
        tanh=mg.Value.tanh,
        sigmoid=mg.Value.sigmoid,
    )


def matrix(mg, rng, rows, columns):
    return [[mg.Value(rng.gauss(0, 0.5)) for _ in range(columns)] for _ in range(rows)]


def flat(*matrices):
    return [p for rows in matrices for row in rows for p in row]


def linear(ops, weights, x):
    return [reduce(ops.add, map(ops.mul, row, x)) for row in weights]


def softmax(ops, logits):
    highest = max(logit.data for logit in logits)
    exps = [ops.exp(logit + -highest) for logit in logits]
    scale = ops.power(reduce(ops.add, exps), -1)
    return [ops.mul(e, scale) for e in exps]


def descend(loss, parameters, rate):
    for p in parameters:
        p.grad = 0.0
    loss.backward()
    for p in parameters:
        p.data -= rate * p.grad


def gradients(loss, parameters, backward):
    for p in parameters:
        p.grad = 0.0
    backward(loss)
    return [p.grad for p in parameters]


# The classifier: a yin-yang of three classes, moments and colours hung on the nodes.


def yin_yang(rng, n):
    """n points of the unit disc: 0 and 1 are its two halves, 2 the dots in them."""
    points = []
    while len(points) < n:
        x, y = rng.uniform(-1, 1), rng.uniform(-1, 1)
        if math.hypot(x, y) > 1:
            continue
        left, right = math.hypot(x + 0.5, y), math.hypot(x - 0.5, y)
        half = left < 0.5 or (y > 0 and right > 0.5)
        points.append(((x, y), 2 if min(left, right) < 0.2 else int(half)))
    return points


class Classifier:
    def __init__(self, mg, rng):
        self.hidden, self.output = matrix(mg, rng, 8, 3), matrix(mg, rng, 3, 9)

    def parameters(self):
        return flat(self.hidden, self.output)

    def __call__(self, x):
        h = [self.neuron(row, x).tanh() for row in self.hidden]
        return [self.neuron(row, h) for row in self.output]

    @staticmethod
    def neuron(row, x):
        *weights, bias = row
        return sum((w * xi for w, xi in zip(weights, x, strict=True)), bias)


def cross_entropy(logits, target):
    highest = max(logit.data for logit in logits)
    exps = [(logit - highest).exp() for logit in logits]
    return -(exps[target] / sum(exps)).log()


class AdamW:
    """Keeps its moments on the parameters."""

    def __init__(self, parameters, rate=0.1, betas=(0.9, 0.95), eps=1e-8, decay=1e-4):
        self.parameters, self.rate, self.betas = parameters, rate, betas
        self.eps, self.decay, self.t = eps, decay, 0

    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for p in self.parameters:
            if not hasattr(p, "m"):
                p.m = p.v = 0.0
            p.m = b1 * p.m + (1 - b1) * p.grad
            p.v = b2 * p.v + (1 - b2) * p.grad**2
            m, v = p.m / (1 - b1**self.t), p.v / (1 - b2**self.t)
            p.data -= self.rate * (m / (v**0.5 + self.eps) + self.decay * p.data)
            p.grad = 0


def train_classifier(mg):
    rng = random.Random(42)
    points, model = yin_yang(rng, 30), Classifier(mg, rng)
    optimizer = AdamW(model.parameters())
    losses = []
    for _ in range(10):
        loss = sum(cross_entropy(model(x), label) for x, label in points) / len(points)
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
    return model, losses


def test_the_classifier_learns_with_moments_on_its_parameters(mg):
    model, losses = train_classifier(mg)
    assert len(model.parameters()) == 51
    assert losses[-1] < 0.75 * losses[0]
    for p in model.parameters():
        assert p.v > 0.0
        del p.m, p.v
        assert not hasattr(p, "m")
        assert vars(p) == {}


def test_a_colour_on_every_node_changes_no_drawing(mg):
    rng = random.Random(42)
    loss = cross_entropy(Classifier(mg, rng)((mg.Value(0.3), mg.Value(-0.2))), 2)
    loss.backward()
    plain = mg.draw_dot(loss).source
    nodes, edges = mg.trace(loss)
    for node in nodes:
        setattr(node, "_vis_color", "lightgreen")  # noqa: B010, as it is written there
    assert mg.draw_dot(loss).source == plain
    assert {child._vis_color for edge in edges for child in edge} == {"lightgreen"}


# microgpt: one layer of a transformer over five tokens.


class GPT:
    WIDTH, HEADS, TOKENS = 4, 2, 5

    def __init__(self, mg, ops):
        rng = random.Random(42)
        self.ops = ops
        sizes = {"wte": (5, 4), "wpe": (4, 4), "head": (5, 4), "up": (8, 4), "down": (4, 8)}
        sizes |= dict.fromkeys(("query", "key", "value", "out"), (4, 4))
        self.weights = {name: matrix(mg, rng, *size) for name, size in sizes.items()}
        self.parameters = flat(*self.weights.values())

    def linear(self, name, x):
        return linear(self.ops, self.weights[name], x)

    def rmsnorm(self, x):
        ops = self.ops
        mean = ops.scale(reduce(ops.add, (ops.mul(xi, xi) for xi in x)), 1 / len(x))
        scale = ops.power(mean + 1e-5, -0.5)
        return [ops.mul(xi, scale) for xi in x]

    def attention(self, x, keys, values):
        ops, size = self.ops, self.WIDTH // self.HEADS
        query = self.linear("query", x)
        keys.append(self.linear("key", x))
        values.append(self.linear("value", x))
        heads = []
        for start in range(0, self.WIDTH, size):
            part = slice(start, start + size)
            scores = linear(ops, [key[part] for key in keys], query[part])
            weights = softmax(ops, [ops.scale(score, size**-0.5) for score in scores])
            columns = zip(*(value[part] for value in values), strict=True)
            heads += linear(ops, list(columns), weights)
        return self.linear("out", heads)

    def logits(self, token, position, keys, values):
        ops = self.ops
        x = list(map(ops.add, self.weights["wte"][token], self.weights["wpe"][position]))
        x = self.rmsnorm(x)
        x = list(map(ops.add, self.attention(self.rmsnorm(x), keys, values), x))
        hidden = [ops.relu(h) for h in self.linear("up", self.rmsnorm(x))]
        x = list(map(ops.add, self.linear("down", hidden), x))
        return self.linear("head", x)

    def loss(self, tokens):
        ops, keys, values, losses = self.ops, [], [], []
        for position, (token, target) in enumerate(itertools.pairwise(tokens)):
            probabilities = softmax(ops, self.logits(token, position, keys, values))
            losses.append(ops.scale(ops.log(probabilities[target]), -1))
        return ops.scale(reduce(ops.add, losses), 1 / len(losses))


def train_gpt(mg, manner, steps=6):
    """Adam with its moments in lists and a rate that falls to zero."""
    model = GPT(mg, manner(mg))
    m, v = [0.0] * len(model.parameters), [0.0] * len(model.parameters)
    losses = []
    for t in range(steps):
        loss = model.loss([0, 3, 1, 4])
        loss.backward()
        losses.append(loss.data)
        for i, p in enumerate(model.parameters):
            m[i] = 0.85 * m[i] + 0.15 * p.grad
            v[i] = 0.99 * v[i] + 0.01 * p.grad**2
            m_hat, v_hat = m[i] / (1 - 0.85 ** (t + 1)), v[i] / (1 - 0.99 ** (t + 1))
            p.data -= 0.05 * (1 - t / steps) * m_hat / (v_hat**0.5 + 1e-8)
            p.grad = 0
    return losses, model.parameters


def test_microgpt_learns_its_document(mg):
    losses, _ = train_gpt(mg, written_out)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]


def test_microgpt_with_its_own_operations_trains_as_with_the_built_in_ones(mg):
    own, built = train_gpt(mg, written_out), train_gpt(mg, built_in)
    assert own[0] == pytest.approx(built[0], rel=1e-9)


def test_the_backward_of_microgpt_gives_the_bits_of_backward(mg):
    model = GPT(mg, written_out(mg))
    by_hand, ours = model.loss([0, 3, 1, 4]), model.loss([0, 3, 1, 4])
    found = gradients(by_hand, model.parameters, walk)
    expected = gradients(ours, model.parameters, mg.Value.backward)
    assert list(map(bits, found)) == list(map(bits, expected))
    for p in model.parameters:
        p.grad = 0.0
    assert record([by_hand]) == record([ours])


def test_the_backward_of_microgpt_walks_built_in_operations_too(mg):
    model = GPT(mg, built_in(mg))
    found = gradients(model.loss([0, 3, 1, 4]), model.parameters, walk)
    expected = gradients(model.loss([0, 3, 1, 4]), model.parameters, mg.Value.backward)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


# A GAN, an LSTM and a state-space model: a loss of their parameters each.


class GAN:
    def __init__(self, mg, manner):
        rng = random.Random(7)
        self.ops, self.one = manner(mg), mg.Value(1.0)
        self.generator = [matrix(mg, rng, 3, 2), matrix(mg, rng, 1, 4)]
        self.discriminator = [matrix(mg, rng, 3, 2), matrix(mg, rng, 1, 4)]
        self.noise = [mg.Value(rng.gauss(0, 1)) for _ in range(4)]
        self.real = [mg.Value(rng.gauss(3, 0.5)) for _ in range(4)]

    def net(self, weights, x):
        hidden, output = weights
        h = [self.ops.tanh(a) for a in linear(self.ops, hidden, [x, self.one])]
        return linear(self.ops, output, [*h, self.one])[0]

    def surely_real(self, x):
        return self.ops.log(self.ops.sigmoid(self.net(self.discriminator, x)))

    def surely_fake(self, x):
        return self.ops.log(1 - self.ops.sigmoid(self.net(self.discriminator, x)))

    def fakes(self):
        return [self.net(self.generator, z) for z in self.noise]

    def discriminator_loss(self):
        return -sum(map(self.surely_real, self.real)) - sum(map(self.surely_fake, self.fakes()))

    def generator_loss(self):
        return -sum(map(self.surely_real, self.fakes()))


def train_gan(mg, manner):
    gan, losses = GAN(mg, manner), []
    for _ in range(8):
        for loss, player in (
            (gan.discriminator_loss, flat(*gan.discriminator)),
            (gan.generator_loss, flat(*gan.generator)),
        ):
            before = loss()
            descend(before, player, 0.05)
            losses += [before.data, loss().data]
    return losses, flat(*gan.generator, *gan.discriminator)


def test_each_player_of_a_gan_lowers_its_own_loss(mg):
    losses, _ = train_gan(mg, written_out)
    assert all(after < before for before, after in zip(losses[::2], losses[1::2], strict=True))


class LSTM:
    GATES = ("input", "forget", "output", "candidate")

    def __init__(self, mg, manner):
        rng = random.Random(5)
        self.mg, self.ops = mg, manner(mg)
        self.gates = {name: matrix(mg, rng, 2, 4) for name in self.GATES}
        self.readout = matrix(mg, rng, 1, 2)
        self.parameters = flat(*self.gates.values(), self.readout)

    def loss(self):
        ops, one = self.ops, self.mg.Value(1.0)
        h, c, total = [self.mg.Value(0.0)] * 2, [self.mg.Value(0.0)] * 2, 0
        series = [math.sin(0.8 * t) for t in range(7)]
        for x, target in itertools.pairwise(series):
            seen = [self.mg.Value(x), *h, one]
            i, f, o, g = (linear(ops, self.gates[name], seen) for name in self.GATES)
            kept = [ops.mul(ops.sigmoid(fk), ck) for fk, ck in zip(f, c, strict=True)]
            new = [ops.mul(ops.sigmoid(ik), ops.tanh(gk)) for ik, gk in zip(i, g, strict=True)]
            c = list(map(ops.add, kept, new))
            h = [ops.mul(ops.sigmoid(ok), ops.tanh(ck)) for ok, ck in zip(o, c, strict=True)]
            total += (linear(ops, self.readout, h)[0] - target) ** 2
        return total


def train_lstm(mg, manner):
    model, losses = LSTM(mg, manner), []
    for _ in range(30):
        loss = model.loss()
        descend(loss, model.parameters, 0.1)
        losses.append(loss.data)
    return losses, model.parameters


def test_an_lstm_learns_to_continue_a_wave(mg):
    losses, parameters = train_lstm(mg, written_out)
    assert len(parameters) == 34
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]


class StateSpace:
    """h = a h + b x, y = c h, with a = exp(-log(1 + exp(decay))) below 1."""

    def __init__(self, mg, manner):
        self.mg, self.ops = mg, manner(mg)
        self.parameters = [mg.Value(x) for x in (0.4, -0.3, 0.7)]

    def loss(self):
        ops, (decay, b, c) = self.ops, self.parameters
        a = ops.exp(ops.scale(decay.log1pexp(), -1))
        h, total = self.mg.Value(0.0), 0
        for x, target in ((1.0, 0.5), (-0.5, 0.0), (2.0, 1.0), (0.0, 0.5)):
            h = ops.step(a, h, b, x)
            total += (ops.mul(c, h) - target) ** 2
        return total


@contextmanager
def log1pexp(mg):
    """Within this block, a method more of the class."""
    mg.Value.log1pexp = lambda self: (1 + self.exp()).log()
    try:
        yield
    finally:
        del mg.Value.log1pexp


def train_state_space(mg, manner):
    model, losses = StateSpace(mg, manner), []
    with log1pexp(mg):
        for _ in range(12):
            loss = model.loss()
            descend(loss, model.parameters, 0.05)
            losses.append(loss.data)
    return losses, model.parameters


def test_a_state_space_model_learns_with_a_method_added_to_the_class(mg):
    losses, _ = train_state_space(mg, written_out)
    assert losses == sorted(losses, reverse=True)
    assert not hasattr(mg.Value, "log1pexp")


def losses_to_check(mg, manner):
    gpt, gan = GPT(mg, manner(mg)), GAN(mg, manner)
    lstm, space = LSTM(mg, manner), StateSpace(mg, manner)
    players = flat(*gan.generator, *gan.discriminator)
    return {
        "gpt": (lambda: gpt.loss([0, 3, 1, 4]), gpt.parameters[::7]),
        "discriminator": (gan.discriminator_loss, players),
        "generator": (gan.generator_loss, players),
        "lstm": (lstm.loss, lstm.parameters),
        "state space": (space.loss, space.parameters),
    }


@pytest.mark.parametrize("name", ["gpt", "discriminator", "generator", "lstm", "state space"])
def test_slopes_given_as_numbers_agree_with_differences_and_with_built_in_ones(mg, name):
    with log1pexp(mg):
        loss, parameters = losses_to_check(mg, written_out)[name]
        assert mg.gradcheck(lambda *_: loss(), parameters).error < 1e-7
        found = gradients(loss(), parameters, mg.Value.backward)
        loss, parameters = losses_to_check(mg, built_in)[name]
        expected = gradients(loss(), parameters, mg.Value.backward)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_clamped_logarithm_keeps_the_slope_that_it_was_given(mg):
    log = written_out(mg).log
    for x, slope in ((0.5, 2.0), (0.0, 1 / 1e-12), (-3.0, 1 / 1e-12)):
        v = mg.Value(x)
        out = log(v)
        out.backward()
        assert (out.data, v.grad) == (math.log(max(x, 1e-12)), slope)


# REINFORCE: a corridor of four cells, the prize at its right end.


def episode(ops, table, rng):
    """The steps taken (state, action, the action's log-probability) and their return."""
    state, steps = 0, []
    while state < 3 and len(steps) < 12:
        probabilities = softmax(ops, table[state])
        action = int(rng.random() >= probabilities[0].data)
        steps.append((state, action, ops.log(probabilities[action])))
        state = max(0, state + (1 if action else -1))
    return steps, (10.0 if state == 3 else 0.0) - len(steps)


def train_policy(mg, manner):
    rng, ops = random.Random(3), manner(mg)
    table, returns = matrix(mg, rng, 3, 2), []
    for _ in range(60):
        steps, reward = episode(ops, table, rng)
        loss = reduce(ops.add, (ops.scale(log, -reward) for _, _, log in steps))
        descend(loss, flat(table), 0.03)
        returns.append(reward)
    return returns, flat(table)


def test_a_policy_learns_to_walk_to_the_prize(mg):
    returns, _ = train_policy(mg, written_out)
    assert sum(returns[-15:]) / 15 > sum(returns[:15]) / 15 + 1


def test_the_policy_gradient_is_that_of_the_formula(mg):
    rng, ops = random.Random(3), written_out(mg)
    table = matrix(mg, rng, 3, 2)
    steps, reward = episode(ops, table, rng)
    reduce(ops.add, (ops.scale(log, -reward) for _, _, log in steps)).backward()
    expected = [[0.0, 0.0] for _ in table]
    for state, action, _ in steps:
        # d -log softmax(z)[action] / dz = softmax(z) - onehot(action)
        for k, p in enumerate(softmax(ops, table[state])):
            expected[state][k] += reward * (p.data - (k == action))
    assert [p.grad for p in flat(table)] == pytest.approx(flat(expected), abs=1e-12)


@pytest.mark.parametrize("manner", [written_out, built_in])
@pytest.mark.parametrize(
    "train", [train_gpt, train_gan, train_lstm, train_state_space, train_policy]
)
def test_both_packages_train_to_the_same_bits(train, manner):
    ref, fast = (
        [*map(bits, [*losses, *(p.data for p in parameters), *(p.grad for p in parameters)])]
        for losses, parameters in (train(mg, manner) for mg in (micrograd_ref, micrograd_fast))
    )
    assert ref == fast


def test_both_packages_train_the_classifier_to_the_same_bits():
    ref, fast = (
        [*map(bits, [*losses, *(x for p in model.parameters() for x in (p.data, p.m, p.v))])]
        for model, losses in map(train_classifier, (micrograd_ref, micrograd_fast))
    )
    assert ref == fast
