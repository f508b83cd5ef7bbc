"""What a node holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .operations import BLANK, Operation

if TYPE_CHECKING:
    from typing_extensions import Self

    from .engine import Value


class Fields:
    """The fields of a Value: those of a leaf of 0.0, until __init__ has run."""

    # Underscored, for a user may give a Value an attribute of any other name.
    __slots__ = (
        "__dict__",
        "_closure",
        "_grad",
        "_is_compared",
        "_operands",
        "_operation",
        "_value",
    )
    _value: float
    _grad: float
    _operation: Operation
    _operands: tuple[Value, ...]
    _closure: Callable[[], object] | None  # of a custom operation
    _is_compared: bool  # or not there: a Tape warns of it

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = object.__new__(cls)
        self._value = self._grad = 0.0
        self._operation, self._operands, self._closure = BLANK, (), None
        return self
