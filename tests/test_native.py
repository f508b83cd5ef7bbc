"""C code from a Tape: the same text from both packages, and the bits of the Tape."""

import ctypes
import importlib.util
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import pytest
from bits import SPECIAL
from operations import ARITY, call
from tapes import bits_of, every_operation, line, long_tape, neuron, rows_of

import micrograd_fast
import micrograd_ref
from micrograd_fast import compiler
from micrograd_ref import rounded

TWINS = (micrograd_ref, micrograd_fast)
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffp-contract=off"]


def found_compilers():
    """By name: gcc, and Clang, if only in the package ziglang."""
    found = {name: [name] for name in ("gcc", "clang") if shutil.which(name)}
    if "clang" not in found and importlib.util.find_spec("ziglang"):
        found["clang"] = [sys.executable, "-m", "ziglang", "cc"]
    return found


COMPILERS = found_compilers()
needs_a_compiler = pytest.mark.skipif(not COMPILERS, reason="no C compiler is here")
by_each_compiler = pytest.mark.parametrize("compiler", COMPILERS)


def each_operation(mg):
    """A Tape with a node for each operation and kind of operand, and what varies in it."""
    x, y, p = mg.Value(0.5), mg.Value(1.25), mg.Value(0.75)
    kinds = {1: [(x,)], 2: [(x, y), (p, x), (x, 1.5)], 3: [(x, y, p)]}
    made = [call(mg, name, *operands) for name, count in ARITY.items() for operands in kinds[count]]
    made += [x**k for k in (-2, -1, 0, 0.5, 1, 2, 3, 4)]
    made += [mg.dot([x, p, y], [y, x, y], p), mg.sum([x, p, x, 1.5]), p.tanh() * p**3, p]
    made += [mg.norm([x, p, y, -2.0, x], x), mg.norm([p, 0.5], p), mg.norm([]), mg.norm([x])]
    return mg.Tape(made, [x, y])


def network(mg, activation="tanh"):
    """Layers that share their inputs, and a penalty that depends on no row."""
    rng = np.random.default_rng(0)
    x = [mg.Value(0.0) for _ in range(3)]
    parameters, rows = [], x
    for width in (8, 6, 1):
        made = []
        for _ in range(width):
            w = [mg.Value(v) for v in rng.uniform(-1, 1, len(rows)).tolist()]
            b = mg.Value(0.1)
            parameters += [b, *w]
            made.append(getattr(mg.dot(rows, w, b), activation)())
        rows = made
    return mg.Tape(rows[0] + 0.01 * mg.dot(parameters, parameters), x)


def chain(mg):
    """Too many operations for one loop, and none that has a loop of its own."""
    x, w = mg.Value(0.0), mg.Value(1.25)
    node = x
    for i in range(60):
        node = (node * w + x) / (1.5 + i) - mg.maximum(node, w) * 0.25
    return mg.Tape([node, node * w, w], [x])


def powers(mg):
    """Small, with gradients of which a first answer is only a part, or that are of numbers."""
    x, y, p = mg.Value(1.0), mg.Value(1.0), mg.Value(1.5)
    return mg.Tape(x * 1e-320 + x**-1 + y**-1 + p**4, [x, y])


def starts(mg):
    """Layers with starts that are weights, too: of the same neuron, and of another."""
    x = [mg.Value(0.0) for _ in range(16)]
    w = [mg.Value(v) for v in np.random.default_rng(0).uniform(-1, 1, 48).tolist()]
    dots = [mg.dot(x, w[:16], w[5]), mg.dot(x, w[16:32], w[32]), mg.dot(x, w[32:], w[32])]
    return mg.Tape(dots, x)


def numbers(mg):
    """No inputs, and too many operations for one loop."""
    p = node = mg.Value(1.5)
    for _ in range(65):
        node = node.sin() * p
    return mg.Tape(node)


TAPES = {
    "line": lambda mg: line(mg)[0],
    "neuron": lambda mg: neuron(mg)[0],
    "cubes": lambda mg: cubes(mg),
    "powers": powers,
    "starts": starts,
    "numbers": numbers,
    "each operation": each_operation,
    "network": network,
    "chain": chain,
}
each_tape = pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES)


def cubes(mg):
    """The smallest program with what a first answer may leave open."""
    a, b, w = mg.Value(0.0), mg.Value(0.0), mg.Value(-1.5)
    return mg.Tape((a * b + b**3 * w**3) ** 2 / w, [a, b])


