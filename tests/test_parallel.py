"""DataParallel: the bits of the Tape over one shard after another, whoever evaluates them."""

import copy
import gc
import importlib
import os
import pickle
import random
import signal
import subprocess
import sys
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

joblib = pytest.importorskip("joblib", reason="joblib is in the extra [parallel]")

import micrograd_ref.parallel as written_once  # noqa: E402

BACKENDS = [("sequential", 1), ("threading", 2), ("threading", 4), ("loky", 2), ("loky", 4)]
every_backend = pytest.mark.parametrize(("backend", "n_jobs"), BACKENDS)


@pytest.fixture
def parallel(mg):
    """DataParallel, as the package under test has it."""
    return importlib.import_module(f"{mg.__name__}.parallel").DataParallel


@pytest.fixture(scope="module", autouse=True)
def no_processes_left():
    yield
    importlib.import_module("joblib.externals.loky").get_reusable_executor().shutdown(wait=True)


def sequential():
    return joblib.parallel_config(backend="sequential")


def moons(mg):
    """The Tape of a small network's loss and score, and the network's parameters."""
    random.seed(1337)
    model = mg.MLP(2, [4, 1], activation="tanh")
    params = model.parameters()
    x, y = [mg.Value(0.0), mg.Value(0.0)], mg.Value(0.0)
    score = model(x)
    loss = (1 - y * score).relu() + 1e-3 * mg.dot(params, params)
    return mg.Tape([loss, score], inputs=[*x, y])


def product(mg):
    """The Tape of tanh(w * x), and w."""
    x, w = mg.Value(0.0), mg.Value(1.25)
    return mg.Tape((w * x).tanh(), [x]), w


def table(n, width, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width))


def bits(*arrays):
    return [(np.shape(x), np.asarray(x, dtype=np.float64).tobytes()) for x in arrays]


def grads(tape):
    return [p.grad for p in tape.parameters]


def train(tape, step, steps=3):
    """What each of some steps of gradient descent finds: its results, and all grads."""
    found = []
    for _ in range(steps):
        for p in tape.parameters:
            p.grad = 0.0
        found.append(bits(*step(), grads(tape)))
        for p in tape.parameters:
            p.data -= 0.1 * p.grad
    return found


def by_workers(parallel, rows, seed):
    return lambda: (parallel.forward_backward(rows, seed), parallel.input_grad)


def one_after_another(tape, n_shards, rows, seed):
    """The definition: the Tape over the parts that NumPy cuts."""

    def step():
        results = []
        for part, weights in zip(
            np.array_split(rows, n_shards), np.array_split(seed, n_shards), strict=True
        ):
            outputs = tape.forward(part)
            tape.backward(weights)
            results.append((outputs, tape.input_grad))
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    return step


# Bits


@every_backend
def test_any_number_of_workers_gives_the_bits_of_one_shard_after_another(
    mg, parallel, backend, n_jobs
):
    rows, seed = table(301, 3), table(301, 2, seed=1)
    tape = moons(mg)
    expected = train(tape, one_after_another(tape, 5, rows, seed))
    tape = moons(mg)
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
        assert train(tape, by_workers(parallel(tape, 5), rows, seed)) == expected


def test_without_a_configuration_it_runs_too(mg, parallel):
    rows, seed = table(20, 3), table(20, 2, seed=1)
    tape = moons(mg)
    expected = train(tape, one_after_another(tape, 2, rows, seed))
    tape = moons(mg)
    assert train(tape, by_workers(parallel(tape, 2), rows, seed)) == expected


@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 300])
def test_one_shard_gives_the_bits_of_the_tape(mg, parallel, n):
    tape, w = product(mg)
    rows, seed = table(n, 1), table(n, 1, seed=1)[:, 0]
    w.grad = -0.0
    outputs = tape.forward(rows)
    tape.backward(seed)
    expected = bits(outputs, tape.input_grad, w.grad)
    one = parallel(tape, 1)
    w.grad = -0.0
    assert bits(one.forward_backward(rows, seed), one.input_grad, w.grad) == expected


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8])
def test_more_shards_than_rows_are_a_row_each(mg, parallel, n):
    rows, seed = table(n, 3), table(n, 2, seed=1)
    tape = moons(mg)
    expected = train(tape, one_after_another(tape, max(1, min(4, n)), rows, seed))
    tape = moons(mg)
    with sequential():
        assert train(tape, by_workers(parallel(tape, 4), rows, seed)) == expected


