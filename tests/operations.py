"""How to call each operation of the table; the signs of operators are those of the fuzzer's calls.

A row that is a method of Value by its name, or a function of the package, needs no entry here.
test_operations.py fails for a row that cannot be called.
"""

import inspect

import fuzz.calls
import numpy as np
from hypothesis import strategies as st

import micrograd_ref
from micrograd_ref.operations import OPERATIONS


def spelled(text):
    """The function of mg and two or fewer operands that '{} + {}' stands for."""
    names = ("a", "b")[: text.count("{}")]
    return eval(f"lambda mg, {', '.join(names)}: {text.format(*names)}")


SPELLED = {
    **{name: spelled(text) for name, text in fuzz.calls.SPELLED.items()},
    "**k": lambda mg, a, k: a**k,
    "dot": lambda mg, start, *terms: mg.dot(terms[::2], terms[1::2], start),
    "sum": lambda mg, start, *terms: mg.sum(terms, start),
    "norm": lambda mg, start, *terms: mg.norm(terms, start),
}

# The methods that are operations, rows of the table or made of rows: name -> number of operands.
METHODS = {
    name: len(inspect.signature(method).parameters)
    for name, method in inspect.getmembers(micrograd_ref.Value, inspect.isfunction)
    if not name.startswith("_") and name != "backward"
}

# Every operation of a fixed number of operands, all of which may be Values.
ARITY = {
    **{name: row.arity for name, row in OPERATIONS.items() if row.arity and name != "**k"},
    **METHODS,
}


def is_ufunc(name):
    """Whether NumPy has a function of this very name; np.atan is arctan's."""
    function = getattr(np, name, None)
    return isinstance(function, np.ufunc) and function.__name__ == name


# The methods that NumPy calls for its function of their name.
UFUNCS = [name for name, count in METHODS.items() if count == 1 and is_ufunc(name)]

# The operations that are functions of the package.
FUNCTIONS = [name for name in ARITY if name not in SPELLED and name not in METHODS]


def call(mg, name, *operands):
    """What an operation makes of Values and numbers; the operand of a method is a Value."""
    if name in SPELLED:
        return SPELLED[name](mg, *operands)
    if name in METHODS:
        return getattr(operands[0], name)(*operands[1:])
    return getattr(mg, name)(*operands)


def calls(values, operands):
    """Strategies for (name, operand, ...) of which one is from values, the others from operands."""
    for count in sorted(set(ARITY.values())):
        for i in range(count):
            names = [name for name in ARITY if ARITY[name] == count]
            if i > 0:
                names = [name for name in names if name not in METHODS]
            if names:
                others = [operands] * (count - 1)
                yield st.tuples(st.sampled_from(names), *others[:i], values, *others[i:])
