#!/usr/bin/env bash
# The tests of the fast package under AddressSanitizer and UndefinedBehaviorSanitizer:
#
#     bash tests/sanitize.sh [PYTHON]
#
# PYTHON, or $PYTHON, or python3: a CPython of Linux with what `pip install -e ".[test]"` brings,
# and a gcc with its sanitizers beside it. The extensions are built in a copy of the source tree;
# nothing in the tree itself changes. $CC may name another gcc. Exit status 0 if all is clean.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${1:-${PYTHON:-python3}}")
export CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MICROGRAD_BACKEND PYTHONPATH
start=$SECONDS

stage() { printf '\n=== %s (%s s)\n' "$*" $((SECONDS - start)); }

stage "Build in a copy: $("$python" --version), $("$CC" --version | head -n 1)"
mkdir "$work/tree"
tar -C "$root" -c --exclude=./.git --exclude=./build --exclude='*.so' --exclude=./.venv \
    --exclude=__pycache__ . | tar -C "$work/tree" -x
cd "$work/tree"
# setuptools puts CFLAGS before the flags of setup.py, so an -O1 there would not count.
sed -i 's/"-O3"/"-O1"/' setup.py
flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
CFLAGS="$flags" LDFLAGS="-fsanitize=address,undefined" \
    "$python" setup.py -q build_ext --inplace -j 2 >"$work/build.log" 2>&1 || {
    cat "$work/build.log"
    exit 1
}

# The interpreter itself is not instrumented, so the runtimes must be loaded before it.
library() { "$CC" -print-file-name="$1"; }
preload="$(library libasan.so) $(library libubsan.so)"
export PYTHONPATH=$work/tree
export PYTHONMALLOC=malloc  # each object in a block of its own, with red zones around it
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
asan=abort_on_error=0:exitcode=99:detect_stack_use_after_return=1:handle_segv=1
# A failed allocation must be a NULL, as in life: the tests of failing memory expect MemoryError.
asan=$asan:allocator_may_return_null=1
sanitized() { LD_PRELOAD=$preload ASAN_OPTIONS=$asan:detect_leaks=0 "$@"; }

stage "The sanitizers work: a program that overflows a buffer is caught"
cat >"$work/bad.c" <<'END'
#include <stdlib.h>
int main(int argc, char **argv) { char *p = malloc(8); return p[7 + argc]; }
END
"$CC" -fsanitize=address "$work/bad.c" -o "$work/bad"
if "$work/bad" >/dev/null 2>&1; then
    echo "AddressSanitizer found nothing"
    exit 1
fi

# Left out, and why:
#   [ref           the reference: there is nothing of ours in C in it
#   test_packaging test_cimport test_exercises: they start or build other interpreters, without the
#                  runtime, or Jupyter
#   test_plot test_graph test_explore: they draw, which is Python alone, and start `dot` and Chromium
#   test_parallel  it starts processes of workers
#   by name: what measures resident memory or C stacks, where the sanitizer's own would count
#   test_fuzz      it comes by itself below
#   test_memory_limits  ten million nodes and their memory: the red zones around each are counted with it
#   test_rounding  it compiles programs of its own
#   test_twins     it compares names and docstrings
left_out=(
    test_packaging test_cimport test_exercises test_plot test_graph test_explore test_parallel
    test_memory_limits test_twins test_fuzz test_rounding
)
names="not [ref"
names+=" and not stack and not resident and not memory_does_not_grow and not keeps_no_memory"
ignored=()
for name in "${left_out[@]}"; do
    [ -e "tests/$name.py" ] && ignored+=("--ignore=tests/$name.py")
done

# Fewer random examples than elsewhere, for the time that the sanitizers take.
cat >"$work/fewer.py" <<'END'
from hypothesis import settings


def pytest_sessionstart(session):
    settings.register_profile("sanitize", settings.get_profile("default"), max_examples=5)
    settings.load_profile("sanitize")
END

stage "The tests"
PYTHONPATH=$PYTHONPATH:$work sanitized "$python" -m pytest tests \
    -q -p no:cacheprovider -p fewer --capture=sys \
    -k "$names" "${ignored[@]}" -W "ignore::pytest.PytestUnraisableExceptionWarning"

stage "Random programs with both packages"
sanitized "$python" -m tests.fuzz --worker --seconds 30 --seed sanitize >"$work/fuzz.log" || {
    cat "$work/fuzz.log"
    exit 1
}
tail -n 1 "$work/fuzz.log"

