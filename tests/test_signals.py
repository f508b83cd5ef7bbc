"""A signal in the middle of a long backward or Tape: it stops, and can be used again."""

import signal
import subprocess
import sys

import pytest
from errors import error_of
from tapes import bits_of, long_tape, rows_of

needs_timer = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no timer signals"
)

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


@needs_timer
def test_backward_can_be_interrupted_anywhere():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["stopped"] * 6 + ["1 4000001.0", "2 4000001.0"]


GRADIENT = """
import signal, time
import micrograd_fast as mg

a, one = mg.Value(1.0), mg.Value(1.0)
a.grad = 3.0
out = a
for _ in range(1_000_000):
    out = out * one

def seconds():
    started = time.process_time()
    found = mg.gradient(out, [a])
    assert found[0].data == 1.0
    return time.process_time() - started

whole = min(seconds() for _ in range(3))
signal.signal(signal.SIGPROF, signal.default_int_handler)
for part in (0.1, 0.3, 0.5):
    try:
        signal.setitimer(signal.ITIMER_PROF, part * whole)
        mg.gradient(out, [a])
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        print("too late")
    except KeyboardInterrupt:
        print("stopped", a.grad)
    seconds()
"""


@needs_timer
def test_gradient_can_be_interrupted_and_called_again():
    command = [sys.executable, "-c", GRADIENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["stopped 3.0"] * 3


@needs_timer
def test_signals_are_seen_within_a_block_of_rows(mg):
    x, w = mg.Value(0.0), mg.Value(1.25)
    node = x
    for _ in range({"micrograd_ref": 2000, "micrograd_fast": 200_000}[mg.__name__]):
        node = (node * w).tanh()
    tape, rows = mg.Tape(node, [x]), rows_of(128, 1)
    calls = []
    before = signal.signal(signal.SIGPROF, lambda *_: calls.append(None))
    try:
        for run in (lambda: tape.forward(rows), tape.backward):
            signal.setitimer(signal.ITIMER_PROF, 0.01, 0.002)  # of the time of this process
            calls.clear()
            run()
            assert len(calls) > 1  # of signals that wait, only one would be seen at the end
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@needs_timer
def test_an_interrupted_tape_can_be_used_again(mg):
    tape, w, rows = long_tape(mg)
    expected = bits_of(tape.forward(rows))
    tape.backward()
    once = w.grad

    grads = [once]

    def ring(*_):
        raise TimeoutError("the alarm")

    def run_for_ever():
        signal.setitimer(signal.ITIMER_PROF, 0.05)  # of the time of this process
        while True:
            grads.append(grads[-1] + once)
            tape.forward(rows)
            tape.backward()

    before = signal.signal(signal.SIGPROF, ring)
    try:
        assert error_of(run_for_ever) == (TimeoutError, "the alarm")
    finally:
        signal.signal(signal.SIGPROF, before)
    assert w.grad in grads[-2:]  # with the last backward, or without it
    assert bits_of(tape.forward(rows)) == expected
    w.grad = 0.0
    tape.backward()
    assert w.grad == once
