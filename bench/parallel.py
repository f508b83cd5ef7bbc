"""Many rows of the moons network: a Tape in one thread, and DataParallel over the cores there are.

Loss and gradients of an MLP 2-16-16-1, the rows cut into 8 shards for each; "one after another" is
the plain Tape. The parameters change from run to run, the rows do not, so they travel before the
measurement. "processes" is joblib's default, "threads" its backend "threading".
"""

from functools import partial

import numpy as np

from .measure import Task, Workload
from .moons import one_point, two_moons

SHARDS = 8


def evaluated(mg, n, way, note=""):
    """The Task of a step over n rows. way(tape) is how: a function of the rows and their seed."""
    params, inputs, loss = one_point(mg)
    evaluate = way(mg.Tape(loss, inputs))
    rows, seed = np.column_stack(two_moons(n)), np.full(n, 1 / n)

    def run():
        for p in params:
            p.data -= 1e-6 * p.grad
            p.grad = 0.0
        return evaluate(rows, seed)

    losses = [run().sum(), run().sum()]
    return Task(run, [losses, [p.grad for p in params]], note=note)


def one_after_another(mg, n):
    def way(tape):
        def evaluate(*rows_and_seed):
            losses = []
            shards = (np.array_split(array, SHARDS) for array in rows_and_seed)
            for rows, seed in zip(*shards, strict=True):
                losses.append(tape.forward(rows))
                tape.backward(seed)
            return np.concatenate(losses)

        return evaluate

    return evaluated(mg, n, way)


def by_workers(mg, n, backend, options):
    import joblib

    def way(tape):
        return partial(mg.DataParallel(tape, SHARDS).forward_backward, input_grad=False)

    joblib.parallel_config(backend, **options)  # of this process, which runs nothing else
    note = f"joblib {joblib.__version__}, {joblib.cpu_count()} workers"
    return evaluated(mg, n, way, note)


def workload(n):
    title = f"{n:,} rows of the moons network: losses and gradients, in {SHARDS} shards"
    processes, threads = {"idle_worker_timeout": 10}, {"n_jobs": -1}
    contestants = [
        ("micrograd_fast, Tape, one after another", one_after_another, n),
        ("micrograd_fast, Tape, processes", by_workers, n, "loky", processes),
        ("micrograd_fast, Tape, threads", by_workers, n, "threading", threads),
    ]
    return Workload(f"parallel_{n}", title, "step", contestants, [contestants[0][0]])


WORKLOADS = [workload(n) for n in (10_000, 100_000, 1_000_000)]
