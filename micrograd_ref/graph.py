"""Seeing a graph: trace and draw_dot. They work on the Values of either package."""

from __future__ import annotations

import operator
import os
import shutil
import sysconfig
from collections.abc import Iterable, Sequence
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
    check_root(root)
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
    if rankdir not in ("LR", "TB"):
        raise ValueError(f"rankdir must be 'LR' or 'TB', got {rankdir!r}")
    check_root(root)
    written_out = _written_out(root) if expand else {}
    nodes = topological_order([root], lambda node: _shown(node, written_out)[1])
    check_size(nodes, max_nodes, "draw")
    return digraph([(node, *_shown(node, written_out)) for node in nodes], format, rankdir)


def digraph(shown: Iterable[tuple[Any, str, Any, bool]], format: str, rankdir: str) -> Any:
    """The drawing of nodes in topological order, each with its operation and operands as shown.

    And with whether there are more operands. The n-th node is called n, and its operation nop.
    """
    import graphviz

    find_dot()
    dot = graphviz.Digraph(format=format, graph_attr={"rankdir": rankdir})
    names: dict[int, str] = {}
    for node, operation, operands, more in shown:
        name = names[id(node)] = str(len(names))
        label = _escape(node.label, special="{}|<>")
        record = f"{{ {label} | data {node.data:.4f} | grad {node.grad:.4f} }}"
        dot.node(name, label=record, shape="record")
        if operation:
            oval = f"{name}op"
            dot.node(oval, label=graphviz.nohtml(_escape(operation)))
            dot.edge(oval, name)
            for child in dict.fromkeys(names[id(operand)] for operand in operands):
                dot.edge(child, oval)
            if more:
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
class Step:
    """A node as it is drawn: one that a dot or sum stands for, say."""

    _op: str
    data: float
    grad: float
    _children: tuple[Any, ...]
    label: str = ""


def _shown(node: Any, written_out: dict[int, Step]) -> tuple[str, tuple[Any, ...], bool]:
    """The operation and the operands of a node, as they are drawn, and whether it has more."""
    node = written_out.get(id(node), node)
    few = node._op not in ("dot", "sum", "norm") or len(node._children) <= 8
    return node._op, node._children if few else node._children[:8], not few


def _written_out(root: Any) -> dict[int, Step]:
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
            terms = [Step("*", x.data * y.data, node.grad, (x, y)) for x, y in pairs]
        for term in terms:
            start = Step("+", start.data + term.data, node.grad, (start, term))
        steps[id(node)] = start
    return steps


def check_root(root: Any) -> None:
    if not hasattr(root, "_children"):
        raise TypeError(f"a graph starts at a Value, not at '{type_name(root)}'")


def check_size(nodes: Sequence[Any], max_nodes: int, what: str) -> None:
    if len(nodes) > max_nodes:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, more than max_nodes={max_nodes}: "
            f"{what} a part of it, or raise max_nodes"
        )


def printable(text: str) -> str:
    r"""Text with escapes in the place of what is no character to see.

    >>> printable("a\n\u202eb")
    'a\\n\\u202eb'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def _escape(text: str, special: str = "") -> str:
    r"""Text that Graphviz shows as it stands: no escapes, entities, fields or control characters.

    >>> print(_escape("a|b & {\n}", special="{}|<>"))
    a\|b &amp; \{\\n\}
    """
    escaped = printable(text).replace("\\", "\\\\").replace("&", "&amp;")
    for character in special:
        escaped = escaped.replace(character, "\\" + character)
    return escaped
