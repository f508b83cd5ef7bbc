"""Module: how it finds its parameters and names them, its state, and train and eval."""

import copy
import pickle
import random

import pytest
from bits import bits
from errors import error_of

import micrograd_fast
import micrograd_ref


def numbered(mg, count):
    return [mg.Value(i) for i in range(count)]


def with_attributes(mg, **attributes):
    module = mg.Module()
    vars(module).update(attributes)
    return module


# The search


def test_parameters_are_found_in_order_of_assignment(mg):
    class Net(mg.Module):
        def __init__(self):
            self.second, self.name, self.sizes = mg.Value(2.0), "net", [3, 4]
            self.first = mg.Value(1.0)

    net = Net()
    assert net.parameters() == [net.second, net.first]
    net.third = mg.Value(3.0)
    assert net.parameters() == [net.second, net.first, net.third]


def test_parameters_are_found_in_modules_lists_tuples_and_dicts(mg):
    a, b, c, d, e, f = values = numbered(mg, 6)
    inner = with_attributes(mg, weights=[c, (d, None)], bias=e)
    net = with_attributes(mg, table={"x": [[a]], 7: b}, pair=(inner, 0.5), last=f)
    assert net.parameters() == values
    assert [name for name, _ in net.named_parameters()] == [
        "table.x.0.0", "table.7", "pair.0.weights.0", "pair.0.weights.1.0", "pair.0.bias", "last",
    ]  # fmt: skip


def test_a_module_of_layers_has_their_parameters(mg):
    class Net(mg.Module):
        def __init__(self):
            self.body, self.head = mg.MLP(2, [3]), mg.Neuron(3)

    net = Net()
    assert net.parameters() == net.body.parameters() + net.head.parameters()
    for p in net.parameters():
        p.grad = 2.0
    net.zero_grad()
    assert {p.grad for p in net.parameters()} == {0.0}


def test_a_shared_parameter_is_found_once(mg):
    a, b = numbered(mg, 2)
    shared = with_attributes(mg, a=a)
    net = with_attributes(mg, b=b, again=[b, shared], other=shared, a=a)
    assert net.parameters() == [b, a]
    assert net.named_parameters() == [("b", b), ("again.1.a", a)]


def test_modules_and_lists_that_hold_each_other_are_searched_once(mg):
    a, b = numbered(mg, 2)
    child = with_attributes(mg, a=a)
    parent = with_attributes(mg, children=[child], b=b)
    child.parent = parent
    parent.children.append(parent.children)
    assert parent.parameters() == [a, b]
    assert [name for name, _ in child.named_parameters()] == ["a", "parent.b"]
    parent.eval()
    assert (parent.training, child.training) == (False, False)


def test_modules_may_be_nested_deeper_than_python_calls(mg):
    inner = with_attributes(mg, value=mg.Value(1.0))
    net = inner
    for _ in range(20_000):
        net = with_attributes(mg, next=net)
    assert net.parameters() == [inner.value]
    net.eval()
    assert not inner.training


def test_a_result_in_an_attribute_is_no_parameter(mg):
    class Net(mg.Module):
        def __init__(self):
            self.w = mg.Value(2.0)

        def __call__(self, x):
            self.out = self.w * x
            return self.out

    net = Net()
    net(3.0)
    assert net.parameters() == [net.w]
    assert net.state_dict() == {"w": 2.0}


def test_a_subclass_that_overrides_parameters_is_asked_for_them(mg):
    class Frozen(mg.Module):
        def __init__(self):
            self.a, self.b = mg.Value(1.0), mg.Value(2.0)

        def parameters(self):
            return [self.b, self.b]

    frozen = Frozen()
    net = with_attributes(mg, frozen=frozen, last=mg.Value(3.0))
    assert net.parameters() == [frozen.b, net.last]
    assert frozen.named_parameters() == [("b", frozen.b)]
    assert [name for name, _ in net.named_parameters()] == ["frozen.b", "last"]


def test_a_parameter_that_no_attribute_leads_to_is_called_by_its_place(mg):
    hidden = numbered(mg, 2)

    class Hiding(mg.Module):
        def __init__(self):
            self.shown = mg.Value(5.0)

        def parameters(self):
            return iter([hidden[0], self.shown, hidden[1], hidden[0]])

    assert [name for name, _ in Hiding().named_parameters()] == [
        "parameters.0", "shown", "parameters.2",
    ]  # fmt: skip
    Hiding().zero_grad()


