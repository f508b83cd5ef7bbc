"""Between NumPy arrays of numbers and object arrays of Values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .checking import number, type_name
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


def data(values: Any) -> NDArray[np.float64]:
    """The data of Values as an array of float64.

    values: an object array, a Value, or lists of them nested in any way; numbers may be among them.
    Raises TypeError for what is neither a Value nor a number.
    """
    return _read(values, lambda x: x.data if hasattr(x, "_children") else number(x, "data"))


def grad(values: Any) -> NDArray[np.float64]:
    """The grads of Values as an array of float64.

    values: an object array, a Value, or lists of them nested in any way.
    Raises TypeError for what is no Value.
    """
    return _read(values, lambda x: x.grad)


def _leaves(kind: type, numbers: ArrayLike) -> NDArray[np.object_]:
    import numpy as np

    numbers = np.asarray(numbers)
    if numbers.dtype.kind not in "fiub":
        raise TypeError(f"array expects real numbers, got dtype {numbers.dtype}")
    out = np.empty(numbers.shape, dtype=object)
    for i, x in enumerate(numbers.flat):
        out.flat[i] = kind(x)
    return out


def _read(values: Any, field: Callable[[Any], float]) -> NDArray[np.float64]:
    import numpy as np

    nodes = np.asarray(values, dtype=object)
    out = np.empty(nodes.shape)
    for i, x in enumerate(nodes.flat):
        try:
            out.flat[i] = field(x)
        except (AttributeError, TypeError, ValueError):
            raise TypeError(f"element {i} must be a Value, not '{type_name(x)}'") from None
    return out
