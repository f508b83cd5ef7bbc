"""Tape: what it computes and differentiates, of which rows, and what it reads when."""

import math
import random
import sys

import numpy as np
import programs
import pytest
from bits import bits, record
from errors import error_of
from tapes import bits_of, line, neuron, rows_of

# Forward and backward


def test_a_network_is_evaluated_and_differentiated_over_rows(mg):
    random.seed(1337)
    model = mg.MLP(2, [8, 1])
    samples = programs.moons_samples()
    expected = mg.sum((1 - y * model([x1, x2])).relu() for x1, x2, y in samples) / len(samples)
    expected.backward()
    grads = [p.grad for p in model.parameters()]
    model.zero_grad()

    x, y = [mg.Value(0.0), mg.Value(0.0)], mg.Value(0.0)
    loss = (1 - y * model(x)).relu()
    tape = mg.Tape(loss, inputs=[*x, y])
    losses = tape.forward(samples)
    assert tape.backward(np.full(len(samples), 1 / len(samples))) is None

    assert losses.shape == (100,)
    assert losses.dtype == np.float64
    assert losses.mean() == pytest.approx(expected.data, rel=1e-14)
    assert [p.grad for p in model.parameters()] == pytest.approx(grads, rel=1e-12)


def test_the_neuron_of_the_lecture_has_its_gradients(mg):
    tape, v = neuron(mg)
    assert tape.forward([2.0, 0.0]) == pytest.approx(0.7071067811865476)
    tape.backward()
    assert tape.input_grad == pytest.approx(np.array([-1.5, 0.5]))
    assert [v[name].grad for name in ("w1", "w2", "b")] == pytest.approx([1.0, 0.0, 0.5])


def test_the_readme_program_of_micrograd_has_its_gradients(mg):
    v = programs.more_operations(mg)
    tape = mg.Tape(v["g"], [v["a"], v["b"]])
    assert tape.forward([[-4.0, 2.0]]) == pytest.approx(24.70408163265306)
    tape.backward()
    assert tape.input_grad == pytest.approx(np.array([[138.83381924198252, 645.5772594752186]]))
    assert tape.parameters == ()


def test_a_row_by_itself_gives_a_float(mg):
    tape, _, _ = line(mg)
    assert type(tape.forward([3.0])) is float
    assert tape.forward([3.0]) == 5.0
    assert bits_of(tape.forward([[3.0]])) == bits_of([5.0])


def test_rows_have_their_inputs_in_the_order_given(mg):
    x, y = mg.Value(0.0), mg.Value(0.0)
    out = x - y
    assert mg.Tape(out, [x, y]).forward([5.0, 3.0]) == 2.0
    assert mg.Tape(out, iter([y, x])).forward([5.0, 3.0]) == -2.0
    assert mg.Tape(out, [y, x]).inputs == (y, x)


def test_forward_returns_a_new_array_each_time(mg):
    tape, _, _ = line(mg)
    first = tape.forward([[1.0], [2.0]])
    first[:] = 7.0
    second = tape.forward([[1.0], [2.0]])
    assert first.tolist() == [7.0, 7.0]
    assert second.tolist() == [1.0, 3.0]


def test_several_outputs_make_columns(mg):
    x, w = mg.Value(0.0), mg.Value(2.0)
    shared = x * w
    tape = mg.Tape([shared + 1, shared * shared, shared + 1, x, w], [x])
    assert bits_of(tape.forward([[1.0], [3.0]])) == bits_of(
        [[3.0, 4.0, 3.0, 1.0, 2.0], [7.0, 36.0, 7.0, 3.0, 2.0]]
    )
    assert bits_of(tape.forward([3.0])) == bits_of([7.0, 36.0, 7.0, 3.0, 2.0])


