"""Losses over Values."""

from collections.abc import Iterable
from typing import SupportsIndex

from .engine import Value, _Number

__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "log_softmax", "mse", "softmax"]

def mse(predictions: Iterable[Value | _Number], targets: Iterable[Value | _Number]) -> Value:
    """The mean of (prediction - target) ** 2.

    predictions, targets: as many Values or numbers each, at least one.
    Raises ValueError if their numbers differ or there are none.
    """

def hinge(scores: Iterable[Value | _Number], labels: Iterable[Value | _Number]) -> Value:
    """The mean of relu(1 - label * score), the max-margin loss.

    scores, labels: as many Values or numbers each, at least one; a label is -1 or 1.
    Raises ValueError if their numbers differ or there are none.
    """

def binary_cross_entropy(
    logits: Iterable[Value | _Number], targets: Iterable[Value | _Number]
) -> Value:
    """The mean of -log(p) for a target of 1 and -log(1 - p) for 0, where p = sigmoid(logit).

    logits, targets: as many Values or numbers each, at least one; a target lies in [0, 1].
    Computed as log(1 + e**logit) - target * logit, without overflow.
    Raises ValueError if their numbers differ, there are none, or a target is outside [0, 1].
    """

def softmax(logits: Iterable[Value | _Number]) -> list[Value]:
    """e**logit / (the sum of all e**logit) for each of the logits: positive Values with the sum 1.

    The largest logit is subtracted first, so nothing overflows.
    Raises ValueError if there are none.

    >>> softmax([7.0, 7.0])
    [Value(data=0.5), Value(data=0.5)]
    """

def log_softmax(logits: Iterable[Value | _Number]) -> list[Value]:
    """The logarithm of softmax(logits), precise where that is nearly 0 or 1.

    Each is (logit - largest) - log(sum of all e**(logit - largest)), and minus one of them has the
    bits of cross_entropy. Raises ValueError if there are none.

    >>> log_softmax([7.0, 7.0])
    [Value(data=-0.6931471805599453), Value(data=-0.6931471805599453)]
    """

def cross_entropy(
    logits: Iterable[Value | _Number], target: SupportsIndex | Iterable[Value | _Number]
) -> Value:
    """-log(softmax(logits)[target]).

    target: the number of a class, or a weight for each class with the sum 1 (one-hot, say) of
    Values or numbers; under a Tape, weights that are inputs let the class vary by row.
    Computed as log-sum-exp, without overflow.
    Raises ValueError for no logits or another number of weights, IndexError for a class that does
    not exist.

    >>> cross_entropy([7.0, 7.0], 1)
    Value(data=0.6931471805599453)
    """