def test_a_single_row_gives_what_the_tape_gives(mg, parallel):
    for tape, row, weight in [(product(mg)[0], [0.5], 2.0), (moons(mg), [1, 2, 3], [1.0, 0.5])]:
        outputs = tape.forward(row)
        tape.backward(weight)
        expected, grad = grads(tape), tape.input_grad
        for p in tape.parameters:
            p.grad = 0.0
        with sequential():
            shards = parallel(tape, 3)
            found = shards.forward_backward(row, weight)
        assert type(found) is type(outputs)
        assert bits(found, shards.input_grad, grads(tape)) == bits(outputs, grad, expected)


def test_without_inputs_each_row_is_the_same(mg, parallel):
    w = mg.Value(3.0)
    with sequential():
        shards = parallel(mg.Tape(w * w), 2)
        assert shards.forward_backward(()) == 9.0
        assert list(shards.forward_backward(np.empty((3, 0)))) == [9.0] * 3
    assert w.grad == 6.0 * 4
    assert shards.input_grad.shape == (3, 0)


def test_without_a_seed_each_row_weighs_one(mg, parallel):
    tape, w = product(mg)
    rows = table(9, 1)
    with sequential():
        shards = parallel(tape, 2)
        shards.forward_backward(rows)
        unweighted, w.grad = w.grad, 0.0
        shards.forward_backward(rows, np.ones(9))
    assert w.grad == unweighted


def test_any_real_array_will_do(mg, parallel):
    tape, _ = product(mg)
    with sequential():
        shards = parallel(tape, 2)
        wide = table(20, 2)
        for rows in (
            wide[::2, 1:],
            np.asfortranarray(wide[:, :1]),
            [[1], [2]],
            np.ones((3, 1), "f"),
        ):
            assert bits(shards.forward_backward(rows)) == bits(tape.forward(rows))


def test_gradients_are_added_to_those_that_are_there(mg, parallel):
    tape, w = product(mg)
    w.grad = 100.0
    with sequential():
        parallel(tape, 2).forward_backward([[0.0], [0.0]])
        assert w.grad == 100.0
        parallel(tape, 2).forward_backward([[1.0], [0.0]])
    assert w.grad == 100.0 + (1 - np.tanh(1.25) ** 2)


def test_infinities_and_nans_pass_without_a_warning(mg, parallel):
    x, w = mg.Value(0.0), mg.Value(1.0)
    tape = mg.Tape(w * x, [x])
    with sequential():
        outputs = parallel(tape, 2).forward_backward([[np.inf], [-np.inf]])
    assert list(outputs) == [np.inf, -np.inf]
    assert np.isnan(w.grad)


def test_the_tape_is_left_alone(mg, parallel):
    tape, _ = product(mg)
    tape.forward([[1.0], [2.0]])
    tape.backward()
    before = tape.input_grad.copy()
    with sequential():
        parallel(tape, 2).forward_backward(table(5, 1))
    assert bits(tape.input_grad) == bits(before)
    tape.backward([1.0, 1.0])


def test_rows_changed_in_place_are_noticed(mg, parallel):
    tape, w = product(mg)
    rows, seed = table(6, 1), np.ones(6)
    with sequential():
        shards = parallel(tape, 2)
        shards.forward_backward(rows, seed)
        rows[4], seed[1], w.grad = 0.5, 2.0, 0.0
        found = bits(shards.forward_backward(rows, seed), w.grad)
        w.grad = 0.0
        assert bits(parallel(tape, 2).forward_backward(rows, seed), w.grad) == found


def test_training_code_from_two_threads_takes_turns(mg, parallel):
    tape, w = product(mg)
    with sequential():
        shards = parallel(tape, 2)
        shards.forward_backward(table(4, 1))
        once, w.grad = w.grad, 0.0
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(shards.forward_backward, [table(4, 1)] * 8))
    assert w.grad == pytest.approx(8 * once, rel=1e-12)


# Errors


