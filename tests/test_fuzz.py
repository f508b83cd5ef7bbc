"""The fuzzer runs, finds nothing, and would find something."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def fuzz(*arguments):
    command = [sys.executable, Path(__file__).with_name("fuzz.py"), *arguments]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | paths
    )
    return done.returncode, done.stdout, done.stderr


def test_random_programs_agree():
    status, out, err = fuzz("--seconds", "3", "--seed", "test")
    assert status == 0, out + err
    assert int(out.split()[0]) > 10  # programs


@pytest.mark.parametrize("name", ["* backward 1", "tanh forward", "**k backward"])
def test_a_change_of_one_bit_is_found(name):
    status, out, err = fuzz("--seconds", "60", "--mutants", name)
    assert status == 0, out + err
    assert out.endswith("1 of 1 mutants were found\n")
