"""Sequential, Dropout, Embedding, RMSNorm and LayerNorm."""

import random

import numpy as np
import pytest
from bits import bits
from errors import error_of

import micrograd_ref

X = [0.5, -1.0, 2.0, 3.5]
WEIGHT, BIAS = [1.0, 2.0, -1.0, 0.5], [0.0, 1.0, -1.0, 0.25]
SEED = [1.0, -2.0, 3.0, 0.5]


def values(mg, numbers):
    return [mg.Value(x) for x in numbers]


def data(xs):
    return [x.data for x in xs]


def grads(xs):
    return [x.grad for x in xs]


def close(numbers):
    return pytest.approx(numbers, rel=1e-13, abs=1e-15)


# Sequential


def test_layers_are_called_in_a_row(mg):
    model = mg.Sequential(mg.Layer(2, 3), mg.LayerNorm(3), mg.Layer(3, 1), mg.Neuron(1))
    x = values(mg, [1.0, 2.0])
    out = x
    for layer in model.layers:
        out = layer(out if isinstance(out, list) else [out])
    assert model(x).data == out.data
    assert model.parameters() == [p for layer in model.layers for p in layer.parameters()]
    assert model.named_parameters()[0][0] == "layers.0.neurons.0.w.0"


def test_a_layer_may_be_a_function(mg):
    def reversed_(xs):
        return xs[::-1]

    model = mg.Sequential(reversed_, mg.Dropout().eval(), lambda xs: xs[0])
    x, y = values(mg, [1.0, 2.0])
    assert model((x, y)) is y
    assert repr(model) == "Sequential of [reversed_, Dropout(0.5), <lambda>]"


def test_a_sequential_of_modules_without_a_repr_is_saved_and_loaded(mg, tmp_path):
    class Line(mg.Module):
        def __init__(self):
            self.slope = mg.Value(2.0)

        def __call__(self, xs):
            return [self.slope * x for x in xs]

    mg.Sequential(Line()).save(tmp_path / "line")
    model = mg.Sequential(Line())
    model.layers[0].slope.data = 0.0
    model.load(tmp_path / "line")
    assert data(model([3.0])) == [6.0]


def test_a_sequential_in_itself_is_a_recursion_error(mg):
    model = mg.Sequential(mg.Layer(1, 1))
    model.layers.append(model)
    with pytest.raises(RecursionError):
        model([1.0])
    assert len(model.parameters()) == 2


# Dropout


def test_dropout_draws_a_number_for_each_input_in_order(mg):
    x = values(mg, range(1, 21))
    random.seed(5)
    out = mg.Dropout(0.25)(x)
    random.seed(5)
    expected = [i * (0.0 if random.random() < 0.25 else 1 / 0.75) for i in range(1, 21)]
    assert data(out) == expected
    assert 0.0 in expected
    mg.sum(out).backward()
    assert grads(x) == [e / i for i, e in enumerate(expected, 1)]


def test_dropout_draws_nothing_after_eval(mg):
    x = values(mg, X)
    model = mg.Sequential(mg.Dropout(0.9), mg.Dropout())
    state = random.getstate()
    assert model.eval()(x) == x
    assert random.getstate() == state
    model.train()(x)
    assert random.getstate() != state


def test_dropout_keeps_the_mean(mg):
    random.seed(1)
    out = mg.Dropout(0.2)([1.0] * 5000)
    assert set(data(out)) == {0.0, 1.25}
    assert np.mean(data(out)) == pytest.approx(1.0, abs=0.02)


def test_dropout_of_0_drops_nothing(mg):
    assert data(mg.Dropout(0)(X)) == X


def test_a_tape_records_what_was_dropped_as_constants(mg):
    random.seed(3)
    x = values(mg, X)
    tape = mg.Tape(mg.Dropout()(x), x)
    random.seed(3)
    kept = [0.0 if random.random() < 0.5 else 2.0 for _ in X]
    assert tape.parameters == ()
    rows = np.array([X, [1.0, 1.0, 1.0, 1.0]])
    assert tape.forward(rows).tolist() == (rows * kept).tolist()


