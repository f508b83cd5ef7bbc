"""What all tests share: the package under test, and how hard Hypothesis tries."""

import importlib
import os
import shutil
import signal
from pathlib import Path

import pytest
from graphviz.backend import dot_command
from hypothesis import settings

from micrograd_ref.graph import find_dot

# The tests name the twin that they want; a backend chosen outside would put one in both places.
os.environ.pop("MICROGRAD_BACKEND", None)

# A shell that starts the tests in the background has them ignore Ctrl-C, which some of them press.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "default", max_examples=100, derandomize=True, deadline=None, database=None
)
settings.register_profile("ci", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="module", params=["ref", "fast"])
def mg(request):
    """The package under test: each test that takes it runs against both twins."""
    return importlib.import_module(f"micrograd_{request.param}")


@pytest.fixture(scope="module", params=["dot", "graphviz-pure"])
def program(request, tmp_path_factory):
    """The program that draws: that of the machine's Graphviz, or without it that of pip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dot_command, "DOT_BINARY", Path("dot"))
        if request.param == "dot":
            if shutil.which("dot") is None:
                pytest.skip("the machine has no Graphviz")
        else:
            patch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
            find_dot()
            if dot_command.DOT_BINARY.stem != "graphviz-pure":
                pytest.skip("there is no graphviz-pure for this machine")
        yield request.param
