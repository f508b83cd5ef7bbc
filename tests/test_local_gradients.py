"""Custom operations given by their local gradients: Value(data, (a, b), (da, db))."""

import copy
import math
import pickle
import re

import numpy as np
import pytest
from bits import bits, record
from programs import walk


def test_a_node_passes_each_slope_times_its_grad(mg):
    a, b = mg.Value(2.0), mg.Value(-3.0)
    out = mg.Value(7.0, (a, b), (0.5, 4))
    (out * 3).backward()
    assert (out.data, out.grad, a.grad, b.grad) == (7.0, 3.0, 1.5, 12.0)
    assert out._children == (a, b)
    assert out._op == "custom"
    assert out._local_grads == (0.5, 4.0)


def test_slopes_are_added_in_the_order_of_the_children(mg):
    a = mg.Value(1.0)
    a.grad = 1.0
    mg.Value(0.0, (a, a, a), (1e16, 1.0, -1e16)).backward()
    assert a.grad == ((1.0 + 1e16) + 1.0) - 1e16


@pytest.mark.parametrize(
    "make",
    [
        lambda mg, a: mg.Value(1.0, (a,), [2.0]),
        lambda mg, a: mg.Value(1.0, [a], (2,)),
        lambda mg, a: mg.Value(1.0, (a,), local_grads=(np.float32(2),)),
        lambda mg, a: mg.Value(1.0, _children=(a,), local_grads=[np.int8(2)]),
        lambda mg, a: type("Sub", (mg.Value,), {})(1.0, (a,), (2.0,)),
    ],
    ids=["a list", "a list of children", "float32", "keywords", "a subclass"],
)
def test_local_gradients_are_numbers_in_a_tuple_or_list(mg, make):
    a = mg.Value(1.0)
    out = make(mg, a)
    out.backward()
    assert (a.grad, out._local_grads) == (2.0, (2.0,))
    assert [type(slope) for slope in out._local_grads] == [float]


def test_an_operation_may_have_a_name_beside_its_local_gradients(mg):
    a = mg.Value(1.0)
    out = mg.Value(1.0, (a,), "clamped log", "a label", (0.5,))
    assert (out._op, out.label) == ("clamped log", "a label")
    assert mg.Value(1.0, (a,), "", local_grads=(0.5,))._op == "custom"
    assert "clamped log" in mg.draw_dot(out).source
    assert "custom" in mg.draw_dot(mg.Value(1.0, (a,), (1.0,))).source


def test_no_children_and_no_local_gradients_are_a_leaf(mg):
    for leaf in (mg.Value(1.0, (), ()), mg.Value(1.0, [], []), mg.Value(1.0, local_grads=())):
        assert (leaf._op, leaf._children, leaf._local_grads) == ("", (), ())


