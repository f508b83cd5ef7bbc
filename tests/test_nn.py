"""Neuron, Layer and MLP."""

import random

import numpy as np
import pytest
from bits import record


def set_parameters(module, numbers):
    for p, x in zip(module.parameters(), numbers, strict=True):
        p.data = x


# Construction


def test_weights_are_drawn_in_order_and_biases_are_0(mg):
    random.seed(1337)
    model = mg.MLP(2, [3, 1])
    random.seed(1337)
    expected = []
    for nin, nout in ((2, 3), (3, 1)):
        for _ in range(nout):
            expected += [random.uniform(-1, 1) for _ in range(nin)] + [0.0]
    assert [p.data for p in model.parameters()] == expected


def test_parameters_come_layer_by_layer_weights_before_the_bias(mg):
    model = mg.MLP(2, [2, 1])
    first, second = model.layers
    a, b = first.neurons
    (c,) = second.neurons
    assert model.parameters() == [*a.w, a.b, *b.w, b.b, *c.w, c.b]
    assert first.parameters() == [*a.w, a.b, *b.w, b.b]
    assert a.parameters() == [*a.w, a.b]


def test_the_network_of_the_moons_demo_has_337_parameters(mg):
    model = mg.MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337  # micrograd's demo
    assert len(set(model.parameters())) == 337


