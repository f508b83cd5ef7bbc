"""A graph as a table of bits, for the tests that compare to the last one."""

import math


def bits(x):
    """All that matters of a double: 0.0 is not -0.0, and one nan is as good as another."""
    return "nan" if x != x else x.hex()


def record(roots):
    """One row for each node under the roots, operands first: what both packages must agree on."""
    rows, row_of = [], {}
    for root in roots:
        pending = [root]
        while pending:
            node = pending[-1]
            children = [] if node in row_of else node._children
            missing = next((child for child in children if child not in row_of), None)
            if missing is not None:
                pending.append(missing)
                continue
            pending.pop()
            if node not in row_of:
                row_of[node] = len(rows)
                operands = [row_of[child] for child in children]
                rows.append((node._op, operands, node.label, bits(node.data), bits(node.grad)))
    return rows


# Doubles at the edges of arithmetic.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, -2.0, 0.5, math.inf, -math.inf, math.nan, 5e-324, 1e308]
