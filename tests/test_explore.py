"""explore: what is recorded of a graph, and the page in a browser."""

import html
import json
import math
import os
import random
import re
import shutil
import sys
import time
import types
import xml.etree.ElementTree as ET

import programs
import pytest
from bits import bits, record
from browser import CHROMIUM, DRIVER, Browser
from graphviz.backend import dot_command
from operations import ARITY, call

from micrograd_ref import exploring
from micrograd_ref.graph import find_dot, printable
from micrograd_ref.operations import OPERATIONS, constant_power
from micrograd_ref.order import topological_order

find_dot()
CANNOT_DRAW = shutil.which(os.fspath(dot_command.DOT_BINARY)) is None
needs_dot = pytest.mark.skipif(CANNOT_DRAW, reason="there is no program that draws")


def order(root):
    return topological_order([root], lambda node: node._children)


def random_graph(mg, seed):
    rng = random.Random(seed)
    nodes = [mg.Value(rng.uniform(-2, 2)) for _ in range(4)]
    for _ in range(rng.randint(1, 25)):
        name = rng.choice([*ARITY, "**k", "dot", "sum", "given", "custom"])
        operands = rng.choices(nodes, k=ARITY.get(name, 3))
        if name == "**k":
            made = operands[0] ** rng.choice([-2, 0, 0.5, 1 / 3, 3])
        elif name == "dot":
            made = mg.dot([operands[0], operands[1]], [operands[2], operands[0]], operands[1])
        elif name == "sum":
            made = mg.sum(operands)
        elif name == "given":
            made = mg.Value(0.25, operands, rng.choice(["given", "sum", "*"]), "", (2, -1, 3))
        elif name == "custom":
            made = programs.custom(mg, operands, "custom", [])
        else:
            made = call(mg, name, *operands)
        nodes.append(made)
    return nodes[-1]


# What is recorded


def last_grads(nodes, steps):
    grads = [0.0] * (len(nodes) - 1) + [1.0]
    for step in steps:
        for change in step.changes:
            grads[change.node] = change.after
    return grads


def assert_recorded_as_computed(root):
    nodes = order(root)
    for node in nodes:
        node.grad = 7.0
    steps = exploring.record(nodes)
    for node in nodes:
        node.grad = 0.0
    root.backward()
    assert [bits(x) for x in last_grads(nodes, steps)] == [bits(node.grad) for node in nodes]
    return nodes, steps


@pytest.mark.parametrize("program", programs.PROGRAMS, ids=lambda program: program.__name__)
def test_the_grads_of_the_record_are_those_of_backward(mg, program):
    *_, root = program(mg).values()
    assert_recorded_as_computed(root)


@pytest.mark.parametrize("seed", range(100))
def test_the_grads_of_the_record_of_a_random_graph_are_those_of_backward(mg, seed):
    nodes, steps = assert_recorded_as_computed(random_graph(mg, seed))
    grads = [0.0] * (len(nodes) - 1) + [1.0]
    for step in steps:
        node = nodes[step.node]
        assert bits(step.grad) == bits(grads[step.node])
        for change in step.changes:
            total = change.before
            assert bits(total) == bits(grads[change.node])
            for k, product in change.added or ():
                assert node._children[k] is nodes[change.node]
                total += product
            assert bits(total) == bits(change.after) or node._op == "custom"
            assert (change.added is None) == (node._op == "custom")
            grads[change.node] = change.after


def test_both_packages_record_the_same():
    import micrograd_fast
    import micrograd_ref

    for seed in range(30):
        graphs = [random_graph(mg, seed) for mg in (micrograd_ref, micrograd_fast)]
        ref, fast = (exploring.record(order(root)) for root in graphs)
        assert repr(fast) == repr(ref)


def test_a_node_used_twice_adds_up(mg):
    a = mg.Value(3.0)
    square = a * a
    nodes = order(square + a)
    assert exploring.record(nodes) == [
        (2, 1.0, [(0, 0.0, 1.0, [(1, 1.0)]), (1, 0.0, 1.0, [(0, 1.0)])]),
        (1, 1.0, [(0, 1.0, 7.0, [(0, 3.0), (1, 3.0)])]),
    ]


