"""The demo, python -m micrograd_fast: one seed, one digest of the losses, whatever trains."""

import importlib.util
import re

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


@pytest.mark.parametrize(
    ("options", "expected"), [((), "e2ad1faf1a3c5281"), (("--tape",), "68ea6bec2ce7ce56")]
)
def test_the_demo_gives_the_digest_that_every_machine_gives(digest, options, expected):
    assert digest(*options) == expected


@pytest.mark.parametrize("tape", [(), ("--tape",)])
def test_both_packages_give_the_same_digest(digest, tape):
    small = ("--steps", "3", "--samples", "20", *tape)
    ways = ("--backend", "ref"), ("--backend", "fast"), ("--compare",)
    assert len({digest(*small, *way) for way in ways}) == 1
