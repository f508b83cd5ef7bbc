"""Saving the parameters of a module: public names alone, so that it works for both packages."""

from micrograd_ref.saving import load, save

__all__ = ["load", "save"]
