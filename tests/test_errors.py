"""Every error of the contract: its type and its message, the same in both packages.

test_errors_arguments.py has those of things of a wrong type.
"""

import importlib
import random

import numpy as np
import pytest
from errors import error_of

OPERAND = "unsupported operand for a Value: '{}' (expected a Value or a real number)".format
DATA = "the data of a Value must be a real number, not '{}'".format


# What is done, the type, the message.

FLOATING = "a Value does not turn into a float by itself: use .data"
ACTIVATION = "activation must be one of relu, tanh, sigmoid, linear, or a function of a Value"
ONLY_CUSTOM = (
    "_backward can be set only on a custom operation: make one with its operands, "
    "out = Value(data, (a, b), 'name'), and set out._backward"
)


def fixed(name):
    return f"{name} of a Value cannot be changed: make a new Value"


def custom(mg):
    return mg.Value(1.0, (mg.Value(1.0),), "op")


CASES = [
    (
        "a child is no Value",
        lambda mg: mg.Value(1.0, (mg.Value(2.0), 3.0)),
        TypeError,
        "a child of a Value must be a Value, not 'float'",
    ),
    (
        "the children are a string",
        lambda mg: mg.Value(1.0, "+"),
        TypeError,
        "a child of a Value must be a Value, not 'str'",
    ),
    (
        "the children are no iterable",
        lambda mg: mg.Value(1.0, 3),
        TypeError,
        "'int' object is not iterable",
    ),
    (
        "_op is no string",
        lambda mg: mg.Value(1.0, (), 3),
        TypeError,
        "the _op of a Value must be a str, not 'int'",
    ),
    (
        "_op is an array",
        lambda mg: mg.Value(1.0, (), np.zeros(2)),
        TypeError,
        "the _op of a Value must be a str, not 'numpy.ndarray'",
    ),
    (
        "label is no string",
        lambda mg: mg.Value(1.0, label=None),
        TypeError,
        "the label of a Value must be a str, not 'NoneType'",
    ),
    (
        "label is set to bytes",
        lambda mg: setattr(mg.Value(1.0), "label", b"x"),
        TypeError,
        "the label of a Value must be a str, not 'bytes'",
    ),
    (
        "data is checked before children, _op and label",
        lambda mg: mg.Value("x", (1,), 2, 3),
        TypeError,
        DATA("str"),
    ),
    (
        "children are checked before _op and label",
        lambda mg: mg.Value(1.0, (1,), 2, 3),
        TypeError,
        "a child of a Value must be a Value, not 'int'",
    ),
    (
        "_op is checked before label",
        lambda mg: mg.Value(1.0, (), 2, 3),
        TypeError,
        "the _op of a Value must be a str, not 'int'",
    ),
    (
        "a Value is initialised again",
        lambda mg: mg.Value(1.0).__init__(2.0),
        TypeError,
        "a Value is initialised once: make a new one",
    ),
    ("_op is set", lambda mg: setattr(mg.Value(1.0), "_op", "+"), AttributeError, fixed("_op")),
    (
        "_children is set",
        lambda mg: setattr(mg.Value(1.0), "_children", ()),
        AttributeError,
        fixed("_children"),
    ),
    (
        "_prev is set",
        lambda mg: setattr(mg.Value(1.0), "_prev", set()),
        AttributeError,
        fixed("_prev"),
    ),
    (
        "_backward is set on a leaf",
        lambda mg: setattr(mg.Value(1.0), "_backward", print),
        AttributeError,
        ONLY_CUSTOM,
    ),
    (
        "_backward is set on a built-in node",
        lambda mg: setattr(mg.Value(1.0) + 1, "_backward", print),
        AttributeError,
        ONLY_CUSTOM,
    ),
    (
        "_backward is set to no callable",
        lambda mg: setattr(custom(mg), "_backward", 3),
        TypeError,
        "_backward must be callable, not 'int'",
    ),
    (
        "_backward is set to None",
        lambda mg: setattr(custom(mg), "_backward", None),
        TypeError,
        "_backward must be callable, not 'NoneType'",
    ),
    *(
        (
            f"{name} is deleted",
            lambda mg, name=name: delattr(custom(mg), name),
            AttributeError,
            f"{name} of a Value cannot be deleted",
        )
        for name in ("data", "grad", "label", "_op", "_children", "_prev", "_backward")
    ),
    ("float(a)", lambda mg: float(mg.Value(1.0)), TypeError, FLOATING),
    (
        "a Value is put into an array of floats",
        lambda mg: np.array([mg.Value(1.0)], dtype=float),
        TypeError,
        FLOATING,
    ),
    (
        "dot of two lengths",
        lambda mg: mg.dot([1, 2, 3], [1, 2]),
        ValueError,
        "dot expects two sequences of one length, got 3 and 2",
    ),
    (
        "dot of one empty sequence",
        lambda mg: mg.dot([], [1]),
        ValueError,
        "dot expects two sequences of one length, got 0 and 1",
    ),
    (
        "dot checks its elements before their number",
        lambda mg: mg.dot([1, "x"], [1]),
        TypeError,
        OPERAND("str"),
    ),
    ("dot of a number", lambda mg: mg.dot(3, [1]), TypeError, "'int' object is not iterable"),
    # nn
    (
        "an unknown activation",
        lambda mg: mg.Neuron(2, activation="swish"),
        ValueError,
        f"{ACTIVATION}, got 'swish'",
    ),
    (
        "an unknown activation of a layer",
        lambda mg: mg.Layer(2, 2, activation="ReLU"),
        ValueError,
        f"{ACTIVATION}, got 'ReLU'",
    ),
    (
        "an unknown output",
        lambda mg: mg.MLP(2, [1], output="softmax"),
        ValueError,
        f"{ACTIVATION}, got 'softmax'",
    ),
    (
        "activations for too few layers",
        lambda mg: mg.MLP(2, [3, 3, 1], activation=["tanh"]),
        ValueError,
        "MLP expects an activation for each of 2 layers before the last, got 1: output is that of "
        "the last",
    ),
    (
        "an unknown activation among others",
        lambda mg: mg.MLP(2, [3, 3, 1], activation=("tanh", None)),
        ValueError,
        f"{ACTIVATION}, got None",
    ),
    *(
        (
            f"{name} of {n} inputs",
            lambda mg, make=make, n=n: make(mg, n),
            ValueError,
            f"the number of inputs must be at least 1, got {n}",
        )
        for n in (0, -2)
        for name, make in (
            ("a Neuron", lambda mg, n: mg.Neuron(n)),
            ("a Layer", lambda mg, n: mg.Layer(n, 2)),
            ("an MLP", lambda mg, n: mg.MLP(n, [2])),
        )
    ),
    (
        "a Layer of no neurons",
        lambda mg: mg.Layer(2, 0),
        ValueError,
        "the number of neurons must be at least 1, got 0",
    ),
    (
        "an MLP with an empty layer",
        lambda mg: mg.MLP(2, [3, 0, 1]),
        ValueError,
        "the number of neurons must be at least 1, got 0",
    ),
    (
        "an MLP of no layers",
        lambda mg: mg.MLP(2, []),
        ValueError,
        "the number of layers must be at least 1, got 0",
    ),
    (
        "a Neuron of 2.5 inputs",
        lambda mg: mg.Neuron(2.5),
        TypeError,
        "'float' object cannot be interpreted as an integer",
    ),
    *(
        (
            f"{name} of 2 inputs gets {n}",
            lambda mg, make=make, n=n: make(mg)([1.0] * n),
            ValueError,
            f"{name} expects 2 inputs, got {n}",
        )
        for n in (0, 1, 3)
        for name, make in (
            ("Neuron", lambda mg: mg.Neuron(2)),
            ("Layer", lambda mg: mg.Layer(2, 3)),
            ("MLP", lambda mg: mg.MLP(2, [3, 1])),
        )
    ),
    (
        "a Neuron gets a number",
        lambda mg: mg.Neuron(1)(1.0),
        TypeError,
        "the input of Neuron must be a sequence of Values or numbers, not 'float': "
        "write [x] for a single x",
    ),
    # optim
    (
        "SGD without a rate",
        lambda mg: mg.SGD([mg.Value(1.0)], None),
        TypeError,
        "lr must be a real number, not 'NoneType'",
    ),
    (
        "SGD with a momentum of 1",
        lambda mg: mg.SGD([mg.Value(1.0)], 0.1, momentum=1),
        ValueError,
        "momentum must be at least 0 and below 1.0, got 1.0",
    ),
    (
        "SGD with a momentum that is no number",
        lambda mg: mg.SGD([mg.Value(1.0)], 0.1, momentum="much"),
        TypeError,
        "momentum must be a real number, not 'str'",
    ),
    (
        "Adam with a beta1 of 1",
        lambda mg: mg.Adam([mg.Value(1.0)], betas=(1.0, 0.9)),
        ValueError,
        "beta1 must be at least 0 and below 1.0, got 1.0",
    ),
    (
        "Adam with a negative beta2",
        lambda mg: mg.Adam([mg.Value(1.0)], betas=(0.9, -0.5)),
        ValueError,
        "beta2 must be at least 0 and below 1.0, got -0.5",
    ),
    (
        "Adam with a negative eps",
        lambda mg: mg.Adam([mg.Value(1.0)], eps=-1e-8),
        ValueError,
        "eps must be at least 0 and below inf, got -1e-08",
    ),
    # graph
    (
        "the graph of a number",
        lambda mg: mg.trace(1.0),
        TypeError,
        "a graph starts at a Value, not at 'float'",
    ),
    (
        "the drawing of an array",
        lambda mg: mg.draw_dot(np.array([1.0])),
        TypeError,
        "a graph starts at a Value, not at 'numpy.ndarray'",
    ),
    (
        "an unknown direction",
        lambda mg: mg.draw_dot(mg.Value(1.0), rankdir="UP"),
        ValueError,
        "rankdir must be 'LR' or 'TB', got 'UP'",
    ),
    (
        "a drawing of too many nodes",
        lambda mg: mg.draw_dot(sum([1.0] * 500, mg.Value(1.0))),  # two nodes an addition
        ValueError,
        "the graph has 1001 nodes, more than max_nodes=1000: draw a part of it, or raise max_nodes",
    ),
    (
        "a drawing above a limit of 2",
        lambda mg: mg.draw_dot(mg.Value(1.0) + 2, max_nodes=2),
        ValueError,
        "the graph has 3 nodes, more than max_nodes=2: draw a part of it, or raise max_nodes",
    ),
    (
        "a page of too many nodes",
        lambda mg: mg.explore(mg.Value(1.0) + 2, max_nodes=2),
        ValueError,
        "the graph has 3 nodes, more than max_nodes=2: explore a part of it, or raise max_nodes",
    ),
    # checks
    (
        "gradcheck with a step of 0",
        lambda mg: mg.gradcheck(lambda x: x, [mg.Value(1.0)], eps=0),
        ValueError,
        "eps must be above 0 and below inf, got 0",
    ),
    (
        "gradcheck with a step that is no number",
        lambda mg: mg.gradcheck(lambda x: x, [mg.Value(1.0)], eps="small"),
        TypeError,
        "eps must be a real number, not 'str'",
    ),
    (
        "gradcheck of no inputs",
        lambda mg: mg.gradcheck(lambda: mg.Value(1.0), []),
        ValueError,
        "gradcheck expects at least one input, got none",
    ),
]


