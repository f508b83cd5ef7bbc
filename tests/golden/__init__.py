"""Golden bits: digests of every data and grad of some programs, the same on every machine.

__main__.py   the command: python -m tests.golden
programs.py   the programs: the lecture's, training, and random graphs from graphs.py
digests.py    what the files must hold, and the digest of a program
*.json        the digests, written once

A program here draws its random numbers from random.Random(seed).random() alone, as MLP does, for
Python promises the same ones for ever of this method only.
"""

import sys
from pathlib import Path

# The tests beside this package are modules of their own.
if str(Path(__file__).parents[1]) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parents[1]))
