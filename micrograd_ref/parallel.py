"""DataParallel: a Tape over shards of rows, in many processes or on many machines."""

from __future__ import annotations

import importlib
import operator
import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from .checking import real_array, type_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]

__all__ = ["DataParallel"]

KEPT = 32  # DataParallels of which a worker keeps tape and rows, the last used


class DataParallel:
    """A Tape that takes its rows in n_shards shards, which joblib hands to workers.

        parallel = DataParallel(tape, n_shards=8)
        losses = parallel.forward_backward(rows, np.full(n, 1 / n))

    tape: a Tape of either package. Its last forward and its input_grad are left alone.
    n_shards: how many. The rows are cut into that many contiguous runs, the first n % n_shards of
    them one row longer than the rest; fewer rows than shards are one row each.

    The result is that of the tape over one shard after another,

        for shard, weights in zip(np.array_split(rows, n_shards), np.array_split(seed, n_shards)):
            tape.forward(shard)
            tape.backward(weights)

    bit for bit: a row's outputs are those of the tape, and a parameter's grad is what it was, plus
    the gradient of the first shard as the tape adds it up, plus that of the second, and so on. So
    the bits depend on n_shards, but not on the number of workers, on the backend, or on who is
    done first. With one shard they are the tape's.

    The workers are joblib's: by default a process for each core. joblib.parallel_config chooses
    another number (n_jobs=4) or backend ("threading", "dask", and "ray" or "spark" where those are
    registered with joblib). There should be a few shards for each worker.

    The first call hands each worker some shards in one task, and with them the tape and all rows,
    which the worker keeps: from then on it gets only the parameters' data. Rows with other bits
    than in the call before travel in the same way. A worker that lacks something, because it is
    new, says so, and joblib gets the task again with all that it takes.

    If a worker dies, its shards are evaluated again: by the backend where it can (dask), else by
    new processes, once. Until all shards are back, no grad is changed.

    Raises TypeError for what is no Tape, ValueError for n_shards < 1, ImportError without joblib.
    Cost: a copy of the rows here and in each worker.
    """

    def __init__(self, tape: Any, n_shards: int) -> None:
        if not all(hasattr(tape, x) for x in ("forward", "backward", "inputs", "parameters")):
            raise TypeError(f"DataParallel expects a Tape, not '{type_name(tape)}'")
        n_shards = operator.index(n_shards)
        if n_shards < 1:
            raise ValueError(f"DataParallel needs at least one shard, got {n_shards}")
        import numpy as np

        self.tape = tape
        self.n_shards = n_shards
        # With cloudpickle, for classes of the running script. An array, which joblib can share.
        self._program = np.frombuffer(_import("cloudpickle").dumps(tape), dtype=np.uint8)
        _import("joblib")
        copy = _loads(self._program)
        self._output_shape = copy.forward(np.empty((0, len(tape.inputs)))).shape[1:]
        self._input_grad: Array | None = None
        self._batch: _Batch | None = None  # the last one
        self._version = 0  # of the batch, 0 before the first
        self._lock = threading.Lock()
        self._key = os.urandom(16).hex()
        weakref.finalize(self, _held.pop, self._key, None)  # where the workers are this process

    def forward_backward(
        self, rows: ArrayLike, seed: ArrayLike | None = None, input_grad: bool = True
    ) -> Any:
        """Evaluate every row and differentiate, as forward and backward of the Tape do.

        rows, seed: as the Tape takes them, a single row included.
        input_grad: whether the workers send back the gradient with respect to the inputs.
        Returns the outputs of all rows, in a new array of the shape that Tape.forward gives them.
        Adds into each parameter's grad, and leaves input_grad.
        Raises what the Tape raises for rows and seed, and what joblib raises when workers are lost
        again and again; the grads are then as before.
        Cost: joblib takes 10 to 20 ms for a call on one machine, so it pays where forward and
        backward of the Tape take longer. Within detect_anomaly, all rows are evaluated here first.
        """
        import numpy as np

        rows = real_array(rows, "rows")
        width = len(self.tape.inputs)
        if rows.ndim not in (1, 2) or rows.shape[-1] != width:
            raise ValueError(
                f"rows must have the shape (n, {width}) or ({width},), got {rows.shape}"
            )
        shape = (*rows.shape[:-1], *self._output_shape)
        if seed is not None:
            seed = real_array(seed, "seed")
            if seed.shape != shape:
                raise ValueError(f"seed must have the shape {shape}, got {seed.shape}")
            seed = seed if rows.ndim == 2 else seed[np.newaxis]
        with self._lock:
            self._input_grad = None
            parameters = np.array([p.data for p in self.tape.parameters], dtype=np.float64)
            results = self._evaluate(_Batch(np.atleast_2d(rows), seed), parameters, input_grad)
            grads = np.array([p.grad for p in self.tape.parameters], dtype=np.float64)
            with np.errstate(all="ignore"):
                for result in results:
                    grads += result.grads
            for p, grad in zip(self.tape.parameters, grads.tolist(), strict=True):
                p.grad = grad
            if input_grad:
                found = np.concatenate([result.input_grad for result in results])
                self._input_grad = found.reshape(rows.shape)
        outputs = np.concatenate([result.outputs for result in results]).reshape(shape)
        return outputs if shape else float(outputs)

    def _evaluate(self, batch: _Batch, parameters: Array, input_grad: bool) -> list[_Result]:
        """The result of each shard, with new rows sent along and then what was lacking."""
        new = self._batch is None or not self._batch.has_the_bits_of(batch)
        if new or self._batch is None:
            self._batch = batch.copied()
            self._version += 1
        if is_detecting(self.tape):
            _replay(_loads(self._program), parameters, self._batch, False)
        workers = self._workers()
        program = self._program if self._version == 1 and new else None
        missing: Sequence[int] = range(min(self.n_shards, max(1, len(batch.rows))))
        results: list[_Result | None] = [None] * len(missing)
        while missing:
            tasks = [
                _Task(
                    self._key,
                    self._version,
                    self.n_shards,
                    shards,
                    parameters,
                    input_grad,
                    program,
                    self._batch if new else None,
                )
                # What travels goes to each worker once; else many tasks keep all of them busy.
                for shards in _runs(missing, workers if new else len(missing))
            ]
            for task, found in zip(tasks, self._run(tasks, workers), strict=True):
                for i, result in zip(task.shards, found, strict=True):
                    results[i] = result
            missing = [i for i, result in enumerate(results) if result is None]
            program, new = self._program, True
        return [result for result in results if result is not None]

    def _workers(self) -> int:
        joblib = _import("joblib")
        _, n_jobs = joblib.parallel.get_active_backend()
        workers: int = joblib.effective_n_jobs(-1 if n_jobs is None else n_jobs)
        return min(workers, self.n_shards)

    def _run(self, tasks: list[_Task], workers: int) -> Iterable[list[_Result | None]]:
        from concurrent.futures import BrokenExecutor

        joblib = _import("joblib")
        for last in (False, True):
            run = joblib.Parallel(n_jobs=workers, batch_size=1, pre_dispatch="all")
            try:
                return run(joblib.delayed(_work)(task) for task in tasks)  # type: ignore[no-any-return]
            except BrokenExecutor:  # a process died, and joblib starts new ones for the next call
                if last:
                    raise
        raise AssertionError("unreachable")

    @property
    def input_grad(self) -> Array:
        """The gradient with respect to the inputs, in the shape of the last rows.

        Raises ValueError if the last forward_backward did not leave it.
        """
        if self._input_grad is None:
            raise ValueError("input_grad needs a forward_backward before it, with input_grad=True")
        return self._input_grad

    def __repr__(self) -> str:
        return f"DataParallel({self.tape!r}, {self.n_shards} shards)"

    def __reduce__(self) -> tuple[Any, ...]:
        return DataParallel, (self.tape, self.n_shards)


