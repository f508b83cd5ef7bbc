"""A GPT that learns to spell names, letter by letter: python docs/examples/gpt.py

The model is in gpt_model.py: one layer, 16 wide, 4 heads, 4,080 parameters, and all that it
computes are scalar Values. A tenth of the names is held out, to see whether it learns how names are
spelled or just these names.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from common import positive, report, require, run, whole_number
from spelling import read_names

if TYPE_CHECKING:
    from gpt_model import GPT

RATE = 0.01


def split(names: list[str], rng: random.Random) -> tuple[list[str], list[str]]:
    """The names in a random order, parted into nine tenths to learn and one to hold out."""
    shuffled = rng.sample(names, len(names))
    held_out = len(names) // 10
    return shuffled[held_out:], shuffled[:held_out]


def train(model: GPT, names: list[str], steps: int) -> None:
    """A step for each name in turn, at a rate that falls to zero."""
    from tqdm import tqdm

    import micrograd_fast as mg

    optimizer = mg.Adam(model.parameters(), lr=RATE)
    recent = 0.0
    with tqdm(range(steps), desc=f"micrograd_{mg.backend}", unit="name") as bar:
        for step in bar:
            optimizer.lr = mg.linear_schedule(step, steps, RATE)
            loss = model.loss(names[step % len(names)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            recent = loss.data if step == 0 else 0.98 * recent + 0.02 * loss.data
            bar.set_postfix_str(f"loss {recent:.3f}", refresh=False)


def mean_loss(model: GPT, names: Sequence[str]) -> float:
    return fmean(model.loss(name).data for name in names)


def new_names(
    model: GPT, known: set[str], count: int, temperature: float, rng: random.Random
) -> list[str]:
    """Names that the model makes up and that are not in the list it learned from."""
    found: list[str] = []
    for _ in range(100 * count):  # after too little training, it may have nothing new to say
        if len(found) == count:
            break
        name = model.sample(rng, temperature)
        if name and name not in known and name not in found:
            found.append(name)
    return found


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a small GPT on names, and let it make up more."
    )
    parser.add_argument(
        "--steps",
        type=whole_number(1),
        default=1000,
        help="steps of training, one name each (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        type=whole_number(0),
        default=20,
        help="names to make up at the end (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=positive,
        default=0.7,
        help="below 1 for safer names, above 1 for wilder ones (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=1,
        help="of all that is random (default: %(default)s)",
    )
    parser.add_argument(
        "--backend",
        choices=("ref", "fast"),
        default=os.environ.get("MICROGRAD_BACKEND", "fast"),
        help="the package to train with; ref takes very much longer (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None) -> None:
    arguments = parse(argv)
    require("tqdm")
    os.environ["MICROGRAD_BACKEND"] = arguments.backend  # which package micrograd_fast hands out
    from gpt_model import GPT

    rng = random.Random(arguments.seed)
    learned, held_out = split(read_names(), rng)
    model = GPT(seed=arguments.seed)
    before = mean_loss(model, held_out)
    train(model, learned, arguments.steps)
    # A loss is the mean of -log(probability of the right letter); log(27) = 3.3 is a blind guess.
    report("loss, names known", f"{mean_loss(model, learned[: len(held_out)]):.3f}")
    report("loss, held out", f"{mean_loss(model, held_out):.3f}, {before:.3f} before training")
    names = new_names(model, set(learned), arguments.samples, arguments.temperature, rng)
    report("made up", ", ".join(names))


if __name__ == "__main__":
    run(main)
