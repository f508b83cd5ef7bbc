"""trace and draw_dot."""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import graphviz
import programs
import pytest
from graphviz.backend import dot_command
from hypothesis import given, settings
from hypothesis import strategies as st

# trace


def test_trace_gathers_nodes_and_edges(mg):
    v = programs.expression(mg)
    nodes, edges = mg.trace(v["L"])
    assert nodes == set(v.values())
    names = {node: name for name, node in v.items()}
    assert {names[a] + names[b] for a, b in edges} == {"ae", "be", "ed", "cd", "dL", "fL"}


def test_trace_of_a_leaf_is_the_leaf(mg):
    a = mg.Value(1.0)
    assert mg.trace(a) == ({a}, set())


def test_a_node_used_twice_is_traced_once(mg):
    a = mg.Value(1.0)
    b = a + a
    assert mg.trace(b) == ({a, b}, {(a, b)})


def test_constants_and_custom_operations_are_traced(mg):
    a = mg.Value(1.0)
    custom = mg.Value(2.0, (a,), "custom")
    root = custom * 3
    assert mg.trace(root) == (
        {a, custom, root, root._children[1]},
        {(a, custom), (custom, root), (root._children[1], root)},
    )


def test_trace_is_not_limited_by_depth(mg):
    x = mg.Value(1.0)
    for _ in range(20_000):
        x = -x
    nodes, edges = mg.trace(x)
    assert (len(nodes), len(edges)) == (20_001, 20_000)


# The source of a drawing


def statements(dot):
    return [line.strip() for line in dot.source.splitlines()[1:-1]]


def test_a_drawing_shows_each_value_and_its_operation(mg):
    a, b = mg.Value(2.0, label="a"), mg.Value(-3.0, label="b")
    product = a * b
    product.label = "e"
    product.backward()
    dot = mg.draw_dot(product)
    assert isinstance(dot, graphviz.Digraph)
    assert sorted(statements(dot)) == sorted(
        [
            "graph [rankdir=LR]",
            '0 [label="{ a | data 2.0000 | grad -3.0000 }" shape=record]',
            '1 [label="{ b | data -3.0000 | grad 2.0000 }" shape=record]',
            '2 [label="{ e | data -6.0000 | grad 1.0000 }" shape=record]',
            '"2op" [label="*"]',
            '"2op" -> 2',
            '0 -> "2op"',
            '1 -> "2op"',
        ]
    )


def test_a_drawing_has_as_many_records_and_ovals_as_the_graph(mg):
    v = programs.neuron_taken_apart(mg)
    source = mg.draw_dot(v["o"]).source
    nodes, edges = mg.trace(v["o"])
    operations = sum(1 for node in nodes if node._op)
    assert source.count("shape=record") == len(nodes)
    assert source.count("->") == len(edges) + operations


def test_two_equal_operands_are_one_edge(mg):
    a = mg.Value(1.0)
    assert statements(mg.draw_dot(a + a)).count('0 -> "1op"') == 1


def test_data_and_grad_are_shown_to_four_digits(mg):
    a = mg.Value(0.123456)
    a.grad = float("nan")
    assert "data 0.1235 | grad nan" in mg.draw_dot(a).source
    assert "data -inf | grad 0.0000" in mg.draw_dot(mg.Value(float("-inf"))).source


def test_direction_and_format_are_options(mg):
    dot = mg.draw_dot(mg.Value(1.0), format="png", rankdir="TB")
    assert dot.format == "png"
    assert "graph [rankdir=TB]" in statements(dot)
    assert mg.draw_dot(mg.Value(1.0)).format == "svg"


def test_a_graph_of_as_many_nodes_as_the_limit_is_drawn(mg):
    root = mg.Value(0.0, [mg.Value(1.0) for _ in range(999)], "all")
    assert mg.draw_dot(root).source.count("shape=record") == 1000
    assert mg.draw_dot(root + 1, max_nodes=1002).source.count("shape=record") == 1002


def test_of_a_dot_with_many_operands_eight_are_drawn(mg):
    few = mg.draw_dot(mg.dot([1.0] * 3, [2.0] * 3)).source
    assert (few.count("shape=record"), few.count("...")) == (8, 0)
    for root in (mg.dot([1.0] * 4, [2.0] * 4), mg.sum([1.0] * 500), mg.norm([1.0] * 8)):
        many = mg.draw_dot(root, max_nodes=9).source
        assert (many.count("shape=record"), many.count('label="..."')) == (9, 1)
    assert mg.draw_dot(root, expand=True).source == many
    custom = mg.Value(0.0, [mg.Value(1.0) for _ in range(20)], "all")
    assert mg.draw_dot(custom).source.count("shape=record") == 21


def test_a_dot_is_drawn_as_what_it_stands_for(mg):
    def picture(fused):
        a, b = mg.Value(2.0, label="a"), mg.Value(-3.0, label="b")
        s, c = mg.Value(1.0, label="s"), mg.Value(0.5, label="c")
        n = mg.dot([a, c], [b, a], s) if fused else (s + a * b) + c * a
        n.label = "n"
        out = n.tanh() + (mg.sum([a, n], b) if fused else (b + a) + n)
        out.backward()
        return mg.draw_dot(out, expand=True).source

    assert picture(fused=True) == picture(fused=False)


def test_a_dot_of_nothing_is_drawn_as_it_is(mg):
    for root in (mg.dot([], [], 2.0), mg.sum([])):
        assert mg.draw_dot(root, expand=True).source == mg.draw_dot(root).source


