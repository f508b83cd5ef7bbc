"""The Module of `micrograd_ref.module`, over this package's Values."""

from .written_once import run_reference

run_reference(globals())
