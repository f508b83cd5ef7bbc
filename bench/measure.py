"""Measuring: a process for each contestant, results compared first, rounds interleaved.

Every contestant runs in a process of its own, so that none pays for another's objects in the
garbage collector, memory can be told apart, and a crash is one contestant's. The processes wait
while one of them takes its turn. Nothing is subtracted and nothing tuned: the loop is timeit's,
the garbage collector is on as users have it, and what a turn leaves behind the next one finds.
"""

import contextlib
import importlib
import math
import multiprocessing
import os
import re
import statistics
import struct
import timeit
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SECONDS_FOR_ONE_ANSWER = 180

# What to import for a contestant where that is not the package that its name starts with.
MODULES = {
    "C": "builtins",
    "float": "builtins",
    "micrograd": "micrograd.engine",
    "python": "bench.python",
    "xad": "xad.adj_1st",
}


class Task(NamedTuple):
    """One contestant's work, set up and ready to run.

    run: what is timed, a function of no arguments, or a statement; then `setup` runs before it, and
        both may use `names`.
    result: what it computed, numbers in sequences and arrays as they come; what run() returns, if
        not given. The contestants must agree on it before they are timed.
    units: how many nodes, terms, ... one run handles; figures are given for one.
    note: what sets this contestant apart in the table, besides the units.
    bytes: for a workload that weighs and does not time, the weight of all units.
    """

    run: Callable[[], object] | str
    result: Iterable[Any] | None = None
    setup: str = ""
    names: dict[str, Any] | None = None
    units: int = 1
    note: str = ""
    bytes: float | None = None


class Workload(NamedTuple):
    """What is measured and who takes part.

    contestants: a row for each: its name, which starts with the package's; a function that is given
    the package and returns a Task; what else the function is given. Or the name, and the reason why
    the package cannot take part.
    per: what a time is for: a step, a node, ...
    baselines: contestants that stand for the usual way; ratios to them are shown too.
    memory: whether the peak memory says something.
    """

    name: str
    title: str
    per: str
    contestants: Sequence[tuple[Any, ...]]
    baselines: Sequence[str] = ()
    memory: bool = False


def each(names: Sequence[str], *rest: Any) -> list[tuple[Any, ...]]:
    """The rows of contestants that differ in nothing but their names."""
    return [(name, *rest) for name in names]


@dataclass
class Outcome:
    """What was found about one contestant.

    times: for each round it ran in, the seconds for one unit.
    """

    contestant: str
    times: dict[int, float] = field(default_factory=dict)
    bytes: float | None = None
    peak: int | None = None
    note: str = ""
    cannot: str = ""  # the reason, if it could not run
    wrong: bool = False  # it ran, and computed something else
    missing: bool = False  # it is not installed

    @property
    def figure(self) -> float | None:
        """The median time in seconds, or the bytes; None if there is neither."""
        return statistics.median(self.times.values()) if self.times else self.bytes

    @property
    def spread(self) -> float | None:
        """The distance between the quartiles, as a share of the median."""
        if len(self.times) < 2:
            return None
        low, middle, high = statistics.quantiles(self.times.values(), n=4, method="inclusive")
        return (high - low) / middle

    def ratio(self, other: "Outcome") -> float | None:
        """How many times the other's figure this one is, None if either has none.

        Of times, the median over the rounds that both ran in of the two times' ratio: what slows
        the whole machine for a while then cancels out.
        """
        both = self.times.keys() & other.times.keys()
        if both:
            return statistics.median(self.times[i] / other.times[i] for i in both)
        return self.bytes / other.bytes if self.bytes and other.bytes else None


def package_of(contestant: str) -> str:
    """The package that a contestant's name starts with: 'jax' of 'jax.jit, compiled once'."""
    return re.match(r"\w+", contestant)[0]


class CannotRun(Exception):
    """A contestant's process failed; the message says why."""


class NotInstalled(Exception):
    """A contestant's package is not there."""


# A contestant's process.


