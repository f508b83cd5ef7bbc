"""jacobian, hessian and hvp: written here once, for the Values of either package.

What this module imports relatively is its package's own: see `micrograd_fast.written_once`.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from micrograd_ref.checking import is_array, list_of_values, sequence
from micrograd_ref.order import topological_order

from .engine import Value, values
from .functions import dot
from .gradients import gradient

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = Iterable[Value] | NDArray[np.object_]

__all__ = ["hessian", "hvp", "jacobian"]


def jacobian(outputs: Values, inputs: Values) -> list[list[Value]]:
    """A list for each output: d output / d input for each of the inputs, as gradient gives it.

    outputs, inputs: sequences of Values, or arrays of them, which are taken in their order.
    Cost: a gradient for each output.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x, y = Value(2.0), Value(5.0)
    >>> data(jacobian([x * y, x - y], [x, y]))
    array([[ 5.,  2.],
           [ 1., -1.]])
    """
    outputs = list_of_values(outputs, "output", is_value)
    inputs = list_of_values(inputs, "input", is_value)
    return [gradient(output, inputs) for output in outputs]


def hessian(output: Value, inputs: Values) -> list[list[Value]]:
    """The second derivatives of output, as Values: those by inputs[i] and inputs[j] at [i][j].

    inputs: a sequence of Values, or an array of them, which is taken in its order.
    Cost: a gradient, and a gradient of each of its elements.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x, y = Value(2.0), Value(5.0)
    >>> data(hessian(x**2 * y, [x, y]))
    array([[10.,  4.],
           [ 4.,  0.]])
    """
    inputs = list_of_values(inputs, "input", is_value)
    return jacobian(gradient(output, inputs), inputs)


def hvp(output: Value, inputs: Values, vector: Any) -> list[Value]:
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
    inputs = list_of_values(inputs, "input", is_value)
    vector = vector.ravel() if is_array(vector) else sequence(vector, "the vector of hvp")
    vector = values(list(vector))
    if len(vector) != len(inputs):
        raise ValueError(
            f"hvp expects a vector with an element for each of {len(inputs)} inputs, "
            f"got {len(vector)}"
        )
    under = {id(x) for x in topological_order(vector, attrgetter("_children"))}
    if not under.isdisjoint(map(id, inputs)):
        raise ValueError("the vector of hvp must not depend on the inputs")
    return gradient(dot(vector, gradient(output, inputs)), inputs)


def is_value(x: object) -> bool:
    return issubclass(type(x), Value)
