"""Scalar reverse-mode automatic differentiation: the reference, in pure Python.

The specification of micrograd_fast: the same names, the same bits, short enough to read.
"""

from . import arrays as arrays
from . import checks as checks
from . import derivatives as derivatives
from . import engine as engine
from . import exploring as exploring
from . import functions as functions
from . import gradients as gradients
from . import graph as graph
from . import losses as losses
from . import module as module
from . import modules as modules
from . import nn as nn
from . import optim as optim
from . import parallel as parallel
from . import plot as plot
from . import schedules as schedules
from . import tape as tape
from .arrays import array, data, grad
from .checks import GradCheck, crosscheck, gradcheck
from .derivatives import hessian, hvp, jacobian
from .engine import Value, backward, detect_anomaly
from .exploring import explore
from .functions import dot, larger, maximum, minimum, norm, sign, smaller, where
from .functions import sum as sum
from .gradients import gradient
from .graph import draw_dot, trace
from .losses import binary_cross_entropy, cross_entropy, hinge, log_softmax, mse, softmax
from .module import Module
from .modules import Dropout, Embedding, LayerNorm, RMSNorm, Sequential
from .nn import MLP, Layer, Neuron
from .optim import SGD, Adam, AdamW, RMSprop, clip_grad_norm
from .parallel import DataParallel
from .plot import plot_boundary, plot_history
from .schedules import cosine_schedule, linear_schedule
from .tape import Tape

# sum is reached as micrograd_ref.sum: a star import must not shadow the builtin.
__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "DataParallel",
    "Dropout",
    "Embedding",
    "GradCheck",
    "Layer",
    "LayerNorm",
    "Module",
    "Neuron",
    "RMSNorm",
    "RMSprop",
    "Sequential",
    "Tape",
    "Value",
    "array",
    "backward",
    "binary_cross_entropy",
    "clip_grad_norm",
    "cosine_schedule",
    "cross_entropy",
    "crosscheck",
    "data",
    "detect_anomaly",
    "dot",
    "draw_dot",
    "explore",
    "grad",
    "gradcheck",
    "gradient",
    "hessian",
    "hinge",
    "hvp",
    "jacobian",
    "larger",
    "linear_schedule",
    "log_softmax",
    "maximum",
    "minimum",
    "mse",
    "norm",
    "plot_boundary",
    "plot_history",
    "sign",
    "smaller",
    "softmax",
    "trace",
    "where",
]
