"""The bar chart: how long the others take beside micrograd_fast, on a logarithmic axis."""

import matplotlib
from matplotlib.figure import Figure

from .measure import package_of

# Ours in green, the usual ways of pure Python in red, the rest in grey.
COLOURS = {
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
    from .__main__ import in_bytes, time

    preferred = [workload for workload in report["workloads"] if workload["name"] in PREFERRED]
    panels = []
    for workload in preferred or report["workloads"]:
        rows = [row for row in workload["rows"] if row["to_fast"]]
        if rows:
            panels.append((workload, sorted(rows, key=lambda row: row["to_fast"])))
    if not panels:
        raise SystemExit("nothing to draw: no workload has a figure of micrograd_fast")
    sizes = [len(rows) + 1.4 for _, rows in panels]
    with matplotlib.rc_context({"font.size": 9, "svg.fonttype": "path"}):
        figure = Figure(figsize=(8, 0.22 * sum(sizes) + 0.8), layout="constrained")
        axes = figure.subplots(
            len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": sizes}
        )[:, 0]
        for axis, (workload, rows) in zip(axes, panels, strict=True):
            ratios = [row["to_fast"] for row in rows]
            axis.barh(
                range(len(rows)),
                [ratio - 1 for ratio in ratios],
                left=1,
                height=0.72,
                color=[COLOURS.get(package_of(row["contestant"]), OTHERS) for row in rows],
            )
            axis.set_xscale("log")
            axis.axvline(1, color=COLOURS["micrograd_fast"], linewidth=1.2)
            axis.set_yticks(range(len(rows)), [row["contestant"] for row in rows])
            axis.invert_yaxis()
            axis.set_title(workload["title"], loc="left", fontsize=9, fontweight="bold")
            axis.tick_params(axis="y", length=0)
            axis.spines[["top", "right", "left"]].set_visible(False)
            for i, row in enumerate(rows):
                if row["contestant"] == "micrograd_fast":
                    axis.plot(1, i, "D", color=COLOURS["micrograd_fast"], markersize=5)
                figure_text = (in_bytes if row["bytes"] is not None else time)(row["figure"])
                faster = row["to_fast"] < 1
                axis.annotate(
                    figure_text,
                    (row["to_fast"], i),
                    xytext=(-5 if faster else 5, 0),
                    textcoords="offset points",
                    ha="right" if faster else "left",
                    va="center",
                    fontsize=8,
                )
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
