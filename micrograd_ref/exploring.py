"""Watching a graph at work: explore. It works on the Values of either package."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import re
import string
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import operations
from .graph import Step, check_root, check_size, children, digraph, printable
from .operations import OPERATIONS, Operation, constant_power
from .order import topological_order

__all__ = ["explore"]


def explore(root: Any, path: str | os.PathLike[str] | None = None, max_nodes: int = 200) -> Any:
    """A web page in which the graph under root can be watched at work, step by step.

    Forward, the data appear, an operation at a time; then backward, each step with the local
    derivatives, their products with the node's grad, and what they add to which grad. Buttons,
    keys, a slider; a click on a node shows its formula and numbers.
    path: where to write the page. Without it, a notebook shows the page, and elsewhere it goes to
    explore.html in the current folder.
    Returns the path as a str, or what a notebook shows. The page is one file, and needs no network.
    The numbers are recorded from the steps of backward, with all grads 0.0 before; then the grads
    are as they were, also if a custom operation raises. Its _backward is run once.
    Raises ValueError for more than max_nodes nodes, and what backward does. It draws as draw_dot
    does.
    """
    check_root(root)
    nodes = topological_order([root], children)
    check_size(nodes, max_nodes, "explore")
    page = _page(nodes)
    if path is None and _in_notebook():
        return Exploration(page)
    path = os.fspath("explore.html" if path is None else path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
    return path


class Exploration:
    """A page that a notebook shows, in a frame of its own."""

    def __init__(self, page: str) -> None:
        self.page = page

    def _repr_html_(self) -> str:
        import html

        style = "box-sizing: border-box; width: 100%; height: 46rem; border: 1px solid #8884"
        return (
            f'<iframe title="A graph, step by step" sandbox="allow-scripts" style="{style}" '
            f'srcdoc="{html.escape(self.page)}"></iframe>'
        )


def _in_notebook() -> bool:
    """Whether IPython runs for a front end that shows HTML."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


# What happens in a graph.


class Change(NamedTuple):
    """Of a grad, by a step of backward."""

    node: int
    before: float
    after: float
    added: list[tuple[int, float]] | None  # (operand, product) in order, None if it is not known


class BackwardStep(NamedTuple):
    """What a node's step did."""

    node: int
    grad: float
    changes: list[Change]


def record(nodes: Sequence[Any]) -> list[BackwardStep]:
    """The steps of backward from the last of the nodes, which are in topological order."""
    grads = [node.grad for node in nodes]

    def put_back() -> None:
        for node, grad in zip(nodes, grads, strict=True):
            node.grad = grad

    try:
        try:
            return _recorded(nodes)
        finally:
            put_back()
    finally:
        put_back()  # Ctrl-C may have stopped the first


def _recorded(nodes: Sequence[Any]) -> list[BackwardStep]:
    numbers = {id(node): i for i, node in enumerate(nodes)}
    steps = []
    for node in nodes:
        node.grad = 0.0
    nodes[-1].grad = 1.0
    for node in reversed(nodes):
        g, passed = node.grad, _passed(node)
        operands = [numbers[id(x)] for x in node._children]
        # A closure may reach for any grad.
        watched = range(len(nodes)) if passed is None else sorted(set(operands))
        before = [nodes[i].grad for i in watched]
        node._backward()
        changes = []
        for i, old in zip(watched, before, strict=True):
            added = passed and [(k, x) for k, x in passed if operands[k] == i]
            change = Change(i, old, nodes[i].grad, added)
            if i in operands or repr(old) != repr(change.after):
                changes.append(change if _adds_up(change) else change._replace(added=None))
        if changes:
            steps.append(BackwardStep(numbers[id(node)], g, changes))
    return steps


def _passed(node: Any) -> list[tuple[int, float]] | None:
    """What a node's step adds to the grad of which operand, in order; None of a closure."""
    if _local_grads(node) is None:
        return None
    passed = node._passed(node.grad)
    row = OPERATIONS.get(node._op)
    return [(k, passed[k]) for k in (row.sequence if row else range)(len(passed))]


def _local_grads(node: Any) -> tuple[float, ...] | None:
    return getattr(node, "_local_grads", None)


def _adds_up(change: Change) -> bool:
    """Whether what was added explains the change: a subclass may have another step."""
    total = change.before
    for _, product in change.added or ():
        total += product
    return repr(total) == repr(change.after)


