"""No answer is off by more than was derived, and every phase decides: python -m tests.rounding."""

import subprocess

import pytest
from rounding.building import build, missing
from rounding.mutants import find_mutants

why = missing()
pytestmark = pytest.mark.skipif(why is not None, reason=str(why))


def output(name, directory, *arguments):
    """What a program of tests/rounding prints, once it has found nothing."""
    command = [build(name, directory), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return [line.split() for line in done.stdout.splitlines()]


def test_no_answer_is_off_by_more_than_its_bound(tmp_path):
    lines = output("bounds", tmp_path, 1, 2_000)
    assert {"exp", "pow", "cube"} <= {line[0] for line in lines}


def test_no_result_is_wrong_and_every_phase_decides(tmp_path):
    lines = output("count", tmp_path, 1, 100_000)
    assert {"exp", "pow", "cube"} <= {line[0] for line in lines}


@pytest.mark.parametrize(
    "name", ["no first answers", "a bound twice as wide", "a coefficient of exp"]
)
def test_a_changed_phase_bound_or_coefficient_is_found(name):
    assert find_mutants([name]) == []