def random_graph(mg, seed):
    """Rows and numbers, of any kind, from operations, dots and layers."""
    rng = random.Random(seed)
    inputs = [mg.Value(0.0) for _ in range(rng.randint(1, 4))]
    made = [*inputs, *(mg.Value(rng.uniform(-2, 2)) for _ in range(rng.randint(1, 4)))]

    def operand():
        return rng.choice(made[-12:] + made[:4]) if rng.random() < 0.85 else rng.uniform(-2, 2)

    def value():
        return rng.choice(made[-12:] + made[:4])

    for _ in range(rng.choice((6, 20, 60))):
        kind = rng.random()
        if kind < 0.1:
            rows = rng.sample(made, min(len(made), rng.randint(2, 6)))
            weights = [[mg.Value(rng.uniform(-1, 1)) for _ in rows] for _ in range(5)]
            made += [mg.dot(rows, w, mg.Value(0.5)).relu() for w in weights]
        elif kind < 0.2:
            count = rng.randint(0, 4)
            xs, ys = ([value() for _ in range(count)] for _ in "xy")
            made.append(mg.dot(xs, ys, operand()))
        elif kind < 0.3:
            fn = rng.choice((mg.sum, mg.norm))
            made.append(fn([value() for _ in range(rng.randint(1, 5))]) * 0.25)
        elif kind < 0.4:
            made.append(value() ** rng.choice((-2, -1, 0, 0.5, 1, 2, 3)))
        else:
            name = rng.choice(sorted(ARITY))
            made.append(call(mg, name, value(), *(operand() for _ in range(ARITY[name] - 1))))
    outputs = made[-3:]
    nodes = set().union(*(mg.trace(out)[0] for out in outputs))
    return mg.Tape(outputs, [x for x in inputs if x in nodes])


class Library:
    """The functions of a text, compiled into the folder."""

    def __init__(self, folder, text, compiler, *flags, name="tape"):
        source, library = folder / "tape.c", folder / f"{len(list(folder.iterdir()))}.so"
        source.write_text(text)
        command = [*COMPILERS[compiler], *STRICT, *flags, "-shared", "-fPIC", "-o", library, source]
        done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
        assert not done.stderr
        assert done.returncode == 0
        loaded = ctypes.CDLL(str(library))
        self.forward, self.backward = (
            getattr(loaded, f"{name}_{way}") for way in ("forward", "backward")
        )
        needed = re.search(rf"{name.upper()}_WORK = (\d+) \+ (\d+) \* MG_ROWS", text)
        self.work = np.full(int(needed[1]) + int(needed[2]) * 128 + 1, np.nan)

    def replay(self, tape, rows, seed):
        """The bits of what it gives for rows: outputs, gradients of parameters and of inputs."""
        out, again = (np.full(np.shape(tape.forward(rows)), np.nan) for _ in range(2))
        rows, seed = (None if x is None else np.ascontiguousarray(x) for x in (rows, seed))
        parameters = np.array([p.data for p in tape.parameters])
        # backward twice: with the outputs, which may be had with it, and without
        grads, input_grads = np.zeros((2, len(parameters))), np.full((2, *rows.shape), np.nan)
        first = [address(rows), ctypes.c_size_t(len(rows)), address(parameters)]
        self.forward(*first, address(out), address(self.work))
        for i, values in enumerate((again, None)):
            last = [address(x) for x in (seed, values, grads[i], input_grads[i], self.work)]
            self.backward(*first, *last)
        found = [bits_of(x) for x in (out, grads[0], input_grads[0])]
        assert found == [bits_of(x) for x in (again, grads[1], input_grads[1])]
        return found


def address(array):
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def replay(tape, rows, seed):
    """The same of the Tape."""
    for p in tape.parameters:
        p.grad = 0.0
    out = tape.forward(rows)
    tape.backward(seed)
    return [bits_of(x) for x in (out, [p.grad for p in tape.parameters], tape.input_grad)]


# The text


@each_tape
def test_both_packages_write_the_same_text(tape):
    texts = {tape(mg).to_c("net") for mg in TWINS}
    assert len(texts) == 1


def test_all_operations_of_the_tests_are_written_the_same():
    texts = set()
    for mg in TWINS:
        inputs, _, outputs = every_operation(mg)
        texts.add(mg.Tape(outputs, inputs).to_c())
    assert len(texts) == 1


def test_the_name_is_that_of_the_functions(mg):
    text = line(mg)[0].to_c("net")
    assert "void net_forward(" in text
    assert "void net_backward(" in text
    assert "tape_" not in text
    assert line(mg)[0].to_c() == text.replace("net", "tape").replace("NET", "TAPE")


