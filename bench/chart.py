"""The bar chart: how long the others take beside micrograd_fast, on a logarithmic axis."""

import matplotlib
from matplotlib.figure import Figure

from .measure import package_of
from .report import figure as text_of

# Ours in green, the usual ways of pure Python in red, the rest in gray.
COLORS = {
    "micrograd_fast": "#0b6e4f",
    "micrograd_ref": "#7fb69e",
    "micrograd": "#c8553d",
    "python": "#c8553d",
}
OTHERS = "#8d99ae"

# A README has room for a few panels; a run of other workloads is drawn whole.
PREFERRED = ("a + b", "readme", "moons", "chain", "gpt")


def draw(report, path):
    """Draw the preferred workloads of a report, or else all, each as a panel of horizontal bars.

    A bar starts at micrograd_fast's own time: to the right is slower, to the left faster. Its end
    bears the time itself.
    """
    preferred = [workload for workload in report["workloads"] if workload["name"] in PREFERRED]
    panels = []
    for workload in preferred or report["workloads"]:
        rows = [(row["ratios"].get("micrograd_fast"), row) for row in workload["rows"]]
        rows = sorted((pair for pair in rows if pair[0]), key=lambda pair: pair[0])
        if rows:
            panels.append((workload["title"], rows))
    if not panels:
        raise SystemExit("nothing to draw: no workload has a figure of micrograd_fast")
    sizes = [len(rows) + 1.4 for _, rows in panels]
    with matplotlib.rc_context({"font.size": 9, "svg.fonttype": "path"}):
        figure = Figure(figsize=(8, 0.22 * sum(sizes) + 0.8), layout="constrained")
        axes = figure.subplots(
            len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": sizes}
        )[:, 0]
        for axis, (title, rows) in zip(axes, panels, strict=True):
            axis.set_title(title, loc="left", fontsize=9, fontweight="bold")
            bars(axis, rows)
        axes[-1].xaxis.set_major_formatter(
            lambda x, _: f"{x:,.0f}" if x >= 1 else f"1/{1 / x:,.0f}"
        )
        low, high = axes[0].get_xlim()
        axes[0].set_xlim(low / 3, high * 4)  # room for the figures at the bars' ends
        axes[-1].set_xlabel("times micrograd_fast (logarithmic; right of the line is slower)")
        figure.supxlabel(
            f"{report['machine']['CPU'].split(', load')[0]}, Python {report['machine']['Python']}",
            fontsize=7,
            color="#555555",
        )
        figure.savefig(path, dpi=150, facecolor="white")


def bars(axis, rows):
    """A bar for each pair of a ratio and its row."""
    names = [row["contestant"] for _, row in rows]
    axis.barh(
        range(len(rows)),
        [ratio - 1 for ratio, _ in rows],
        left=1,
        height=0.72,
        color=[COLORS.get(package_of(name), OTHERS) for name in names],
    )
    axis.set_xscale("log")
    axis.axvline(1, color=COLORS["micrograd_fast"], linewidth=1.2)
    axis.set_yticks(range(len(rows)), names)
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
    for i, (ratio, row) in enumerate(rows):
        if row["contestant"] == "micrograd_fast":
            axis.plot(1, i, "D", color=COLORS["micrograd_fast"], markersize=5)
        axis.annotate(
            text_of(row),
            (ratio, i),
            xytext=(-5 if ratio < 1 else 5, 0),
            textcoords="offset points",
            ha="right" if ratio < 1 else "left",
            va="center",
            fontsize=8,
        )
