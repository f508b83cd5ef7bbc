"""backward: order, repetition, custom operations, and backward within backward."""

import gc
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from bits import bits, record
from errors import error_of
from programs import custom

# Order and repetition


def test_gradients_flow_in_reverse_topological_order(mg):
    calls = []
    a = mg.Value(1.0)
    p = custom(mg, (a,), "p", calls)
    q = custom(mg, (p, a), "q", calls)
    r = custom(mg, (a, p), "r", calls)
    root = custom(mg, (r, q, p), "root", calls)
    root.backward()
    # Depth-first, operands in order: a, p, r, q, root. Reversed:
    assert calls == ["root", "q", "r", "p"]
    assert a.grad == 5.0  # the number of paths: via r 2, via q 2, via p 1


def test_the_order_decides_the_rounding(mg):
    a = mg.Value(1.0)
    (a * 1e16 + a * 1.0 + a * -1e16).backward()
    assert a.grad == 0.0  # (-1e16 + 1) + 1e16; 1.0 had 1e16 met -1e16 first


def test_each_node_steps_once_however_often_it_is_used(mg):
    calls = []
    shared = custom(mg, (mg.Value(1.0),), "shared", calls)
    (shared * shared + shared + mg.sum([shared, shared])).backward()
    assert calls == ["shared"]


def test_backward_on_a_leaf_sets_its_grad_to_1(mg):
    a = mg.Value(3.0)
    a.backward()
    a.backward()
    assert a.grad == 1.0