@pytest.mark.parametrize(
    ("fn", "kind", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_an_error_has_its_type_and_message(mg, fn, kind, message):
    assert error_of(lambda: fn(mg)) == (kind, message)


# What is given to an optimizer, the type, the message.
OPTIMIZERS = [
    (
        "no parameters",
        lambda mg: ([], -0.1),  # parameters are checked before the rate
        ValueError,
        "an optimizer needs at least one parameter, got none",
    ),
    (
        "a repeated parameter",
        lambda mg: ([mg.Value(1.0)] * 2, 0.1),
        ValueError,
        "an optimizer expects each parameter once, got one twice",
    ),
    (
        "a parameter that is no Value",
        lambda mg: ([mg.Value(1.0), 1.0], 0.1),
        TypeError,
        "a parameter must be a Value, not 'float'",
    ),
    ("no iterable", lambda mg: (3, 0.1), TypeError, "'int' object is not iterable"),
    (
        "a negative rate",
        lambda mg: ([mg.Value(1.0)], -0.1),
        ValueError,
        "lr must be at least 0 and below inf, got -0.1",
    ),
    (
        "a rate of nan",
        lambda mg: ([mg.Value(1.0)], float("nan")),
        ValueError,
        "lr must be at least 0 and below inf, got nan",
    ),
    (
        "an infinite rate",
        lambda mg: ([mg.Value(1.0)], float("inf")),
        ValueError,
        "lr must be at least 0 and below inf, got inf",
    ),
    (
        "a rate that is no number",
        lambda mg: ([mg.Value(1.0)], "fast"),
        TypeError,
        "lr must be a real number, not 'str'",
    ),
]


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
@pytest.mark.parametrize(
    ("args", "kind", "message"), [c[1:] for c in OPTIMIZERS], ids=[c[0] for c in OPTIMIZERS]
)
def test_an_optimizer_refuses(mg, name, args, kind, message):
    assert error_of(lambda: getattr(mg, name)(*args(mg))) == (kind, message)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_a_rate_is_checked_when_it_is_set(mg, name):
    optimizer = getattr(mg, name)([mg.Value(1.0)], 0.1)
    message = "lr must be at least 0 and below inf, got -1.0"
    assert error_of(lambda: setattr(optimizer, "lr", -1)) == (ValueError, message)
    assert optimizer.lr == 0.1


# The interpreter's own errors name the type: with its module where the type is compiled.
INTERPRETER = [
    lambda mg: mg.Value(1.0).colour,
    lambda mg: delattr(mg.Value(1.0), "colour"),
    lambda mg: len(mg.Value(1.0)),
    lambda mg: int(mg.Value(1.0)),
    lambda mg: complex(mg.Value(1.0)),
    lambda mg: mg.Value(1.0)[0],
    lambda mg: mg.Value(1.0)(),
    lambda mg: list(mg.Value(1.0)),
    lambda mg: mg.Value(1.0) @ mg.Value(1.0),
    lambda mg: mg.Value(1.0) // 2,
    lambda mg: 2 % mg.Value(1.0),
    lambda mg: ~mg.Value(1.0),
    lambda mg: +mg.Value(1.0),
    lambda mg: pow(mg.Value(1.0), 2, 3),
    lambda mg: mg.dot(mg.Value(1.0), [1]),
    lambda mg: range(mg.Value(1.0)),
]


@pytest.mark.parametrize("fn", INTERPRETER)
def test_what_a_value_cannot_do_is_the_same_error_in_both_packages(fn):
    errors = []
    for name in ("micrograd_ref", "micrograd_fast"):
        mg = importlib.import_module(name)
        kind, message = error_of(lambda mg=mg: fn(mg))
        errors.append((kind, message.replace(f"{name}.engine.", "")))
    assert errors[0] == errors[1]


def test_wrong_arguments_are_a_type_error(mg):
    a = mg.Value(1.0)
    for fn in (
        lambda: mg.Value(),
        lambda: mg.Value(1.0, (), "", "", None, None),
        lambda: mg.Value(1.0, colour="red"),
        lambda: a.backward(1, 2),
        lambda: mg.backward(),
        lambda: a.exp(2),
        lambda: mg.dot([1]),
        lambda: mg.sum(),
        lambda: mg.sum(3),
        lambda: mg.Neuron(),
        lambda: mg.Neuron(2)(),
        lambda: mg.Layer(2, 2, colour="red"),
        lambda: mg.MLP(2, 3),
        lambda: mg.SGD([a]),
    ):
        assert error_of(fn)[0] is TypeError


def test_a_subclass_says_how_its_own_fields_are_deleted(mg):
    deleted = []

    class Fields(mg.Value):
        grad = property(lambda self: 1.0)
        label = property(lambda self: "x", None, lambda self: deleted.append("label"))

    v = Fields(1.0)
    del v.label
    assert deleted == ["label"]
    with pytest.raises(AttributeError) as error:
        del v.grad
    assert "of a Value cannot be deleted" not in str(error.value)


def test_an_attribute_of_a_subclass_can_be_deleted(mg):
    class Named(mg.Value):
        pass

    v = Named(1.0)
    v.name = "x"
    del v.name
    assert error_of(lambda: v.name) == (AttributeError, "'Named' object has no attribute 'name'")
    assert error_of(lambda: delattr(v, "data")) == (
        AttributeError,
        "data of a Value cannot be deleted",
    )


# What an error leaves behind


def test_a_failed_initialiser_leaves_a_leaf_that_can_be_initialised(mg):
    a = mg.Value.__new__(mg.Value)
    assert error_of(lambda: a.__init__(1.0, (), "", 3))[0] is TypeError
    assert (a.data, a._op, a.label, a._children) == (0.0, "", "", ())
    a.__init__(2.0, (mg.Value(1.0),), "op", "label")
    assert (a.data, a._op, a.label) == (2.0, "op", "label")


def test_an_error_in_an_iterable_passes_through(mg):
    def broken():
        yield mg.Value(1.0)
        raise LookupError("no more")

    for fn in (
        lambda: mg.sum(broken()),
        lambda: mg.dot(broken(), [1, 2]),
        lambda: mg.dot([1, 2], broken()),
        lambda: mg.Value(1.0, broken(), "op"),
        lambda: mg.Neuron(2)(broken()),
        lambda: mg.MLP(2, [1])(broken()),
        lambda: mg.SGD(broken(), 0.1),
    ):
        assert error_of(fn) == (LookupError, "no more")


def test_a_network_that_cannot_be_made_draws_the_same_numbers_first(mg):
    random.seed(1)
    assert error_of(lambda: mg.MLP(2, [3, 0]))[0] is ValueError
    after = random.random()
    random.seed(1)
    for _ in range(2 * 3):
        random.uniform(-1, 1)
    assert after == random.random()


def test_a_value_without_data_is_told_by_its_class(mg):
    with pytest.raises(TypeError, match=r"^Value\.__init__\(\) missing 1 required"):
        mg.Value()