def test_a_dot_adds_in_its_own_order(mg):
    a, b = mg.Value(1.0), mg.Value(1e16)
    nodes = order(mg.dot([a, 1.0, a], [1.0, a, b]))
    [(_, _, changes)] = exploring.record(nodes)
    (added,) = (change.added for change in changes if nodes[change.node] is a)
    assert [product for _, product in added] == [1e16, 1.0, 1.0]
    assert_recorded_as_computed(nodes[-1])


def test_an_operation_named_dot_adds_in_an_order_that_is_not_known(mg):
    a = mg.Value(1.0)
    out = mg.Value(1.0, (a,) * 4, "dot", "", (1e16, 1.0, 1.0, -1e16))
    assert exploring.record(order(out)) == [(1, 1.0, [(0, 0.0, 0.0, None)])]


def test_of_a_closure_only_what_it_did_is_known(mg):
    a, calls = mg.Value(2.0), []
    out = programs.custom(mg, (a, a), "mine", calls)
    assert exploring.record(order(out)) == [(1, 1.0, [(0, 0.0, 2.0, None)])]
    assert calls == ["mine"]


def test_a_closure_that_overwrites_is_recorded_as_it_is(mg):
    a = mg.Value(2.0)
    careless = mg.Value(2.0, (a,), "careless")

    def step():
        a.grad = careless.grad

    careless._backward = step
    *_, last = exploring.record(order(careless + a))
    assert last.changes == [(0, 1.0, 1.0, None)]


def test_a_closure_that_reaches_elsewhere_is_recorded(mg):
    a, b = mg.Value(2.0), mg.Value(3.0)
    out = mg.Value(2.0, (a,), "far")

    def step():
        b.grad += 5.0

    out._backward = step
    root = b + out
    *_, last = exploring.record(order(root))
    assert last.changes == [(0, 1.0, 6.0, None), (1, 0.0, 0.0, None)]
    assert_recorded_as_computed(root)


def test_a_step_that_differentiates_again_is_recorded(mg):
    a = mg.Value(0.3)
    inner = (a * 1.7).tanh() + a
    out = mg.Value(inner.data, (inner,), "nested")

    def step():
        (inner * 3.0).backward()
        inner.grad += out.grad / 7

    out._backward = step
    assert_recorded_as_computed(out * inner)


def test_a_subclass_may_have_a_step_of_its_own(mg):
    class Halving(mg.Value):
        def _backward(self):
            for x in self._children:
                x.grad += self.grad / 2

    a = mg.Value(2.0)
    out = Halving(2.0, (a,), (1.0,))
    assert exploring.record(order(out)) == [(1, 1.0, [(0, 0.0, 0.5, None)])]


def test_special_numbers_are_recorded(mg):
    x = mg.Value(0.0)
    nodes, _ = assert_recorded_as_computed(x.log() * (1 / x) * 0.0 + x.sqrt())
    assert math.isnan(nodes[0].grad)


# The graph stays as it was


def marked(mg):
    *_, root = programs.neuron(mg).values()
    for i, node in enumerate(order(root)):
        node.grad = i - 0.5
    return root


@needs_dot
def test_exploring_changes_nothing(mg, tmp_path):
    root = marked(mg)
    before = record([root])
    mg.explore(root, tmp_path / "page.html")
    assert record([root]) == before


def test_grads_are_as_they_were_wherever_ctrl_c_comes(mg):
    """At each line of the recorder."""
    root = marked(mg)
    nodes, before = order(root), record([root])
    stopped = True
    count = 0

    def at_a_line(frame, event, _):
        nonlocal left
        if event == "line" and (left := left - 1) == 0:
            raise KeyboardInterrupt
        return at_a_line

    while stopped:
        count += 1
        left = count
        stopped = False
        sys.settrace(
            lambda frame, *_: at_a_line if frame.f_code.co_filename == exploring.__file__ else None
        )
        try:
            exploring.record(nodes)
        except KeyboardInterrupt:
            stopped = True
        finally:
            sys.settrace(None)
        assert record([root]) == before, count
    assert count > 300


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_grads_are_as_they_were_after_an_error(mg, error):
    inner = marked(mg)
    bad = mg.Value(1.0, (inner,), "bad")
    root = bad * inner

    def step():
        inner.grad += 100.0
        raise error

    bad._backward = step
    before = record([root])
    with pytest.raises(error):
        mg.explore(root)
    assert record([root]) == before


