"""Nodes freed where the C stack is nearly used up, as CPython does it from 3.14 on."""

import subprocess
import sys

import pytest

# At the edge, CPython puts what it frees aside, in a list whose links it writes in front of each
# object. Every second of neighbouring nodes is freed there; those between must not change.
PROGRAM = """
import faulthandler, sys
import micrograd_fast as mg

faulthandler.enable()
sys.setrecursionlimit(10**7)

def free_at_the_edge():
    nodes = sorted([mg.Value(i, label=f"n{i}") for i in range(40_000)], key=id)
    kept, freed = nodes[::2], nodes[1::2]
    del nodes

    def down(_):
        for _ in range(2):
            if freed:
                freed.pop()
        return max((0,), key=down)

    try:
        down(0)
    except RecursionError as error:
        reason = str(error).partition(" (")[0]
    assert freed, "the edge was not reached: too few nodes"
    del freed[:]
    changed = sum(x.label != f"n{x.data:.0f}" for x in kept)
    new = [mg.Value(i) for i in range(70_000)]  # more than are kept to be used again
    twice = len(new) - len({id(x) for x in new})
    return reason, changed, twice, sum(x.data != i for i, x in enumerate(new))

for _ in range(3):
    print(*free_at_the_edge(), sep=", ")
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="CPython frees nothing in this way before")
def test_nodes_freed_at_the_edge_of_the_stack_leave_others_alone():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["Stack overflow, 0, 0, 0"] * 3
