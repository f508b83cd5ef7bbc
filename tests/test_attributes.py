"""What a program hangs on a Value: attributes of its own, and methods on the class."""

import copy
import gc
import pickle
import threading
import weakref

import pytest
from bits import bits

import micrograd_fast


class Thing:
    """What can be seen to go."""


def test_a_value_takes_attributes(mg):
    v = mg.Value(1.0)
    assert not hasattr(v, "m")
    v.m = 0.0
    v.m += 0.5
    setattr(v, "a name with spaces", [1])
    assert (v.m, getattr(v, "a name with spaces")) == (0.5, [1])
    assert vars(v) == v.__dict__ == {"m": 0.5, "a name with spaces": [1]}
    assert "m" in dir(v)
    del v.m
    assert not hasattr(v, "m")
    with pytest.raises(AttributeError, match="Value' object has no attribute 'm'"):
        v.m  # noqa: B018
    with pytest.raises(AttributeError, match="m"):
        del v.m


def test_every_node_takes_attributes(mg):
    a = mg.Value(2.0)
    for i, node in enumerate(
        [
            *(a + a, a * 2, a**2, -a, a.tanh(), (a + 1)._children[1]),
            *(mg.dot([a], [a]), mg.sum([a])),
            *(mg.Value(1.0, (a,), "op"), mg.Value(1.0, (a,), (2.0,))),
        ]
    ):
        node.number = i
        assert vars(node) == {"number": i}


def test_an_attribute_changes_no_bit(mg):
    def grads(mark):
        a, b = mg.Value(0.3), mg.Value(-0.7)
        out = (a * b + a).tanh() / mg.dot([a, b], [b, 3.0])
        for node in mg.trace(out)[0]:
            mark(node)
        out.backward()
        return [bits(x) for x in (out.data, a.grad, b.grad)]

    plain = grads(lambda node: None)
    assert grads(lambda node: setattr(node, "m", 0.0)) == plain
    assert grads(lambda node: setattr(node, "mate", node)) == plain


def test_a_label_is_an_attribute(mg):
    v = mg.Value(1.0, label="x")
    assert vars(v) == {"label": "x"}
    v.label = ""
    assert vars(v) == {}
    vars(v)["label"] = "y"
    assert v.label == "y"
    with pytest.raises(AttributeError, match="label of a Value cannot be deleted"):
        del v.label


def test_the_names_of_the_contract_keep_their_rules(mg):
    a = mg.Value(1.0)
    out = a * 2
    out.m = 0.0
    for name in ("_op", "_children", "_prev", "_local_grads"):
        with pytest.raises(AttributeError, match=f"{name} of a Value cannot be changed"):
            setattr(out, name, ())
    with pytest.raises(TypeError, match="the data of a Value must be a real number"):
        out.data = "x"
    for name in ("data", "grad", "_op", "_children", "_prev", "_backward", "_local_grads"):
        with pytest.raises(AttributeError, match=f"{name} of a Value cannot be deleted"):
            delattr(out, name)
    assert vars(out) == {"m": 0.0}


def test_the_dictionary_can_be_replaced_by_another(mg):
    v = mg.Value(1.0, label="x")
    v.__dict__ = {"m": 1}
    assert (v.m, v.label) == (1, "")
    with pytest.raises(TypeError, match="__dict__ must be set to a dictionary, not a 'int'"):
        v.__dict__ = 3
    assert vars(v) == {"m": 1}


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "the oldest pickle": lambda x: pickle.loads(pickle.dumps(x, 0)),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", ["leaf", "built-in", "custom", "local gradients", "subclass"])
def test_attributes_travel_with_a_copy(mg, way, kind):
    leaf = mg.Value(2.0, label="leaf")
    leaf.m = 0.25
    inner = leaf * 3
    inner.colour = "lightgreen"
    node = {
        "leaf": leaf,
        "built-in": inner.tanh(),
        "custom": mg.Value(1.0, (inner,), "op"),
        "local gradients": mg.Value(1.0, (inner,), (2.0,)),
        "subclass": Slotted(1.0, (inner,), (2.0,)),
    }[kind]
    node.label = "node"
    node.numbers = [1, 2]
    if kind == "subclass":
        node.slot = "kept"
    other = COPIES[way](node)
    assert vars(other) == vars(node)
    assert vars(other) is not vars(node)
    assert (other.numbers is node.numbers) is (way == "copy")
    assert getattr(other, "slot", None) == getattr(node, "slot", None)
    for child in other._children:
        assert vars(child) == {"colour": "lightgreen"}
        assert vars(child._children[0]) == {"label": "leaf", "m": 0.25}


Slotted = None


@pytest.fixture(autouse=True)
def _slotted(mg):
    """A subclass where pickle finds it."""
    global Slotted
    Slotted = type("Slotted", (mg.Value,), {"__slots__": ("slot",), "__module__": __name__})


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_cycle_through_attributes_is_copied_as_one(mg, way):
    v = mg.Value(2.0)
    v.mate = v
    other = COPIES[way](v)
    assert other.mate is other is not v
    out = v * 2
    out.mate = out
    other = COPIES[way](out)
    assert other.mate is other is not out
    w = mg.Value(3.0)
    w.list = [w * 2]
    other = COPIES[way](w)
    assert other.list[0]._children[0] is other


