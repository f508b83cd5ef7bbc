"""The derivatives of `micrograd_ref.derivatives`, over this package's Values."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .engine import Value

_Values: TypeAlias = Iterable[Value] | NDArray[np.object_]

__all__ = ["hessian", "hvp", "jacobian"]

def jacobian(outputs: _Values, inputs: _Values) -> list[list[Value]]:
    """A list for each output: d output / d input for each of the inputs, as gradient gives it.

    outputs, inputs: sequences of Values, or arrays of them, which are taken in their order.
    Cost: a gradient for each output.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x, y = Value(2.0), Value(5.0)
    >>> data(jacobian([x * y, x - y], [x, y]))
    array([[ 5.,  2.],
           [ 1., -1.]])
    """

def hessian(output: Value, inputs: _Values) -> list[list[Value]]:
    """The second derivatives of output, as Values: those by inputs[i] and inputs[j] at [i][j].

    inputs: a sequence of Values, or an array of them, which is taken in its order.
    Cost: a gradient, and a gradient of each of its elements.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x, y = Value(2.0), Value(5.0)
    >>> data(hessian(x**2 * y, [x, y]))
    array([[10.,  4.],
           [ 4.,  0.]])
    """

def hvp(output: Value, inputs: _Values, vector: ArrayLike | Iterable[Value | float]) -> list[Value]:
    """The hessian times a vector, as Values, without the hessian.

    inputs: a sequence of Values, or an array of them, which is taken in its order.
    vector: as many numbers or Values that do not depend on the inputs, in a sequence or an array.
    Cost: a gradient of a gradient.
    Raises TypeError for what is no Value, ValueError for another number of them, for one that
    depends on an input, and for a custom operation without a rule.

    >>> x, y = Value(2.0), Value(5.0)
    >>> data(hvp(x**2 * y, [x, y], [1.0, 10.0]))
    array([50.,  4.])
    """
