"""Ctrl-C in the middle of a long backward: it stops, and the graph can be used again."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, threading, time
import micrograd_fast as mg

a = mg.Value(1.0)
out = a
for _ in range(2_000_000):
    out = out + a
started = time.perf_counter()
out.backward()
whole = time.perf_counter() - started

interrupted = 0
for part in (0.05, 0.2, 0.4, 0.6, 0.8):  # of the time that a whole backward takes
    timer = threading.Timer(part * whole, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        while timer.is_alive():
            out.backward()
    except KeyboardInterrupt:
        interrupted += 1
    timer.join()
    a.grad = 0.0
    out.backward()
    assert a.grad == 2_000_001.0, a.grad
print(interrupted)

# A handler that returns lets backward go on, and may use the graph itself.
def handler(*_):
    (a * 2).backward()

signal.signal(signal.SIGINT, handler)
timer = threading.Timer(0.2 * whole, os.kill, (os.getpid(), signal.SIGINT))
timer.start()
out.backward()
timer.join()
a.grad = 0.0
out.backward()
print(a.grad)

# It goes on however often it is called: a sort that starts again each time would not end.
done = threading.Event()

def signals():
    while not done.wait(0.002):
        os.kill(os.getpid(), signal.SIGINT)

thread = threading.Thread(target=signals)
thread.start()
out.backward()
done.set()
thread.join()
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_backward_can_be_interrupted_anywhere():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["5", "2000001.0", "done"]
