"""gradient gives what backward does, as a graph: its bits, its rows, its custom operations."""

import copy
import gc
import math
import pickle
import random
import struct
import sys

import numpy as np
import programs
import pytest
from bits import bits, record
from errors import error_of
from fuzz.running import compiled
from fuzz.writing import Writer
from golden.graphs import OPERATIONS, Draw, graph

import micrograd_fast
import micrograd_ref

SEEDS = range(60)


def bits_of(values):
    return [bits(x.data) for x in values]


def grads_after_backward(root, inputs):
    """The bits that backward leaves in grads of 0.0, which are put back."""
    leaves = [*inputs, *(x for x in micrograd_ref.trace(root)[0] if not x._children)]
    before = [x.grad for x in leaves]
    for x in leaves:
        x.grad = 0.0
    root.backward()
    found = [bits(x.grad) for x in inputs]
    for x, grad in zip(leaves, before, strict=True):
        x.grad = grad
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_the_data_are_the_bits_that_backward_leaves(mg, seed):
    made, _, results = graph(mg, seed, OPERATIONS)
    for root in results:
        assert bits_of(mg.gradient(root, made)) == grads_after_backward(root, made)


@pytest.mark.parametrize("seed", SEEDS)
def test_so_are_those_of_the_gradient_of_a_gradient(mg, seed):
    made, count, results = graph(mg, seed, OPERATIONS)
    for g in mg.gradient(results[-1], made[:count]):
        assert bits_of(mg.gradient(g, made[:count])) == grads_after_backward(g, made[:count])


def differentiated_twice(mg, seed):
    made, count, results = graph(mg, seed, OPERATIONS)
    first = mg.gradient(mg.sum(results), made)
    second = [h for g in first[:count] for h in mg.gradient(g, made[:count])]
    return [*first, *second]


@pytest.mark.parametrize("seed", SEEDS)
def test_both_packages_make_the_same_graph(seed):
    ref, fast = (record(differentiated_twice(mg, seed)) for mg in (micrograd_ref, micrograd_fast))
    assert fast == ref
    assert micrograd_ref.crosscheck(differentiated_twice, seed) == len(ref)


def test_the_bits_are_those_of_backward_in_programs_of_the_fuzzer(mg):
    checked = 0
    for i in range(60):
        writer = Writer(f"gradient:{i}")
        writer.run = type(writer.run)(mg.__name__)
        for line in writer.lines():
            writer.run.do(compiled(line))
        for name in writer.live(mg.Value):
            root = writer.run.names[name]
            nodes = list(mg.trace(root)[0])
            if not any(is_custom(x) for x in nodes):
                assert bits_of(mg.gradient(root, nodes)) == grads_after_backward(root, nodes)
                checked += 1
    assert checked > 200


def is_custom(node):
    if type(node).__name__ != "Value":
        return True
    known = node._op in micrograd_ref.operations.OPERATIONS or node._op.startswith("**")
    return not known and bool(node._children or node._op)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_row_of_a_tape_has_the_bits_of_its_eager_gradient(mg, seed):
    made, count, results = graph(mg, seed, OPERATIONS)
    leaves, root = made[:count], mg.sum(results)
    outputs = [root, *mg.gradient(root, leaves)]
    reached = set().union(*(mg.trace(x)[0] for x in outputs))
    inputs = [x for x in leaves if x in reached]
    tape = mg.Tape(outputs, inputs)
    draw = Draw(seed)
    rows = [[draw.number() for _ in inputs] for _ in range(5)]
    found = tape.forward(rows)
    for row, of_row in zip(rows, found.tolist(), strict=True):
        eager, _, results = graph(mg, seed, OPERATIONS)
        for x, number in zip((eager[made.index(x)] for x in inputs), row, strict=True):
            x.data = number
        again = mg.Tape(mg.sum(results), [eager[made.index(x)] for x in inputs])
        assert bits(of_row[0]) == bits(again.forward([row])[0])
        again.backward()
        gradients = dict(zip(inputs, again.input_grad[0].tolist(), strict=True))
        for x, g in zip(leaves, of_row[1:], strict=True):
            if x in gradients:
                assert bits(g) == bits(0.0 + gradients[x])


def test_piecewise_gradients_are_right_for_every_row(mg):
    x, y = mg.Value(0.5), mg.Value(2.0)  # another side of every branch than that of some rows
    pieces = [
        *(x.relu(), abs(x), mg.maximum(x, y), mg.minimum(x, y), mg.where(x, x * y, y * y)),
        *(x.leaky_relu(y), x.clip(-1.0, 1.0), x**y),
    ]
    for piece in pieces:
        tape = mg.Tape([*mg.gradient(piece, [x, y]), x, y], [x, y])
        again = mg.Tape([piece, x, y], [x, y])
        for row in ([3.0, 2.0], [-3.0, 2.0], [0.0, 0.0], [2.0, 2.0], [-1.0, -2.0], [0.5, 0.0]):
            again.forward([row])
            again.backward([[1.0, 0.0, 0.0]])
            found = tape.forward([row])[0, :2].tolist()
            assert list(map(bits, found)) == list(map(bits, again.input_grad[0].tolist()))


