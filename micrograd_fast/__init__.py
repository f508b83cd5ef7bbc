"""Scalar reverse-mode automatic differentiation at the speed of C.

The same names, signatures and bits as micrograd_ref. MICROGRAD_BACKEND=ref in the environment
makes this package, and its modules, hand out the reference's; `backend` says which is in force.
"""

import importlib
import importlib.machinery
import os
import sys

backend = os.environ.get("MICROGRAD_BACKEND", "fast")

if backend not in ("fast", "ref"):
    raise ImportError(f"MICROGRAD_BACKEND must be 'fast' or 'ref', got {backend!r}")

_rooms = (
    "engine functions gradients derivatives losses optim module modules nn tape graph checks "
    "parallel exploring arrays plot schedules"
)
for _room in _rooms.split():
    if backend == "ref":
        _module = importlib.import_module(f"micrograd_ref.{_room}")
        sys.modules[f"{__name__}.{_room}"] = globals()[_room] = _module
        continue
    # Its own extension, or none: an editable install would lend one from another tree.
    if importlib.machinery.PathFinder.find_spec(f"{__name__}.{_room}", __path__) is None:
        if sys.implementation.name != "cpython":
            raise ImportError(
                f"micrograd_fast runs on CPython alone, this is {sys.implementation.name}: use the "
                "reference, with MICROGRAD_BACKEND=ref or import micrograd_ref"
            )
        raise ImportError(
            "micrograd_fast is not built for this Python: run `python -m pip install -e .` in its "
            "source tree, or use the reference with MICROGRAD_BACKEND=ref"
        )
    importlib.import_module(f"{__name__}.{_room}")

from micrograd_fast import arrays as arrays
from micrograd_fast import checks as checks
from micrograd_fast import derivatives as derivatives
from micrograd_fast import engine as engine
from micrograd_fast import exploring as exploring
from micrograd_fast import functions as functions
from micrograd_fast import gradients as gradients
from micrograd_fast import graph as graph
from micrograd_fast import losses as losses
from micrograd_fast import module as module
from micrograd_fast import modules as modules
from micrograd_fast import nn as nn
from micrograd_fast import optim as optim
from micrograd_fast import parallel as parallel
from micrograd_fast import plot as plot
from micrograd_fast import schedules as schedules
from micrograd_fast import tape as tape
from micrograd_fast.arrays import array, data, grad
from micrograd_fast.checks import GradCheck, crosscheck, gradcheck
from micrograd_fast.derivatives import hessian, hvp, jacobian
from micrograd_fast.engine import Value, backward, detect_anomaly
from micrograd_fast.exploring import explore
from micrograd_fast.functions import dot, larger, maximum, minimum, norm, sign, smaller, where
from micrograd_fast.functions import sum as sum
from micrograd_fast.gradients import gradient
from micrograd_fast.graph import draw_dot, trace
from micrograd_fast.losses import (
    binary_cross_entropy,
    cross_entropy,
    hinge,
    log_softmax,
    mse,
    softmax,
)
from micrograd_fast.module import Module
from micrograd_fast.modules import Dropout, Embedding, LayerNorm, RMSNorm, Sequential
from micrograd_fast.nn import MLP, Layer, Neuron
from micrograd_fast.optim import SGD, Adam, AdamW, RMSprop, clip_grad_norm
from micrograd_fast.parallel import DataParallel
from micrograd_fast.plot import plot_boundary, plot_history
from micrograd_fast.schedules import cosine_schedule, linear_schedule
from micrograd_fast.tape import Tape

# sum is reached as micrograd_fast.sum: a star import must not shadow the builtin.
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
