"""A curve through noisy points, and how sure it is: python docs/examples/regression.py

Two kinds of doubt are told apart. Points scatter about the curve, here more on the right: each
network predicts the mean and the variance of y at x, and is trained on the negative log-likelihood
of the points. And the points leave the curve open where they are few: several networks start from
different weights, each sees the points with weights of its own (a bootstrap), and where they
disagree, the fit is uncertain.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import report, require, run, whole_number, writable

import micrograd_fast as mg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEFT, RIGHT = -3.0, 3.0
GAP = (0.2, 1.4)  # where there are no points
RATE, L2 = 0.01, 1e-3
BAND = 1.96  # standard deviations either side of the mean: 95 % of a normal law


def truth(x: Array) -> tuple[Array, Array]:
    """The curve that the networks are to find, and the standard deviation about it."""
    import numpy as np

    return np.sin(1.5 * x) + 0.3 * x, 0.06 + 0.06 * (x - LEFT)


def draw(n: int, rng: np.random.RandomState) -> Array:
    """n points (x, y), none of them in the gap."""
    import numpy as np

    left = GAP[0] - LEFT
    x = LEFT + rng.uniform(0.0, RIGHT - LEFT - (GAP[1] - GAP[0]), n)
    x = np.sort(np.where(x < LEFT + left, x, x + GAP[1] - GAP[0]))
    curve, deviation = truth(x)
    return np.column_stack([x, curve + deviation * rng.standard_normal(n)])


class Member(NamedTuple):
    """One network of the ensemble: its optimizer, its loss at a point, mean and log-variance."""

    optimizer: mg.Adam
    loss: mg.Tape
    prediction: mg.Tape


def new_member() -> Member:
    model = mg.MLP(1, [16, 16, 2], activation="tanh")
    for neuron in model.layers[0].neurons:  # spread the first layer's bends over the x axis
        neuron.b.data = random.uniform(LEFT, RIGHT) * neuron.w[0].data
    x, y = mg.Value(0.0), mg.Value(0.0)
    mean, log_variance = model([x])
    parameters = model.parameters()
    # -log of the normal density, but for a constant; the log of the variance may be any number.
    likelihood = 0.5 * (log_variance + (y - mean) ** 2 * (-log_variance).exp())
    loss = likelihood + L2 * mg.dot(parameters, parameters)
    return Member(
        mg.Adam(parameters, lr=RATE), mg.Tape(loss, [x, y]), mg.Tape([mean, log_variance], [x])
    )


def train(members: list[Member], points: Array, steps: int, rng: np.random.RandomState) -> None:
    """Train each network on all points, each with weights of its own drawn once."""
    from tqdm import tqdm

    n = len(points)
    weights = [rng.multinomial(n, [1 / n] * n) / n for _ in members]
    with tqdm(total=steps * len(members), unit="step") as bar:
        for number, (member, weight) in enumerate(zip(members, weights, strict=True), start=1):
            bar.set_description(f"network {number} of {len(members)}")
            for step in range(steps):
                member.optimizer.lr = RATE * (1 - step / steps)
                losses = member.loss.forward(points)
                member.optimizer.zero_grad()
                member.loss.backward(weight)
                member.optimizer.step()
                if step % 100 == 0:
                    bar.set_postfix_str(f"loss {losses @ weight:.3f}", refresh=False)
                bar.update()


class Prediction(NamedTuple):
    """At each x: the mean, and the standard deviations of the fit and of the points about it."""

    mean: Array
    fit: Array
    noise: Array

    @property
    def total(self) -> Array:
        return (self.fit**2 + self.noise**2) ** 0.5


def predict(members: list[Member], x: Array) -> Prediction:
    """The ensemble as one law: the variance is the mean variance and the variance of the means."""
    import numpy as np

    each = np.array([member.prediction.forward(x[:, None]) for member in members])
    means, variances = each[..., 0], np.exp(each[..., 1])
    return Prediction(means.mean(axis=0), means.std(axis=0), variances.mean(axis=0) ** 0.5)


def plot(members: list[Member], points: Array, path: Path) -> None:
    """The points, the curve, and the two bands around it."""
    import numpy as np
    from matplotlib.figure import Figure  # no pyplot: it works without a display

    x = np.linspace(LEFT, RIGHT, 400)
    found = predict(members, x)
    figure = Figure(figsize=(8.0, 4.8), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for deviation, color, label in (
        (found.total, "#c6dbef", "95 % of new points"),
        (found.fit, "#3182bd", "uncertainty of the fit, 95 %"),
    ):
        low, high = found.mean - BAND * deviation, found.mean + BAND * deviation
        axes.fill_between(x, low, high, color=color, linewidth=0, label=label)
    axes.plot(x, found.mean, color="#08306b", linewidth=1.8, label="mean of the networks")
    axes.plot(x, truth(x)[0], color="black", linestyle="--", linewidth=1.2, label="true curve")
    axes.scatter(*points.T, s=12, color="#d94801", zorder=3, label="points to learn from")
    axes.annotate(
        "no points here",
        xy=((GAP[0] + GAP[1]) / 2, 0.04),
        xycoords=("data", "axes fraction"),
        ha="center",
        color="#555555",
    )
    for edge in GAP:
        axes.axvline(edge, color="#999999", linewidth=0.8, linestyle=":")
    axes.set(
        title=f"A regression by {len(members)} small networks, and how sure they are",
        xlabel="x",
        ylabel="y",
        xlim=(LEFT, RIGHT),
    )
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(path, format="png")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Fit a curve to noisy points, and plot how uncertain the fit is."
    )
    parser.add_argument(
        "--steps",
        type=whole_number(1),
        default=1500,
        help="steps of training for each network (default: %(default)s)",
    )
    parser.add_argument(
        "--members",
        type=whole_number(2),
        default=10,
        help="networks in the ensemble (default: %(default)s)",
    )
    parser.add_argument(
        "--points",
        type=whole_number(2),
        default=250,
        help="points to learn from (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=1337,
        help="of the points and of the networks (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=writable,
        default="regression.png",
        metavar="FILE",
        help="the PNG to write (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None) -> None:
    arguments = parse(argv)
    require("matplotlib", "tqdm")
    import numpy as np

    random.seed(arguments.seed)
    rng = np.random.RandomState(arguments.seed)
    points, new = draw(arguments.points, rng), draw(2000, rng)
    members = [new_member() for _ in range(arguments.members)]
    train(members, points, arguments.steps, rng)

    found = predict(members, new[:, 0])
    curve, _ = truth(new[:, 0])
    inside = np.abs(new[:, 1] - found.mean) < BAND * found.total
    gap = predict(members, np.linspace(*GAP, 50))
    error = ((found.mean - curve) ** 2).mean() ** 0.5
    report("error of the curve", f"{error:.3f} (root mean square, where there are points)")
    report("95 % band", f"holds {inside.mean():.1%} of {len(new)} new points")
    report(
        "doubt in the fit",
        f"{found.fit.mean():.3f} where there are points, {gap.fit.mean():.3f} where there are none",
    )
    plot(members, points, arguments.out)
    report("plot", arguments.out)


if __name__ == "__main__":
    run(main)