@pytest.mark.parametrize("name", ["", "2x", "a b", "x;", "while", "größe", "x\n"])
def test_a_name_that_c_does_not_have_is_an_error(mg, name):
    with pytest.raises(ValueError, match="must be an identifier, got ") as error:
        line(mg)[0].to_c(name)
    assert str(error.value) == f"the name of a function in C must be an identifier, got {name!r}"


def test_a_tape_that_is_not_recorded_has_no_text(mg):
    with pytest.raises(ValueError, match="this Tape is not recorded yet"):
        mg.Tape.__new__(mg.Tape).to_c()


def test_the_order_of_inputs_and_parameters_is_said(mg):
    text = network(mg).to_c()
    assert "3 inputs, in the order of tape.inputs" in text
    assert f"{len(network(mg).parameters)} numbers, in the order of tape.parameters" in text


def test_only_the_functions_that_are_used_are_in_it(mg):
    assert "quick_" not in line(mg)[0].to_c()
    text = neuron(mg)[0].to_c()
    assert "quick_tanh" in text
    assert "quick_sin" not in text
    assert "MG_ERF_TABLE" not in text


# Its bits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("native")


@each_tape
@by_each_compiler
def test_c_has_the_bits_of_the_tape(folder, compiler, tape):
    """Without a warning."""
    recorded = tape(micrograd_fast)
    library = Library(folder, recorded.to_c(), compiler, "-O1")
    for n in (0, 1, 7, 8, 129, 300):
        rows = rows_of(n, len(recorded.inputs), seed=n)
        seed = rows_of(n, recorded.forward(rows).size // n if n else 1, seed=1)
        for weights in (None, seed.reshape(np.shape(recorded.forward(rows)))):
            assert library.replay(recorded, rows, weights) == replay(recorded, rows, weights)


@by_each_compiler
@pytest.mark.parametrize("tape", [network, cubes], ids=["network", "cubes"])
def test_vectors_have_the_same_bits(folder, compiler, tape):
    recorded = tape(micrograd_fast)
    library = Library(folder, recorded.to_c(), compiler, "-O3", "-march=native")
    for n in (1, 100, 300):
        rows = rows_of(n, len(recorded.inputs), seed=n)
        assert library.replay(recorded, rows, None) == replay(recorded, rows, None)


@by_each_compiler
def test_rows_one_at_a_time_have_the_same_bits(folder, compiler):
    for tape in (network, cubes, chain):
        recorded = tape(micrograd_fast)
        library = Library(folder, recorded.to_c(), compiler, "-O1", "-DMG_ROWS=1")
        for i in range(3):
            rows = rows_of(1, len(recorded.inputs), seed=i)
            assert library.replay(recorded, rows, None) == replay(recorded, rows, None)


@needs_a_compiler
def test_special_numbers_have_the_same_bits(folder):
    recorded = each_operation(micrograd_fast)
    library = Library(folder, recorded.to_c(), next(iter(COMPILERS)), "-O1")
    rows = np.array([[a, b] for a in SPECIAL for b in SPECIAL])
    for number in (0.5, -2.0, float("inf"), -0.0, float("nan")):
        recorded.parameters[0].data = number
        assert library.replay(recorded, rows, None) == replay(recorded, rows, None)


@needs_a_compiler
def test_a_power_that_a_first_answer_leaves_open_is_made_up_for(folder):
    """Where its gradient is only a part of one."""
    recorded = powers(micrograd_fast)
    library = Library(folder, recorded.to_c(), next(iter(COMPILERS)), "-O1")
    rows = np.array([[1e160, 2.0], [2.0, 1e160], [1e-160, 0.5]])
    assert library.replay(recorded, rows, None) == replay(recorded, rows, None)


@needs_a_compiler
def test_a_power_in_the_middle_of_two_doubles_goes_to_the_even_one(folder):
    """Which 128 bits cannot tell from one just beside it."""
    x, y = micrograd_fast.Value(0.0), micrograd_fast.Value(0.0)
    recorded = micrograd_fast.Tape(x**y, [x, y])
    library = Library(folder, recorded.to_c(), next(iter(COMPILERS)), "-O1")
    rows = np.array([[2.0**27 - 1, 2.0], [2.0**27 + 1, 2.0], [-(2.0**27 - 3), 2.0], [3.0**6, 5.5]])
    assert library.replay(recorded, rows, None) == replay(recorded, rows, None)


@pytest.mark.skipif("gcc" not in COMPILERS or not shutil.which("nm"), reason="needs gcc and nm")
def test_it_allocates_nothing_and_keeps_nothing(folder):
    (folder / "kept.c").write_text(each_operation(micrograd_fast).to_c())
    target = folder / "kept.o"
    subprocess.run(["gcc", *STRICT, "-O1", "-c", folder / "kept.c", "-o", target], check=True)
    listed = subprocess.run(["nm", target], capture_output=True, text=True, check=True).stdout
    symbols = [symbol.split()[-2:] for symbol in listed.splitlines()]
    assert sorted(name for kind, name in symbols if kind == "T") == [
        "tape_backward",
        "tape_forward",
    ]
    assert {kind for kind, _ in symbols} <= {"T", "t", "r", "U"}
    unknown = {name for kind, name in symbols if kind == "U"}
    assert unknown <= {"memcmp", "memcpy", "memset", "floor", "sqrt", "_GLOBAL_OFFSET_TABLE_"}


# compile


@pytest.fixture(scope="module")
def compiled():
    """The Tapes by name, as recorded and compiled."""
    found = {}
    for name in ("cubes", "each operation", "network", "chain"):
        tape = TAPES[name](micrograd_fast)
        twin = pickle.loads(pickle.dumps(tape))
        assert twin.compile() is twin
        found[name] = tape, twin
    return found


@needs_a_compiler
@pytest.mark.parametrize("name", ["cubes", "each operation", "network", "chain"])
def test_a_compiled_tape_has_the_bits_of_the_tape(compiled, name):
    tape, twin = compiled[name]
    for n in (0, 1, 2, 100, 129, 300):
        rows = rows_of(n, len(tape.inputs), seed=n)
        shape = np.shape(tape.forward(rows))
        for seed in (None, np.random.default_rng(n).standard_normal(shape)):
            assert replay(twin, rows, seed) == replay(tape, rows, seed)


@needs_a_compiler
@pytest.mark.parametrize("seed", range(6))
def test_a_random_graph_has_the_same_text_and_compiled_the_same_bits(seed):
    tape = random_graph(micrograd_fast, seed)
    assert random_graph(micrograd_ref, seed).to_c() == tape.to_c()
    twin = pickle.loads(pickle.dumps(tape)).compile()
    for n in (1, 5, 130):
        rows = rows_of(n, len(tape.inputs), seed=n)
        assert replay(twin, rows, None) == replay(tape, rows, None)


@needs_a_compiler
def test_a_compiled_tape_takes_rows_that_lie_as_they_please(compiled):
    tape, twin = compiled["network"]
    rows = rows_of(300, 6, seed=1)
    seed = rows_of(600, 1)[::2, 0]
    for given in (rows[::2, ::2], rows[::-1, 2:5], np.asfortranarray(rows[:150, :3]), rows[7, 3:]):
        weights = seed[: len(given)] if given.ndim == 2 else None
        assert replay(twin, given, weights) == replay(tape, given, weights)


@needs_a_compiler
def test_a_compiled_tape_takes_a_row_alone_and_arrays_for_results(compiled):
    tape, twin = compiled["each operation"]
    row = np.array([0.75, 1.5])
    assert replay(twin, row, None) == replay(tape, row, None)
    out, grad = np.empty(np.shape(twin.forward(row))), np.empty(2)
    assert twin.forward(row, out) is out
    twin.backward(None, grad)
    assert bits_of(grad) == bits_of(tape.input_grad)
    assert bits_of(out) == bits_of(tape.forward(row))


@needs_a_compiler
def test_compiling_between_forward_and_backward_changes_nothing():
    """The parameters are those that forward read."""
    rows, found = rows_of(20, 3), []
    for is_compiled in (False, True):
        tape = network(micrograd_fast, "relu")
        tape.forward(rows)
        for p in tape.parameters:
            p.data += 1.0
        if is_compiled:
            tape.compile()
        tape.backward()
        found.append([bits_of(tape.input_grad), bits_of([p.grad for p in tape.parameters])])
    assert found[0] == found[1]


@needs_a_compiler
def test_rows_that_change_after_forward_are_read_again(compiled):
    found = []
    for tape in compiled["network"]:
        rows = rows_of(20, 3)
        tape.forward(rows)
        rows[3, 1] = 5.0
        for p in tape.parameters:
            p.grad = 0.0
        tape.backward()
        found.append([bits_of(tape.input_grad), bits_of([p.grad for p in tape.parameters])])
    assert found[0] == found[1]


@needs_a_compiler
def test_the_reference_decides_for_a_compiled_tape():
    """As for any other."""
    x, y = micrograd_fast.Value(0.0), micrograd_fast.Value(0.0)
    tape = micrograd_fast.Tape(x**y, [x, y]).compile()
    rows = np.array([[2.0**27 - 1, 2.0], [-(2.0**27 - 3), 2.0], [3.0**6, 5.5]] * 3)
    asked = []
    with mock.patch.object(rounded, "pow", lambda x, y: asked.append((x, y)) or 7.0):
        assert tape.forward(rows)[0] == 7.0
        assert tape.forward(rows[0]) == 7.0
    assert (2.0**27 - 1, 2.0) in asked


@needs_a_compiler
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")
def test_a_compiled_tape_can_be_interrupted_and_used_again():
    tape, _, rows = long_tape(micrograd_fast)
    expected = replay(tape, rows, None)
    tape.compile()

    def ring(*_):
        raise TimeoutError("the alarm")

    def run_for_ever(run):
        signal.setitimer(signal.ITIMER_PROF, 0.03)  # of the time of this process
        while True:
            run()

    before = signal.signal(signal.SIGPROF, ring)
    try:
        for run in (lambda: tape.forward(rows), tape.backward):
            for _ in range(3):
                with pytest.raises(TimeoutError, match="the alarm"):
                    run_for_ever(run)
            tape.forward(rows)
    finally:
        signal.signal(signal.SIGPROF, before)
    assert replay(tape, rows, None) == expected


@needs_a_compiler
def test_a_pickle_holds_the_tape_as_it_was_recorded(compiled):
    tape, twin = compiled["network"]
    assert pickle.dumps(twin) == pickle.dumps(pickle.loads(pickle.dumps(tape)))


@needs_a_compiler
def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tape = line(micrograd_fast)[0].compile()
    assert not list(tmp_path.iterdir())
    assert tape.forward([[3.0]])[0] == 5.0
    monkeypatch.setenv("CC", "false")
    with pytest.raises(RuntimeError, match=r"the C compiler failed: \S*/false "):
        line(micrograd_fast)[0].compile()
    assert not list(tmp_path.iterdir())


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    tape = line(micrograd_fast)[0]
    with pytest.raises(
        RuntimeError, match=r"install gcc or clang.*`pip install micrograd-fast\[nat"
    ):
        tape.compile()
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(RuntimeError, match="there is no 'no-such-compiler' as CC says"):
        tape.compile()
    assert tape.forward([[3.0]])[0] == 5.0


def test_the_compiler_of_ziglang_is_the_last(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "find_spec", lambda name: name)
    assert compiler.command() == [sys.executable, "-m", "ziglang", "cc"]


def test_the_reference_takes_compile_and_changes_nothing():
    tape = line(micrograd_ref)[0]
    assert tape.compile() is tape
    assert tape.forward([[3.0]])[0] == 5.0


def test_a_tape_that_is_not_recorded_is_not_compiled(mg):
    with pytest.raises(ValueError, match="this Tape is not recorded yet"):
        mg.Tape.__new__(mg.Tape).compile()


def test_a_tape_that_a_compiler_would_take_minutes_for_is_refused():
    x = micrograd_fast.Value(0.0)
    tape = micrograd_fast.Tape(micrograd_fast.sum([x] * 200_001), [x])
    with pytest.raises(RuntimeError, match=r"of up to 200000 operations and operands can be comp"):
        tape.compile()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a script for a compiler")
def test_a_compiler_that_cannot_be_run_is_an_error(tmp_path, monkeypatch):
    script = tmp_path / "cc"
    script.write_text("no script")
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    with pytest.raises(RuntimeError, match="the C compiler cannot be run: "):
        line(micrograd_fast)[0].compile()
    monkeypatch.setenv("CC", 'cc "-m64')
    with pytest.raises(RuntimeError, match="CC is no command of a shell, No closing quotation: "):
        line(micrograd_fast)[0].compile()


@needs_a_compiler
@pytest.mark.skipif(sys.platform == "win32", reason="needs a script for a compiler")
def test_a_compiler_may_be_named_from_the_working_directory(tmp_path, monkeypatch):
    script = tmp_path / "mycc"
    script.write_text(f'#!/bin/sh\nexec {" ".join(next(iter(COMPILERS.values())))} "$@"\n')
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CC", "./mycc")
    assert line(micrograd_fast)[0].compile().forward([[3.0]])[0] == 5.0
    monkeypatch.setenv("CC", " ")  # as if there were none
    assert line(micrograd_fast)[0].compile().forward([[3.0]])[0] == 5.0
