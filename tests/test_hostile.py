"""What no program should do, in both packages: it is refused, or it works, and nothing breaks."""

import gc
import os
import pickle
import sys

import numpy as np
import pytest
from interpreters import printed

# A Value's class, hash and equality


def test_a_subclass_with_another_equality_is_differentiated_as_any_other(mg):
    class Equal(mg.Value):
        def __eq__(self, other):
            return self.data == other.data

        __hash__ = None

    a, b = Equal(2.0), Equal(2.0)
    out = a * b + b
    out.backward()
    assert (a.grad, b.grad) == (2.0, 3.0)
    tape = mg.Tape(out, [a, b])
    assert tape.forward([3.0, 4.0]) == 16.0
    mg.SGD([a, b], 0.5).step()
    assert (a.data, b.data) == (1.0, 0.5)
    assert mg.draw_dot(out).source.count("record") == 4


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_equal_values_stay_apart_in_a_pickle(mg, protocol):
    class Equal(mg.Value):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

    globals()["Equal"] = Equal
    Equal.__qualname__ = "Equal"
    a, b = Equal(2.0), Equal(3.0)
    again = pickle.loads(pickle.dumps(a - b, protocol))
    assert [x.data for x in again._children] == [2.0, 3.0]


def test_the_class_of_a_value_can_be_changed_among_its_subclasses_only(mg):
    class One(mg.Value):
        pass

    class Two(mg.Value):
        pass

    a = One(2.0)
    out = a * 3
    a.__class__ = Two
    out.backward()
    assert (type(a), a.grad) == (Two, 3.0)
    for x, kind in ((a, mg.Value), (mg.Value(1.0), One), (a, object), (a, int)):
        with pytest.raises(TypeError):
            x.__class__ = kind


# Initialised from within


class Twice(float):
    """Data that initialises its Value while it is read."""

    def __float__(self):
        self.value.__init__(5.0, self.children, self.name)
        return 1.0


@pytest.mark.parametrize("name", ["", "op"])
def test_a_value_that_is_initialised_from_within_keeps_the_first(mg, name):
    a = mg.Value(1.0)

    def attempt():
        data = Twice()
        data.value, data.name = mg.Value.__new__(mg.Value), name
        data.children = (a, a) if name else ()
        with pytest.raises(TypeError, match="initialised once"):
            data.value.__init__(data, (a,), "outer")
        assert (data.value.data, data.value._op) == (5.0, name)

    attempt()
    before = sys.getrefcount(a)
    for _ in range(50):
        attempt()
    gc.collect()
    assert sys.getrefcount(a) == before


# Lists and arrays that change while they are in use


def test_a_list_that_is_changed_while_a_node_is_made_of_it(mg):
    """What the reference makes of it, or an error, and never a node of something else."""
    a, b = mg.Value(2.0), mg.Value(3.0)
    mine = [a, b]

    class Finding(float):
        def __float__(self):
            for found in gc.get_objects():
                if type(found) is list and found is not mine and found and found[0] is a:
                    found[0] = 12345
            return 1.0

    for make in (
        lambda: mg.dot(mine, mine, Finding(1.0)),
        lambda: mg.sum([*mine, Finding(1.0)]),
    ):
        try:
            out = make()
        except (AttributeError, RuntimeError):
            continue
        out.backward()
        assert {type(x) for x in out._children} == {mg.Value}


