"""DataParallel: a Tape over shards of rows, in many processes or on many machines."""

from micrograd_ref.parallel import DataParallel

__all__ = ["DataParallel"]
