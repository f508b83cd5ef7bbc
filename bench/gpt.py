"""A small GPT over scalar Values, and one step of its training.

One layer, 16 wide, 4 heads, RMSNorm without gain, a ReLU MLP of 64: 4,080 parameters that
learn to spell the invented names of names.txt, letter by letter. A step is one name: forward,
backward, Adam, with a learning rate that falls linearly. The model is written once; what a number
is, how products and sums are formed and which Adam moves the parameters are arguments:

    plain   the Value class, sum(x * y ...), the builtin sum, an Adam in Python
    fused   the Value class, dot, sum and Adam of micrograd_fast or its reference
    Tape    fused, with the graph for names of one length recorded once and replayed

PyTorch, JAX and autograd train the same model as arrays, with the same numbers to begin with.
"""

import builtins
import itertools
import math
import random
from pathlib import Path

from .measure import Task, Workload

WIDTH, HEADS, HIDDEN = 16, 4, 64
HEAD = WIDTH // HEADS
END = 0  # the token before and after each name; the letters a to z are 1 to 26
VOCABULARY = 27
LONGEST = 9  # positions: a name of up to eight letters, and END
EPSILON = 1e-5
RATE, STEPS = 0.01, 1000


def read_names():
    """The word list."""
    return Path(__file__).with_name("names.txt").read_text().split()


def encode(name):
    """The tokens of a name, with END on both sides."""
    return [END, *(ord(letter) - ord("a") + 1 for letter in name), END]


