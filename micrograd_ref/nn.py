"""Neural networks over Values: Neuron, Layer and MLP, and what else they are made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .checking import check_inputs, sequence, size
from .engine import Value, values
from .functions import dot
from .losses import binary_cross_entropy, cross_entropy, hinge, log_softmax, mse, softmax
from .module import Module
from .modules import Dropout, Embedding, LayerNorm, RMSNorm, Sequential
from .node import is_value

__all__ = [
    "MLP",
    "Dropout",
    "Embedding",
    "Layer",
    "LayerNorm",
    "Module",
    "Neuron",
    "RMSNorm",
    "Sequential",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "log_softmax",
    "mse",
    "softmax",
]

ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "linear": "Linear"}

Activation = str | Callable[[Value], Any]


def checked_activation(activation: Activation) -> Activation:
    if not callable(activation) and (
        not isinstance(activation, str) or activation not in ACTIVATIONS
    ):
        raise ValueError(
            f"activation must be one of {', '.join(ACTIVATIONS)}, or a function of a Value, "
            f"got {activation!r}"
        )
    return activation


def activations(hidden: Any, output: Activation, layers: int) -> list[Activation]:
    """That of each layer of an MLP."""
    if not isinstance(hidden, (list, tuple)):
        return [hidden] * (layers - 1) + [output]
    if len(hidden) != layers - 1:
        raise ValueError(
            f"MLP expects an activation for each of {layers - 1} layers before the last, "
            f"got {len(hidden)}: output is that of the last"
        )
    return [*hidden, output]


def title(activation: Activation) -> str:
    """What a repr calls it."""
    if callable(activation):
        return str(getattr(activation, "__name__", type(activation).__name__))
    return ACTIVATIONS[activation]


class Neuron(Module):
    """activation(b + w[0] * x[0] + w[1] * x[1] + ...).

    nin: the number of inputs.
    nonlin: False leaves the activation out.
    activation: 'relu', 'tanh', 'sigmoid', 'linear', or a function of a Value, Value.silu say.

    Each weight is drawn in order by random.uniform(-1, 1); the bias starts at 0.
    Calling it with nin Values or numbers gives a Value; another count is a ValueError.
    """

    def __init__(self, nin: int, nonlin: bool = True, activation: Activation = "relu") -> None:
        activation = checked_activation(activation)
        self.w = [Value(random.uniform(-1, 1)) for _ in range(size(nin, "inputs"))]
        self.b = Value(0.0)
        self.nonlin = nonlin
        self.activation = activation

    def __call__(self, x: Iterable[Any]) -> Any:
        x = values(sequence(x, f"the input of {type(self).__name__}"))
        w, b = self.w, self.b
        check_inputs(self, len(w), len(x))
        out = dot(w, x, b)
        activation = self.activation
        if not self.nonlin or activation == "linear":
            return out
        return activation(out) if callable(activation) else getattr(out, activation)()

    def parameters(self) -> list[Value]:
        """The weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        name = title(self.activation if self.nonlin else "linear")
        return f"{name}Neuron({len(self.w)})"


class Layer(Module):
    """nout neurons that read the same nin inputs.

    Keywords go to every Neuron. Calling it gives a list of Values, or the bare Value of a single
    neuron; a wrong number of inputs is a ValueError.
    """

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        self.nin = size(nin, "inputs")
        self.neurons = [Neuron(nin, **kwargs) for _ in range(size(nout, "neurons"))]

    def __call__(self, x: Iterable[Any]) -> Any:
        x = values(sequence(x, f"the input of {type(self).__name__}"))
        check_inputs(self, self.nin, len(x))
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Value]:
        """Those of each neuron in turn."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(str(neuron) for neuron in self.neurons)}]"


class MLP(Module):
    """A multi-layer perceptron: nin inputs, then one layer for each entry of nouts.

    activation: of every layer but the last, or a list with one for each of them.
    output: of the last layer. Both take what a Neuron takes.
    MLP(3, [4, 4, 1], activation='tanh', output='tanh') is the network of the lecture.
    Calling it gives what its last Layer gives; a wrong number of inputs is a ValueError.
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: Activation | Sequence[Activation] = "relu",
        output: Activation = "linear",
    ) -> None:
        nouts = list(nouts)
        sizes = [size(nin, "inputs"), *nouts]
        each = activations(activation, output, size(len(nouts), "layers"))
        self.nin = sizes[0]
        self.layers = [Layer(sizes[i], sizes[i + 1], activation=each[i]) for i in range(len(nouts))]

    def __call__(self, x: Iterable[Any]) -> Any:
        out: Any = values(sequence(x, f"the input of {type(self).__name__}"))
        check_inputs(self, self.nin, len(out))
        for layer in self.layers:
            out = layer([out] if is_value(out) else out)
        return out

    def parameters(self) -> list[Value]:
        """Those of each layer in turn."""
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(str(layer) for layer in self.layers)}]"
