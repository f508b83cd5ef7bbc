"""A small GPT over scalar Values: the model of gpt.py.

One layer, 16 wide, 4 heads, RMSNorm without weights, a ReLU MLP of 64, no biases: 4,080 parameters.
gpt_written_out.py is the same model without a Module.
"""

from __future__ import annotations

import itertools
import random

from spelling import END, LONGEST, VOCABULARY, decode, encode

import micrograd_fast as mg
from micrograd_fast import Value

WIDTH, HEADS, HIDDEN = 16, 4, 64
HEAD = WIDTH // HEADS

Cache = list[tuple[list[list[Value]], list[list[Value]]]]


class Linear(mg.Module):
    """A matrix: a row of nin weights for each of nout outputs, which start at 0."""

    def __init__(self, nin: int, nout: int) -> None:
        self.weight = [[Value(0.0) for _ in range(nin)] for _ in range(nout)]

    def __call__(self, x: list[Value]) -> list[Value]:
        return [mg.dot(row, x) for row in self.weight]


class Attention(mg.Module):
    """What each head reads, by its query, from the positions up to this one."""

    def __init__(self) -> None:
        self.query, self.key = Linear(WIDTH, WIDTH), Linear(WIDTH, WIDTH)
        self.value, self.mix = Linear(WIDTH, WIDTH), Linear(WIDTH, WIDTH)

    def __call__(self, x: list[Value], cache: Cache) -> list[Value]:
        query, key, value = self.query(x), self.key(x), self.value(x)
        read = []
        for head, (keys, values) in enumerate(cache):
            part = slice(head * HEAD, (head + 1) * HEAD)
            keys.append(key[part])
            values.append(value[part])
            weights = mg.softmax([mg.dot(query[part], k) * HEAD**-0.5 for k in keys])
            read += [mg.dot(weights, column) for column in zip(*values, strict=True)]
        return self.mix(read)


class Block(mg.Module):
    """Attention, and then an MLP, each added to what it reads."""

    def __init__(self) -> None:
        self.norm = mg.RMSNorm(WIDTH, eps=1e-5, elementwise_affine=False)
        self.attention = Attention()
        self.mlp = mg.Sequential(self.norm, Linear(WIDTH, HIDDEN), relu, Linear(HIDDEN, WIDTH))

    def __call__(self, x: list[Value], cache: Cache) -> list[Value]:
        x = add(x, self.attention(self.norm(x), cache))
        return add(x, self.mlp(x))


class GPT(mg.Module):
    """Logits for the token after each position of a name."""

    def __init__(self, seed: int = 42) -> None:
        self.token = mg.Embedding(VOCABULARY, WIDTH)
        self.position = mg.Embedding(LONGEST, WIDTH)
        self.block = Block()
        self.logits = mg.Sequential(self.block.norm, Linear(WIDTH, VOCABULARY))
        rng = random.Random(seed)
        for p in self.parameters():
            p.data = rng.gauss(0.0, 0.1)

    def __call__(self, token: int, position: int, cache: Cache) -> list[Value]:
        """A Value for each token that may follow. Adds to the cache."""
        return self.logits(self.block(add(self.token(token), self.position(position)), cache))

    def loss(self, name: str) -> Value:
        """The mean over a name's letters and its end of -log(probability of the right one)."""
        cache = empty_cache()
        losses = [
            mg.cross_entropy(self(token, position, cache), target)
            for position, (token, target) in enumerate(itertools.pairwise(encode(name)))
        ]
        return mg.sum(losses) / len(losses)

    def sample(self, rng: random.Random, temperature: float = 1.0) -> str:
        """A new name, letter by letter."""
        tokens = [END]
        cache = empty_cache()
        while len(tokens) < LONGEST:
            logits = self(tokens[-1], len(tokens) - 1, cache)
            chances = mg.softmax([logit / temperature for logit in logits])
            tokens += rng.choices(range(VOCABULARY), [chance.data for chance in chances])
            if tokens[-1] == END:
                break
        return decode(tokens)


def empty_cache() -> Cache:
    """For each head, the keys and the values of the positions so far."""
    return [([], []) for _ in range(HEADS)]


def add(xs: list[Value], ys: list[Value]) -> list[Value]:
    return [x + y for x, y in zip(xs, ys, strict=True)]


def relu(xs: list[Value]) -> list[Value]:
    return [x.relu() for x in xs]
