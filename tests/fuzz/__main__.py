"""Random programs over the whole public API, run with both packages and compared to the last bit.

    python -m tests.fuzz --seconds 60 --seed 1    # exit status 1 at the first difference or crash
    python -m tests.fuzz --mutants                # shows that it can fail: see mutants.py

A program is a list of source lines. What is compared: the result of each line, or the type and
message of its exception, and at each check() every node that the program can reach, with data,
grad, label, operation, operands, local gradients and attributes. A program that fails is made as
small as possible and printed as a script of its own.

The same seed gives the same programs, so that a failure can be repeated.
"""

import argparse
import gc
import sys
import warnings

from .mutants import find_mutants, mutants
from .reports import report_difference
from .searching import Tally, search
from .watching import watch
from .writing import program


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", default="0", help="any text")
    parser.add_argument("--mutants", nargs="*", metavar="NAME", help="all, or those named")
    parser.add_argument("--first", type=int, default=0, help="the number of the first program")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--lines", metavar="SEED:NUMBER", help="print a program")
    parser.add_argument("--collect", type=int, metavar="N", help="gc.set_threshold(N)")
    options = parser.parse_args()
    if options.collect is not None:
        gc.set_threshold(options.collect)
    warnings.simplefilter("ignore")
    if options.mutants is not None:
        names = options.mutants or list(mutants())
        survivors = find_mutants(names, options.seed, options.seconds)
        print(f"{len(names) - len(survivors)} of {len(names)} mutants were found")
        return 1 if survivors else 0
    if options.lines is not None:
        for line in program(options.lines):
            print(line)
        return 0
    if options.worker:
        return work(options.seed, options.seconds, options.first)
    return watch(options.seed, options.seconds, collect=options.collect)


def work(seed, seconds, first):
    tally = Tally()
    lines = search(
        seed, seconds, tally, first, announce=lambda i: print(f"{i} {tally}", flush=True)
    )
    print(f"- {tally}", flush=True)
    if lines is not None:
        report_difference(lines)
    return lines is not None


if __name__ == "__main__":
    sys.exit(main())
