"""The programs of this folder, compiled with the sources of micrograd_fast that they test.

They take a C compiler and MPFR with its headers: libmpfr-dev in Debian, mpfr in Homebrew.
"""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "micrograd_fast"
COMPILER = os.environ.get("CC", "cc").split()
LIBRARIES = ["-lmpfr", "-lgmp", "-lm"]

# What a program needs to see of the sources: file, text, and what to put in its place.
PROBES = [
    ("pairs.h", "above = x.hi +", "above = (PROBE(x, bound, in_range, 0), x.hi) +"),
    ("scalar.h", "above = x.hi +", "above = (PROBE(x, bound, 1, 1), x.hi) +"),
]
CHANGES = {"bounds": PROBES, "count": []}


def missing():
    """What has to be there and is not, or None."""
    if not (SOURCES / "quick.h").exists():
        return "the C sources are not here"
    if not shutil.which(COMPILER[0]):
        return f"there is no C compiler {COMPILER[0]}"
    program = "#include <mpfr.h>\nint main(void) { return !mpfr_get_version(); }\n"
    command = [*COMPILER, "-x", "c", "-", "-o", os.devnull, *LIBRARIES]
    if subprocess.run(command, input=program, capture_output=True, text=True).returncode:
        return "there is no MPFR with headers (libmpfr-dev)"
    return None


def build(name, directory, changes=()):
    """Compile a program with a copy of the sources, changed. Returns the path of the program."""
    for path in [*SOURCES.glob("*.h"), SOURCES / "rounded.c"]:
        shutil.copy(path, directory)
    for file, text, replacement in [*CHANGES[name], *changes]:
        path = Path(directory) / file
        source = path.read_text()
        if source.count(text) != 1:
            raise ValueError(f"{file} has {text!r} {source.count(text)} times, not once")
        path.write_text(source.replace(text, replacement))
    program = Path(directory) / name
    flags = ["-std=c11", "-O3", "-ffp-contract=off", "-Wall", f"-I{directory}"]
    subprocess.run([*COMPILER, *flags, HERE / f"{name}.c", "-o", program, *LIBRARIES], check=True)
    return program
