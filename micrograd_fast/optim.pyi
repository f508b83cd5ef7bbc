"""Optimizers: SGD, Adam, AdamW and RMSprop; and clip_grad_norm."""

from collections.abc import Iterable

from .engine import Value, _Number

__all__ = ["SGD", "Adam", "AdamW", "RMSprop", "clip_grad_norm"]

def clip_grad_norm(params: Iterable[Value], max_norm: _Number) -> float:
    """Scale the grads of parameters so that their norm is max_norm at most; returns what it was.

    params: Values, each once. max_norm: at least 0; inf leaves the grads as they are.
    The norm is the root of the sum of their squares, in order. As in PyTorch, each grad is
    multiplied by max_norm / (norm + 1e-6) where that is not 1 or more: a nan among them reaches
    all.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for a max_norm below 0.
    """

class _Optimizer:
    """What all optimizers share: the parameters and the learning rate."""

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
    weight_decay: at least 0; weight_decay * data is added to grad first, the gradient of an L2
    penalty of half that weight.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    momentum: float
    weight_decay: float

    def __init__(
        self,
        params: Iterable[Value],
        lr: _Number,
        momentum: _Number = 0.0,
        weight_decay: _Number = 0.0,
    ) -> None: ...
    def step(self) -> None:
        """Change every parameter once, by its grad."""

class Adam(_Optimizer):
    """Adam, algorithm 1 of Kingma and Ba, https://arxiv.org/abs/1412.6980.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    betas: the two decay rates, each in [0, 1). eps: at least 0, added to the root.
    weight_decay: at least 0; weight_decay * data is added to grad first. AdamW has it otherwise.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    betas: tuple[float, float]
    eps: float
    weight_decay: float

    def __init__(
        self,
        params: Iterable[Value],
        lr: _Number = 0.001,
        betas: tuple[_Number, _Number] = (0.9, 0.999),
        eps: _Number = 1e-8,
        weight_decay: _Number = 0.0,
    ) -> None: ...
    def step(self) -> None:
        """Change every parameter once, by its grad and the averages of those before."""

class AdamW(Adam):
    """Adam with decoupled weight decay, of Loshchilov and Hutter, https://arxiv.org/abs/1711.05101.

    Before the step of Adam, data *= 1 - lr * weight_decay, as PyTorch has it; the averages see
    nothing of it.
    params, lr, betas, eps: as of Adam. weight_decay: at least 0.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    def __init__(
        self,
        params: Iterable[Value],
        lr: _Number = 0.001,
        betas: tuple[_Number, _Number] = (0.9, 0.999),
        eps: _Number = 1e-8,
        weight_decay: _Number = 0.01,
    ) -> None: ...

class RMSprop(_Optimizer):
    """RMSprop of Tieleman and Hinton, as PyTorch has it.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    alpha: the decay rate of the mean of grad * grad, in [0, 1). eps: at least 0, added to its root.
    weight_decay: at least 0; weight_decay * data is added to grad first.
    momentum: in [0, 1). v = momentum * v + grad / (root + eps), and data -= lr * v.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    alpha: float
    eps: float
    weight_decay: float
    momentum: float

    def __init__(
        self,
        params: Iterable[Value],
        lr: _Number = 0.01,
        alpha: _Number = 0.99,
        eps: _Number = 1e-8,
        weight_decay: _Number = 0.0,
        momentum: _Number = 0.0,
    ) -> None: ...
    def step(self) -> None:
        """Change every parameter once, by its grad and the averages of those before."""
