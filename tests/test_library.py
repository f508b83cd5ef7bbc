"""No function is left to the C library, to Python's math or to NumPy: they round as they please.

Arithmetic and sqrt are correctly rounded everywhere, by the hardware.
"""

import ast
import re
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import micrograd_fast
import micrograd_ref

FOLDERS = [Path(package.__file__).parent for package in (micrograd_ref, micrograd_fast)]
SOURCES = [path for folder in FOLDERS for path in sorted(folder.rglob("*"))]
EXTENSIONS = [path for path in SOURCES if path.name.endswith(tuple(EXTENSION_SUFFIXES))]
PYTHON = [path for path in SOURCES if path.suffix == ".py"]
CYTHON = [path for path in SOURCES if path.suffix in (".pyx", ".pxi", ".pxd")]

# Of C, Python and NumPy, by each name that one of them has.
FUNCTIONS = {
    *("exp", "exp2", "exp10", "expm1", "log", "log2", "log10", "log1p", "logaddexp"),
    *("pow", "power", "float_power", "cbrt", "hypot"),
    *("sin", "cos", "tan", "sincos", "asin", "acos", "atan", "atan2"),
    *("arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("erf", "erfc", "gamma", "lgamma", "tgamma"),
}
MODULES = ("math", "cmath", "np", "numpy")


def name_of(path):
    return path.name


def is_function(symbol):
    """Whether a symbol is a function's: exp, expf, __exp_finite, exp@GLIBC_2.29, _ZGVbN2v_exp."""
    name = re.sub(r"@.*|_finite$", "", symbol).lstrip("_")
    return name.startswith("ZGV") or bool(FUNCTIONS & {name, re.sub("[fl]$", "", name)})


def from_libraries(source):
    """The functions that Python code takes from a library, with their lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, names = node.value.id, [node.attr]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module, names = node.module, [alias.name for alias in node.names]
        else:
            continue
        if module in MODULES:
            yield from (f"line {node.lineno}: {name}" for name in names if name in FUNCTIONS)


def cimported(source):
    """The functions that Cython code takes from libc.math or math.h, or from Python's math."""
    functions = "|".join(FUNCTIONS)
    for match in re.finditer(r"libc\.math cimport (\([^)]*\)|.*)", source):
        yield from sorted(FUNCTIONS & set(re.findall(r"\w+", match[1])))
    yield from re.findall(rf"\b(?:{'|'.join(MODULES)})\.(?:{functions})\b", source)
    for block in re.findall(r'cdef extern from [<"].*math\.h.*\n((?:    .*\n|\n)*)', source):
        yield from re.findall(rf"\b(?:{functions})(?=\()", block)


@pytest.mark.skipif(sys.platform == "win32" or not shutil.which("nm"), reason="it takes nm")
@pytest.mark.parametrize("extension", EXTENSIONS, ids=name_of)
def test_an_extension_calls_no_function_of_the_c_library(extension):
    of_macos = sys.platform == "darwin"
    command = ["nm", "-u", *([] if of_macos else ["-D"]), str(extension)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-1] for line in shown.splitlines() if line.strip()]
    assert any("PyFloat" in symbol for symbol in symbols)
    assert [symbol for symbol in symbols if is_function(symbol)] == []


def test_the_extensions_are_found():
    assert len(EXTENSIONS) >= 4


@pytest.mark.parametrize(
    "symbol",
    ["exp", "_exp", "pow@GLIBC_2.29", "tanhf", "erfl", "__log_finite", "_ZGVdN4v_sin", "sincos"],
)
def test_the_symbol_of_a_function_is_known(symbol):
    assert is_function(symbol)


@pytest.mark.parametrize("symbol", ["sqrt", "PyFloat_FromDouble", "memcpy@GLIBC_2.14", "_mg_exp"])
def test_another_symbol_is_let_through(symbol):
    assert not is_function(symbol)


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_python_code_takes_no_function_from_a_library(path):
    assert list(from_libraries(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", CYTHON, ids=name_of)
def test_cython_code_takes_no_function_from_a_library(path):
    assert list(cimported(path.read_text(encoding="utf-8"))) == []


def test_what_is_taken_from_a_library_is_found():
    assert list(from_libraries("import math\nmath.exp(1)\nfrom math import inf, erf")) == [
        "line 3: erf",
        "line 2: exp",
    ]
    assert list(cimported("from libc.math cimport isnan, tanh\nmath.log(2)")) == [
        "tanh",
        "math.log",
    ]
    assert list(cimported('cdef extern from "math.h" nogil:\n    double erf(double)\n')) == ["erf"]
