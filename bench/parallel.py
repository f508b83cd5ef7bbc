"""Many rows of the moons network: a Tape in one thread, and DataParallel over the cores there are.

Loss and gradients of an MLP 2-16-16-1, the rows cut into 8 shards for each; "one after another" is
the plain Tape. The parameters change from run to run, the rows do not, so they travel before the
measurement. "processes" is joblib's default, "threads" its backend "threading".
"""

from functools import partial

import numpy as np

from .measure import Task, Workload
from .moons import two_moons

SHARDS = 8
SIZES = (10_000, 100_000, 1_000_000)


def evaluated(n, step_of, note=""):
    """The Task of a step over n rows: step_of(DataParallel, tape, rows, seed) gives a function."""
    import random

    import micrograd_fast as mg

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


def one_after_another(n):
    def step_of(tape, rows, seed):
        shards = list(zip(np.array_split(rows, SHARDS), np.array_split(seed, SHARDS), strict=True))

        def step():
            losses = []
            for shard, weights in shards:
                losses.append(tape.forward(shard))
                tape.backward(weights)
            return np.concatenate(losses)

        return step

    return evaluated(n, step_of)


def by_workers(n, backend, **options):
    import joblib

    import micrograd_fast as mg

    joblib.parallel_config(backend, **options)  # of this process, which runs nothing else

    def step_of(tape, rows, seed):
        return partial(mg.DataParallel(tape, SHARDS).forward_backward, rows, seed, input_grad=False)

    return evaluated(n, step_of, f"joblib {joblib.__version__}, {joblib.cpu_count()} workers")


def processes(n):
    return by_workers(n, "loky", idle_worker_timeout=10)


def threads(n):
    return by_workers(n, "threading", n_jobs=-1)


WORKLOADS = [
    Workload(
        name=f"parallel_{n}",
        title=f"{n:,} rows of the moons network: losses and gradients, in {SHARDS} shards",
        per="step",
        baseline="micrograd_fast, Tape, one after another",
        contestants={
            "micrograd_fast, Tape, one after another": partial(one_after_another, n),
            "micrograd_fast, Tape, processes": partial(processes, n),
            "micrograd_fast, Tape, threads": partial(threads, n),
        },
    )
    for n in SIZES
]
