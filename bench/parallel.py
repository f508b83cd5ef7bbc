"""Many rows of the moons network: a Tape in one thread, and DataParallel over the cores there are.

Loss and gradients of an MLP 2-16-16-1, the rows cut into 8 shards for each; "one after another" is
the plain Tape. The parameters change from run to run, the rows do not, so they travel before the
measurement. "processes" is joblib's default, "threads" its backend "threading".
"""

import random
from functools import partial

import numpy as np

from .measure import Task, Workload
from .moons import two_moons

SHARDS = 8


def evaluated(mg, n, step_of, note=""):
    """The Task of a step over n rows: step_of(tape, rows, seed) gives a function."""
    random.seed(1337)
    model = mg.MLP(2, [16, 16, 1])
    x, y = [mg.Value(0.0), mg.Value(0.0)], mg.Value(0.0)
    tape = mg.Tape((1 - y * model(x)).relu(), [*x, y])
    points, labels = two_moons(n)
    step = step_of(tape, np.column_stack([points, labels]), np.full(n, 1 / n))

    def run():
        for p in tape.parameters:
            p.data -= 1e-6 * p.grad
            p.grad = 0.0
        return step()

    losses = [run().sum(), run().sum()]
    return Task(run, [*losses, *(p.grad for p in tape.parameters)], note=note)


def one_after_another(mg, n):
    def step_of(tape, rows, seed):
        shards = list(zip(np.array_split(rows, SHARDS), np.array_split(seed, SHARDS), strict=True))

        def step():
            losses = []
            for shard, weights in shards:
                losses.append(tape.forward(shard))
                tape.backward(weights)
            return np.concatenate(losses)

        return step

    return evaluated(mg, n, step_of)


def by_workers(mg, n, backend, options):
    import joblib

    joblib.parallel_config(backend, **options)  # of this process, which runs nothing else

    def step_of(tape, rows, seed):
        return partial(mg.DataParallel(tape, SHARDS).forward_backward, rows, seed, input_grad=False)

    note = f"joblib {joblib.__version__}, {joblib.cpu_count()} workers"
    return evaluated(mg, n, step_of, note)


def contestants(n):
    processes, threads = {"idle_worker_timeout": 10}, {"n_jobs": -1}
    return [
        ("micrograd_fast, Tape, one after another", one_after_another, n),
        ("micrograd_fast, Tape, processes", by_workers, n, "loky", processes),
        ("micrograd_fast, Tape, threads", by_workers, n, "threading", threads),
    ]


WORKLOADS = [
    Workload(
        name=f"parallel_{n}",
        title=f"{n:,} rows of the moons network: losses and gradients, in {SHARDS} shards",
        per="step",
        baselines=["micrograd_fast, Tape, one after another"],
        contestants=contestants(n),
    )
    for n in (10_000, 100_000, 1_000_000)
]
