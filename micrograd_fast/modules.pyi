"""Layers without neurons."""

from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex

from .engine import Value, _Number
from .module import Module

__all__ = ["Dropout", "Embedding", "LayerNorm", "RMSNorm", "Sequential"]

class Sequential(Module):
    """Layers in a row: each is called with what the one before gave.

    layers: Modules or other callables. A single Value is handed on as a list of one, as in an MLP.
    Raises ValueError for no layers, TypeError for what cannot be called.

    >>> model = Sequential(Embedding(10, 4), LayerNorm(4), Layer(4, 8), Dropout(), Layer(8, 10))
    >>> len(model(3)), len(model.parameters())
    (10, 178)
    """

    layers: list[Callable[[Any], Any]]

    def __init__(self, *layers: Callable[[Any], Any]) -> None: ...
    def __call__(self, x: Any) -> Any: ...

class Dropout(Module):
    """In training, each input times 1 / (1 - p), or with the probability p times 0.

    p: at least 0 and below 1. For each input in order, random.random() < p decides.
    After eval() it gives its inputs as they are, and draws nothing.
    A Tape records what was drawn as constants, the same for all rows and replays.
    """

    p: float

    def __init__(self, p: _Number = 0.5) -> None: ...
    def __call__(self, x: Iterable[Value | _Number]) -> list[Value]: ...

class Embedding(Module):
    """A row of parameters for each of num_embeddings things, of embedding_dim Values each.

    Each is drawn in order, row by row, by random.uniform(-1, 1). Calling it with the number of a
    row gives the row, as a new list. A Tape records the row that was taken.
    Raises IndexError for a row that does not exist.
    """

    weight: list[list[Value]]

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None: ...
    def __call__(self, i: SupportsIndex) -> list[Value]: ...

class RMSNorm(Module):
    """x[i] * s * weight[i] for each i, where s = (dot(x, x) / nin + eps) ** -0.5.

    nin: the number of inputs. eps: at least 0; as in PyTorch, by default that of a double.
    elementwise_affine: whether there are weights, which start at 1.
    """

    nin: int
    eps: float
    weight: list[Value] | None

    def __init__(
        self, nin: int, eps: _Number = 2.220446049250313e-16, elementwise_affine: bool = True
    ) -> None: ...
    def __call__(self, x: Iterable[Value | _Number]) -> list[Value]: ...

class LayerNorm(Module):
    """y[i] * s * weight[i] + bias[i] for each i, where s = (dot(y, y) / nin + eps) ** -0.5.

    y[i] is x[i] - sum(x) / nin.
    nin: the number of inputs. eps: at least 0.
    elementwise_affine: whether there are weights and biases, which start at 1 and 0.
    """

    nin: int
    eps: float
    weight: list[Value] | None
    bias: list[Value] | None

    def __init__(self, nin: int, eps: _Number = 1e-5, elementwise_affine: bool = True) -> None: ...
    def __call__(self, x: Iterable[Value | _Number]) -> list[Value]: ...
