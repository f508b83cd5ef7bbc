"""What becomes of a Tape: pickled, copied, damaged, interrupted, and used by several threads."""

import contextlib
import copy
import math
import pickle
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from test_errors import error_of
from test_tape import bits_of, line, rows_of
from test_tape_cross import every_operation, replay, run

import micrograd_fast
import micrograd_ref

# Pickles and copies

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


# Damaged states of the fast twin


def product(mg):
    """tanh(x * w), with x in slot 0 and w in the shared slot ~2."""
    x, w = mg.Value(0.0), mg.Value(2.0)
    return mg.Tape((x * w).tanh(), [x])


def number_of(operation):
    """How a state names the operation that is last in a graph."""
    x, y, w = (micrograd_fast.Value(1.5) for _ in range(3))
    out = micrograd_fast.sum([x, y, w]) * operation(x, y, w)
    _, state = micrograd_fast.Tape([out, operation(x, y, w)], [x, y]).__reduce__()
    return state[CODE][-5]


CODE, TERMS, OUTPUTS, CONSTANTS, TABLE = 3, 4, 5, 6, 7
MUL = number_of(lambda x, y, w: x * w)
TANH = number_of(lambda x, y, w: x.tanh())
POWER = number_of(lambda x, y, w: x**3)
SUM = number_of(lambda x, y, w: micrograd_fast.sum([x, w]))
DOT = number_of(lambda x, y, w: micrograd_fast.dot([x, x], [y, w]))
DOT_SHARED = number_of(lambda x, y, w: micrograd_fast.dot([x, y], [w, w]))
DOT_SWAPPED = number_of(lambda x, y, w: micrograd_fast.dot([w, w], [x, y]))

DAMAGED = {
    # An instruction is an operation, the slot of its result, two operands, and how many terms.
    "a slot out of range": (CODE, [MUL, 1, 99, ~2, 0, TANH, 2, 1, 0, 0]),
    "a negative slot out of range": (CODE, [MUL, 1, 0, ~3, 0, TANH, 2, 1, 0, 0]),
    "an operand that comes later": (CODE, [MUL, 1, 2, ~2, 0, TANH, 2, 1, 0, 0]),
    "an operand that is its own result": (CODE, [MUL, 1, 0, ~2, 0, TANH, 2, 2, 0, 0]),
    "a result out of turn": (CODE, [MUL, 2, 0, ~2, 0, TANH, 2, 1, 0, 0]),
    "a result over an input": (CODE, [MUL, 0, 0, ~2, 0, TANH, 1, 0, 0, 0]),
    "a result over a parameter": (CODE, [MUL, 1, 0, ~2, 0, TANH, ~2, 1, 0, 0]),
    "a leaf": (CODE, [MUL, 1, 0, ~2, 0, 0, 2, 1, 0, 0]),
    "a custom operation": (CODE, [MUL, 1, 0, ~2, 0, 1, 2, 1, 0, 0]),
    "an unknown operation": (CODE, [MUL, 1, 0, ~2, 0, 99, 2, 1, 0, 0]),
    "a negative operation": (CODE, [MUL, 1, 0, ~2, 0, -1, 2, 1, 0, 0]),
    "half an instruction": (CODE, [MUL, 1, 0, ~2, 0, TANH, 2, 1]),
    "half an instruction more": (CODE, [MUL, 1, 0, ~2, 0, TANH, 2, 1, 0, 0, TANH, 3]),
    "no instructions": (CODE, []),
    "one result for what varies": (CODE, [MUL, 1, 0, ~2, 0, TANH, 2, 1, 0, 0, TANH, ~3, 1, 0, 0]),
    "a result for each row of what does not vary": (CODE, [MUL, 1, 0, ~2, 0, TANH, 2, ~2, 0, 0]),
    "a product for each row of parameters": (CODE, [MUL, 1, ~2, ~2, 0, TANH, 2, 1, 0, 0]),
    "a dot without its terms": (CODE, [DOT, 1, 0, 0, 1, TANH, 2, 1, 0, 0]),
    "a dot from before the terms": (CODE, [DOT, 1, 0, -1, 0, TANH, 2, 1, 0, 0]),
    "a dot of a negative length": (CODE, [DOT, 1, 0, 0, -1, TANH, 2, 1, 0, 0]),
    "a sum of nothing": (CODE, [SUM, 1, 0, 0, 0, TANH, 2, 1, 0, 0]),
    "a sum of a negative length": (CODE, [SUM, 1, 0, 0, -1, TANH, 2, 1, 0, 0]),
    "a dot over rows that does not vary": (
        CODE,
        [DOT_SHARED, ~3, ~2, 0, 0, MUL, 1, 0, ~2, 0, TANH, 2, 1, 0, 0],
    ),
    "the other dot over rows that does not vary": (
        CODE,
        [DOT_SWAPPED, ~3, ~2, 0, 0, MUL, 1, 0, ~2, 0, TANH, 2, 1, 0, 0],
    ),
    "an exponent that varies": (CODE, [POWER, 1, 0, 0, 0, TANH, 2, 1, 0, 0]),
    "no outputs": (OUTPUTS, []),
    "an output out of range": (OUTPUTS, [3]),
    "a negative output out of range": (OUTPUTS, [~3]),
    "two outputs of one": (OUTPUTS, [2, 2]),
    "no constants": (CONSTANTS, []),
    "one constant": (CONSTANTS, [-0.0]),
    "no inputs": (1, ()),
    "no parameters": (2, ()),
}