def test_each_output_has_its_weight_in_each_row(mg):
    x, w = mg.Value(0.0), mg.Value(2.0)
    shared = x * w
    tape = mg.Tape((shared + 1, shared * shared, shared + 1, x, w), [x])
    tape.forward([[1.0], [3.0]])
    tape.backward([[1.0, 0.0, 10.0, 100.0, 1000.0], [0.0, 1.0, 0.0, 0.0, 2000.0]])
    # d/dx: w (1 + 10) + 100; 2 (x w) w. d/dw: x (1 + 10) + 1000; 2 (x w) x + 2000.
    assert tape.input_grad.tolist() == [[122.0], [24.0]]
    assert w.grad == 11.0 + 1000.0 + 36.0 + 2000.0


def test_an_output_that_is_repeated_or_used_by_another_gets_the_gradient_of_both(mg):
    x, w = mg.Value(0.0), mg.Value(3.0)
    inner = x * w
    tape = mg.Tape([inner, inner, inner.exp()], [x])
    tape.forward([0.0])
    tape.backward([1.0, 10.0, 100.0])
    assert tape.input_grad.tolist() == [333.0]


def test_an_output_that_is_repeated_often_stays_one(mg):
    x, w = mg.Value(0.0), mg.Value(3.0)
    inner = x * w
    tape = mg.Tape([inner + 1, *[inner] * 256], [x])
    assert tape.forward([2.0]).tolist() == [7.0, *[6.0] * 256]
    assert len(tape) == 2  # nothing is fused with an output


def test_one_output_in_a_sequence_is_one_column(mg):
    x = mg.Value(0.0)
    tape = mg.Tape([x * x], [x])
    assert tape.forward([[2.0], [3.0]]).tolist() == [[4.0], [9.0]]
    assert bits_of(tape.forward([2.0])) == bits_of([4.0])
    assert tape.forward(np.empty((0, 1))).shape == (0, 1)
    outputs = np.array([x * x, -x])  # any sequence, also of NumPy
    assert mg.Tape(outputs, [x]).forward([2.0]).tolist() == [4.0, -2.0]


def test_an_output_may_be_a_leaf(mg):
    x, p = mg.Value(0.0), mg.Value(3.0)
    for output, inputs, row in ((x, [x], [5.0]), (p, [], [])):
        tape = mg.Tape(output, inputs)
        assert tape.forward(row) == (row or [3.0])[0]
        assert bits_of(tape.forward([row, row])) == bits_of((row or [3.0]) * 2)
        tape.backward([1.5, 2.0])
        assert tape.input_grad.tolist() == [[1.5], [2.0]] if inputs else [[], []]
        assert len(tape) == 0
    assert (x.grad, p.grad) == (0.0, 3.5)


def test_without_inputs_there_is_one_row(mg):
    p = [mg.Value(1.0), mg.Value(-2.0)]
    tape = mg.Tape(0.5 * mg.dot(p, p))
    assert tape.forward() == 2.5
    tape.backward()
    assert [x.grad for x in p] == [1.0, -2.0]
    assert tape.input_grad.shape == (0,)
    assert tape.forward(np.empty((3, 0))).tolist() == [2.5, 2.5, 2.5]
    tape.backward([1.0, 1.0, 2.0])
    assert [x.grad for x in p] == [5.0, -10.0]
    assert tape.input_grad.shape == (3, 0)


def test_an_input_may_be_used_many_times(mg):
    x = mg.Value(0.0)
    tape = mg.Tape(x * x + x / x - x + mg.dot([x, x], [x, 3.0]), [x])
    assert tape.forward([[2.0], [5.0]]).tolist() == [4 + 1 - 2 + 10.0, 25 + 1 - 5 + 40.0]
    tape.backward()
    assert tape.input_grad.tolist() == [[4 - 1 + 7.0], [10 - 1 + 13.0]]


