"""Pictures of training: plot_boundary and plot_history. They need matplotlib."""

from micrograd_ref.plot import plot_boundary, plot_history

__all__ = ["plot_boundary", "plot_history"]