def test_a_custom_operation_without_a_step_is_the_error_of_backward(mg):
    root = mg.Value(1.0, (mg.Value(1.0),), "mine")
    with pytest.raises(ValueError, match="the custom operation 'mine' has no _backward"):
        mg.explore(root)


# Formulas


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.arity])
def test_the_formulas_are_those_that_are_computed(name):
    row = OPERATIONS[name]
    data = [0.5 + 0.25 * i for i in range(row.arity)]
    if name == "**k":
        row = constant_power(3.0)
    out = row.value(*data)
    names = {"g": 0.3, "out": out, "k": 3.0, **dict(zip("abc", data, strict=False))}
    formulas = exploring.gradient_formulas()[name]
    found = [eval(formula, vars(exploring.operations) | names) for formula in formulas]
    assert found == list(row.gradients(0.3, out, *data))


def test_formulas_are_left_out_without_the_source(monkeypatch):
    def missing(module):
        raise OSError

    exploring.gradient_formulas.cache_clear()
    monkeypatch.setattr(exploring.inspect, "getsource", missing)
    assert exploring.gradient_formulas() == {}
    exploring.gradient_formulas.cache_clear()


# The page and where it goes


def shown(page):
    """What a page was given to show."""
    [found] = re.findall(r'<script type="application/json" id="record">(.*)</script>', page)
    return json.loads(found)


def page_of(mg, root, tmp_path):
    path = tmp_path / "page.html"
    assert mg.explore(root, path) == str(path)
    return path.read_text(encoding="utf-8")


@needs_dot
def test_a_custom_operation_gets_no_formula_of_the_table(mg, tmp_path):
    a, b = mg.Value(2.0), mg.Value(3.0)
    mine = mg.Value(1.0, (a, b), "*", "", (5.0, 7.0))
    nodes = shown(page_of(mg, mine * a, tmp_path))["nodes"]
    assert [node["formulas"] for node in nodes if node["op"]] == [[], ["b * g", "a * g"]]
    assert [node["slopes"] for node in nodes if node["op"]] == [["5.0", "7.0"], ["2.0", "1.0"]]
    assert not any(node["isStale"] for node in nodes)


@needs_dot
@pytest.mark.parametrize("k", [2, 0.5, 1 / 3])
def test_data_that_were_assigned_afterwards_are_pointed_out(mg, tmp_path, k):
    x = mg.Value(2.0)
    root = mg.dot([x], [x]) + mg.Value(3.0) * 2 + x**k
    assert not any(node["isStale"] for node in shown(page_of(mg, root, tmp_path))["nodes"])
    x.data = 5.0
    nodes = shown(page_of(mg, root, tmp_path))["nodes"]
    known = {"dot", f"**{k:g}"} - {"**0.333333"}  # whose exponent the name does not tell
    assert {node["op"] for node in nodes if node["isStale"]} == known