def _serve(connection: Any, module: str, index: int, contestant: str) -> None:
    """Set the task up, send what it computed, then time as many runs as each message says."""
    name = package_of(contestant)
    try:
        # A crash is told in the table; what it prints would tear the progress bar.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        with contextlib.suppress(ImportError):
            importlib.import_module("numpy.random")
        package = importlib.import_module(MODULES.get(name, name))
        before = _memory("VmRSS")  # with the packages' own weight, which is not the work's
        workload = importlib.import_module(module).WORKLOADS[index]
        prepare, *arguments = next(row[1:] for row in workload.contestants if row[0] == contestant)
        task = prepare(package, *arguments)
        result = list(_numbers(task.run() if task.result is None else task.result))
        task = task._replace(result=None)  # arrays kept here would change times and memory
        size = f"{task.units:,} {workload.per}s" if task.units > 1 else ""
        note = ", ".join(filter(None, [size, task.note]))
        connection.send((result, task.units, note, task.bytes and task.bytes / task.units))
        # timeit turns the garbage collector off; users have it on.
        timer = timeit.Timer(task.run, "import gc; gc.enable()\n" + task.setup, globals=task.names)
        for message in iter(connection.recv, "stop"):
            if message == "peak":
                peak = _memory("VmHWM")
                connection.send(None if before is None or peak is None else peak - before)
            else:
                connection.send(timer.timeit(message))
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            connection.send(NotInstalled())
        else:
            message = (str(error).strip() or type(error).__name__).splitlines()[0]
            connection.send(CannotRun(f"{type(error).__name__}: {message}"[:90]))
    finally:
        connection.close()
        os._exit(0)  # what a contestant left behind may take long to free


def _numbers(result: Any) -> Iterator[float]:
    """The numbers in nested sequences and arrays, in order."""
    if hasattr(result, "tolist"):
        result = result.tolist()
    if isinstance(result, Iterable):
        for part in result:
            yield from _numbers(part)
    else:
        yield float(result)


def _memory(of: str) -> int | None:
    """Bytes from Linux's account of this process: VmRSS is resident now, VmHWM at the peak."""
    try:
        with open("/proc/self/status") as status:
            found = re.search(rf"{of}:\s+(\d+) kB", status.read())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def resident_bytes() -> int:
    """The memory that this process holds now. Raises OSError where there is no /proc."""
    resident = _memory("VmRSS")
    if resident is None:
        raise OSError("resident memory is read from /proc, which this system lacks")
    return resident


# The other end of it.


