"""The fast package at its limits: depth, width, repetition, and memory that comes back."""

import contextlib
import copy
import gc
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import micrograd_fast as mg

resource = pytest.importorskip("resource", reason="this system has no resource limits")


def resident():
    """Bytes of memory that this process holds; 0 where that cannot be read."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def run(program):
    """Run a program in a thread with a C stack of 256 KiB; what it prints."""
    code = f"""
import threading
import micrograd_fast as mg

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * {resource.getpagesize()}

def program():
{textwrap.indent(textwrap.dedent(program), "    ")}

threading.stack_size(256 * 1024)
thread = threading.Thread(target=program)
thread.start()
thread.join()
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_a_chain_of_ten_million_nodes_comes_and_goes():
    grad, data, peak, rest = run("""
        n, a = 10_000_000, mg.Value(1e-7)
        before = resident()
        x = a
        for _ in range(n):
            x = x + a
        x.backward()
        print(a.grad, round(x.data, 6), (resident() - before) / n)
        del x
        print((resident() - before) / n)
    """)
    assert (float(grad), float(data)) == (10_000_001.0, 1.0)
    assert 60 < float(peak) < 120  # a node, and what malloc keeps of the scratch stacks
    assert float(rest) < 10


def test_a_sum_of_a_million_operands_and_a_leaf_used_as_often():
    assert run("""
        leaves = [mg.Value(1.0) for _ in range(1_000_000)]
        total = mg.sum(leaves)
        total.backward()
        a = mg.Value(2.0)
        wide = mg.dot([a] * 1_000_000, [a] * 1_000_000)
        wide.backward()
        print(total.data, leaves[0].grad, leaves[-1].grad, wide.data, a.grad)
    """) == ["1000000.0", "1.0", "1.0", "4000000.0", "4000000.0"]


def test_a_chain_of_a_million_nodes_is_pickled_and_copied_without_recursion():
    assert run("""
        import copy, pickle
        x = a = mg.Value(1.0)
        for _ in range(1_000_000):
            x = x + a
        for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
            again.backward()
            while again._children:
                again, leaf = again._children
            print(leaf.grad)
            del again, leaf
    """) == ["1000001.0", "1000001.0"]


def test_backward_a_hundred_thousand_times():
    a, b = mg.Value(0.5), mg.Value(-2.0)
    out = ((a * b).tanh() + a / b) ** 2
    out.backward()
    once = a.grad
    before = sys.getallocatedblocks()
    for _ in range(100_000):
        a.grad = b.grad = 0.0
        out.backward()
    assert a.grad == once
    assert sys.getallocatedblocks() - before < 20


def test_backward_within_backward_fits_a_small_stack():
    assert run("""
        def deeper(x):
            out = mg.Value(1.0, (), "deeper")
            out._backward = lambda: x.backward()
            return out

        x = mg.Value(1.0)
        for _ in range(99):
            x = deeper(x)
        x.backward()
        print(x.grad)
        try:
            deeper(x).backward()
        except RecursionError:
            print("too deep")
    """) == ["1.0", "too", "deep"]


class Named(mg.Value):
    """A Value with attributes."""


def custom(a):
    out = mg.Value(a.data, (a,), "same")

    def backward():
        a.grad += out.grad

    out._backward = backward
    (out * 2).backward()


X, Y = mg.Value(0.5), mg.Value(-1.5)
MODEL = mg.MLP(2, [3, 1])
TAPE = mg.Tape(MODEL([X, Y]), [X, Y])
ROWS = np.ones((20, 2))
SGD, ADAM = mg.SGD(MODEL.parameters(), 0.0, 0.5), mg.Adam(MODEL.parameters(), 0.0)


def refused():
    for mistake in (
        lambda: X + "1",
        lambda: mg.Value(None),
        lambda: mg.dot([X], []),
        lambda: X._op,
    ):
        with contextlib.suppress(TypeError, ValueError):
            mistake()


ROUNDS = {
    "operators": lambda: ((X + 1) * Y - X / 3) ** 2 + (-X).exp() - abs(Y) ** X,
    "backward": lambda: (X * Y + Y.tanh()).backward(),
    "dot and sum": lambda: mg.dot([X, 1.0], [Y, X], 2).relu() + mg.sum([X, Y, 1]),
    "labels": lambda: mg.Value(1.0, label="a label").label,
    "attributes": lambda: (X._op, X._children, (X * Y)._prev, (X * Y)._backward, repr(X)),
    "a subclass": lambda: setattr(Named(1.0) * 2, "grad", 1.0),
    "a custom operation": lambda: custom(X),
    "a network": lambda: MODEL([X, 1.0]).backward(),
    "optimizers": lambda: (SGD.step(), ADAM.step(), SGD.zero_grad()),
    "forward of a Tape": lambda: TAPE.forward(ROWS),
    "backward of a Tape": lambda: (TAPE.forward(ROWS), TAPE.backward(), TAPE.input_grad),
    "recording": lambda: mg.Tape(X * Y, [X]),
    "pickling": lambda: pickle.loads(pickle.dumps(X * Y)),
    "copying": lambda: copy.copy(X + Y),
    "mistakes": refused,
}


@pytest.mark.parametrize("name", ROUNDS)
def test_a_hundred_thousand_rounds_leave_nothing_behind(name):
    program = ROUNDS[name]
    for _ in range(1000):
        program()
    gc.collect()
    before, held = sys.getallocatedblocks(), resident()
    for _ in range(100_000):
        program()
    gc.collect()
    assert sys.getallocatedblocks() - before < 100
    assert resident() - held < 3e6  # 32 bytes lost in each round would be more
