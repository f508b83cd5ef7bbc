"""One training step of a small GPT over scalar Values: docs/examples/gpt_written_out.py.

4,080 parameters that learn to spell invented names, letter by letter. A step is one name: forward,
backward, Adam, with a learning rate that falls linearly. Its work goes with the length of the name,
so all names here have six letters. What a number is, how products and sums are formed and which
Adam moves the parameters differ:

    plain   the Value class, sum(x * y ...), the builtin sum, an Adam in Python
    fused   the Value class, dot, sum and Adam of micrograd_fast or its reference
    Tape    fused, with the graph for names of one length recorded once and replayed

PyTorch, JAX and autograd train the same model as arrays, with the same numbers to begin with.
"""

import itertools
import sys
from pathlib import Path

from . import python
from .measure import Task, Workload

sys.path.append(str(Path(__file__).parents[1] / "docs" / "examples"))
from gpt_written_out import EPSILON, GPT, HEAD, HEADS, WIDTH, RecordedLoss, first_numbers
from spelling import encode, read_names

RATE, STEPS = 0.01, 1000


def task(step, numbers, note=""):
    """The Task of step(rate, name), which trains on a name and returns the loss.

    numbers() are the parameters and their gradients.
    """
    rates = (RATE * (1 - k % STEPS / STEPS) for k in itertools.count())
    names = itertools.cycle([name for name in read_names() if len(name) == 6])

    def run():
        return step(next(rates), next(names))

    return Task(run, [run(), run(), run(), numbers()], note=note)


def of_values(model, Adam, forward, note=""):
    params = model.parameters()
    step = python.by_optimizer(Adam(params, lr=RATE), forward)
    return task(step, lambda: [[p.data for p in params], [p.grad for p in params]], note)


def eager(model, Adam):
    def forward(name):
        loss = model.loss(name)
        return loss.data, loss.backward

    return of_values(model, Adam, forward)


def plain(mg):
    return eager(GPT(mg.Value), python.Adam)


def fused(mg):
    return eager(GPT(mg.Value, mg.dot, mg.sum), mg.Adam)


def tape(mg):
    model = GPT(mg.Value, mg.dot, mg.sum)
    recorded = RecordedLoss(mg, model)

    def forward(name):
        return recorded.forward(name), recorded.backward

    return of_values(model, mg.Adam, forward, note="recorded once for each length")


def torch_arrays(torch):
    from torch.nn.functional import cross_entropy, linear, rms_norm, scaled_dot_product_attention

    m = {
        name: torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        for name, rows in first_numbers().items()
    }
    optimizer = torch.optim.Adam(m.values(), lr=RATE, fused=True)

    def normalize(x):
        return rms_norm(x, (WIDTH,), eps=EPSILON)

    def heads(x):
        return x.view(-1, HEADS, HEAD).transpose(0, 1)

    def compute_loss(tokens):
        x = m["token"][tokens[:-1]] + m["position"][: len(tokens) - 1]
        y = normalize(x)
        query, key, value = (heads(linear(y, m[name])) for name in ("query", "key", "value"))
        read = scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + linear(read.transpose(0, 1).reshape(-1, WIDTH), m["mix"])
        x = x + linear(linear(normalize(x), m["up"]).relu(), m["down"])
        return cross_entropy(linear(normalize(x), m["logits"]), tokens[1:])

    def step(rate, name):
        loss = compute_loss(torch.tensor(encode(name)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        return loss.item()

    return task(step, lambda: [list(m.values()), [p.grad for p in m.values()]])


def array_loss(np, m, tokens):
    """The loss in terms of a numpy that can be differentiated: autograd's or jax's."""
    n = len(tokens) - 1

    def normalize(x):
        return x * (np.mean(x * x, axis=1, keepdims=True) + EPSILON) ** -0.5

    def heads(x):
        return np.swapaxes(np.reshape(x, (n, HEADS, HEAD)), 0, 1)

    x = m["token"][tokens[:-1]] + m["position"][:n]
    y = normalize(x)
    query, key, value = (heads(y @ m[name].T) for name in ("query", "key", "value"))
    scores = query @ np.swapaxes(key, 1, 2) * HEAD**-0.5
    scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    powers = np.exp(scores - np.max(scores, axis=2, keepdims=True))
    read = powers / np.sum(powers, axis=2, keepdims=True) @ value
    x = x + np.reshape(np.swapaxes(read, 0, 1), (n, WIDTH)) @ m["mix"].T
    x = x + np.maximum(normalize(x) @ m["up"].T, 0.0) @ m["down"].T
    logits = normalize(x) @ m["logits"].T
    logits = logits - np.max(logits, axis=1, keepdims=True)
    right = logits[np.arange(n), tokens[1:]]
    return np.mean(np.log(np.sum(np.exp(logits), axis=1)) - right)


def adam(step, rate, grad, p, mean, square):
    """One matrix's update, for step = 1, 2, ...: the new p, mean and square."""
    mean = 0.9 * mean + 0.1 * grad
    square = 0.999 * square + 0.001 * (grad * grad)
    root = (square / (1 - 0.999**step)) ** 0.5
    return p - rate * (mean / (1 - 0.9**step)) / (root + 1e-8), mean, square


def arrays(package, note=""):
    """With a numpy that can be differentiated: autograd's, or JAX's, which is compiled."""
    np = package.numpy
    numbers = first_numbers()
    zeros = {name: np.zeros_like(np.array(rows)) for name, rows in numbers.items()}
    state = {name: (np.array(numbers[name]), zero, zero) for name, zero in zeros.items()}
    steps, grads = itertools.count(1), zeros

    def update(k, rate, state, tokens):
        m = {name: p for name, (p, _, _) in state.items()}
        loss, grads = package.value_and_grad(lambda m: array_loss(np, m, tokens))(m)
        return loss, grads, {name: adam(k, rate, grads[name], *state[name]) for name in m}

    if hasattr(package, "jit"):
        update = package.jit(update)

    def step(rate, name):
        nonlocal grads, state
        loss, grads, state = update(float(next(steps)), rate, state, np.array(encode(name)))
        return float(loss)

    def found():  # JAX sorts its own names
        return [state[name][0] for name in numbers], [grads[name] for name in numbers]

    return task(step, found, note)


CONTESTANTS = [
    ("micrograd_fast", plain),
    ("micrograd_fast, fused", fused),
    ("micrograd_fast, Tape", tape),
    ("micrograd_ref", plain),
    ("micrograd_ref, fused", fused),
    ("micrograd_ref, Tape", tape),
    ("python", plain),
    ("micrograd", "has no exp and no log"),
    ("minigrad", "has no exp and no log"),
    ("torch", torch_arrays),
    ("autograd", arrays),
    ("jax.jit", arrays, "compiled once for each length"),
    ("xad", "its numbers have functions, not the methods of a Value"),
    ("casadi", "symbolic: it does not train by eager scalar code"),
]

TITLE = "a GPT of 4,080 parameters: one training step on a name of six letters"
WORKLOADS = [Workload("gpt", TITLE, "step", CONTESTANTS, baselines=["python"], memory=True)]
