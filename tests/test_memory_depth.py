"""Deep and wide graphs: built, differentiated and freed without recursion, in linear time."""

import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

LINKS = {
    "first operand": lambda mg, x, one: x + one,
    "second operand": lambda mg, x, one: one - x,
    "both operands": lambda mg, x, one: x / x,
    "unary": lambda mg, x, one: -x,
    "constant power": lambda mg, x, one: x**1,
    "dot": lambda mg, x, one: mg.dot([one], [x], 0.0),
    "sum": lambda mg, x, one: mg.sum([one, x]),
    "norm": lambda mg, x, one: mg.norm([x]),
}

DEEP = 50_000  # overflows either stack with the smallest frames that C can have


def in_a_thread(fn, stack):
    """Run fn with a stack of so many KiB, on every platform."""
    default = threading.stack_size(stack * 1024)
    try:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(fn).result()
    finally:
        threading.stack_size(default)


def small_stack(mg):
    """KiB enough for compiled nodes. Python objects free each other to the depth of CPython's
    own limit on recursion, which is for MiB."""
    return 4096 if mg.Value.__module__ == "micrograd_ref.engine" else 256


def test_a_chain_of_a_million_nodes_is_built_differentiated_and_freed(mg):
    def run():
        a, one = mg.Value(0.5), mg.Value(1.0)
        unused = sys.getrefcount(a), sys.getrefcount(one)
        x = a
        for _ in range(1_000_000):
            x = x + one
        x.backward()
        assert (x.data, a.grad, one.grad) == (1_000_000.5, 1.0, 1_000_000.0)
        del x
        assert (sys.getrefcount(a), sys.getrefcount(one)) == unused

    in_a_thread(run, small_stack(mg))


def test_the_gradient_of_a_deep_chain_is_built_differentiated_and_freed(mg):
    depth = {"micrograd_ref": 100_000, "micrograd_fast": 1_000_000}[mg.__name__]

    def run():
        a, one = mg.Value(0.5), mg.Value(1.0)
        unused = sys.getrefcount(a), sys.getrefcount(one)
        x = a
        for _ in range(depth):
            x = x * one
        first = mg.gradient(x, [a, one])
        assert [g.data for g in first] == [1.0, 0.5 * depth]
        first[0].backward()
        assert one.grad == depth
        del x, first
        assert (sys.getrefcount(a), sys.getrefcount(one)) == unused

    in_a_thread(run, small_stack(mg))


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
def test_a_deep_chain_of_every_kind_of_node_is_freed_without_recursion(mg, link):
    def run():
        a, one = mg.Value(2.0), mg.Value(1.0)
        unused = sys.getrefcount(a), sys.getrefcount(one)
        x = a
        for _ in range(DEEP):
            x = link(mg, x, one)
        x.backward()
        assert x.grad == 1.0
        del x
        assert (sys.getrefcount(a), sys.getrefcount(one)) == unused

    in_a_thread(run, small_stack(mg))


def test_a_deep_chain_of_custom_operations_is_freed_without_recursion(mg):
    def link(x):
        out = mg.Value(x.data, (x,), "same")

        def step():
            x.grad += out.grad

        out._backward = step
        return out

    def run():
        a = mg.Value(2.0)
        unused = sys.getrefcount(a)
        x = a
        for _ in range(DEEP):
            x = link(x)
        (x + x).backward()
        assert a.grad == 2.0
        del x
        gc.collect()
        assert sys.getrefcount(a) == unused

    in_a_thread(run, small_stack(mg))


@pytest.mark.parametrize(
    "link",
    [
        lambda mg, new, x: new(x),
        lambda mg, new, x: new(x) * 1.0,
        lambda mg, new, x: mg.sum([new(-x), new(x)]),
    ],
    ids=["alone", "with built-in nodes", "two wide"],
)
def test_a_deep_chain_of_subclass_instances_is_freed_without_recursion(mg, link):
    class Link(mg.Value):
        pass

    def new(x):
        return Link(x.data, (x,), (1.0,))

    def run():
        a = Link(2.0)
        gone = weakref.ref(a)
        x = a
        del a
        for _ in range(DEEP):
            x = link(mg, new, x)
        x.backward()
        assert x.grad == 1.0
        del x
        gc.collect()
        assert gone() is None

    in_a_thread(run, stack=4096)


def test_a_deep_chain_in_a_cycle_is_collected_without_recursion(mg):
    class Leaf(mg.Value):
        pass

    def run():
        a = Leaf(2.0)
        gone = weakref.ref(a)
        x = a
        for _ in range(DEEP):
            x = -x
        a.result = x
        del a, x
        gc.collect()
        assert gone() is None

    in_a_thread(run, small_stack(mg))


def test_a_node_may_have_100_000_operands(mg):
    xs = [mg.Value(1.0) for _ in range(100_000)]
    total, product = mg.sum(xs), mg.dot(xs, xs)
    (total + product).backward()
    assert (total.data, product.data) == (100_000.0, 100_000.0)
    assert {x.grad for x in xs} == {3.0}


def test_the_gradient_of_a_node_takes_linear_time_in_its_operands(mg):
    xs = [mg.Value(1.0) for _ in range(20_000)]
    assert {g.data for g in mg.gradient(mg.dot(xs, xs), xs)} == {2.0}


def test_a_leaf_may_be_used_100_000_times(mg):
    a = mg.Value(1.0)
    products = [a * 2.0 for _ in range(100_000)]
    mg.sum(products).backward()
    assert a.grad == 200_000.0


def test_a_diamond_of_10_000_levels_is_walked_in_linear_time(mg):
    a = mg.Value(1.0)
    x = a
    for _ in range(10_000):
        x = (x + x) * 0.5  # 2^10000 paths
    x.backward()
    assert (x.data, a.grad) == (1.0, 1.0)
