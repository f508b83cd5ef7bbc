"""Neural networks over Values: Neuron, Layer and MLP, and what else they are made of."""

import random

from micrograd_ref import nn as reference
from micrograd_ref.checking import sequence, size
from micrograd_ref.nn import activations, checked_activation, title

from .engine import Value as PyValue
from .losses import binary_cross_entropy, cross_entropy, hinge, log_softmax, mse, softmax
from .module import Module
from .modules import Dropout, Embedding, LayerNorm, RMSNorm, Sequential
from .wording import worded_as

from .engine cimport (
    RELU, SIGMOID, TANH, Op, Value, dot_of, enter_nested, leave_nested, operand, unary_of, values,
)

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

cdef dict ACTIVATION_OPS = {"relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}

cdef extern from "Python.h":
    ctypedef struct TypeSlots "PyTypeObject":
        unsigned int tp_version_tag  # another after every change of the class, 0 for none at hand

cdef dict activation_methods = {name: vars(PyValue)[name] for name in ACTIVATION_OPS}
cdef unsigned int unchanged_version = 0  # of Value, with these methods

cdef bint activations_are_unchanged() except -1:
    """Whether the methods of Value are those that it was made with: a program may replace them."""
    global unchanged_version
    cdef TypeSlots* kind = <TypeSlots*>PyValue
    if unchanged_version == 0 or kind.tp_version_tag != unchanged_version:
        for name, method in activation_methods.items():
            if getattr(PyValue, name, None) is not method:
                return False
        unchanged_version = kind.tp_version_tag
    return True

cdef list inputs(object module, object x):
    """A list of what a module is called with."""
    if type(x) is list or type(x) is tuple:
        return list(x)
    return sequence(x, f"the input of {type(module).__name__}")

cdef int check_inputs(object module, object expected, Py_ssize_t got) except -1:
    if got != expected:
        raise ValueError(f"{type(module).__name__} expects {expected} inputs, got {got}")
    return 0


cdef object nested(object fn, tuple arguments):
    """A call into another module: a RecursionError, not a crash, where they hold each other."""
    enter_nested("a Module in a Module")
    try:
        return fn(*arguments)
    finally:
        leave_nested()


class Neuron(Module):
    """activation(b + w[0] * x[0] + w[1] * x[1] + ...).

    nin: the number of inputs.
    nonlin: False leaves the activation out.
    activation: 'relu', 'tanh', 'sigmoid', 'linear', or a function of a Value, Value.silu say.

    Each weight is drawn in order by random.uniform(-1, 1); the bias starts at 0.
    Calling it with nin Values or numbers gives a Value; another count is a ValueError.
    """

    @worded_as(reference.Neuron.__init__)
    def __init__(self, nin, nonlin=True, activation="relu"):
        activation = checked_activation(activation)
        self.w = [PyValue(random.uniform(-1, 1)) for _ in range(size(nin, "inputs"))]
        self.b = PyValue(0.0)
        self.nonlin = nonlin
        self.activation = activation

    def __call__(self, x):
        return neuron_output(self, inputs(self, x))

    def parameters(self):
        """The weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self):
        name = title(self.activation if self.nonlin else "linear")
        return f"{name}Neuron({len(self.w)})"


class Layer(Module):
    """nout neurons that read the same nin inputs.

    Keywords go to every Neuron. Calling it gives a list of Values, or the bare Value of a single
    neuron; a wrong number of inputs is a ValueError.
    """

    @worded_as(reference.Layer.__init__)
    def __init__(self, nin, nout, **kwargs):
        self.nin = size(nin, "inputs")
        self.neurons = [Neuron(nin, **kwargs) for _ in range(size(nout, "neurons"))]

    def __call__(self, x):
        cdef list out = layer_outputs(self, values(inputs(self, x)))
        return out[0] if len(out) == 1 else out

    def parameters(self):
        """Those of each neuron in turn."""
        return [p for neuron in self.neurons for p in nested(neuron.parameters, ())]

    def __repr__(self):
        return f"Layer of [{', '.join(str(neuron) for neuron in self.neurons)}]"


class MLP(Module):
    """A multi-layer perceptron: nin inputs, then one layer for each entry of nouts.

    activation: of every layer but the last, or a list with one for each of them.
    output: of the last layer. Both take what a Neuron takes.
    MLP(3, [4, 4, 1], activation='tanh', output='tanh') is the network of the lecture.
    Calling it gives what its last Layer gives; a wrong number of inputs is a ValueError.
    """

    @worded_as(reference.MLP.__init__)
    def __init__(self, nin, nouts, activation="relu", output="linear"):
        nouts = list(nouts)
        sizes = [size(nin, "inputs"), *nouts]
        each = activations(activation, output, size(len(nouts), "layers"))
        self.nin = sizes[0]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], activation=each[i]) for i in range(len(nouts))
        ]

    def __call__(self, x):
        cdef object out = values(inputs(self, x))
        check_inputs(self, self.nin, len(out))
        for layer in self.layers:
            out = nested(layer, ([out] if isinstance(out, Value) else out,))
        return out

    def parameters(self):
        """Those of each layer in turn."""
        return [p for layer in self.layers for p in nested(layer.parameters, ())]

    def __repr__(self):
        return f"MLP of [{', '.join(str(layer) for layer in self.layers)}]"


cdef object neuron_call = Neuron.__call__

cdef object neuron_output(object neuron, list x):
    x = values(list(x))
    cdef object w = neuron.w
    cdef object b = neuron.b
    check_inputs(neuron, len(w), len(x))
    cdef list weights = values(w)
    if not isinstance(b, Value):
        weights = list(weights)  # for making a Value may run Python, which may change the neuron's
        b = operand(b)
    cdef Value out = dot_of(weights, x, <Value>b)
    activation = neuron.activation
    if not neuron.nonlin or activation == "linear":
        return out
    if callable(activation):
        return nested(activation, (out,))
    op = ACTIVATION_OPS.get(activation) if type(activation) is str else None
    if op is None or not activations_are_unchanged():
        return getattr(out, activation)()
    return unary_of(<Op>op, out)

cdef list layer_outputs(object layer, list x):
    """The outputs of a layer's neurons; the plain ones are computed here, without a call each."""
    check_inputs(layer, layer.nin, len(x))
    cdef bint original = Neuron.__call__ is neuron_call
    return [
        neuron_output(neuron, x) if original and type(neuron) is Neuron else nested(neuron, (x,))
        for neuron in layer.neurons
    ]
