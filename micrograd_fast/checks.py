"""Checking a program: gradcheck against finite differences, crosscheck between the packages."""

from micrograd_ref.checks import GradCheck, crosscheck, gradcheck

__all__ = ["GradCheck", "crosscheck", "gradcheck"]