class Contestant:
    """A contestant in its process: ask it for its result, for times and for its peak memory.

    What went wrong stands in its outcome, and from then on it is out.
    """

    def __init__(self, module: str, index: int, name: str) -> None:
        self.name = name
        self.outcome = Outcome(name)
        self.loops = 1
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        # No daemon, for that could have no workers; it ends by itself when this process does.
        self._process = context.Process(target=_serve, args=(theirs, module, index, name))
        self._process.start()
        theirs.close()

    @property
    def out(self) -> bool:
        return bool(self.outcome.cannot or self.outcome.missing)

    def attempt(self, action: Callable[..., None], *arguments: Any) -> None:
        """Do one of the following, and note why if that is impossible."""
        try:
            action(self, *arguments)
        except NotInstalled:
            self.outcome = Outcome(self.name, missing=True)
        except CannotRun as reason:
            self.outcome = Outcome(self.name, cannot=str(reason))

    def prepare(self) -> None:
        """Wait for the set-up and take the result."""
        self.result, self.units, self.outcome.note, self.outcome.bytes = self._answer()

    def calibrate(self, seconds: float, rounds: int, budget: float) -> None:
        """Choose how many runs make a turn of that many seconds, and in which rounds to run.

        In few, but at least three, for one whose turns would take more than the budget.
        """
        taken = self._time(1)  # the first run may load and compile
        taken = self._time(1)
        while taken < seconds:
            self.loops = math.ceil(self.loops * min(10.0, 1.2 * seconds / max(taken, 1e-9)))
            taken = self._time(self.loops)
        share = min(rounds, max(3, int(budget / taken)))
        self.turns = {i for i in range(rounds) if (i + 1) * share // rounds > i * share // rounds}

    def take(self, turn: int) -> None:
        """Run for one turn, if it is one of mine."""
        if turn in self.turns:
            self.outcome.times[turn] = self._time(self.loops) / (self.loops * self.units)

    def peak(self) -> None:
        """Note the memory at the peak, above that of the imported package."""
        self._connection.send("peak")
        self.outcome.peak = self._answer()

    def stop(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._connection.send("stop")
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _time(self, loops: int) -> float:
        self._connection.send(loops)
        return self._answer()

    def _answer(self) -> Any:
        if not self._connection.poll(SECONDS_FOR_ONE_ANSWER):
            raise CannotRun(f"no answer in {SECONDS_FOR_ONE_ANSWER} s")
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise CannotRun(f"crashed: exit code {self._process.exitcode}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _is_ours(contestant: str) -> bool:
    return package_of(contestant) in ("micrograd_fast", "micrograd_ref")


def _promise_the_same_bits(one: str, other: str) -> bool:
    """Whether both are ours, and of one kind: a Tape adds rows up in an order of its own."""
    return _is_ours(one) and _is_ours(other) and ("Tape" in one) == ("Tape" in other)


def disagreement(mine: Sequence[float], theirs: Sequence[float], bits: bool) -> str:
    """Where two results differ, '' if they agree: to the bit, or to 1e-9 of each number.

    What is tiny beside the largest number of all may differ by 1e-12 of that one.
    """
    if len(mine) != len(theirs):
        return f"{len(mine)} numbers, expected {len(theirs)}"
    floor = 1e-12 * max((abs(y) for y in theirs), default=0.0)
    for i, (x, y) in enumerate(zip(mine, theirs, strict=True)):
        if bits:
            same = struct.pack("d", x) == struct.pack("d", y)
        else:
            same = math.isclose(x, y, rel_tol=1e-9, abs_tol=floor)
        if not same:
            return f"number {i} is {x!r}, expected {y!r}"
    return ""


def measure(
    module: str, index: int, rounds: int, seconds: float, budget: float, progress: Any
) -> list[Outcome]:
    """An Outcome for each contestant of a workload.

    rounds: how often each takes its turn. seconds: how long a turn lasts at least.
    budget: how many seconds of turns a slow contestant may take. progress: a tqdm bar.
    """
    workload: Workload = importlib.import_module(module).WORKLOADS[index]
    running = [
        Contestant(module, index, row[0]) for row in workload.contestants if callable(row[1])
    ]

    def everyone(stage: str, action: Callable[..., None], *arguments: Any) -> None:
        for contestant in running:
            if not contestant.out:
                progress.set_postfix_str(stage or contestant.name)
                contestant.attempt(action, *arguments)
                progress.update()

    try:
        everyone("agreement", Contestant.prepare)
        # Ours is what the others must agree with; the reference, should the fast twin be missing.
        judges = [contestant for contestant in running if not contestant.out]
        judges.sort(key=lambda c: ("fast" not in c.name, not _is_ours(c.name)))
        for i, contestant in enumerate(judges[1:], 1):
            twins = [c for c in judges[:i] if _promise_the_same_bits(c.name, contestant.name)]
            judge = twins[0] if twins else judges[0]
            difference = disagreement(contestant.result, judge.result, bits=bool(twins))
            if difference:
                cannot = f"wrong result: {difference}"
                contestant.outcome = Outcome(contestant.name, cannot=cannot, wrong=True)

        if judges and judges[0].outcome.bytes is None:
            everyone("calibration", Contestant.calibrate, seconds, rounds, budget)
            for turn in range(rounds):
                everyone("", Contestant.take, turn)
        if workload.memory:
            everyone("peak memory", Contestant.peak)
    finally:
        for contestant in running:
            contestant.stop()
    found = {contestant.name: contestant.outcome for contestant in running}
    return [
        found.get(name) or Outcome(name, cannot=rest[0]) for name, *rest in workload.contestants
    ]
