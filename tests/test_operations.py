"""Every row of the table of operations is within the reach of the tests, and makes one node."""

import re
from pathlib import Path

import pytest
from bits import bits
from operations import ARITY, SPELLED, call

import micrograd_fast
import micrograd_ref
from micrograd_ref.operations import OPERATIONS

HEADER = Path(__file__).parent.parent / "micrograd_fast" / "operations.h"


def made_by_a_row(mg, name):
    """The node that a row makes, and its operands."""
    operands = [mg.Value(0.5 + 0.25 * i) for i in range(OPERATIONS[name].arity or 5)]
    return call(mg, name, *operands, *([3.0] if name == "**k" else [])), operands


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_row_can_be_called_and_makes_one_node(mg, name):
    out, operands = made_by_a_row(mg, name)
    assert type(out) is mg.Value
    assert out._op == ("**3" if name == "**k" else name)
    assert out._children == tuple(operands)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_drawing_shows_the_name_of_a_row(mg, name):
    out, _ = made_by_a_row(mg, name)
    source = mg.draw_dot(out).source.replace('"', "")
    assert f"op [label={out._op}]" in source


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_local_gradients_of_a_row_are_what_backward_adds(mg, name):
    out, operands = made_by_a_row(mg, name)
    out.backward()
    assert out._local_grads == tuple(x.grad for x in operands)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_row_passes_is_what_its_step_adds(mg, name):
    out, operands = made_by_a_row(mg, name)
    out.grad = 0.3
    out._backward()
    assert [bits(x) for x in out._passed(0.3)] == [bits(x.grad) for x in operands]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_result_that_was_assigned_means_the_same_to_both_packages(name):
    """Which of the result and the operands a formula reads then shows."""
    found = []
    for mg in (micrograd_ref, micrograd_fast):
        out, operands = made_by_a_row(mg, name)
        out.data = -0.75
        gradients = mg.gradient(out, operands)
        out.backward()
        grads = [bits(x.grad) for x in operands]
        assert [bits(g.data) for g in gradients] == grads
        found.append(grads)
    assert found[0] == found[1]


def test_what_the_tests_know_of_operations_fits_the_table():
    assert set(SPELLED) <= set(OPERATIONS)
    # Which the lists of tests name:
    assert set(OPERATIONS) - set(ARITY) == {"**k", "dot", "sum", "norm"}
    for name in set(ARITY) & set(OPERATIONS):
        assert ARITY[name] == OPERATIONS[name].arity


@pytest.mark.skipif(not HEADER.exists(), reason="the sources are not beside these tests")
def test_the_table_in_c_has_the_same_rows_in_the_same_order():
    rows = re.findall(r'^    (?:ROW|LOOP)\(\w+, +"(\S+)", +(\w+)', HEADER.read_text(), re.M)
    found = [(name, None if arity == "MG_MANY" else int(arity)) for name, arity in rows]
    assert found == [(row.name, row.arity) for row in OPERATIONS.values()]
