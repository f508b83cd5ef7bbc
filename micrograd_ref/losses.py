"""Losses over Values: written here once, for the Values of either package.

What this module imports relatively is its package's own: see `micrograd_fast.written_once`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Any

from micrograd_ref.checking import sequence

from .engine import Value, values
from .functions import dot, maximum, sum

__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "log_softmax", "mse", "softmax"]


def mse(predictions: Iterable[Any], targets: Iterable[Any]) -> Value:
    """The mean of (prediction - target) ** 2.

    predictions, targets: as many Values or numbers each, at least one.
    Raises ValueError if their numbers differ or there are none.
    """
    pairs = pairs_of("mse", predictions, targets)
    return sum([(prediction - target) ** 2 for prediction, target in pairs]) / len(pairs)


def hinge(scores: Iterable[Any], labels: Iterable[Any]) -> Value:
    """The mean of relu(1 - label * score), the max-margin loss.

    scores, labels: as many Values or numbers each, at least one; a label is -1 or 1.
    Raises ValueError if their numbers differ or there are none.
    """
    pairs = pairs_of("hinge", scores, labels)
    return sum([(1 - label * score).relu() for score, label in pairs]) / len(pairs)


def binary_cross_entropy(logits: Iterable[Any], targets: Iterable[Any]) -> Value:
    """The mean of -log(p) for a target of 1 and -log(1 - p) for 0, where p = sigmoid(logit).

    logits, targets: as many Values or numbers each, at least one; a target lies in [0, 1].
    Computed as log(1 + e**logit) - target * logit, without overflow.
    Raises ValueError if their numbers differ, there are none, or a target is outside [0, 1].
    """
    pairs = pairs_of("binary_cross_entropy", logits, targets)
    for _, target in pairs:
        if not 0 <= target.data <= 1:
            raise ValueError(
                f"a target of binary_cross_entropy must lie in [0, 1], got {target.data}"
            )
    losses = []
    for logit, target in pairs:
        powers, largest = shifted_powers(values([0.0, logit]))
        losses.append((largest - target * logit) + sum(powers).log())
    return sum(losses) / len(pairs)


def softmax(logits: Iterable[Any]) -> list[Value]:
    """e**logit / (the sum of all e**logit) for each of the logits: positive Values with the sum 1.

    The largest logit is subtracted first, so nothing overflows.
    Raises ValueError if there are none.

    >>> softmax([7.0, 7.0])
    [Value(data=0.5), Value(data=0.5)]
    """
    logits = at_least_one("softmax", logits)
    powers, _ = shifted_powers(logits)
    total = sum(powers)
    return [power / total for power in powers]


def log_softmax(logits: Iterable[Any]) -> list[Value]:
    """The logarithm of softmax(logits), precise where that is nearly 0 or 1.

    Each is (logit - largest) - log(sum of all e**(logit - largest)), and minus one of them has the
    bits of cross_entropy. Raises ValueError if there are none.

    >>> log_softmax([7.0, 7.0])
    [Value(data=-0.6931471805599453), Value(data=-0.6931471805599453)]
    """
    logits = at_least_one("log_softmax", logits)
    largest = reduce(maximum, logits)
    differences = [logit - largest for logit in logits]
    total = sum([x.exp() for x in differences]).log()
    return [x - total for x in differences]


def cross_entropy(logits: Iterable[Any], target: Any) -> Value:
    """-log(softmax(logits)[target]).

    target: the number of a class, or a weight for each class with the sum 1 (one-hot, say) of
    Values or numbers; under a Tape, weights that are inputs let the class vary by row.
    Computed as log-sum-exp, without overflow.
    Raises ValueError for no logits or another number of weights, IndexError for a class that does
    not exist.

    >>> cross_entropy([7.0, 7.0], 1)
    Value(data=0.6931471805599453)
    """
    logits = at_least_one("cross_entropy", logits)
    powers, largest = shifted_powers(logits)
    try:
        number = operator.index(target)
    except TypeError:
        weights = class_weights(target, len(logits))
        return dot(weights, [largest - logit for logit in logits]) + sum(powers).log()
    if not 0 <= number < len(logits):
        raise IndexError(f"the class must be from 0 to {len(logits) - 1}, got {number}")
    return (largest - logits[number]) + sum(powers).log()


def shifted_powers(logits: list[Value]) -> tuple[list[Value], Value]:
    """e**(logit - largest) for each of them, and the largest.

    The largest is a Value, so that under a Tape each row has its own.
    """
    largest = reduce(maximum, logits)
    return [(logit - largest).exp() for logit in logits], largest


def pairs_of(loss: str, xs: Iterable[Any], ys: Iterable[Any]) -> list[tuple[Value, Value]]:
    xs = values(sequence(xs, f"the first argument of {loss}"))
    ys = values(sequence(ys, f"the second argument of {loss}"))
    if len(xs) != len(ys) or not xs:
        raise ValueError(
            f"{loss} expects as many of both and at least one, got {len(xs)} and {len(ys)}"
        )
    return list(zip(xs, ys, strict=True))


def at_least_one(loss: str, logits: Iterable[Any]) -> list[Value]:
    logits = values(sequence(logits, f"the first argument of {loss}"))
    if not logits:
        raise ValueError(f"{loss} expects at least one logit, got none")
    return logits


def class_weights(target: Any, classes: int) -> list[Value]:
    weights = values(sequence(target, "the target of cross_entropy"))
    if len(weights) != classes:
        raise ValueError(
            f"cross_entropy expects a weight for each of {classes} classes, got {len(weights)}"
        )
    return weights
