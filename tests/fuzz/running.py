"""Running a program in a package, line by line, and comparing what the packages make of it."""

import random
import re
import sys

import numpy as np
from bits import bits, record

from .pieces import TWINS, world


class Run:
    """A package that a program is run with, line by line."""

    def __init__(self, package, seed=0):
        module = sys.modules.get(f"world_of_{package}") or world(package)
        self.mg = module.mg
        self.names = dict(module.__dict__)
        self.given = set(self.names) | {"check", "__builtins__", "__warningregistry__"}
        self.names["check"] = self.state
        random.seed(seed)

    def do(self, code):
        """Run a line and tell what came of it, in a form that is the same for both packages."""
        before = self.names.copy()
        try:
            exec(code, self.names)
        except Exception as error:
            return type(error).__name__, without_package(error)
        return [
            (k, self.shown(v))
            for k, v in self.names.items()
            if k not in self.given and before.get(k, self) is not v
        ]

    def shown(self, x):
        """What must be equal of an object, without walking a graph."""
        try:
            return self.shown_whole(x)
        except Exception as error:  # in the repr of a module that a line has changed
            return type(x).__name__, type(error).__name__

    def shown_whole(self, x):
        if isinstance(x, self.mg.Value):
            fields = bits(x.data), bits(x.grad), x.label, x._op, len(x._children)
            return type(x).__name__, *fields
        if isinstance(x, np.ndarray):
            return "array", str(x.dtype), x.shape, [self.shown(y) for y in x.ravel().tolist()]
        if isinstance(x, (bool, int, str, bytes, type(None))):
            return type(x).__name__, without_package(x)
        if isinstance(x, float):
            return type(x).__name__, bits(float.__pos__(x))
        if isinstance(x, np.floating):
            return type(x).__name__, bits(float(x))
        if isinstance(x, dict):
            return "dict", [(k, self.shown(v)) for k, v in x.items()]
        if isinstance(x, (set, frozenset)):
            return sorted(repr(self.shown(y)) for y in x)
        if isinstance(x, (list, tuple)):
            return type(x).__name__, *(self.shown(y) for y in x)
        if isinstance(x, self.mg.Module):
            try:
                names = [name for name, _ in named_parameters_of(x)]
                return without_package(repr(x)), self.shown(parameters_of(x)), names, x.training
            except RecursionError:  # a module that holds itself
                return type(x).__name__
        if isinstance(x, (self.mg.SGD, self.mg.Adam, self.mg.RMSprop)):
            state = {k: list(v) if hasattr(v, "__len__") else v for k, v in vars(x).items()}
            state["_params"] = x.params  # which the fast package keeps in a form of its own
            return type(x).__name__, [(k, self.shown(v)) for k, v in sorted(state.items())]
        if isinstance(x, self.mg.Tape):
            try:
                gradient = self.shown(x.input_grad)
            except ValueError as error:
                gradient = str(error)
            return repr(x), len(x), self.shown(x.parameters), self.shown(x.inputs), gradient
        return type(x).__name__

    def state(self):
        """Every node in reach, and what else has a name."""
        roots, others = [], []
        for name, x in list(self.names.items()):
            if name not in self.given and name != "state":
                found = list(self.values_in(x))
                roots += found
                others.append((name, self.shown(x)))
        nodes = self.in_reach(roots)
        numbers = {id(x): i for i, x in enumerate(nodes)}
        hung = [(self.local_grads(x), self.placed(attributes_of(x), numbers)) for x in nodes]
        self.names["state"] = repr((record(nodes), hung, others))

    def in_reach(self, roots):
        """The roots, and each node under them or on their attributes, once."""
        found, pending = {}, roots[::-1]
        while pending:
            x = pending.pop()
            if id(x) not in found:
                found[id(x)] = x
                pending += [*x._children, *self.values_in(attributes_of(x))]
        return list(found.values())

    def local_grads(self, x):
        try:
            return [bits(slope) for slope in x._local_grads]
        except AttributeError as error:
            return without_package(error)

    def placed(self, x, numbers):
        """Attributes, with the number of each node that they hold: one node is not its copy."""
        if isinstance(x, self.mg.Value):
            return numbers[id(x)]
        if isinstance(x, dict):
            return [(k, self.placed(v, numbers)) for k, v in x.items()]
        if isinstance(x, (list, tuple)):
            return type(x).__name__, *(self.placed(y, numbers) for y in x)
        return self.shown(x)

    def values_in(self, x):
        if isinstance(x, self.mg.Value):
            yield x
        elif isinstance(x, (list, tuple)):
            for y in x:
                yield from self.values_in(y)
        elif isinstance(x, dict):
            yield from self.values_in(list(x.values()))
        elif isinstance(x, np.ndarray) and x.dtype == object:
            yield from self.values_in(x.ravel().tolist())
        elif isinstance(x, self.mg.Module):
            yield from self.values_in(parameters_of(x))
        elif isinstance(x, (self.mg.SGD, self.mg.Adam, self.mg.RMSprop)):
            yield from self.values_in(x.params)
        elif isinstance(x, self.mg.Tape):
            yield from self.values_in((x.inputs, x.parameters))


def attributes_of(x):
    """The attributes of a Value, that of the slot of Slotted among them."""
    slot = {"slot": x.slot} if hasattr(x, "slot") else {}
    return {**vars(x), **slot}


def parameters_of(module):
    try:
        return module.parameters()
    except Exception as error:
        return [type(error).__name__]


def named_parameters_of(module):
    try:
        return module.named_parameters()
    except Exception as error:
        return [(without_package(error), None)]


# CPython words the errors of a wrong call differently for Python and for C functions.
SIGNATURE = re.compile(
    r"argument|attribute '\w+' of|has no attribute|object attribute|property|can't set|readonly"
    r"|unpack"
)

# What is nested in Python (modules, deepcopy of steps) ends at a depth that depends on the frames
# in between, which the fast package does not have. A program ends there.
TOO_DEEP = "RecursionError", "too deep"

# CPython and NumPy name a type of an extension with its module in front, as we do.
OURS = re.compile(r"must be a|expected a Value")


def without_package(x):
    text = re.sub(r"world_of_micrograd_(ref|fast)|micrograd_(ref|fast)", "micrograd", str(x))
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"/\S*/tmp\w+", "/tmp", text)
    if isinstance(x, RecursionError):
        return TOO_DEEP[1]
    if isinstance(x, TypeError) and not OURS.search(text):
        text = re.sub(r"micrograd\.\w+\.", "", text)
    if isinstance(x, (TypeError, AttributeError, ValueError)) and SIGNATURE.search(text):
        return "wrong call"
    return text


def compiled(line):
    return compile(line, line, "exec")


def together(lines, *runs):
    """Run each line in both packages as it comes: the line, and what they make of it."""
    states = {run: random.getstate() for run in runs}
    for line in lines:
        code, outcomes = compiled(line), []
        for run in runs:
            random.setstate(states[run])
            outcomes.append(run.do(code))
            states[run] = random.getstate()
        if TOO_DEEP in outcomes:
            return
        yield line, *outcomes


def difference(lines):
    """The first line that differs, and what the packages make of it; None if none does."""
    state = random.getstate()
    try:
        for line, ref, fast in together([*lines, "check()"], *map(Run, TWINS)):
            if ref != fast:
                return line, ref, fast
        return None
    finally:
        random.setstate(state)
