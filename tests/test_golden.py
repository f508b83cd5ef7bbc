"""Every machine gives the bits that were written once: python -m tests.golden."""

import json
import platform

import pytest
from golden.digests import PROGRAMS, digest, lists, of_graphs, read
from golden.graphs import OPERATIONS
from interpreters import on_cpu, run

ENTRIES = read("graphs")


@pytest.mark.parametrize(
    ("name", "title"), [(name, title) for name in PROGRAMS for title in PROGRAMS[name]]
)
def test_a_program_gives_its_golden_bits(mg, name, title):
    assert digest(PROGRAMS[name][title](mg)) == read(name)[title]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{len(entry['operations'])} rows")
def test_random_graphs_give_their_golden_bits(mg, entry):
    found = of_graphs(mg, entry["operations"])
    for way in ("eager", "tape"):
        pairs = zip(found[way], entry[way], strict=True)
        assert [seed for seed, (a, b) in enumerate(pairs) if a != b] == []


ALL = """
import json, {package}
from golden.digests import computed, lists
print(json.dumps(computed({package}, lists())))
"""


def assert_golden(printed):
    assert json.loads(printed) == {name: read(name) for name in (*PROGRAMS, "graphs")}


@pytest.mark.parametrize("cpu", ["plain", "avx2", "avx512"])
def test_the_loops_for_a_cpu_give_the_golden_bits(cpu):
    assert_golden(on_cpu(ALL.format(package="micrograd_fast"), cpu))


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or platform.machine() != "x86_64",
    reason="the functions of another C library are no option here",
)
def test_other_functions_of_the_c_library_change_no_bit(mg):
    """glibc has several of each, for kinds of CPUs; their last bits differ."""
    without = "glibc.cpu.hwcaps=-FMA,-FMA_Usable,-FMA4,-AVX2,-AVX2_Usable"
    done = run(ALL.format(package=mg.__name__), GLIBC_TUNABLES=without)
    assert done.returncode == 0, done.stderr
    assert_golden(done.stdout)


def test_every_operation_is_in_golden_graphs():
    known = set().union(*lists())
    assert set(OPERATIONS) <= known, "python -m tests.golden adds graphs of the new ones"
