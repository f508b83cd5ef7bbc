"""Every function gives the exact result, rounded once to the nearest double: MPFR's."""

import functools
import inspect
import itertools
import math
import random
import struct
from pathlib import Path

import mpfr
import numpy as np
import pytest
from interpreters import run

from micrograd_ref import rounded

RANDOM = 200_000  # arguments of a function, on top of special ones

# Where a function is neither trivial nor near overflow, by its name.
RANGES = {
    "exp": (-746, 710),
    "expm1": (-40, 710),
    "log": (0, 10),
    "log1p": (-1, 10),
    "sin": (-100, 100),
    "cos": (-100, 100),
    "atan": (-20, 20),
    "tanh": (-20, 20),
    "sigmoid": (-746, 38),
    "softplus": (-746, 38),
    "erf": (-6, 6),
}

# Where a function, or a way to compute it, turns: overflow, subnormal and vanishing results, where
# it becomes constant or its operand, and quotients of log 2 and pi.
TURNS = [
    *(709.782712893384, -708.3964185322641, -744.4400719213812, -745.1332191019412),
    *(37.42994775023705, 36.7368005696771, 36.04365338911715, 19.061547465398498),
    *(5.921587195794508, 5.863584748755168, 0.84375, 1.25, 1 / 0.35),
    *(0.4375, 0.6875, 1.1875, 2.4375),
    *(n * math.log(2) / 2 for n in range(1, 9)),
    *(n * math.pi / 4 for n in range(1, 9)),
    *(2.0**n for n in range(-60, 12)),
    *(1 + 2.0**n for n in range(-52, 0)),
    *(1 - 2.0**n for n in range(-53, 0)),
    *(1e22, 6381956970095103 * 2.0**797, 2.0**-1022, 2.0**-1000, 2.0**1000, math.nextafter(2, 0)),
]
SPECIAL = [0.0, 1.0, math.inf, math.nan, 5e-324, 1e-310, 2.0**-1022, 1.7976931348623157e308]


def hard_to_round(name):
    """The arguments in a file: tuples of one or two."""
    path = Path(__file__).parent / "hard_to_round" / f"{name}.txt"
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [tuple(map(float.fromhex, line.split())) for line in lines]


def any_double(rng):
    return struct.unpack("d", rng.randbytes(8))[0]


def neighbours(x, count):
    below = above = x
    for _ in range(count):
        below, above = math.nextafter(below, -math.inf), math.nextafter(above, math.inf)
        yield from (below, above)