@pytest.mark.parametrize(("name", "operands"), [("dot", 0), ("dot", 2), ("sum", 0)])
def test_a_custom_operation_named_like_a_chain_is_drawn_as_it_is(mg, name, operands):
    root = mg.Value(1.0, [mg.Value(2.0) for _ in range(operands)], name)
    assert mg.draw_dot(root, expand=True).source == mg.draw_dot(root).source


def test_drawing_changes_nothing(mg):
    v = programs.neuron(mg)
    before = [(node.data, node.grad, node.label) for node in v.values()]
    mg.draw_dot(v["o"])
    mg.trace(v["o"])
    assert [(node.data, node.grad, node.label) for node in v.values()] == before


# What Graphviz makes of it, and graphviz-pure


def shown(root, mg):
    """The texts of each record and each oval in the drawing: Graphviz has the last word."""
    svg = mg.draw_dot(root, max_nodes=10**6).pipe(quiet=True)
    records, ovals = [], []
    for group in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        if group.get("class") == "node":
            texts = [plain(t.text) for t in group.iter("{http://www.w3.org/2000/svg}text")]
            if group.find("{http://www.w3.org/2000/svg}ellipse") is not None:
                ovals.append(texts)
            else:
                records.append(texts)
    return records, ovals


def plain(text):
    """The text without the white space that Graphviz adds, takes or changes."""
    return re.sub(r"\s+", "", text or "")


def record_of(label):
    return [plain(label), "data1.0000", "grad0.0000"]


LABELS = [
    "",
    "w1",
    "two words",
    "a|b",
    "{a}",
    "} | {",
    "<b>bold</b>",
    "<port> name",
    "<",
    ">",
    '"quoted"',
    "it's",
    "back\\slash",
    "ends in \\",
    "\\",
    "\\\\",
    "\\N",
    "\\G",
    "\\n",
    "\\l",
    "\\|",
    '\\"',
    "&amp;",
    "&lt;b&gt;",
    "&#65;",
    "&",
    "%s {0} $x",
    "a -> b; c",
    '"]; evil [label="x',
    "/* comment */ // #",
    "graph",
    "node",
    "0",
    "a:b:c",
    "ünï ☃ 日本",
]


@pytest.mark.usefixtures("program")
def test_a_label_is_shown_as_it_stands(mg):
    leaves = [mg.Value(1.0, label=label) for label in LABELS]
    records, ovals = shown(mg.Value(1.0, leaves, "all", label="root"), mg)
    assert sorted(records) == sorted(record_of(label) for label in [*LABELS, "root"])
    assert ovals == [["all"]]


@pytest.mark.usefixtures("program")
def test_an_operation_is_shown_as_it_stands(mg):
    names = [name for name in LABELS if name]
    nodes = [mg.Value(1.0, (), name) for name in names]
    records, ovals = shown(mg.Value(1.0, nodes, "all"), mg)
    assert len(records) == len(nodes) + 1
    assert sorted(ovals) == sorted([plain(name)] for name in [*names, "all"])


@pytest.mark.usefixtures("program")
def test_a_control_character_is_shown_escaped(mg):
    records, _ = shown(mg.Value(1.0, label="a\nb\0\x1b\u2028\ud800"), mg)
    assert records == [record_of(r"a\nb\x00\x1b\u2028\ud800")]


# What has a meaning to Graphviz, and everything else.
texts = st.text(st.sampled_from('<>{}|&;"\\/#x ') | st.characters(), max_size=8)


@pytest.mark.usefixtures("program")
@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(texts, max_size=20))
def test_any_printable_label_is_shown_as_it_stands(mg, labels):
    labels = [label for label in labels if label.isprintable()]
    leaves = [mg.Value(1.0, label=label) for label in labels]
    records, ovals = shown(mg.Value(1.0, leaves, "all", label="root"), mg)
    assert sorted(records) == sorted(record_of(label) for label in [*labels, "root"])
    assert ovals == [["all"]]


@pytest.mark.usefixtures("program")
@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(texts.filter(bool), max_size=20))
def test_any_printable_operation_is_shown_as_it_stands(mg, names):
    names = [name for name in names if name.isprintable()]
    nodes = [mg.Value(1.0, (), name) for name in names]
    records, ovals = shown(mg.Value(1.0, nodes, "all"), mg)
    assert len(records) == len(names) + 1
    assert sorted(ovals) == sorted([plain(name)] for name in [*names, "all"])


@pytest.mark.usefixtures("program")
@settings(max_examples=settings.default.max_examples // 2)
@given(texts, texts.filter(bool))
def test_any_label_and_operation_make_a_drawing_of_the_same_shape(mg, label, name):
    a = mg.Value(1.0, label=label)
    records, ovals = shown(mg.Value(1.0, (a,), name, label=label), mg)
    assert (len(records), len(ovals)) == (2, 1)


def test_a_drawing_is_rendered(mg, program, tmp_path):
    path = mg.draw_dot(programs.neuron(mg)["o"]).render(tmp_path / "neuron")
    assert path == str(tmp_path / "neuron.svg")
    svg = (tmp_path / "neuron.svg").read_text()
    assert "tanh" in svg
    assert ("(graphviz-pure)" in svg) == (program == "graphviz-pure")


@pytest.mark.usefixtures("program")
def test_a_drawing_shows_itself_in_a_notebook(mg):
    bundle = mg.draw_dot(mg.Value(1.0) + 1)._repr_mimebundle_()
    assert "<svg" in bundle["image/svg+xml"]
    assert not hasattr(mg.Value(1.0), "_repr_mimebundle_")


def test_a_program_that_was_chosen_is_kept(mg, monkeypatch):
    chosen = Path(sys.executable)
    monkeypatch.setattr(dot_command, "DOT_BINARY", chosen)
    mg.draw_dot(mg.Value(1.0))
    assert chosen == dot_command.DOT_BINARY
