"""Pickles and copies of graphs, modules and optimizers."""

import copy
import operator
import pickle
import random

import pytest
from bits import bits, record
from operations import ARITY, call

import micrograd_ref


def order(roots):
    return micrograd_ref.order.topological_order(roots, operator.attrgetter("_children"))


def step():
    """A custom operation's _backward that can be pickled."""


def program(mg):
    """A graph with every kind of node, differentiated."""
    a, b = mg.Value(0.5, label="a"), mg.Value(-0.0)
    custom = mg.Value(3.0, (a, b), "custom")
    custom._backward = step
    nodes = [a - 1, 2 * b, a / 3, a**2, a**-0.1, 2**b]
    for name, count in ARITY.items():
        nodes += [call(mg, name, *(a, b, a)[:count]), call(mg, name, *(b, a, b)[:count])]
    nodes += [mg.dot(nodes, reversed(nodes), custom), mg.sum(nodes, 7), mg.dot([], [])]
    root = mg.sum(nodes)
    root.label = "root"
    root.backward()
    return root


WAYS = {
    **{f"protocol {n}": lambda x, n=n: pickle.loads(pickle.dumps(x, n)) for n in range(2, 6)},
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_comes_back_as_it_was(mg, way):
    root = program(mg)
    again = WAYS[way](root)
    assert again is not root
    assert record([again]) == record([root])


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_that_came_back_goes_on(mg, way):
    root, again = program(mg), WAYS[way](program(mg))
    for x in (root, again):
        for node in order([x]):
            if not node._children:
                node.grad = 0.0
        (x * 2).backward()
    assert record([again]) == record([root])


def test_leaves_that_are_pickled_with_their_graph_stay_in_it(mg):
    a = mg.Value(2.0)
    again, root = pickle.loads(pickle.dumps((a, a * a)))
    root.backward()
    assert again.grad == 4.0


@pytest.mark.parametrize("way", WAYS)
def test_constants_stay_constants(mg, way):
    a = mg.Value(2.0)
    root = WAYS[way](a * 3)
    assert len(mg.Tape(root).parameters) == 1


def test_the_depth_of_a_graph_does_not_matter(mg):
    x = a = mg.Value(0.5)
    for _ in range(20_000):
        x = x * a
    again = pickle.loads(pickle.dumps(x))
    assert len(order([again])) == 20_001
    assert again.data == x.data
    assert len(order([copy.deepcopy(x)])) == 20_001


def test_a_closure_that_cannot_be_pickled_is_an_error(mg):
    out = mg.Value(1.0, (), "custom")
    out._backward = lambda: None
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(out)


def test_a_module_and_its_optimizer_go_on_together(mg):
    random.seed(3)
    model = mg.MLP(2, [4, 1], activation="tanh")
    optimizer = mg.Adam(model.parameters(), lr=0.1)

    def train(model, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            (model([1.0, -2.0]) - 0.5).__pow__(2).backward()
            optimizer.step()
        return [bits(p.data) for p in model.parameters()]

    train(model, optimizer)
    again = pickle.loads(pickle.dumps((model, optimizer)))
    assert train(*again) == train(model, optimizer)


@pytest.mark.parametrize("arguments", [([],), ([1],), (None,), ([("nonsense", None, (), 1, 0)],)])
def test_what_is_no_state_of_a_graph_is_refused(mg, arguments):
    restore, *_ = (mg.Value(1.0) + 1).__reduce__()
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        restore(*arguments)
