"""Reading handwritten digits: python docs/examples/digits.py

1,797 pictures of 8 x 8 gray pixels, from scikit-learn. An MLP gives each of the ten digits a
logit; the loss is the cross-entropy of their softmax. The graph of one picture is recorded once,
as a Tape, and replayed over minibatches.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from common import report, require, run, whole_number

import micrograd_fast as mg
from micrograd_fast.nn import cross_entropy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PIXELS, DIGITS = 64, 10
RATE = 0.01


class Data(NamedTuple):
    """Pictures as rows of 64 numbers from 0 to 1, and the digit of each."""

    pixels: NDArray[np.float64]
    digits: NDArray[np.int64]


def load(seed: int) -> tuple[Data, Data]:
    """Three quarters to learn from, one to test with, with a like share of each digit in both."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, digits = load_digits(return_X_y=True)
    learn_x, test_x, learn_y, test_y = train_test_split(
        pixels / 16.0, digits, test_size=0.25, random_state=seed, stratify=digits
    )
    return Data(learn_x, learn_y), Data(test_x, test_y)


def new_model(hidden: int, seed: int) -> mg.MLP:
    """An untrained network, its weights scaled down by the root of the inputs that they weigh.

    The sums in it then start out about as large as the inputs, and no digit is far ahead.
    """
    random.seed(seed)
    model = mg.MLP(PIXELS, [hidden, DIGITS])
    for layer in model.layers:
        for neuron in layer.neurons:
            for w in neuron.w:
                w.data /= math.sqrt(len(neuron.w))
    return model


class Recorded(NamedTuple):
    """Tapes of one picture: the loss, from pixels and one-hot target, and the logits."""

    loss: mg.Tape
    logits: mg.Tape


def record(model: mg.MLP) -> Recorded:
    pixels = [mg.Value(0.0) for _ in range(PIXELS)]
    target = [mg.Value(0.0) for _ in range(DIGITS)]
    logits = model(pixels)
    loss = cross_entropy(logits, target)
    return Recorded(mg.Tape(loss, [*pixels, *target]), mg.Tape(logits, pixels))


def accuracy(recorded: Recorded, data: Data) -> float:
    """The share of pictures whose largest logit is that of their digit."""
    guesses = recorded.logits.forward(data.pixels).argmax(axis=1)
    return float((guesses == data.digits).mean())


def train(
    model: mg.MLP, recorded: Recorded, learn: Data, epochs: int, batch: int, seed: int
) -> list[float]:
    """Minibatches in a new random order each epoch. Returns the mean loss of each epoch."""
    import numpy as np
    from tqdm import tqdm

    rng = np.random.default_rng(seed)
    rows = np.concatenate([learn.pixels, np.eye(DIGITS)[learn.digits]], axis=1)
    optimizer = mg.Adam(model.parameters(), lr=RATE)
    batches = math.ceil(len(rows) / batch)
    history: list[float] = []
    with tqdm(total=epochs * batches, unit="batch") as bar:
        for epoch in range(epochs):
            losses = []
            for i, rows_of_batch in enumerate(np.array_split(rng.permutation(rows), batches)):
                optimizer.lr = RATE * (1 - (epoch + i / batches) / epochs)
                losses.append(recorded.loss.forward(rows_of_batch))
                optimizer.zero_grad()
                recorded.loss.backward(np.full(len(rows_of_batch), 1 / len(rows_of_batch)))
                optimizer.step()
                bar.update()
            history.append(float(np.concatenate(losses).mean()))
            bar.set_postfix_str(f"loss {history[-1]:.4f}", refresh=False)
    return history


def confusions(recorded: Recorded, data: Data) -> list[tuple[int, int, int]]:
    """(digit, what was read for it, how often) of all mistakes, the most frequent first."""
    import numpy as np

    guesses = recorded.logits.forward(data.pixels).argmax(axis=1)
    wrong = guesses != data.digits
    pairs, counts = np.unique(
        np.stack([data.digits[wrong], guesses[wrong]]), axis=1, return_counts=True
    )
    found = [(int(d), int(g), int(n)) for (d, g), n in zip(pairs.T, counts, strict=True)]
    return sorted(found, key=lambda row: (-row[2], row[0], row[1]))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train an MLP to read handwritten digits.")
    parser.add_argument(
        "--epochs",
        type=whole_number(1),
        default=30,
        help="times through the pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--batch",
        type=whole_number(1),
        default=32,
        help="pictures in a minibatch (default: %(default)s)",
    )
    parser.add_argument(
        "--hidden",
        type=whole_number(1),
        default=32,
        help="neurons in the hidden layer (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=1337,
        help="of all that is random (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None) -> None:
    arguments = parse(argv)
    require("scikit-learn", "tqdm")
    learn, test = load(arguments.seed)
    model = new_model(arguments.hidden, arguments.seed)
    recorded = record(model)
    start = time.perf_counter()
    history = train(model, recorded, learn, arguments.epochs, arguments.batch, arguments.seed)
    seconds = time.perf_counter() - start
    report("network", f"{len(model.parameters())} parameters, {recorded.loss}")
    report("loss", f"{history[0]:.4f} in the first epoch, {history[-1]:.4f} in the last")
    report("training accuracy", f"{accuracy(recorded, learn):.1%} of {len(learn.digits)} pictures")
    report("test accuracy", f"{accuracy(recorded, test):.1%} of {len(test.digits)} pictures")
    mistakes = [f"{n} x {d} read as {g}" for d, g, n in confusions(recorded, test)[:5]]
    report("mistakes", ", ".join(mistakes) or "none")
    report("time to train", f"{seconds:.1f} s")


if __name__ == "__main__":
    run(main)