def test_a_neuron_that_changes_the_inputs_of_the_next(mg):
    """A layer's list of inputs is its own: neurons are given copies, or do not see the change."""

    class Key(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            for x in seen:
                x[0] = 1.25
            return str.__eq__(self, other)

    seen = []
    layer = mg.Layer(2, 2)
    second = vars(layer.neurons[1])
    second[Key("w")] = second.pop("w")
    layer.neurons[0] = lambda x: seen.append(x) or x[0]
    out = layer([1.0, 2.0])[1]
    out.backward()
    assert [x.data for x in out._children[0]._children[2::2]] == [1.0, 2.0]


def test_layers_call_a_neuron_that_was_patched(mg, monkeypatch):
    calls, original = [], mg.Neuron.__call__
    monkeypatch.setattr(mg.Neuron, "__call__", lambda n, x: calls.append(n) or original(n, x))
    layer = mg.Layer(2, 3)
    layer([1.0, 2.0])
    assert calls == layer.neurons


def test_an_array_that_holds_itself_is_a_recursion_error(mg):
    array = np.empty(1, object)
    array[0] = array
    for use in (lambda: mg.Value(1.0) + array, lambda: mg.Value(1.0) < array):
        with pytest.raises(RecursionError):
            use()


def test_a_module_that_holds_itself_is_a_recursion_error(mg):
    model = mg.MLP(1, [1])
    model.layers = [model]
    for use in (lambda: model([1.0]), model.parameters):
        with pytest.raises(RecursionError):
            use()


@pytest.mark.parametrize(
    "x", [np.float32(0.95), np.float16(0.5), True, 1.0, -0.5, "x", None, [0.9]]
)
def test_a_rate_that_is_set_later_is_checked_and_converted_too(mg, x):
    def steps(change):
        p = mg.Value(1.1)
        optimizers = mg.SGD([p], 0.1, 0.5), mg.Adam([p], 0.1)
        change(*optimizers)
        for optimizer in optimizers * 2:
            p.grad = 0.37
            optimizer.step()
        return p.data.hex()

    def outcome(change):
        try:
            return steps(change)
        except (TypeError, ValueError) as error:
            return type(error), str(error)

    if isinstance(x, np.floating):
        number = float(x)
        for a, b in (
            (
                lambda sgd, _: vars(sgd).update(momentum=x),
                lambda sgd, _: vars(sgd).update(momentum=number),
            ),
            (
                lambda _, adam: vars(adam).update(eps=x),
                lambda _, adam: vars(adam).update(eps=number),
            ),
            (
                lambda _, adam: vars(adam).update(betas=(x, x)),
                lambda _, adam: vars(adam).update(betas=(number,) * 2),
            ),
        ):
            assert outcome(a) == outcome(b)
    else:
        number = isinstance(x, (bool, float))
        kind, message = outcome(lambda sgd, _: vars(sgd).update(momentum=x))
        assert kind is (ValueError if number else TypeError)
        assert message.startswith("momentum must be")
        kind, message = outcome(lambda _, adam: vars(adam).update(betas=(x, 0.5)))
        assert message.startswith("beta1 must be")
    assert outcome(lambda _, adam: vars(adam).update(betas=(0.5,))) == (
        ValueError,
        "Adam expects two betas, got 1",
    )


# The end of an interpreter


ENDINGS = {
    "a deep graph": """
        x = a = mg.Value(1.0)
        for _ in range(200_000):
            x = x + a
    """,
    "a cycle": """
        out = mg.Value(1.0, (mg.Value(2.0),), "op")
        above = (out * 2).tanh()
        out._backward = lambda: above.backward()
    """,
    "subclasses with finalisers": """
        class Sub(mg.Value):
            def __del__(self):
                (self * 2).backward()

        x = Sub(1.0)
        for _ in range(100):
            x = Sub(1.0, (x, x), (1.0, 1.0))
    """,
    "an exit in a step": """
        import os
        out = mg.Value(1.0, (mg.Value(2.0),), "op")
        out._backward = lambda: (print("exit", flush=True), exit())
        (out * out).backward()
    """,
    "a daemon in the middle of its work": """
        import threading, time

        def work():
            x = a = mg.Value(1.0)
            while True:
                for _ in range(1000):
                    x = x * a + 1
                x.backward()

        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.05)
    """,
    "graphs in sys, in a thread's data and at exit": """
        import atexit, sys, threading
        sys.graph = mg.MLP(2, [2, 1])([1.0, 2.0])
        local = threading.local()
        local.graph = sys.graph * 2
        atexit.register(lambda graph=local.graph: graph.backward())
    """,
    "a Tape": """
        import numpy as np
        x = mg.Value(0.0)
        tape = mg.Tape((x * 2).tanh(), [x])
        tape.forward(np.ones((1000, 1)))
    """,
}


@pytest.mark.parametrize("name", ENDINGS)
def test_an_interpreter_ends_with_live_graphs(mg, name):
    assert printed(mg, ENDINGS[name]) in ("", "exit\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_has_graphs_of_its_own(mg):
    assert (
        printed(
            mg,
            """
            import os
            import numpy as np

            x, w = mg.Value(0.5), mg.Value(2.0)
            out = (x * w).tanh() * w
            tape = mg.Tape(out, [x])
            rows = np.linspace(-1, 1, 1000).reshape(-1, 1)
            tape.forward(rows)
            child = os.fork()
            w.data = 3.0 if child == 0 else 2.0
            for _ in range(1000):
                ((x * w).tanh() * w).backward()
            tape.forward(rows)
            tape.backward()
            if child:
                assert os.waitpid(child, 0)[1] == 0
            print(w.data, flush=True)
            """,
        )
        == "3.0\n2.0\n"
    )
