"""The demo: python -m micrograd_fast trains a small network to tell two half moons apart.

From top to bottom: the data and the network, the loss and the training loop, the comparison of
the two packages, the pictures, and the command line.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from . import backend, plot_boundary

REQUIRED = {"matplotlib": "matplotlib", "scikit-learn": "sklearn", "tqdm": "tqdm"}
L2 = 1e-4


# The data and the network.


class Data(NamedTuple):
    """Points in the plane; a point's label is -1.0 on the upper moon and 1.0 on the lower."""

    points: list[list[float]]
    labels: list[float]


def two_moons(samples: int, seed: int) -> Data:
    """The points that make_moons draws after np.random.seed(seed).

    Rounded to six decimals, because NumPy's sin and cos may differ in the last place elsewhere.
    """
    from sklearn.datasets import make_moons

    points, moons = make_moons(n_samples=samples, noise=0.1, random_state=seed)
    rounded = [[round(x, 6) for x in point] for point in points.tolist()]
    return Data(rounded, [2.0 * moon - 1.0 for moon in moons.tolist()])


def new_model(mg: Any, seed: int) -> Any:
    """An untrained network of package mg: 2 inputs, two hidden layers of 16, one score."""
    random.seed(seed)
    return mg.MLP(2, [16, 16, 1])


# The loss and the training loop.


def evaluate(mg: Any, model: Any, data: Data) -> tuple[Any, float]:
    """The loss of the model, as the Value to call backward on, and the accuracy in 0..1."""
    scores = [model(point) for point in data.points]
    # Max-margin: a score costs nothing once it is on its label's side by 1 or more.
    losses = [(1 - label * score).relu() for label, score in zip(data.labels, scores, strict=True)]
    data_loss = mg.sum(losses) * (1.0 / len(losses))
    # L2: large parameters cost a little, so none grows extreme.
    parameters = model.parameters()
    penalty = L2 * mg.dot(parameters, parameters)
    hits = [(label > 0) == (score > 0) for label, score in zip(data.labels, scores, strict=True)]
    return data_loss + penalty, hits.count(True) / len(hits)


class Step(NamedTuple):
    """One step of training: loss and accuracy before the update, and how long it took."""

    loss: float
    accuracy: float
    seconds: float


def train(mg: Any, model: Any, data: Data, steps: int) -> Iterator[Step]:
    """Train the model on all the data, one step for each item taken."""
    optimizer = mg.SGD(model.parameters(), lr=1.0)
    for k in range(steps):
        start = time.perf_counter()
        optimizer.lr = 1.0 - 0.9 * k / steps
        loss, accuracy = evaluate(mg, model, data)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield Step(loss.data, accuracy, time.perf_counter() - start)


def train_tape(mg: Any, model: Any, data: Data, steps: int) -> Iterator[Step]:
    """The same training with the loss of one point recorded once, and replayed over all points."""
    import numpy as np

    n = len(data.labels)
    x, y = [mg.Value(0.0), mg.Value(0.0)], mg.Value(0.0)
    score = model(x)
    parameters = model.parameters()
    loss = (1 - y * score).relu() + L2 * mg.dot(parameters, parameters)
    tape = mg.Tape([loss, score], inputs=[*x, y])
    rows = np.column_stack([data.points, data.labels])
    weights = np.tile([1 / n, 0.0], (n, 1))  # the mean of the losses; the scores do not count
    optimizer = mg.SGD(parameters, lr=1.0)
    for k in range(steps):
        start = time.perf_counter()
        optimizer.lr = 1.0 - 0.9 * k / steps
        losses, scores = tape.forward(rows).T
        optimizer.zero_grad()
        tape.backward(weights)
        optimizer.step()
        accuracy = np.count_nonzero((scores > 0) == (rows[:, 2] > 0)) / n
        loss = math.fsum(losses) / n  # NumPy may add up in another order elsewhere
        yield Step(loss, accuracy, time.perf_counter() - start)


Trainer = Callable[[Any, Any, Data, int], Iterator[Step]]


def progress(steps: Any, total: int, name: str) -> Any:
    """A progress bar over steps."""
    from tqdm import tqdm

    return tqdm(steps, total=total, desc=name, unit="step")


def show(bar: Any, step: Step) -> None:
    """Put a step's loss and accuracy behind the bar."""
    bar.set_postfix_str(f"loss {step.loss:.4f}, accuracy {step.accuracy:.1%}", refresh=False)


