"""Watching: the search in a process of its own, which a crash of the fast package may end."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from .pieces import TWINS
from .reports import script, smaller

LONGEST = 60  # seconds that a program may take before it counts as hanging


def environment():
    """That of a process which is to find the same packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(x) for x in sys.path)}


def watch(seed, seconds, collect=None):
    """Run a search in a process of its own. Returns its exit status, 1 for a crash or a hang."""
    command = [sys.executable, "-m", __package__, "--worker"]
    command += ["--seed", seed, "--seconds", str(seconds)]
    if collect is not None:
        command += ["--collect", str(collect)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    hung = threading.Event()

    def stop():
        hung.set()
        worker.kill()

    searching, last, shown = True, "0 nothing", time.monotonic()
    watchdog = threading.Timer(LONGEST, stop)
    watchdog.start()
    for line in worker.stdout:
        watchdog.cancel()
        if line.startswith("- "):
            print(line[2:], end="", flush=True)
            searching = False
        elif not searching:
            print(line, end="", flush=True)
        else:
            watchdog = threading.Timer(LONGEST, stop)
            watchdog.start()
            last = line.rstrip()
            if time.monotonic() > shown + 10:
                shown = time.monotonic()
                print(f"  {last.partition(' ')[2]}", file=sys.stderr, flush=True)
    watchdog.cancel()
    status = worker.wait()
    if status in (0, 1) and not hung.is_set():  # 1 without a report: an error of the search itself
        return status
    i, _, tally = last.partition(" ")
    what = "hangs" if hung.is_set() else f"ended the search with status {status}"
    print(f"{tally}\nProgram {i} of seed {seed} {what}.")
    report_crash(lines_of(f"{seed}:{i}"))
    return 1


def lines_of(seed):
    """The lines of a program up to the one that cannot be written, if even that hangs."""
    command = [sys.executable, "-u", "-m", __package__, "--lines", seed]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, env=environment(), timeout=LONGEST, check=True
        )
        return done.stdout.decode().splitlines()
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode().splitlines()


def report_crash(lines):
    small = smaller(lines, crashes)
    print("\nThe fast package ends the interpreter, or hangs:\n")
    print(script(small), flush=True)


def crashes(lines):
    """Whether the fast package ends the interpreter, or hangs, on these lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "program.py")
        path.write_text(script(lines))
        try:
            done = subprocess.run(
                [sys.executable, path, TWINS[1]],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                timeout=LONGEST / 6,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode not in (0, 1)
