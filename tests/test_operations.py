"""Every row of the table of operations is within the reach of the tests, and makes one node."""

import pytest
from operations import ARITY, SPELLED, call

from micrograd_ref.operations import OPERATIONS


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


def test_what_the_tests_know_of_operations_fits_the_table():
    assert set(SPELLED) <= set(OPERATIONS)
    assert set(OPERATIONS) - set(ARITY) == {"**k", "dot", "sum"}  # which the lists of tests name
    for name in set(ARITY) & set(OPERATIONS):
        assert ARITY[name] == OPERATIONS[name].arity
