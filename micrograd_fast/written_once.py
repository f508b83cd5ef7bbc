"""What is written once, in the reference, and works on the Values of this package as well."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any


def run_reference(namespace: dict[str, Any]) -> None:
    """Run the reference's module of the same name in the globals of a module of this package.

    The code is the same, line for line, but what it imports relatively is then this package's:
    `from .functions import dot` gives it `micrograd_fast.functions.dot`.
    """
    name = namespace["__name__"].replace("micrograd_fast", "micrograd_ref")
    spec: Any = find_spec(name)
    exec(spec.loader.get_code(name), namespace)
