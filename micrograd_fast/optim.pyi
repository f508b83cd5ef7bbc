"""Optimizers: SGD and Adam."""

from collections.abc import Iterable

from .engine import Value, _Number

__all__ = ["SGD", "Adam"]

class _Optimizer:
    """What SGD and Adam share: the parameters and the learning rate."""

    @property
    def params(self) -> tuple[Value, ...]:
        """The parameters."""

    def __init__(self, params: Iterable[Value], lr: _Number) -> None: ...
    @property
    def lr(self) -> float:
        """The learning rate, a number of at least 0. Assign to it to follow a schedule."""

    @lr.setter
    def lr(self, lr: _Number) -> None: ...
    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0.0."""

class SGD(_Optimizer):
    """Stochastic gradient descent.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    momentum: in [0, 1). With it, v = momentum * v + grad and data -= lr * v, as PyTorch has it;
    without, data -= lr * grad.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    momentum: float

    def __init__(self, params: Iterable[Value], lr: _Number, momentum: _Number = 0.0) -> None: ...
    def step(self) -> None:
        """Change every parameter once, by its grad."""

class Adam(_Optimizer):
    """Adam, algorithm 1 of Kingma and Ba, https://arxiv.org/abs/1412.6980.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    betas: the two decay rates, each in [0, 1). eps: at least 0, added to the root.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    betas: tuple[float, float]
    eps: float

    def __init__(
        self,
        params: Iterable[Value],
        lr: _Number = 0.001,
        betas: tuple[_Number, _Number] = (0.9, 0.999),
        eps: _Number = 1e-8,
    ) -> None: ...
    def step(self) -> None:
        """Change every parameter once, by its grad and the averages of those before."""
