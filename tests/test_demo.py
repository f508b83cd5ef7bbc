"""The demo, python -m micrograd_fast: one seed, one digest of the losses, whatever trains."""

import importlib.util
import re
import sysconfig
from pathlib import Path

import pytest
from graphviz.backend import dot_command

from micrograd_fast.__main__ import main

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("matplotlib", "sklearn", "tqdm"))),
    reason="it takes the [demo] extra",
)


@pytest.fixture
def digest(tmp_path, capsys):
    """What the demo prints at its end, run with options."""

    def run(*options):
        assert main([*options, "--out", str(tmp_path)]) == 0
        last = capsys.readouterr().out.splitlines()[-1]
        return re.fullmatch(r"digest: +(\w{16}) of the losses, .*", last)[1]

    return run


EAGER, TAPE = "e2ad1faf1a3c5281", "68ea6bec2ce7ce56"
PAGE = Path(__file__).parent.parent / "docs" / "identity.md"


@pytest.mark.parametrize(("options", "expected"), [((), EAGER), (("--tape",), TAPE)])
def test_the_demo_gives_the_digest_that_every_machine_gives(digest, options, expected):
    assert digest(*options) == expected


@pytest.mark.skipif(not PAGE.exists(), reason="the pages are not beside the tests")
def test_the_page_shows_the_digest():
    assert f"digest:            {EAGER} of the losses" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("tape", [(), ("--tape",)])
def test_both_packages_give_the_same_digest(digest, tape):
    small = ("--steps", "3", "--samples", "20", *tape)
    ways = ("--backend", "ref"), ("--backend", "fast"), ("--compare",)
    assert len({digest(*small, *way) for way in ways}) == 1


@pytest.fixture
def fresh_machine(monkeypatch, tmp_path_factory):
    """Without Graphviz: what is found is of this environment of Python."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    monkeypatch.setattr(dot_command, "DOT_BINARY", Path("dot"))


SMALL = ("--steps", "1", "--samples", "10")


@pytest.mark.usefixtures("fresh_machine")
@pytest.mark.skipif(
    not list(Path(sysconfig.get_path("scripts")).glob("graphviz-pure*")),
    reason="there is no graphviz-pure for this machine",
)
def test_the_demo_draws_on_a_fresh_machine(tmp_path, capsys):
    assert main([*SMALL, "--out", str(tmp_path)]) == 0
    written = {file.name for file in tmp_path.iterdir()}
    assert written == {"decision_boundary.png", "neuron.svg", "neuron.html"}
    assert "out = relu(n)" in (tmp_path / "neuron.svg").read_text(encoding="utf-8")
    assert '"name":"out"' in (tmp_path / "neuron.html").read_text(encoding="utf-8")
    assert f"step by step:      {tmp_path / 'neuron.html'}\n" in capsys.readouterr().out


@pytest.mark.usefixtures("fresh_machine")
def test_without_any_program_that_draws_the_demo_says_what_is_missing(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "nowhere")
    assert main([*SMALL, "--out", str(tmp_path)]) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"decision_boundary.png", "neuron.dot"}
    assert (
        "one neuron:        " + str(tmp_path / "neuron.dot") + "\n"
        "for an SVG in its place, install Graphviz or graphviz-pure\n"
    ) in capsys.readouterr().out