# What refers to itself is collected.


def ways_back(mg, v):
    """Ways for a leaf v to refer to itself through attributes, each with what must be collected."""
    early = v * 2  # made before v has attributes
    v.mate = v
    yield "itself"
    v.mate = None
    v.list = [early]
    yield "a node made before, in a list"
    v.list = early + 1
    yield "a node above one made before"
    v.list = {"a": (1, [{2}, {"b": early}])}
    yield "a node made before, in nested containers"
    v.list = []
    v.list.append(v * 2)
    yield "a node made later, appended"
    v.list = mg.Value(1.0)
    v.list.back = [v]
    yield "another Value's attribute"
    v.list = mg.dot([v], [early]).tanh()
    yield "a node of many operands"
    v.list = mg.Value(1.0, (early,), (2.0,))
    yield "local gradients"
    v.list = None
    vars(v)["mate"] = early
    yield "vars"
    v.__dict__ = {"mate": early, "thing": v.thing}
    yield "another dictionary"


@pytest.mark.parametrize("n", range(10))
def test_a_cycle_through_attributes_is_collected(mg, n):
    v = mg.Value(1.0)
    v.thing = Thing()
    gone = weakref.ref(v.thing)
    ways = ways_back(mg, v)
    for _ in range(n + 1):
        way = next(ways)
        gc.collect()
    assert gone() is not None
    ways.close()
    del v, ways
    gc.collect()
    assert gone() is None, way


def test_a_copied_cycle_is_collected(mg):
    v = mg.Value(1.0)
    v.thing, v.list = Thing(), [v * 2]
    other = copy.deepcopy(v)
    gone = weakref.ref(other.thing)
    del other
    gc.collect()
    assert gone() is None


def test_an_attribute_goes_with_its_node(mg):
    gc.collect()
    gc.disable()
    try:
        v = mg.Value(1.0)
        out = v * 2
        out.thing = Thing()
        gone = weakref.ref(out.thing)
        above = out + 1
        del out
        assert gone() is not None
        del above
        assert gone() is None
    finally:
        gc.enable()


def test_numbers_and_text_as_attributes_keep_a_graph_out_of_the_collector():
    p = micrograd_fast.Value(1.0, label="p")
    p.m, p.v, p.colour = 0.0, 1, "lightgreen"
    assert not gc.is_tracked(p)
    assert not gc.is_tracked(p * 2)
    p.history = []
    assert gc.is_tracked(p)
    assert gc.is_tracked(p * 2)


def test_a_deep_chain_of_attributes_is_freed_without_recursion(mg):
    def run():
        x = first = mg.Value(1.0)
        first.thing = Thing()
        gone.append(weakref.ref(first.thing))
        for _ in range(100_000):
            new = mg.Value(1.0)
            new.before = x
            x = new
        del first
        del x

    gone = []
    size = threading.stack_size(1 << 20)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
    gc.collect()
    assert gone[0]() is None


def test_an_attribute_may_build_and_free_graphs_while_it_goes(mg):
    class Builder:
        def __init__(self, v):
            self.v = v

        def __del__(self):
            out = (self.v * 2).tanh()
            out.more = [out]
            out.backward()

    a = mg.Value(0.5)
    for _ in range(3):
        v = mg.Value(1.0) * 2
        v.builder = Builder(a)
        w = v + 1
        del v
        w = w * 2
        del w
    assert a.grad == pytest.approx(3 * 2 * 0.41997434161402614)  # 1 - tanh(1)**2


# Methods on the class


def test_a_method_added_to_the_class_works_on_results_of_operators(mg):
    mg.Value.log1pexp = lambda self: (1 + self.exp()).log()
    try:
        a = mg.Value(0.5)
        out = (a * 2 + 1).log1pexp()
        out.backward()
        assert out._op == "log"
        assert out.data == pytest.approx(2.1269280110429727)
        assert a.grad == pytest.approx(2 * 0.8807970779778823)
    finally:
        del mg.Value.log1pexp
    assert not hasattr(a, "log1pexp")


def test_a_method_of_the_class_can_be_replaced(mg):
    original = mg.Value.__repr__
    mg.Value.__repr__ = lambda self: f"<{self.data}>"
    try:
        assert repr(mg.Value(1.0) + 2) == "<3.0>"
    finally:
        mg.Value.__repr__ = original
    assert repr(mg.Value(1.0)) == "Value(data=1.0)"


def test_an_activation_that_was_replaced_is_called(mg):
    neuron = mg.Neuron(1, activation="tanh")
    original = mg.Value.tanh
    mg.Value.tanh = lambda self: self * 0 + 7
    try:
        assert neuron([1.0]).data == mg.Layer(1, 1, activation="tanh")([1.0]).data == 7.0
    finally:
        mg.Value.tanh = original
    assert abs(neuron([1.0]).data) < 1.0
