"""Make the tutorial's pictures again: python docs/pictures.py

Runs the code of tutorial.md, and draws from the names that it leaves behind, so the pictures show
what the text says. Needs matplotlib, autograd, Graphviz's program dot, Chromium and chromedriver.
"""

from __future__ import annotations

import doctest
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure  # no pyplot: it works without a display

if TYPE_CHECKING:
    import graphviz
    from numpy.typing import NDArray

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"

BLUE, ORANGE, GRAY, PURPLE = "#2166ac", "#d94801", "#777777", "#542788"
GRAPHS = {
    "L": ("drawing_of_L", "L = (a*b + c) * f"),
    "neuron": ("drawing_of_neuron", "A neuron: o = tanh(x1*w1 + x2*w2 + b)"),
    "tanh_apart": ("drawing_apart", "tanh(n) = (e - 1) / (e + 1), with e = exp(2n)"),
}


def run_tutorial() -> dict[str, Any]:
    """The names that the tutorial's code defines, by the end."""
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()):
        for example in doctest.DocTestParser().get_examples(text):
            exec(compile(example.source, "tutorial.md", "exec"), names)
    return names


def save(figure: Figure, name: str) -> None:
    # No date and no random ids: the same picture has the same bytes.
    with mpl.rc_context({"svg.hashsalt": "micrograd"}):
        svg = name.endswith(".svg")
        figure.savefig(PICTURES / name, metadata={"Date": None} if svg else {"Software": None})
    print(PICTURES / name)


def write_graph(drawing: graphviz.Digraph, title: str, name: str) -> None:
    drawing.attr(label=title, labelloc="t", fontname="sans-serif")
    path = PICTURES / f"{name}.svg"
    path.write_bytes(drawing.pipe(format="svg"))
    print(path)


def photograph(page: Path, name: str) -> None:
    """A page of explore at its last step."""
    sys.path.append(str(DOCS.parent / "tests"))
    from browser import Browser

    with Browser() as browser:
        browser.resize(1200, 630)
        browser.prefer({"prefers-reduced-motion": "reduce", "prefers-color-scheme": "light"})
        browser.open(page)
        browser.press("End")
        browser.screenshot(PICTURES / name)
    print(PICTURES / name)


def draw_derivative(f: Callable[[Any], Any]) -> None:
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)

    x = np.linspace(-1.5, 4.5, 200)
    left.plot(x, f(x), color=BLUE, linewidth=2, label="f(x) = 3x² - 4x + 5")
    for at, slope, reach in ((3.0, 14.0, 1.3), (2 / 3, 0.0, 1.4)):
        ends = np.array([at - reach, at + reach])
        left.plot(ends, f(at) + slope * (ends - at), color=ORANGE, linewidth=1.6)
        left.plot([at], [f(at)], "o", color=ORANGE)
    left.annotate("slope 14 at x = 3", (3.0, 20.0), (0.8, 24.0), color=ORANGE)
    left.annotate("slope 0 at x = 2/3", (2 / 3, 3.7), (-0.1, -1.5), color=ORANGE)
    left.set(title="The derivative is the slope of the tangent", xlabel="x", ylabel="f(x)")
    left.set(xlim=(-1.5, 4.5), ylim=(-4, 50))
    left.legend(loc="upper left", frameon=False)

    h = 10.0 ** np.arange(-15.0, 0.5, 0.25)
    error = np.abs((f(3 + h) - f(3.0)) / h - 14)
    right.loglog(h, np.maximum(error, 1e-12), "o-", color=BLUE, markersize=3, linewidth=1)
    right.text(3e-8, 0.8, "h too large:\nthe curve bends", color=GRAY)
    right.text(1e-15, 1e-7, "h too small:\ndigits are lost", color=GRAY)
    right.set(
        title="How far (f(3 + h) - f(3)) / h is from 14", xlabel="the nudge h", ylabel="error"
    )
    save(figure, "derivative.svg")


def draw_losses(slow: list[float], quick: list[float], forgetful: list[float]) -> None:
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogy(slow, color=BLUE, label="rate 0.01")
    left.semilogy(quick, color=PURPLE, label="rate 0.1")
    left.set(title="Four samples at two rates", ylim=(1e-3, 10))
    right.plot(quick, color=PURPLE, label="rate 0.1, grads cleared")
    right.plot(forgetful, color=ORANGE, linestyle="--", label="rate 0.1, grads not cleared")
    right.set(title="What comes of not clearing the grads", ylim=(-0.3, 9.7))
    for axes in (left, right):
        axes.set(xlabel="step", ylabel="loss", xlim=(-1, len(slow)))
        axes.grid(alpha=0.3)
    left.legend(loc="upper right")
    right.legend(loc="center right")
    save(figure, "loss.svg")


def draw_moons(score_tape: Any, points: NDArray[np.float64], labels: NDArray[np.float64]) -> None:
    (left, bottom), (right, top) = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
    x1, x2 = np.meshgrid(np.linspace(left, right, 240), np.linspace(bottom, top, 180))
    scores = score_tape.forward(np.column_stack([x1.ravel(), x2.ravel()])).reshape(x1.shape)

    figure = Figure(figsize=(7.2, 4.4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    shades = axes.contourf(
        x1, x2, np.clip(scores, -3, 3), np.linspace(-3, 3, 25), cmap="PuOr", vmin=-4.5, vmax=4.5
    )
    bar = figure.colorbar(shades, label="score of the network", ticks=range(-3, 4), shrink=0.8)
    bar.ax.set_yticklabels(["-3 or less", "-2", "-1", "0", "1", "2", "3 or more"])
    axes.contour(x1, x2, scores, levels=[0.0], colors="black", linewidths=1.5)
    axes.plot([], [], color="black", linewidth=1.5, label="score 0")
    for label, moon, color in ((-1, "upper moon", "#b35806"), (1, "lower moon", PURPLE)):
        axes.scatter(*points[labels == label].T, s=34, color=color, edgecolors="white", label=moon)
    axes.set(title="Two moons and an MLP", xlabel="x1", ylabel="x2", aspect="equal")
    figure.legend(loc="outside lower center", ncols=3)
    save(figure, "moons.png")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    names = run_tutorial()
    draw_derivative(names["parabola"])
    for name, (drawing, title) in GRAPHS.items():
        write_graph(names[drawing], title, name)
    photograph(Path(names["page_of_L"]), "explore.png")
    draw_losses(names["slow"], names["quick"], names["forgetful"])
    draw_moons(names["score_tape"], names["points"], names["labels"])


if __name__ == "__main__":
    main()
