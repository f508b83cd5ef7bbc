"""The derivatives of `micrograd_ref.derivatives`, over this package's Values."""

from .written_once import run_reference

run_reference(globals())
