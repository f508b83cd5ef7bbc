"""What a node costs, what it holds, and when it goes."""

import gc
import random
import subprocess
import sys
import tracemalloc
import weakref

import pytest
from programs import custom
from tapes import rows_of

import micrograd_fast

# Reference counts, the same in both packages


def test_a_node_holds_each_operand_once_for_each_use(mg):
    a, b = mg.Value(1.0), mg.Value(2.0)
    for build, uses_a, uses_b in (
        (lambda: a + b, 1, 1),
        (lambda: a * a, 2, 0),
        (lambda: a**b, 1, 1),
        (lambda: a**2, 1, 0),
        (lambda: 2 - a, 1, 0),
        (lambda: -a, 1, 0),
        (lambda: a.tanh(), 1, 0),
        (lambda: mg.dot([a, b], [a, a], b), 3, 2),
        (lambda: mg.sum([a, b, a]), 2, 1),
        (lambda: mg.Value(1.0, (a, b, b), (1.0, 2.0, 3.0)), 1, 2),
    ):
        before = sys.getrefcount(a), sys.getrefcount(b)
        out = build()
        assert (sys.getrefcount(a), sys.getrefcount(b)) == (before[0] + uses_a, before[1] + uses_b)
        out.backward()
        out._children, out._prev, out._backward, repr(out), out < a
        out._backward()
        mg.trace(out)
        assert (sys.getrefcount(a), sys.getrefcount(b)) == (before[0] + uses_a, before[1] + uses_b)
        del out
        assert (sys.getrefcount(a), sys.getrefcount(b)) == before


def test_a_failed_operation_keeps_no_reference(mg):
    a = mg.Value(1.0)
    before = sys.getrefcount(a)
    for fn in (
        lambda: a + "x",
        lambda: None / a,
        lambda: a < "x",
        lambda: mg.dot([a, a], [a]),
        lambda: mg.dot([a, a], [a, "x"]),
        lambda: mg.sum([a, "x"]),
        lambda: mg.sum([a, a], "x"),
        lambda: mg.Value(1.0, (a, a, 3)),
        lambda: mg.Value("x", (a, a)),
        lambda: mg.Value(1.0, (a, a), "op", label=3),
        lambda: mg.Value(1.0, (a, a), 3),
        lambda: mg.MLP(2, [2, 1])([a, a, a]),
        lambda: mg.MLP(2, [2, 1])([a, "x"]),
        lambda: mg.SGD([a, a], 0.1),
    ):
        with pytest.raises((TypeError, ValueError)):
            fn()
    assert sys.getrefcount(a) == before


def test_a_label_is_held_once_and_released(mg):
    label, other = "a label " * 2, "another label " * 2
    before = sys.getrefcount(label), sys.getrefcount(other)
    a = mg.Value(1.0, label=label)
    assert sys.getrefcount(label) == before[0] + 1
    for _ in range(3):
        a.label = other
        assert a.label is other
    assert (sys.getrefcount(label), sys.getrefcount(other)) == (before[0], before[1] + 1)
    a.label = ""
    assert sys.getrefcount(other) == before[1]
    b = -a
    b.label = label
    del a, b
    assert sys.getrefcount(label) == before[0]


def test_a_step_is_held_once_and_released(mg):
    class Step:
        def __call__(self):
            pass

    step = Step()
    before = sys.getrefcount(step)
    out = mg.Value(1.0, (mg.Value(1.0),), "op")
    for _ in range(3):
        out._backward = step
        out.backward()
    assert sys.getrefcount(step) == before + 1
    out._backward = print
    assert sys.getrefcount(step) == before
    out._backward = step
    del out
    assert sys.getrefcount(step) == before


def test_a_step_may_replace_itself_while_it_runs(mg):
    class Once:
        def __init__(self, out):
            self.out = out
            self.calls = []

        def __call__(self):
            self.out._backward = lambda: None  # drops the last reference to this object
            self.calls.append("still here")

    out = mg.Value(1.0, (mg.Value(1.0),), "op")
    once = Once(out)
    calls, gone = once.calls, weakref.ref(once)
    out._backward = once
    del once
    out.backward()
    out.backward()
    assert calls == ["still here"]
    assert gone() is None


# Release without the collector


@pytest.fixture
def _without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def work(mg, leaf):
    """Every kind of built-in node over a leaf, differentiated."""
    root = leaf + 2 - leaf * leaf / 3
    root += (root**2).sqrt().tanh() + abs(-root).exp().log() ** root
    root += mg.dot([leaf, root], [root, 2.0]) + mg.sum([root, leaf, 1])
    root += root.sin().cos().sigmoid().relu()
    root.label = "root"
    root.backward()
    return root


