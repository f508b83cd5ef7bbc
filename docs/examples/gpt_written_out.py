"""The GPT of gpt_model.py, written out for any engine.

What a number is, and how products and sums are formed, are arguments, so that `python -m bench gpt`
can measure others with it. And it is recorded as a Tape.
"""

from __future__ import annotations

import builtins
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from spelling import LONGEST, VOCABULARY, encode

WIDTH, HEADS, HIDDEN = 16, 4, 64
HEAD = WIDTH // HEADS
EPSILON = 1e-5

Cache = list[tuple[list[Any], list[Any]]]


def first_numbers(seed: int = 42) -> dict[str, list[list[float]]]:
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


def written_out(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    """The dot product as a chain of products and sums."""
    return builtins.sum(x * y for x, y in zip(xs, ys, strict=True))


class GPT:
    """The model, on numbers of class Value.

    dot, sum: how products and sums of Values are formed; by default written out.
    """

    def __init__(
        self,
        Value: Callable[[float], Any],
        dot: Callable[[Sequence[Any], Sequence[Any]], Any] = written_out,
        sum: Callable[[Sequence[Any]], Any] = builtins.sum,
        seed: int = 42,
    ) -> None:
        self.dot, self.sum = dot, sum
        self.matrices = {
            name: [[Value(x) for x in row] for row in rows]
            for name, rows in first_numbers(seed).items()
        }

    def parameters(self) -> list[Any]:
        return [p for rows in self.matrices.values() for row in rows for p in row]

    def loss(self, name: str) -> Any:
        """The mean over a name's letters and its end of -log(probability of the right one)."""
        cache = self.empty_cache()
        losses = []
        for position, (token, target) in enumerate(itertools.pairwise(encode(name))):
            logits = self.logits(self.embedding(token, position), cache)
            top = max(logit.data for logit in logits)
            total = self.sum([(logit - top).exp() for logit in logits])
            losses.append(total.log() - (logits[target] - top))
        return self.sum(losses) * (1 / len(losses))

    def empty_cache(self) -> Cache:
        """For each head, the keys and the values of the positions so far."""
        return [([], []) for _ in range(HEADS)]

    def embedding(self, token: int, position: int) -> list[Any]:
        return self.add(self.matrices["token"][token], self.matrices["position"][position])

    def logits(self, x: list[Any], cache: Cache) -> list[Any]:
        """One position forward: a Value for each token that may follow. Adds to the cache."""
        x = self.add(x, self.attention(self.normalize(x), cache))
        hidden = [h.relu() for h in self.linear("up", self.normalize(x))]
        x = self.add(x, self.linear("down", hidden))
        return self.linear("logits", self.normalize(x))

    def attention(self, x: list[Any], cache: Cache) -> list[Any]:
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

    def linear(self, name: str, x: list[Any]) -> list[Any]:
        return [self.dot(row, x) for row in self.matrices[name]]

    def add(self, xs: list[Any], ys: list[Any]) -> list[Any]:
        return [x + y for x, y in zip(xs, ys, strict=True)]

    def normalize(self, x: list[Any]) -> list[Any]:
        """RMSNorm: x over the root of its mean square."""
        scale = (self.dot(x, x) * (1 / WIDTH) + EPSILON) ** -0.5
        return [xi * scale for xi in x]

    def softmax(self, scores: list[Any]) -> list[Any]:
        top = max(score.data for score in scores)
        powers = [(score - top).exp() for score in scores]
        total = self.sum(powers)
        return [power / total for power in powers]


class RecordedLoss:
    """The loss of a GPT recorded as a Tape for each length of name, and replayed.

    A Tape's input is a row with all tokens and then all targets, each as 1 for itself and 0 for the
    others. The largest scores are those found while it records: a shift by them changes no
    probability, but no longer guards exp, which these weights do not need.
    """

    def __init__(self, mg: Any, model: GPT) -> None:
        import numpy as np

        self.mg, self.model = mg, model
        self.tapes: dict[int, Any] = {}
        self.one_hot = np.eye(VOCABULARY)

    def record(self, length: int) -> Any:
        """The Tape for names with so many letters, END counted."""
        mg, model = self.mg, self.model
        columns = list(zip(*model.matrices["token"], strict=True))
        cache = model.empty_cache()
        tokens, targets = (
            [[mg.Value(0.0) for _ in range(VOCABULARY)] for _ in range(length)] for _ in range(2)
        )
        losses = []
        for token, target, position in zip(
            tokens, targets, model.matrices["position"][:length], strict=True
        ):
            embedding = [
                mg.dot(token, column, start)
                for column, start in zip(columns, position, strict=True)
            ]
            logits = model.logits(embedding, cache)
            total = mg.sum([logit.exp() for logit in logits])
            losses.append(total.log() - mg.dot(target, logits))
        return mg.Tape(mg.sum(losses) * (1 / length), itertools.chain(*tokens, *targets))

    def forward(self, name: str) -> float:
        """The loss for a name."""
        tokens = encode(name)
        length = len(tokens) - 1
        if length not in self.tapes:
            self.tapes[length] = self.record(length)
        self.tape = self.tapes[length]
        return self.tape.forward(self.one_hot.take(tokens[:-1] + tokens[1:], axis=0).ravel())

    def backward(self) -> None:
        """Add the gradients of the last forward into the parameters."""
        self.tape.backward()