class _Batch(NamedTuple):
    """Rows, and a weight for each or None."""

    rows: Array
    seed: Array | None

    def copied(self) -> _Batch:
        import numpy as np

        seed = None if self.seed is None else np.array(self.seed, order="C")
        return _Batch(np.array(self.rows, order="C"), seed)

    def owned(self) -> _Batch:
        """Itself, in memory that stays: joblib takes its shared memory back after a call."""
        import numpy as np

        return self.copied() if any(isinstance(x, np.memmap) for x in self) else self

    def has_the_bits_of(self, other: _Batch) -> bool:
        return all(_same_bits(a, b) for a, b in zip(self, other, strict=True))

    def split(self, n: int) -> list[_Batch]:
        """Into n contiguous parts, or into fewer that have a row each."""
        import numpy as np

        n = min(n, max(1, len(self.rows)))
        rows = np.array_split(self.rows, n)
        seeds = [None] * n if self.seed is None else np.array_split(self.seed, n)
        return [_Batch(*pair) for pair in zip(rows, seeds, strict=True)]


def _same_bits(a: Array | None, b: Array | None) -> bool:
    import numpy as np

    if a is None or b is None:
        return a is b
    x, y = (np.ascontiguousarray(array).view(np.uint64) for array in (a, b))
    return np.array_equal(x, y)