def error_of(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - type and message are the result
        call()
    return caught.type, str(caught.value)


@pytest.mark.parametrize("rows", [np.ones((4, 2)), np.ones(3), np.ones((2, 2, 1)), 1.0])
def test_rows_of_another_shape_are_refused_as_by_the_tape(mg, parallel, rows):
    tape, _ = product(mg)
    shards = parallel(tape, 2)
    expected = error_of(lambda: tape.forward(rows))
    assert expected[0] is ValueError
    assert error_of(lambda: shards.forward_backward(rows)) == expected


@pytest.mark.parametrize("seed", [1.0, np.ones(3), np.ones((2, 1)), np.ones((2, 3)), np.ones(0)])
def test_a_seed_of_another_shape_is_refused_as_by_the_tape(mg, parallel, seed):
    tape = moons(mg)
    tape.forward(np.ones((2, 3)))
    shards = parallel(tape, 2)
    expected = error_of(lambda: tape.backward(seed))
    assert expected[0] is ValueError
    assert error_of(lambda: shards.forward_backward(np.ones((2, 3)), seed)) == expected


def test_what_is_not_real_is_refused_as_by_the_tape(mg, parallel):
    tape, _ = product(mg)
    tape.forward([[1.0]])
    shards = parallel(tape, 2)
    expected = [error_of(lambda: tape.forward([["a"]])), error_of(lambda: tape.backward([1j]))]
    assert [kind for kind, _ in expected] == [TypeError, TypeError]
    assert expected == [
        error_of(lambda: shards.forward_backward([["a"]])),
        error_of(lambda: shards.forward_backward([[1.0]], [1j])),
    ]


@pytest.mark.parametrize("n", [0, -1])
def test_there_must_be_a_shard(mg, parallel, n):
    tape, _ = product(mg)
    with pytest.raises(ValueError, match=f"^DataParallel needs at least one shard, got {n}$"):
        parallel(tape, n)


def test_half_a_shard_is_a_type_error(mg, parallel):
    with pytest.raises(TypeError, match="float"):
        parallel(product(mg)[0], 1.5)


def test_only_a_tape_can_be_parallel(mg, parallel):
    with pytest.raises(TypeError, match=r"^DataParallel expects a Tape, not 'list'$"):
        parallel([product(mg)[0]], 2)


def test_input_grad_is_there_after_a_call_that_asks_for_it(mg, parallel):
    message = "input_grad needs a forward_backward before it, with input_grad=True"
    with sequential():
        shards = parallel(product(mg)[0], 2)
        assert error_of(lambda: shards.input_grad) == (ValueError, message)
        shards.forward_backward([[1.0]])
        assert shards.input_grad.shape == (1, 1)
        shards.forward_backward([[1.0]], input_grad=False)
        assert error_of(lambda: shards.input_grad) == (ValueError, message)


@pytest.mark.parametrize("name", ["joblib", "cloudpickle"])
def test_a_missing_library_is_an_import_error_that_shows_the_way(mg, parallel, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    message = f'DataParallel needs {name}: python -m pip install "micrograd-fast[parallel]"'
    assert error_of(lambda: parallel(product(mg)[0], 2)) == (ImportError, message)


def test_an_import_does_not_bring_joblib():
    code = "import sys, micrograd_fast.parallel; print('joblib' in sys.modules)"
    assert run(["-c", code]) == "False\n"


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_an_anomaly_is_found_in_the_row_where_the_tape_finds_it(mg, parallel, backend):
    x, w = mg.Value(0.0, label="x"), mg.Value(1.0, label="w")
    tape = mg.Tape(w / x, [x])
    rows = [[1.0], [1.0], [0.0], [1.0]]
    with joblib.parallel_config(backend=backend, n_jobs=2):
        shards = parallel(tape, 2)
        shards.forward_backward(rows)
        w.grad = 0.0
        with mg.detect_anomaly():
            expected = error_of(lambda: tape.forward(rows))
            assert error_of(lambda: shards.forward_backward(rows)) == expected
            assert expected[1].startswith("row 2: '/' made inf")
    assert w.grad == 0.0


class Failing:
    """A Tape that fails on rows above a number."""

    def __init__(self, tape):
        self.tape, self.inputs, self.parameters = tape, tape.inputs, tape.parameters

    def forward(self, rows):
        if (rows > 1).any():
            raise ArithmeticError("too large")
        return self.tape.forward(rows)

    def backward(self, seed):
        self.tape.backward(seed)

    input_grad = property(lambda self: self.tape.input_grad)


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_an_error_in_one_shard_leaves_the_grads_of_all(mg, parallel, backend):
    tape, w = product(mg)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        shards = parallel(Failing(tape), 3)
        found = error_of(lambda: shards.forward_backward([[0.5], [0.5], [2.0]]))
        assert found == (ArithmeticError, "too large")
        assert w.grad == 0.0
        shards.forward_backward([[0.5], [0.5], [0.5]])
    assert w.grad != 0.0


# What travels


class Counting:
    """A joblib backend that notes the size of every task, pickled."""

    sizes: list[int] = []  # noqa: RUF012 - joblib makes the instances

    def submit(self, func, callback=None):
        Counting.sizes.append(len(pickle.dumps(func)))
        return super().submit(func, callback)


def counted(base):
    """The configuration of joblib with a backend that counts, in two workers."""
    name = f"counting-{base}"
    backend = joblib.parallel.BACKENDS[base]
    joblib.register_parallel_backend(name, type(name, (Counting, backend), {}))
    return joblib.parallel_config(backend=name, n_jobs=2)


def test_after_the_first_step_only_the_parameters_travel(mg, parallel):
    tape = moons(mg)
    rows, seed = table(4_000, 3), table(4_000, 2, seed=1)
    shards = parallel(tape, 4)
    parameters = 8 * len(tape.parameters)
    with counted("threading"):
        Counting.sizes.clear()
        train(tape, by_workers(shards, rows, seed))
    first, later = Counting.sizes[:2], Counting.sizes[2:]
    assert len(later) == 8
    assert min(first) > 8 * 5 * 4_000  # all rows and weights, once for each worker
    assert parameters < min(later) <= max(later) < parameters + 2_000


def test_new_rows_travel_without_the_tape(mg, parallel):
    tape = moons(mg)
    with counted("threading"):
        Counting.sizes.clear()
        shards = parallel(tape, 2)
        shards.forward_backward(table(2, 3))
        shards.forward_backward(table(2, 3, seed=1))
    assert len(Counting.sizes) == 4
    assert max(Counting.sizes[2:]) + len(pickle.dumps(tape)) <= min(Counting.sizes[:2])


def test_once_every_process_has_the_rows_only_the_parameters_travel(mg, parallel):
    tape = moons(mg)
    rows = table(400, 3)
    with counted("loky"):
        shards = parallel(tape, 2)
        for _ in range(200):
            Counting.sizes.clear()
            shards.forward_backward(rows)
            if max(Counting.sizes) < 8 * len(tape.parameters) + 2_000:
                break
    assert len(Counting.sizes) == 2


def test_a_worker_that_has_forgotten_is_told_again(mg, parallel, monkeypatch):
    monkeypatch.setattr(written_once, "KEPT", 1)
    tape, other = moons(mg), moons(mg)
    rows, seed = table(20, 3), table(20, 2, seed=1)
    expected = train(tape, one_after_another(tape, 3, rows, seed))
    tape = moons(mg)
    with sequential():
        shards, disturbing = parallel(tape, 3), parallel(other, 2)

        def step():
            disturbing.forward_backward(rows)
            return by_workers(shards, rows, seed)()

        assert train(tape, step) == expected


def test_an_older_batch_is_not_taken_for_the_new_one(mg, parallel):
    tape, _ = product(mg)
    with sequential():
        shards = parallel(tape, 2)
        shards.forward_backward([[1.0], [2.0]])
        held = written_once._held[shards._key]
        old = held.version, held.shards
        shards.forward_backward([[3.0], [4.0]])
        held.version, held.shards = old
        found = bits(shards.forward_backward([[3.0], [4.0]]))
    assert found == bits(tape.forward([[3.0], [4.0]]))


def test_what_is_dropped_is_freed_where_it_ran_in_this_process(mg, parallel):
    with sequential():
        shards = parallel(product(mg)[0], 2)
        shards.forward_backward([[1.0]])
    key = shards._key
    assert key in written_once._held
    del shards
    gc.collect()
    assert key not in written_once._held


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_gives_the_same_bits(mg, parallel, way):
    tape, _ = product(mg)
    rows = table(9, 1)
    with sequential():
        shards = parallel(tape, 2)
        expected = bits(shards.forward_backward(rows), shards.input_grad)
        other = way(shards)
        assert bits(other.forward_backward(rows), other.input_grad) == expected
    assert repr(other) == repr(shards)


def test_its_representation_names_the_tape_and_the_shards(mg, parallel):
    tape, _ = product(mg)
    assert repr(parallel(tape, 3)) == (
        "DataParallel(Tape(2 instructions, 1 inputs, 1 parameters), 3 shards)"
    )


# Workers that die


def dying(tape, folder):
    """A Tape whose process is killed in a backward, elsewhere, for each file in the folder.

    A class from inside a function travels by value: the workers need not have this module.
    """

    class Dying:
        home = os.getpid()

        def __init__(self):
            self.tape, self.inputs, self.parameters = tape, tape.inputs, tape.parameters

        def forward(self, rows):
            return self.tape.forward(rows)

        def backward(self, seed):
            for file in Path(folder).iterdir() if os.getpid() != self.home else ():
                try:
                    file.unlink()
                except FileNotFoundError:  # the other worker was faster
                    continue
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
            self.tape.backward(seed)

        input_grad = property(lambda self: self.tape.input_grad)

    return Dying()


def test_a_process_killed_in_mid_step_changes_nothing(mg, parallel, tmp_path):
    rows, seed = table(301, 3), table(301, 2, seed=1)
    tape = moons(mg)
    expected = train(tape, one_after_another(tape, 4, rows, seed), 4)
    tape = moons(mg)
    steps = iter(range(4))
    with joblib.parallel_config(backend="loky", n_jobs=2):
        shards = parallel(dying(tape, tmp_path), 4)

        def step():
            if next(steps) in (0, 2):
                (tmp_path / "once").touch()
            return by_workers(shards, rows, seed)()

        assert train(tape, step, 4) == expected
    assert not list(tmp_path.iterdir())


def test_processes_killed_again_and_again_are_an_error_that_leaves_the_grads(
    mg, parallel, tmp_path
):
    rows = table(301, 1)
    tape, w = product(mg)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        shards = parallel(dying(tape, tmp_path), 4)
        for i in range(20):
            (tmp_path / str(i)).touch()
        with pytest.raises(BrokenExecutor):
            shards.forward_backward(rows)
        assert w.grad == 0.0
        for file in tmp_path.iterdir():
            file.unlink()
        assert bits(shards.forward_backward(rows)) == bits(tape.forward(rows))
    assert w.grad != 0.0


# On a cluster


def noting(parallel, brought):
    """DataParallel, which notes of each call how many of its tasks bring more than parameters."""

    class Noting(parallel):
        def _run(self, tasks, workers):
            brought.append(
                sum(task.program is not None or task.batch is not None for task in tasks)
            )
            return super()._run(tasks, workers)

    return Noting


ON_DASK = """
import sys
from pathlib import Path

import joblib
from distributed import Client, LocalCluster

import test_parallel as t
if __name__ == "__main__":
    import micrograd_{twin} as mg
    from micrograd_{twin}.parallel import DataParallel

    rows, seed, folder = t.table(301, 3), t.table(301, 2, seed=1), Path(sys.argv[1])

    def trained(brought, kill_in=None):
        tape = t.moons(mg)
        steps = iter(range(4))
        parallel = t.noting(DataParallel, brought)(t.dying(tape, folder), 4)

        def step():
            if next(steps) == kill_in:
                (folder / "once").touch()
            return t.by_workers(parallel, rows, seed)()

        return t.train(tape, step, 4)

    with joblib.parallel_config(backend="sequential"):
        expected = trained([])
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, memory_limit=0, dashboard_address=":0"
    ) as cluster, Client(cluster) as client:
        print(len(client.scheduler_info()["workers"]), "workers")
        with joblib.parallel_config(backend="dask"):
            brought = []
            print("undisturbed:", trained(brought) == expected)
            print("tasks that bring more than parameters:", *brought)
            print("with a worker killed in the second step:", trained([], kill_in=1) == expected)
        print(len(list(folder.iterdir())), "kills left")
"""


@pytest.mark.parametrize("twin", ["ref", "fast"])
def test_two_workers_of_a_dask_cluster_give_the_bits_of_one_process(twin, tmp_path):
    pytest.importorskip("distributed", reason="no dask cluster without dask[distributed]")
    script, folder = tmp_path / "script.py", tmp_path / "kills"
    script.write_text(ON_DASK.format(twin=twin))
    folder.mkdir()
    assert run([str(script), str(folder)]).splitlines() == [
        "2 workers",
        "undisturbed: True",
        "tasks that bring more than parameters: 2 0 0 0",
        "with a worker killed in the second step: True",
        "0 kills left",
    ]


def run(arguments):
    """What an interpreter of its own prints."""
    paths = [Path(written_once.__file__).parents[1], Path(__file__).parent]
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
