"""Several threads: on one graph, on graphs of their own, on one Tape."""

import gc
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from bits import record
from errors import outcome
from programs import custom
from tapes import bits_of, long_tape, replay, rows_of

import micrograd_fast

# Graphs


def test_threads_may_differentiate_graphs_of_their_own(mg):
    def work(x):
        a = mg.Value(x)
        for _ in range(200):
            custom(mg, (a * a,), "same", []).backward()
        return a.grad

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, [1.0, 2.0, 3.0, 4.0])) == [400.0, 800.0, 1200.0, 1600.0]


def test_eight_threads_work_on_one_graph(mg):
    """They tread on each other's grads, as in any program without a lock, and on nothing else."""
    a, b = mg.Value(0.5, label="a"), mg.Value(-2.0)
    shared = (a * b).tanh() + mg.dot([a, b, a], [b, b, a])
    for _ in range(300):
        shared = shared + a * b
    model = mg.MLP(2, [3, 1])
    optimizer = mg.SGD(model.parameters(), 0.0)
    tape = mg.Tape(shared, [a])
    before, errors = record([shared]), []

    def work(seed):
        try:
            for i in range(20):
                (shared * seed + a).backward()
                model([a, i]).backward()
                optimizer.step()
                optimizer.zero_grad()
                custom = mg.Value(1.0, (shared, a), "custom")
                custom._backward = shared.backward
                custom.backward()
                pickle.loads(pickle.dumps(shared))
                a.label = f"{seed}" * 3
                try:
                    tape.forward(np.full((200, 1), 0.25))
                    tape.backward()
                except (RuntimeError, ValueError):  # busy, or another thread's forward has failed
                    pass
                gc.collect(0)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert errors == []
    a.grad = b.grad = 0.0
    a.label = "a"
    assert [row[:4] for row in record([shared])] == [row[:4] for row in before]
    shared.backward()
    once = a.grad, b.grad
    a.grad = b.grad = 0.0
    shared.backward()
    assert (a.grad, b.grad) == once


def test_a_finaliser_that_waits_keeps_no_other_thread_from_freeing():
    mg = micrograd_fast
    inside, go_on = threading.Event(), threading.Event()

    class Waiting(mg.Value):
        def __del__(self):
            inside.set()
            go_on.wait(60)

    def work():
        root = Waiting(1.0) * 2.0
        del root

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(60)
    x = mg.Value(1.0)
    x = x * x  # with this the free list is in use
    before = sys.getallocatedblocks()
    for _ in range(50):
        x = mg.Value(1.0)
        for _ in range(10_000):
            x = x + x
    grown = sys.getallocatedblocks() - before
    go_on.set()
    thread.join()
    assert grown < 50_000


# Tapes


BUSY = RuntimeError, "this Tape is in use by another thread: give each thread its own"


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
