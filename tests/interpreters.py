"""Programs in an interpreter of their own."""

import os
import subprocess
import sys
import textwrap


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
