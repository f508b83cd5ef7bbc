"""Down Rosenbrock's valley, by Newton's method and by its rivals: python docs/examples/newton.py

    f(x, y) = (1 - x)^2 + 100 (y - x^2)^2

has its least value, 0, at (1, 1), at the end of a valley that is curved, steep at the sides and
almost flat along its floor. Gradient descent knows the slope alone and creeps from side to side.
Newton's method knows the curvature too: each step solves H d = -g with the hessian H and the
gradient g, and goes along d, half as far and half of that again until f is less than before.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import report, require, run, whole_number, writable

import micrograd_fast as mg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

START = (-1.2, 1.0)  # on the other side of the valley's bend
NEAR = 1e-10  # a value that counts as the least
RATE = 0.001  # of gradient descent; twice as much is too much for the sides


def rosenbrock(x: Any, y: Any) -> Any:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def newtons_steps() -> Iterator[Array]:
    """The points that Newton's method comes to."""
    import numpy as np

    x, y = mg.Value(0.0), mg.Value(0.0)
    f = rosenbrock(x, y)
    slopes, curvature = mg.gradient(f, [x, y]), mg.hessian(f, [x, y])
    # The graph was made once; a Tape gives the numbers at each point: f, g and H in one row.
    tape = mg.Tape([f, *slopes, *curvature[0], *curvature[1]], [x, y])
    at = np.array(START)
    while True:
        yield at
        value, *numbers = tape.forward([at])[0]
        step = np.linalg.solve(np.reshape(numbers[2:], (2, 2)), -np.array(numbers[:2]))
        while rosenbrock(*(at + step)) > value:
            step = step / 2
        at = at + step


def descending_steps() -> Iterator[Array]:
    """The points that gradient descent comes to."""
    import numpy as np

    x, y = mg.Value(START[0]), mg.Value(START[1])
    tape = mg.Tape(rosenbrock(x, y))
    optimizer = mg.SGD([x, y], lr=RATE)
    while True:
        yield np.array([x.data, y.data])
        tape.forward()
        optimizer.zero_grad()
        tape.backward()
        optimizer.step()


def followed(name: str, steps: Iterator[Array], most: int) -> list[Array]:
    """The points up to the first one near enough."""
    from tqdm import tqdm

    path = []
    with tqdm(total=most, unit="step", desc=name) as bar:
        for at in steps:
            path.append(at)
            value = rosenbrock(*at)
            if len(path) % 100 == 1:
                bar.set_postfix_str(f"loss {value:.1e}", refresh=False)
            if value < NEAR or len(path) > most:
                bar.update(most - bar.n)
                break
            bar.update()
    return path


def plot(paths: dict[str, list[Array]], path: Path) -> None:
    """Both ways over the contours of the valley."""
    import numpy as np
    from matplotlib.figure import Figure  # no pyplot: it works without a display

    x, y = np.meshgrid(np.linspace(-1.7, 1.5, 400), np.linspace(-0.8, 1.8, 400))
    figure = Figure(figsize=(8.0, 5.6), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.contour(
        x, y, np.log10(rosenbrock(x, y)), levels=16, cmap="Greys_r", linewidths=0.7, alpha=0.8
    )
    colors = {"gradient descent": "#d94801", "Newton's method": "#08306b"}
    for name, points in paths.items():
        steps = len(points) - 1
        line = "o-" if steps < 100 else ".-"
        label = f"{name}: {steps} steps"
        axes.plot(*np.transpose(points), line, color=colors[name], label=label, markersize=4)
    axes.plot(1.0, 1.0, "*", color="#238b45", ms=14, label="the least value")
    axes.set(title="Rosenbrock's valley", xlabel="x", ylabel="y")
    axes.legend(loc="lower left")
    figure.savefig(path, format="png")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Compare Newton's method with gradient descent in Rosenbrock's valley."
    )
    parser.add_argument(
        "--steps",
        type=whole_number(1),
        default=50_000,
        help="after how many steps to give up (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=writable,
        default="newton.png",
        metavar="FILE",
        help="the PNG to write (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None) -> None:
    arguments = parse(argv)
    require("matplotlib", "tqdm")
    methods: dict[str, Callable[[], Iterator[Array]]] = {
        "gradient descent": descending_steps,
        "Newton's method": newtons_steps,
    }
    paths = {name: followed(name, steps(), arguments.steps) for name, steps in methods.items()}
    for name, points in paths.items():
        x, y = points[-1]
        report(name, f"{len(points) - 1} steps to f({x:.5f}, {y:.5f}) = {rosenbrock(x, y):.0e}")
    plot(paths, arguments.out)
    report("plot", arguments.out)


if __name__ == "__main__":
    run(main)
