"""Optimizers: SGD and Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .checking import number, type_name
from .engine import Value
from .ieee import divide, sqrt
from .node import is_value
from .rounded import pow

__all__ = ["SGD", "Adam"]


def _parameters(params: Iterable[Value]) -> tuple[Value, ...]:
    params = tuple(params)
    for p in params:
        if not is_value(p):
            raise TypeError(f"a parameter must be a Value, not '{type_name(p)}'")
    if not params:
        raise ValueError("an optimizer needs at least one parameter, got none")
    if len({id(p) for p in params}) != len(params):
        raise ValueError("an optimizer expects each parameter once, got one twice")
    return params


def _within(x: Any, what: str, below: float) -> float:
    value = number(x, what)
    if not 0 <= value < below:
        raise ValueError(f"{what} must be at least 0 and below {below}, got {value}")
    return value


def _betas(betas: Iterable[Any]) -> tuple[float, float]:
    betas = tuple(betas)
    if len(betas) != 2:
        raise ValueError(f"Adam expects two betas, got {len(betas)}")
    return _within(betas[0], "beta1", 1.0), _within(betas[1], "beta2", 1.0)


def zero_grads(params: Iterable[Value]) -> None:
    for p in params:
        p.grad = 0.0


class _Optimizer:
    """What SGD and Adam share: the parameters and the learning rate."""

    def __init__(self, params: Iterable[Value], lr: Any) -> None:
        params = _parameters(params)
        self.lr = lr
        self._params = params

    @property
    def params(self) -> tuple[Value, ...]:
        """The parameters."""
        return self._params

    @property
    def lr(self) -> float:
        """The learning rate, a number of at least 0. Assign to it to follow a schedule."""
        return self._lr

    @lr.setter
    def lr(self, lr: Any) -> None:
        self._lr = _within(lr, "lr", float("inf"))

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0.0."""
        for p in self._params:
            p._grad = 0.0


class SGD(_Optimizer):
    """Stochastic gradient descent.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    momentum: in [0, 1). With it, v = momentum * v + grad and data -= lr * v, as PyTorch has it;
    without, data -= lr * grad.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    def __init__(self, params: Iterable[Value], lr: Any, momentum: Any = 0.0) -> None:
        momentum = _within(momentum, "momentum", 1.0)
        super().__init__(params, lr)
        self.momentum = momentum
        self._velocity = [0.0] * len(self._params)

    def step(self) -> None:
        """Change every parameter once, by its grad."""
        momentum = _within(self.momentum, "momentum", 1.0)
        for i, p in enumerate(self._params):
            change = p._grad
            if momentum != 0:
                change = self._velocity[i] = momentum * self._velocity[i] + p._grad
            p._value -= self.lr * change


class Adam(_Optimizer):
    """Adam, algorithm 1 of Kingma and Ba, https://arxiv.org/abs/1412.6980.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    betas: the two decay rates, each in [0, 1). eps: at least 0, added to the root.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    def __init__(
        self,
        params: Iterable[Value],
        lr: Any = 0.001,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: Any = 1e-8,
    ) -> None:
        betas, eps = _betas(betas), _within(eps, "eps", float("inf"))
        super().__init__(params, lr)
        self.betas, self.eps = betas, eps
        self._steps = 0
        self._mean = [0.0] * len(self._params)
        self._square = [0.0] * len(self._params)

    def step(self) -> None:
        """Change every parameter once, by its grad and the averages of those before."""
        beta1, beta2 = _betas(self.betas)
        eps = _within(self.eps, "eps", float("inf"))
        self._steps += 1
        correction1 = 1.0 - pow(beta1, self._steps)
        correction2 = 1.0 - pow(beta2, self._steps)
        for i, p in enumerate(self._params):
            g = p._grad
            mean = self._mean[i] = beta1 * self._mean[i] + (1.0 - beta1) * g
            square = self._square[i] = beta2 * self._square[i] + (1.0 - beta2) * (g * g)
            root = sqrt(square / correction2)
            p._value -= divide(self.lr * (mean / correction1), root + eps)
