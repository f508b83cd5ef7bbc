"""The layers of `micrograd_ref.modules`, over this package's Values."""

from .written_once import run_reference

run_reference(globals())
