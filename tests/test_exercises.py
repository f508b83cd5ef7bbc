"""The exercises: solved they pass their checks, unsolved and wrong they are told why not."""

import json
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
if not (DOCS / "solutions.ipynb").exists():
    pytest.skip("docs/ is not beside tests/", allow_module_level=True)

EXERCISES, SOLUTIONS = (
    json.loads((DOCS / name).read_text(encoding="utf-8"))
    for name in ("exercises.ipynb", "solutions.ipynb")
)
CELLS = {
    cell["id"]: "".join(cell["source"])
    for cell in SOLUTIONS["cells"]
    if cell["cell_type"] == "code"
}
CHECKS = [name for name in CELLS if name.endswith("-check")]

UNSOLVED = {
    "by-calculus": "by_calculus should give three slopes, and gave None",
    "by-differences": "by_differences should give three slopes, and gave None",
    "by-symmetric-differences": "by_symmetric_differences should give three slopes, and gave None",
    "square-times": "the slopes of a²b at (3, -2) are -12.0 and 9.0, and not 0.0 and 0.0",
    "tanh-of": "tanh_of should give a Value, and gave None",
    "softmax-nll": "softmax should give a list, and gave None",
    "first-difference": "first_difference should give a step, 1 to 8, and gave None",
}


def test_the_exercises_are_the_solutions_without_the_solutions():
    unsolved = runpy.run_path(str(DOCS / "exercises.py"))["unsolved"]
    assert unsolved(SOLUTIONS) == EXERCISES, "run python docs/exercises.py"


def test_no_solution_is_left_in_the_exercises():
    open_cells = {cell["id"]: "".join(cell["source"]) for cell in EXERCISES["cells"]}
    for name in UNSOLVED:
        assert "your code here" in open_cells[name]
        assert "SOLUTION" not in open_cells[name]


def executed(notebook, folder):
    """The outputs of each cell that checks, run by Jupyter."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.reads(json.dumps(notebook), as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.id in CHECKS}


def test_the_solved_exercises_pass_all_checks(tmp_path):
    for name, outputs in executed(SOLUTIONS, tmp_path).items():
        assert {output.output_type for output in outputs} == {"stream"}, (name, outputs)
        assert "right" in "".join(output.text for output in outputs)  # as they came in


def test_the_unsolved_exercises_are_told_what_is_missing(tmp_path):
    said = {
        name.removesuffix("-check"): (outputs[-1].ename, outputs[-1].evalue)
        for name, outputs in executed(EXERCISES, tmp_path).items()
    }
    assert said == {name: ("AssertionError", text) for name, text in UNSOLVED.items()}


WRONG = [
    (
        "by-calculus",
        ("-1 / a - math.exp(-c)", "-1 / a + math.exp(-c)"),
        "by_calculus: the slope in c is -1.1065306597, and not 0.1065306597",
    ),
    (
        "by-differences",
        ("/ h)", ")"),
        "by_differences: the slope in a is -11.8750000000, and not -0.0000118750",
    ),
    (
        "by-symmetric-differences",
        ("f(*below)) / (2 * h)", "f(*point)) / h"),
        "by_symmetric_differences: the slope in a is -11.8750000000, and not -11.8753062497",
    ),
    (
        "square-times",
        ("a.data * b.data * out.grad", "a.data * b.data"),
        "ten times a²b has ten times the slopes: multiply with the gradient of out",
    ),
    (
        "square-times",
        ("+=", "="),
        "a²b + b²a has the slopes -8.0 and -3.0, and not -12.0 and 9.0: a and b are used twice, so "
        "what they get is added to what they have",
    ),
    (
        "tanh-of",
        ("1 - 2 / ((2 * x).exp() + 1)", "((2 * x).exp() - 1) / ((2 * x).exp() + 1)"),
        "tanh(800.0) is 1.0, and not nan: exp(1600) is inf, and inf / inf is nan. Let it stand "
        "below the line alone",
    ),
    (
        "tanh-of",
        ("1 - 2 / ((2 * x).exp() + 1)", "x.tanh()"),
        "only exp and + - * / are allowed, not {'tanh'}",
    ),
    (
        "softmax-nll",
        ("(logit - largest).exp()", "logit.exp()"),
        "softmax([1000, 0])[0] is 1.0, and not nan: subtract the largest first",
    ),
    (
        "softmax-nll",
        (
            "return (largest - logits[target]) + sum(powers).log()",
            "return -softmax(logits)[target].log()",
        ),
        "another order of operations",
    ),
    (
        "first-difference",
        ("return steps", "return 8"),
        "the results of step 7 differ already: the bug comes earlier",
    ),
    (
        "first-difference",
        ("return steps", "return 2"),
        "the results of step 2 have the same bits: the bug comes later",
    ),
]


@pytest.mark.parametrize(("name", "change", "message"), WRONG)
def test_a_wrong_answer_is_told_why(name, change, message):
    names = {}
    for cell, source in CELLS.items():
        if cell == name:
            assert change[0] in source
            source = source.replace(*change)
        if cell == f"{name}-check":
            with pytest.raises(AssertionError) as error:
                exec(source, names)
            assert message in str(error.value)
            return
        exec(source, names)