@pytest.mark.usefixtures("_without_collector")
def test_a_built_in_graph_dies_by_reference_count(mg):
    class Leaf(mg.Value):
        pass

    leaf = Leaf(0.5)
    gone = weakref.ref(leaf)
    root = work(mg, leaf)
    root.backward()
    del leaf, root
    assert gone() is None


@pytest.mark.usefixtures("_without_collector")
def test_repeated_work_keeps_no_memory(mg):
    leaf = mg.Value(0.5)
    model = mg.MLP(2, [3, 1])
    optimizer = mg.Adam(model.parameters())

    def step():
        work(mg, leaf)
        mg.trace(work(mg, leaf))
        optimizer.zero_grad()
        (model([leaf, 1.0]) * model([2.0, leaf])).backward()
        optimizer.step()

    for _ in range(30):
        step()
    before = sys.getallocatedblocks()
    for _ in range(200):
        step()
    assert sys.getallocatedblocks() - before < 50


def test_repeated_custom_work_keeps_no_memory(mg):
    def step():
        a = mg.Value(2.0)
        out = mg.Value(1.0, (a * 3,), "op", "a label")

        def closure():
            a.grad += out.grad

        out._backward = closure
        (out * out).backward()

    for _ in range(200):  # as many as below wait for the collector, then for use again
        step()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(200):
        step()
    gc.collect()
    assert sys.getallocatedblocks() - before < 50


# Cycles


def cycles(mg, a):
    """Ways for a graph over the leaf a to refer to itself."""
    out = mg.Value(1.0, (a,), "op")
    out._backward = lambda: out
    yield "a step refers to its node"

    out = mg.Value(1.0, (a,), "op")
    above = mg.dot([out, 2.0], [3.0, out + 1]).tanh() ** 2
    out._backward = lambda: above
    yield "a step refers to a built-in node above its own"

    out = mg.Value(1.0, (), "op")
    above = mg.sum([-out, a])
    out._backward = above.backward
    yield "a step is a method of a node above its own"

    a.result = (a * 2).exp()
    yield "an attribute of a leaf refers to a node above it"

    late = mg.Value.__new__(mg.Value)
    above = late * a
    late.__init__(1.0, (above,), "late")
    yield "a Value is initialised with an operand made from it"


@pytest.mark.parametrize("n", range(5))
def test_a_cycle_through_a_graph_is_collected(mg, n):
    class Leaf(mg.Value):
        pass

    a = Leaf(1.0)
    gone = weakref.ref(a)
    ways = cycles(mg, a)
    for _ in range(n):
        next(ways)
        a.result = None
    gc.collect()
    way = next(ways)
    ways.close()
    del a, ways
    gc.collect()
    assert gone() is None, way


def test_a_closure_that_refers_to_its_own_node_is_collected(mg):
    class Leaf(mg.Value):
        pass

    a = Leaf(2.0)
    out = custom(mg, (a, a * 3), "cycle", [])
    gone = weakref.ref(a)
    (out + 1).backward()
    del a, out
    gc.collect()
    assert gone() is None


def test_the_collector_leaves_a_graph_that_is_in_use(mg):
    class Leaf(mg.Value):
        pass

    a = Leaf(2.0)
    out = mg.Value(6.0, (a * 3,), "op")
    out._backward = lambda: setattr(a, "grad", a.grad + 3 * out.grad)
    root = mg.sum([out, a]) * mg.dot([out], [out])
    for _ in range(3):
        gc.collect()
    root.backward()
    assert root.data == 8.0 * 36.0
    assert a.grad == 36.0 + 3 * (36.0 + 8.0 * 12.0)


def test_a_finaliser_may_build_and_free_graphs(mg):
    class Leaf(mg.Value):
        def __del__(self):
            results.append((mg.Value(2.0) * self).data)

    results = []
    x = mg.Value(1.0)
    for i in range(1000):
        x = x + Leaf(i)
    del x
    assert sorted(results) == [2.0 * i for i in range(1000)]


def test_a_finaliser_may_revive_its_node(mg):
    class Leaf(mg.Value):
        def __del__(self):
            revived.append(self)

    revived = []
    root = Leaf(3.0) * 2
    del root
    (leaf,) = revived
    (leaf * 4).backward()
    assert (leaf.data, leaf.grad) == (3.0, 4.0)


