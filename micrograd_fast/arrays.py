"""Between NumPy arrays of numbers and object arrays of Values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micrograd_ref.arrays import _leaves, data, grad

from .engine import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["array", "data", "grad"]


def array(numbers: ArrayLike) -> NDArray[np.object_]:
    """An object array of new leaf Values.

    numbers: an array of real numbers, or lists of them nested in any way that NumPy takes.
    Returns an array of the same shape. Operators, sum and @ work on it, and so do the functions of
    NumPy that Value has as a method: np.exp(x) calls x.exp() of each element.
    Raises TypeError for another dtype.

    >>> x = array([[1.0, 2.0], [3.0, 4.0]])
    >>> (x @ x).sum().backward()
    >>> grad(x)
    array([[ 7., 11.],
           [ 9., 13.]])
    """
    return _leaves(Value, numbers)
