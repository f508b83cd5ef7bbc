"""Every allocation may fail: with a MemoryError, no crash, and a graph that stays sound."""

import gc
import pickle
import sys

import numpy as np
import pytest

import micrograd_fast as mg

testcapi = pytest.importorskip("_testcapi", reason="this CPython has no module to fail allocations")
if not hasattr(testcapi, "set_nomemory"):
    pytest.skip("this CPython cannot make allocations fail", allow_module_level=True)

ROWS = np.linspace(-1, 1, 600).reshape(300, 2)


@pytest.fixture(autouse=True)
def no_callbacks_of_the_collector():
    """Hypothesis leaves one, whose argument CPython may fail to make: that is no error of ours."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = callbacks


def setting():
    """A graph with its leaves, and a Tape of it that has done its work once."""
    x, y, w = mg.Value(0.5), mg.Value(-1.0), mg.Value(2.0, label="w")
    root = mg.dot([x, y, w], [w, w, x], w).tanh() + mg.sum([x, y, w * w]) * (x / w) ** 2
    for _ in range(300):
        root = root + w  # more than the scratch stack in the frame holds
    tape = mg.Tape(root, [x, y])
    tape.forward(ROWS)
    tape.backward()
    w.grad = 0.0
    return x, y, w, root, tape


PROGRAMS = {
    "build": lambda x, y, w, root, tape: [(x + 1) * (y - w) / (-x) ** w for _ in range(30)],
    "backward": lambda x, y, w, root, tape: root.backward(),
    "gradient": lambda x, y, w, root, tape: mg.gradient(root, [x, y, w]),
    "dot": lambda x, y, w, root, tape: mg.dot([x, 1.0, y] * 20, [w, y, 2.0] * 20, 3),
    "sum": lambda x, y, w, root, tape: mg.sum([x, 1.0, y] * 20),
    "custom": lambda x, y, w, root, tape: mg.Value(1.0, [x, y, w], "custom", label="name"),
    "record": lambda x, y, w, root, tape: mg.Tape(root, [x, y]),
    "forward": lambda x, y, w, root, tape: tape.forward(ROWS),
    "backward of a Tape": lambda x, y, w, root, tape: tape.backward(),
    "pickle": lambda x, y, w, root, tape: pickle.dumps((root, tape)),
    "layer": lambda x, y, w, root, tape: mg.MLP(2, [3, 1])([x, 1.0]),
}


def observed(x, y, w, root, tape):
    """What must be as before: the values, a whole backward, and the Tape."""
    for leaf in (x, y, w):
        leaf.grad = 0.0
    root.backward()
    eager = root.data, x.grad, y.grad, w.grad
    w.grad = 0.0
    total = tape.forward(ROWS).sum()
    tape.backward()
    return *eager, total, w.grad, tape.input_grad.sum()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_failed_allocation_is_a_memory_error_and_changes_nothing(name):
    parts = setting()
    expected = observed(*parts)
    drained = [mg.Value(1.0) for _ in range(70_000)]  # the free list is empty from here on
    succeeded = failed = 0
    for index in range(3000):
        testcapi.set_nomemory(index, index + 1)
        try:
            PROGRAMS[name](*parts)
            succeeded += 1
        except (MemoryError, pickle.PicklingError):  # pickle reports a failed import as its own
            failed += 1
            succeeded = 0
        finally:
            testcapi.remove_mem_hooks()
        if index % 25 == 0:
            assert observed(*parts) == expected
        if succeeded > 20:  # the index is beyond the last allocation
            break
    assert failed > 0
    assert observed(*parts) == expected
    assert len(drained) == 70_000


def test_a_recording_that_failed_can_be_tried_again():
    x, y, _, root, tape = setting()
    blank = mg.Tape.__new__(mg.Tape)
    failed = 0
    while True:
        testcapi.set_nomemory(failed, failed + 1)
        try:
            blank.__init__(root, [x, y])
            break
        except MemoryError:
            failed += 1
        finally:
            testcapi.remove_mem_hooks()
        with pytest.raises(ValueError, match="not recorded yet"):
            blank.forward()
    assert failed > 5
    assert blank.forward(ROWS).tolist() == tape.forward(ROWS).tolist()


def test_a_failed_interpreter_allocation_does_not_leak():
    x, y, _, root, _ = setting()

    def fail_everywhere():
        for index in range(60):
            testcapi.set_nomemory(index, index + 1)
            try:
                mg.Tape(root, [x, y])
                root.backward()
            except MemoryError:
                pass
            finally:
                testcapi.remove_mem_hooks()

    fail_everywhere()
    before = sys.getallocatedblocks()
    for _ in range(20):
        fail_everywhere()
    assert sys.getallocatedblocks() - before < 50


@pytest.mark.parametrize("deep", [False, True])
def test_a_failed_allocation_leaves_the_graph_sound(deep):
    Value, dot, sum = mg.Value, mg.dot, mg.sum
    a, b = Value(2.0), Value(3.0)
    xs = [a, b]
    root = dot(xs, xs) * a
    for _ in range(2000 if deep else 5):
        root = root + b

    def run():
        root.backward()
        dot(xs, xs)
        sum(xs)
        a * b
        a + 1.0
        Value(1.0, xs, "op")
        keep.append([-a for _ in range(100)])

    failures = 0
    for allocation in range(200):
        keep = [Value(1.0) for _ in range(70_000)]  # drains the store of free nodes
        error = None
        testcapi.set_nomemory(allocation, allocation + 1)
        try:
            run()
        except MemoryError as e:
            error = e
        finally:
            testcapi.remove_mem_hooks()
        failures += error is not None
        a.grad = b.grad = 0.0
        root.backward()
        assert (a.grad, b.grad) == (4.0 * 2.0 + 13.0, 6.0 * 2.0 + (2000 if deep else 5))
    assert failures > 5