@pytest.mark.parametrize(("part", "damaged"), DAMAGED.values(), ids=list(DAMAGED))
def test_a_damaged_state_is_refused(part, damaged):
    restore, state = product(micrograd_fast).__reduce__()
    assert restore(*state).forward([0.25]) == math.tanh(0.5)
    assert list(state[CODE]) == [MUL, 1, 0, ~2, 0, TANH, 2, 1, 0, 0]
    state = [*state[:part], damaged, *state[part + 1 :]]
    assert error_of(lambda: restore(*state)) == (ValueError, "this is not the state of a Tape")


def reordered(state, rng):
    """The state as a build would write it whose table of operations has another order."""
    version, names = state[TABLE]
    order = list(range(len(names)))
    rng.shuffle(order)
    code = list(state[CODE])
    code[::5] = [order.index(op) for op in code[::5]]
    table = version, tuple(names[op] for op in order)
    return [*state[:CODE], code, *state[TERMS:TABLE], table]


def test_a_state_names_its_operations_and_so_outlives_their_order():
    rng = random.Random(3)
    inputs, _, outputs = every_operation(micrograd_fast)
    tapes = [micrograd_fast.Tape([*outputs, inputs[0] ** 2.5], inputs).__reduce__(), *states()]

    def replayed(tape):
        for p in tape.parameters:
            p.grad = 0.0
        return replay(tape, [(rows_of(n, 2), None) for n in (1, 9)])

    for restore, state in tapes:
        other = reordered(state, rng)
        assert list(other[CODE]) != list(state[CODE])
        assert replayed(restore(*other)) == replayed(restore(*state))


def test_an_unknown_operation_or_version_is_named():
    restore, state = product(micrograd_fast).__reduce__()
    version, names = state[TABLE]
    swapped = tuple("swish" if name == "tanh" else name for name in names)
    message = "a state has the operation 'swish', which is unknown here"
    assert error_of(lambda: restore(*state[:TABLE], (version, swapped))) == (ValueError, message)
    unused = tuple("swish" if name == "sin" else name for name in names)
    assert restore(*state[:TABLE], (version, unused)).forward([0.25]) == math.tanh(0.5)
    message = "a Tape's state of version 2 was given, expected 1"
    assert error_of(lambda: restore(*state[:TABLE], (2, names))) == (ValueError, message)