def test_a_second_backward_adds_to_leaves_and_recomputes_the_rest(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    product = a * b
    root = product.exp() + product
    root.backward()
    once = (a.grad, b.grad, product.grad)
    root.backward()
    assert (a.grad, b.grad) == (2 * once[0], 2 * once[1])
    assert product.grad == once[2]
    assert root.grad == 1.0


def test_roots_that_share_a_subgraph_give_the_sum_of_their_gradients(mg):
    a = mg.Value(2.0)
    shared = a * 3
    shared.backward()
    (shared + 1).backward()
    (shared * 2).backward()
    assert a.grad == 3.0 + 3.0 + 6.0  # micrograd counts the grad left in `shared` again


def test_after_backward_every_grad_is_that_of_the_last_root(mg):
    a = mg.Value(2.0)
    inner = a * 3
    outer = inner * inner
    outer.backward()
    assert inner.grad == 12.0
    inner.backward()
    assert inner.grad == 1.0
    assert outer.grad == 1.0  # not under the second root: left alone


def test_a_grad_that_was_set_by_hand_survives_in_leaves_only(mg):
    a = mg.Value(2.0)
    inner = a * 3
    root = inner * 1
    a.grad = inner.grad = root.grad = 100.0
    root.backward()
    assert (a.grad, inner.grad, root.grad) == (103.0, 1.0, 1.0)


def test_backward_uses_the_data_of_its_moment(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    product = a * b
    squashed = product.tanh()
    a.data, squashed.data = 10.0, 0.5
    squashed.backward()
    assert (product.grad, b.grad) == (0.75, 7.5)


def test_a_node_outlives_the_names_of_its_operands(mg):
    root = (mg.Value(2.0) * mg.Value(3.0)).relu() ** 2
    gc.collect()
    root.backward()
    assert root._children[0]._children[0]._children[1].grad == 24.0  # 2 * 6 * 2


# A gradient to begin with, and several outputs


def test_the_gradient_of_the_root_may_be_given(mg):
    a = mg.Value(3.0)
    root = a * a
    assert root.backward(0.5) is None
    assert (root.grad, a.grad) == (0.5, 3.0)
    root.backward(gradient=np.float32(-2))
    assert (root.grad, a.grad) == (-2.0, -9.0)
    a.backward(7)
    assert a.grad == 7.0


@pytest.mark.parametrize("gradient", ["1", None, [1.0], 1j])
def test_a_gradient_is_a_number(mg, gradient):
    a = mg.Value(3.0)
    root = a * a
    message = f"the gradient of backward must be a real number, not '{type(gradient).__name__}'"
    assert error_of(lambda: root.backward(gradient)) == (TypeError, message)
    assert (root.grad, a.grad) == (0.0, 0.0)


def test_several_outputs_add_their_gradients(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    product = a * b
    outputs = product + a, product * product
    assert mg.backward(outputs, [1.0, 0.5]) is None
    assert [x.grad for x in (*outputs, product)] == [1.0, 0.5, 1.0 + 6.0]
    assert (a.grad, b.grad) == (7.0 * 3 + 1, 7.0 * 2)
    mg.backward(outputs)  # adds into the leaves, and computes the others anew
    assert [x.grad for x in (*outputs, product)] == [1.0, 1.0, 1.0 + 12.0]
    assert (a.grad, b.grad) == (22.0 + 13 * 3 + 1, 14.0 + 13 * 2)


def test_what_is_under_several_outputs_steps_once_in_one_order(mg):
    calls = []
    a = mg.Value(1.0)
    p = custom(mg, (a,), "p", calls)
    q = custom(mg, (p, a), "q", calls)
    r = custom(mg, (p,), "r", calls)
    mg.backward([q, r])
    assert calls == ["r", "q", "p"]  # the order is a, p, q, r
    calls.clear()
    mg.backward([r, q])
    assert calls == ["q", "r", "p"]


@pytest.mark.parametrize("first", [0, 1])
def test_an_output_may_be_under_another(mg, first):
    a = mg.Value(1.0)
    inner = a * 2
    outer = inner * 3
    outputs = [outer, inner][:: 1 - 2 * first]
    mg.backward(outputs, [1.0, 10.0][:: 1 - 2 * first])
    assert (outer.grad, inner.grad, a.grad) == (1.0, 13.0, 26.0)


def test_an_output_may_be_a_leaf_and_come_twice(mg):
    a = mg.Value(1.0)
    a.grad = 100.0
    mg.backward([a, a * 2, a], [1.0, 10.0, 5.0])
    assert a.grad == 26.0


def test_the_gradient_of_an_output_comes_before_what_others_pass_to_it(mg):
    a = mg.Value(1.0)
    inner = a * 1
    mg.backward([inner * 1e16, inner, inner * -1e16], [1.0, 1.0, 1.0])
    assert inner.grad == 0.0  # (1 - 1e16) + 1e16
    inner.backward(-0.0)
    assert bits(inner.grad) == bits(0.0)  # 0.0 + -0.0


def test_outputs_are_differentiated_as_by_a_tape_of_them(mg):
    a, b = mg.Value(0.1), mg.Value(0.7)
    shared = (a * b).tanh()
    outputs = [shared.exp() * a, b / shared, shared, a]
    seed = [0.3, -1.7, 0.9, 0.01]
    tape = mg.Tape(outputs)
    tape.forward([])
    tape.backward(seed)
    expected = [bits(p.grad) for p in tape.parameters]
    a.grad = b.grad = 0.0
    mg.backward(np.array(outputs), np.array(seed))
    assert [bits(p.grad) for p in tape.parameters] == expected


def test_one_output_is_differentiated_as_by_its_method(mg):
    a = mg.Value(0.3)
    root = (a.exp() * a).log()
    root.backward(0.7)
    expected = record([root])
    a.grad = 0.0
    mg.backward(iter([root]), (0.7,))
    assert record([root]) == expected


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda mg, y: mg.backward([]),
            ValueError,
            "backward expects at least one output and a gradient for each, got 0 and 0",
        ),
        (
            lambda mg, y: mg.backward([y, y], [1.0]),
            ValueError,
            "backward expects at least one output and a gradient for each, got 2 and 1",
        ),
        (
            lambda mg, y: mg.backward(y),
            TypeError,
            "the outputs of a derivative must be a sequence of Values, not '{}': "
            "write [x] for a single x",
        ),
        (
            lambda mg, y: mg.backward([y, 1.0]),
            TypeError,
            "output 1 of a derivative must be a Value, not 'float'",
        ),
        (
            lambda mg, y: mg.backward([y], 1.0),
            TypeError,
            "the gradients of backward must be a sequence of Values or numbers, not 'float': "
            "write [x] for a single x",
        ),
        (
            lambda mg, y: mg.backward([y, y], [1.0, y]),
            TypeError,
            "a gradient of backward must be a real number, not '{}'",
        ),
    ],
)
def test_backward_of_several_refuses_and_changes_nothing(mg, call, kind, message):
    a = mg.Value(3.0)
    y = a * a
    y.grad = a.grad = 5.0
    value = f"{mg.__name__}.engine.Value"
    assert error_of(lambda: call(mg, y)) == (kind, message.format(value))
    assert (y.grad, a.grad) == (5.0, 5.0)


