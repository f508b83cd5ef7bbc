"""Every machine gives the bits that were written once: python -m tests.golden."""

import json

import pytest
from golden.digests import PROGRAMS, digest, lists, of_graphs, read
from golden.graphs import OPERATIONS
from interpreters import on_cpu

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


@pytest.mark.parametrize("cpu", ["plain", "avx2", "avx512"])
def test_the_loops_for_a_cpu_give_the_golden_bits(cpu):
    program = """
import json, micrograd_fast
from golden.digests import computed, lists
print(json.dumps(computed(micrograd_fast, lists())))
"""
    assert json.loads(on_cpu(program, cpu)) == {name: read(name) for name in (*PROGRAMS, "graphs")}


def test_every_operation_is_in_golden_graphs():
    known = set().union(*lists())
    assert set(OPERATIONS) <= known, "python -m tests.golden adds graphs of the new ones"
