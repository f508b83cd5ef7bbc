"""Optimizers: SGD, Adam, AdamW and RMSprop; and clip_grad_norm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .checking import number, type_name, within
from .engine import Value
from .ieee import divide, sqrt
from .node import is_value
from .rounded import pow

__all__ = ["SGD", "Adam", "AdamW", "RMSprop", "clip_grad_norm"]

INF = float("inf")


def _parameters(params: Iterable[Value], user: str = "an optimizer") -> tuple[Value, ...]:
    params = tuple(params)
    for p in params:
        if not is_value(p):
            raise TypeError(f"a parameter must be a Value, not '{type_name(p)}'")
    if not params:
        raise ValueError(f"{user} needs at least one parameter, got none")
    if len({id(p) for p in params}) != len(params):
        raise ValueError(f"{user} expects each parameter once, got one twice")
    return params


def _betas(betas: Iterable[Any]) -> tuple[float, float]:
    betas = tuple(betas)
    if len(betas) != 2:
        raise ValueError(f"Adam expects two betas, got {len(betas)}")
    return within(betas[0], "beta1", 1.0), within(betas[1], "beta2", 1.0)


def zero_grads(params: Iterable[Value]) -> None:
    for p in params:
        p.grad = 0.0


def clip_grad_norm(params: Iterable[Value], max_norm: Any) -> float:
    """Scale the grads of parameters so that their norm is max_norm at most; returns what it was.

    params: Values, each once. max_norm: at least 0; inf leaves the grads as they are.
    The norm is the root of the sum of their squares, in order. As in PyTorch, each grad is
    multiplied by max_norm / (norm + 1e-6) where that is not 1 or more: a nan among them reaches
    all.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for a max_norm below 0.
    """
    params = _parameters(params, "clip_grad_norm")
    max_norm = number(max_norm, "max_norm")
    if not max_norm >= 0:
        raise ValueError(f"max_norm must be at least 0, got {max_norm}")
    total = 0.0
    for p in params:
        total += p._grad * p._grad
    norm = sqrt(total)
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1:
        for p in params:
            p._grad *= scale
    return norm


class _Optimizer:
    """What all optimizers share: the parameters and the learning rate."""

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
        self._lr = within(lr, "lr", INF)

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0.0."""
        for p in self._params:
            p._grad = 0.0


class SGD(_Optimizer):
    """Stochastic gradient descent.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    momentum: in [0, 1). With it, v = momentum * v + grad and data -= lr * v, as PyTorch has it;
    without, data -= lr * grad.
    weight_decay: at least 0; weight_decay * data is added to grad first, the gradient of an L2
    penalty of half that weight.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    def __init__(
        self, params: Iterable[Value], lr: Any, momentum: Any = 0.0, weight_decay: Any = 0.0
    ) -> None:
        momentum = within(momentum, "momentum", 1.0)
        weight_decay = within(weight_decay, "weight_decay", INF)
        super().__init__(params, lr)
        self.momentum, self.weight_decay = momentum, weight_decay
        self._velocity = [0.0] * len(self._params)

    def step(self) -> None:
        """Change every parameter once, by its grad."""
        momentum = within(self.momentum, "momentum", 1.0)
        weight_decay = within(self.weight_decay, "weight_decay", INF)
        for i, p in enumerate(self._params):
            change = p._grad
            if weight_decay != 0:
                change += weight_decay * p._value
            if momentum != 0:
                change = self._velocity[i] = momentum * self._velocity[i] + change
            p._value -= self.lr * change


class Adam(_Optimizer):
    """Adam, algorithm 1 of Kingma and Ba, https://arxiv.org/abs/1412.6980.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    betas: the two decay rates, each in [0, 1). eps: at least 0, added to the root.
    weight_decay: at least 0; weight_decay * data is added to grad first. AdamW has it otherwise.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    _decays_data = False  # but adds to the gradient

    def __init__(
        self,
        params: Iterable[Value],
        lr: Any = 0.001,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 0.0,
    ) -> None:
        betas, eps = _betas(betas), within(eps, "eps", INF)
        weight_decay = within(weight_decay, "weight_decay", INF)
        super().__init__(params, lr)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        self._steps = 0
        self._mean = [0.0] * len(self._params)
        self._square = [0.0] * len(self._params)

    def step(self) -> None:
        """Change every parameter once, by its grad and the averages of those before."""
        beta1, beta2 = _betas(self.betas)
        eps = within(self.eps, "eps", INF)
        weight_decay = within(self.weight_decay, "weight_decay", INF)
        self._steps += 1
        correction1 = 1.0 - pow(beta1, self._steps)
        correction2 = 1.0 - pow(beta2, self._steps)
        for i, p in enumerate(self._params):
            g = p._grad
            if self._decays_data:
                p._value *= 1.0 - self.lr * weight_decay
            elif weight_decay != 0:
                g += weight_decay * p._value
            mean = self._mean[i] = beta1 * self._mean[i] + (1.0 - beta1) * g
            square = self._square[i] = beta2 * self._square[i] + (1.0 - beta2) * (g * g)
            root = sqrt(square / correction2)
            p._value -= divide(self.lr * (mean / correction1), root + eps)


class AdamW(Adam):
    """Adam with decoupled weight decay, of Loshchilov and Hutter, https://arxiv.org/abs/1711.05101.

    Before the step of Adam, data *= 1 - lr * weight_decay, as PyTorch has it; the averages see
    nothing of it.
    params, lr, betas, eps: as of Adam. weight_decay: at least 0.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    _decays_data = True

    def __init__(
        self,
        params: Iterable[Value],
        lr: Any = 0.001,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class RMSprop(_Optimizer):
    """RMSprop of Tieleman and Hinton, as PyTorch has it.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    alpha: the decay rate of the mean of grad * grad, in [0, 1). eps: at least 0, added to its root.
    weight_decay: at least 0; weight_decay * data is added to grad first.
    momentum: in [0, 1). v = momentum * v + grad / (root + eps), and data -= lr * v.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    def __init__(
        self,
        params: Iterable[Value],
        lr: Any = 0.01,
        alpha: Any = 0.99,
        eps: Any = 1e-8,
        weight_decay: Any = 0.0,
        momentum: Any = 0.0,
    ) -> None:
        alpha, eps = within(alpha, "alpha", 1.0), within(eps, "eps", INF)
        weight_decay = within(weight_decay, "weight_decay", INF)
        momentum = within(momentum, "momentum", 1.0)
        super().__init__(params, lr)
        self.alpha, self.eps = alpha, eps
        self.weight_decay, self.momentum = weight_decay, momentum
        self._square = [0.0] * len(self._params)
        self._velocity = [0.0] * len(self._params)

    def step(self) -> None:
        """Change every parameter once, by its grad and the averages of those before."""
        alpha, eps = within(self.alpha, "alpha", 1.0), within(self.eps, "eps", INF)
        weight_decay = within(self.weight_decay, "weight_decay", INF)
        momentum = within(self.momentum, "momentum", 1.0)
        for i, p in enumerate(self._params):
            g = p._grad
            if weight_decay != 0:
                g += weight_decay * p._value
            square = self._square[i] = alpha * self._square[i] + (1.0 - alpha) * (g * g)
            change = divide(g, sqrt(square) + eps)
            if momentum != 0:
                change = self._velocity[i] = momentum * self._velocity[i] + change
            p._value -= self.lr * change
