"""The fuzzer finds no difference, and finds one where there is one: python -m tests.fuzz."""

import re
import subprocess
import sys
from unittest.mock import patch

import pytest
from fuzz.mutants import find_mutants, mutants
from fuzz.pieces import TWINS
from fuzz.reports import script
from fuzz.running import compiled, difference
from fuzz.searching import Tally, search
from fuzz.shrinking import minimised
from fuzz.watching import environment
from fuzz.writing import Writer, program

import micrograd_ref
from micrograd_ref.operations import OPERATIONS


def test_random_programs_agree():
    tally = Tally()
    assert search("pytest", 3, tally) is None
    assert tally.programs > 10
    assert tally.lines > 10 * tally.programs
    assert 0 < tally.errors < tally.lines / 2


def test_the_same_seed_gives_the_same_program():
    once, again = (list(program("seed")) for _ in range(2))
    assert once == again
    assert len(once) > 3


def test_programs_make_every_operation_of_the_table():
    missing = set(OPERATIONS)
    for i in range(100):
        writer = Writer(f"every operation:{i}")
        for line in writer.lines():
            writer.run.do(compiled(line))
        for name in writer.live(micrograd_ref.Value):
            for node in micrograd_ref.trace(writer.run.names[name])[0]:
                missing -= {node._op if node._operation.exponent is None else "**k"}
    assert not missing


@pytest.mark.parametrize(
    "name",
    [
        "* forward",
        "/ backward 1",
        "dot backward 2",
        "**k backward 0",
        "Tape tanh backward 0",
        "Adam root",
        "the sum over rows",
        "the order of local gradients",
        "attributes in a pickle",
    ],
)
def test_a_changed_formula_or_rule_is_found(name):
    assert find_mutants([name], "pytest", 60) == []


@pytest.mark.parametrize("where", ["", "Tape "])
@pytest.mark.parametrize("row", OPERATIONS.values(), ids=OPERATIONS)
def test_every_formula_of_the_table_has_a_mutant(row, where):
    parts = ["forward", *(f"backward {i}" for i in range(row.arity or 5))]
    assert {f"{where}{row.name} {part}" for part in parts} <= mutants().keys()


def test_a_mutant_is_undone():
    with patch.object(*mutants()["+ forward"]):
        assert difference(["v1 = mg.Value(0.1) + 0.2"]) is not None
    assert difference(["v1 = mg.Value(0.1) + 0.2"]) is None


def test_a_difference_is_made_small_and_printed_as_a_script(tmp_path):
    lines = [
        "v1 = mg.Value(0.5)",
        "v2 = v1 * 3 + mg.Value(2.0).exp()",
        "v3 = v1 - 7",
        "v3.backward(); v2.backward()",
    ]
    with patch.object(*mutants()["exp backward 0"]):
        small = minimised(lines, lambda lines: difference(lines) is not None)
    assert small == ["v2 = mg.Value(2.0).exp()"]  # by its local gradients
    path = tmp_path / "small.py"
    path.write_text(script(small))
    shown = [
        subprocess.run(
            [sys.executable, path, package],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for package in TWINS
    ]
    assert shown[0] == shown[1]
    assert re.fullmatch(r"v2 0x\S+ 0x0.0p\+0 '' exp\n", shown[0])