# Embedding


def test_the_rows_of_an_embedding_are_drawn_in_order(mg):
    random.seed(7)
    embedding = mg.Embedding(3, 2)
    random.seed(7)
    assert data(embedding.parameters()) == [random.uniform(-1, 1) for _ in range(6)]
    assert [name for name, _ in embedding.named_parameters()][-1] == "weight.2.1"
    assert repr(embedding) == "Embedding(3, 2)"


def test_an_embedding_gives_a_row_and_trains_it_alone(mg):
    embedding = mg.Embedding(3, 2)
    row = embedding(np.int64(1))
    assert row == embedding.weight[1]
    assert row is not embedding.weight[1]
    mg.sum(row).backward()
    assert grads(embedding.parameters()) == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("i", [-1, 3, 10**30])
def test_an_embedding_has_no_other_rows(mg, i):
    expected = IndexError, f"the row of an Embedding must be from 0 to 2, got {i}"
    assert error_of(lambda: mg.Embedding(3, 2)(i)) == expected


# Norms: torch.nn.functional.layer_norm and rms_norm of PyTorch 2.13.0, in float64


def test_layer_norm_has_the_numbers_of_pytorch(mg):
    norm, x = mg.LayerNorm(4), values(mg, X)
    assert data(norm(x)) == close(
        [-0.447212800455686, -1.3416384013670581, 0.447212800455686, 1.3416384013670581]
    )
    norm.load_state_dict(
        {f"{name}.{i}": n for name, ns in (("weight", WEIGHT), ("bias", BIAS))
         for i, n in enumerate(ns)}
    )  # fmt: skip
    out = norm(x)
    assert data(out) == close(
        [-0.447212800455686, -1.6832768027341163, -1.4472128004556861, 0.9208192006835291]
    )
    mg.dot(out, SEED).backward()
    assert grads(x) == close(
        [1.7143148075309529, -0.7453574500736744, -1.192566540332652, 0.22360918287537435]
    )
    assert grads(norm.weight) == close(
        [-0.44721280045568607, 2.6832768027341163, 1.341638401367058, 0.6708192006835291]
    )
    assert grads(norm.bias) == SEED


def test_rms_norm_has_the_numbers_of_pytorch(mg):
    x = values(mg, X)
    assert data(mg.RMSNorm(4)(x)) == close(
        [0.23904572186687872, -0.47809144373375745, 0.9561828874675149, 1.6733200530681511]
    )
    norm = mg.RMSNorm(4, eps=1e-5)
    for w, n in zip(norm.weight, WEIGHT, strict=True):
        w.data = n
    out = norm(x)
    assert data(out) == close(
        [0.2390454486722364, -0.9561817946889456, -0.9561817946889456, 0.8366590703528274]
    )
    mg.dot(out, SEED).backward()
    assert grads(x) == close(
        [0.4866282152831831, -1.9294382252553117, -1.400123420278577, 0.1792839499070903]
    )
    assert grads(norm.weight) == close(
        [0.2390454486722364, 0.9561817946889456, 2.8685453840668367, 0.8366590703528274]
    )


@pytest.mark.parametrize("name", ["RMSNorm", "LayerNorm"])
def test_a_norm_may_be_without_parameters(mg, name):
    plain = getattr(mg, name)(4, elementwise_affine=False)
    assert plain.parameters() == []
    assert plain.weight is None
    assert data(plain(X)) == data(getattr(mg, name)(4)(X))
    assert plain(X)[0]._op == "*"