class Trained(NamedTuple):
    """A package, its trained model, and the loss at each step of training."""

    mg: Any
    model: Any
    losses: list[float]


def train_one(trainer: Trainer, name: str, data: Data, steps: int, seed: int) -> Trained:
    """Train one package, 'ref' or 'fast', and report."""
    mg = package(name)
    model = new_model(mg, seed)
    taken = []
    with progress(trainer(mg, model, data, steps), steps, mg.__name__) as bar:
        for step in bar:
            show(bar, step)
            taken.append(step)
    report_accuracy(mg, model, data)
    report("time per step", f"{median(step.seconds for step in taken) * 1e3:.3f} ms (median)")
    return Trained(mg, model, [step.loss for step in taken])


# The comparison.


def train_both(trainer: Trainer, data: Data, steps: int, seed: int) -> Trained:
    """Train both packages step by step in turn, compare the bits of each loss, and report.

    Returns what is of the fast one. Exits with status 1 if any loss differs.
    """
    ref, fast = package("ref"), package("fast")
    ref_model, fast_model = new_model(ref, seed), new_model(fast, seed)
    both = zip(
        trainer(ref, ref_model, data, steps), trainer(fast, fast_model, data, steps), strict=True
    )
    pairs = []
    with progress(both, steps, "both") as bar:
        for pair in bar:
            show(bar, pair[1])
            pairs.append(pair)

    # The hexadecimal form of a float shows each of its bits.
    losses = [(a.loss.hex(), b.loss.hex()) for a, b in pairs]
    different = [k for k, (a, b) in enumerate(losses) if a != b]
    shown = sorted({*range(0, steps, -(-steps // 10)), steps - 1, *different[:1]})
    print(f"{'step':>6}  {'loss':<20}  {'micrograd_ref':<22}  micrograd_fast")
    for k in shown:
        a, b = losses[k]
        mark = "" if a == b else "  DIFFERENT"
        print(f"{k:>6}  {pairs[k][0].loss!r:<20}  {a:<22}  {b}{mark}")
    if different:
        sys.exit(f"{len(different)} of {steps} losses differ, the first at step {different[0]}")
    print(f"the losses of all {steps} steps have the same bits in both packages, and on every")
    print("machine: the digest at the end can be compared with that of any other")

    report_accuracy(fast, fast_model, data)
    ref_time, fast_time = (median(pair[i].seconds for pair in pairs) for i in (0, 1))
    report(
        "time per step",
        f"{ref_time * 1e3:.2f} ms in micrograd_ref, {fast_time * 1e3:.3f} ms in micrograd_fast "
        f"(medians): {ref_time / fast_time:.1f} times as fast",
    )
    if trainer is train_tape:
        eager = median(step.seconds for step in train(fast, new_model(fast, seed), data, steps))
        report(
            "without the Tape",
            f"{eager * 1e3:.2f} ms in micrograd_fast (median): with it {eager / fast_time:.1f} "
            "times as fast",
        )
    return Trained(fast, fast_model, [step.loss for _, step in pairs])


def package(name: str) -> Any:
    """The package micrograd_ref or micrograd_fast."""
    return importlib.import_module(f"micrograd_{name}")


def report_accuracy(mg: Any, model: Any, data: Data) -> None:
    loss, accuracy = evaluate(mg, model, data)
    report("accuracy", f"{accuracy:.1%} of {len(data.points)} points, loss {loss.data:.4f}")


def report_digest(losses: Sequence[float]) -> None:
    """The digest of the losses to the last bit, which every machine prints for these options."""
    text = " ".join(loss.hex() for loss in losses)
    digest = hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
    report("digest", f"{digest} of the losses, {losses[-1]!r} at last, on every machine")


def report(what: str, text: object) -> None:
    print(f"{what + ':':<19}{text}")


# The pictures.


def draw_boundary(model: Any, data: Data, path: Path) -> None:
    """Write a PNG of the data over the model's score in the plane around it."""
    from matplotlib.figure import Figure  # no pyplot: it works without a display

    figure = Figure(figsize=(7.2, 4.6), dpi=120, layout="constrained")
    axes = plot_boundary(model, data.points, data.labels, figure.add_subplot())
    axes.set_title(f"Two moons, told apart by an MLP with {len(model.parameters())} parameters")
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(path, format="png")


def first_neuron(mg: Any, model: Any, data: Data) -> Any:
    """What the first neuron makes of the first point at which its relu lets something through."""
    neuron = model.layers[0].neurons[0]
    point = next((p for p in data.points if neuron(p) > 0), data.points[0])
    x1, x2 = mg.Value(point[0], label="x1"), mg.Value(point[1], label="x2")
    w1, w2 = neuron.w
    w1.label, w2.label, neuron.b.label = "w1", "w2", "b"
    out = neuron([x1, x2])
    (n,) = out._children
    n.label, out.label = "n", "out"
    model.zero_grad()
    out.backward()
    return out


def draw_neuron(mg: Any, out: Any, directory: Path) -> dict[str, Path]:
    """Write the graph of a neuron: an SVG and a page, or the source of it where dot is missing."""
    import graphviz

    drawing = mg.draw_dot(out)
    drawing.attr(label="One neuron: n = b + w1*x1 + w2*x2, out = relu(n)", labelloc="t")
    svg, source, page = (directory / f"neuron.{kind}" for kind in ("svg", "dot", "html"))
    try:
        svg.write_bytes(drawing.pipe())
        mg.explore(out, page)
    except (graphviz.ExecutableNotFound, graphviz.CalledProcessError):
        source.write_text(drawing.source, encoding="utf-8")
        return {"one neuron": source}
    return {"one neuron": svg, "step by step": page}


def write_pictures(mg: Any, model: Any, data: Data, directory: Path) -> None:
    """Write the pictures and report their paths."""
    boundary = directory / "decision_boundary.png"
    try:
        draw_boundary(model, data, boundary)
        drawn = draw_neuron(mg, first_neuron(mg, model, data), directory)
    except OSError as error:
        sys.exit(f"cannot write the pictures: {error}")
    report("decision boundary", boundary)
    for what, path in drawn.items():
        report(what, path)
    if "step by step" not in drawn:
        print("for an SVG in its place, install Graphviz or graphviz-pure")


# The command line.


def whole_number(low: int, high: float = float("inf")) -> Callable[[str], int]:
    """An argparse type: a whole number from low to high."""
    limits = f"of at least {low}" if high == float("inf") else f"from {low} to {high}"

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number {limits}, got {text!r}")
        return number

    return convert


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments, and make sure that the output directory can be written."""
    parser = argparse.ArgumentParser(
        prog="python -m micrograd_fast",
        description="Train a small network to tell two half moons apart, and draw the result.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--backend",
        choices=("ref", "fast"),
        default=backend,
        help="the package to train with (default: %(default)s)",
    )
    which.add_argument(
        "--compare", action="store_true", help="train with both packages and compare them"
    )
    parser.add_argument(
        "--tape", action="store_true", help="record the loss once, and replay it over the points"
    )
    parser.add_argument(
        "--steps",
        type=whole_number(1),
        default=100,
        help="steps of training (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        type=whole_number(1),
        default=100,
        help="points to train on (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=1337,
        help="of the points and of the weights (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("moons"),
        metavar="DIR",
        help="where the pictures go (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    if backend == "ref" and (arguments.compare or arguments.backend == "fast"):
        parser.error("MICROGRAD_BACKEND=ref leaves only the reference here: unset it to use both")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=arguments.out).close()
    except OSError as error:
        parser.error(f"argument --out: cannot write to '{arguments.out}': {error.strerror}")
    return arguments


def run(argv: Sequence[str] | None) -> None:
    arguments = parse(argv)
    missing = [name for name, module in REQUIRED.items() if not importlib.util.find_spec(module)]
    if missing:
        sys.exit(
            f'the demo needs {", ".join(missing)}: python -m pip install "micrograd-fast[demo]"'
        )
    data = two_moons(arguments.samples, arguments.seed)
    trainer = train_tape if arguments.tape else train
    if arguments.compare:
        trained = train_both(trainer, data, arguments.steps, arguments.seed)
    else:
        trained = train_one(trainer, arguments.backend, data, arguments.steps, arguments.seed)
    write_pictures(trained.mg, trained.model, data, arguments.out)
    report_digest(trained.losses)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo. Returns 130 when it is stopped with Ctrl-C."""
    try:
        run(argv)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
