"""A Tape that is pickled or copied."""

import copy
import math
import pickle

import pytest
from errors import error_of
from tapes import bits_of, every_operation, line, replay, rows_of

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
WAYS = {
    **{f"pickle {i}": lambda x, i=i: pickle.loads(pickle.dumps(x, i)) for i in PROTOCOLS},
    "deepcopy": copy.deepcopy,
}
either_way = pytest.mark.parametrize("duplicate", WAYS.values(), ids=list(WAYS))


@either_way
def test_a_duplicate_gives_the_same_bits(mg, duplicate):
    def tape():
        inputs, parameters, outputs = every_operation(mg)
        parameters[0].data, parameters[1].data = 5e-324, 0.1
        x, y = inputs
        constants = [x + k for k in (-0.0, math.inf, math.nan, 5e-324)]
        constants.append(x * parameters[0] + y * parameters[1])
        powers = [x**k for k in (0.1, math.nan, -math.inf)]
        return mg.Tape([*outputs, *constants, *powers], inputs)

    batches = [(rows_of(n, 2), None) for n in (1, 9, 129)] + [([-0.0, -0.0], None)]
    first = tape()
    expected = replay(first, batches)
    assert replay(duplicate(tape()), batches) == expected
    used = duplicate(first)
    for p in used.parameters:
        p.grad = 0.0
    assert replay(used, batches) == expected


@either_way
def test_a_duplicate_has_values_of_its_own_and_no_forward_behind_it(mg, duplicate):
    tape, w, b = line(mg)
    w.label, w.grad = "w", 4.0
    tape.forward([[1.0], [2.0]])
    tape.backward()
    twin = duplicate(tape)
    assert type(twin) is mg.Tape
    assert repr(twin) == repr(tape)
    message = "backward needs a forward before it"
    assert error_of(twin.backward) == (ValueError, message)
    assert error_of(lambda: twin.input_grad)[0] is ValueError

    mine, *_ = twin.parameters
    assert (mine.label, mine.data, mine.grad) == ("w", 2.0, 7.0)
    mine.data = 100.0
    assert (twin.forward([1.0]), tape.forward([1.0])) == (99.0, 1.0)
    twin.backward()
    assert (mine.grad, w.grad, b.grad) == (8.0, 7.0, 2.0)


@either_way
def test_a_network_and_its_tape_keep_sharing_their_parameters(mg, duplicate):
    model = mg.MLP(2, [3, 1])
    x = [mg.Value(0.0, label="x1"), mg.Value(0.0, label="x2")]
    model, x, tape = duplicate((model, x, mg.Tape([model(x), x[1]], x)))
    assert set(tape.parameters) == set(model.parameters())
    assert tape.inputs == tuple(x)
    for p in model.parameters():
        p.data = 0.5
    row = [1.0, -0.5]
    assert tape.forward(row).tolist() == [model(row).data, -0.5]


def test_a_shallow_copy_shares_its_parameters(mg):
    tape, w, _ = line(mg)
    tape.forward([1.0])
    twin = copy.copy(tape)
    assert twin.parameters == tape.parameters
    assert twin.inputs == tape.inputs
    assert error_of(twin.backward)[0] is ValueError
    assert twin.forward([[1.0], [2.0]]).tolist() == [1.0, 3.0]
    twin.backward()
    tape.backward()
    assert (w.grad, tape.input_grad.shape, twin.input_grad.shape) == (4.0, (1,), (2, 1))


def test_a_subclass_pickles_attributes_of_its_own(mg):
    class Named(mg.Tape):
        def __reduce__(self):
            return Named, (self.output, self.inputs), {"output": self.output, "name": self.name}

    x = mg.Value(1.0)
    output = x * 2
    tape = Named(output, [x])
    tape.output, tape.name = output, "double"
    twin = copy.copy(tape)
    assert type(twin) is Named
    assert (twin.name, twin.forward([3.0])) == ("double", 6.0)


@pytest.mark.parametrize("way", ["pickle 5", "deepcopy"])
def test_a_long_tape_is_duplicated_without_recursion(mg, way):
    length = {"micrograd_ref": 10_000, "micrograd_fast": 1_000_000}[mg.__name__]
    x, w = mg.Value(0.0), mg.Value(1.0000001)
    node = x
    for _ in range(length):
        node = node * w
    tape = mg.Tape(node, [x])
    del node
    twin = WAYS[way](tape)
    assert len(twin) == length
    assert twin.forward([0.3]) == tape.forward([0.3])
    twin.backward()
    tape.backward()
    assert bits_of(twin.input_grad) == bits_of(tape.input_grad)
    assert twin.parameters[0].grad == w.grad != 0.0
