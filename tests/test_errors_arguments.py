"""Every public entry point, given every kind of thing.

A number is taken as the float that it is. All else is refused by an error that names what was
given and what was expected, and then nothing has changed.
"""

import datetime
import decimal
import fractions
import functools
import importlib
import math

import numpy as np
import pytest
from bits import bits
from errors import outcome
from operations import ARITY, FUNCTIONS, METHODS, OPERATIONS, call

HUGE = OverflowError, "int too large to convert to float"


class Float(float):
    pass


class Integer(int):
    pass


class Computed(float):
    """A float that becomes another."""

    def __float__(self):
        return 2.5


class Thing:
    """No number, but it can become one."""

    def __float__(self):
        return 1.0

    def __index__(self):
        return 1

    def __array__(self, dtype=None, copy=None):
        return np.array(1.0)


class Liar:
    """What names a number as its class without being one."""

    __class__ = float


class NoHash(type):
    __hash__ = None


class Unhashed(metaclass=NoHash):
    """What belongs to no set, and nor does its type."""


NUMBERS = [
    *(0.5, -0.0, 5e-324, -2.2250738585072014e-308, 1e308, math.inf, -math.inf, math.nan),
    *(3, -7, 2**53 + 1, 10**30, True, False, Float(0.1), Integer(2), Computed(1.0)),
    *(np.float64(0.1), np.float32(0.1), np.float16(-2.5), np.longdouble(0.1), np.float64(-0.0)),
    *(np.int8(-3), np.int16(4), np.int32(5), np.int64(2**62 + 1), np.uint8(6), np.uint16(7)),
    *(np.uint32(8), np.uint64(2**64 - 1), np.bool_(True), np.intc(9), np.longlong(10)),
]

# What is no number, with the name that an error gives it.
OTHERS = [
    *[("1", "str"), (b"1", "bytes"), (bytearray(b"1"), "bytearray"), (None, "NoneType")],
    *[(1j, "complex"), ([1.0], "list"), ((), "tuple"), ({}, "dict"), ({1.0}, "set")],
    *[(float, "type"), (len, "builtin_function_or_method"), (..., "ellipsis")],
    (decimal.Decimal(1), "decimal.Decimal"),
    (fractions.Fraction(1, 2), "fractions.Fraction"),
    (datetime.timedelta(1), "datetime.timedelta"),
    (Thing(), f"{__name__}.Thing"),
    (Liar(), f"{__name__}.Liar"),
    (Unhashed(), f"{__name__}.Unhashed"),
    (np.complex64(1), "numpy.complex64"),
    (np.complex128(1), "numpy.complex128"),
    (np.str_("1"), "numpy.str_"),
    (np.bytes_(b"1"), "numpy.bytes_"),
    (np.datetime64("2020-01-01"), "numpy.datetime64"),
    (np.timedelta64(1, "s"), "numpy.timedelta64"),
    (np.void(b"1"), "numpy.void"),
]

REAL_DTYPES = [*"?bhilqBHILQefdg", ">f8", "<i2"]
OTHER_DTYPES = {"c8": "complex64", "c16": "complex128", "U2": "<U2", "S2": "|S2", "O": "object",
                "M8[D]": "datetime64[D]", "m8[s]": "timedelta64[s]", "V4": "|V4"}  # fmt: skip
ARRAYS = [np.zeros(shape, dtype) for dtype in (*REAL_DTYPES, *OTHER_DTYPES) for shape in ((), (2,))]


def others_for(mg):
    """OTHERS, arrays, and a Value of the other package, each with its name."""
    (other,) = {"micrograd_ref", "micrograd_fast"} - {mg.__name__}
    yield from OTHERS
    yield importlib.import_module(other).Value(1.0), f"{other}.engine.Value"
    for array in ARRAYS:
        yield array, "numpy.ndarray"


def leaves(out):
    """The bits of all numbers that a graph starts from."""
    return {bits(leaf.data) for leaf in out._prev or {out}} | {
        x for child in out._prev for x in leaves(child)
    }


def state(*values):
    return [(bits(v.data), bits(v.grad), v.label, v._op, v._children) for v in values]


def assign(a, name, x):
    setattr(a, name, x)
    return getattr(a, name)