def _runs(items: Sequence[int], n: int) -> list[Sequence[int]]:
    """The items in up to n contiguous runs of about the same length."""
    n = min(n, len(items))
    ends = [len(items) * i // n for i in range(n + 1)]
    return [items[start:end] for start, end in pairwise(ends)]


# What a worker does.


class _Task(NamedTuple):
    """Some shards to evaluate.

    It is one tuple, so that the dask backend does not scatter its arrays: scattered data is lost
    with the worker that holds it.
    """

    key: str  # of the DataParallel
    version: int  # of the batch
    n_shards: int
    shards: Sequence[int]
    parameters: Array
    input_grad: bool
    program: NDArray[np.uint8] | None
    batch: _Batch | None


class _Result(NamedTuple):
    outputs: Array
    grads: Array  # of the parameters
    input_grad: Array | None


class _Held:
    """What a worker has of a DataParallel."""

    def __init__(self, program: NDArray[np.uint8]) -> None:
        import numpy as np

        self.program = np.array(program) if isinstance(program, np.memmap) else program
        self.tapes: list[Any] = []  # those not in use by a thread
        self.version = 0  # of the batch that is cut into shards
        self.shards: list[_Batch] = []


_held: dict[str, _Held] = {}  # the last used comes last
_held_lock = threading.Lock()


def _work(task: _Task) -> list[_Result | None]:
    """Evaluate some shards. None for each if the tape or the rows are not here."""
    with _held_lock:
        held = _held.pop(task.key, None)
        if held is None and task.program is not None:
            held = _Held(task.program)
        if held is None:
            return [None] * len(task.shards)
        _held[task.key] = held
        while len(_held) > KEPT:
            del _held[next(iter(_held))]
        if task.batch is not None and held.version != task.version:
            held.version, held.shards = task.version, task.batch.owned().split(task.n_shards)
        version, shards = held.version, held.shards
    if version != task.version:
        return [None] * len(task.shards)
    try:
        tape = held.tapes.pop()
    except IndexError:
        tape = _loads(held.program)
    results: list[_Result | None] = [
        _replay(tape, task.parameters, shards[i], task.input_grad) for i in task.shards
    ]
    held.tapes.append(tape)
    return results


def _loads(program: NDArray[np.uint8]) -> Any:
    import pickle

    return pickle.loads(program.data)


def _replay(tape: Any, parameters: Array, batch: _Batch, input_grad: bool) -> _Result:
    import numpy as np

    for p, data in zip(tape.parameters, parameters.tolist(), strict=True):
        p.data, p.grad = data, -0.0  # which changes no bit of what is added to it
    outputs = tape.forward(batch.rows)
    tape.backward(batch.seed)
    grads = np.array([p.grad for p in tape.parameters], dtype=np.float64)
    return _Result(outputs, grads, tape.input_grad if input_grad else None)


def is_detecting(tape: Any) -> bool:
    """Whether a detect_anomaly block of the tape's package is open."""
    for x in (*tape.parameters, *tape.inputs)[:1]:
        kind = next(base for base in type(x).__mro__ if base.__module__ in _ENGINES)
        try:
            kind(1.0) / 0.0
        except FloatingPointError:
            return True
    return False


_ENGINES = ("micrograd_ref.engine", "micrograd_fast.engine")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(
            f'DataParallel needs {name}: python -m pip install "micrograd-fast[parallel]"'
        ) from None
