"""Every error of Tape: its type and its message, the same in both packages."""

import decimal
import importlib

import numpy as np
import pytest
from errors import error_of
from tapes import line, neuron


class Dates:
    def __array__(self, dtype=None, copy=None):
        return np.array("2020-01-01", "M8[D]")


def leaf(mg):
    return mg.Value(1.0)


def forwarded(mg):
    tape, _ = neuron(mg)
    tape.forward(np.ones((3, 2)))
    return tape


def backward_of_other_rows(mg, shape, later):
    tape, _ = neuron(mg)
    rows = np.zeros(shape)
    tape.forward(rows)
    rows.resize(later, refcheck=False)
    tape.backward()


def custom(mg, *children):
    return mg.Value(1.0, children, "mine")


def repeated(mg):
    a = leaf(mg)
    return mg.Tape(a * 2, [a, a])


def inner_input(mg):
    a = leaf(mg)
    b = a.exp()
    return mg.Tape(b * a, [a, b])


def first_wrong_input(mg):
    a = leaf(mg)
    return mg.Tape(a * 2, [a, leaf(mg), a * 2, leaf(mg)])


ROWS = "rows must have the shape (n, 2) or (2,), got {}".format
SEED = "seed must have the shape {}, got {}".format
DTYPE = "{} must be an array of real numbers, got dtype {}".format

