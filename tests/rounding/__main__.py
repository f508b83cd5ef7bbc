"""Measure what each answer is off by, or count which phase decides and what is wrong.

    python -m tests.rounding bounds                        # some 2 minutes
    python -m tests.rounding count --arguments 1000000     # 10 seconds

Every function gets as many random arguments, the same ones for the same seed. Exit status 1 if a
bound is exceeded, a result is wrong, or a phase leaves open more than it should.
"""

import argparse
import subprocess
import sys
import tempfile

from .building import build

ARGUMENTS = {"bounds": 100_000, "count": 1_000_000}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.rounding", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("program", choices=ARGUMENTS)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="all, or those named")
    parser.add_argument("--arguments", type=int, metavar="N", help="for each function")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_intermixed_args()
    n = options.arguments or ARGUMENTS[options.program]
    with tempfile.TemporaryDirectory() as directory:
        program = build(options.program, directory)
        command = [program, str(options.seed), str(n), *options.functions]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
