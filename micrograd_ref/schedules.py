"""Learning-rate schedules: functions of the step, for optimizer.lr = ... before each of them."""

from __future__ import annotations

import math
import operator
from typing import Any

from .checking import within
from .rounded import cos

__all__ = ["cosine_schedule", "linear_schedule"]


def linear_schedule(step: int, steps: int, lr: Any, warmup: int = 0) -> float:
    """The learning rate of a step of so many: it rises to lr, and falls in a line to 0.

    step: 0 is the first. From steps on, the rate is 0.
    lr: the highest rate, at least 0. warmup: the number of steps before it, less than steps.
    Step i of them has lr * ((i + 1) / (warmup + 1)), and after them lr * (1 - p), where
    p = (step - warmup) / (steps - warmup).
    Raises ValueError for numbers out of range.

    >>> [linear_schedule(step, 6, 1.0, warmup=2) for step in (1, 2, 4, 6)]
    [0.6666666666666666, 1.0, 0.5, 0.0]
    """
    highest = within(lr, "lr", math.inf)
    rising, progress = phase(step, steps, warmup)
    return highest * rising * (1.0 - progress)


def cosine_schedule(step: int, steps: int, lr: Any, warmup: int = 0) -> float:
    """The learning rate of a step of so many: it rises to lr, and falls along a cosine to 0.

    As linear_schedule, with lr * (0.5 * (1 + cos(pi * p))) after the warmup.

    >>> [cosine_schedule(step, 4, 1.0) for step in (0, 2, 4)]
    [1.0, 0.5, 0.0]
    """
    highest = within(lr, "lr", math.inf)
    rising, progress = phase(step, steps, warmup)
    return highest * rising * (0.5 * (1.0 + cos(math.pi * progress)))


def phase(step: int, steps: int, warmup: int) -> tuple[float, float]:
    """How far a schedule has risen, and then how far it is on its way down."""
    step, steps, warmup = map(operator.index, (step, steps, warmup))
    if step < 0 or not 0 <= warmup < steps:
        raise ValueError(
            "a schedule expects a step of at least 0, and a warmup of at least 0 and less than "
            f"steps, got step {step}, warmup {warmup} and steps {steps}"
        )
    if step < warmup:
        return (step + 1) / (warmup + 1), 0.0
    return 1.0, min(1.0, (step - warmup) / (steps - warmup))
