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
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .measure import Row, Workload, measure, package_of

MODULES = (
    "operators",
    "readme",
    "moons",
    "chain",
    "wide_sum",
    "random_dag",
    "memory",
    "gpt",
    "tape_row",
    "tape_rows",
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
            active = sum(callable(prepare) for prepare in workload.contestants.values())
            with tqdm(total=active * (rounds + 2), desc=workload.name, leave=False) as progress:
                rows = list(measure(module, index, rounds, seconds, budget, progress))
            tables.append(as_dict(workload, rows))
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
    ours_differ = any(row["wrong"] and row["contestant"].startswith("micrograd_") for row in rows)
    return 1 if ours_differ else 0


def machine():
    """What the figures depend on, besides the packages."""
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "CPU": f"{processor()}, {os.cpu_count()} cores{load}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()} ({platform.python_compiler()})",
        "arithmetic": "float64, one thread, garbage collector on",
    }


def processor():
    """The CPU's name; Linux keeps it where `platform` does not look."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions(contestants):
    """The version of each package among the contestants."""
    found = {}
    for package in dict.fromkeys(map(package_of, contestants)):
        ours = package in ("micrograd_fast", "micrograd_ref")
        try:
            found[package] = version("micrograd-fast" if ours else package)
        except PackageNotFoundError:
            if ours:
                found[package] = "(source tree)"
    return found


def as_dict(workload: Workload, rows: list[Row]):
    """A workload's figures, with the ratios to micrograd_fast and to the baseline."""
    found = {row.contestant: row for row in rows}

    def ratio(row, other):
        return row.ratio(found[other]) if other in found else None

    return {
        "name": workload.name,
        "title": workload.title,
        "per": workload.per,
        "baseline": workload.baseline,
        "rows": [
            row._asdict()
            | {
                "figure": row.figure,
                "spread": row.spread,
                "to_fast": ratio(row, "micrograd_fast"),
                "to_baseline": ratio(row, workload.baseline),
            }
            for row in rows
        ],
    }


def table(workload):
    """A workload's figures as text."""
    rows = [row for row in workload["rows"] if not row["missing"]]
    baseline = workload["baseline"]
    heads = ["", f"per {workload['per']}", "spread", "/ micrograd_fast"]
    heads += [f"/ {baseline}"] if baseline else []
    heads += ["peak memory"] if any(row["peak"] for row in rows) else []
    lines = [[*heads, ""]]
    for row in rows:
        if row["cannot"]:
            lines.append([row["contestant"], *["-"] * (len(heads) - 1), row["cannot"]])
            continue
        weighed = row["bytes"] is not None
        cells = [row["contestant"], in_bytes(row["figure"]) if weighed else time(row["figure"])]
        cells.append("" if row["spread"] is None else f"{row['spread']:.0%}")
        cells.append(times(row["to_fast"]))
        cells += [times(row["to_baseline"])] if baseline else []
        cells += [in_bytes(row["peak"])] if "peak memory" in heads else []
        lines.append([*cells, row["note"]])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1], strict=True)]
            + [line[-1]]
        ).rstrip()
        for line in lines
    ]
    return "\n".join([f"{workload['name']}: {workload['title']}", *text])


def time(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def in_bytes(count):
    if count is None:
        return ""
    return f"{count:.0f} B" if count < 10_000 else f"{count / 1e6:.1f} MB"


def times(ratio):
    """A ratio, as a fraction where it is below one half: 1/612 says more than 0.0016."""
    if ratio is None:
        return ""
    if ratio < 0.5:
        return f"1/{three_digits(1 / ratio)}"
    return three_digits(ratio)


def three_digits(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


if __name__ == "__main__":
    sys.exit(main())
