"""Seeing a graph: trace and draw_dot. They work on the Values of either package."""

from micrograd_ref.graph import draw_dot, trace

__all__ = ["draw_dot", "trace"]