def test_a_constant_is_no_parameter_but_may_be_output_or_input(mg):
    w = mg.Value(2.0)
    out = w * 5
    _, five = out._children
    assert mg.Tape(out).parameters == (w,)
    constant = mg.Tape([five, out])
    assert constant.forward().tolist() == [5.0, 10.0]
    constant.backward()
    assert (w.grad, five.grad) == (5.0, 0.0)
    varied = mg.Tape(out, [five])
    assert varied.forward([[1.0], [7.0]]).tolist() == [2.0, 14.0]
    varied.backward()
    assert varied.input_grad.tolist() == [[2.0], [2.0]]


def test_parameters_are_in_topological_order(mg):
    v = programs.neuron(mg)
    assert mg.Tape(v["o"]).parameters == tuple(v[name] for name in ("x1", "w1", "x2", "w2", "b"))
    tape, v = neuron(mg)
    assert tape.parameters == (v["w1"], v["w2"], v["b"])
    assert tape.inputs == (v["x1"], v["x2"])


def test_repr_and_length_count(mg):
    tape, _ = neuron(mg)
    assert len(tape) == 2
    assert repr(tape) == "Tape(2 instructions, 2 inputs, 3 parameters)"
    assert repr(mg.Tape(mg.Value(1.0))) == "Tape(0 instructions, 0 inputs, 1 parameters)"


# Rows


def spread(rows):
    out = np.full([2 * n + 3 for n in rows.shape], math.nan)
    view = out[tuple(slice(1, 1 + 2 * n, 2) for n in rows.shape)]
    view[...] = rows
    return view


def read_only(rows):
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


def unaligned(rows):
    out = np.frombuffer(b"\0" + rows.tobytes(), np.float64, offset=1).reshape(rows.shape)
    assert not out.flags.aligned
    return out


class Subclass(np.ndarray):
    pass


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": spread,
    "reversed": lambda rows: np.flip(np.flip(rows).copy()),
    "read-only": read_only,
    "unaligned": unaligned,
    "lists": np.ndarray.tolist,
    "other byte order": lambda rows: rows.astype(rows.dtype.newbyteorder()),
    "subclass": lambda rows: rows.view(Subclass),
    "other dtype object": lambda rows: rows.astype(np.dtype("f8", metadata={"unit": "m"})),
}


@pytest.mark.parametrize("columns", [2, 3, 4, 5, 19])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_rows_and_seeds_may_lie_in_memory_in_any_way(mg, layout, columns):
    def run(lie):
        model = mg.MLP(columns, [3, columns], activation="tanh")
        for i, p in enumerate(model.parameters()):
            p.data = math.sin(i)
        x = [mg.Value(0.0) for _ in range(columns)]
        tape = mg.Tape(model(x), x)
        found = []
        many, one = (rows_of(131, columns), rows_of(131, columns, 1)), rows_of(2, columns)
        for rows, seed in (many, one):
            found += [tape.forward(lie(rows)), tape.backward(lie(seed)) or tape.input_grad]
        return [bits_of(x) for x in found] + [bits(p.grad) for p in model.parameters()]

    assert run(layout) == run(np.copy)


def test_backward_reads_every_number_again(mg):
    for shape in [(3,), (9, 2), (19, 11)]:
        x = [mg.Value(0.0) for _ in range(shape[-1])]
        tape = mg.Tape(mg.dot(x, x), x)
        rows = np.ones(shape)
        for place in np.ndindex(shape):
            tape.forward(rows)
            rows[place] = 3.0
            tape.backward()
            assert (tape.input_grad == 2 * rows).all()
            rows[place] = 1.0


