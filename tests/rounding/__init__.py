"""The proof that every function is correctly rounded, against MPFR, by numbers that take C.

__main__.py   the command: python -m tests.rounding
bounds.c      what the answers of each phase are off by, beside the bounds that their code derives
count.c       which phase decides how many arguments, and how many results are wrong: none
exact.h       the exact results; arguments.h, random arguments
building.py   these programs, compiled with the sources of micrograd_fast that they test
mutants.py    the sources with a bound, a phase, a range or a number changed, to be found
"""
