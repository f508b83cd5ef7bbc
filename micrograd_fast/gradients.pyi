"""gradient: derivatives that are graphs themselves."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .engine import Value

__all__ = ["gradient"]

def gradient(output: Value, inputs: Iterable[Value] | NDArray[np.object_]) -> list[Value]:
    """d output / d input for each of the inputs, as Values: a graph to differentiate again.

    output: a Value. inputs: a sequence of Values, or an array of them in any shape; the gradient
    is 0.0 for one that is not under output.
    The data have the bits that output.backward() leaves in the grads of the inputs, if those were
    0.0 before; in a Tape of the gradient, for each row. The grads stay as they are. The new graph
    shares the nodes under output.
    A custom operation between them needs a rule: node._gradient = f, where f(g, node, *children)
    gives from its gradient g that of each child, as Values or numbers.
    Cost: proportional to the number of nodes and operands under output. Depth is limited by memory
    alone.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x = Value(3.0)
    >>> (slope,) = gradient(x**3, [x])
    >>> slope.data, gradient(slope, [x])[0].data
    (27.0, 18.0)
    """
