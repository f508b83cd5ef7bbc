"""What a user passes: its type, and a float made of it.

By type, not by isinstance: an object may name any class as its __class__.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def type_name(x: object) -> str:
    kind = type(x)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def is_number(x: object) -> bool:
    """Whether x is an int, float, bool or NumPy real scalar. NumPy is not imported to find out."""
    if issubclass(type(x), (int, float)):
        return True
    np = sys.modules.get("numpy")
    return (
        np is not None
        and issubclass(type(x), (np.floating, np.integer, np.bool_))
        and not issubclass(type(x), np.timedelta64)
    )


def is_array(x: object) -> bool:
    if type(x) is float or type(x) is int:
        return False
    np = sys.modules.get("numpy")
    return np is not None and isinstance(x, np.ndarray)


def number(x: Any, what: str) -> float:
    if type(x) is float:
        return x
    if not is_number(x):
        way_out = ": use .item()" if is_array(x) else ""
        raise TypeError(f"{what} must be a real number, not '{type_name(x)}'{way_out}")
    return float(x)


def operand_value(x: Any) -> float:
    if not is_number(x):
        raise TypeError(
            f"unsupported operand for a Value: '{type_name(x)}' (expected a Value or a real number)"
        )
    return float(x)


def sequence(xs: Any, what: str) -> list[Any]:
    """A list of what can be iterated over."""
    try:
        xs = iter(xs)
    except TypeError:
        raise TypeError(
            f"{what} must be a sequence of Values or numbers, not '{type_name(xs)}': "
            "write [x] for a single x"
        ) from None
    return list(xs)


def size(n: int, what: str) -> int:
    if operator.index(n) < 1:
        raise ValueError(f"the number of {what} must be at least 1, got {n}")
    return int(operator.index(n))


def check_inputs(module: object, expected: int, got: int) -> None:
    if got != expected:
        raise ValueError(f"{type(module).__name__} expects {expected} inputs, got {got}")


def within(x: Any, what: str, below: float) -> float:
    value = number(x, what)
    if not 0 <= value < below:
        raise ValueError(f"{what} must be at least 0 and below {below}, got {value}")
    return value


def list_of_values(xs: Any, what: str, is_value: Callable[[object], bool]) -> list[Any]:
    """What a derivative is of, or by: the Values of an array in its order."""
    try:
        found = xs.ravel().tolist() if is_array(xs) else list(iter(xs))
    except TypeError:
        raise TypeError(
            f"the {what}s of a derivative must be a sequence of Values, not '{type_name(xs)}': "
            "write [x] for a single x"
        ) from None
    for i, x in enumerate(found):
        if not is_value(x):
            raise TypeError(f"{what} {i} of a derivative must be a Value, not '{type_name(x)}'")
    return found


def string(x: Any, what: str) -> str:
    if not issubclass(type(x), str):
        raise TypeError(f"the {what} of a Value must be a str, not '{type_name(x)}'")
    return str.__str__(x)


def real_array(x: ArrayLike, what: str) -> NDArray[np.float64]:
    import numpy as np

    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be an array of real numbers, got dtype {array.dtype}")
    return array.astype(np.float64, copy=False)


def result_array(
    x: Any, what: str, shape: tuple[int, ...], **read: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A user's array for results of this shape, apart in memory from those that are read."""
    import numpy as np

    if not isinstance(x, np.ndarray):
        raise TypeError(f"{what} must be an array of NumPy, not '{type_name(x)}'")
    array: NDArray[np.float64] = np.asarray(x)  # a subclass may say other things of itself
    if array.dtype != np.float64:
        raise TypeError(f"{what} must have the dtype float64, got {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, got {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(
            f"{what} must be in C order without gaps, got strides of {array.strides} bytes: "
            "numpy.empty makes such an array"
        )
    if not array.flags.writeable:
        raise ValueError(f"{what} must be writable, got a read-only array: a copy of it would do")
    for name, other in read.items():
        if np.may_share_memory(array, other):
            raise ValueError(f"{what} must not overlap {name} in memory: a copy of it would do")
    return array


UFUNCS = {
    **{"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power"},
    **{"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"},
}


def elementwise(name: str, left: Any, right: Any) -> Any:
    """A function of NumPy for an operator, which asks each element for it."""
    import numpy as np

    return getattr(np, UFUNCS[name])(left, right)