stage "Leaks: the blocks that one round more of every workload leaves behind"
cat >"$work/leaks.py" <<'END'
"""LeakSanitizer at the end of an interpreter tells its leaks from ours badly. So this counts: the
bytes in use, by the sanitizer's own allocator, after many rounds and after many more."""

import ctypes
import gc
import pickle
import sys

import numpy as np

import micrograd_fast as mg

in_use = ctypes.CDLL(None).__sanitizer_get_current_allocated_bytes
in_use.restype = ctypes.c_size_t


class Sub(mg.Value):
    pass


def built_in():
    a, b = mg.Value(2.0, label="a"), mg.Value(3.0)
    c = (a * b + 1).tanh() ** 2 / mg.dot([a, b, 1.0], [b, 2.0, a], a) - mg.sum([a, b, 1.0])
    c.label = "c" * 3
    c.backward()
    c.backward()


def custom():
    a = Sub(1.0)
    out = mg.Value(2.0, (a, a), "twice")

    def step():
        a.grad += 2 * out.grad

    out._backward = step
    a.out = out
    (out * out).backward()
    gc.collect()


def attributes():
    a = mg.Value(1.0, label="a")
    out = mg.Value(2.0, (a, a), "op", local_grads=(2, 0.5)) * a
    a.m, a.list, out.a = 0.5, [out, a], a
    out.backward()
    out._local_grads
    del a.m
    pickle.loads(pickle.dumps(out))
    gc.collect()


def refused():
    a = mg.Value(1.0)
    for wrong in (
        lambda: a + "x",
        lambda: mg.dot([a], [a, a]),
        lambda: mg.dot([a, "x"], [a, a]),
        lambda: mg.sum([a, 10**400]),
        lambda: mg.Value(1.0, (a, 1)),
        lambda: mg.Value(1.0, (a,), 3),
        lambda: mg.Tape(a, [a, a]),
        lambda: mg.Tape(mg.Value(1.0, (a,), "x")),
        lambda: mg.Tape(a * a, [a]).forward(np.ones((2, 3))),
        lambda: mg.Neuron(2)([a]),
    ):
        try:
            wrong()
        except (TypeError, ValueError, OverflowError):
            pass
        else:
            raise AssertionError("not refused")


def anomaly():
    a = mg.Value(1e308)
    for wrong in (
        lambda: a * a,
        lambda: mg.sum([a, a]),
        lambda: mg.Value(float("inf"), (a,), "x"),
        lambda: mg.Tape(a + a),
    ):
        try:
            with mg.detect_anomaly():
                wrong()
        except FloatingPointError:
            pass


def training():
    model = mg.MLP(2, [3, 1])
    for optimizer in (mg.SGD(model.parameters(), 0.1, 0.9), mg.Adam(model.parameters())):
        model([0.5, -1.0]).backward()
        optimizer.step()
        optimizer.zero_grad()
        pickle.loads(pickle.dumps(optimizer))


def tape():
    x, model = [mg.Value(0.0), mg.Value(0.0)], mg.MLP(2, [3, 1])
    recorded = mg.Tape(model(x), x)
    for n in (1, 130, 7, 0):
        recorded.forward(np.ones((n, 2)))
        recorded.backward(np.ones(n))
        recorded.input_grad
    copy = pickle.loads(pickle.dumps(recorded))
    copy.forward(np.ones((3, 2)))


def pickled():
    a = mg.Value(1.0, label="a")
    pickle.loads(pickle.dumps([a, (a * 2).exp() ** 2, Sub(1.0, (a,), "x")]))


def used_by(workload, rounds):
    for _ in range(rounds):
        workload()
    gc.collect()
    return in_use()


ROUNDS = 400
leaking = []
for workload in (built_in, custom, attributes, refused, anomaly, training, tape, pickled):
    grown, before = [], used_by(workload, ROUNDS)
    # A cache fills up at some time; a leak goes on for as long as one looks.
    while len(grown) < 10 and (not grown or grown[-1] > 8 * ROUNDS):
        after = used_by(workload, ROUNDS)
        grown.append(after - before)
        before = after
    if grown[-1] > 8 * ROUNDS:  # less than the smallest block for each round
        leaking.append(workload.__name__)
    print(f"{workload.__name__:10} {grown[-1]:6} bytes more after {ROUNDS} rounds more")
sys.exit(f"these leak: {leaking}" if leaking else 0)
END
sanitized "$python" "$work/leaks.py"

stage "Clean"
