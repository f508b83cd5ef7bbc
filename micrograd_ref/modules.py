"""Layers without neurons: written here once, for the Values of either package.

What this module imports relatively is its package's own: see `micrograd_fast.written_once`.
"""

from __future__ import annotations

import operator
import random
import sys
from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex

from micrograd_ref.checking import check_inputs, sequence, size, type_name, within
from micrograd_ref.saving import name_of

from .engine import Value, values
from .functions import dot, sum
from .module import Module, is_value

__all__ = ["Dropout", "Embedding", "LayerNorm", "RMSNorm", "Sequential"]


class Sequential(Module):
    """Layers in a row: each is called with what the one before gave.

    layers: Modules or other callables. A single Value is handed on as a list of one, as in an MLP.
    Raises ValueError for no layers, TypeError for what cannot be called.

    >>> model = Sequential(Embedding(10, 4), LayerNorm(4), Layer(4, 8), Dropout(), Layer(8, 10))
    >>> len(model(3)), len(model.parameters())
    (10, 178)
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for layer in layers:
            if not callable(layer):
                raise TypeError(f"a layer of Sequential must be callable, not '{type_name(layer)}'")
        size(len(layers), "layers")
        self.layers = list(layers)

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer([x] if is_value(x) else x)
        return x

    def __repr__(self) -> str:
        shown = [getattr(layer, "__name__", None) or name_of(layer) for layer in self.layers]
        return f"Sequential of [{', '.join(shown)}]"


class Dropout(Module):
    """In training, each input times 1 / (1 - p), or with the probability p times 0.

    p: at least 0 and below 1. For each input in order, random.random() < p decides.
    After eval() it gives its inputs as they are, and draws nothing.
    A Tape records what was drawn as constants, the same for all rows and replays.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = within(p, "p", 1.0)

    def __call__(self, x: Iterable[Any]) -> list[Value]:
        x = values(sequence(x, f"the input of {type(self).__name__}"))
        if not self.training:
            return x
        kept = 1.0 / (1.0 - self.p)
        return [xi * (0.0 if random.random() < self.p else kept) for xi in x]

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


class Embedding(Module):
    """A row of parameters for each of num_embeddings things, of embedding_dim Values each.

    Each is drawn in order, row by row, by random.uniform(-1, 1). Calling it with the number of a
    row gives the row, as a new list. A Tape records the row that was taken.
    Raises IndexError for a row that does not exist.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        columns = range(size(embedding_dim, "dimensions"))
        rows = range(size(num_embeddings, "embeddings"))
        self.weight = [[Value(random.uniform(-1, 1)) for _ in columns] for _ in rows]

    def __call__(self, i: SupportsIndex) -> list[Value]:
        i = operator.index(i)
        if not 0 <= i < len(self.weight):
            raise IndexError(
                f"the row of an Embedding must be from 0 to {len(self.weight) - 1}, got {i}"
            )
        return list(self.weight[i])

    def __repr__(self) -> str:
        return f"Embedding({len(self.weight)}, {len(self.weight[0])})"


class RMSNorm(Module):
    """x[i] * s * weight[i] for each i, where s = (dot(x, x) / nin + eps) ** -0.5.

    nin: the number of inputs. eps: at least 0; as in PyTorch, by default that of a double.
    elementwise_affine: whether there are weights, which start at 1.
    """

    def __init__(
        self, nin: int, eps: float = sys.float_info.epsilon, elementwise_affine: bool = True
    ) -> None:
        self.nin, self.eps = size(nin, "inputs"), within(eps, "eps", float("inf"))
        self.weight = [Value(1.0) for _ in range(self.nin)] if elementwise_affine else None

    def __call__(self, x: Iterable[Any]) -> list[Value]:
        x = normalized(inputs(self, x), self.eps)
        if self.weight is None:
            return x
        return [xi * w for xi, w in zip(x, self.weight, strict=True)]

    def __repr__(self) -> str:
        return f"RMSNorm({self.nin})"


class LayerNorm(Module):
    """y[i] * s * weight[i] + bias[i] for each i, where s = (dot(y, y) / nin + eps) ** -0.5.

    y[i] is x[i] - sum(x) / nin.
    nin: the number of inputs. eps: at least 0.
    elementwise_affine: whether there are weights and biases, which start at 1 and 0.
    """

    def __init__(self, nin: int, eps: float = 1e-5, elementwise_affine: bool = True) -> None:
        self.nin, self.eps = size(nin, "inputs"), within(eps, "eps", float("inf"))
        self.weight = [Value(1.0) for _ in range(self.nin)] if elementwise_affine else None
        self.bias = [Value(0.0) for _ in range(self.nin)] if elementwise_affine else None

    def __call__(self, x: Iterable[Any]) -> list[Value]:
        x = inputs(self, x)
        mean = sum(x) / self.nin
        y = normalized([xi - mean for xi in x], self.eps)
        if self.weight is None or self.bias is None:
            return y
        return [yi * w + b for yi, w, b in zip(y, self.weight, self.bias, strict=True)]

    def __repr__(self) -> str:
        return f"LayerNorm({self.nin})"


def inputs(module: RMSNorm | LayerNorm, x: Iterable[Any]) -> list[Value]:
    x = values(sequence(x, f"the input of {type(module).__name__}"))
    check_inputs(module, module.nin, len(x))
    return x


def normalized(x: list[Value], eps: float) -> list[Value]:
    """Over the root of their mean square."""
    scale = (dot(x, x) / len(x) + eps) ** -0.5
    return [xi * scale for xi in x]
