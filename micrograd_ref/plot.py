"""Pictures of training: plot_boundary and plot_history. They need the extra [demo]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .checking import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["plot_boundary", "plot_history"]

COLORS = ("#b35806", "#542788")


def plot_boundary(model: Any, X: ArrayLike, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw a model's score in the plane, its decision boundary at 0, and the points it learnt.

    model: takes two numbers in a list and returns a Value or a number. X: (n, 2) points. y: n
    labels, of the one class below or at 0 and of the other above. ax: where to draw, new axes if
    None.
    Returns the axes.
    Raises ValueError for other shapes, ImportError without matplotlib (the extra [demo]).
    Cost: 4,800 evaluations of the model.
    """
    import numpy as np

    points, labels = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            f"plot_boundary expects (n, 2) points and n labels, "
            f"got shapes {points.shape} and {labels.shape}"
        )
    ax = _axes(ax)
    (left, bottom), (right, top) = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
    xs, ys = np.linspace(left, right, 80), np.linspace(bottom, top, 60)
    scores = np.array([[_plain(model([x, y]), "a score") for x in xs] for y in ys])
    shades = ax.contourf(
        xs, ys, np.clip(scores, -3, 3), np.linspace(-3, 3, 25), cmap="PuOr", vmin=-4.5, vmax=4.5
    )
    bar = ax.figure.colorbar(shades, ax=ax, label="score", ticks=range(-3, 4), shrink=0.8)
    bar.ax.set_yticklabels(["-3 or less", "-2", "-1", "0", "1", "2", "3 or more"])
    if scores.min() < 0 < scores.max():
        ax.contour(xs, ys, scores, levels=[0.0], colors="black", linewidths=1.5)
        ax.plot([], [], color="black", linewidth=1.5, label="decision boundary, score 0")
    for above, color in enumerate(COLORS):
        x1, x2 = points[(labels > 0) == above].T
        name = "label above 0" if above else "label 0 or below"
        ax.scatter(x1, x2, s=34, color=color, edgecolors="white", label=name)
    ax.set(xlabel="x1", ylabel="x2", aspect="equal")
    return ax


def plot_history(losses: Iterable[Any], ax: Axes | None = None) -> Axes:
    """Draw the loss of each step, on a logarithmic axis if all of them are positive.

    losses: numbers or Values, or an array of them. ax: where to draw, new axes if None.
    Returns the axes.
    Raises ValueError for no losses, ImportError without matplotlib (the extra [demo]).
    """
    numbers = [_plain(loss, "a loss") for loss in losses]
    if not numbers:
        raise ValueError("plot_history expects at least one loss, got none")
    ax = _axes(ax)
    ax.plot(range(len(numbers)), numbers, color=COLORS[1], marker="o", markersize=3)
    ax.set(xlabel="step", ylabel="loss")
    if min(numbers) > 0:
        ax.set_yscale("log")
    ax.grid(True, which="both", alpha=0.3)
    return ax


def _plain(x: Any, what: str) -> float:
    """The data of a Value of either package, or a number as a float."""
    return x.data if hasattr(x, "_children") else number(x, what)


def _axes(ax: Axes | None) -> Any:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        raise ImportError(
            f'plotting needs {error.name}: python -m pip install "micrograd-fast[demo]"'
        ) from None
    return plt.subplots(layout="constrained")[1]