def test_the_reference_names_an_unknown_operation_or_version_alike():
    restore, (program, version) = product(micrograd_ref).__reduce__()
    assert (version, restore(program, 1).forward([0.25])) == (1, math.tanh(0.5))
    message = "a Tape's state of version 2 was given, expected 1"
    assert error_of(lambda: restore(program, 2)) == (ValueError, message)
    saved = pickle.dumps(program, 0).replace(b"Vtanh\n", b"Vswish\n")
    message = "a state has the operation 'swish', which is unknown here"
    assert error_of(lambda: pickle.loads(saved)) == (ValueError, message)


def damage(rng, state):
    """Change a number or two of a state, at times a length."""
    single, *parts = state
    state = [single, *map(list, parts)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        part = state[rng.choice((CODE, CODE, CODE, TERMS, TERMS, OUTPUTS, CONSTANTS, 1, 2))]
        i = rng.randrange(len(part) + 1)
        if rng.random() < 0.1:
            part[i:i] = part[: rng.choice((1, 5))]
        elif rng.random() < 0.1:
            del part[i : i + rng.choice((1, 5))]
        elif i < len(part) and isinstance(part[i], int):
            near = rng.randint(-12, 12), rng.randint(0, 21), ~part[i], part[i] + 1, part[i] - 1
            part[i] = rng.choice((*near, 2**31 - 1, -(2**31), 10_000, -10_000))
    return state


def states():
    """Tapes of all kinds, taken apart."""
    mg = micrograd_fast
    random.seed(2)
    model = mg.MLP(2, [3, 2], activation="tanh")
    x, y, a, b = (mg.Value(0.5 + i) for i in range(4))
    for output in (
        model([x, y]),
        (x * a + y * b + 1).tanh(),
        a**b + (x / y) ** 3 - abs(y) * a.exp(),
        [mg.dot([x, a], [y, b], b), mg.sum([x, a, y]), mg.dot([], [], x), a],
    ):
        yield mg.Tape(output, [x, y]).__reduce__()


def restore_damaged(count):
    """Restore damaged states and use the Tapes that come of them, in an interpreter of its own."""
    rng = random.Random(1)
    refused = accepted = 0
    wrong = None, 3, "ab", b"\0" * 40, bytearray(8), [None], [0.5], [2**40], {0: 1}, [[]], (1, 2)
    for restore, state in states():
        damaged = [[*state[:i], x, *state[i + 1 :]] for i in range(1, 7) for x in wrong]
        damaged += [damage(rng, state) for _ in range(count)]
        for each in damaged:
            try:
                tape = restore(*each)
            except (ValueError, TypeError, OverflowError):
                refused += 1
                continue
            accepted += 1
            for n in (1, 130):
                results = tape.forward(np.ones((n, len(tape.inputs))))
                tape.backward()
                for found in (results, tape.input_grad):  # of equal rows
                    assert np.array_equal(found, [found[0]] * n, equal_nan=True), each
    print(refused, accepted)


def test_a_damaged_state_does_no_harm():
    code = "import test_tape_state as t; t.restore_damaged(1500)"
    done = run(code, PYTHONMALLOC="debug")  # which looks for writes out of bounds
    assert done.returncode == 0, done.stderr
    refused, accepted = map(int, done.stdout.split())
    assert min(refused, accepted) > 1000


def reshape_and_differentiate():
    """Change the shape of rows between forward and backward, against the docstring."""
    for shape in ((500, 3), (40, 1), (0, 3), (7,)):
        xs, w = [micrograd_fast.Value(0.0) for _ in range(3)], micrograd_fast.Value(2.0)
        tape = micrograd_fast.Tape(micrograd_fast.sum([w * x for x in xs]), xs)
        rows = np.zeros((40, 3))
        tape.forward(rows)
        rows.resize(shape, refcheck=False)
        with contextlib.suppress(ValueError):
            tape.backward()
    print("done")


def test_rows_of_another_shape_before_backward_do_no_harm():
    code = "import test_tape_state as t; t.reshape_and_differentiate()"
    done = run(code, PYTHONMALLOC="debug")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


# Threads and signals

BUSY = RuntimeError, "this Tape is in use by another thread: give each thread its own"


def long_tape(mg):
    """A Tape of 30 tanh over one input, its parameter, and rows that take it a while."""
    x, w = mg.Value(0.0), mg.Value(1.25)
    node = x
    for _ in range(30):
        node = (node * w).tanh()
    n = {"micrograd_ref": 1_000, "micrograd_fast": 100_000}[mg.__name__]
    return mg.Tape(node, [x]), w, rows_of(n, 1)


def outcome(call):
    """What a call returns, or the type and the message of its error."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def test_two_tapes_run_in_two_threads_at_once(mg):
    def work(seed):
        tape, _, _ = long_tape(mg)
        return replay(tape, [(rows_of(130, 1, seed), None)] * 3)

    expected = [work(0), work(1)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, [0, 1])) == expected


@pytest.mark.parametrize("second", ["forward", "backward"])
@pytest.mark.parametrize("first", ["forward", "backward"])
def test_a_tape_refuses_a_second_thread_while_it_runs(mg, first, second):
    tape, _, rows = long_tape(mg)
    result = tape.forward([0.5])
    long = {"forward": lambda: np.shape(tape.forward(rows)), "backward": tape.backward}
    short = {"forward": lambda: tape.forward([0.5]), "backward": tape.backward}
    right = {"forward": result, "backward": None}
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            tape.forward(rows)
            started = threading.Event()
            running = pool.submit(lambda e=started: e.set() or outcome(long[first]))
            started.wait()
            seen |= {outcome(short[second]) for _ in range(2)}
            assert running.result() in ((len(rows),), None, BUSY)
            if seen - {right[second]}:
                break
    assert seen - {right[second]} == {BUSY}
    assert tape.forward([0.5]) == result


def test_a_tape_in_many_threads_gives_right_results_or_refuses(mg):
    tape, _, _ = long_tape(mg)
    batches = [rows_of(n, 1, n) for n in (1, 5, 200, 400)]
    expected = [bits_of(tape.forward(rows)) for rows in batches]

    def work(first):
        order = [(first + k) % 4 for k in range(20)]
        return [(i, outcome(lambda i=i: bits_of(tape.forward(batches[i])))) for i in order]

    with ThreadPoolExecutor(4) as pool:
        found = [each for results in pool.map(work, range(4)) for each in results]
    assert all(result in (expected[i], BUSY) for i, result in found)
    assert any(result == expected[i] for i, result in found)
    assert [bits_of(tape.forward(rows)) for rows in batches] == expected


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")
def test_signals_are_seen_within_a_block_of_rows(mg):
    x, w = mg.Value(0.0), mg.Value(1.25)
    node = x
    for _ in range({"micrograd_ref": 2000, "micrograd_fast": 200_000}[mg.__name__]):
        node = (node * w).tanh()
    tape, rows = mg.Tape(node, [x]), rows_of(128, 1)
    calls = []
    before = signal.signal(signal.SIGPROF, lambda *_: calls.append(None))
    try:
        for run in (lambda: tape.forward(rows), tape.backward):
            signal.setitimer(signal.ITIMER_PROF, 0.01, 0.002)  # of the time of this process
            calls.clear()
            run()
            assert len(calls) > 1  # of signals that wait, only one would be seen at the end
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")
def test_an_interrupted_tape_can_be_used_again(mg):
    tape, w, rows = long_tape(mg)
    expected = bits_of(tape.forward(rows))
    tape.backward()
    once = w.grad

    grads = [once]

    def ring(*_):
        raise TimeoutError("the alarm")

    def run_for_ever():
        signal.setitimer(signal.ITIMER_PROF, 0.05)  # of the time of this process
        while True:
            grads.append(grads[-1] + once)
            tape.forward(rows)
            tape.backward()

    before = signal.signal(signal.SIGPROF, ring)
    try:
        assert error_of(run_for_ever) == (TimeoutError, "the alarm")
    finally:
        signal.signal(signal.SIGPROF, before)
    assert w.grad in grads[-2:]  # with the last backward, or without it
    assert bits_of(tape.forward(rows)) == expected
    w.grad = 0.0
    tape.backward()
    assert w.grad == once
