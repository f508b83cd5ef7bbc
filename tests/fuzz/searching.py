"""Searching: programs one after the other, until the packages differ."""

import time
import warnings

from .pieces import TWINS
from .running import Run, together
from .writing import Writer


class Tally:
    """How many programs and lines were run, and how many lines raised."""

    def __init__(self):
        self.programs = self.lines = self.errors = 0

    def __str__(self):
        return f"{self.programs} programs, {self.lines} operations, {self.errors} of them refused"


def fuzz_one(seed, tally):
    """Write and run a program: its lines up to a difference, None if there is none."""
    writer, done = Writer(seed), []
    tally.programs += 1
    for line, ref, fast in together(writer.lines(), writer.run, Run(TWINS[1])):
        done.append(line)
        tally.lines += line != "check()"
        tally.errors += type(ref) is tuple
        if ref != fast:
            return done
    return None


def search(seed, seconds, tally, first=0, announce=None):
    """The lines of the first program that differs, None if there is none in so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if announce:
            announce(first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lines = fuzz_one(f"{seed}:{first}", tally)
        if lines is not None:
            return lines
        first += 1
    return None
