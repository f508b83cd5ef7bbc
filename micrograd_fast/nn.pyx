"""Neural networks over Values: Module, Neuron, Layer and MLP."""

import operator
import random

from micrograd_ref.nn import _load, _save

from .engine import Value as PyValue

from .engine cimport (
    LEAF, RELU, SIGMOID, TANH, Op, Value, dot_of, list_items, operand, unary_of, values,
)

__all__ = ["MLP", "Layer", "Module", "Neuron"]

cdef dict ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "linear": "Linear"}
cdef dict ACTIVATION_OPS = {"relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "linear": LEAF}


cdef object size(object n, str what):
    if operator.index(n) < 1:
        raise ValueError(f"the number of {what} must be at least 1, got {n}")
    return operator.index(n)

cdef int check_inputs(object module, Py_ssize_t expected, Py_ssize_t got) except -1:
    if got != expected:
        raise ValueError(f"{type(module).__name__} expects {expected} inputs, got {got}")
    return 0


class Module:
    """What has parameters. Subclasses override `parameters`."""

    def zero_grad(self):
        """Set the grad of every parameter to 0.0."""
        for p in self.parameters():
            p.grad = 0.0

    def parameters(self):
        """The Values that training changes, in a fixed order."""
        return []

    def save(self, path):
        """Write the parameters' data to a file in NumPy's .npz format.

        The file appears whole or not at all: it is written beside path and then renamed.
        Raises ValueError if a parameter is not finite.
        """
        _save(self, path)

    def load(self, path):
        """Read the parameters' data from a file that save wrote, for a module of the same shape.

        Nothing in the file is executed. Raises ValueError for another file, another module, another
        number of parameters, or a parameter that is not finite, and then changes nothing.
        """
        _load(self, path)


class Neuron(Module):
    """activation(b + w[0] * x[0] + w[1] * x[1] + ...).

    nin: the number of inputs.
    nonlin: False leaves the activation out.
    activation: 'relu', 'tanh', 'sigmoid' or 'linear'.

    Each weight is drawn in order by random.uniform(-1, 1); the bias starts at 0.
    Calling it with nin Values or numbers gives a Value; another count is a ValueError.
    """

    def __init__(self, nin, nonlin=True, activation="relu"):
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        self.w = [PyValue(random.uniform(-1, 1)) for _ in range(size(nin, "inputs"))]
        self.b = PyValue(0.0)
        self.nonlin = nonlin
        self.activation = activation

    def __call__(self, x):
        return neuron_output(self, values(list(x)))

    def parameters(self):
        """The weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self):
        name = ACTIVATIONS[self.activation if self.nonlin else "linear"]
        return f"{name}Neuron({len(self.w)})"


class Layer(Module):
    """nout neurons that read the same nin inputs.

    Keywords go to every Neuron. Calling it gives a list of Values, or the bare Value of a single
    neuron; a wrong number of inputs is a ValueError.
    """

    def __init__(self, nin, nout, **kwargs):
        self.nin = size(nin, "inputs")
        self.neurons = [Neuron(nin, **kwargs) for _ in range(size(nout, "neurons"))]

    def __call__(self, x):
        cdef list out = layer_outputs(self, values(list(x)))
        return out[0] if len(out) == 1 else out

    def parameters(self):
        """Those of each neuron in turn."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    def __repr__(self):
        return f"Layer of [{', '.join(str(neuron) for neuron in self.neurons)}]"


class MLP(Module):
    """A multi-layer perceptron: nin inputs, then one layer for each entry of nouts.

    activation: of every layer but the last. output: of the last layer.
    MLP(3, [4, 4, 1], activation='tanh', output='tanh') is the network of the lecture.
    Calling it gives what its last Layer gives; a wrong number of inputs is a ValueError.
    """

    def __init__(self, nin, nouts, activation="relu", output="linear"):
        sizes = [size(nin, "inputs"), *nouts]
        activations = [activation] * (size(len(nouts), "layers") - 1) + [output]
        self.nin = nin
        self.layers = [
            Layer(sizes[i], sizes[i + 1], activation=activations[i]) for i in range(len(nouts))
        ]

    def __call__(self, x):
        cdef object out = values(list(x))
        check_inputs(self, self.nin, len(out))
        for layer in self.layers:
            out = layer([out] if isinstance(out, Value) else out)
        return out

    def parameters(self):
        """Those of each layer in turn."""
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self):
        return f"MLP of [{', '.join(str(layer) for layer in self.layers)}]"


cdef Value neuron_output(object neuron, list x):
    x = values(x)
    cdef object w = neuron.w
    check_inputs(neuron, len(w), len(x))
    cdef list weights = values(w)
    cdef object b = neuron.b
    if not isinstance(b, Value):  # making it one may run Python, which may change the lists
        weights, x = list(weights), list(x)
        b = operand(b)
    cdef Value out = dot_of(list_items(weights), list_items(x), len(x), <Value>b)
    if not neuron.nonlin:
        return out
    activation = neuron.activation
    op = ACTIVATION_OPS.get(activation)
    if op is None:
        return getattr(out, activation)()
    return out if op == LEAF else unary_of(<Op>op, out)

cdef list layer_outputs(object layer, list x):
    """The outputs of a layer's neurons; the plain ones are computed here, without a call each."""
    check_inputs(layer, layer.nin, len(x))
    return [
        neuron_output(neuron, x) if type(neuron) is Neuron else neuron(x)
        for neuron in layer.neurons
    ]
