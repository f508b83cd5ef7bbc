"""Calls with the wrong arguments, in CPython's words: those that the reference's function gets.

Cython has words of its own, which name neither the class nor the argument that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

__all__: list[str] = []

T = TypeVar("T")


def check_call(function: Callable[..., object], args: Any, kwargs: Mapping[str, Any]) -> None:
    """Raise what a function of the reference raises, if it cannot be called with these."""
    from inspect import signature

    try:
        signature(function).bind(*args, **kwargs)
        return
    except TypeError:
        pass
    try:
        function(*args, **kwargs)
    except TypeError as error:
        raise error.with_traceback(None) from None


def worded_as(function: Callable[..., object]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Decorate the twin of a function of the reference."""

    def decorate(twin: Callable[..., T]) -> Callable[..., T]:
        @wraps(twin)
        def call(*args: Any, **kwargs: Any) -> T:
            try:
                return twin(*args, **kwargs)
            except TypeError:
                check_call(function, args, kwargs)
                raise

        return call

    return decorate
