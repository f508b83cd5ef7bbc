"""Watching a graph at work: explore. It works on the Values of either package."""

from micrograd_ref.exploring import explore

__all__ = ["explore"]
