"""detect_anomaly: the first operation that makes nan or inf of finite numbers is an error."""

import math
import pickle

import numpy as np
import pytest

FORWARD = {
    "a quotient": (
        lambda mg: mg.Value(1.0, label="a") / mg.Value(0.0),
        "'/' made inf of 1.0 ('a'), 0.0",
    ),
    "a number operand": (lambda mg: 1 / mg.Value(0.0, label="b"), "'/' made inf of 1.0, 0.0 ('b')"),
    "a root": (lambda mg: mg.Value(-4.0) ** 0.5, "'**0.5' made nan of -4.0"),
    "an overflow": (lambda mg: mg.Value(1e308) * 10, "'*' made inf of 1e+308, 10.0"),
    "a logarithm": (lambda mg: mg.Value(0.0).log(), "'log' made -inf of 0.0"),
    "a sum": (lambda mg: mg.sum([1e308, 1e308]), "'sum' made inf of 0.0, 1e+308, 1e+308"),
    "a long dot": (
        lambda mg: mg.dot([1e308] * 9, [10.0] * 9),
        "'dot' made inf of 0.0, 1e+308, 10.0, 1e+308, 10.0, 1e+308, 10.0, 1e+308, ...",
    ),
    "a custom operation": (
        lambda mg: mg.Value(math.nan, (mg.Value(2.0),), "c"),
        "'c' made nan of 2.0",
    ),
}


@pytest.mark.parametrize("name", FORWARD)
def test_a_forward_operation_that_spoils_finite_operands_is_named(mg, name):
    program, message = FORWARD[name]
    with mg.detect_anomaly(), pytest.raises(FloatingPointError) as error:
        program(mg)
    assert str(error.value) == message


@pytest.mark.parametrize("name", FORWARD)
def test_outside_the_block_nothing_raises(mg, name):
    program, _ = FORWARD[name]
    with mg.detect_anomaly():
        pass
    assert not math.isfinite(program(mg).data)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_what_was_not_finite_before_is_let_through(mg, bad):
    with mg.detect_anomaly():
        a = mg.Value(bad)
        ((a * 2).exp() + 1).backward()


def test_a_backward_operation_that_spoils_a_gradient_is_named(mg):
    z = mg.Value(0.0, label="z")
    out = z.sqrt() * 3
    with mg.detect_anomaly(), pytest.raises(FloatingPointError) as error:
        out.backward()
    assert str(error.value) == "backward of 'sqrt' made a gradient inf of 3.0 for 0.0 ('z')"


def test_a_custom_step_that_spoils_a_gradient_is_named(mg):
    a = mg.Value(1.0)
    out = mg.Value(2.0, (a,), "twice")

    def backward():
        a.grad += math.inf

    out._backward = backward
    with mg.detect_anomaly(), pytest.raises(FloatingPointError, match="backward of 'twice'"):
        out.backward()


def test_blocks_nest(mg):
    with mg.detect_anomaly():
        with mg.detect_anomaly():
            pass
        with pytest.raises(FloatingPointError):
            mg.Value(0.0).log()


def test_the_block_ends_with_an_exception(mg):
    with pytest.raises(KeyError), mg.detect_anomaly():
        raise KeyError
    assert mg.Value(0.0).log().data == -math.inf


def test_a_failed_custom_operation_can_be_made_again(mg):
    class Named(mg.Value):
        pass

    a, out = mg.Value(2.0), Named.__new__(Named)
    with mg.detect_anomaly(), pytest.raises(FloatingPointError):
        out.__init__(math.inf, (a,), "first", label="x")
    assert (out.data, out._children, out._op, out.label) == (0.0, (), "", "")
    out.__init__(3.0, (a,), "second")
    assert (out.data, out._children, out._op) == (3.0, (a,), "second")


def test_a_tape_names_the_row(mg):
    w, x = mg.Value(2.0, label="w"), mg.Value(0.0, label="x")
    tape = mg.Tape((w * x).exp(), [x])
    with mg.detect_anomaly():
        with pytest.raises(FloatingPointError) as error:
            tape.forward(np.array([[1.0], [math.inf], [400.0]]))
        assert str(error.value) == "row 2: 'exp' made inf of 800.0"
        with pytest.raises(ValueError, match="needs a forward"):
            tape.backward()
        assert tape.forward(np.array([[0.0]])) == [1.0]


@pytest.mark.parametrize("seed", [None, [0.5, 0.5]])
def test_a_tape_names_the_row_of_a_gradient(mg, seed):
    w, x = mg.Value(1.0, label="w"), mg.Value(0.0, label="x")
    tape = mg.Tape((w * x).sqrt(), [x])
    tape.forward([[1.0], [0.0]])
    with mg.detect_anomaly(), pytest.raises(FloatingPointError, match="row 1: backward of 'sqrt'"):
        tape.backward(seed)
    assert w.grad == 0.0


def test_a_tape_gives_the_operands_of_a_dot_in_the_order_of_the_program(mg):
    w, x = mg.Value(1e300, label="w"), mg.Value(0.0, label="x")
    tape = mg.Tape(mg.dot([w], [x]), [x])
    with mg.detect_anomaly(), pytest.raises(FloatingPointError) as error:
        tape.forward([[1e200]])
    assert str(error.value) == "row 0: 'dot' made inf of 0.0, 1e+300 ('w'), 1e+200 ('x')"


def test_gradients_are_the_same_inside_the_block(mg):
    a, b = mg.Value(2.0), mg.Value(-3.0)
    out = (a * b).tanh() + mg.dot([a, b], [b, a]) / (a - b)
    out.backward()
    outside = a.grad, b.grad
    a.grad = b.grad = 0.0
    with mg.detect_anomaly():
        out.backward()
    assert (a.grad, b.grad) == outside


def test_a_pickled_tape_still_names_its_inputs(mg):
    x = mg.Value(0.0, label="x")
    tape = pickle.loads(pickle.dumps(mg.Tape(x.log(), [x])))
    with mg.detect_anomaly(), pytest.raises(FloatingPointError, match=r"of 0\.0 \('x'\)"):
        tape.forward([[0.0]])
