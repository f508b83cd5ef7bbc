"""One row called from C: the value and the gradients of micrograd's README graph.

What `Tape.to_c` writes, beside CasADi's C and functions written by hand: one in the shortest way,
and one with the bits of a Tape. Each is built by the same compiler with the same flags, in a file
of its own, so that nothing is computed once for many calls.
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from .measure import Task, Workload
from .readme import A, B, graph
from .scalars import scalars

CALLS = 10_000
COMPILER = ["cc", "-std=c99", "-O3", "-march=native", "-ffp-contract=off"]
LIBRARY = ["-shared", "-fPIC", "-o", "graph.so"]

DRIVER = """
void value_and_gradients(const double *row, double *out);

void repeat(long calls, const double *row, double *out) {
    while (calls--) value_and_gradients(row, out);
}
"""

BY_HAND = """
void value_and_gradients(const double *row, double *out) {
    const double a = row[0], b = row[1], p = b + a, q = b - a;
    const double c0 = a + b, c1 = c0 + c0 + 1, c = c1 + 1 + c1 - a;
    const double d0 = a * b + b * b * b, d1 = d0 + d0 * 2 + (p > 0 ? p : 0);
    const double d = d1 + 3 * d1 + (q > 0 ? q : 0), e = c - d, f = e * e, h = 10 / f;
    const double de = 2 * e * (0.5 - h / f), dd1 = -4 * de, dd0 = 3 * dd1, dc0 = 4 * de;
    const double dp = p > 0 ? dd1 : 0, dq = q > 0 ? -de : 0;
    out[0] = f / 2 + h;
    out[1] = dc0 - de + b * dd0 + dp - dq;
    out[2] = dc0 + (a + 3 * (b * b)) * dd0 + dp + dq;
}
"""

# With the same order of operations, and a cube that is rounded once, but for one of 2^50 arguments:
# a Tape finds these, too.
WITH_THE_BITS = """
#include <math.h>

void value_and_gradients(const double *row, double *out) {
    const double a = row[0], b = row[1], p = b + a, q = b - a, square = b * b;
    const double cube = fma(square, b, fma(b, b, -square) * b);
    const double c0 = a + b, c1 = c0 + (c0 + 1), c = c1 + (1 + c1 - a);
    const double d0 = a * b + cube, d1 = d0 + (d0 * 2 + (p > 0 ? p : 0));
    const double d = d1 + (3 * d1 + (q > 0 ? q : 0)), e = c - d, f = e * e, h = 10 / f;
    const double de = 2 * e * (0.5 - h / f), dd1 = -de - 3 * de, dd0 = dd1 + 2 * dd1;
    const double dp = p > 0 ? dd1 : 0, dq = q > 0 ? -de : 0;
    out[0] = f / 2 + h;
    out[1] = dp - dq + b * dd0 - de + 4 * de;
    out[2] = dq + dp + 3 * square * dd0 + a * dd0 + 4 * de;
}
"""

OF_TAPE = """
#include <stddef.h>

void graph_backward(
    const double *, size_t, const double *, const double *, double *, double *, double *, double *);

void value_and_gradients(const double *row, double *out) {
    double work[1];
    graph_backward(row, 1, 0, 0, out, 0, out + 1, work);
}
"""

OF_CASADI = """
int graph(const double **arg, double **res, long long *iw, double *w, int mem);

void value_and_gradients(const double *row, double *out) {
    double w[%d];
    const double *arg[] = {row, row + 1};
    double *res[] = {out, out + 1, out + 2};
    graph(arg, res, 0, w, 0);
}
"""


def task(*texts, flags=()):
    """Build C texts, of which one defines value_and_gradients."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{i}.c" for i in range(len(texts) + 1)]
        for name, text in zip(names, [DRIVER, *texts], strict=True):
            Path(folder, name).write_text(text)
        subprocess.run([*COMPILER, *LIBRARY, *flags, *names], cwd=folder, check=True)
        library = ctypes.CDLL(str(Path(folder, "graph.so")))
    row, out = (ctypes.c_double * 2)(A, B), (ctypes.c_double * 3)()

    def run():
        library.repeat(ctypes.c_long(CALLS), row, out)
        return out

    return Task(run, np.array(run()), units=CALLS)


def by_hand(_, text=BY_HAND):
    return task(text)


def tape(mg):
    inputs = mg.Value(0.0), mg.Value(0.0)
    recorded = mg.Tape(graph(*inputs, relu=mg.Value.relu), inputs)
    return task(recorded.to_c("graph"), OF_TAPE, flags=["-DMG_ROWS=1"])


def generated(casadi):
    a, b = casadi.SX.sym("a"), casadi.SX.sym("b")
    g = graph(a, b, scalars(casadi).relu)
    function = casadi.Function("graph", [a, b], [g, casadi.gradient(g, a), casadi.gradient(g, b)])
    generator = casadi.CodeGenerator("graph.c")
    generator.add(function)
    return task(generator.dump(), OF_CASADI % max(1, function.sz_w()))


CONTESTANTS = [
    ("micrograd_fast", tape),
    ("micrograd_ref", tape),
    ("C, by hand", by_hand),
    ("C, by hand, a Tape's bits", by_hand, WITH_THE_BITS),
    ("casadi", generated),
]

TITLE = "the README graph called from C: value and gradients of one row"
WORKLOADS = [Workload("from_c", TITLE, "row", CONTESTANTS, baselines=["C, by hand"])]
