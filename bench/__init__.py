"""Side-by-side measurements: `python -m bench --help`.

Each workload is one file: what it measures, its contestants as rows of a table, and above them the
code that they run. `scalars` has what each package does with a program of single numbers, `measure`
runs the contestants, `report` and `chart` show what was found.
"""
