"""The packages as installed: what an import brings, and how the backend is chosen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import micrograd_fast
import micrograd_ref

REF, FAST = (Path(package.__file__).parent for package in (micrograd_ref, micrograd_fast))


def python(code, cwd, backend=None, path=REF.parent):
    """Run code in an interpreter of its own, away from the source tree."""
    env = {k: v for k, v in os.environ.items() if k != "MICROGRAD_BACKEND"}
    env["PYTHONPATH"] = str(path)
    if backend is not None:
        env["MICROGRAD_BACKEND"] = backend
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def output(*args, **kwargs):
    done = python(*args, **kwargs)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# Imports


@pytest.mark.parametrize("package", ["micrograd_fast", "micrograd_ref"])
def test_an_import_brings_neither_numpy_nor_graphviz(package, tmp_path):
    code = f"import sys, {package} as mg; (mg.Value(1) + 2).backward(); print(*sys.modules)"
    assert not {"numpy", "graphviz", "matplotlib", "sklearn"} & set(output(code, tmp_path))


@pytest.mark.parametrize("package", ["micrograd_fast", "micrograd_ref"])
def test_values_work_before_numpy_is_imported_and_after(package, tmp_path):
    code = f"""
import {package} as mg
a = mg.Value(3.0)
try:
    a + "x"
except TypeError:
    pass
import numpy as np
print((np.float32(2) * a).data, (a + np.ones(1))[0].data)
"""
    assert output(code, tmp_path) == ["6.0", "4.0"]


def test_the_reference_does_not_import_its_twin(tmp_path):
    code = "import sys, micrograd_ref; print(*sys.modules)"
    assert not [name for name in output(code, tmp_path) if name.startswith("micrograd_fast")]


SUBINTERPRETER = """
import sys
{before}
if sys.version_info >= (3, 14):
    from concurrent import interpreters
    interpreter = interpreters.create()
    run, close = interpreter.exec, interpreter.close
else:
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    interpreters = __import__(name)
    interpreter = interpreters.create()
    run = lambda code: interpreters.run_string(interpreter, code)
    close = lambda: interpreters.destroy(interpreter)
run('''
try:
    import micrograd_fast
except ImportError as error:
    print(error, flush=True)
import micrograd_ref as mg
print((mg.Value(1) + 2).data, flush=True)
''')
close()
import micrograd_fast as mg
print((mg.Value(1) + 2).data)
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters shared a GIL before 3.12")
@pytest.mark.parametrize("before", ["", "import micrograd_fast"])
def test_an_interpreter_with_a_gil_of_its_own_takes_the_reference_alone(before, tmp_path):
    refusal = "module micrograd_fast.engine does not support loading in subinterpreters"
    expected = [*refusal.split(), "3.0", "3.0"]
    assert output(SUBINTERPRETER.format(before=before), tmp_path) == expected


# The backend

NAMES = """
import importlib
import micrograd_fast as mg
print(mg.backend)
print(mg.Value.__module__, mg.dot.__module__, mg.sum.__module__, mg.MLP.__module__)
print(mg.SGD.__module__, mg.draw_dot.__module__, mg.crosscheck.__module__)
from micrograd_fast.engine import Value
from micrograd_fast.nn import MLP
from micrograd_fast.optim import Adam
import micrograd_fast.graph
print(Value is mg.Value, MLP is mg.MLP, Adam is mg.Adam)
print(micrograd_fast.graph.trace is mg.trace, type(MLP(2, [1])([1, 2])) is Value)
print(micrograd_fast.engine is importlib.import_module("micrograd_fast.engine"))
"""