@needs_dot
def test_the_page_goes_to_the_current_folder(mg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mg.explore(mg.Value(1.0) + 2) == "explore.html"
    assert (tmp_path / "explore.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@needs_dot
@pytest.mark.parametrize("kernel", [True, False])
def test_a_notebook_shows_the_page_and_a_terminal_gets_its_path(mg, tmp_path, monkeypatch, kernel):
    shell = types.SimpleNamespace(**({"kernel": None} if kernel else {}))
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.chdir(tmp_path)
    found = mg.explore(mg.Value(1.0, label="x") + 2)
    assert (tmp_path / "explore.html").exists() == (not kernel)
    if kernel:
        frame = found._repr_html_()
        [page] = re.findall(r'sandbox="allow-scripts" .* srcdoc="([^"]*)"></iframe>$', frame)
        assert shown(html.unescape(page))["nodes"][0]["name"] == "x"
    assert mg.explore(mg.Value(1.0), "page.html") == "page.html"


@needs_dot
def test_jupyter_takes_it_for_html_and_no_file_is_written(mg, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    code = f"import {mg.__name__} as mg; mg.explore(mg.Value(1.0, label='x') + 2)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=60, resources=resources).execute()
    [output] = notebook.cells[0].outputs
    assert output.data["text/html"].startswith('<iframe title="A graph, step by step"')
    assert list(tmp_path.iterdir()) == []


@needs_dot
def test_the_page_is_one_small_file(mg, tmp_path):
    model = mg.MLP(3, [4, 4, 1])
    root = mg.mse([model([0.1 * i, -0.2 * i, 0.3]) for i in range(6)], [1.0] * 6)
    page = page_of(mg, root, tmp_path)
    assert len(shown(page)["nodes"]) == 183
    assert len(page.encode()) < 450_000
    outside = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"\w+://[^\s\"'<)]+", page)) <= outside
    assert not re.search(r"<link|<img|@import|url\(| src=", page)


def test_the_page_finds_the_parts_of_the_drawing(mg, program, tmp_path):
    root = hostile_graph(mg) + 1
    page = page_of(mg, root, tmp_path)
    drawing = ET.fromstring(re.search("<svg width.*?</svg>", page, re.DOTALL)[0])
    parts = {}
    for group in drawing.iter("{http://www.w3.org/2000/svg}g"):
        title = group.find("{http://www.w3.org/2000/svg}title")
        tags = [part.tag.rpartition("}")[2] for part in group]
        if group.get("class") in ("node", "edge"):
            parts[title.text] = sorted(tag for tag in tags if tag != "title")
    box = ["polygon", "polyline", "polyline", "text", "text", "text"]
    expected = {}
    for i, node in enumerate(nodes := order(root)):
        expected[f"{i}"] = box
        if node._op:
            expected[f"{i}op"] = ["ellipse", "text"]
            expected[f"{i}op->{i}"] = ["path", "polygon"]
        for x in node._children:
            expected[f"{nodes.index(x)}->{i}op"] = ["path", "polygon"]
    assert parts == expected
    assert not any(text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text"))


HOSTILE = [
    "</script><img src=x onerror='window.hit = 1'>",
    "<!--<script>",
    "</text></svg><script>window.hit = 2</script>",
    "&lt;b&gt; &amp; \"quoted\" 'it'",
    "{a|b} <c> \\N",
    "\u202eturned\u2028\0\n\ud800",
    "שלום עולם",
    "🎉 ☃ 日本",
    "${now} $record",
    "__proto__",
    "x" * 3000,
    "   ",
]


def hostile_graph(mg):
    leaves = [mg.Value(float(i), label=label) for i, label in enumerate(HOSTILE)]
    names = "</script><script>window.hit = 3</script>", "<img src=x onerror='window.hit = 4'>"
    all_of_them = mg.Value(1.0, leaves, names[0], HOSTILE[0], [1.0] * len(leaves))
    root = mg.Value(2.0, (all_of_them,), names[1], HOSTILE[2])
    root._backward = lambda: None
    return root


@needs_dot
def test_no_label_is_markup(mg, tmp_path):
    page = page_of(mg, hostile_graph(mg), tmp_path)
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    nodes = shown(page)["nodes"]
    assert [node["label"] for node in nodes[: len(HOSTILE)]] == [printable(x) for x in HOSTILE]
    assert [node["name"] for node in nodes[8 : len(HOSTILE)]] == [
        *HOSTILE[8:10],
        "x" * 39 + "…",
        "#12",
    ]


# In a browser


@pytest.fixture(scope="module")
def browser():
    """A window of 1280 by 860 pixels."""
    if CHROMIUM is None or DRIVER is None or CANNOT_DRAW:
        pytest.skip("chromium, chromedriver or what draws is not installed")
    with Browser() as found:
        yield found


@pytest.fixture
def window(mg, browser, tmp_path):
    """Opens the page of a graph; then no script may have failed, and nothing have been loaded."""

    def opened(root, width=1280, height=860, **features):
        browser.resize(width, height)
        browser.prefer({"prefers-reduced-motion": "reduce", **features})
        path = tmp_path / "page.html"
        mg.explore(root, path)
        browser.open(path)
        return browser

    yield opened
    assert browser.log() == []
    assert browser.run("return performance.getEntriesByType('resource').length") == 0


def text(browser, selector):
    """What is seen of an element."""
    return browser.run("return document.querySelector(arguments[0]).innerText", selector)


def lines(browser, selector):
    return [line for line in text(browser, selector).splitlines() if line.strip()]


def fields(browser):
    """The texts of each box of the drawing."""
    return browser.run(
        "return [...document.querySelectorAll('.value')].map("
        "box => [...box.querySelectorAll('text')].map(text => text.textContent))"
    )


def expression(mg):
    *_, L = (values := programs.expression(mg)).values()
    for name, node in values.items():
        node.label = name
    return L


def test_data_appears_forward_and_grads_flow_back(mg, window):
    browser = window(expression(mg))
    assert sorted(fields(browser))[:2] == [["L", "data ", "grad "], ["a", "data 2.0000", "grad "]]
    assert lines(browser, "#step") == [
        "The leaves",
        "The numbers that the graph starts from.",
        "a = 2.0, b = -3.0, c = 10.0, f = -2.0",
    ]
    steps = []
    while not browser.run("return document.querySelector('#next[aria-disabled=true]')"):
        browser.click("#next")
        steps.append(re.sub(r"\s+", " ", text(browser, "#step")))
    assert steps == [
        "Forward: e e = a * b = 2.0 * (-3.0) → -6.0",
        "Forward: d d = e + c = -6.0 + 10.0 → 4.0",
        "Forward: L L = d * f = 4.0 * (-2.0) → -8.0",
        "Backward begins at L L.grad = 1.0 A nudge of L moves L by as much. Every other grad is "
        "0.0, and becomes the derivative of L with respect to its node.",
        "Backward through L L = d * f L.grad = 1.0 "
        "local derivative -2.0 product f * L.grad = -2.0 · 1.0 = -2.0 d.grad 0.0 + (-2.0) → -2.0 "
        "local derivative 4.0 product d * L.grad = 4.0 · 1.0 = 4.0 f.grad 0.0 + 4.0 → 4.0",
        "Backward through d d = e + c d.grad = -2.0 "
        "local derivative 1.0 product d.grad = 1.0 · (-2.0) = -2.0 e.grad 0.0 + (-2.0) → -2.0 "
        "local derivative 1.0 product d.grad = 1.0 · (-2.0) = -2.0 c.grad 0.0 + (-2.0) → -2.0",
        "Backward through e e = a * b e.grad = -2.0 "
        "local derivative -3.0 product b * e.grad = -3.0 · (-2.0) = 6.0 a.grad 0.0 + 6.0 → 6.0 "
        "local derivative 2.0 product a * e.grad = 2.0 · (-2.0) = -4.0 b.grad 0.0 + (-4.0) → -4.0",
    ]


def test_each_way_of_moving_goes_where_it_says(mg, window):
    browser = window(expression(mg))

    def counter():
        return text(browser, "#counter")

    assert counter() == "forward 1 of 8"
    for key, found in [
        ("ArrowRight", "forward 2 of 8"),
        ("End", "backward 8 of 8"),
        ("ArrowRight", "backward 8 of 8"),
        ("ArrowLeft", "backward 7 of 8"),
        ("Home", "forward 1 of 8"),
        ("ArrowLeft", "forward 1 of 8"),
    ]:
        browser.press(key)
        assert counter() == found
    for button, found in [
        ("#last", "backward 8 of 8"),
        ("#back", "backward 7 of 8"),
        ("#first", "forward 1 of 8"),
        ("#next", "forward 2 of 8"),
    ]:
        browser.click(button)
        assert counter() == found
    browser.run(
        "const slider = document.getElementById('slider');"
        "slider.value = 4; slider.dispatchEvent(new Event('input'))"
    )
    assert counter() == "backward 5 of 8"
    assert fields(browser)[-1][1:] == ["data -8.0000", "grad 1.0000"]


def test_a_step_back_takes_back_what_was_shown(mg, window):
    browser = window(expression(mg))
    seen = []
    for _ in range(8):
        seen.append((text(browser, "#step"), fields(browser)))
        browser.press("ArrowRight")
    for expected in reversed(seen):
        assert (text(browser, "#step"), fields(browser)) == expected
        browser.press("ArrowLeft")


def test_playing_goes_to_the_end_and_can_be_paused(mg, window):
    browser = window(expression(mg))

    def label():
        return browser.run("return document.getElementById('play').getAttribute('aria-label')")

    browser.run("window.inTime = setInterval; window.setInterval = (run) => inTime(run, 10)")
    assert label() == "Play"
    browser.press(" ")
    wait_for(lambda: text(browser, "#counter") == "backward 8 of 8" and label() == "Play")
    browser.run("window.setInterval = (run) => inTime(run, 1_000_000)")
    browser.click("#play")
    assert (label(), text(browser, "#counter")) == ("Pause", "forward 1 of 8")
    browser.press(" ")
    assert label() == "Play"


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_last_step_shows_the_drawing_of_draw_dot(mg, window):
    *_, root = programs.neuron_taken_apart(mg).values()
    for i, node in enumerate(order(root)):
        node.label = node.label or f"v{i}"
    browser = window(root)
    browser.press("End")
    root.backward()
    records = re.findall(r'label="{ (.*) \| (.*) \| (.*) }"', mg.draw_dot(root).source)
    assert sorted(fields(browser)) == sorted(map(list, records))
    ovals = browser.run(
        "return [...document.querySelectorAll('.operation')].map(oval => oval.textContent.trim())"
    )
    assert sorted(ovals) == sorted(node._op for node in order(root) if node._op)


def test_a_click_on_a_node_shows_its_formula_and_numbers(mg, window):
    a = mg.Value(3.0, label="a")
    square, twice = a * a, a * 2
    square.label, twice.label = "square", "twice"
    browser = window(square - twice)
    assert "Choose a node" in text(browser, "#node")
    browser.press("End")
    browser.click(".value[data-node='0']")
    assert lines(browser, "#node") == [
        "a", "data", "3.0", "grad", "4.0", "from twice: + (-2.0) → -2.0",
        "from square: + 3.0 + 3.0 → 4.0", "is used by", "square, twice",
    ]  # fmt: skip
    browser.click("#node dd:last-of-type .link")
    assert lines(browser, "#node") == [
        "square", "operation", "*", "formula", "a * a", "= 3.0 * 3.0", "data", "9.0",
        "grad", "1.0", "from #5: + 1.0 → 1.0", "passes on",
        "to a: a * square.grad, local derivative 3.0",
        "to a: a * square.grad, local derivative 3.0", "is used by", "#5",
    ]  # fmt: skip
    browser.press("Escape")
    assert "Choose a node" in text(browser, "#node")


def test_what_is_not_known_of_a_custom_operation_is_not_invented(mg, window):
    a = mg.Value(2.0, label="a")
    cube = mg.Value(8.0, (a,), "cube", label="c")

    def step():
        a.grad += 12.0 * cube.grad

    cube._backward = step
    browser = window(cube)
    browser.press("End")
    assert lines(browser, "#step") == [
        "Backward through c", "c = cube(a)", "c.grad = 1.0", "product",
        "not known: the operation has a _backward of its own", "a.grad", "0.0 → 12.0",
    ]  # fmt: skip
    browser.click(".value[data-node='1']")
    assert lines(browser, "#node")[-2:] == ["passes on", "what its own _backward adds"]


def test_operations_are_typed_as_in_python(mg, window):
    a, b = mg.Value(-2.0, label="a"), mg.Value(4.0, label="b")
    nodes = [
        -a,
        a**2,
        b**a,
        a**b,
        mg.dot([a], [b], b),
        mg.sum([b, a], a),
        mg.where(a, b, a),
        b.tanh(),
    ]
    root = mg.Value(0.0, nodes, "all", local_grads=[1.0] * len(nodes))
    browser = window(root)
    found = []
    for _ in nodes:
        browser.press("ArrowRight")
        found.append(lines(browser, "#step")[1:])
    assert found == [
        ["#2 = -a", "= -(-2.0) → 2.0"],
        ["#3 = a**2", "= (-2.0)**2 → 4.0"],
        ["#5 = b ** a", "= 4.0 ** (-2.0) → 0.0625"],
        ["#6 = a ** b", "= (-2.0) ** 4.0 → 16.0"],
        ["#7 = b + a * b", "= 4.0 + (-2.0) * 4.0 → -4.0"],
        ["#8 = a + b + a", "= -2.0 + 4.0 + (-2.0) → 0.0"],
        ["#9 = where(a, b, a)", "= where(-2.0, 4.0, -2.0) → -2.0"],
        ["#10 = tanh(b)", "= tanh(4.0) → 0.999329299739067"],
    ]


def test_hostile_labels_are_harmless(mg, window):
    root = hostile_graph(mg)
    browser = window(root)
    for _ in range(6):
        browser.press("ArrowRight")
        for i in range(len(order(root))):
            browser.run("choose(arguments[0])", i)
    assert browser.run("return window.hit ?? null") is None
    foreign = "return document.querySelectorAll('img, main script').length"
    assert browser.run(foreign) == 0
    names = [label for label, *_ in fields(browser)]
    for label in (*HOSTILE[1:2], *HOSTILE[3:5], *HOSTILE[6:10], r"\u202eturned\u2028\x00\n\ud800"):
        assert label in names
    browser.run("choose(0)")
    assert HOSTILE[0] in lines(browser, "#node")


def test_the_page_is_not_allowed_to_load_anything(mg, browser, tmp_path):
    page_of(mg, expression(mg), tmp_path)
    browser.open(tmp_path / "page.html")
    browser.run(
        "window.refused = [];"
        "document.addEventListener('securitypolicyviolation', x => refused.push(x.blockedURI));"
        "new Image().src = 'http://127.0.0.1:9/picture.png'"
    )
    wait_for(lambda: browser.run("return refused") == ["http://127.0.0.1:9/picture.png"])
    [message] = browser.log()
    assert "Content Security Policy" in message


# For everyone


BUTTONS = "To the first step", "One step back", "Play", "One step on", "To the last step"


def test_a_keyboard_is_enough(mg, window):
    browser = window(expression(mg))

    def focused():
        """Its name, and whether it is seen to have the focus."""
        return browser.run(
            "const x = document.activeElement;"
            "const box = x.matches('.value') && x.querySelector('polygon');"
            "const isSeen = box ? getComputedStyle(box).strokeWidth === '4px'"
            " : getComputedStyle(x).outlineStyle === 'solid';"
            "return [x.getAttribute('aria-label'), isSeen]"
        )

    seen = []
    for _ in range(7):
        browser.press("Tab")
        seen.append(focused())
    assert seen == [[name, True] for name in ("L: no data yet", *BUTTONS, "Step")]
    browser.press("ArrowRight", "End")  # of the slider, too
    assert text(browser, "#counter") == "backward 8 of 8"
    browser.run("document.querySelector('.value[tabindex=\\'0\\']').focus()")
    browser.press("ArrowUp", "ArrowUp", "ArrowUp")
    assert focused() == ["c: data 10.0, grad -2.0", True]
    assert lines(browser, "#node")[0] == "c"
    browser.press("ArrowDown", "Enter")
    assert focused() == ["d: data 4.0, grad -2.0", True]
    assert lines(browser, "#node")[0] == "d"
    browser.run("document.querySelector('#node .link').focus()")
    browser.press("Enter")
    assert focused() == ["e: data -6.0, grad -2.0", True]
    assert lines(browser, "#node")[0] == "e"


def test_a_leaf_alone_is_a_graph_too(mg, window):
    browser = window(mg.Value(-2.0, label="x"))
    assert fields(browser) == [["x", "data -2.0000", "grad "]]
    browser.press("End")
    assert fields(browser) == [["x", "data -2.0000", "grad 1.0000"]]
    assert text(browser, "#counter") == "backward 2 of 2"


def test_each_step_is_said(mg, window):
    browser = window(expression(mg))
    said = []
    for _ in range(8):
        said.append(browser.run("return document.querySelector('[aria-live=polite]').textContent"))
        browser.press("ArrowRight")
    assert said[0] == "Step 1 of 8. The leaves have their data."
    assert said[1] == "Step 2 of 8. Forward: e = a * b, which is -6.0."
    assert said[4] == "Step 5 of 8. Backward begins: the grad of L is 1.0."
    assert said[7] == (
        "Step 8 of 8. Backward through e: the grad of a: 0.0 + 6.0 → 6.0; "
        "the grad of b: 0.0 + -4.0 → -4.0."
    )


@pytest.mark.parametrize("graph", [expression, hostile_graph])
def test_a_phone_shows_all_of_it(mg, window, graph):
    """Nothing is wider than the screen but the drawing, which is scrolled to where it happens."""
    root = graph(mg)
    browser = window(root, 360, 640)
    for _ in range(8):
        wide, narrow = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= narrow
        browser.run("choose(0)")
        browser.press("ArrowRight")
        browser.run("scrollTo(0, document.body.scrollHeight)")
        assert browser.run(
            "const at = document.getElementById('controls').getBoundingClientRect();"
            "return at.top >= 0 && at.bottom <= innerHeight"
        )
    assert browser.run(
        "const frame = document.getElementById('drawing').getBoundingClientRect();"
        "return [...document.querySelectorAll('.touched')].some(box => {"
        " const at = box.getBoundingClientRect();"
        " return at.left >= frame.left - 1 && at.right <= frame.right + 1})"
    )
    least = browser.run(
        "const size = (x) => parseFloat(getComputedStyle(x).fontSize);"
        "const svg = document.querySelector('#drawing svg');"
        "const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;"
        "return Math.min(14 * scale, ...[...document.querySelectorAll('main p, dd, dt')].map(size))"
    )
    assert least >= 12


def luminance(color):
    """Of 'rgb(r, g, b)', as WCAG defines it."""
    parts = [int(x) / 255 for x in re.findall(r"\d+", color)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(x * weight for x, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("key", ["ArrowRight", "End"])
def test_light_and_dark_have_the_contrast_that_is_asked_for(mg, window, scheme, key):
    browser = window(expression(mg), **{"prefers-color-scheme": scheme})
    browser.press(key)
    browser.run("choose(0)")
    assert (
        luminance(browser.run("return getComputedStyle(document.body).backgroundColor")) > 0.5
    ) == (scheme == "light")
    pairs = browser.run(
        "const behind = (x) => { for (; x; x = x.parentElement) {"
        " const found = getComputedStyle(x).backgroundColor;"
        " if (!found.endsWith(', 0)')) return found; } };"
        "const texts = [...document.querySelectorAll('h1, h2, p, dt, dd, bdi, b, span, .link')]"
        " .map(x => [x.tagName, getComputedStyle(x).color, behind(x)]);"
        "const boxes = [...document.querySelectorAll('.value text')].map(x => ['text', "
        " getComputedStyle(x).fill, getComputedStyle(x.parentNode.querySelector('polygon')).fill]);"
        "return [...texts, ...boxes]"
    )
    assert len(pairs) > 30
    for what, *colors in pairs:
        dark, light = sorted(map(luminance, colors))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (what, colors)


@pytest.mark.parametrize(("motion", "running"), [("reduce", 0), ("no-preference", 3)])
def test_nothing_moves_for_who_wants_it_so(mg, window, motion, running):
    browser = window(expression(mg), **{"prefers-reduced-motion": motion})
    browser.press("End")
    assert (
        browser.run("return document.getAnimations().filter(x => x instanceof CSSAnimation).length")
        == running
    )


def test_the_page_works_in_the_frame_of_a_notebook(mg, browser, tmp_path):
    page = tmp_path / "page.html"
    mg.explore(expression(mg), page)
    frame = exploring.Exploration(page.read_text(encoding="utf-8"))._repr_html_()
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!DOCTYPE html><meta charset=utf-8>{frame}", encoding="utf-8")
    browser.resize(900, 800)
    browser.open(notebook)
    browser.post("/frame", id=0)
    browser.click("#last")
    assert text(browser, "#counter") == "backward 8 of 8"
    assert browser.log() == []