def test_rows_that_share_their_memory_are_read_as_they_look(mg):
    tape, w, _ = line(mg)
    rows = np.broadcast_to(3.0, (200, 1))
    assert tape.forward(rows).tolist() == [5.0] * 200
    tape.backward(np.broadcast_to(0.5, 200))
    assert (w.grad, tape.input_grad.shape) == (300.0, (200, 1))


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "g", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">f4", "?"]
)
def test_real_dtypes_are_converted(mg, dtype):
    rows, seed = np.array([[1], [0], [3]]).astype(dtype), np.array([0, 1, 2]).astype(dtype)
    tape, w, b = line(mg)
    assert bits_of(tape.forward(rows)) == bits_of([1.0, -1.0, 5.0 if dtype != "?" else 1.0])
    tape.backward(seed)
    assert (w.grad, b.grad) == ((6.0, 3.0) if dtype != "?" else (1.0, 2.0))
    assert tape.input_grad.tolist() == [[0.0], [2.0], [4.0 if dtype != "?" else 2.0]]


def test_rows_of_python_numbers_are_converted(mg):
    tape, w, _ = line(mg)
    assert tape.forward([[True], [2], [0.1]]).tolist() == [1.0, 3.0, 2.0 * 0.1 - 1.0]
    assert tape.forward((2**53,)) == 2.0**54 - 1.0
    tape.backward(3)
    assert w.grad == 3 * 2.0**53


def test_no_rows_give_no_results(mg):
    tape, w, b = line(mg)
    assert bits_of(tape.forward(np.empty((0, 1)))) == ((0,), [])
    tape.backward()
    assert tape.input_grad.shape == (0, 1)
    tape.backward(np.empty(0))
    assert (w.grad, b.grad) == (0.0, 0.0)


def test_nan_and_inf_travel_in_their_rows_alone(mg):
    x, w = mg.Value(0.0), mg.Value(0.5)
    tape = mg.Tape([(x * w).exp(), 1 / x, x.relu()], [x])
    assert bits_of(tape.forward([[math.nan], [math.inf], [-math.inf], [-0.0], [2.0]])) == bits_of(
        [
            [math.nan, math.nan, math.nan],
            [math.inf, 0.0, math.inf],
            [0.0, -0.0, 0.0],
            [1.0, -math.inf, 0.0],
            [math.e, 0.5, 2.0],
        ]
    )
    tape.backward()
    infinite = [[math.nan], [math.inf], [0.0], [-math.inf]]
    assert bits_of(tape.input_grad) == bits_of([*infinite, [0.5 * math.e - 0.25 + 1.0]])
    assert math.isnan(w.grad)


# What a Tape reads, and when


def test_parameters_are_read_at_forward(mg):
    tape, w, b = line(mg)
    tape.forward([3.0])
    w.data, b.data = 10.0, 20.0
    assert tape.forward([3.0]) == 50.0


def test_a_parameter_changed_after_forward_does_not_matter_to_backward(mg):
    def run(change):
        x, w = mg.Value(0.0), mg.Value(0.5)
        tape = mg.Tape((x * w).exp() * w.exp(), [x])
        found = []
        for rows in ([0.25], rows_of(5, 1), rows_of(300, 1)):
            w.data, w.grad = 0.5, 0.0
            found.append(tape.forward(rows))
            w.data = change
            tape.backward()
            found += [tape.input_grad, w.grad]
        return [bits_of(x) for x in found]

    assert run(-7.0) == run(0.5)


def test_what_happens_to_the_graph_afterwards_does_not_matter(mg):
    x, w = mg.Value(0.0), mg.Value(2.0)
    product = x * w
    out = (product + 5) ** 3
    five = out._children[0]._children[1]
    tape = mg.Tape(out, [x])
    for node in (x, product, five, out):
        node.data = node.grad = 100.0
    assert tape.forward([1.0]) == 343.0
    tape.backward()
    assert (w.grad, tape.input_grad.tolist()) == (3 * 49.0, [2 * 3 * 49.0])


def test_the_graph_can_be_dropped(mg):
    w = mg.Value(2.0)
    before = sys.getrefcount(w)
    out = (w * 3.0).exp() - w
    tape = mg.Tape(out)
    del out
    assert sys.getrefcount(w) == before + 1  # that of tape.parameters
    assert tape.forward() == math.exp(6.0) - 2.0


