"""Arrays of the caller for what a Tape gives: forward's out, and backward's input_grad."""

import numpy as np
import pytest
from bits import bits
from errors import error_of
from tapes import bits_of, line, neuron, rows_of

ROWS = np.ones((3, 2))


def several_outputs(mg):
    x, y, w = mg.Value(0.0), mg.Value(0.0), mg.Value(2.0)
    return mg.Tape([x * y, w * x, w], [x, y])


@pytest.mark.parametrize("n", [0, 1, 2, 9, 128, 300])
@pytest.mark.parametrize("record", [lambda mg: neuron(mg)[0], several_outputs])
def test_the_results_are_those_of_new_arrays(mg, record, n):
    tape, rows = record(mg), rows_of(n, 2)
    expected = tape.forward(rows)
    seed = rows_of(*np.shape(expected)) if expected.ndim == 2 else rows_of(n, 1)[:, 0]
    tape.backward(seed)
    gradient = tape.input_grad
    out, input_grad = np.full(expected.shape, np.nan), np.full(rows.shape, np.nan)
    assert tape.forward(rows, out) is out
    assert tape.backward(seed, input_grad) is None
    assert tape.input_grad is input_grad
    assert bits_of(out) == bits_of(expected)
    assert bits_of(input_grad) == bits_of(gradient)


def test_a_single_row_has_its_arrays_too(mg):
    tape, _, _ = line(mg)
    out, input_grad = np.empty(()), np.empty(1)
    assert tape.forward([3.0], out=out) is out
    tape.backward(input_grad=input_grad)
    assert (out[()], input_grad.tolist()) == (5.0, [2.0])
    tape, out = several_outputs(mg), np.empty(3)
    assert tape.forward([3.0, 5.0], out=out) is out
    assert out.tolist() == [15.0, 6.0, 2.0]


def test_an_array_may_lie_anywhere_and_be_of_a_subclass(mg):
    class Named(np.ndarray):
        dtype = shape = strides = "another"

        def __setitem__(self, key, value):
            raise AssertionError

    tape, rows = neuron(mg)[0], rows_of(5, 2)
    expected = tape.forward(rows)
    for out in (np.empty(5).view(Named), np.zeros(41, "u1")[1:].view("f8"), np.empty((5, 1))[:, 0]):
        assert tape.forward(rows, out) is out
        assert bits_of(np.array(out.view(np.ndarray))) == bits_of(expected)


def test_an_array_may_adjoin_what_is_read(mg):
    memory = np.zeros(9)
    rows, out = memory[:6].reshape(3, 2), memory[6:]
    rows[:] = rows_of(3, 2)
    tape = neuron(mg)[0]
    expected = tape.forward(rows)
    assert bits_of(tape.forward(rows, out)) == bits_of(expected)
    tape.backward(out, memory := np.empty((3, 2)))
    assert tape.input_grad is memory


def test_results_of_no_rows_overlap_nothing(mg):
    rows = np.empty((0, 2))
    tape = neuron(mg)[0]
    tape.forward(rows, rows[:, 0].copy())
    tape.backward(None, rows)
    assert tape.input_grad is rows


def test_detecting_anomalies_uses_them_too(mg):
    tape, _, _ = line(mg)
    out, input_grad = np.empty(2), np.empty((2, 1))
    with mg.detect_anomaly():
        tape.forward([[1.0], [2.0]], out)
        tape.backward(None, input_grad)
    assert (out.tolist(), input_grad.tolist()) == ([1.0, 3.0], [[2.0], [2.0]])


def read_only(shape):
    out = np.empty(shape)
    out.flags.writeable = False
    return out


GAPS = "in C order without gaps, got strides of {} bytes: numpy.empty makes such an array"