DATA = "the data of a Value must be a real number, not '{}'"
GRAD = "the grad of a Value must be a real number, not '{}'"
OPERAND = "unsupported operand for a Value: '{}' (expected a Value or a real number)"


def no_number(message, kind):
    """The message of a refusal: an array may hold just one, so it says how to get at that."""
    return message.format(kind) + (": use .item()" if kind == "numpy.ndarray" else "")


# What becomes a Value's data or grad: given a leaf and the number, what it was kept as.
FIELDS = {
    "Value": (lambda mg, a, x: mg.Value(x).data, DATA),
    "Value with children": (lambda mg, a, x: mg.Value(x, (a,), "op").data, DATA),
    "a subclass": (lambda mg, a, x: type("Sub", (mg.Value,), {})(x).data, DATA),
    "data": (lambda mg, a, x: assign(a, "data", x), DATA),
    "grad": (lambda mg, a, x: assign(a, "grad", x), GRAD),
}


def called_with(name, i, mg, a, x):
    """An operation of x as its operand i, and of a for all others."""
    return call(mg, name, *(x if k == i else a for k in range(ARITY[name])))


# What becomes a constant leaf of a graph.
OPERANDS = {
    "dot, xs": lambda mg, a, x: mg.dot([a, x], [a, a]),
    "dot, ys": lambda mg, a, x: mg.dot([a, a], (a, x)),
    "dot, start": lambda mg, a, x: mg.dot([a], [a], x),
    "sum, xs": lambda mg, a, x: mg.sum(iter([a, x])),
    "sum, start": lambda mg, a, x: mg.sum([a], start=x),
    **{
        f"{name}, operand {i}": functools.partial(called_with, name, i)
        for name in [*FUNCTIONS, *METHODS]
        for i in range(name in METHODS, ARITY[name])
    },
    "a Neuron": lambda mg, a, x: mg.Neuron(2, activation="tanh")([a, x]),
    "a Layer": lambda mg, a, x: mg.Layer(2, 2)([a, x])[1],
    "an MLP": lambda mg, a, x: mg.MLP(2, [2, 1])([x, a]),
    "Dropout": lambda mg, a, x: mg.Dropout(0)([a, x])[1],
    "RMSNorm": lambda mg, a, x: mg.RMSNorm(2)([a, x])[1],
    "LayerNorm": lambda mg, a, x: mg.LayerNorm(2)([x, a])[0],
    "mse, predictions": lambda mg, a, x: mg.mse([a, x], [a, a]),
    "mse, targets": lambda mg, a, x: mg.mse([a, a], [a, x]),
    "hinge, scores": lambda mg, a, x: mg.hinge([a, x], [a, a]),
    "hinge, labels": lambda mg, a, x: mg.hinge([a, a], [a, x]),
    "binary_cross_entropy, logits": lambda mg, a, x: mg.binary_cross_entropy([x], [a]),
    "binary_cross_entropy, targets": lambda mg, a, x: mg.binary_cross_entropy([a], [x]),
    "log_softmax": lambda mg, a, x: mg.log_softmax([a, x])[1],
    "softmax": lambda mg, a, x: mg.softmax([a, x])[1],
    "cross_entropy, logits": lambda mg, a, x: mg.cross_entropy([a, x], 0),
    "cross_entropy, weights": lambda mg, a, x: mg.cross_entropy([a, a], [a, x]),
}

