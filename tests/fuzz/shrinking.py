"""Shrinking: the fewest and simplest lines with which a program still fails."""

import ast
import time

from .writing import is_python


def minimised(lines, fails, seconds=60):
    """The fewest and simplest lines that still fail, as far as the time allows."""
    end = time.monotonic() + seconds
    size = len(lines) // 2
    while size and time.monotonic() < end:
        i = 0
        while i < len(lines) and time.monotonic() < end:
            fewer = lines[:i] + lines[i + size :]
            if fails(fewer):
                lines = fewer
            else:
                i += size
        size //= 2
    changed = True
    while changed and time.monotonic() < end:
        changed = False
        for i, line in enumerate(lines):
            for simpler in simpler_lines(line):
                changed_lines = [*lines[:i], simpler, *lines[i + 1 :]]
                if time.monotonic() < end and fails(changed_lines):
                    lines = changed_lines
                    changed = True
                    break
        for i in reversed(range(len(lines))):
            if time.monotonic() < end and fails(lines[:i] + lines[i + 1 :]):
                lines = lines[:i] + lines[i + 1 :]
                changed = True
    return lines


def simpler_lines(line):
    """Lines with an operator replaced by one of its operands, or without an item of a list."""
    n = sum(1 for _ in ast.walk(ast.parse(line)))
    for k in range(n):
        for choice in range(4):
            tree = ast.parse(line)
            node = list(ast.walk(tree))[k]
            if isinstance(node, (ast.List, ast.Tuple)) and choice < len(node.elts):
                del node.elts[choice]
            elif isinstance(node, ast.BinOp) and choice < 2:
                tree = replaced(tree, node, node.left if choice == 0 else node.right)
            elif isinstance(node, ast.Module) and len(node.body) > 1 and choice < len(node.body):
                del node.body[choice]
            else:
                break
            simpler = ast.unparse(tree).replace("\n", "; ")
            if len(simpler) < len(line) and is_python(simpler):
                yield simpler


def replaced(tree, old, new):
    class Replace(ast.NodeTransformer):
        def visit(self, node):
            return new if node is old else self.generic_visit(node)

    return Replace().visit(tree)
