"""Seeing a graph: trace and draw_dot. They work on the Values of either package."""

from __future__ import annotations

import operator
import os
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checking import type_name
from .order import topological_order

if TYPE_CHECKING:
    import graphviz

__all__ = ["draw_dot", "trace"]

children = operator.attrgetter("_children")  # of the Values of either package


def trace(root: Any) -> tuple[set[Any], set[tuple[Any, Any]]]:
    """The nodes under root, and the edges between them as (operand, result) pairs."""
    _check_root(root)
    nodes = topological_order([root], children)
    return set(nodes), {(child, node) for node in nodes for child in node._children}


def draw_dot(
    root: Any,
    format: str = "svg",
    rankdir: str = "LR",
    max_nodes: int = 1000,
    expand: bool = False,
) -> graphviz.Digraph:
    """Draw the graph under root: a record for each Value, an oval for its operation.

    format: the one that render() writes, such as 'svg' or 'png'; a notebook shows SVG.
    rankdir: 'LR' draws from left to right, 'TB' from top to bottom.
    expand: whether a dot or sum is drawn as the * and + nodes that it stands for. Of one that is
    not, and of a norm, beyond eight operands, the others are an ellipsis.
    Returns a graphviz.Digraph: it shows itself in a notebook, render() writes a file, and its text
    is in .source. Both run Graphviz's program `dot`, or graphviz-pure where there is none.
    Raises ValueError for another rankdir or for more than max_nodes nodes.
    """
    import graphviz

    if rankdir not in ("LR", "TB"):
        raise ValueError(f"rankdir must be 'LR' or 'TB', got {rankdir!r}")
    _check_root(root)
    shown = _written_out(root) if expand else {}
    nodes = topological_order([root], lambda node: _shown(node, shown)[1])
    if len(nodes) > max_nodes:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, more than max_nodes={max_nodes}: "
            "draw a part of it, or raise max_nodes"
        )
    find_dot()
    dot = graphviz.Digraph(format=format, graph_attr={"rankdir": rankdir})
    names = {id(node): str(i) for i, node in enumerate(nodes)}
    for node in nodes:
        name = names[id(node)]
        label = _escape(node.label, special="{}|<>")
        record = f"{{ {label} | data {node.data:.4f} | grad {node.grad:.4f} }}"
        dot.node(name, label=record, shape="record")
        operation, operands = _shown(node, shown)
        if operation:
            oval = f"{name}op"
            dot.node(oval, label=graphviz.nohtml(_escape(operation)))
            dot.edge(oval, name)
            for child in dict.fromkeys(names[id(operand)] for operand in operands):
                dot.edge(child, oval)
            if id(node) not in shown and len(operands) < len(node._children):
                dot.node(f"{name}more", label="...", shape="none")
                dot.edge(f"{name}more", oval)
    return dot


def find_dot() -> None:
    """Where there is no program `dot`, have graphviz run graphviz-pure, if that is installed."""
    from graphviz.backend import dot_command

    if shutil.which(os.fspath(dot_command.DOT_BINARY)) is None:
        # The scripts of an environment that is not activated are not on the PATH.
        places = [sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]
        program = shutil.which("graphviz-pure", path=os.pathsep.join(places))
        if program is not None:
            dot_command.DOT_BINARY = Path(program)


@dataclass(eq=False, frozen=True)
class _Step:
    """A node that a dot or sum stands for."""

    _op: str
    data: float
    grad: float
    _children: tuple[Any, ...]
    label: str = ""


def _shown(node: Any, written_out: dict[int, _Step]) -> tuple[str, tuple[Any, ...]]:
    """The operation and the operands of a node, as they are drawn."""
    node = written_out.get(id(node), node)
    few = node._op not in ("dot", "sum", "norm") or len(node._children) <= 8
    return node._op, node._children if few else node._children[:8]


def _written_out(root: Any) -> dict[int, _Step]:
    """The last step of each dot and sum under root, by id, with those before it as operands.

    Within the chain, every node has the gradient of its end.
    """
    steps = {}
    node: Any
    for node in topological_order([root], children):
        # A custom operation may have one of these names, but other operands.
        smallest, step = {"dot": (3, 2), "sum": (2, 1)}.get(node._op, (0, 0))
        if not step or len(node._children) < smallest or (len(node._children) - 1) % step:
            continue
        start, *terms = node._children
        if node._op == "dot":
            pairs = zip(terms[::2], terms[1::2], strict=True)
            terms = [_Step("*", x.data * y.data, node.grad, (x, y)) for x, y in pairs]
        for term in terms:
            start = _Step("+", start.data + term.data, node.grad, (start, term))
        steps[id(node)] = start
    return steps


def _check_root(root: Any) -> None:
    if not hasattr(root, "_children"):
        raise TypeError(f"a graph starts at a Value, not at '{type_name(root)}'")


def _escape(text: str, special: str = "") -> str:
    r"""Text that Graphviz shows as it stands: no escapes, entities, fields or control characters.

    >>> print(_escape("a|b & {\n}", special="{}|<>"))
    a\|b &amp; \{\\n\}
    """
    shown = []
    for character in text:
        if not character.isprintable():
            character = character.encode("unicode_escape").decode("ascii")
        shown.append(character)
    escaped = "".join(shown).replace("\\", "\\\\").replace("&", "&amp;")
    for character in special:
        escaped = escaped.replace(character, "\\" + character)
    return escaped
