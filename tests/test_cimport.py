"""Another Cython project can cimport micrograd_fast.engine."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import micrograd_fast

COMPILER = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]

SOURCE = """
from micrograd_fast.engine cimport CONSTANT, MUL, Value

def peek(Value v):
    return v._data, v._grad, v.op == MUL, v.count, bool(v.flags & CONSTANT), sizeof(v._data)

def double_in_place(Value v):
    v._data *= 2
"""

SETUP = """
import sys
from Cython.Build import cythonize
from setuptools import setup
setup(name="other", ext_modules=cythonize("other.pyx", include_path=[sys.argv.pop()]))
"""


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("Cython", "setuptools")),
    reason="building another extension needs Cython and setuptools, of the [test] extra",
)
@pytest.mark.skipif(
    sys.platform != "win32" and shutil.which(COMPILER) is None,  # setuptools knows where MSVC is
    reason="no C compiler is here",
)
def test_another_extension_reads_a_nodes_fields(tmp_path, monkeypatch):
    (tmp_path / "other.pyx").write_text(SOURCE)
    (tmp_path / "setup.py").write_text(SETUP)
    packages = Path(micrograd_fast.__file__).parents[1]
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", str(packages)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    other = importlib.import_module("other")

    a = micrograd_fast.Value(3.0)
    out = a * 2
    out.backward()
    assert other.peek(out) == (6.0, 1.0, True, 2, False, 8)
    assert other.peek(a) == (3.0, 2.0, False, 0, False, 8)
    assert other.peek(out._children[1])[4]
    other.double_in_place(a)
    assert a.data == 6.0
    with pytest.raises(TypeError):
        other.peek(1.0)
