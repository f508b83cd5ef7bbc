"""Checking a program: gradcheck against finite differences, crosscheck between the packages."""

from __future__ import annotations

import importlib
import random
import struct
from collections.abc import Callable, Sequence
from math import inf, isnan
from typing import Any, NamedTuple

from .checking import number, type_name
from .graph import children
from .order import topological_order

__all__ = ["GradCheck", "crosscheck", "gradcheck"]


TWINS = ("micrograd_ref", "micrograd_fast")


class GradCheck(NamedTuple):
    """What gradcheck found where backward and finite differences agree least.

    input: the number of the input; of order 2, those of both.
    """

    error: float
    input: int | tuple[int, int]
    backward: float
    numeric: float


def gradcheck(
    fn: Callable[..., Any], inputs: Sequence[Any], eps: float = 1e-6, order: int = 1
) -> GradCheck:
    """Compare backward with the central difference (fn(x + eps) - fn(x - eps)) / (2 * eps).

    fn: takes the inputs as its arguments and returns a Value; it is called anew for each point.
    inputs: leaf Values of either package, finite.
    order: 2 compares backward through each of gradient(fn(*inputs), inputs) with the central
    difference of what backward through fn leaves in grad.
    Returns the worst input as a GradCheck; its error is |backward - numeric| relative to the
    larger of 1 and both. About 1e-9 is as close as eps = 1e-6 comes. Data and grads of the inputs
    are left as they were.
    Cost: 2 * len(inputs) + 1 evaluations of fn.
    Raises TypeError for an input or a result that is no Value, ValueError for no inputs, an eps
    that is not positive, or another order.

    >>> gradcheck(lambda x, y: x.tanh() * y, [Value(0.5), Value(2.0)]).error < 1e-8
    True
    """
    inputs = [_checked(x, "an input of gradcheck must be a Value") for x in inputs]
    if not inputs:
        raise ValueError("gradcheck expects at least one input, got none")
    eps = number(eps, "eps")
    if not 0 < eps < inf:
        raise ValueError(f"eps must be above 0 and below inf, got {eps:g}")
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")

    def result() -> Any:
        return _checked(fn(*inputs), "what gradcheck checks must return a Value")

    def grads(root: Any) -> list[float]:
        for x in inputs:
            x.grad = 0.0
        root.backward()
        return [x.grad for x in inputs]

    def values() -> list[float]:
        """What is differentiated: the result, or its gradient."""
        return [result().data] if order == 1 else grads(result())

    def roots() -> list[Any]:
        root = result()
        return [root] if order == 1 else _package_of(root).gradient(root, inputs)

    data, old_grads = [x.data for x in inputs], [x.grad for x in inputs]
    worst = None
    try:
        found = [grads(root) for root in roots()]
        for j, x in enumerate(inputs):
            x.data = data[j] + eps
            above = values()
            x.data = data[j] - eps
            below = values()
            x.data = data[j]
            for i, row in enumerate(found):
                numeric = (above[i] - below[i]) / (2 * eps)
                error = abs(row[j] - numeric) / max(1.0, abs(row[j]), abs(numeric))
                if worst is None or error > worst.error or isnan(error) > isnan(worst.error):
                    worst = GradCheck(error, j if order == 1 else (i, j), row[j], numeric)
    finally:
        for x, old_data, old_grad in zip(inputs, data, old_grads, strict=True):
            x.data, x.grad = old_data, old_grad
    assert worst is not None
    return worst


def crosscheck(fn: Callable[..., Any], *args: Any) -> int:
    """Run fn(package, *args) with micrograd_ref and with micrograd_fast, and compare bits.

    fn: builds and differentiates a graph with the package that it is given, and returns its root
    or a sequence of roots. Both runs start from the same state of `random`.
    Returns the number of nodes compared.
    Raises AssertionError at the first node, in topological order, whose _op, data or grad differ,
    TypeError for what is no Value.

    >>> crosscheck(lambda mg: (mg.Value(2.0) * 3).tanh())
    4
    """
    state = random.getstate()
    graphs = []
    for name in TWINS:
        random.setstate(state)
        root = fn(importlib.import_module(name), *args)
        roots = [root] if hasattr(root, "_children") else root
        roots = [_checked(x, "what crosscheck runs must return Values") for x in roots]
        graphs.append(topological_order(roots, children))
    ref, fast = graphs
    for i, (a, b) in enumerate(zip(ref, fast, strict=False)):
        for field in ("_op", "data", "grad"):
            x, y = getattr(a, field), getattr(b, field)
            if _bits(x) != _bits(y):
                raise AssertionError(
                    f"node {i} ({a._op or 'leaf'} {a.label!r}): {field} is "
                    f"{_show(x)} in micrograd_ref, {_show(y)} in micrograd_fast"
                )
    if len(ref) != len(fast):
        raise AssertionError(
            f"the graph has {len(ref)} nodes in micrograd_ref, {len(fast)} in micrograd_fast"
        )
    return len(ref)


def _checked(x: Any, what: str) -> Any:
    if not hasattr(x, "_children"):
        raise TypeError(f"{what}, not '{type_name(x)}'")
    return x


def _package_of(x: Any) -> Any:
    """That of a Value, or of a subclass of it."""
    names = (kind.__module__.partition(".")[0] for kind in type(x).__mro__)
    return importlib.import_module(next(name for name in names if name in TWINS))


def _bits(x: str | float) -> object:
    """What must be equal: a string, or a double's eight bytes, whatever the payload of a nan."""
    if isinstance(x, str):
        return x
    return "nan" if isnan(x) else struct.pack("d", x)


def _show(x: str | float) -> str:
    return repr(x) if isinstance(x, str) else f"{x!r} ({x.hex()})"
