"""Measure the twins beside whatever else is installed: times, memory, ratios.

Every contestant's result is checked before it is timed: the twins must agree to the bit, and so
must their Tapes; all others to 1e-9. Then all take turns, round after round, each in a process of
its own, on one thread, in double precision, with Python's garbage collector on. (micrograd's
closures refer to their own nodes, so its graphs wait for the collector: that is measured as it is.)
"""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from .measure import measure, package_of
from .report import as_dict, machine, table, versions

MODULES = (
    "operators",
    "readme",
    "moons",
    "digits",
    "chain",
    "wide_sum",
    "random_dag",
    "memory",
    "gpt",
    "tape_row",
    "tape_rows",
    "from_c",
    "second_order",
    "record",
    "parallel",
)

# Read by the libraries when they load, so they must stand before any is imported.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "workload", nargs="*", help=f"which to run: {', '.join(MODULES)} (default: all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure as JSON")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the ratios (.svg, .png)")
    parser.add_argument("--quick", action="store_true", help="three short rounds, not fifteen")
    options = parser.parse_args(arguments)
    for name in options.workload:
        if name not in MODULES:
            parser.error(f"unknown workload {name!r}: choose from {', '.join(MODULES)}")
    rounds, seconds, budget = (3, 0.02, 3.0) if options.quick else (15, 0.1, 20.0)

    os.environ.update(ENVIRONMENT)
    os.environ.pop("MICROGRAD_BACKEND", None)  # it would turn micrograd_fast into the reference
    try:
        from tqdm import tqdm
    except ImportError:
        sys.exit("the bench shows its progress with tqdm: pip install 'micrograd-fast[bench]'")

    report = {"machine": machine(), "settings": {"rounds": rounds, "seconds": seconds}}
    tables = report["workloads"] = []
    print("\n".join(f"{name}: {text}" for name, text in report["machine"].items()))
    for name in [module for module in MODULES if module in (options.workload or MODULES)]:
        module = f"{__package__}.{name}"
        for index, workload in enumerate(importlib.import_module(module).WORKLOADS):
            active = sum(callable(row[1]) for row in workload.contestants)
            answers = active * (rounds + 2 + workload.memory)
            with tqdm(total=answers, desc=workload.name, leave=False) as progress:
                outcomes = measure(module, index, rounds, seconds, budget, progress)
            tables.append(as_dict(workload, outcomes))
            print("\n" + table(tables[-1]))

    rows = [row for workload in tables for row in workload["rows"]]
    report["versions"] = versions(row["contestant"] for row in rows if not row["missing"])
    print("\n" + ", ".join(f"{name} {text}" for name, text in report["versions"].items()))
    missing = {package_of(row["contestant"]) for row in rows if row["missing"]}
    if missing:
        print(f"not installed: {', '.join(sorted(missing))}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.chart:
        from .chart import draw

        draw(report, options.chart)
    failed = any(row["cannot"] and row["contestant"].startswith("micrograd_") for row in rows)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