CASES = [
    # recording
    (
        "an output that is a number",
        lambda mg: mg.Tape([leaf(mg), 1.0]),
        TypeError,
        "an output of a Tape must be a Value, not 'float'",
    ),
    (
        "an output that is no iterable",
        lambda mg: mg.Tape(3),
        TypeError,
        "'int' object is not iterable",
    ),
    (
        "outputs in two dimensions",
        lambda mg: mg.Tape(np.array([[leaf(mg)]])),
        TypeError,
        "an output of a Tape must be a Value, not 'numpy.ndarray'",
    ),
    (
        "an input that is a number",
        lambda mg: mg.Tape(leaf(mg), [decimal.Decimal(1)]),
        TypeError,
        "an input of a Tape must be a Value, not 'decimal.Decimal'",
    ),
    (
        "an input that is a str",
        lambda mg: mg.Tape([], "x"),
        TypeError,
        "an input of a Tape must be a Value, not 'str'",
    ),
    (
        "no output",
        lambda mg: mg.Tape(()),
        ValueError,
        "a Tape needs at least one output, got none",
    ),
    ("an input twice", repeated, ValueError, "a Tape expects each input once, got one twice"),
    (
        "an input that is no leaf",
        inner_input,
        ValueError,
        "input 1 must be a leaf, got the result of 'exp'",
    ),
    (
        "an input from elsewhere",
        lambda mg: mg.Tape(leaf(mg) * 2 + 1, [leaf(mg)]),
        ValueError,
        "input 0 is not in the graph of 5 nodes under the output",
    ),
    (
        "several wrong inputs",
        first_wrong_input,
        ValueError,
        "input 1 is not in the graph of 3 nodes under the output",
    ),
    (
        "a custom input",
        lambda mg: [c := custom(mg, leaf(mg)), mg.Tape(c, [c])],
        ValueError,
        "input 0 must be a leaf, got the result of 'mine'",
    ),
    (
        "a custom operation",
        lambda mg: mg.Tape(custom(mg, leaf(mg)).exp()),
        ValueError,
        "a Tape cannot replay the custom operation 'mine'",
    ),
    (
        "a custom operation without operands",
        lambda mg: [c := custom(mg), mg.Tape(c * 2, [c])],
        ValueError,
        "a Tape cannot replay the custom operation 'mine'",
    ),
    # forward
    ("a number for rows", lambda mg: neuron(mg)[0].forward(1.0), ValueError, ROWS("()")),
    ("no row", lambda mg: neuron(mg)[0].forward(), ValueError, ROWS("(0,)")),
    ("a short row", lambda mg: neuron(mg)[0].forward([1]), ValueError, ROWS("(1,)")),
    ("long rows", lambda mg: neuron(mg)[0].forward([[1, 2, 3]]), ValueError, ROWS("(1, 3)")),
    (
        "rows in three dimensions",
        lambda mg: neuron(mg)[0].forward([[[1, 2]]]),
        ValueError,
        ROWS("(1, 1, 2)"),
    ),
    (
        "rows for a Tape without inputs",
        lambda mg: mg.Tape(leaf(mg)).forward([[1.0]]),
        ValueError,
        "rows must have the shape (n, 0) or (0,), got (1, 1)",
    ),
    ("a str for rows", lambda mg: neuron(mg)[0].forward("12"), TypeError, DTYPE("rows", "<U2")),
    (
        "complex rows",
        lambda mg: neuron(mg)[0].forward([1, 1j]),
        TypeError,
        DTYPE("rows", "complex128"),
    ),
    (
        "Values as rows",
        lambda mg: neuron(mg)[0].forward([leaf(mg)] * 2),
        TypeError,
        DTYPE("rows", "object"),
    ),
    ("None for rows", lambda mg: neuron(mg)[0].forward(None), TypeError, DTYPE("rows", "object")),
    (
        "dates as rows",
        lambda mg: neuron(mg)[0].forward(Dates()),
        TypeError,
        DTYPE("rows", "datetime64[D]"),
    ),
    ("huge ints", lambda mg: neuron(mg)[0].forward([2**70, 1]), TypeError, DTYPE("rows", "object")),
    # backward
    (
        "backward without forward",
        lambda mg: neuron(mg)[0].backward(),
        ValueError,
        "backward needs a forward before it",
    ),
    (
        "backward without forward, with a seed",
        lambda mg: neuron(mg)[0].backward("seed"),
        ValueError,
        "backward needs a forward before it",
    ),
    ("one weight for rows", lambda mg: forwarded(mg).backward(1.0), ValueError, SEED("(3,)", "()")),
    ("a short seed", lambda mg: forwarded(mg).backward([1, 2]), ValueError, SEED("(3,)", "(2,)")),
    (
        "a wide seed",
        lambda mg: forwarded(mg).backward([[1]] * 3),
        ValueError,
        SEED("(3,)", "(3, 1)"),
    ),
    (
        "a seed for one row",
        lambda mg: [t := neuron(mg)[0], t.forward([1, 2]), t.backward([1])],
        ValueError,
        SEED("()", "(1,)"),
    ),
    (
        "a seed for one column",
        lambda mg: [t := mg.Tape([leaf(mg)] * 2), t.forward(np.ones((3, 0))), t.backward([1] * 3)],
        ValueError,
        SEED("(3, 2)", "(3,)"),
    ),
    (
        "a seed for one output",
        lambda mg: [t := mg.Tape([leaf(mg)] * 2), t.forward(), t.backward(1)],
        ValueError,
        SEED("(2,)", "()"),
    ),
    (
        "more rows than in forward",
        lambda mg: backward_of_other_rows(mg, (3, 2), (500, 2)),
        ValueError,
        "rows had the shape (3, 2) in forward, now (500, 2)",
    ),
    (
        "narrower rows than in forward",
        lambda mg: backward_of_other_rows(mg, (3, 2), (6, 1)),
        ValueError,
        "rows had the shape (3, 2) in forward, now (6, 1)",
    ),
    (
        "rows in place of a row",
        lambda mg: backward_of_other_rows(mg, (2,), (1, 2)),
        ValueError,
        "rows had the shape (2,) in forward, now (1, 2)",
    ),
    (
        "a row in place of rows",
        lambda mg: backward_of_other_rows(mg, (1, 2), (2,)),
        ValueError,
        "rows had the shape (1, 2) in forward, now (2,)",
    ),
    ("a str for a seed", lambda mg: forwarded(mg).backward("abc"), TypeError, DTYPE("seed", "<U3")),
    (
        "a complex seed",
        lambda mg: forwarded(mg).backward(1j),
        TypeError,
        DTYPE("seed", "complex128"),
    ),
    # input_grad
    (
        "input_grad without backward",
        lambda mg: forwarded(mg).input_grad,
        ValueError,
        "input_grad needs a backward after the last forward",
    ),
    (
        "input_grad after another forward",
        lambda mg: [t := forwarded(mg), t.backward(), t.forward(np.ones((3, 2))), t.input_grad],
        ValueError,
        "input_grad needs a backward after the last forward",
    ),
]


@pytest.mark.parametrize(
    ("fn", "kind", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_an_error_has_its_type_and_message(mg, fn, kind, message):
    assert error_of(lambda: fn(mg)) == (kind, message)


def test_a_value_of_the_other_package_is_named(mg):
    (other,) = {"micrograd_ref", "micrograd_fast"} - {mg.__name__}
    x = importlib.import_module(other).Value(1.0)
    message = f"{{}} of a Tape must be a Value, not '{other}.engine.Value'"
    assert error_of(lambda: mg.Tape([x])) == (TypeError, message.format("an output"))
    assert error_of(lambda: mg.Tape(leaf(mg), [x])) == (TypeError, message.format("an input"))


def test_wrong_arguments_are_a_type_error(mg):
    tape, _, _ = line(mg)
    for fn in (
        lambda: mg.Tape(),
        lambda: mg.Tape(leaf(mg), (), None),
        lambda: mg.Tape(leaf(mg), leaf(mg)),
        lambda: mg.Tape(leaf(mg), rows=[]),
        lambda: tape.forward([1.0], None, None),
        lambda: tape.backward(None, None, None),
    ):
        assert error_of(fn)[0] is TypeError
