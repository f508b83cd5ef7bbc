"""What was found, as a dictionary for JSON and as a table of text."""

import os
import platform
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .measure import Outcome, Workload, package_of


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


def as_dict(workload: Workload, outcomes: list[Outcome]):
    """A workload's figures, with the ratios to micrograd_fast and to the baselines."""
    found = {outcome.contestant: outcome for outcome in outcomes}
    others = [other for other in ("micrograd_fast", *workload.baselines) if other in found]
    return {
        "name": workload.name,
        "title": workload.title,
        "per": workload.per,
        "rows": [
            asdict(outcome)
            | {
                "figure": outcome.figure,
                "spread": outcome.spread,
                "ratios": {other: outcome.ratio(found[other]) for other in others},
            }
            for outcome in outcomes
        ],
    }


def table(workload):
    """A workload's figures as text."""
    rows = [row for row in workload["rows"] if not row["missing"]]
    others = list(workload["rows"][0]["ratios"])
    peaks = any(row["peak"] for row in rows)
    heads = ["", f"per {workload['per']}", "spread", *(f"/ {other}" for other in others)]
    heads += ["peak memory"] if peaks else []
    lines = [[*heads, ""]]
    for row in rows:
        if row["cannot"]:
            lines.append([row["contestant"], *["-"] * (len(heads) - 1), row["cannot"]])
            continue
        cells = [row["contestant"], figure(row)]
        cells.append("" if row["spread"] is None else f"{row['spread']:.0%}")
        cells += [times(row["ratios"][other]) for other in others]
        cells += [in_bytes(row["peak"])] if peaks else []
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


def figure(row):
    """A row's own figure, with its unit."""
    return time(row["figure"]) if row["bytes"] is None else in_bytes(row["bytes"])


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
