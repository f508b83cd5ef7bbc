"""Seeing a graph: trace and draw_dot. They work on the Values of either package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .engine import _topological_order, _type_name

if TYPE_CHECKING:
    import graphviz

__all__ = ["draw_dot", "trace"]


def trace(root: Any) -> tuple[set[Any], set[tuple[Any, Any]]]:
    """The nodes under root, and the edges between them as (operand, result) pairs."""
    nodes = _nodes(root)
    return set(nodes), {(child, node) for node in nodes for child in node._children}


def draw_dot(
    root: Any, format: str = "svg", rankdir: str = "LR", max_nodes: int = 1000
) -> graphviz.Digraph:
    """Draw the graph under root: a record for each Value, an oval for its operation.

    format: the one that Graphviz writes and a notebook shows, such as 'svg' or 'png'.
    rankdir: 'LR' draws from left to right, 'TB' from top to bottom.
    Returns a graphviz.Digraph: it shows itself in a notebook, render() writes a file (this needs
    the program `dot`), and its text is in .source.
    Raises ValueError for another rankdir or for more than max_nodes nodes.
    """
    import graphviz

    if rankdir not in ("LR", "TB"):
        raise ValueError(f"rankdir must be 'LR' or 'TB', got {rankdir!r}")
    nodes = _nodes(root)
    if len(nodes) > max_nodes:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, more than max_nodes={max_nodes}: "
            "draw a part of it, or raise max_nodes"
        )
    dot = graphviz.Digraph(format=format, graph_attr={"rankdir": rankdir})
    names = {node: str(i) for i, node in enumerate(nodes)}
    for node, name in names.items():
        label = _escape(node.label, special="{}|<>")
        record = f"{{ {label} | data {node.data:.4f} | grad {node.grad:.4f} }}"
        dot.node(name, label=record, shape="record")
        if node._op:
            operation = f"{name}op"
            dot.node(operation, label=graphviz.nohtml(_escape(node._op)))
            dot.edge(operation, name)
            for child in dict.fromkeys(node._children):
                dot.edge(names[child], operation)
    return dot


def _nodes(root: Any) -> list[Any]:
    if not hasattr(root, "_children"):
        raise TypeError(f"a graph starts at a Value, not at '{_type_name(root)}'")
    return _topological_order([root])


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