# What the compiled node is made of


def test_a_built_in_node_takes_80_bytes_with_the_header_of_a_collector():
    a = micrograd_fast.Value(1.0)
    for node in (a, a + a, a * 2, a**2, -a, a.tanh(), (a + 1)._children[1]):
        assert node.__sizeof__() == 64
        assert sys.getsizeof(node) <= 80


def test_an_operand_of_dot_takes_a_pointer():
    xs = [micrograd_fast.Value(1.0) for _ in range(100)]
    assert sys.getsizeof(micrograd_fast.sum(xs)) <= 80 + 8 * 101
    assert sys.getsizeof(micrograd_fast.dot(xs, xs)) <= 80 + 8 * 201


def every_kind(a):
    return [
        a + a,
        a + 1,
        1 - a,
        a / 2,
        a**2,
        a**a,
        -a,
        abs(a),
        a.exp(),
        a.relu(),
        micrograd_fast.dot([a], [1.0]),
        micrograd_fast.dot([1.0, 2.0], [1.0, a]),
        micrograd_fast.sum([], a),
        micrograd_fast.sum([1.0, a]),
        micrograd_fast.Neuron(1)([a]),
    ]


def test_built_in_nodes_stay_out_of_the_collector():
    a = micrograd_fast.Value(1.0)
    labelled = micrograd_fast.Value(1.0, label="x")
    for node in (a, labelled, *every_kind(a), *every_kind(labelled * a)):
        assert not gc.is_tracked(node)
    for parameter in micrograd_fast.MLP(2, [2, 1]).parameters():
        assert not gc.is_tracked(parameter)


def test_a_node_that_may_be_in_a_cycle_takes_part_in_collection():
    class Leaf(micrograd_fast.Value):
        pass

    class Slotted(micrograd_fast.Value):
        __slots__ = ()

    a = micrograd_fast.Value(1.0)
    for node in (
        Leaf(1.0),
        Slotted(1.0),
        micrograd_fast.Value(1.0, (a,), "op"),
        micrograd_fast.Value(1.0, (a,)),
        micrograd_fast.Value(1.0, (), "op"),
        micrograd_fast.Value.__new__(micrograd_fast.Value),
    ):
        assert gc.is_tracked(node)
        for result in every_kind(node):
            assert gc.is_tracked(result)
            assert gc.is_tracked(result * a)


# Tapes


def test_memory_does_not_grow_with_the_rows():
    random.seed(1)
    model = micrograd_fast.MLP(2, [8, 2], activation="tanh")
    x = [micrograd_fast.Value(0.0), micrograd_fast.Value(0.0)]
    tape = micrograd_fast.Tape(model(x), x)
    rows = rows_of(100_000, 2)
    tracemalloc.start()
    try:
        for run, result in ((lambda: tape.forward(rows), 2), (tape.backward, 2)):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            run()
            _, peak = tracemalloc.get_traced_memory()
            # A value and a grad of each of some 30 slots in each of 128 rows are 60 kB.
            assert peak - before < rows[:, :result].nbytes + 100_000
    finally:
        tracemalloc.stop()


# At the edge of the C stack, CPython puts what it frees aside, in a list whose links it writes in
# front of each object. Every second of neighbouring nodes is freed there; those between must not
# change.
PROGRAM = """
import faulthandler, sys
import micrograd_fast as mg

faulthandler.enable()
sys.setrecursionlimit(10**7)

def free_at_the_edge():
    nodes = sorted([mg.Value(i, label=f"n{i}") for i in range(40_000)], key=id)
    kept, freed = nodes[::2], nodes[1::2]
    del nodes

    def down(_):
        for _ in range(2):
            if freed:
                freed.pop()
        return max((0,), key=down)

    try:
        down(0)
    except RecursionError as error:
        reason = str(error).partition(" (")[0]
    assert freed, "the edge was not reached: too few nodes"
    del freed[:]
    changed = sum(x.label != f"n{x.data:.0f}" for x in kept)
    new = [mg.Value(i) for i in range(70_000)]  # more than are kept to be used again
    twice = len(new) - len({id(x) for x in new})
    return reason, changed, twice, sum(x.data != i for i, x in enumerate(new))

for _ in range(3):
    print(*free_at_the_edge(), sep=", ")
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="CPython frees nothing in this way before")
def test_nodes_freed_at_the_edge_of_the_stack_leave_others_alone():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["Stack overflow, 0, 0, 0"] * 3