WRONG = {
    "too few": (lambda mg, a: mg.Value(1.0, (a, a), (1.0,)), ValueError,
        "a Value expects a local gradient for each child, got 1 local gradients and 2 children"),
    "too many": (lambda mg, a: mg.Value(1.0, (), (1.0,)), ValueError,
        "a Value expects a local gradient for each child, got 1 local gradients and 0 children"),
    "none": (lambda mg, a: mg.Value(1.0, (a,), ()), ValueError,
        "a Value expects a local gradient for each child, got 0 local gradients and 1 children"),
    "no number": (lambda mg, a: mg.Value(1.0, (a,), ("x",)), TypeError,
        "a local gradient of a Value must be a real number, not 'str'"),
    "a Value": (lambda mg, a: mg.Value(1.0, (a,), (a,)), TypeError,
        "a local gradient of a Value must be a real number, not '{}.engine.Value'"),
    "an int that is too large": (lambda mg, a: mg.Value(1.0, (a, a), (1, 10**400)), OverflowError,
        "int too large to convert to float"),
    "no tuple": (lambda mg, a: mg.Value(1.0, (a,), local_grads=2.0), TypeError,
        "the local gradients of a Value must be a tuple or list of numbers, not 'float'"),
    "an array": (lambda mg, a: mg.Value(1.0, (a,), np.ones(1)), TypeError,
        "the _op of a Value must be a str, not 'numpy.ndarray'"),
    "twice": (lambda mg, a: mg.Value(1.0, (a,), (1.0,), local_grads=(1.0,)), TypeError,
        "the _op of a Value must be a str, not 'tuple'"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_local_gradient_is_an_error_that_names_it(mg, name):
    make, kind, message = WRONG[name]
    with pytest.raises(kind, match=f"^{re.escape(message.format(mg.__name__))}$"):
        make(mg, mg.Value(1.0))


def test_the_step_cannot_be_replaced(mg):
    a = mg.Value(1.0)
    out = mg.Value(1.0, (a,), (2.0,))
    with pytest.raises(AttributeError, match="_backward can be set only on a custom operation"):
        out._backward = lambda: None
    out.grad = 3.0
    out._backward()
    assert a.grad == 6.0


def test_every_node_tells_its_local_gradients(mg):
    a, b = mg.Value(2.0), mg.Value(-3.0)
    expected = [
        (a + b, (1.0, 1.0)),
        (a - b, (1.0, -1.0)),
        (a * b, (-3.0, 2.0)),
        (a * a, (2.0, 2.0)),
        (a / b, (1 / -3.0, -(2.0 / -3.0) / -3.0)),
        (a**3, (12.0,)),
        (a**b, (-3.0 * 2.0**-4, 2.0**-3 * math.log(2.0))),
        (-a, (-1.0,)),
        (abs(b), (-1.0,)),
        (a.exp(), (math.exp(2.0),)),
        (a.log(), (0.5,)),
        (a.relu(), (1.0,)),
        (b.relu(), (0.0,)),
        (mg.dot([a, b], [b, a], 1.0), (1.0, -3.0, 2.0, 2.0, -3.0)),
        (mg.sum([a, b]), (1.0, 1.0, 1.0)),
        (a, ()),
    ]
    for node, slopes in expected:
        before = record([node])
        assert node._local_grads == pytest.approx(slopes), node._op
        assert record([node]) == before


def test_local_gradients_follow_the_data_as_a_step_does(mg):
    a = mg.Value(2.0)
    out = a * a
    a.data = 5.0
    assert out._local_grads == (5.0, 5.0)


def test_a_loop_over_children_and_local_gradients_is_backward(mg):
    def graph():
        a, b = mg.Value(0.3, label="a"), mg.Value(-0.7, label="b")
        c = (a * b + a).tanh() / (b.sigmoid() + 2)
        return mg.Value(c.data**2, (c, a), (2 * c.data, 0.25)) * c.exp() - b**3

    by_hand, by_method = graph(), graph()
    walk(by_hand)
    by_method.backward()
    for x, y in zip(record([by_hand]), record([by_method]), strict=True):
        assert x[:4] == y[:4]
        assert float.fromhex(x[4]) == pytest.approx(float.fromhex(y[4]), rel=1e-12)


def test_a_custom_operation_with_a_step_has_none(mg):
    out = mg.Value(1.0, (mg.Value(1.0),), "mine")
    out._backward = lambda: None
    with pytest.raises(AttributeError, match="the custom operation 'mine' has no _local_grads"):
        out._local_grads  # noqa: B018
    with pytest.raises(AttributeError, match="the custom operation 'mine' has no _local_grads"):
        out._passed(2.0)
    assert not hasattr(out, "_local_grads")


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_local_gradients_travel_with_a_copy(mg, way):
    a = mg.Value(2.0)
    out = mg.Value(1.0, (a * 2, a), "mine", "label", (-0.0, math.inf))
    other = way(out + 1)
    assert record([other]) == record([out + 1])
    node = other._children[0]
    assert [bits(slope) for slope in node._local_grads] == ["0x0.0p+0", "inf"]
    assert node._op == "mine"
    node.grad = -1.0
    node._backward()
    assert [bits(x.grad) for x in node._children] == ["0x0.0p+0", "-inf"]


def test_a_tape_refuses_local_gradients_for_they_are_those_of_one_row(mg):
    a = mg.Value(2.0)
    out = mg.Value(4.0, (a,), "square", local_grads=(4.0,)) + 1
    message = (
        "a Tape cannot replay the custom operation 'square': "
        "its local gradients are those of one row"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        mg.Tape(out, [a])


def test_an_anomaly_in_a_local_gradient_is_found(mg):
    a = mg.Value(2.0)
    out = mg.Value(1.0, (a,), "steep", local_grads=(math.inf,))
    with mg.detect_anomaly(), pytest.raises(FloatingPointError, match="backward of 'steep'"):
        out.backward()
    with mg.detect_anomaly():
        assert (a.log() * 2)._local_grads == (2.0, math.log(2.0))


def test_a_subclass_may_write_its_operations_so(mg):
    class Number(mg.Value):
        def __mul__(self, other):
            return Number(self.data * other.data, (self, other), (other.data, self.data))

    a, b = Number(3.0), Number(4.0)
    out = a * b * a
    out.backward()
    assert (type(out), a.grad, b.grad) == (Number, 24.0, 9.0)