@pytest.mark.parametrize(("choice", "backend"), [(None, "fast"), ("fast", "fast"), ("ref", "ref")])
def test_the_backend_is_chosen_by_the_environment(choice, backend, tmp_path):
    home = f"micrograd_{backend}"
    functions = "engine" if backend == "fast" else "functions"  # where they are compiled
    assert output(NAMES, tmp_path, choice) == [
        backend,
        *(f"{home}.{room}" for room in ("engine", functions, functions, "nn", "optim")),
        "micrograd_ref.graph",
        "micrograd_ref.checks",
        *["True"] * 6,
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "from micrograd_fast.engine import Value",
        "import micrograd_fast.engine as e; Value = e.Value",
        "from micrograd_fast import engine; Value = engine.Value",
        "from micrograd_fast import *",
        "from micrograd_fast.nn import Value",
    ],
)
def test_every_way_to_import_follows_the_backend(statement, tmp_path):
    if "nn import Value" in statement:
        statement = "from micrograd_fast.nn import MLP; Value = type(MLP(1, [1])([1]))"
    code = f"{statement}; print(Value.__module__)"
    assert output(code, tmp_path, "ref") == ["micrograd_ref.engine"]
    assert output(code, tmp_path, "fast") == ["micrograd_fast.engine"]


def test_the_reference_as_backend_loads_no_extension(tmp_path):
    code = (
        "import sys, micrograd_fast, micrograd_fast.optim; print(*sys.modules.values(), sep='\\n')"
    )
    done = python(code, tmp_path, "ref")
    loaded = [line for line in done.stdout.splitlines() if "micrograd" in line]
    assert loaded
    assert not [line for line in loaded if ".py'" not in line]


@pytest.mark.parametrize("choice", ["nonsense", "REF", "", " fast"])
def test_an_unknown_backend_is_an_error_that_lists_the_two(choice, tmp_path):
    done = python("import micrograd_fast", tmp_path, choice)
    message = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert "MICROGRAD_BACKEND" in message
    for word in ("'ref'", "'fast'", repr(choice)):
        assert word in message


def test_crosscheck_works_from_an_interpreter_of_its_own(tmp_path):
    code = "import micrograd_ref; print(micrograd_ref.crosscheck(lambda mg: mg.Value(1) + 2))"
    assert output(code, tmp_path) == ["3"]


# An extension that is missing


@pytest.fixture
def unbuilt(tmp_path):
    """A copy of both packages without their extensions."""
    for source in (REF, FAST):
        for file in source.rglob("*.py"):
            copy = tmp_path / source.name / file.relative_to(source)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(file, copy)
    return tmp_path


@pytest.mark.parametrize("name", ["micrograd_fast", "micrograd_fast.engine", "micrograd_fast.nn"])
def test_a_missing_extension_is_an_import_error_that_shows_the_way(name, unbuilt):
    done = python(f"import {name}", unbuilt, path=unbuilt)
    message = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert message.startswith("ImportError: ")
    assert "pip install -e ." in message
    assert "MICROGRAD_BACKEND=ref" in message


def test_another_python_than_cpython_is_sent_to_the_reference_and_not_to_a_build(unbuilt):
    code = "import sys; sys.implementation.name = 'pypy'; import micrograd_fast"
    message = python(code, unbuilt, path=unbuilt).stderr.splitlines()[-1]
    assert message == (
        "ImportError: micrograd_fast runs on CPython alone, this is pypy: use the reference, with "
        "MICROGRAD_BACKEND=ref or import micrograd_ref"
    )


def test_the_reference_works_without_the_extension(unbuilt):
    code = """
import micrograd_fast, micrograd_ref
from micrograd_fast.engine import Value
print(micrograd_fast.__file__, micrograd_fast.backend, Value is micrograd_ref.Value)
"""
    file, *rest = output(code, unbuilt, "ref", path=unbuilt)
    assert Path(file).is_relative_to(unbuilt)
    assert rest == ["ref", "True"]


def test_an_error_inside_an_extension_is_not_taken_for_a_missing_one(unbuilt):
    (unbuilt / "micrograd_fast" / "engine.py").write_text("import no_such_module\n")
    done = python("import micrograd_fast", unbuilt, path=unbuilt)
    assert "No module named 'no_such_module'" in done.stderr.splitlines()[-1]


# Files


def test_both_packages_are_marked_as_typed():
    assert (REF / "py.typed").exists()
    assert (FAST / "py.typed").exists()


@pytest.mark.parametrize("room", ["engine", "nn", "optim"])
def test_each_extension_has_a_stub(room):
    assert (FAST / f"{room}.pyi").exists()


def test_the_layout_of_a_node_is_shipped_for_other_extensions():
    assert (FAST / "engine.pxd").exists()
