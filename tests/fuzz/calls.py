"""How a line calls each operation; tests/operations.py takes the signs of operators from here.

A row of the table that is a method of Value by its name, or a function of the package, needs no
entry here. test_fuzz.py fails for a row that no program makes.
"""

import inspect

from micrograd_ref import Value
from micrograd_ref.operations import OPERATIONS

SPELLED = {
    "+": "{} + {}",
    "-": "{} - {}",
    "*": "{} * {}",
    "/": "{} / {}",
    "**": "{} ** {}",
    "neg": "-{}",
    "abs": "abs({})",
}
WITH_LINES_OF_THEIR_OWN = ("**k", "dot", "sum", "norm")


def methods():
    """A call of each method of Value that is an operation, by each number of operands."""
    for name, method in vars(Value).items():
        if inspect.isfunction(method) and not name.startswith("_") and name != "backward":
            parameters = inspect.signature(method).parameters.values()
            required = sum(parameter.default is parameter.empty for parameter in parameters)
            for count in range(required, len(parameters) + 1):
                yield f"{{}}.{name}({gaps(count - 1)})"


def functions():
    """A call of each row of the table that is neither spelled nor a method."""
    for name, row in OPERATIONS.items():
        if name not in {*SPELLED, *WITH_LINES_OF_THEIR_OWN, *vars(Value)}:
            yield f"mg.{name}({gaps(row.arity)})"


def gaps(count):
    return ", ".join(["{}"] * count)


def of_one(calls):
    return [call for call in calls if call.count("{}") == 1]


def of_several(calls):
    return [call for call in calls if call.count("{}") > 1]


METHODS = list(methods())
OPERATORS = of_several(SPELLED.values())
UNARY = of_one([*functions(), *METHODS, *SPELLED.values()])
SEVERAL = [*OPERATORS, "{} + {}", "{} * {}", *of_several([*functions(), *METHODS])]
