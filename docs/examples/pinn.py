"""A network that solves a differential equation: python docs/examples/pinn.py

An oscillator, pulled aside and let go, swings with less and less force:

    u'' + 2 zeta omega u' + omega^2 u = 0,    u(0) = 1,    u'(0) = 0

The network is given no point of the curve u(t) beyond its start. It learns from the equation: u'
and u'' are gradients of the network with respect to its input, Values like any other, and the loss
is the square of what the left side lacks to 0 at 100 times, and of what the start lacks. A Tape
records it once, derivatives and all, and replays it over the times in each step of training.
"""

from __future__ import annotations

import argparse
import math
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

ZETA, OMEGA = 0.15, 8.0
END = 2.0  # of the time, which begins at 0
POINTS = 100  # times at which the equation is to hold
RATE, START = 0.01, 2.0  # of learning; what the start counts, beside the equation's mean square


def truth(t: Array) -> Array:
    """The solution that the network is to find."""
    import numpy as np

    damped = OMEGA * math.sqrt(1.0 - ZETA**2)
    swing = np.cos(damped * t) + ZETA * OMEGA / damped * np.sin(damped * t)
    return np.asarray(np.exp(-ZETA * OMEGA * t) * swing)


class Solver(NamedTuple):
    """The network's optimizer, and Tapes of a time: both losses, and the solution."""

    optimizer: mg.Adam
    equation: mg.Tape
    start: mg.Tape
    solution: mg.Tape


def new_solver() -> Solver:
    model = mg.MLP(1, [16, 16, 1], activation="tanh")
    for neuron in model.layers[0].neurons:  # spread the first layer's bends over the time
        neuron.w[0].data *= 4.0
        neuron.b.data = -random.uniform(0.0, END) * neuron.w[0].data
    t = mg.Value(0.0)
    u = model([t])
    (velocity,) = mg.gradient(u, [t])
    (acceleration,) = mg.gradient(velocity, [t])
    # In units of omega^2, so that both losses are of one size.
    lacking = acceleration / OMEGA**2 + 2.0 * ZETA / OMEGA * velocity + u
    start = (u - 1.0) ** 2 + (velocity / OMEGA) ** 2
    return Solver(
        mg.Adam(model.parameters(), lr=RATE),
        mg.Tape(lacking**2, [t]),
        mg.Tape(start, [t]),
        mg.Tape(u, [t]),
    )


def train(solver: Solver, steps: int) -> None:
    import numpy as np
    from tqdm import tqdm

    times = np.linspace(0.0, END, POINTS)[:, None]
    mean = np.full(POINTS, 1.0 / POINTS)
    with tqdm(range(steps), unit="step") as bar:
        for step in bar:
            solver.optimizer.lr = RATE * (1.0 - step / steps)
            lacking, start = solver.equation.forward(times), solver.start.forward([[0.0]])
            solver.optimizer.zero_grad()
            solver.equation.backward(mean)
            solver.start.backward([START])
            solver.optimizer.step()
            if step % 100 == 0:
                bar.set_postfix_str(f"loss {lacking @ mean + START * start[0]:.2e}", refresh=False)


def plot(solver: Solver, path: Path) -> None:
    """The learned curve on the exact one."""
    import numpy as np
    from matplotlib.figure import Figure  # no pyplot: it works without a display

    t = np.linspace(0.0, END, 400)
    figure = Figure(figsize=(8.0, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0.0, color="#999999", linewidth=0.8)
    axes.plot(t, truth(t), color="#9ecae1", linewidth=6.0, label="exact solution")
    learned = solver.solution.forward(t[:, None])
    axes.plot(t, learned, color="#08306b", linewidth=1.6, label="learned from the equation")
    axes.scatter(0.0, 1.0, s=40, color="#d94801", zorder=3, label="the only point given")
    axes.set(
        title="A damped oscillator, by a network that knows its equation",
        xlabel="time t",
        ylabel="displacement u",
        xlim=(-0.02 * END, END),
    )
    axes.legend()
    figure.savefig(path, format="png")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Solve the equation of a damped oscillator with a network, and plot it."
    )
    parser.add_argument(
        "--steps",
        type=whole_number(1),
        default=8000,
        help="steps of training (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=1337,
        help="of the network (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=writable,
        default="pinn.png",
        metavar="FILE",
        help="the PNG to write (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None) -> None:
    arguments = parse(argv)
    require("matplotlib", "tqdm")
    import numpy as np

    random.seed(arguments.seed)
    solver = new_solver()
    train(solver, arguments.steps)
    t = np.linspace(0.0, END, 1000)
    error = solver.solution.forward(t[:, None]) - truth(t)
    report("error", f"{(error**2).mean() ** 0.5:.1e} root mean square, {abs(error).max():.1e} most")
    plot(solver, arguments.out)
    report("plot", arguments.out)


if __name__ == "__main__":
    run(main)
