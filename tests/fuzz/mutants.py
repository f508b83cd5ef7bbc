"""Mutants: the reference with one formula or one rule changed. The search must find each."""

import time
from unittest.mock import patch

from .formulas import formulas
from .rules import rules
from .searching import Tally, search


def mutants():
    """Each by its name, as the arguments of patch.object."""
    return formulas() | rules()


def find_mutants(names, seed, seconds):
    """Look for each mutant. Returns the names of those that were not found."""
    known, survivors = mutants(), []
    for name in names:
        tally, start = Tally(), time.monotonic()
        with patch.object(*known[name]):
            lines = search(f"{seed}:{name}", seconds, tally)
        took = time.monotonic() - start
        found = f"{lines[-1][:50]}" if lines else "NOT FOUND"
        print(f"{name:40} {tally.programs:6} programs {took:6.2f} s   {found}", flush=True)
        if not lines:
            survivors.append(name)
    return survivors
