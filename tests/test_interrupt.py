"""A signal in the middle of a long backward: it stops, and the graph can be used again."""

import signal
import subprocess
import sys

import pytest

# The timer counts the time that this process takes, as process_time does, and not what a busy
# machine makes it wait: a signal set for a part of a pass comes within that pass.
PROGRAM = """
import signal, time
import micrograd_fast as mg

a = mg.Value(1.0)
out = a
for _ in range(4_000_000):
    out = out + a

def seconds():
    started = time.process_time()
    a.grad = 0.0
    out.backward()
    assert a.grad == 4_000_001.0, a.grad
    return time.process_time() - started

def backward_with_signals(first, interval=0.0):
    a.grad = 0.0
    signal.setitimer(signal.ITIMER_PROF, first, interval)
    out.backward()
    signal.setitimer(signal.ITIMER_PROF, 0.0)

whole = min(seconds() for _ in range(3))

# A handler that raises, as Ctrl-C's does, stops backward where it is.
signal.signal(signal.SIGPROF, signal.default_int_handler)
for part in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5):
    try:
        backward_with_signals(part * whole)
    except KeyboardInterrupt:
        print("stopped" if a.grad < 4_000_001.0 else "too late")
    seconds()

# A handler that returns lets it go on, and may use the graph itself. It goes on however often the
# handler is called: a sort that starts again each time would not end.
calls = []

def handler(*_):
    calls.append(None)
    (a * 2).backward()

signal.signal(signal.SIGPROF, handler)
for interval in (0.0, 0.002):
    calls.clear()
    backward_with_signals(0.2 * whole, interval)
    print(min(len(calls), 2), a.grad - 2 * len(calls))
    seconds()
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")
def test_backward_can_be_interrupted_anywhere():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["stopped"] * 6 + ["1 4000001.0", "2 4000001.0"]