def test_the_parameters_of_a_network_have_the_names_that_pytorch_gives(mg):
    random.seed(1)
    model = mg.MLP(2, [1, 2])
    names = [name for name, _ in model.named_parameters()]
    assert names == [
        "layers.0.neurons.0.w.0",
        "layers.0.neurons.0.w.1",
        "layers.0.neurons.0.b",
        "layers.1.neurons.0.w.0",
        "layers.1.neurons.0.b",
        "layers.1.neurons.1.w.0",
        "layers.1.neurons.1.b",
    ]
    assert [p for _, p in model.named_parameters()] == model.parameters()
    assert dict(model.named_parameters())["layers.1.neurons.1.b"] is model.layers[1].neurons[1].b


def test_two_parameters_of_one_name_are_an_error(mg):
    net = with_attributes(mg, x={"a.b": mg.Value(1.0), "a": {"b": mg.Value(2.0)}})
    assert len(net.parameters()) == 2
    for use in (net.named_parameters, net.state_dict, lambda: net.load_state_dict({})):
        assert error_of(use) == (
            ValueError,
            "two parameters are called 'x.a.b': give another name to an attribute or key that "
            "leads to one of them",
        )


# The state


def test_a_state_goes_from_one_module_to_another_of_either_package():
    random.seed(2)
    for giver, taker in ((micrograd_ref, micrograd_fast), (micrograd_fast, micrograd_ref)):
        model, other = giver.MLP(2, [3, 1]), taker.MLP(2, [3, 1])
        model.layers[0].neurons[1].b.data = -0.0
        state = model.state_dict()
        assert {type(x) for x in state.values()} == {float}
        assert other.load_state_dict(state) is None
        assert list(map(bits, other.state_dict().values())) == list(map(bits, state.values()))


def test_a_state_is_a_copy(mg):
    neuron = mg.Neuron(1)
    state = neuron.state_dict()
    before = dict(state)
    neuron.b.data = 7.0
    assert state == before
    neuron.load_state_dict(state)
    assert neuron.b.data == 0.0


def test_a_state_takes_every_number(mg):
    neuron = mg.Neuron(1)
    neuron.load_state_dict({"b": 3, "w.0": True})
    assert neuron.state_dict() == {"w.0": 1.0, "b": 3.0}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda state: state.pop("b"),
            ValueError,
            "Neuron expects the state of a module of its shape: missing 'b', unexpected none",
        ),
        (
            lambda state: state.update(weight=1.0),
            ValueError,
            "Neuron expects the state of a module of its shape: missing none, unexpected 'weight'",
        ),
        (
            lambda state: (state.clear(), state.update(dict.fromkeys(range(6), 1.0))),
            ValueError,
            "Neuron expects the state of a module of its shape: "
            "missing 'w.0', 'w.1', 'w.2', 'w.3' and 1 more, unexpected 0, 1, 2, 3 and 2 more",
        ),
        (
            lambda state: state.update(b="1"),
            TypeError,
            "the data of b must be a real number, not 'str'",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(mg, change, kind, message):
    neuron = mg.Neuron(4)
    before, state = neuron.state_dict(), dict.fromkeys(neuron.state_dict(), 0.5)
    change(state)
    assert error_of(lambda: neuron.load_state_dict(state)) == (kind, message)
    assert neuron.state_dict() == before


# Training or not


def test_train_and_eval_reach_every_module(mg):
    class Net(mg.Module):
        def __init__(self):
            self.body, self.others = mg.MLP(1, [2]), {"x": (mg.Neuron(1),)}

        def parameters(self):
            return []

    net = Net()
    modules = [net, net.body, net.body.layers[0], *net.body.layers[0].neurons, net.others["x"][0]]
    assert all(module.training for module in modules)
    assert net.eval() is net
    assert not any(module.training for module in modules)
    assert net.train(0) is net
    assert net.training is False
    assert net.train() is net
    assert all(module.training for module in modules)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_module_comes_back_with_its_parameters_and_its_mode(mg, way):
    net = with_attributes(mg, body=mg.MLP(2, [2]).eval(), tied=[])
    net.tied.append(net.body.layers[0].neurons[0].b)
    again = way(net)
    assert again.state_dict() == net.state_dict()
    assert again.tied[0] is again.body.layers[0].neurons[0].b
    assert (again.training, again.body.training) == (True, False)
