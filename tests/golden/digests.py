"""The digests of all programs, as the files hold them.

lecture.json and training.json lead from a program to its digest. graphs.json has an entry for each
list of operations that random graphs were drawn from: the digests of a graph for each seed.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

import programs as lecture
from bits import bits, record

from . import graphs, programs

FOLDER = Path(__file__).parent
GRAPHS = 200  # of each list of operations

PROGRAMS = {
    "lecture": {
        f"{program.__name__}, {way}": partial(run, program=program)
        for program in lecture.PROGRAMS
        for way, run in (("eager", programs.lecture_eager), ("tape", programs.lecture_tape))
    },
    "training": {
        "moons with relu, eager": partial(programs.moons_eager, activation="relu"),
        "moons with relu, tape": partial(programs.moons_tape, activation="relu"),
        "moons with tanh, eager": partial(programs.moons_eager, activation="tanh"),
        "moons with tanh, tape": partial(programs.moons_tape, activation="tanh"),
        "four samples, eager": programs.four_samples,
        "layers, eager": programs.layers,
        "gpt, eager": programs.gpt_eager,
        "gpt, tape": programs.gpt_tape,
    },
}


def digest(found):
    """Of the bits of numbers, and of the data and grad of every node under Values."""
    numbers = [bits(x) for x in found if isinstance(x, float)]
    nodes = record([x for x in found if not isinstance(x, float)])
    lines = [*numbers, *(x for *_, data, grad in nodes for x in (data, grad))]
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()


def of_graphs(mg, operations):
    """An entry of graphs.json."""
    ways = {"eager": graphs.eager, "tape": programs.graph_tape}
    return {
        "operations": operations,
        **{
            way: [digest(run(mg, seed, operations)) for seed in range(GRAPHS)]
            for way, run in ways.items()
        },
    }


def computed(mg, lists):
    """What the files should hold, by their names; graphs.json for these lists of operations."""
    digests = {
        name: {title: digest(run(mg)) for title, run in programs.items()}
        for name, programs in PROGRAMS.items()
    }
    return {**digests, "graphs": [of_graphs(mg, operations) for operations in lists]}


def path(name):
    return FOLDER / f"{name}.json"


def read(name):
    return json.loads(path(name).read_text(encoding="ascii"))


def lists():
    """The lists of operations in graphs.json."""
    return [entry["operations"] for entry in read("graphs")]