@functools.cache
def arguments(name):
    """Special ones, those that are hard to round, random ones; and what MPFR gives."""
    rng, (low, high) = random.Random(name), RANGES[name]
    xs = [sign * x for x in SPECIAL for sign in (1, -1)]
    xs += [sign * y for x in TURNS for y in (x, *neighbours(x, 3)) for sign in (1, -1)]
    xs += [sign * x for (x,) in hard_to_round(name) for sign in (1, -1)]
    for _ in range(RANDOM // 5):
        xs += [any_double(rng), rng.uniform(low, high), rng.uniform(low, high), rng.uniform(-3, 3)]
        xs.append(math.ldexp(rng.uniform(-1, 1), rng.randint(-60, 10)))
    return np.array(xs), np.array([*map(mpfr.FUNCTIONS[name], xs)])


def check(found, *cases):
    """That what was found are the bits of the last column of cases."""
    found, expected = np.array(found), cases[-1]
    wrong = found.view(np.int64) != expected.view(np.int64)
    wrong &= ~(np.isnan(found) & np.isnan(expected))
    if wrong.any():
        first = [column[wrong][0].hex() for column in (*cases, found)]
        pytest.fail(f"{wrong.sum()} of {len(found)} are wrong: operands, expected, found {first}")


@pytest.mark.parametrize("name", mpfr.FUNCTIONS)
def test_a_function_is_rounded_once(mg, name):
    xs, expected = arguments(name)
    function = getattr(mg.Value, name)
    check([function(mg.Value(x)).data for x in xs.tolist()], xs, expected)


# Powers


def exact_powers(rng):
    """x and y of which x**y has few bits: a double, or the middle of two."""
    for _ in range(3_000):
        n, k = rng.randint(0, 5), rng.randint(1, 33)
        root = rng.getrandbits(rng.randint(1, max(1, 55 // k))) | 1
        x, scale = root ** (1 << n), rng.randint(-1080 // k, 1000 // k) << n
        if x.bit_length() <= 53 and scale >= -1074 and scale + x.bit_length() <= 1024:
            yield math.ldexp(x, scale), k / (1 << n)
            if n == 0:
                yield -math.ldexp(x, scale), float(k)
    for n, k in itertools.product(range(6), range(1, 35, 2)):
        for root in range(3, min(2000, int(2 ** (53 / 2**n))), 2):
            if (root**k).bit_length() == 54:  # a middle, or below all normal doubles
                yield float(root ** (1 << n)), k / (1 << n)
            if 1075 % k == 0 and 1075 // k << n < 1022:
                yield math.ldexp(root ** (1 << n), -(1075 // k) << n), k / (1 << n)
    for n in range(-1080, 1030):
        for x in (2.0, -2.0, 0.5, 8.0, 2.0**-1074):
            yield x, float(n)
        yield 2.0, n + 0.5
        yield 4.0, n / 2
        yield 2.0**-64, n / 64


def pairs_at_turns():
    xs = [*SPECIAL, 2.0, 3.0, 0.5, 0.1, 1 - 2.0**-53, 1 + 2.0**-52, 1e22, 1e308]
    xs = [sign * x for x in xs for sign in (1, -1)]
    ys = [*xs, 1.5, -2.5, 1 / 3, 2.0**52 + 0.5, 2.0**53 - 1, 2.0**53, 2.0**64, 1e20, -1e20]
    yield from ((x, y) for x in xs for y in ys)
    for x in (1.5, 0.7, 3.0, 10.0, 1 + 2.0**-52, 1e-310):
        for power in (1024, -1022, -1074, -1075):
            yield from ((x, y) for y in neighbours(power / math.log2(x), 20))


@functools.cache
def powers():
    """Operands x and y, special, hard to round and random ones; and what MPFR gives."""
    rng = random.Random("pow")
    pairs = [*pairs_at_turns(), *exact_powers(rng), *hard_to_round("pow")]
    for _ in range(RANDOM // 5):
        pairs.append((any_double(rng), any_double(rng)))
        pairs.append((abs(any_double(rng)), rng.uniform(-3, 3)))
        pairs.append((rng.uniform(0, 4), rng.uniform(-100, 100)))
        pairs.append((rng.uniform(-4, 4), float(rng.randint(-40, 40))))
        pairs.append((1 + math.ldexp(rng.uniform(-1, 1), -rng.randint(1, 50)), rng.gauss(0, 1e6)))
    return tuple(map(np.array, zip(*((x, y, mpfr.pow(x, y)) for x, y in pairs), strict=True)))


def test_a_power_is_rounded_once(mg):
    xs, ys, expected = powers()
    pairs = zip(xs.tolist(), ys.tolist(), strict=True)
    check([(mg.Value(x) ** mg.Value(y)).data for x, y in pairs], xs, ys, expected)


EXPONENTS = [0, 1, 2, 3, 4, 5, 7, 10, 64, -1, -2, -3, -4, 0.5, 1.5, 2.5, -0.5, 0.25, 1 / 3, 0.7]


@functools.cache
def constant_powers(k):
    """Bases, and what MPFR gives for their k-th powers."""
    rng = random.Random(k)
    xs = [sign * x for x in (*SPECIAL, *TURNS) for sign in (1, -1)]
    for _ in range(RANDOM // (2 * len(EXPONENTS))):
        xs += [any_double(rng), rng.uniform(-4, 4)]
    return np.array(xs), np.array([mpfr.pow(x, k) for x in xs])


@pytest.mark.parametrize("k", EXPONENTS)
def test_a_constant_power_is_rounded_once(mg, k):
    xs, expected = constant_powers(k)
    check([(mg.Value(x) ** k).data for x in xs.tolist()], xs, expected)


# The loops of a Tape


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The cases of all functions, for another process: a directory of arrays."""
    directory = tmp_path_factory.mktemp("cases")
    for name in mpfr.FUNCTIONS:
        np.save(directory / f"{name}.npy", np.array(arguments(name)))
    np.save(directory / "pow.npy", np.array(powers()))
    for k in EXPONENTS:
        np.save(directory / f"pow_{k}.npy", np.array(constant_powers(k)))
    return directory


def replay(mg, files):
    """What a Tape gives for the cases in each of the files."""
    for path in sorted(files.iterdir()):
        *columns, expected = np.load(path)
        name, inputs = path.stem, [mg.Value(0.5) for _ in columns]
        if name == "pow":
            out = inputs[0] ** inputs[1]
        elif name.startswith("pow_"):
            out = inputs[0] ** float(name.removeprefix("pow_"))
        else:
            out = getattr(inputs[0], name)()
        found = mg.Tape(out, inputs).forward(np.column_stack(columns))
        check(found, *columns, expected)
        yield name


@pytest.mark.parametrize("cpu", ["", "plain", "avx2", "avx512"])
def test_the_loops_for_a_cpu_round_once(cpu, files):
    code = (
        "import pathlib, sys, micrograd_fast, test_rounded\n"
        f"print(*test_rounded.replay(micrograd_fast, pathlib.Path({str(files)!r})))"
    )
    done = run(code, MICROGRAD_CPU=cpu)
    if done.returncode and "ImportError: MICROGRAD_CPU must be" in done.stderr and cpu != "plain":
        pytest.skip(f"this machine has no {cpu}")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(mpfr.FUNCTIONS) + 1 + len(EXPONENTS)


# The reference's own


def test_every_function_of_the_reference_is_checked_here():
    functions = {
        name
        for name, x in vars(rounded).items()
        if inspect.isfunction(x) and x.__module__ == rounded.__name__
    }
    assert functions - {"nearest", "rounded"} == {*mpfr.FUNCTIONS, "pow"}
    assert set(RANGES) == set(mpfr.FUNCTIONS)


def test_the_decay_of_adam_is_a_power_rounded_once(mg):
    p = mg.Value(0.0)
    optimizer, expected = mg.Adam([p], lr=1.0, betas=(0.9, 0.999), eps=0.0), 0.0
    mean = square = 0.0
    for t in range(1, 200):
        p.grad = 1.0 + 1.0 / t
        mean = 0.9 * mean + (1.0 - 0.9) * p.grad
        square = 0.999 * square + (1.0 - 0.999) * (p.grad * p.grad)
        first, second = mean / (1.0 - mpfr.pow(0.9, t)), square / (1.0 - mpfr.pow(0.999, t))
        expected -= first / math.sqrt(second)
        optimizer.step()
        assert p.data == expected


def test_no_operand_asks_mpmath_for_more_digits_than_it_has():
    """Digits that are replaced while another thread reads them could be of the wrong scale."""
    constants = [rounded.libmp().pi_fixed, rounded.libmp().ln2_fixed]
    kept = [inspect.getclosurevars(constant).nonlocals["f"] for constant in constants]
    before = [constant.memo_prec for constant in kept]
    assert before == [2110, 2110]
    for x in [*SPECIAL, *TURNS, 2.0**1023, 1e308, 3e-308]:
        for name in mpfr.FUNCTIONS:
            getattr(rounded, name)(x), getattr(rounded, name)(-x)
        for y in (0.1, -0.1, 1e15 + 0.125, 1e300, math.inf):
            rounded.pow(x, y)
    assert [constant.memo_prec for constant in kept] == before


PROGRAM = """
import hashlib, random
from mpmath import libmp
from micrograd_ref import rounded
rng = random.Random(3)
found = []
for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "atan", "tanh", "sigmoid", "softplus"):
    found += [getattr(rounded, name)(rng.uniform(0, 700)).hex() for _ in range(500)]
found += [rounded.erf(rng.uniform(0, 6)).hex() for _ in range(500)]
found += [rounded.pow(rng.uniform(0, 9), rng.uniform(-99, 99)).hex() for _ in range(500)]
print(libmp.BACKEND, hashlib.sha256(repr(found).encode()).hexdigest())
"""


def test_mpmath_with_gmpy2_gives_the_same_as_without():
    """It takes gmpy2 for its numbers where that is installed; most people have it not."""
    outputs = [run(PROGRAM, **{"MPMATH_NOGMPY": "1"}).stdout.split(), run(PROGRAM).stdout.split()]
    assert [backend for backend, _ in outputs] == ["python", "gmpy"]
    assert outputs[0][1] == outputs[1][1]
