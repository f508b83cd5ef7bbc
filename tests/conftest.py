"""What all tests share: the package under test, and how hard Hypothesis tries."""

import importlib
import os
import signal

import pytest
from hypothesis import settings

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
