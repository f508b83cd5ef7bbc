"""Neural networks over Values: Neuron, Layer and MLP, and what else they are made of."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from .engine import Value, _Number
from .losses import binary_cross_entropy, cross_entropy, hinge, log_softmax, mse, softmax
from .module import Module
from .modules import Dropout, Embedding, LayerNorm, RMSNorm, Sequential

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

_Activation: TypeAlias = str | Callable[[Value], Any]

class Neuron(Module):
    """activation(b + w[0] * x[0] + w[1] * x[1] + ...).

    nin: the number of inputs.
    nonlin: False leaves the activation out.
    activation: 'relu', 'tanh', 'sigmoid', 'linear', or a function of a Value, Value.silu say.

    Each weight is drawn in order by random.uniform(-1, 1); the bias starts at 0.
    Calling it with nin Values or numbers gives a Value; another count is a ValueError.
    """

    w: list[Value]
    b: Value
    nonlin: bool
    activation: _Activation

    def __init__(self, nin: int, nonlin: bool = True, activation: _Activation = "relu") -> None: ...

    # A Value, unless the activation gives something else.
    def __call__(self, x: Iterable[Value | _Number]) -> Any: ...
    def parameters(self) -> list[Value]:
        """The weights, then the bias."""

class Layer(Module):
    """nout neurons that read the same nin inputs.

    Keywords go to every Neuron. Calling it gives a list of Values, or the bare Value of a single
    neuron; a wrong number of inputs is a ValueError.
    """

    nin: int
    neurons: list[Neuron]

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None: ...

    # A Value from one neuron, a list[Value] from more: which of them, only the caller knows.
    def __call__(self, x: Iterable[Value | _Number]) -> Any: ...
    def parameters(self) -> list[Value]:
        """Those of each neuron in turn."""

class MLP(Module):
    """A multi-layer perceptron: nin inputs, then one layer for each entry of nouts.

    activation: of every layer but the last, or a list with one for each of them.
    output: of the last layer. Both take what a Neuron takes.
    MLP(3, [4, 4, 1], activation='tanh', output='tanh') is the network of the lecture.
    Calling it gives what its last Layer gives; a wrong number of inputs is a ValueError.
    """

    nin: int
    layers: list[Layer]

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: _Activation | Sequence[_Activation] = "relu",
        output: _Activation = "linear",
    ) -> None: ...
    def __call__(self, x: Iterable[Value | _Number]) -> Any: ...
    def parameters(self) -> list[Value]:
        """Those of each layer in turn."""
