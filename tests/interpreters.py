"""Programs in an interpreter of their own."""

import os
import subprocess
import sys
import textwrap

import pytest


def run(code, **environment):
    """Run code in an interpreter of its own, with these modules at hand."""
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def printed(mg, program):
    """Run a program in an interpreter of its own; what it prints."""
    code = f"import {mg.__name__} as mg\n{textwrap.dedent(program)}"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def on_cpu(code, cpu):
    """Run code with the loops for a kind of CPU; what it prints. Skips where they cannot run."""
    done = run(code, MICROGRAD_CPU=cpu)
    if done.returncode and "ImportError: MICROGRAD_CPU must be" in done.stderr and cpu != "plain":
        pytest.skip(f"this machine has no {cpu}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
