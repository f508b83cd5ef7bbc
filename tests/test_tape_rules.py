"""Tape: the rule by which backward sums over rows, and what is recorded as one instruction."""

import math

import numpy as np
import pytest
from tapes import added, bits_of, blocks, line, rows_of, tree

COUNTS = (0, 1, 7, 8, 9, 127, 128, 129, 300)  # rows: around what is summed at once, and a block

# The rule of reduction


@pytest.mark.parametrize("n", COUNTS)
def test_rows_are_summed_in_the_order_that_the_docstring_gives(mg, n):
    rows, seed = rows_of(n, 1, 47), rows_of(n, 1, 48)[:, 0]
    tape, w, b = line(mg)
    tape.forward(rows)
    tape.backward(seed)
    products = [x * s for x, s in zip(rows[:, 0].tolist(), seed.tolist(), strict=True)]
    assert w.grad == added(blocks(products))
    assert b.grad == added(blocks(seed.tolist()))


def test_the_order_shows_in_the_bits_of_300_rows():
    rows, seed = rows_of(300, 1, 47), rows_of(300, 1, 48)
    for contributions in ((rows * seed)[:, 0].tolist(), seed[:, 0].tolist()):
        in_blocks = [contributions[i : i + 128] for i in (0, 128, 256)]
        others = [
            added(contributions),
            tree(contributions),
            added(map(added, in_blocks)),
            added(added(added(block[i::8]) for i in range(8)) for block in in_blocks),
            added(added(added(block[i::4]) for i in range(4)) for block in in_blocks),
            added(tree(contributions[i : i + 64]) for i in range(0, 300, 64)),
            added(tree(contributions[i : i + 256]) for i in range(0, 300, 256)),
        ]
        assert added(blocks(contributions)) not in others


def test_what_depends_on_no_input_is_differentiated_once_in_its_place_in_the_last_block(mg):
    rows, seed = rows_of(300, 1, 13), rows_of(300, 1, 14)[:, 0]
    e = math.exp(0.7)
    pairs = list(zip(rows[:, 0].tolist(), seed.tolist(), strict=True))
    by_rows = blocks([x * (e * s) for x, s in pairs])  # to w, from x * w
    to_e = blocks([(x * 0.7) * s for x, s in pairs])
    once = e * added(to_e)  # to w, from its exp

    found = []
    for build in (lambda e, product: e() * product(), lambda e, product: product() * e()):
        x, w = mg.Value(0.0), mg.Value(0.7)
        tape = mg.Tape(build(w.exp, lambda x=x, w=w: x * w), [x])
        tape.forward(rows)
        tape.backward(seed)
        found.append(w.grad)
    # Backward meets the exp last, and before the product.
    assert found == [added([*by_rows, once]), added([*by_rows[:2], once, by_rows[2]])]
    assert found[0] != found[1]
    assert found[0] != added([*by_rows, added(e * g for g in to_e)])


# Fusing. x and y are inputs, a to d are parameters.

FUSED = [
    ("(x * a + y * b + c).tanh()", 2),  # the lecture's neuron
    ("sum((w * xi for w, xi in zip((a, b, d), (x, y, x))), c)", 1),  # the original's neuron
    ("sum(p * p for p in (a, b, c))", 1),
    ("x * a + y * b", 1),
    ("x * a + b", 1),
    ("b + x * a", 1),
    ("x * x + y * y + x * y", 1),
    ("x + y + a + 1 + x", 1),
    ("x + y * a + b + x * y + c * x + d", 1),
    ("x + y", 1),
    ("x + x", 1),
    ("a * b + c + d", 1),
    ("a + (b + (c + d))", 3),
    ("c + (x * a + y * b)", 2),
    ("x * a - y * b + c", 4),
    # What is used elsewhere, or an output, stays as it is.
    ("[m := x * a, m + m + b][1]", 2),
    ("[m := x * a, (m + b) * m][1]", 3),
    ("[m := x * a, m + y * b]", 2),
    ("[s := x * a + b, s.exp() + s + y * c][1]", 3),
    ("[s := x * a + b, s + y + s][1]", 2),
    ("[s := x * a + b, s + y * c]", 2),
    ("[s := x * a + b, s + y * c][1]", 1),
    # A chain is cut where varying begins, and what does not vary stays out of what does.
    ("a + b + c + x + y", 2),
    ("a * b + c + x * y + d", 2),
    ("a + b + x", 2),
    ("x * y + a * b", 2),
    # No operand gets gradient from between its term and the end of the chain.
    ("x.exp() + x * a + b", 2),
    ("x * a + x.exp() + b", 3),
    ("x * a + b + x.exp()", 3),
    ("y + x * a + b + x.exp() + c + d", 3),
    ("x * a + b + a.exp()", 3),
    ("b + x + y + x.exp()", 3),
    ("[s := x * a + b, s + y * c + s.exp()][1]", 4),
    ("(x * a + b + c) * x", 2),
    # dot and sum are taken as they are.
    ("[mg.dot([x, y], [a, b], c), mg.sum([x, a]), mg.dot([], [], x)]", 3),
    ("(mg.dot([x, y], [a, b]) + c + d).relu()", 3),
]


@pytest.mark.parametrize(
    "numbers", [(0.3, -1.7, 1.1, -0.6, 0.9, 2.3), (-0.0, -0.0, 1, 2, -0.0, -0.0)]
)
@pytest.mark.parametrize(("expression", "length"), FUSED, ids=[case[0] for case in FUSED])
def test_chains_become_one_instruction_where_that_changes_no_bit(mg, expression, length, numbers):
    def graph():
        leaves = [mg.Value(number) for number in numbers]
        output = eval(expression, {"mg": mg, **dict(zip("xyabcd", leaves, strict=True))})
        outputs = output if isinstance(output, list) else [output]
        nodes = set().union(*(mg.trace(root)[0] for root in outputs))
        return output, outputs, [x for x in leaves[:2] if x in nodes], leaves[2:]

    output, outputs, inputs, parameters = graph()
    tape = mg.Tape(output, inputs)
    assert len(tape) == length
    found = tape.forward([x.data for x in inputs])
    assert bits_of(np.ravel(found)) == bits_of([root.data for root in outputs])
    for i, seed in enumerate(np.eye(len(outputs))):
        for p in parameters:
            p.grad = 0.0
        tape.backward(seed if isinstance(output, list) else seed[0])
        _, eager, eager_inputs, eager_parameters = graph()
        eager[i].backward()
        assert bits_of([p.grad for p in parameters]) == bits_of([p.grad for p in eager_parameters])
        assert bits_of(tape.input_grad) == bits_of([x.grad for x in eager_inputs])
