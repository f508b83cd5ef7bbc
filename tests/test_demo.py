"""The demo, python -m micrograd_fast: one seed, one digest of the losses, whatever trains."""

import importlib.util
import re
from pathlib import Path

import pytest

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
