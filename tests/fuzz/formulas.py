"""Mutants of the table of operations: the last bit of what a formula gives is changed.

A mutant is an object, the name of one of its attributes, and what to put there.
"""

import math
from dataclasses import replace

from micrograd_ref.fusion import Fusion
from micrograd_ref.operations import OPERATIONS

SEVERAL = 5  # operands of an operation that takes any number: a start and two pairs of a dot


def formulas():
    """By name: every row's value and each of its gradients, everywhere and in a Tape alone."""
    found = {}
    for row in OPERATIONS.values():
        changes = {"forward": ("value", nudged)}
        for i in range(SEVERAL if row.arity is None else row.arity):
            changes[f"backward {i}"] = "gradients", nudged_item(i)
        for what, (field, nudge) in changes.items():
            found[f"{row.name} {what}"] = row, field, nudge(getattr(row, field))
            found[f"Tape {row.name} {what}"] = in_a_tape(row, field, nudge)
    return found


def nudged(fn, when=lambda *args: True):
    """fn with the last bit of its result changed."""
    return lambda *args: math.nextafter(fn(*args), math.inf) if when(*args) else fn(*args)


def nudged_item(i):
    """What changes the last bit of the i-th result of a function, if there are so many."""

    def nudge(fn):
        def changed(*args):
            items = list(fn(*args))
            if i < len(items):
                items[i] = math.nextafter(items[i], math.inf)
            return items

        return changed

    return nudge


def in_a_tape(row, field, nudge):
    """The mutant of the instructions that a Tape records of a row."""
    recorded = Fusion.instructions

    def mutant(operation):
        return replace(operation, **{field: nudge(getattr(operation, field))})

    def is_of_row(operation):
        return operation is row or (row.name == "**k" and operation.exponent is not None)

    def instructions(self):
        return [
            step._replace(operation=mutant(step.operation)) if is_of_row(step.operation) else step
            for step in recorded(self)
        ]

    return Fusion, "instructions", instructions
