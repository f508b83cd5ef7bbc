"""Neural networks over Values: Module, Neuron, Layer and MLP, and losses."""

from __future__ import annotations

import math
import operator
import os
import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from .checking import type_name
from .engine import Value, dot, maximum, operand, sum
from .node import is_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "MLP",
    "Layer",
    "Module",
    "Neuron",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "mse",
    "softmax",
]

_ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "linear": "Linear"}


def _size(n: int, what: str) -> int:
    if operator.index(n) < 1:
        raise ValueError(f"the number of {what} must be at least 1, got {n}")
    return int(operator.index(n))


def _sequence(xs: Any, what: str) -> list[Any]:
    """A list of what can be iterated over."""
    try:
        xs = iter(xs)
    except TypeError:
        raise TypeError(
            f"{what} must be a sequence of Values or numbers, not '{type_name(xs)}': "
            "write [x] for a single x"
        ) from None
    return list(xs)


def _check_inputs(module: Module, expected: int, got: int) -> None:
    if got != expected:
        raise ValueError(f"{type(module).__name__} expects {expected} inputs, got {got}")


class Module:
    """What has parameters. Subclasses override `parameters`."""

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0.0."""
        for p in self.parameters():
            p.grad = 0.0

    def parameters(self) -> list[Value]:
        """The Values that training changes, in a fixed order."""
        return []

    def _repr_html_(self) -> str:
        """What a notebook shows: the number of parameters, where repr lists every neuron."""
        return f"{type(self).__name__} with {len(self.parameters())} parameters"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters' data to a file in NumPy's .npz format.

        The file appears whole or not at all: it is written beside path and then renamed.
        Raises ValueError if a parameter is not finite.
        """
        _save(self, path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read the parameters' data from a file that save wrote, for a module of the same shape.

        Nothing in the file is executed. Raises ValueError for another file, another module, another
        number of parameters, or a parameter that is not finite, and then changes nothing.
        """
        _load(self, path)


def _save(module: Any, path: str | os.PathLike[str]) -> None:
    import shutil

    import numpy as np

    data = np.array([p.data for p in module.parameters()], dtype=np.float64)
    _check_finite(data, "cannot save")
    path = os.path.realpath(os.fsdecode(path))  # a link stays one
    beside = os.path.join(os.path.dirname(path), f".{os.urandom(8).hex()}.npz")
    with open(beside, "xb") as file:
        try:
            np.savez(file, module=np.array(_name(module)), parameters=data)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            if os.path.exists(path):
                shutil.copymode(path, beside)
            os.replace(beside, path)
        except BaseException:
            file.close()
            os.unlink(beside)
            raise


def _load(module: Any, path: str | os.PathLike[str]) -> None:
    import stat
    import zipfile

    import numpy as np

    path = os.fsdecode(path)
    parameters = tuple(module.parameters())
    wrong = f"{path!r} is not a file that Module.save wrote"
    if not stat.S_ISREG(os.stat(path).st_mode):  # a device may have no end, a pipe no beginning
        raise ValueError(f"{wrong}: it is not a regular file")
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                found = {info.filename: info.file_size for info in archive.infolist()}
            if set(found) != {"module.npy", "parameters.npy"}:
                raise zipfile.BadZipFile("it holds something else")
            # An array of this size and a header: no file makes load read more.
            large = (
                found["parameters.npy"] > 8 * len(parameters) + 4096
                or found["module.npy"] > 1 << 28
            )
            if not large:
                file.seek(0)
                with np.load(file, allow_pickle=False) as arrays:
                    name, data = str(arrays["module"]), np.asarray(arrays["parameters"])
        except Exception as error:  # zipfile, its decompressors and NumPy: each damage has its own
            raise ValueError(f"{wrong}: {error}") from error
    if large:
        raise ValueError(f"{path!r} holds more than {len(parameters)} parameters")
    if data.shape != (len(parameters),) or data.dtype != np.float64:
        raise ValueError(
            f"expected {len(parameters)} parameters of float64, "
            f"got an array of shape {data.shape} and dtype {data.dtype}"
        )
    if name != _name(module):
        raise ValueError(f"the file holds the parameters of {name}, not of {_name(module)}")
    _check_finite(data, "cannot load")
    for p, x in zip(parameters, data.tolist(), strict=True):
        p.data = x


def _name(module: Any) -> str:
    """What a file says of its module: the repr, or the class of one that has none of its own."""
    kind: Any = type(module)
    return kind.__qualname__ if kind.__repr__ is object.__repr__ else repr(module)


def _check_finite(data: NDArray[np.float64], what: str) -> None:
    for i, x in enumerate(data.tolist()):
        if not math.isfinite(x):
            raise ValueError(f"{what}: parameter {i} is {x}")


class Neuron(Module):
    """activation(b + w[0] * x[0] + w[1] * x[1] + ...).

    nin: the number of inputs.
    nonlin: False leaves the activation out.
    activation: 'relu', 'tanh', 'sigmoid' or 'linear'.

    Each weight is drawn in order by random.uniform(-1, 1); the bias starts at 0.
    Calling it with nin Values or numbers gives a Value; another count is a ValueError.
    """

    def __init__(self, nin: int, nonlin: bool = True, activation: str = "relu") -> None:
        if not isinstance(activation, str) or activation not in _ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(_ACTIVATIONS)}, got {activation!r}"
            )
        self.w = [Value(random.uniform(-1, 1)) for _ in range(_size(nin, "inputs"))]
        self.b = Value(0.0)
        self.nonlin = nonlin
        self.activation = activation

    def __call__(self, x: Iterable[Any]) -> Value:
        x = [operand(xi) for xi in _sequence(x, f"the input of {type(self).__name__}")]
        w, b = self.w, self.b
        _check_inputs(self, len(w), len(x))
        out = dot(w, x, b)
        if not self.nonlin:
            return out
        activation = self.activation
        return out if activation == "linear" else cast(Value, getattr(out, activation)())

    def parameters(self) -> list[Value]:
        """The weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        name = _ACTIVATIONS[self.activation if self.nonlin else "linear"]
        return f"{name}Neuron({len(self.w)})"


class Layer(Module):
    """nout neurons that read the same nin inputs.

    Keywords go to every Neuron. Calling it gives a list of Values, or the bare Value of a single
    neuron; a wrong number of inputs is a ValueError.
    """

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        self.nin = _size(nin, "inputs")
        self.neurons = [Neuron(nin, **kwargs) for _ in range(_size(nout, "neurons"))]

    def __call__(self, x: Iterable[Any]) -> Any:
        x = [operand(xi) for xi in _sequence(x, f"the input of {type(self).__name__}")]
        _check_inputs(self, self.nin, len(x))
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Value]:
        """Those of each neuron in turn."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(str(neuron) for neuron in self.neurons)}]"


class MLP(Module):
    """A multi-layer perceptron: nin inputs, then one layer for each entry of nouts.

    activation: of every layer but the last. output: of the last layer.
    MLP(3, [4, 4, 1], activation='tanh', output='tanh') is the network of the lecture.
    Calling it gives what its last Layer gives; a wrong number of inputs is a ValueError.
    """

    def __init__(
        self, nin: int, nouts: Sequence[int], activation: str = "relu", output: str = "linear"
    ) -> None:
        nouts = list(nouts)
        sizes = [_size(nin, "inputs"), *nouts]
        activations = [activation] * (_size(len(nouts), "layers") - 1) + [output]
        self.nin = sizes[0]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], activation=activations[i]) for i in range(len(nouts))
        ]

    def __call__(self, x: Iterable[Any]) -> Any:
        out: Any = [operand(xi) for xi in _sequence(x, f"the input of {type(self).__name__}")]
        _check_inputs(self, self.nin, len(out))
        for layer in self.layers:
            out = layer([out] if is_value(out) else out)
        return out

    def parameters(self) -> list[Value]:
        """Those of each layer in turn."""
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(str(layer) for layer in self.layers)}]"


def mse(predictions: Iterable[Any], targets: Iterable[Any]) -> Value:
    """The mean of (prediction - target) ** 2.

    predictions, targets: as many Values or numbers each, at least one.
    Raises ValueError if their numbers differ or there are none.
    """
    pairs = _pairs("mse", predictions, targets)
    return sum([(prediction - target) ** 2 for prediction, target in pairs]) / len(pairs)


def hinge(scores: Iterable[Any], labels: Iterable[Any]) -> Value:
    """The mean of relu(1 - label * score), the max-margin loss.

    scores, labels: as many Values or numbers each, at least one; a label is -1 or 1.
    Raises ValueError if their numbers differ or there are none.
    """
    pairs = _pairs("hinge", scores, labels)
    return sum([(1 - label * score).relu() for score, label in pairs]) / len(pairs)


def binary_cross_entropy(logits: Iterable[Any], targets: Iterable[Any]) -> Value:
    """The mean of -log(p) for a target of 1 and -log(1 - p) for 0, where p = sigmoid(logit).

    logits, targets: as many Values or numbers each, at least one; a target lies in [0, 1].
    Computed as log(1 + e**logit) - target * logit, without overflow.
    Raises ValueError if their numbers differ, there are none, or a target is outside [0, 1].
    """
    pairs = _pairs("binary_cross_entropy", logits, targets)
    for _, target in pairs:
        if not 0 <= target.data <= 1:
            raise ValueError(
                f"a target of binary_cross_entropy must lie in [0, 1], got {target.data}"
            )
    losses = []
    for logit, target in pairs:
        powers, largest = _powers([operand(0.0), logit])
        losses.append((largest - target * logit) + sum(powers).log())
    return sum(losses) / len(pairs)


def softmax(logits: Iterable[Any]) -> list[Value]:
    """e**logit / (the sum of all e**logit) for each of the logits: positive Values with the sum 1.

    The largest logit is subtracted first, so nothing overflows.
    Raises ValueError if there are none.
    """
    logits = _at_least_one("softmax", logits)
    powers, _ = _powers(logits)
    total = sum(powers)
    return [power / total for power in powers]


def cross_entropy(logits: Iterable[Any], target: Any) -> Value:
    """-log(softmax(logits)[target]).

    target: the number of a class, or a weight for each class with the sum 1 (one-hot, say) of
    Values or numbers; under a Tape, weights that are inputs let the class vary by row.
    Computed as log-sum-exp, without overflow.
    Raises ValueError for no logits or another number of weights, IndexError for a class that does
    not exist.
    """
    logits = _at_least_one("cross_entropy", logits)
    powers, largest = _powers(logits)
    try:
        number = operator.index(target)
    except TypeError:
        weights = _weights(target, len(logits))
        return dot(weights, [largest - logit for logit in logits]) + sum(powers).log()
    if not 0 <= number < len(logits):
        raise IndexError(f"the class must be from 0 to {len(logits) - 1}, got {number}")
    return (largest - logits[number]) + sum(powers).log()


def _powers(logits: list[Value]) -> tuple[list[Value], Value]:
    """e**(logit - largest) for each of them, and the largest.

    The largest is a Value, so that under a Tape each row has its own.
    """
    largest = logits[0]
    for logit in logits[1:]:
        largest = maximum(largest, logit)
    return [(logit - largest).exp() for logit in logits], largest


def _pairs(loss: str, xs: Iterable[Any], ys: Iterable[Any]) -> list[tuple[Value, Value]]:
    xs = [operand(x) for x in _sequence(xs, f"the first argument of {loss}")]
    ys = [operand(y) for y in _sequence(ys, f"the second argument of {loss}")]
    if len(xs) != len(ys) or not xs:
        raise ValueError(
            f"{loss} expects as many of both and at least one, got {len(xs)} and {len(ys)}"
        )
    return list(zip(xs, ys, strict=True))


def _at_least_one(loss: str, logits: Iterable[Any]) -> list[Value]:
    logits = [operand(logit) for logit in _sequence(logits, f"the first argument of {loss}")]
    if not logits:
        raise ValueError(f"{loss} expects at least one logit, got none")
    return logits


def _weights(target: Any, classes: int) -> list[Value]:
    weights = [operand(weight) for weight in _sequence(target, "the target of cross_entropy")]
    if len(weights) != classes:
        raise ValueError(
            f"cross_entropy expects a weight for each of {classes} classes, got {len(weights)}"
        )
    return weights