def test_a_gradient_shares_the_graph_and_leaves_its_grads(mg):
    v = programs.neuron(mg)
    v["o"].backward()
    before = record(v.values())
    (g,) = mg.gradient(v["o"], [v["x1"]])
    assert record(v.values()) == before
    assert {v["o"], v["w1"]} <= mg.trace(g)[0]


def test_no_grad_is_taken_for_a_number(mg):
    """While gradient of the fast package numbers nodes, a grad may hold a number, as a nan."""
    a, b = mg.Value(2.0), mg.Value(3.0)
    c = a * b + a
    for x in (a, b, c):
        for number in range(4):
            (x.grad,) = struct.unpack("d", struct.pack("Q", 0x7FF4D1FF00000000 + number))
            assert [g.data for g in mg.gradient(c, [a])] == [4.0]
            assert [g.data for g in mg.gradient(c, [c, b])] == [1.0, 2.0]
            assert math.isnan(x.grad)
        x.grad = 5.0
    assert [x.grad for x in (a, b, c)] == [5.0, 5.0, 5.0]


def test_inputs_are_leaves_or_results_in_any_sequence(mg):
    a, b, unused = mg.Value(2.0), mg.Value(-3.0), mg.Value(7.0)
    c = a * b
    d = c * c + a
    asked = (d, c, a, b, a, unused)
    expected = [1.0, -12.0, 37.0, -24.0, 37.0, 0.0]
    assert [g.data for g in mg.gradient(d, asked)] == expected
    assert [g.data for g in mg.gradient(d, iter(asked))] == expected
    array = np.array(asked, dtype=object).reshape(2, 3)
    assert [g.data for g in mg.gradient(d, array)] == expected
    assert mg.gradient(d, []) == []
    assert mg.gradient(a, [a])[0].data == 1.0
    assert math.copysign(1.0, mg.gradient(a, [b])[0].data) == 1.0


def test_a_gradient_can_be_trained_on_through_a_tape(mg):
    x, w, rows = mg.Value(0.0), mg.Value(0.3), [[-0.5], [0.25], [1.0]]
    u = (w * x).tanh()
    (slope,) = mg.gradient(u, [x])
    tape = mg.Tape((slope - 1.0) ** 2, [x])
    before = tape.forward(rows).sum()
    tape.backward()
    w.data += 1e-6
    assert w.grad == pytest.approx((tape.forward(rows).sum() - before) / 1e-6, 1e-4)


# Custom operations


def twice_cubed(g, out, a, b):
    return 3 * a * a * b * g, a * a * a * g


def cube_times(mg, a, b, rule=twice_cubed):
    out = mg.Value(a.data**3 * b.data, (a, b), "cube times")

    def step():
        a.grad += 3 * a.data * a.data * b.data * out.grad
        b.grad += a.data * a.data * a.data * out.grad

    out._backward = step
    if rule:
        out._gradient = rule
    return out


