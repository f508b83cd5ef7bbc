"""Check what an sdist and the wheel built from it hold: wheel_contents.py SDIST WHEEL.

The sdist must build and be tested by itself. The wheel must hold both packages as the sdist has
them, with an extension module for each .pyx file in place of the Cython and C sources, but for what
other extensions include and native code is made of, and nothing else.
"""

import sys
import tarfile
import zipfile
from pathlib import PurePosixPath

PACKAGES = ("micrograd_fast", "micrograd_ref")
SOURCES = (".pyx", ".pxi", ".c", ".h")
INCLUDED = (
    *("ieee.h", "operations.h", "rounded.h"),  # by engine.pxd, which other extensions cimport
    # And these by Tape.to_c.
    *("erf_table.h", "native.h", "pairs.h", "quick.h", "rounded.c", "scalar.h", "scalar_tables.h"),
    *("wave_table.h", "wide.h"),
)
NEEDED = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "setup.py",
    "tests/conftest.py",
    "micrograd_fast/engine.pyx",
    "micrograd_fast/engine.pxd",
    "micrograd_fast/operations.h",
    "micrograd_fast/engine.pyi",
    "micrograd_fast/py.typed",
    "micrograd_ref/engine.py",
    "micrograd_ref/py.typed",
)


def sdist_files(path: str) -> set[str]:
    """The files of an sdist, without its own top directory."""
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def wheel_files(path: str) -> set[str]:
    """The files of a wheel's packages; an extension module goes as its name and '.extension'."""
    files = set()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if ".dist-info/" in name or name.endswith("/"):
                continue
            file = PurePosixPath(name)
            if file.suffix in (".so", ".pyd"):
                name = str(file.with_name(file.name.partition(".")[0] + ".extension"))
            files.add(name)
    return files


def expected_in_wheel(sdist: set[str]) -> set[str]:
    """What the wheel of an sdist must hold."""
    files = set()
    for name in sdist:
        file = PurePosixPath(name)
        if file.parts[0] not in PACKAGES:
            continue
        if file.suffix == ".pyx":
            files.add(str(file.with_suffix(".extension")))
        elif file.suffix not in SOURCES or file.name in INCLUDED:
            files.add(name)
    return files


def problems(sdist: set[str], wheel: set[str]) -> list[str]:
    """One line for each file that is missing or too much."""
    expected = expected_in_wheel(sdist)
    found = [f"the sdist lacks {name}" for name in NEEDED if name not in sdist]
    for name in sorted(sdist):
        file = PurePosixPath(name)
        generated = file.suffix == ".c" and str(file.with_suffix(".pyx")) in sdist
        if generated or file.suffix in (".so", ".pyd"):
            found.append(f"the sdist holds {name}, which a build makes")
    found += [f"the wheel lacks {name}" for name in sorted(expected - wheel)]
    found += [f"the wheel holds {name} by mistake" for name in sorted(wheel - expected)]
    return found


def main() -> int:
    sdist, wheel = sdist_files(sys.argv[1]), wheel_files(sys.argv[2])
    found = problems(sdist, wheel)
    for line in found:
        print(line)
    if not found:
        print(f"{len(sdist)} files in the sdist, {len(wheel)} in the wheel, as they should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