def first_numbers(seed=42):
    """The parameters before training: for each matrix its rows, all drawn from one normal law."""
    rng = random.Random(seed)
    shapes = {
        "token": (VOCABULARY, WIDTH),
        "position": (LONGEST, WIDTH),
        "query": (WIDTH, WIDTH),
        "key": (WIDTH, WIDTH),
        "value": (WIDTH, WIDTH),
        "mix": (WIDTH, WIDTH),
        "up": (HIDDEN, WIDTH),
        "down": (WIDTH, HIDDEN),
        "logits": (VOCABULARY, WIDTH),
    }
    return {
        name: [[rng.gauss(0.0, 0.1) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in shapes.items()
    }


def learning_rate(step):
    return RATE * (1 - step % STEPS / STEPS)


def written_out(xs, ys):
    """The dot product as a chain of products and sums."""
    return builtins.sum(x * y for x, y in zip(xs, ys, strict=True))


class GPT:
    """The model, on numbers of class Value.

    dot, sum: how products and sums of Values are formed; by default written out.
    """

    def __init__(self, Value, dot=written_out, sum=builtins.sum, seed=42):
        self.dot, self.sum = dot, sum
        self.matrices = {
            name: [[Value(x) for x in row] for row in rows]
            for name, rows in first_numbers(seed).items()
        }

    def parameters(self):
        return [p for rows in self.matrices.values() for row in rows for p in row]

    def loss(self, name):
        """The mean over a name's letters and its end of -log(probability of the right one)."""
        tokens = encode(name)
        cache = self.empty_cache()
        losses = []
        for position, (token, target) in enumerate(itertools.pairwise(tokens)):
            logits = self.logits(self.embedding(token, position), cache)
            top = max(logit.data for logit in logits)
            total = self.sum([(logit - top).exp() for logit in logits])
            losses.append(total.log() - (logits[target] - top))
        return self.sum(losses) * (1 / len(losses))

    def sample(self, rng, temperature=1.0):
        """A new name, letter by letter, from a random.Random."""
        tokens = [END]
        cache = self.empty_cache()
        while len(tokens) < LONGEST:
            logits = self.logits(self.embedding(tokens[-1], len(tokens) - 1), cache)
            top = max(logit.data for logit in logits)
            chances = [math.exp((logit.data - top) / temperature) for logit in logits]
            tokens += rng.choices(range(VOCABULARY), chances)
            if tokens[-1] == END:
                break
        return "".join(chr(ord("a") + token - 1) for token in tokens if token != END)

    def empty_cache(self):
        """For each head, the keys and the values of the positions so far."""
        return [([], []) for _ in range(HEADS)]

    def embedding(self, token, position):
        return self.add(self.matrices["token"][token], self.matrices["position"][position])

    def logits(self, x, cache):
        """One position forward: a Value for each token that may follow. Adds to the cache."""
        x = self.add(x, self.attention(self.normalise(x), cache))
        hidden = [h.relu() for h in self.linear("up", self.normalise(x))]
        x = self.add(x, self.linear("down", hidden))
        return self.linear("logits", self.normalise(x))

    def attention(self, x, cache):
        """What each head reads, by its query, from the positions up to this one."""
        query, key, value = (self.linear(name, x) for name in ("query", "key", "value"))
        read = []
        for head, (keys, values) in enumerate(cache):
            part = slice(head * HEAD, (head + 1) * HEAD)
            keys.append(key[part])
            values.append(value[part])
            weights = self.softmax([self.dot(query[part], k) * HEAD**-0.5 for k in keys])
            read += [self.dot(weights, column) for column in zip(*values, strict=True)]
        return self.linear("mix", read)

    def linear(self, name, x):
        return [self.dot(row, x) for row in self.matrices[name]]

    def add(self, xs, ys):
        return [x + y for x, y in zip(xs, ys, strict=True)]

    def normalise(self, x):
        """RMSNorm: x over the root of its mean square."""
        scale = (self.dot(x, x) * (1 / WIDTH) + EPSILON) ** -0.5
        return [xi * scale for xi in x]

    def softmax(self, scores):
        top = max(score.data for score in scores)
        powers = [(score - top).exp() for score in scores]
        total = self.sum(powers)
        return [power / total for power in powers]


class PlainAdam:
    """Adam as one writes it in Python; the same formulas, in the same order, as the twins'."""

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8):
        self.params, self.lr, self.betas, self.eps = params, lr, betas, eps
        self.mean = [0.0] * len(params)
        self.square = [0.0] * len(params)
        self.steps = 0

    def zero_grad(self):
        for p in self.params:
            p.grad = 0.0

    def step(self):
        self.steps += 1
        beta1, beta2 = self.betas
        correction1, correction2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        for i, p in enumerate(self.params):
            g = p.grad
            mean = self.mean[i] = beta1 * self.mean[i] + (1 - beta1) * g
            square = self.square[i] = beta2 * self.square[i] + (1 - beta2) * (g * g)
            root = math.sqrt(square / correction2)
            p.data -= self.lr * (mean / correction1) / (root + self.eps)


class PythonValue:
    """micrograd's Value, made for speed within Python: slots, and slopes in place of closures."""

    __slots__ = ("children", "data", "grad", "slopes")

    def __init__(self, data, children=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.children = children
        self.slopes = slopes  # d self / d child, for each child

    def __add__(self, other):
        other = other if isinstance(other, PythonValue) else PythonValue(other)
        return PythonValue(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other):
        other = other if isinstance(other, PythonValue) else PythonValue(other)
        return PythonValue(self.data - other.data, (self, other), (1.0, -1.0))

    def __mul__(self, other):
        other = other if isinstance(other, PythonValue) else PythonValue(other)
        return PythonValue(self.data * other.data, (self, other), (other.data, self.data))

    def __truediv__(self, other):
        out = self.data / other.data
        return PythonValue(out, (self, other), (1 / other.data, -out / other.data))

    def __pow__(self, k):
        return PythonValue(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        out = math.exp(self.data)
        return PythonValue(out, (self,), (out,))

    def log(self):
        return PythonValue(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return PythonValue(max(self.data, 0.0), (self,), (float(self.data > 0),))

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self):
        order, seen, pending = [], set(), [(self, False)]
        while pending:
            node, done = pending.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                pending.append((node, True))
                for child in node.children:
                    if child not in seen:
                        pending.append((child, False))
        self.grad = 1.0
        for node in reversed(order):
            for child, slope in zip(node.children, node.slopes):  # noqa: B905
                child.grad += slope * node.grad


# The contestants. A step's work goes with the length of its name, so all names timed have one.


def timed_names():
    return itertools.cycle([name for name in read_names() if len(name) == 6])


def with_values(model, Adam):
    params = model.parameters()
    optimizer = Adam(params, lr=RATE)
    names, steps = timed_names(), itertools.count()

    def run():
        loss = model.loss(next(names))
        optimizer.zero_grad()
        loss.backward()
        optimizer.lr = learning_rate(next(steps))
        optimizer.step()
        return loss.data

    losses = [run() for _ in range(3)]
    return Task(run, losses + [p.data for p in params] + [p.grad for p in params])


def fast():
    from micrograd_fast import Value

    return with_values(GPT(Value), PlainAdam)


def fast_fused():
    import micrograd_fast as mg

    return with_values(GPT(mg.Value, mg.dot, mg.sum), mg.Adam)


def ref():
    from micrograd_ref import Value

    return with_values(GPT(Value), PlainAdam)


def ref_fused():
    import micrograd_ref as mg

    return with_values(GPT(mg.Value, mg.dot, mg.sum), mg.Adam)


def recorded_loss(mg, model, length):
    """A Tape of the loss for names with so many letters, END counted, and one row as its input.

    For each position the row has the embedding and the target, 1 for the right token and 0 for the
    others. While this records, all embeddings are 0, and so is every largest score or logit: the
    shift that guards exp is lost, which these weights do not need.
    """
    cache = model.empty_cache()
    inputs, losses = [], []
    for _ in range(length):
        embedding, target = ([mg.Value(0.0) for _ in range(n)] for n in (WIDTH, VOCABULARY))
        inputs += [*embedding, *target]
        logits = model.logits(embedding, cache)
        total = mg.sum([logit.exp() for logit in logits])
        losses.append(total.log() - mg.dot(target, logits))
    return mg.Tape(mg.sum(losses) * (1 / length), inputs)


def tape(mg):
    import numpy as np

    model = GPT(mg.Value, mg.dot, mg.sum)
    params = model.parameters()
    optimizer = mg.Adam(params, lr=RATE)
    names, steps = timed_names(), itertools.count()
    tapes = {}

    def run():
        tokens = encode(next(names))
        length = len(tokens) - 1
        if length not in tapes:
            tapes[length] = recorded_loss(mg, model, length)
        recorded = tapes[length]
        tables = [
            (model.matrices["token"][token], model.matrices["position"][position])
            for position, token in enumerate(tokens[:-1])
        ]
        row = np.zeros((length, WIDTH + VOCABULARY))
        row[:, :WIDTH] = [[t.data + p.data for t, p in zip(*both, strict=True)] for both in tables]
        row[range(length), [WIDTH + token for token in tokens[1:]]] = 1.0
        loss = recorded.forward(row.ravel())
        optimizer.zero_grad()
        recorded.backward()
        grads = recorded.input_grad.reshape(row.shape)[:, :WIDTH].tolist()
        for both, slopes in zip(tables, grads, strict=True):
            for t, p, slope in zip(*both, slopes, strict=True):
                t.grad += slope
                p.grad += slope
        optimizer.lr = learning_rate(next(steps))
        optimizer.step()
        return loss

    losses = [run() for _ in range(3)]
    result = losses + [p.data for p in params] + [p.grad for p in params]
    return Task(run, result, note="recorded once for each length")


def fast_tape():
    import micrograd_fast

    return tape(micrograd_fast)


def ref_tape():
    import micrograd_ref

    return tape(micrograd_ref)


def python():
    return with_values(GPT(PythonValue), PlainAdam)


def torch():
    import torch
    from torch.nn.functional import cross_entropy, linear, rms_norm, scaled_dot_product_attention

    torch.set_num_threads(1)
    m = {
        name: torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        for name, rows in first_numbers().items()
    }
    optimizer = torch.optim.Adam(m.values(), lr=RATE, fused=True)
    names, steps = timed_names(), itertools.count()

    def normalise(x):
        return rms_norm(x, (WIDTH,), eps=EPSILON)

    def heads(x):
        return x.view(-1, HEADS, HEAD).transpose(0, 1)

    def compute_loss(tokens):
        x = m["token"][tokens[:-1]] + m["position"][: len(tokens) - 1]
        y = normalise(x)
        query, key, value = (heads(linear(y, m[name])) for name in ("query", "key", "value"))
        read = scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + linear(read.transpose(0, 1).reshape(-1, WIDTH), m["mix"])
        x = x + linear(linear(normalise(x), m["up"]).relu(), m["down"])
        return cross_entropy(linear(normalise(x), m["logits"]), tokens[1:])

    def run():
        loss = compute_loss(torch.tensor(encode(next(names))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = learning_rate(next(steps))
        optimizer.step()
        return loss.item()

    losses = [run() for _ in range(3)]
    data = [x for p in m.values() for x in p.detach().ravel().tolist()]
    grads = [x for p in m.values() for x in p.grad.ravel().tolist()]
    return Task(run, losses + data + grads)


def array_loss(np, m, tokens):
    """The loss in terms of a numpy that can be differentiated: autograd's or jax's."""
    n = len(tokens) - 1

    def normalise(x):
        return x * (np.mean(x * x, axis=1, keepdims=True) + EPSILON) ** -0.5

    def heads(x):
        return np.swapaxes(np.reshape(x, (n, HEADS, HEAD)), 0, 1)

    x = m["token"][tokens[:-1]] + m["position"][:n]
    y = normalise(x)
    query, key, value = (heads(y @ m[name].T) for name in ("query", "key", "value"))
    scores = query @ np.swapaxes(key, 1, 2) * HEAD**-0.5
    scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    powers = np.exp(scores - np.max(scores, axis=2, keepdims=True))
    read = powers / np.sum(powers, axis=2, keepdims=True) @ value
    x = x + np.reshape(np.swapaxes(read, 0, 1), (n, WIDTH)) @ m["mix"].T
    x = x + np.maximum(normalise(x) @ m["up"].T, 0.0) @ m["down"].T
    logits = normalise(x) @ m["logits"].T
    logits = logits - np.max(logits, axis=1, keepdims=True)
    right = logits[np.arange(n), tokens[1:]]
    return np.mean(np.log(np.sum(np.exp(logits), axis=1)) - right)


def adam(step, p, grad, mean, square):
    """One matrix's update, for step = 1, 2, ...: the new p, mean and square."""
    mean = 0.9 * mean + 0.1 * grad
    square = 0.999 * square + 0.001 * (grad * grad)
    root = (square / (1 - 0.999**step)) ** 0.5
    return p - learning_rate(step - 1) * (mean / (1 - 0.9**step)) / (root + 1e-8), mean, square


def autograd():
    import autograd.numpy as np
    from autograd import value_and_grad

    m = {name: np.array(rows) for name, rows in first_numbers().items()}
    means = {name: np.zeros_like(p) for name, p in m.items()}
    squares = {name: np.zeros_like(p) for name, p in m.items()}
    differentiate = value_and_grad(lambda m, tokens: array_loss(np, m, tokens))
    names, steps = timed_names(), itertools.count(1)
    grads = {}

    def run():
        nonlocal grads
        loss, grads = differentiate(m, np.array(encode(next(names))))
        step = next(steps)
        for name, p in m.items():
            m[name], means[name], squares[name] = adam(
                step, p, grads[name], means[name], squares[name]
            )
        return float(loss)

    losses = [run() for _ in range(3)]
    data = [x for p in m.values() for x in p.ravel()]
    return Task(run, losses + data + [x for name in m for x in grads[name].ravel()])


def jax_jit():
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as np

    m = {name: np.array(rows) for name, rows in first_numbers().items()}
    means = jax.tree.map(np.zeros_like, m)
    squares = jax.tree.map(np.zeros_like, m)
    names, steps = timed_names(), itertools.count(1)
    grads = {}

    @jax.jit
    def update(step, m, means, squares, tokens):
        loss, grads = jax.value_and_grad(lambda m: array_loss(np, m, tokens))(m)
        new = {name: adam(step, m[name], grads[name], means[name], squares[name]) for name in m}
        return loss, grads, *({name: new[name][i] for name in m} for i in range(3))

    def run():
        nonlocal grads, m, means, squares
        tokens = np.array(encode(next(names)))
        loss, grads, m, means, squares = update(float(next(steps)), m, means, squares, tokens)
        return float(loss)

    losses = [run() for _ in range(3)]
    data = [x for name in first_numbers() for x in m[name].ravel().tolist()]
    slopes = [x for name in first_numbers() for x in grads[name].ravel().tolist()]
    return Task(run, losses + data + slopes, note="compiled once for each length")


WORKLOADS = [
    Workload(
        name="gpt",
        title="a GPT of 4,080 parameters: one training step on a name of six letters",
        per="step",
        baseline="python",
        memory=True,
        contestants={
            "micrograd_fast": fast,
            "micrograd_fast, fused": fast_fused,
            "micrograd_fast, Tape": fast_tape,
            "micrograd_ref": ref,
            "micrograd_ref, fused": ref_fused,
            "micrograd_ref, Tape": ref_tape,
            "python": python,
            "micrograd": "has no exp and no log",
            "minigrad": "has no exp and no log",
            "torch": torch,
            "autograd": autograd,
            "jax.jit": jax_jit,
            "xad": "its numbers have functions, not the methods of a Value",
            "casadi": "symbolic: it does not train by eager scalar code",
        },
    )
]
