"""Measure what each answer is off by, or count which phase decides and what is wrong.

    python -m tests.rounding bounds                       # half a minute
    python -m tests.rounding count --arguments 100000000  # a minute for each function
    python -m tests.rounding mutants                      # shows that they can fail: see mutants.py

Every function gets as many random arguments, the same ones for the same seed. Exit status 1 if a
bound is exceeded, a result is wrong, a phase leaves open more than it should, or a mutant is not
found.
"""

import argparse
import subprocess
import sys
import tempfile

from .building import build
from .mutants import MUTANTS, find_mutants

ARGUMENTS = {"bounds": 100_000, "count": 1_000_000}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.rounding", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=[*ARGUMENTS, "mutants"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all functions, or those named")
    parser.add_argument("--arguments", type=int, metavar="N", help="for each function")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_intermixed_args()
    if options.what == "mutants":
        names = options.names or list(MUTANTS)
        survivors = find_mutants(names)
        print(f"{len(names) - len(survivors)} of {len(names)} mutants were found")
        return 1 if survivors else 0
    n = options.arguments or ARGUMENTS[options.what]
    with tempfile.TemporaryDirectory() as directory:
        program = build(options.what, directory)
        command = [program, str(options.seed), str(n), *options.names]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
