"""What the examples share: how they read numbers, what they need, and how they end."""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

MODULES = {"matplotlib": "matplotlib", "scikit-learn": "sklearn", "tqdm": "tqdm"}


def whole_number(low: int, high: float = math.inf) -> Callable[[str], int]:
    """An argparse type: a whole number from low to high."""
    limits = f"of at least {low}" if high == math.inf else f"from {low} to {high}"

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number {limits}, got {text!r}")
        return number

    return convert


def positive(text: str) -> float:
    """An argparse type: a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def writable(text: str) -> Path:
    """An argparse type: the path of a file that can be written. Makes its folder."""
    path = Path(text)
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write to {text!r}: {error.strerror}") from None
    return path


def require(*packages: str) -> None:
    """Exit with one line if one of the packages is missing."""
    missing = [name for name in packages if not importlib.util.find_spec(MODULES[name])]
    if missing:
        sys.exit(f'this example needs {", ".join(missing)}: pip install -e ".[demo]"')


def run(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run an example and exit: with status 130, and no traceback, when stopped with Ctrl-C."""
    try:
        main(None)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)


def report(what: str, text: object) -> None:
    """One line of the result."""
    print(f"{what + ':':<21}{text}")
