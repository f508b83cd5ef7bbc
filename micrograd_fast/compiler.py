"""The machine's C compiler, for Tapes."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

__all__: list[str] = []

# No operation may be contracted. Flags of arithmetic and errno, which nobody reads, change no bit.
FLAGS = ("-std=c99", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno", "-w")
X86, ARM = ("x86_64", "AMD64"), ("aarch64", "arm64", "ARM64")


class Folder:
    """A private temporary folder, removed with what is in it: with this object at the latest."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="micrograd-")).absolute()

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    __del__ = remove


def command() -> list[str]:
    """How the C compiler is called: $CC, cc, gcc or clang, else that of the package ziglang."""
    wanted = os.environ.get("CC", "").strip()
    if wanted:
        try:
            name, *words = shlex.split(wanted)
        except ValueError as error:
            raise RuntimeError(f"CC is no command of a shell, {error}: {wanted}") from None
        if not (found := shutil.which(name)):
            raise RuntimeError(f"compile needs a C compiler, and there is no {name!r} as CC says")
        return [os.path.abspath(found), *words]  # it runs in another folder
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [os.path.abspath(found)]
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise RuntimeError(
        "compile needs a C compiler, and there is none: install gcc or clang, or name one in the "
        "environment variable CC; `pip install micrograd-fast[native]` brings one, too, of 400 MB"
    )


def flags_of_cpu() -> list[str]:
    """Those for the vectors of this CPU, or of the one that MICROGRAD_CPU names."""
    wanted = os.environ.get("MICROGRAD_CPU")
    if wanted == "plain":
        return []
    if wanted == "avx2":
        return ["-mavx2", "-mfma"]
    if platform.machine() in X86:
        return ["-march=native", "-mprefer-vector-width=512"]
    return ["-mcpu=native"] if platform.machine() in ARM else []


def build(texts: dict[str, str], folder: Path) -> Path:
    """A shared library of C texts by name, in a folder that takes all that is written."""
    sources = []
    for name, text in texts.items():
        sources.append(folder / f"{name}.c")
        sources[-1].write_text(text, encoding="ascii")
    library = folder / ("tape.dll" if os.name == "nt" else "tape.so")
    called = [*command(), *FLAGS, *flags_of_cpu(), "-shared", "-o", str(library)]
    if os.name != "nt":
        called.append("-fPIC")
    environment = dict.fromkeys(
        ("TMPDIR", "TMP", "TEMP", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(folder)
    )
    try:
        done = subprocess.run(
            [*called, *map(str, sources)],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise RuntimeError(f"the C compiler cannot be run: {shlex.join(called)}\n{error}") from None
    if done.returncode:
        raise RuntimeError(f"the C compiler failed: {shlex.join(called)}\n{done.stdout}")
    return library