def test_a_custom_operation_without_a_step_under_any_output_changes_nothing(mg):
    a = mg.Value(3.0)
    plain, stepless = a * a, mg.Value(1.0, (a,), "stepless")
    plain.grad = 5.0
    for outputs in ([plain, stepless], [stepless, plain]):
        with pytest.raises(ValueError, match="'stepless' has no _backward"):
            mg.backward(outputs)
        assert (plain.grad, a.grad) == (5.0, 0.0)
    mg.backward([plain, plain + a])
    assert a.grad == 6.0 + 6.0 + 1.0


# Steps by hand


def test_a_step_by_hand_adds_this_nodes_share_only(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    inner = a * b
    root = inner + a
    root.grad = 1.0
    root._backward()
    assert (inner.grad, a.grad, b.grad) == (1.0, 1.0, 0.0)
    inner._backward()
    inner._backward()
    assert (a.grad, b.grad) == (1.0 + 3.0 + 3.0, 2.0 + 2.0)


def test_the_step_of_a_leaf_does_nothing(mg):
    a = mg.Value(2.0)
    a.grad = 5.0
    assert a._backward() is None
    assert a.grad == 5.0


def test_a_step_may_be_kept_and_called_after_its_node_is_gone(mg):
    a = mg.Value(2.0)
    node = a * 3
    node.grad = 1.0
    step = node._backward
    del node
    gc.collect()
    step()
    assert a.grad == 3.0


# Custom operations


def test_a_custom_operation_mixes_with_built_in_nodes(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    inner = a * b
    cube = mg.Value(inner.data**3, (inner,), "cube")

    def step():
        inner.grad += 3 * inner.data**2 * cube.grad

    cube._backward = step
    (cube + 1).backward()
    assert cube._op == "cube"
    assert (a.grad, b.grad) == (324.0, 216.0)  # 3 * 36 * 3, 3 * 36 * 2


def test_a_custom_operation_whose_step_does_nothing_stops_the_gradient(mg):
    a = mg.Value(2.0)
    inner = a * 3
    stop = mg.Value(inner.data, (inner,), "stop")
    stop._backward = lambda: None
    (stop * 2 + a).backward()
    assert (stop.grad, inner.grad, a.grad) == (2.0, 0.0, 1.0)


def test_a_custom_operation_without_a_step_is_an_error_that_changes_nothing(mg):
    a = mg.Value(2.0)
    lost = mg.Value(6.0, (a * 3,), "lost")
    root = lost * a
    lost.grad = lost._children[0].grad = a.grad = 5.0
    message = (
        "the custom operation 'lost' has no _backward: assign one (lambda: None passes no "
        "gradient), or make it with local_grads"
    )
    for step in (root.backward, lost.backward, lost._backward):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            step()
        assert (root.grad, lost.grad, lost._children[0].grad, a.grad) == (0.0, 5.0, 5.0, 5.0)
    lost._backward = lambda: None
    root.backward()
    assert (lost.grad, a.grad) == (2.0, 11.0)


def test_a_named_leaf_needs_no_step(mg):
    leaf = mg.Value(2.0, (), "named")
    (leaf * 3).backward()
    assert leaf._backward() is None
    assert leaf.grad == 3.0


def test_the_grad_of_a_custom_operation_is_recomputed(mg):
    a = mg.Value(2.0)
    root = custom(mg, (a,), "same", []) * 3
    root.backward()
    root.backward()
    assert a.grad == 6.0
    assert root._children[0].grad == 3.0


def test_a_named_operation_without_operands_accumulates_as_a_leaf_does(mg):
    source = mg.Value(2.0, (), "source")
    seen = []
    source._backward = lambda: seen.append(source.grad)
    (source * 3).backward()
    (source * 3).backward()
    assert seen == [3.0, 6.0]


def test_operands_without_a_name_make_a_custom_operation(mg):
    a = mg.Value(2.0)
    out = mg.Value(2.0, (a,))
    out._backward = lambda: setattr(a, "grad", a.grad + out.grad)
    (out * 3).backward()
    assert (out._op, a.grad) == ("", 3.0)


def test_the_step_of_a_custom_operation_can_be_read_and_replaced(mg):
    out = mg.Value(1.0, (mg.Value(1.0),), "op")

    def step():
        return "stepped"

    out._backward = step
    assert out._backward is step
    assert out._backward() == "stepped"
    out._backward = print
    assert out._backward is print


def test_a_subclass_may_define_its_step_as_a_method(mg):
    class Square(mg.Value):
        def __init__(self, operand):
            super().__init__(operand.data**2, (operand,), "square")
            self.operand = operand

        def _backward(self):
            self.operand.grad += 2 * self.operand.data * self.grad

    a = mg.Value(3.0)
    (Square(a) * 2).backward()
    assert a.grad == 12.0


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_in_a_step_propagates_and_leaves_the_graph_usable(mg, error):
    a = mg.Value(2.0)
    inner = a * 3
    bad = mg.Value(inner.data, (inner,), "bad")
    root = bad * inner + a

    def fail():
        raise error("no gradient today")

    def step():
        inner.grad += bad.grad

    bad._backward = fail
    with pytest.raises(error, match="no gradient today"):
        root.backward()
    bad._backward = step
    for _ in range(2):
        a.grad = 0.0
        root.backward()
        assert a.grad == 37.0  # (3a)^2 + a at 2
    (inner * 1).backward()
    assert a.grad == 40.0


def test_a_step_may_differentiate_another_graph_over_the_same_leaf(mg):
    a = mg.Value(2.0)
    out = mg.Value(1.0, (a,), "nested")

    def step():
        (a * 100).backward()
        a.grad += out.grad

    out._backward = step
    (out * 3 + a).backward()
    assert a.grad == 1.0 + 100.0 + 3.0


def test_a_step_may_differentiate_a_part_of_the_graph_that_is_under_way(mg):
    a = mg.Value(2.0)
    inner = a * 3
    out = mg.Value(1.0, (inner,), "nested")

    def step():
        inner.backward()  # adds 3 to a.grad and leaves inner.grad at 1
        inner.grad += out.grad

    out._backward = step
    root = out * 5 + inner
    root.backward()
    assert inner.grad == 1.0 + 5.0
    assert a.grad == 3.0 + 3 * 6.0
    out._backward = lambda: None
    a.grad = 0.0
    root.backward()
    assert a.grad == 3.0


def test_a_step_may_differentiate_its_own_root_again(mg):
    a = mg.Value(2.0)
    inner = a * 3
    out = mg.Value(1.0, (inner,), "nested")
    depth = []

    def step():
        if len(depth) < 3:
            depth.append(None)
            root.backward()
        inner.grad += out.grad

    out._backward = step
    root = out * 5
    root.backward()
    # The innermost call leaves 5 in inner.grad; each outer one adds 5 on the way out.
    assert inner.grad == 5.0 * 4
    assert a.grad == 3 * (5.0 + 10.0 + 15.0 + 20.0)


def nested(mg, depth):
    """A Value whose backward enters backward within backward, this deep, down to that of a leaf."""
    a = out = mg.Value(2.0)
    for _ in range(depth - 1):
        below, out = out, mg.Value(1.0, (), "nested")
        out._backward = below.backward
    return a, out


def test_backward_may_be_called_within_backward_a_hundred_deep(mg):
    a, out = nested(mg, 100)
    out.backward()
    assert a.grad == 1.0


@pytest.mark.parametrize("depth", [101, 5000])
def test_backward_within_backward_beyond_a_hundred_deep_is_a_recursion_error(mg, depth):
    a, out = nested(mg, depth)
    for _ in range(2):
        with pytest.raises(RecursionError, match="within backward more than 100 deep"):
            out.backward()
    (a * 3).backward()
    assert a.grad == 3.0


def test_each_thread_has_a_depth_of_its_own(mg):
    def work(_):
        a, out = nested(mg, 60)
        out.backward()
        return a.grad

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(40))) == {1.0}


def test_endless_differentiation_is_a_recursion_error(mg):
    a = mg.Value(2.0)
    out = mg.Value(1.0, (a,), "endless")
    above = out * 5
    for root, step in ((out, out.backward), (above, lambda: above.backward())):
        out._backward = step
        with pytest.raises(RecursionError):
            root.backward()
    out._backward = lambda: setattr(a, "grad", a.grad + out.grad)
    above.backward()
    assert a.grad == 5.0


def test_a_step_may_build_graphs_and_replace_steps(mg):
    a = mg.Value(2.0)
    first = mg.Value(1.0, (a,), "first")
    second = mg.Value(1.0, (first,), "second")
    first._backward = lambda: None

    def replaced():
        a.grad += 10 * first.grad

    def step():
        first._backward = replaced
        first.grad += (second * 7)._children[1].data

    second._backward = step
    second.backward()
    assert a.grad == 70.0


def test_a_step_may_collect_garbage(mg):
    a = mg.Value(2.0)
    out = mg.Value(1.0, (a * 3,), "collecting")
    out._backward = gc.collect
    (out * out).backward()
    assert out.grad == 2.0