def test_reprs_are_those_of_micrograd(mg):
    assert repr(mg.Neuron(3)) == "ReLUNeuron(3)"
    assert repr(mg.Neuron(3, nonlin=False)) == "LinearNeuron(3)"
    assert repr(mg.Layer(2, 2)) == "Layer of [ReLUNeuron(2), ReLUNeuron(2)]"
    assert repr(mg.MLP(2, [2, 1])) == (
        "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    )


def test_reprs_name_the_activation(mg):
    assert repr(mg.Neuron(3, activation="tanh")) == "TanhNeuron(3)"
    assert repr(mg.Neuron(3, activation="sigmoid")) == "SigmoidNeuron(3)"
    assert repr(mg.Neuron(3, activation="linear")) == "LinearNeuron(3)"
    assert repr(mg.Neuron(3, False, "tanh")) == "LinearNeuron(3)"


def test_sizes_may_be_any_integers(mg):
    model = mg.MLP(np.int64(2), np.array([3, 1]))
    assert len(model.parameters()) == 13
    assert model([1.0, 2.0])._op == "dot"
    assert len(mg.MLP(True, (2, True)).parameters()) == 7


def test_everything_is_a_module(mg):
    for module in (mg.Neuron(1), mg.Layer(1, 1), mg.MLP(1, [1])):
        assert isinstance(module, mg.Module)
    assert mg.Module().parameters() == []


def test_zero_grad_clears_every_parameter(mg):
    model = mg.MLP(2, [2, 1])
    for p in model.parameters():
        p.grad = 3.0
    assert model.zero_grad() is None
    assert {p.grad for p in model.parameters()} == {0.0}


def test_zero_grad_of_a_subclass_uses_its_parameters(mg):
    class Scale(mg.Module):
        def __init__(self):
            self.s = mg.Value(2.0)

        def parameters(self):
            return [self.s]

    scale = Scale()
    scale.s.grad = 3.0
    scale.zero_grad()
    assert scale.s.grad == 0.0


# Calling


@pytest.mark.parametrize(
    ("activation", "data"),
    [
        ("linear", -0.5),
        ("relu", 0.0),
        ("tanh", -0.46211715726000973),  # mpmath, tanh(-0.5)
        ("sigmoid", 0.3775406687981454),  # mpmath, 1 / (1 + exp(0.5))
    ],
)
def test_a_neuron_activates_bias_plus_dot_product(mg, activation, data):
    neuron = mg.Neuron(2, activation=activation)
    set_parameters(neuron, [1.0, -2.0, 0.5])
    out = neuron([3.0, 2.0])  # 0.5 + 3 - 4
    assert out.data == pytest.approx(data, rel=1e-15, abs=0.0)


def test_a_linear_neuron_is_one_dot_node_from_its_bias(mg):
    neuron = mg.Neuron(2, nonlin=False)
    x, y = mg.Value(3.0), mg.Value(2.0)
    out = neuron([x, y])
    assert out._op == "dot"
    assert out._children == (neuron.b, neuron.w[0], x, neuron.w[1], y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_an_activated_neuron_is_its_activation_over_a_dot_node(mg, activation):
    out = mg.Neuron(2, activation=activation)([1.0, 2.0])
    assert out._op == activation
    assert out._children[0]._op == "dot"


def test_a_neuron_has_the_bits_of_the_written_out_sum(mg):
    random.seed(7)
    neuron = mg.Neuron(20, nonlin=False)
    x = [random.uniform(-1, 1) for _ in range(20)]
    neuron.b.data = 0.1
    written_out = sum((wi * xi for wi, xi in zip(neuron.w, x, strict=True)), neuron.b)
    assert neuron(x).data == written_out.data


def test_a_layer_gives_a_list_and_a_single_neuron_its_value(mg):
    assert [type(out) for out in mg.Layer(2, 3)([1.0, 2.0])] == [mg.Value] * 3
    assert type(mg.Layer(2, 3)([1.0, 2.0])) is list
    assert type(mg.Layer(2, 1)([1.0, 2.0])) is mg.Value
    assert type(mg.MLP(2, [2])([1.0, 2.0])) is list
    assert type(mg.MLP(2, [2, 1])([1.0, 2.0])) is mg.Value


def test_a_network_with_a_single_neuron_inside_works(mg):
    model = mg.MLP(2, [1, 2, 1], activation="tanh")
    assert model([1.0, 2.0])._children[2]._op == "tanh"


def test_a_network_is_differentiated(mg):
    model = mg.MLP(2, [2, 1])
    # h1 = relu(1 + 2 * 3 - 1 * 2) = 5, h2 = relu(0 - 3 + 2) = 0, out = 0.5 + 2 * 5 - 3 * 0
    set_parameters(model, [2.0, -1.0, 1.0, -1.0, 1.0, 0.0, 2.0, -3.0, 0.5])
    x, y = mg.Value(3.0), mg.Value(2.0)
    out = model([x, y])
    out.backward()
    assert out.data == 10.5
    assert [p.grad for p in model.parameters()] == [6.0, 4.0, 2.0, 0.0, 0.0, 0.0, 5.0, 0.0, 1.0]
    assert (x.grad, y.grad) == (4.0, -2.0)


def test_the_activations_of_a_network_are_placed(mg):
    model = mg.MLP(2, [3, 3, 2], activation="tanh", output="sigmoid")
    out = model([1.0, 2.0])
    hidden = out[0]._children[0]._children[2]
    assert [v._op for v in out] == ["sigmoid", "sigmoid"]
    assert hidden._op == "tanh"
    assert hidden._children[0]._children[2]._op == "tanh"


def test_a_number_given_to_a_layer_is_one_leaf_for_all_its_neurons(mg):
    first, second = mg.Layer(1, 2, nonlin=False)([3.0])
    assert first._children[2] is second._children[2]


@pytest.mark.parametrize(
    "make", [lambda mg: mg.Neuron(2), lambda mg: mg.Layer(2, 2), lambda mg: mg.MLP(2, [2, 1])]
)
def test_inputs_come_from_any_iterable(mg, make):
    module = make(mg)
    x, y = mg.Value(3.0), mg.Value(2.0)

    def shape(out):
        return record(out if isinstance(out, list) else [out])

    expected = shape(module([x, y]))
    assert shape(module((x, y))) == expected
    assert shape(module(v for v in (x, y))) == expected
    assert shape(module(np.array([x, y]))) == expected
    assert shape(module(np.array([3.0, 2.0]))) == expected
    assert shape(module([3, 2])) == expected


def test_the_given_list_of_inputs_is_left_alone(mg):
    x = [1.0, 2.0]
    mg.MLP(2, [2, 1])(x)
    assert x == [1.0, 2.0]


# What a user may change afterwards


def test_changed_data_of_a_parameter_is_seen_by_the_next_call(mg):
    neuron = mg.Neuron(1, nonlin=False)
    set_parameters(neuron, [2.0, 1.0])
    assert neuron([3.0]).data == 7.0
    set_parameters(neuron, [5.0, 0.0])
    assert neuron([3.0]).data == 15.0


def test_replaced_parameters_are_seen_by_the_next_call(mg):
    layer = mg.Layer(1, 2, nonlin=False)
    shared = mg.Value(4.0, label="shared")
    for neuron in layer.neurons:
        neuron.w[0] = shared
    layer.neurons[1].b = mg.Value(1.0)
    out = layer([3.0])
    assert [v.data for v in out] == [12.0, 13.0]
    assert shared in layer.parameters()
    (out[0] + out[1]).backward()
    assert shared.grad == 6.0


def test_a_replaced_list_of_weights_is_seen_by_the_next_call(mg):
    neuron = mg.Neuron(1, nonlin=False)
    neuron.w = [mg.Value(1.0), mg.Value(2.0)]
    assert neuron([10.0, 1.0]).data == 12.0
    with pytest.raises(ValueError, match="Neuron expects 2 inputs, got 1"):
        neuron([1.0])


def test_a_changed_activation_is_seen_by_the_next_call(mg):
    model = mg.MLP(1, [1])
    (neuron,) = model.layers[0].neurons
    neuron.activation = "tanh"
    assert model([1.0])._op == "tanh"
    neuron.nonlin = False
    assert model([1.0])._op == "dot"


def test_a_neuron_of_another_kind_in_a_layer_is_called(mg):
    class Doubling(mg.Neuron):
        def __call__(self, x):
            return super().__call__(x) * 2

    layer = mg.Layer(1, 2, nonlin=False)
    layer.neurons[1] = Doubling(1, nonlin=False)
    set_parameters(layer, [1.0, 0.0, 1.0, 0.0])
    assert [v.data for v in layer([3.0])] == [3.0, 6.0]


def test_a_function_in_place_of_a_layer_is_called(mg):
    model = mg.MLP(2, [2, 1])
    model.layers[0] = lambda x: [v * 2 for v in x]
    set_parameters(model.layers[1], [1.0, 10.0, 0.0])
    assert model([1.0, 2.0]).data == 42.0


def test_what_a_layer_does_to_its_list_does_not_reach_the_caller(mg):
    def backwards(x):
        x.reverse()
        return x

    model = mg.MLP(2, [2])
    model.layers[0] = backwards
    x, y = mg.Value(1.0), mg.Value(2.0)
    given = [x, y]
    assert model(given) == [y, x]
    assert given == [x, y]


def test_what_a_neuron_does_to_its_list_does_not_reach_the_caller(mg):
    class Forgetful(mg.Neuron):
        def __call__(self, x):
            out = super().__call__(x)
            x.clear()
            return out

    layer = mg.Layer(1, 1)
    layer.neurons[0] = Forgetful(1)
    given = [mg.Value(1.0)]
    layer(given)
    assert len(given) == 1


def test_layers_and_neurons_may_be_added_and_removed(mg):
    model = mg.MLP(1, [2, 1])
    model.layers.pop()
    model.layers[0].neurons.append(mg.Neuron(1, nonlin=False))
    assert len(model([1.0])) == 3


def test_a_subclass_may_override_the_call(mg):
    class Shifted(mg.MLP):
        def __call__(self, x):
            return super().__call__(x) + 1

    model = Shifted(1, [1])
    set_parameters(model, [2.0, 0.0])
    assert model([3.0]).data == 7.0


def test_an_error_names_the_subclass(mg):
    class Net(mg.MLP):
        pass

    with pytest.raises(ValueError, match=r"^Net expects 1 inputs, got 2$"):
        Net(1, [1])([1.0, 2.0])


def test_a_weight_may_be_a_subclass_instance_or_a_computed_node(mg):
    class Parameter(mg.Value):
        pass

    neuron = mg.Neuron(1, nonlin=False)
    base = Parameter(2.0)
    neuron.w[0] = base * 3
    neuron([5.0]).backward()
    assert base.grad == 15.0


# Activations of one's own


@pytest.mark.parametrize("make", [list, tuple])
def test_each_layer_may_have_an_activation_of_its_own(mg, make):
    model = mg.MLP(2, [3, 3, 2], activation=make(["tanh", "relu"]), output="sigmoid")
    assert repr(model) == (
        "MLP of [Layer of [TanhNeuron(2), TanhNeuron(2), TanhNeuron(2)], "
        "Layer of [ReLUNeuron(3), ReLUNeuron(3), ReLUNeuron(3)], "
        "Layer of [SigmoidNeuron(3), SigmoidNeuron(3)]]"
    )
    assert mg.MLP(2, [1], activation=[])([1.0, 2.0])._op == "dot"


def test_an_activation_may_be_a_function(mg):
    def doubled(x):
        return x * 2

    class Steep:
        def __call__(self, x):
            return x * 10

    model = mg.MLP(1, [1, 1, 1], activation=[mg.Value.softplus, doubled], output=Steep())
    assert repr(model) == (
        "MLP of [Layer of [softplusNeuron(1)], Layer of [doubledNeuron(1)], "
        "Layer of [SteepNeuron(1)]]"
    )
    set_parameters(model, [0.0, 3.0, 1.0, 0.0, 1.0, 0.0])
    assert model([1.0]).data == 20 * mg.Value(3.0).softplus().data
    assert mg.Layer(2, 2, activation=mg.Value.silu)([1.0, 2.0])[0]._op == "*"


def test_a_str_that_can_be_called_is_a_function(mg):
    class Name(str):
        __hash__ = None

        def __call__(self, x):
            return x * 2

    neuron = mg.Neuron(1)
    set_parameters(neuron, [1.0, 0.0])
    for name, data in (("tanh", 6.0), ("cube", 6.0), ("linear", 3.0)):
        neuron.activation = Name(name)
        assert neuron([3.0]).data == data


def test_a_function_is_not_called_by_a_neuron_without_activation(mg):
    assert mg.Neuron(1, nonlin=False, activation=pytest.fail)([1.0])._op == "dot"


def test_what_a_function_gives_is_the_output_of_the_neuron(mg):
    neuron = mg.Neuron(1, activation=lambda x: [x, 1.0])
    first, second = neuron([2.0])
    assert (first._op, second) == ("dot", 1.0)
    neuron.activation = 5
    with pytest.raises(TypeError, match="attribute name must be string"):
        neuron([2.0])
    neuron.activation = lambda x: neuron([x])
    with pytest.raises(RecursionError):
        neuron([2.0])
