"""Mutants: the sources in C with one bound, phase, range or number changed. Each must be found.

By name: the program that is to find it, of which function, and the change.
"""

import subprocess
import tempfile
import time

from .building import build

ARGUMENTS = {"bounds": 3_000, "count": 300_000}

ROUNDED = "(above == below) & in_range ? above : NAN"
LEFT_OPEN = "if (behind + 0x400 - 0x8000000000000000 < 0x800) return 0;"

MUTANTS = {
    # Phases
    "no first answers": (
        *("count", "exp"),
        ("pairs.h", ROUNDED, "(above != above) & in_range ? below : NAN"),
    ),
    "first answers whatever they are off by": (
        *("count", "exp"),
        ("pairs.h", ROUNDED, "(below == below) & in_range ? above : NAN"),
    ),
    "no 128 bits": ("count", "exp", ("wide.h", LEFT_OPEN, "return 0;")),
    "128 bits whatever they are off by": ("bounds", "exp", ("wide.h", LEFT_OPEN, "")),
    # Error bounds
    "a bound twice as wide": (
        *("count", "tanh"),
        ("pairs.h", "fabs(x.hi) * 0x1p-65", "fabs(x.hi) * 0x1p-64"),
    ),
    "a bound too narrow": (
        *("bounds", "exp"),
        ("pairs.h", "fabs(x.hi) * 0x1p-65", "fabs(x.hi) * 0x1p-68"),
    ),
    "the bound of log too narrow": (
        *("bounds", "log"),
        ("quick.h", "fabs(y.hi) * 0x1p-67", "fabs(y.hi) * 0x1p-69"),
    ),
    "the bound of powers too narrow": (
        *("bounds", "pow"),
        ("quick.h", "MUL_ADD(fabs(p), 0x1p-65, 0x1p-64)", "0x1p-64"),
    ),
    "the bound of 128 bits too narrow": (
        *("bounds", "exp"),
        ("wide.h", LEFT_OPEN, LEFT_OPEN.replace("0x400", "0x100").replace("0x800", "0x200")),
    ),
    # Ranges
    "first answers where exp is subnormal": (
        *("count", "exp"),
        ("quick.h", "fabs(x) <= 708.0", "fabs(x) <= 745.0"),
    ),
    "first answers where softplus loses bits": (
        *("bounds", "softplus"),
        ("quick.h", "x > -600.0", "x > -700.0"),
    ),
    # Coefficients, wrong behind ten digits that are right
    "a coefficient of exp": (
        *("bounds", "exp"),
        ("quick.h", "0x1.1566abc011567p-14", "0x1.1566abc012567p-14"),
    ),
    "a coefficient of log": ("bounds", "log", ("quick.h", "2.0 / 9)", "2.0 / 9 + 0x1p-44)")),
    "a coefficient of sin": (
        *("bounds", "sin"),
        ("wave_table.h", "0x1.71de3a556c734p-19", "0x1.71de3a557c734p-19"),
    ),
    "a coefficient of atan": ("bounds", "atan", ("quick.h", "-1.0 / 7)", "-1.0 / 7 + 0x1p-48)")),
    "a slope of erf": ("bounds", "erf", ("quick.h", ".slope[1]", ".slope[0]")),
    # The second phase
    "log 2 to 124 bits": ("bounds", "exp", ("wide.h", "0xc9e3b39803f2f6af", "0xc9e3b39803f2ffff")),
    "a shorter series of exp": ("bounds", "exp", ("rounded.c", "n = 18; n > 1", "n = 13; n > 1")),
    "a shorter series of erf": ("bounds", "erf", ("rounded.c", "45 + ", "15 + ")),
    # Without a fused multiply-add
    "the error of a product is lost": (
        *("bounds", "log1p"),
        ("pairs.h", "x * 0x1.0000002p27, y_big", "x * 0x1.0000002p40, y_big"),
    ),
    # By tables
    "no answers by tables": (
        *("count", "sigmoid"),
        ("scalar.h", "above == below ? above", "above != above ? below"),
    ),
    "the bound of exp by a table four times as wide": (
        *("count", "exp"),
        ("scalar.h", "EXP_BOUND 0x1.1p-67", "EXP_BOUND 0x1.1p-65"),
    ),
    "the bound of sigmoid by a table too narrow": (
        *("bounds", "sigmoid"),
        ("scalar.h", "y.hi * 0x1.1p-68", "y.hi * 0x1.1p-70"),
    ),
    "an entry of the table of exp": (
        *("bounds", "exp"),
        ("scalar_tables.h", "0x1.fb33356d84a67p-28", "0x1.fb33356e84a67p-28"),
    ),
    "an entry of the table of log": (
        *("bounds", "log"),
        ("scalar_tables.h", "0x1.8d6bdc9c7c238p-44", "0x1.8d6bdd9c7c238p-44"),
    ),
}


def is_found(name):
    """Whether the program ends with status 1 for the mutant, and not for another reason."""
    program, function, change = MUTANTS[name]
    with tempfile.TemporaryDirectory() as directory:
        command = [build(program, directory, [change]), "1", str(ARGUMENTS[program]), function]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{name}: the program ended with status {done.returncode}")
    return done.returncode == 1


def find_mutants(names):
    """Look for each mutant. Returns the names of those that were not found."""
    survivors = []
    for name in names:
        start = time.monotonic()
        found = is_found(name)
        took = time.monotonic() - start
        print(f"{name:45} {took:5.1f} s   {'' if found else 'NOT FOUND'}", flush=True)
        if not found:
            survivors.append(name)
    return survivors
