"""The fuzzer: random programs over the whole public API, run with both packages and compared.

__main__.py   the command: python -m tests.fuzz
writing.py    a program from a seed, of lines from building, using, networks and tapes
calls.py      how a line calls each operation of the table
words.py      what lines are made of; pieces.py, the classes and functions that they may use
running.py    a program in a package, and what must be equal of all that it makes
searching.py  programs until one differs; watching.py, in a process that may crash or hang
shrinking.py  a program that fails, made small; reports.py, shown as a script of its own
mutants.py    the reference with one formula (formulas.py) or rule (rules.py) changed, to be found
"""

import os
import sys
from pathlib import Path

# The tests beside this package are modules of their own.
if str(Path(__file__).parents[1]) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parents[1]))
# A backend chosen outside would put one package in both places.
os.environ.pop("MICROGRAD_BACKEND", None)
