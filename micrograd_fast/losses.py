"""The losses of `micrograd_ref.losses`, over this package's Values."""

from .written_once import run_reference

run_reference(globals())