def test_the_graph_is_left_alone(mg):
    v = programs.more_operations(mg)
    numbers = [0.5, -0.0, math.inf, -math.inf, math.nan, 5e-324]
    nodes = sorted(mg.trace(v["g"])[0], key=id)
    for i, node in enumerate(nodes):
        node.grad, node.label = numbers[i % len(numbers)], f"node {i}"
    before = record([v["g"]])
    tape = mg.Tape([v["g"], nodes[0]], [v["a"]])
    assert record([v["g"]]) == before
    tape.forward(rows_of(3, 1))
    assert record([v["g"]]) == before
    v["b"].grad = 1.0
    before = record([v["g"]])
    tape.backward()
    assert v["b"].grad != 1.0
    v["b"].grad = 1.0
    assert record([v["g"]]) == before  # also of the input


def test_the_graph_is_left_alone_where_recording_fails(mg):
    a = mg.Value(1.0)
    custom = mg.Value(1.0, (a * 2,), "custom")
    custom._backward = lambda: None
    a.grad, custom.grad = -0.0, 3.0
    out = custom * a
    before = record([out])
    assert error_of(lambda: mg.Tape(out, [a]))[0] is ValueError
    assert error_of(lambda: mg.Tape(out, [mg.Value(1.0)]))[0] is ValueError
    assert record([out]) == before
    out.backward()
    assert custom.grad == 1.0


def test_gradients_are_added_to_those_there(mg):
    tape, w, b = line(mg)
    w.grad, b.grad = 100.0, math.inf
    tape.forward([[3.0], [4.0]])
    tape.backward()
    assert (w.grad, b.grad) == (107.0, math.inf)


def test_backward_again_adds_to_parameters_and_not_to_inputs(mg):
    tape, w, b = line(mg)
    tape.forward([[3.0], [4.0]])
    tape.backward([1.0, 2.0])
    first = tape.input_grad
    w.data = 50.0
    tape.backward([10.0, 0.0])
    assert (w.grad, b.grad) == (11.0 + 30.0, 3.0 + 10.0)
    assert tape.input_grad.tolist() == [[20.0], [0.0]]
    assert first.tolist() == [[2.0], [4.0]]


def test_without_a_seed_each_row_counts_once(mg):
    for build in (lambda out: out, lambda out: [out, -out, out]):
        found = []
        for seed in (None, 1.0):
            x, w = mg.Value(0.0), mg.Value(0.3)
            tape = mg.Tape(build((x * w).tanh()), [x])
            shape = np.shape(tape.forward(rows_of(130, 1)))
            tape.backward(seed and np.ones(shape))
            found.append((bits(w.grad), bits_of(tape.input_grad)))
        assert found[0] == found[1]


def test_input_grad_has_the_shape_of_the_rows(mg):
    tape, _ = neuron(mg)
    for shape in ((2,), (1, 2), (5, 2), (300, 2), (0, 2)):
        tape.forward(np.ones(shape))
        assert error_of(lambda: tape.input_grad)[0] is ValueError  # until backward
        tape.backward()
        assert tape.input_grad.shape == shape
        assert tape.input_grad.dtype == np.float64


def test_a_refused_call_changes_nothing(mg):
    tape, w, b = line(mg)
    tape.forward([[3.0], [4.0]])
    tape.backward()
    for fn in (
        lambda: tape.forward([[1.0, 2.0]]),
        lambda: tape.forward("rows"),
        lambda: tape.backward([1.0]),
        lambda: tape.backward([1j, 1j]),
    ):
        assert error_of(fn)[0] in (TypeError, ValueError)
        assert (w.grad, b.grad, tape.input_grad.tolist()) == (7.0, 2.0, [[2.0], [2.0]])
    tape.backward()
    assert (w.grad, b.grad) == (14.0, 4.0)