OPERATORS = {
    "+": lambda a, x: a + x,
    "-": lambda a, x: a - x,
    "*": lambda a, x: a * x,
    "/": lambda a, x: a / x,
    "**": lambda a, x: a**x,
    "<": lambda a, x: a < x,
    "<=": lambda a, x: a <= x,
    ">": lambda a, x: a > x,
    ">=": lambda a, x: a >= x,
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_takes_numbers_only(mg, name):
    keep, message = FIELDS[name]
    a = mg.Value(1.0, label="a")
    for x in NUMBERS:
        kept = keep(mg, a, x)
        assert type(kept) is float
        assert bits(kept) == bits(float(x)), repr(x)
    a.data, a.grad = 1.0, 0.5
    before = state(a)
    for x, kind in [*others_for(mg), (a, f"{mg.__name__}.engine.Value")]:
        expected = TypeError, no_number(message, kind)
        assert outcome(lambda x=x: keep(mg, a, x)) == expected, kind
    for x in (10**400, -(10**400)):
        assert outcome(lambda x=x: keep(mg, a, x)) == HUGE
    assert state(a) == before


@pytest.mark.parametrize("name", OPERANDS)
def test_an_operand_is_a_value_or_a_number(mg, name):
    build = OPERANDS[name]
    a = mg.Value(0.75)
    for x in NUMBERS:
        if name == "binary_cross_entropy, targets" and not 0 <= float(x) <= 1:
            message = f"a target of binary_cross_entropy must lie in [0, 1], got {float(x)}"
            assert outcome(lambda x=x: build(mg, a, x)) == (ValueError, message)
        else:
            assert bits(float(x)) in leaves(build(mg, a, x)), repr(x)
    before = state(a)
    for x, kind in others_for(mg):
        assert outcome(lambda x=x: build(mg, a, x)) == (TypeError, OPERAND.format(kind)), kind
    for x in (10**400, -(10**400)):
        assert outcome(lambda x=x: build(mg, a, x)) == HUGE
    assert state(a) == before


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_an_operator_takes_numbers_on_either_side(mg, name, side):
    def build(x):
        return OPERATORS[name](a, x) if side == "left" else OPERATORS[name](x, a)

    a = mg.Value(0.75)
    for x in NUMBERS:
        out = build(x)
        if isinstance(out, bool):
            pair = (0.75, float(x)) if side == "left" else (float(x), 0.75)
            assert out == OPERATORS[name](*pair), repr(x)
        elif name == "**" and side == "left":
            assert out._op == f"**{float(x):g}"
        else:
            assert bits(float(x)) in leaves(out), repr(x)
    before = state(a)
    for x, kind in others_for(mg):
        if kind.endswith("engine.Value") and side == "right":  # the other package's operator
            kind = f"{mg.__name__}.engine.Value"
        found = outcome(lambda x=x: build(x))
        if kind == "fractions.Fraction" and isinstance(found, mg.Value):
            assert found._children[0].data == 0.5  # before CPython 3.12, Fraction ** x is a float's
        elif kind != "numpy.ndarray":
            assert found == (TypeError, OPERAND.format(kind)), kind
    for x in (10**400, -(10**400)):
        assert outcome(lambda x=x: build(x)) == HUGE
    assert state(a) == before


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_an_operator_goes_through_an_array_of_numbers(mg, name, dtype):
    a = mg.Value(0.75)
    for array in (np.array([1, 0, 1], dtype), np.ones((2, 1), dtype), np.ones(0, dtype)):
        for out, swap in (
            (OPERATORS[name](a, array), False),
            (OPERATORS[name](array, a), True),
        ):
            assert out.shape == array.shape
            for x, y in zip(array.flat, out.flat, strict=True):
                one = OPERATORS[name](*((x, a) if swap else (a, x)))
                assert y == one if isinstance(one, bool) else bits(y.data) == bits(one.data)
    point = OPERATORS[name](a, np.array(1, dtype))
    assert isinstance(point, (bool, np.bool_, mg.Value))


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", [dtype for dtype in OTHER_DTYPES if dtype != "O"])
def test_an_operator_names_what_an_array_holds_instead_of_numbers(mg, name, dtype):
    a = mg.Value(0.75)
    array = np.zeros(2, dtype)
    kind = type(array.astype(object)[0])
    kind = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    for fn in (lambda: OPERATORS[name](a, array), lambda: OPERATORS[name](array, a)):
        error, message = outcome(fn)
        if dtype in ("M8[D]", "m8[s]") and error is not TypeError:  # NumPy has rules for these
            assert issubclass(error, TypeError)
            assert message.startswith("ufunc '")
            assert f"dtype('{array.dtype.str}')" in message
        else:
            assert (error, message) == (TypeError, OPERAND.format(kind))


def test_an_array_of_one_number_is_no_number_and_the_error_says_what_to_do(mg):
    labels = np.ones((3, 1))
    a = mg.Value(2.0)
    use_item = "must be a real number, not 'numpy.ndarray': use .item()"
    for fn, what in (
        (lambda: mg.Value(np.array(2.0)), "the data of a Value"),
        (lambda: mg.Value(labels[0]), "the data of a Value"),
        (lambda: mg.Value(1.0, (a,), (labels[0],)), "a local gradient of a Value"),
        (lambda: mg.SGD([a], labels[0]), "lr"),
    ):
        assert outcome(fn) == (TypeError, f"{what} {use_item}")
    assert mg.Value(labels[0].item()).data == 1.0
    assert (a * labels[0]).shape == (1,)  # an operand that is an array means elementwise


# What must be a str.

TEXTS = {
    "_op": lambda mg, a, x: mg.Value(1.0, (a,), x)._op,
    "label": lambda mg, a, x: mg.Value(1.0, label=x).label,
    "label, assigned": lambda mg, a, x: assign(a, "label", x),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_name_is_a_str(mg, name):
    class Text(str):
        def __str__(self):
            return "another text"

    keep = TEXTS[name]
    a = mg.Value(1.0, label="a")
    for x in ("", "x", "é|{}\0", Text("kept"), np.str_("numpy")):
        kept = keep(mg, a, x)
        assert type(kept) is str
        assert kept == str.__str__(x)
    a.label = "a"
    before = state(a)
    what = f"the {name.partition(',')[0]} of a Value must be a str, not"
    for x, kind in [*others_for(mg), (1.0, "float"), (a, f"{mg.__name__}.engine.Value")]:
        if name == "_op" and kind in ("list", "tuple"):
            continue  # local gradients
        if kind not in ("str", "numpy.str_"):
            assert outcome(lambda x=x: keep(mg, a, x)) == (TypeError, f"{what} '{kind}'")
    assert state(a) == before


# What must be a Value.

VALUES = {
    "a child": (
        lambda mg, a, x: mg.Value(1.0, [a, x]),
        "a child of a Value must be a Value, not '{}'",
    ),
    "a parameter of SGD": (
        lambda mg, a, x: mg.SGD([a, x], 0.1),
        "a parameter must be a Value, not '{}'",
    ),
    "a parameter of Adam": (
        lambda mg, a, x: mg.Adam([x, a]),
        "a parameter must be a Value, not '{}'",
    ),
    "a parameter of RMSprop": (
        lambda mg, a, x: mg.RMSprop([x]),
        "a parameter must be a Value, not '{}'",
    ),
    "a parameter to clip": (
        lambda mg, a, x: mg.clip_grad_norm([a, x], 0.1),
        "a parameter must be a Value, not '{}'",
    ),
    "an output of a Tape": (
        lambda mg, a, x: mg.Tape([a, x]),
        "an output of a Tape must be a Value, not '{}'",
    ),
    "an input of a Tape": (
        lambda mg, a, x: mg.Tape(a, [a, x]),
        "an input of a Tape must be a Value, not '{}'",
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_must_be_a_value_is_no_number(mg, name):
    build, message = VALUES[name]
    a = mg.Value(1.0)
    before = state(a)
    for x, kind in [*others_for(mg), (1.0, "float"), (10**400, "int"), (True, "bool")]:
        assert outcome(lambda x=x: build(mg, a, x)) == (TypeError, message.format(kind)), kind
    assert state(a) == before


# Values of either package.

GRAPHS = {
    "trace": (lambda mg, a, x: mg.trace(x), "a graph starts at a Value, not at '{}'"),
    "draw_dot": (lambda mg, a, x: mg.draw_dot(x), "a graph starts at a Value, not at '{}'"),
    "explore": (lambda mg, a, x: mg.explore(x), "a graph starts at a Value, not at '{}'"),
    "gradcheck": (
        lambda mg, a, x: mg.gradcheck(lambda a, x: a * 2, [a, x]),
        "an input of gradcheck must be a Value, not '{}'",
    ),
    "what gradcheck differentiates": (
        lambda mg, a, x: mg.gradcheck(lambda a: x, [a]),
        "what gradcheck checks must return a Value, not '{}'",
    ),
    "what crosscheck compares": (
        lambda mg, a, x: mg.crosscheck(lambda mg: [mg.Value(1.0), x]),
        "what crosscheck runs must return Values, not '{}'",
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_tool_for_graphs_takes_values_of_either_package(mg, name):
    use, message = GRAPHS[name]
    a = mg.Value(1.0)
    before = state(a)
    for x, kind in [*others_for(mg), (1.0, "float")]:
        if not kind.endswith("Value"):
            assert outcome(lambda x=x: use(mg, a, x)) == (TypeError, message.format(kind)), kind
    assert state(a) == before


# Numbers in a range.

RANGES = {
    "lr": (lambda mg, a, x: mg.SGD([a], x).lr, math.inf),
    "lr, assigned": (lambda mg, a, x: assign(mg.Adam([a]), "lr", x), math.inf),
    "momentum": (lambda mg, a, x: mg.SGD([a], 0.1, x).momentum, 1.0),
    "beta1": (lambda mg, a, x: mg.Adam([a], betas=(x, 0.9)).betas[0], 1.0),
    "beta2": (lambda mg, a, x: mg.Adam([a], betas=[0.9, x]).betas[1], 1.0),
    "eps": (lambda mg, a, x: mg.Adam([a], eps=x).eps, math.inf),
    "eps, of RMSNorm": (lambda mg, a, x: mg.RMSNorm(1, x).eps, math.inf),
    "eps, of LayerNorm": (lambda mg, a, x: mg.LayerNorm(1, x).eps, math.inf),
    "p": (lambda mg, a, x: mg.Dropout(x).p, 1.0),
    "alpha": (lambda mg, a, x: mg.RMSprop([a], alpha=x).alpha, 1.0),
    "momentum, of RMSprop": (lambda mg, a, x: mg.RMSprop([a], momentum=x).momentum, 1.0),
    "eps, of RMSprop": (lambda mg, a, x: mg.RMSprop([a], eps=x).eps, math.inf),
    "weight_decay, of SGD": (
        lambda mg, a, x: mg.SGD([a], 0.1, weight_decay=x).weight_decay,
        math.inf,
    ),
    "weight_decay, of Adam": (lambda mg, a, x: mg.Adam([a], weight_decay=x).weight_decay, math.inf),
    "weight_decay, of AdamW": (
        lambda mg, a, x: mg.AdamW([a], weight_decay=x).weight_decay,
        math.inf,
    ),
    "weight_decay, of RMSprop": (
        lambda mg, a, x: mg.RMSprop([a], weight_decay=x).weight_decay,
        math.inf,
    ),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_rate_is_a_number_in_its_range(mg, name):
    keep, below = RANGES[name]
    a = mg.Value(1.0)
    what = name.partition(",")[0]
    for x in NUMBERS:
        if 0 <= float(x) < below:
            expected = float(x)
        else:
            expected = ValueError, f"{what} must be at least 0 and below {below}, got {float(x)}"
        assert outcome(lambda x=x: keep(mg, a, x)) == expected, repr(x)
    for x, kind in [*others_for(mg), (a, f"{mg.__name__}.engine.Value")]:
        expected = TypeError, no_number(f"{what} must be a real number, not '{{}}'", kind)
        assert outcome(lambda x=x: keep(mg, a, x)) == expected, kind
    assert outcome(lambda: keep(mg, a, 10**400)) == HUGE


# Counts.

COUNTS = {
    "inputs of a Neuron": lambda mg, n: len(mg.Neuron(n).w),
    "inputs of a Layer": lambda mg, n: len(mg.Layer(n, 1).neurons[0].w),
    "neurons of a Layer": lambda mg, n: len(mg.Layer(1, n).neurons),
    "inputs of an MLP": lambda mg, n: len(mg.MLP(n, [1]).layers[0].neurons[0].w),
    "inputs of an RMSNorm": lambda mg, n: mg.RMSNorm(n).nin,
    "inputs of a LayerNorm": lambda mg, n: len(mg.LayerNorm(n).bias),
    "embeddings of an Embedding": lambda mg, n: len(mg.Embedding(n, 1).weight),
    "dimensions of an Embedding": lambda mg, n: len(mg.Embedding(1, n)(0)),
    "neurons of an MLP": lambda mg, n: len(mg.MLP(1, [n, 1]).layers[0].neurons),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_a_whole_number_of_at_least_one(mg, name):
    def make(n):
        return outcome(lambda: COUNTS[name](mg, n))

    what = name.partition(" ")[0]
    for n in (1, 3, True, Integer(2), np.int8(2), np.uint64(3), Thing(), np.array(2)):
        assert make(n) == n.__index__()
    for n in (0, -1, False, -(10**400), np.int64(0)):
        what = "inputs" if name.startswith("neurons of an MLP") else what
        assert make(n)[0] is ValueError
        assert f"must be at least 1, got {n}" in make(n)[1]
    for n in (2.0, math.nan, "2", None, 1j, [2], np.float64(2), fractions.Fraction(2), np.ones(2)):
        kind, message = make(n)
        assert kind is TypeError
        assert "integer" in message or "index" in message


def test_a_count_of_inputs_is_a_number(mg):
    with pytest.raises(ValueError, match="MLP expects 1 inputs, got 0"):
        mg.MLP(True, [1])([])


# Rows and weights of a Tape.


@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_a_tape_takes_rows_and_weights_of_every_real_dtype(mg, dtype):
    x, w = mg.Value(0.0), mg.Value(0.75)
    tape = mg.Tape(x * w, [x])
    rows = np.array([[1], [0], [1]], dtype)
    assert tape.forward(rows).tolist() == [0.75, 0.0, 0.75]
    tape.backward(np.array([1, 1, 0], dtype))
    assert w.grad == 1.0
    assert tape.input_grad.tolist() == [[0.75], [0.75], [0.0]]


@pytest.mark.parametrize("dtype", OTHER_DTYPES)
def test_a_tape_names_a_dtype_that_holds_no_real_numbers(mg, dtype):
    x, w = mg.Value(0.0), mg.Value(0.75)
    tape = mg.Tape(x * w, [x])
    tape.forward([[1.0]])
    before = state(x, w)
    for what, fn in (
        ("rows", lambda: tape.forward(np.zeros((1, 1), dtype))),
        ("rows", lambda: tape.forward(np.zeros((), dtype))),
        ("seed", lambda: tape.backward(np.zeros(1, dtype))),
    ):
        name = OTHER_DTYPES[dtype]
        expected = TypeError, f"{what} must be an array of real numbers, got dtype {name}"
        assert outcome(fn) == expected
    assert state(x, w) == before
    tape.backward()
    assert w.grad == 1.0


@pytest.mark.parametrize("x", NUMBERS, ids=repr)
def test_a_tape_takes_every_number_in_a_row(mg, x):
    v = mg.Value(0.0)
    tape = mg.Tape(-v, [v])
    if isinstance(x, int) and x == 10**30:  # NumPy makes no array of real numbers of it
        assert outcome(lambda: tape.forward([x]))[0] is TypeError
    else:
        assert bits(tape.forward([x])) == bits(-float(np.float64(x)))


# NumPy.


def test_array_data_and_grad_name_what_they_cannot_take(mg):
    for dtype in REAL_DTYPES:
        assert mg.data(mg.array(np.ones((2, 2), dtype))).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    for dtype, name in OTHER_DTYPES.items():
        expected = TypeError, f"array expects real numbers, got dtype {name}"
        assert outcome(lambda dtype=dtype: mg.array(np.zeros(2, dtype))) == expected
    for x in NUMBERS:
        assert bits(mg.data(x).item()) == bits(float(x))
    for x, kind in OTHERS:
        if not isinstance(x, (list, tuple, Thing, Liar, Unhashed)):  # NumPy takes them its own way
            for read in (mg.data, mg.grad):
                array = np.empty(2, object)
                array[:] = mg.Value(1.0), x
                expected = TypeError, f"element 1 must be a Value, not '{kind}'"
                assert outcome(lambda read=read, array=array: read(array)) == expected


# The number of arguments: CPython's own errors, which name the function.

CALLS = {
    "Value": (1, 5),
    "dot": (2, 3),
    "sum": (1, 2),
    "norm": (1, 2),
    **{name: (ARITY[name], ARITY[name]) for name in FUNCTIONS},
    "Neuron": (1, 3),
    "Layer": (2, 2),
    "MLP": (2, 4),
    "Dropout": (0, 1),
    "Embedding": (2, 2),
    "RMSNorm": (1, 3),
    "LayerNorm": (1, 3),
    "mse": (2, 2),
    "hinge": (2, 2),
    "binary_cross_entropy": (2, 2),
    "softmax": (1, 1),
    "log_softmax": (1, 1),
    "cross_entropy": (2, 2),
    "SGD": (2, 4),
    "Adam": (1, 5),
    "AdamW": (1, 5),
    "RMSprop": (1, 6),
    "clip_grad_norm": (2, 2),
    "Tape": (1, 2),
    "DataParallel": (2, 2),
    "backward": (1, 2),
    "linear_schedule": (3, 4),
    "cosine_schedule": (3, 4),
    "trace": (1, 1),
    "draw_dot": (1, 5),
    "explore": (1, 3),
    "gradcheck": (2, 4),
    "gradient": (2, 2),
    "hessian": (2, 2),
    "hvp": (3, 3),
    "jacobian": (2, 2),
    "array": (1, 1),
    "data": (1, 1),
    "grad": (1, 1),
    "detect_anomaly": (0, 0),
    "plot_boundary": (3, 4),
    "plot_history": (1, 2),
}


def test_every_callable_is_in_a_table(mg):
    callables = {name for name in [*mg.__all__, "sum"] if callable(getattr(mg, name))}
    assert callables - set(CALLS) == {"GradCheck", "Module", "Sequential", "crosscheck"}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_number_of_arguments_is_a_type_error_that_names_the_function(mg, name):
    least, most = CALLS[name]
    for n in {least - 1, most + 1} - {-1}:
        kind, message = outcome(lambda n=n: getattr(mg, name)(*[mg.Value(1.0)] * n))
        assert kind is TypeError
        assert "argument" in message
    assert outcome(lambda: getattr(mg, name)(*[2] * least, colour="red"))[0] is TypeError


def wrong_calls(name):
    least, most = CALLS[name]
    for args, kwargs in (((), {}), ((2,) * (most + 1), {}), ((2,) * least, {"colour": "red"})):
        if args or kwargs or least:
            yield args, kwargs


def messages(use):
    """What both packages say, each without its name."""
    for name in ("micrograd_ref", "micrograd_fast"):
        kind, message = outcome(lambda name=name: use(importlib.import_module(name)))
        assert kind is TypeError
        yield message.replace(name, "micrograd")


@pytest.mark.parametrize("name", CALLS)
def test_of_wrong_arguments_both_packages_say_the_same(name):
    for args, kwargs in wrong_calls(name):
        ref, fast = messages(lambda mg, a=args, k=kwargs: getattr(mg, name)(*a, **k))
        # Nothing may come between these and a caller.
        if name in OPERATIONS and not kwargs:
            assert ref != fast
            assert fast.startswith(f"{name}() takes ")
        else:
            assert ref == fast


@pytest.mark.parametrize(
    "name", ["Value", "Neuron", "Layer", "MLP", "SGD", "Adam", "AdamW", "RMSprop", "Tape"]
)
def test_of_wrong_arguments_for_a_subclass_both_packages_say_the_same(name):
    for args, kwargs in wrong_calls(name):
        ref, fast = messages(
            lambda mg, a=args, k=kwargs: type("Sub", (getattr(mg, name),), {})(*a, **k)
        )
        assert ref == fast


def test_an_error_about_arguments_has_no_other_behind_it(mg):
    for make in (mg.Value, mg.SGD, mg.mse, mg.Tape):
        with pytest.raises(TypeError, match="missing") as caught:
            make()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("name", ["backward", *METHODS])
def test_a_method_of_a_value_takes_its_operands_and_no_other_object(mg, name):
    a = mg.Value(1.0)
    before = state(a)
    for args, kwargs in (((1.0,) * METHODS.get(name, 2), {}), ((), {"colour": "red"})):
        ref, fast = messages(lambda mg, p=args, k=kwargs: getattr(mg.Value(1.0), name)(*p, **k))
        if name == "backward":
            assert fast == ref
        assert ref.startswith(f"Value.{name}() ")
        assert fast.removeprefix("Value.").startswith(f"{name}() ")
    for x in (1.0, None, object()):
        assert outcome(lambda x=x: getattr(mg.Value, name)(x))[0] in (TypeError, AttributeError)
    assert state(a) == before
