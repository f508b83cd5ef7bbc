"""Side-by-side measurements: `python -m bench --help`.

Each workload is one file, to be read alone: the code of every contestant stands in it.
"""
