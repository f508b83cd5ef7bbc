"""The operations that are functions: compiled in the engine, which makes their nodes."""

from .engine import dot, larger, maximum, minimum, norm, sign, smaller, where
from .engine import sum as sum  # noqa: PLC0414 (no star import brings it)

__all__ = ["dot", "larger", "maximum", "minimum", "norm", "sign", "smaller", "where"]