def _row(node: Any) -> Operation | None:
    """The row of the table that a node follows; None of a custom operation, whatever its name."""
    name, operands = node._op, [x.data for x in node._children]
    try:
        exponent = float(name[2:]) if name.startswith("**") and name != "**" else None
        row = OPERATIONS.get(name) if exponent is None else constant_power(exponent)
        slopes = [0.0 + x for x in row.gradients(1.0, node.data, *operands)] if row else ()
    except (TypeError, ValueError):  # of another exponent or number of operands
        return None
    return row if operands and repr(tuple(slopes)) == repr(_local_grads(node)) else None


@functools.cache
def gradient_formulas() -> dict[str, list[str]]:
    """How the table writes the gradient of each operand, by operation, as its source has it.

    None for an operation of any number of operands. Nothing if the source is not there.

    >>> gradient_formulas()["*"]
    ['b * g', 'a * g']
    """
    try:
        module = ast.parse(inspect.getsource(operations))
    except OSError:
        return {}
    found: Any = {ast.unparse(x.targets[0]): x.value for x in module.body if type(x) is ast.Assign}
    formulas = {}
    for row in found["TABLE"].elts:
        name, _, _, gradients, *_ = row.args
        if isinstance(gradients, ast.Lambda) and isinstance(gradients.body, ast.Tuple):
            formulas[name.value] = [ast.unparse(formula) for formula in gradients.body.elts]
    return formulas


# The page.


def _page(nodes: Sequence[Any]) -> str:
    import json
    from importlib import resources

    steps = record(nodes)
    numbers = {id(node): i for i, node in enumerate(nodes)}
    names = [_shortened(node.label.strip()) or f"#{i + 1}" for i, node in enumerate(nodes)]
    shown = {
        "nodes": [_node(node, name, numbers) for node, name in zip(nodes, names, strict=True)],
        "steps": [_step(step) for step in steps],
    }
    texts = {
        kind: (resources.files(__package__) / f"exploring.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    }
    return string.Template(texts["html"]).substitute(
        style=texts["css"],
        script=texts["js"],
        drawing=_drawing(nodes, names, steps),
        # No label can end the script element that holds it, or begin a comment there.
        record=json.dumps(shown, separators=(",", ":")).replace("<", "\\u003c"),
    )


def _node(node: Any, name: str, numbers: dict[int, int]) -> dict[str, Any]:
    row = _row(node)
    formulas, is_stale = [], False
    if row is not None:
        formulas = gradient_formulas().get(row.name if row.exponent is None else "**k", [])
        is_stale = repr(row.value(*[x.data for x in node._children])) != repr(node.data)
    return {
        "name": name,
        "label": printable(node.label),
        "op": _shortened(node._op),
        "data": _number(node.data),
        "operands": [numbers[id(x)] for x in node._children],
        "slopes": [repr(x) for x in _local_grads(node) or ()],
        "isOfTable": row is not None,
        "formulas": formulas,
        "isStale": is_stale,
    }


def _step(step: BackwardStep) -> dict[str, Any]:
    changes = [
        {
            "node": change.node,
            "before": repr(change.before),
            "after": _number(change.after),
            "added": [(k, repr(x)) for k, x in change.added or ()],
        }
        for change in step.changes
    ]
    return {"node": step.node, "grad": repr(step.grad), "changes": changes}


def _number(x: float) -> tuple[str, str]:
    """All digits, and those of a drawing."""
    return repr(x), f"{x:.4f}"


def _shortened(text: str) -> str:
    text = printable(text)
    return text if len(text) <= 40 else text[:39] + "…"


def _drawing(nodes: Sequence[Any], names: Sequence[str], steps: Sequence[BackwardStep]) -> str:
    """The SVG of draw_dot, with the last grads: its shapes, for the page has texts and styles."""
    grads = {change.node: change.after for step in steps for change in step.changes}
    drawn: dict[int, Step] = {}
    for i, (node, name) in enumerate(zip(nodes, names, strict=True)):
        operands = tuple(drawn[id(x)] for x in node._children)
        grad = grads.get(i, 1.0)
        drawn[id(node)] = Step(_shortened(node._op), node.data, grad, operands, name)
    dot = digraph([(x, x._op, x._children, False) for x in drawn.values()], "svg", "LR")
    dot.node_attr["fontname"] = "Courier"  # its letters are as wide as any monospaced font's
    svg = dot.pipe(encoding="utf-8", quiet=True)
    styles = r' (?:fill|font-family|font-size|stroke|text-anchor|xml:space)="[^"]*"'
    left_out = rf"<!--.*?-->\n?|(?<=>)[^<>]+(?=</text>)|{styles}"
    return re.sub(left_out, "", svg[svg.index("<svg") :], flags=re.DOTALL)