def test_a_custom_operation_without_a_rule_is_named(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    way_out = (
        "assign a function of its gradient g, itself and its children that gives the gradient of "
        "each child as a Value, _gradient = lambda g, out, a, b: (b * g, a * g)"
    )
    for out in (cube_times(mg, a, b, None), mg.Value(24.0, (a, b), "cube times", "", (36.0, 8.0))):
        message = f"the custom operation 'cube times' has no _gradient: {way_out}"
        assert error_of(lambda out=out: mg.gradient(out * 2, [a])) == (ValueError, message)
        assert mg.gradient(out * a, [out])[0].data == 2.0  # nothing passes through it
    assert mg.gradient(cube_times(mg, a, a, None) * b, [b])[0].data == 16.0


def test_a_rule_over_values_can_be_differentiated_again(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    root = cube_times(mg, a, b).tanh() * 0.5 + cube_times(mg, b, a)
    plain = (a * a * a * b).tanh() * 0.5 + b * b * b * a
    for custom, ours in zip(mg.gradient(root, [a, b]), mg.gradient(plain, [a, b]), strict=True):
        assert custom.data == pytest.approx(ours.data, rel=1e-14)
        seconds = mg.gradient(custom, [a, b]), mg.gradient(ours, [a, b])
        assert [h.data for h in seconds[0]] == pytest.approx([h.data for h in seconds[1]], 1e-13)


def test_a_rule_may_give_numbers_and_the_gradient_itself(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    out = mg.Value(5.5, (a, b), "a + 0.5 + b", local_grads=(1.0, 0.0))
    out._gradient = lambda g, out, a, b: (g, 0)
    assert [g.data for g in mg.gradient(out, [a, b])] == [1.0, 0.0]


def test_a_rule_is_pickled_and_copied_with_its_node(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    out = mg.Value(24.0, (a, b), "cube times", local_grads=(36.0, 8.0))
    out._gradient = twice_cubed
    for copied in (pickle.loads(pickle.dumps(out)), copy.deepcopy(out), copy.copy(out)):
        assert [g.data for g in mg.gradient(copied, copied._children)] == [36.0, 8.0]


def test_a_subclass_may_have_the_rule(mg):
    class Doubled(mg.Value):
        def _gradient(self, g, out, a):
            return [2.0 * g]

    a = mg.Value(1.5)
    assert mg.gradient(Doubled(3.0, (a,), (2.0,)) * a, [a])[0].data == 6.0


def test_a_rule_that_changes_data_changes_the_sums_that_follow(mg):
    """Each is computed when its last term is there, in both packages."""
    a, b = mg.Value(2.0), mg.Value(3.0)
    out = mg.Value(1.0, (a,), (1.0,))

    def rule(g, out, a):
        b.data = 100.0
        return [g * 1.0]

    out._gradient = rule
    for root in (out + a * b, a * b + out):
        b.data = 3.0
        assert mg.gradient(root, [a])[0].data == 101.0


def test_what_a_subclass_says_of_its_children_changes_no_gradient(mg):
    class Many(mg.Value):
        _children = ()

        def _gradient(self, g, out, *children):
            return [g] * len(children)

    a = mg.Value(2.0)
    out = Many(1.0, (a,), "many")
    Many._children = (a,) * 5000
    assert mg.gradient(out * 3, [a])[0].data == 3.0


def test_a_wrong_rule_is_an_error(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    out = cube_times(mg, a, b, lambda g, out, a, b: [g])
    message = "_gradient of the custom operation 'cube times' must give a gradient for each of 2 "
    assert error_of(lambda: mg.gradient(out, [a])) == (ValueError, message + "children, got 1")
    out._gradient = lambda g, out, a, b: (g, "1")
    kind, message = error_of(lambda: mg.gradient(out, [b]))
    assert (kind, message) == (
        TypeError,
        "unsupported operand for a Value: 'str' (expected a Value or a real number)",
    )
    out._gradient = lambda g, out, a, b: {}["missing"]
    assert error_of(lambda: mg.gradient(out, [b])) == (KeyError, "'missing'")
    assert mg.gradient(a * b, [b])[0].data == 2.0


def test_methods_of_a_subclass_change_no_gradient(mg):
    class Loud(mg.Value):
        def __mul__(self, other):
            raise AssertionError

        __rmul__ = __add__ = __radd__ = __eq__ = __mul__
        __hash__ = None

    a, b = Loud(2.0), mg.Value(3.0)
    root = mg.dot([a], [b]) + a.log1p() + a.atan()
    found = bits_of(mg.gradient(root, [a, b]))
    root.backward()
    assert found == [bits(a.grad), bits(b.grad)]


# Errors and memory


def test_what_is_no_value_is_refused(mg):
    a = mg.Value(2.0)
    other = micrograd_fast if mg is micrograd_ref else micrograd_ref
    name = f"{mg.__name__}.engine.Value"
    for fn, message in (
        (lambda: mg.gradient(2.0, [a]), "gradient differentiates a Value, not 'float'"),
        (
            lambda: mg.gradient(a, a),
            f"the inputs of a derivative must be a sequence of Values, not '{name}': "
            "write [x] for a single x",
        ),
        (lambda: mg.gradient(a, [a, 1.0]), "input 1 of a derivative must be a Value, not 'float'"),
        (
            lambda: mg.gradient(a, [other.Value(1.0)]),
            f"input 0 of a derivative must be a Value, not '{other.__name__}.engine.Value'",
        ),
    ):
        assert error_of(fn) == (TypeError, message)


def test_an_anomaly_is_found_where_the_node_is_made(mg):
    x = mg.Value(0.0)
    root = x.sqrt() * 3.0
    with mg.detect_anomaly():
        kind, message = error_of(lambda: mg.gradient(root, [x]))
    assert (kind, message) == (FloatingPointError, "'/' made inf of 3.0, 0.0")


def test_nothing_is_left_behind(mg):
    def differentiate():
        rng = random.Random(3)
        xs = [mg.Value(rng.uniform(-1, 1)) for _ in range(6)]
        out = mg.dot(xs[:3], xs[3:]).tanh() ** 3 + cube_times(mg, xs[0], xs[1])
        broken = mg.Value(1.0, (out,), "broken")
        error_of(lambda: mg.gradient(broken * 2, xs))
        return mg.gradient(mg.sum(mg.gradient(out, xs)), xs)

    differentiate()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(100):
        differentiate()
    gc.collect()
    assert sys.getallocatedblocks() - before < 50