# What must be, and an array of that shape which is something else.
UNFIT = {
    "a list": (list, TypeError, "an array of NumPy, not 'list'"),
    "None in an array": (
        lambda shape: np.empty(shape, object),
        TypeError,
        "have the dtype float64, got object",
    ),
    "single": (
        lambda shape: np.empty(shape, "f4"),
        TypeError,
        "have the dtype float64, got float32",
    ),
    "swapped bytes": (
        lambda shape: np.empty(shape, np.dtype("f8").newbyteorder()),
        TypeError,
        f"have the dtype float64, got {np.dtype('f8').newbyteorder()}",
    ),
    "more rows": (lambda shape: np.empty((4, *shape[1:])), ValueError, "have the shape {}, got {}"),
    "a number": (lambda shape: np.empty(()), ValueError, "have the shape {}, got {}"),
    "another dimension": (
        lambda shape: np.empty((*shape, 1)),
        ValueError,
        "have the shape {}, got {}",
    ),
    "gaps": (lambda shape: np.empty((6, *shape[1:]))[::2], ValueError, GAPS),
    "backwards": (lambda shape: np.empty(shape)[::-1], ValueError, GAPS),
    "read-only": (
        read_only,
        ValueError,
        "be writable, got a read-only array: a copy of it would do",
    ),
}


@pytest.mark.parametrize(("make", "kind", "rest"), UNFIT.values(), ids=list(UNFIT))
def test_an_array_that_does_not_fit_is_refused(mg, make, kind, rest):
    tape, v = neuron(mg)
    expected = tape.forward(ROWS)
    for what, shape, call in (
        ("out", (3,), lambda array: tape.forward(ROWS * 2, array)),
        ("input_grad", (3, 2), lambda array: tape.backward(None, array)),
    ):
        array = make(shape)
        if rest.startswith("have the shape"):
            message = rest.format(shape, array.shape)
        elif rest == GAPS:
            message = f"be {GAPS.format(array.strides)}"
        else:
            message = rest if rest.startswith(("have", "be")) else f"be {rest}"
        assert error_of(lambda call=call, array=array: call(array)) == (
            kind,
            f"{what} must {message}",
        )
    # Nothing has changed: backward is that of the first forward.
    assert v["w1"].grad == 0.0
    tape.backward()
    assert bits_of(tape.forward(ROWS)) == bits_of(expected)


OVERLAPPING = {
    "in the rows": lambda tape, a: tape.forward(a, a.ravel()[1:6]),
    "between the rows": lambda tape, a: tape.forward(a[::3], a[1]),
    "in rows that go backwards": lambda tape, a: tape.forward(a[4:2:-1], a[3]),
    "the rows": lambda tape, a: [tape.forward(a), tape.backward(None, a)],
    "the seed": lambda tape, a: [tape.forward(a + 1), tape.backward(a.ravel()[5:], a)],
    "the end of the seed": lambda tape, a: [
        tape.forward(np.ones((2, 2))),
        tape.backward(a[:2, 0], a.ravel()[2:6].reshape(2, 2)),
    ],
}


@pytest.mark.parametrize("call", OVERLAPPING.values(), ids=list(OVERLAPPING))
def test_an_array_that_overlaps_what_is_read_is_refused(mg, call):
    kind, message = error_of(lambda: call(neuron(mg)[0], np.ones((5, 2))))
    assert kind is ValueError
    what, _, read = message.partition(" must not overlap ")
    assert read.endswith(" in memory: a copy of it would do")
    assert (what, read.split()[0]) in {
        ("out", "rows"),
        ("input_grad", "rows"),
        ("input_grad", "seed"),
    }


def test_input_grad_is_asked_for_after_forward_and_seed(mg):
    tape, _ = neuron(mg)
    assert error_of(lambda: tape.backward(input_grad=3)) == (
        ValueError,
        "backward needs a forward before it",
    )
    tape.forward(ROWS)
    assert error_of(lambda: tape.backward(1.0, 3)) == (
        ValueError,
        "seed must have the shape (3,), got ()",
    )


def test_a_row_after_the_other_takes_no_new_arrays(mg, monkeypatch):
    tape, w, _ = line(mg)
    row, out, input_grad = np.empty(1), np.empty(()), np.empty(1)
    tape.forward(row)
    monkeypatch.setattr(np, "empty", None)
    for row[0] in (1.0, 2.0, 3.0):
        tape.forward(row, out)
        tape.backward(None, input_grad)
    assert (bits(out[()]), bits(w.grad)) == (bits(5.0), bits(6.0))