def test_norms_are_computed_in_the_order_that_they_state(mg):
    x = values(mg, [0.1, 0.7, -0.3])
    scale = (mg.dot(x, x) / 3 + 1e-5) ** -0.5
    for norm in (mg.RMSNorm(3, 1e-5), mg.RMSNorm(3, 1e-5, False)):
        assert [bits(y.data) for y in norm(x)] == [bits((xi * scale).data) for xi in x]
    mean = mg.sum(x) / 3
    y = [xi - mean for xi in x]
    scale = (mg.dot(y, y) / 3 + 1e-5) ** -0.5
    for norm in (mg.LayerNorm(3), mg.LayerNorm(3, elementwise_affine=False)):
        assert [bits(z.data) for z in norm(x)] == [bits((yi * scale).data) for yi in y]


@pytest.mark.parametrize("name", ["RMSNorm", "LayerNorm"])
def test_a_norm_of_zeros_is_zero(mg, name):
    assert data(getattr(mg, name)(2)([0.0, 0.0])) == [0.0, 0.0]


# All of them


def test_the_defaults_are_those_of_pytorch(mg):
    assert (mg.Dropout().p, mg.LayerNorm(1).eps) == (0.5, 1e-5)
    assert mg.RMSNorm(1).eps == 2.220446049250313e-16  # torch.finfo(torch.float64).eps


ERRORS = [
    (lambda mg: mg.Sequential(), ValueError, "the number of layers must be at least 1, got 0"),
    (
        lambda mg: mg.Sequential(abs, 0.5),
        TypeError,
        "a layer of Sequential must be callable, not 'float'",
    ),
    (lambda mg: mg.Dropout(1), ValueError, "p must be at least 0 and below 1.0, got 1.0"),
    (lambda mg: mg.Dropout("1"), TypeError, "p must be a real number, not 'str'"),
    (
        lambda mg: mg.Dropout()(1.0),
        TypeError,
        "the input of Dropout must be a sequence of Values or numbers, not 'float': "
        "write [x] for a single x",
    ),
    (
        lambda mg: mg.Embedding(0, 1),
        ValueError,
        "the number of embeddings must be at least 1, got 0",
    ),
    (
        lambda mg: mg.Embedding(1, 0),
        ValueError,
        "the number of dimensions must be at least 1, got 0",
    ),
    (
        lambda mg: mg.Embedding(1, 1)(0.0),
        TypeError,
        "'float' object cannot be interpreted as an integer",
    ),
    (lambda mg: mg.RMSNorm(2)([1.0]), ValueError, "RMSNorm expects 2 inputs, got 1"),
    (lambda mg: mg.LayerNorm(2)([1.0] * 3), ValueError, "LayerNorm expects 2 inputs, got 3"),
    (lambda mg: mg.RMSNorm(0), ValueError, "the number of inputs must be at least 1, got 0"),
    (
        lambda mg: mg.LayerNorm(2, -1),
        ValueError,
        "eps must be at least 0 and below inf, got -1.0",
    ),
]


@pytest.mark.parametrize(("fn", "kind", "message"), ERRORS)
def test_an_error_says_what_was_expected(mg, fn, kind, message):
    assert error_of(lambda: fn(mg)) == (kind, message)


def test_all_layers_have_the_same_bits_in_both_packages():
    def program(mg):
        random.seed(11)
        embedding = mg.Embedding(5, 3)
        model = mg.Sequential(
            embedding, mg.RMSNorm(3), mg.Layer(3, 4), mg.Dropout(0.3), mg.LayerNorm(4),
            mg.Layer(4, 2, activation=mg.Value.silu),
        )  # fmt: skip
        optimizer = mg.AdamW(model.parameters(), 0.05)
        losses = []
        for i in range(10):
            losses.append(mg.cross_entropy(model(i % 5), i % 2))
            optimizer.zero_grad()
            losses[-1].backward()
            optimizer.step()
        losses.append(mg.sum(model.eval()(0)))
        return [*losses, *model.parameters()]

    micrograd_ref.crosscheck(program)


@pytest.mark.parametrize("name", ["RMSNorm", "LayerNorm"])
def test_gradcheck_agrees_with_a_norm(mg, name):
    norm = getattr(mg, name)(4)
    assert mg.gradcheck(lambda *x: mg.dot(norm(x), SEED), values(mg, X)).error < 1e-8
