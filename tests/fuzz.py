"""Random programs over the whole public API, run with both packages and compared to the last bit.

    python -m tests.fuzz --seconds 60 --seed 1    # exit status 1 at the first difference or crash
    python -m tests.fuzz --mutants                # shows that it can fail: see MUTANTS

A program is a list of source lines. What is compared: the result of each line, or the type and
message of its exception, and at each check() every node that the program can reach, with data,
grad, label, operation, operands, local gradients and attributes. A program that fails is made as
small as possible and printed as a script of its own.

The same seed gives the same programs, so that a failure can be repeated.
"""

import argparse
import ast
import contextlib
import gc
import importlib
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))
os.environ.pop("MICROGRAD_BACKEND", None)

from bits import bits, record

TWINS = ("micrograd_ref", "micrograd_fast")
LONGEST = 60  # seconds that a program may take before it counts as hanging


# What the lines of a program may use. Each piece stands in a failing script only if it is needed.

IMPORTS = (
    "import copy, datetime, decimal, fractions, gc, importlib, math, operator, os, pickle, random, "
    "sys, tempfile, warnings\n\nimport numpy as np\n\nwarnings.simplefilter('ignore')\n"
)

PIECES = {
    "other": """
other = importlib.import_module({"micrograd_ref": "micrograd_fast"}.get(mg.__name__, TWIN))
""".replace("TWIN", repr(TWINS[0])),
    "Float": """
class Float(float):
    pass
""",
    "Computed": """
class Computed(float):
    def __float__(self):
        return 2.5
""",
    "Failing": """
class Failing(float):
    def __float__(self):
        raise KeyError("no number today")
""",
    "Integer": """
class Integer(int):
    pass
""",
    "Text": """
class Text(str):
    def __str__(self):
        return "another text"
""",
    "Sub": """
class Sub(mg.Value):
    pass
""",
    "Slotted": """
class Slotted(mg.Value):
    __slots__ = ("slot",)
""",
    "Stepping": """
class Stepping(mg.Value):
    @property
    def _backward(self):
        def step():
            for i, x in enumerate(self._children):
                x.grad += (i + 0.7) * self.grad
        return step
""",
    "Renamed": """
class Renamed(mg.Value):
    def __add__(self, other):
        return super().__add__(other) * 2
    def relu(self):
        return self.tanh()
""",
    "Step": """
class Step:
    def __init__(self, out, operands):
        self.out, self.operands = out, operands
    def __call__(self):
        for i, x in enumerate(self.operands):
            x.grad += (i + 0.1) * self.out.grad
""",
    "custom": """
def custom(operands, data, name, kind):
    out = mg.Value(data, operands, name, "made by hand")
    left = [2]

    def add():
        for i, x in enumerate(operands):
            x.grad += (i + 0.3) * out.grad

    def again():
        left[0] -= 1
        add()
        if left[0] >= 0 and operands:
            operands[-1].backward()

    def change():
        add()
        for x in operands:
            x.data = x.data * 0.5 + 1

    def fail():
        add()
        raise LookupError(f"step of {name}")

    def replace():
        add()
        out._backward = add

    def collect():
        add()
        gc.collect(0)

    def build():
        left[0] -= 1
        add()
        if left[0] >= 0:
            (mg.sum([x * x for x in operands]) + out).backward()

    steps = [add, again, change, fail, replace, collect, build, Step(out, operands)]
    if kind < len(steps):
        out._backward = steps[kind]
    return out
""",
    "chain": """
def chain(a, b, n, kind):
    out = a
    for i in range(n):
        if kind == 0:
            out = out + b
        elif kind == 1:
            out = out + a * b
        elif kind == 2:
            out = (out * b).tanh()
        else:
            out = out * 0.5 + b * (i * 0.1)
    return out
""",
    "Scaled": """
class Scaled(mg.Neuron):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = mg.Value(1.5)
    def __call__(self, x):
        return super().__call__(x) * self.scale
    def parameters(self):
        return [*super().parameters(), self.scale]
""",
    "Pair": """
class Pair(mg.Module):
    def __init__(self, first, second):
        self.first, self.second = first, second
    def __call__(self, x):
        first, second = self.first(x), self.second(x)
        return [first, second]
    def parameters(self):
        return self.first.parameters() + self.second.parameters()
""",
    "folder": """
folder = tempfile.TemporaryDirectory()
""",
    "path": """
def path(name):
    return os.path.join(folder.name, name)
""",
    "squares": """
def squares(x):
    return mg.sum([xi * xi for xi in x])
""",
    "rows": """
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, math.inf, -math.inf, math.nan, 5e-324, 1e308, -1e-160]

def rows(seed, *shape):
    rng = np.random.default_rng(seed)
    out = rng.uniform(-2, 2, shape)
    if seed % 3 == 0:
        special = rng.random(shape) < 0.2
        out[special] = rng.choice(SPECIAL, shape)[special]
    return out
""",
}
NEEDS = {"custom": ("Step",), "path": ("folder",)}


def world(package):
    """A module with what the lines of a program may use, made for a package."""
    module = types.ModuleType(f"world_of_{package}")
    sys.modules[module.__name__] = module  # where pickle looks
    module.mg = importlib.import_module(package)
    exec(IMPORTS + "".join(PIECES.values()), module.__dict__)
    return module


# Running


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
                return without_package(repr(x)), self.shown(parameters_of(x))
            except RecursionError:  # a module that holds itself
                return type(x).__name__
        if isinstance(x, (self.mg.SGD, self.mg.Adam)):
            state = {k: list(v) if hasattr(v, "__len__") else v for k, v in vars(x).items()}
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
        elif isinstance(x, (self.mg.SGD, self.mg.Adam)):
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


def difference(lines):
    """The first line that differs, and what the packages make of it; None if none does."""
    state = random.getstate()
    try:
        outcomes = []
        for package in TWINS:
            run = Run(package)
            outcomes.append([run.do(compiled(line)) for line in (*lines, "check()")])
        for line, ref, fast in zip([*lines, "check()"], *outcomes, strict=True):
            if TOO_DEEP in (ref, fast):
                return None
            if ref != fast:
                return line, ref, fast
        return None
    finally:
        random.setstate(state)


# Writing programs. The reference runs along, so that a line can use what is there.

UNARY = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "linear")
LABELS = ("a", "", "x|y", "{<é>}", "\\n", "long " * 9)
ATTRIBUTES = ("m", "m", "note", "slot", "_private", "colour")
SMALL = ("0", "1", "2", "3", "-1", "-2", "0.5", "-0.5", "4", "1.5", "-3")
ODD = (
    "0.0", "-0.0", "1.0", "math.inf", "-math.inf", "math.nan", "5e-324", "-5e-324", "1e308",
    "-1e308", "1e-160", "2.2250738585072014e-308", "709.78", "-745.1", "1e16", "True", "False",
    "10**30", "-(2**53) - 1", "2**1023", "np.float32(0.1)", "np.float16(-2.5)", "np.float64('nan')",
    "np.float64(-0.0)", "np.int8(-3)", "np.uint64(2**64 - 1)", "np.int32(7)", "np.bool_(True)",
    "np.longdouble(0.1)", "Float(0.25)", "Float('-inf')", "Computed(1.0)", "Integer(3)",
)  # fmt: skip
BAD = (
    "'1'", "None", "1j", "[1.0]", "()", "b'1'", "10**400", "-(10**400)", "float", "object()",
    "fractions.Fraction(1, 2)", "decimal.Decimal(1)", "np.complex128(1)", "np.str_('1')",
    "np.datetime64('2020-01-01')", "np.timedelta64(1, 's')", "other.Value(1.0)", "Failing(1.0)",
    "datetime.timedelta(1)", "{}", "lambda: 1",
)  # fmt: skip


def is_python(line):
    try:
        return bool(compiled(line))
    except SyntaxError:  # an assignment to what is no name
        return False


class Writer:
    """Writes a program line by line."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.run = Run(TWINS[0])
        self.count = 0
        # A program that leaves some kinds of lines out has more of the others.
        always = ("leaf", "binary", "unary", "backward")
        self.kinds = [
            (name, weight)
            for name, weight in LINES.items()
            if name in always or self.rng.random() < 0.5
        ]
        self.badness = self.rng.choice((0, 0, 0.02, 0.1))
        self.oddness = self.rng.choice((0, 0.05, 0.3))

    def lines(self):
        """A whole program, and what the reference makes of each line."""
        names, weights = zip(*self.kinds, strict=True)
        length = self.rng.choice((5, 10, 20, 40))
        lines = []
        for name in ["leaf", *self.rng.choices(names, weights, k=length)]:
            line = getattr(self, name)()
            lines.append(line if is_python(line) else self.leaf())
            if name in CHANGING and self.rng.random() < 0.5:
                lines.append("check()")
            yield from lines
            lines.clear()
        yield "check()"

    # Words

    def chance(self, p):
        return self.rng.random() < p

    def new(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    def live(self, *kinds):
        return [
            k
            for k, x in self.run.names.items()
            if k not in self.run.given and isinstance(x, tuple(kinds))
        ]

    def value(self):
        found = self.live(self.run.mg.Value)
        if not found:
            return "mg.Value(0.75)"
        if self.chance(0.5):
            return self.rng.choice(found[-4:])
        return self.rng.choice(found)

    def leaves(self, most):
        found = [k for k in self.live(self.run.mg.Value) if not self.run.names[k]._children]
        self.rng.shuffle(found)
        return found[: self.rng.randint(0, most)]

    def number(self):
        if self.chance(self.badness):
            return self.rng.choice(BAD)
        if self.chance(self.oddness):
            return self.rng.choice(ODD)
        if self.chance(0.3):
            return self.rng.choice(SMALL)
        if self.chance(0.2):
            return repr(math.ldexp(self.rng.uniform(-1, 1), self.rng.randint(-60, 12)))
        return repr(self.rng.uniform(-3, 3))

    def operand(self):
        return self.value() if self.chance(0.8) else self.number()

    def operands(self, most):
        return [self.operand() for _ in range(self.rng.randint(0, most))]

    def sequence(self, items):
        text = ", ".join(items)
        if self.chance(0.8):
            return f"[{text}]"
        return self.rng.choice(("iter([{}])", "({},)" if items else "()", "tuple([{}])")).format(
            text
        )

    def label(self):
        if self.chance(self.badness):
            return self.rng.choice(("None", "3", "b'x'", "['x']", "Text('kept')"))
        return repr(self.rng.choice(LABELS))

    def expression(self, depth):
        if depth == 0 or self.chance(0.15):
            return self.operand()
        a, b = self.expression(depth - 1), self.expression(depth - 1)
        if self.chance(0.1):
            a = self.value()
            return f"{a}.{self.rng.choice(UNARY)}()"
        return f"({a} {self.rng.choice('+++***-/')} {b})"

    # Lines

    def leaf(self):
        number = self.number()
        return self.new("v") + self.rng.choice(
            (
                f" = mg.Value({number})",
                f" = mg.Value({number})",
                f" = mg.Value({number}, label={self.label()})",
                f" = mg.Value(data={number})",
                f" = mg.Value({number}, (), '', {self.label()})",
            )
        )

    def subclass(self):
        kind = self.rng.choice(("Sub", "Slotted", "Stepping", "Renamed"))
        if self.chance(0.5):
            name = self.rng.choice(("'sub'", "''"))
            children = self.sequence([self.value()])
            return f"{self.new('v')} = {kind}({self.number()}, {children}, {name})"
        return f"{self.new('v')} = {kind}({self.number()}, label={self.label()})"

    def local_grads(self):
        """A custom operation made from its local gradients."""
        children = [self.value() for _ in range(self.rng.choice((0, 1, 1, 2, 2, 3)))]
        slopes = [self.number() for _ in children]
        if self.chance(self.badness):
            slopes.append(self.rng.choice((*BAD, "1.0")))
        slopes = (f"({', '.join(slopes)},)" if slopes else "()", f"[{', '.join(slopes)}]")
        given = self.rng.choice(slopes)
        kind = self.rng.choice(("mg.Value", "mg.Value", "mg.Value", "Sub", "Slotted", "Renamed"))
        forms = [given, given, f"{self.label()}, local_grads={given}", f"local_grads={given}"]
        if self.chance(self.badness):
            forms = f"{given}, '', {given}", f"{given}, local_grads={given}", "local_grads={1.0}"
        form = self.rng.choice(forms)
        return f"{self.new('v')} = {kind}({self.number()}, {self.sequence(children)}, {form})"

    def attribute(self):
        a, b, c, name = self.value(), self.value(), self.value(), self.rng.choice(ATTRIBUTES)
        thing = self.rng.choice(
            (self.number(), b, a, f"[{b}, {a}]", "[]", f"{{'k': [{b}, (1, {c})]}}", "'text'")
        )
        dictionary = self.rng.choice(("{}", f"{{{name!r}: {thing}}}", "3", f"vars({b})"))
        line = self.rng.choice(
            (
                f"{a}.{name} = {thing}",
                f"{a}.{name} = {thing}",
                f"{a}.{name} = {thing}",
                f"{a}.{name} = {b} * 2; {b}.{name} = {a}",
                f"{a}.tanh = {thing}",
                f"{a}.{name} += 0.5",
                f"{a}.{name}.append({b})",
                f"{a}.{name}.{name} = {thing}",
                f"del {a}.{name}",
                f"{self.new('r')} = {a}.{name}",
                f"{self.new('r')} = getattr({a}, {name!r}, None), hasattr({b}, {name!r})",
                f"{self.new('r')} = dict(vars({a}))",
                f"{self.new('r')} = {name!r} in dir({a}), {a}.__dict__ is vars({a})",
                f"setattr({a}, 'a name', {thing})",
                f"vars({a})[{name!r}] = {thing}",
                f"vars({a}).update(vars({b}))",
                f"vars({a}).clear()",
                f"vars({a})['label'] = {self.rng.choice(LABELS)!r}",
                f"{a}.label = ''; {self.new('r')} = list(vars({a})), {a}.label",
                f"{a}.__dict__ = {dictionary}",
                f"[setattr(p, {name!r}, p.data) for p in {a}._children]",
                f"{a} = None; gc.collect()",
            )
        )
        return line + ("; gc.collect()" if self.chance(0.1) else "")

    def binary(self):
        a, b = self.value(), self.operand()
        if self.chance(0.3):
            a, b = b, a
        operator = self.rng.choice(("+", "-", "*", "/", "**", "+", "*", "maximum"))
        if operator == "maximum":
            return f"{self.new('v')} = mg.maximum({a}, {b})"
        return f"{self.new('v')} = {a} {operator} {b}"

    def augmented(self):
        return f"{self.value()} {self.rng.choice(('+', '-', '*', '/', '**'))}= {self.operand()}"

    def nested(self):
        return f"{self.new('v')} = {self.expression(self.rng.randint(2, 4))}"

    def unary(self):
        a = self.value()
        form = self.rng.choice((*(f"{{}}.{name}()" for name in UNARY), "-{}", "abs({})"))
        return f"{self.new('v')} = {form.format(a)}"

    def power(self):
        k = self.rng.choice(SMALL) if self.chance(0.6) else self.number()
        if self.chance(0.1):
            return f"{self.new('v')} = pow({self.operand()}, {self.operand()}, {self.operand()})"
        return f"{self.new('v')} = {self.value()} ** {k}"

    def dot(self):
        xs, ys = self.operands(5), self.operands(5)
        if not self.chance(self.badness):
            ys = (ys + [self.value() for _ in xs])[: len(xs)]
        start = f", {self.operand()}" if self.chance(0.5) else ""
        return f"{self.new('v')} = mg.dot({self.sequence(xs)}, {self.sequence(ys)}{start})"

    def sum(self):
        start = f", start={self.operand()}" if self.chance(0.3) else ""
        return f"{self.new('v')} = mg.sum({self.sequence(self.operands(6))}{start})"

    def long(self):
        n, kind = self.rng.choice((3, 10, 40)), self.rng.randint(0, 3)
        return f"{self.new('v')} = chain({self.value()}, {self.value()}, {n}, {kind})"

    def custom(self):
        values = ", ".join(self.value() for _ in range(self.rng.randint(0, 3)))
        kind = self.rng.randint(0, 8)
        return f"{self.new('v')} = custom([{values}], {self.number()}, {self.label()}, {kind})"

    def wrong_value(self):
        a, b = self.value(), self.operand()
        bad = self.rng.choice(BAD)
        return self.rng.choice(
            (
                f"{self.new('v')} = mg.Value({bad}, [{a}, {b}], {self.label()})",
                f"{self.new('v')} = mg.Value(1.0, [{b}, {bad}], {self.label()})",
                f"{self.new('v')} = mg.Value(1.0, {bad})",
                f"{self.new('v')} = mg.Value(1.0, (), {bad}, {bad})",
                f"{self.new('v')} = mg.Value(1.0, label={bad})",
                f"{self.new('v')} = mg.Value()",
                f"{self.new('v')} = mg.Value(1, (), '', '', 5)",
                f"{self.new('v')} = mg.Value(1, color=5)",
                f"{self.new('v')} = mg.Value.__new__(mg.Value)",
                f"{a}.__init__({self.number()})",
                f"{self.new('v')} = {bad} + {a}",
                f"{self.new('v')} = {a} - {bad}",
                f"{self.new('v')} = {bad} ** {a}",
                f"{self.new('v')} = {a} ** {bad}",
                f"{self.new('v')} = {a} < {bad}",
                f"{self.new('v')} = mg.sum({bad})",
                f"{self.new('v')} = mg.dot([{a}, {bad}], [{b}, {a}], {bad})",
                f"{self.new('v')} = mg.dot({bad}, [{a}])",
                f"{a}.data = {bad}",
                f"{a}.grad = {bad}",
                f"{a}.label = {bad}",
                f"{a}._backward = {bad}",
                f"{a}._op = 'x'",
                f"{a}._children = ()",
                f"{a}._prev = set()",
                f"{a}._local_grads = (1.0,)",
                f"{self.new('t')} = mg.Tape(mg.Value(1.0, ({a},), ({self.number()},)) * 2)",
                f"del {a}.{self.rng.choice(('data', 'grad', 'label', '_op', '_prev', 'note'))}",
                f"del {a}.{self.rng.choice(('_children', '_backward', '_local_grads'))}",
                f"{a}.nothing",
                f"{a}.backward({b})",
                f"float({a})",
                f"int({a})",
                f"{a} @ {b}",
                f"{a} // {b}",
                f"{a} % 2",
                f"{a}()",
                f"{a}[0]",
                f"math.exp({a})",
                f"np.array([{a}], dtype=float)",
            )
        )

    def ask(self):
        a, b = self.value(), self.operand()
        return self.new("r") + self.rng.choice(
            (
                f" = {a} {self.rng.choice(('<', '<=', '>', '>='))} {b}",
                f" = {b} {self.rng.choice(('<', '<=', '>', '>='))} {a}",
                f" = {a} == {b}, {a} != {b}",
                f" = max({a}, {b}), min({b}, {a})",
                f" = sorted([{a}, {b}, {self.value()}])",
                f" = repr({a}), str({a}), bool({a})",
                f" = {a} in [{b}], hash({a}) == hash({a})",
                f" = [x.data for x in {a}._children], len({a}._prev), {a}._op",
                f" = {a}._children",
                f" = {a}._local_grads",
                f" = len(mg.trace({a})[0]), len(mg.trace({a})[1])",
                f" = mg.draw_dot({a}, max_nodes=30).source",
                f" = mg.gradcheck(lambda x: x * {a} + x, [{a}])",
            )
        )

    def arrays(self):
        a, b, c = self.value(), self.operand(), self.operand()
        array = f"np.array([{a}, {b}, {c}], dtype=object)"
        numbers = self.rng.choice(
            ("np.array([1.5, -2.0])", "np.arange(4).reshape(2, 2)", "np.array(2.5)", "np.zeros(0)")
        )
        operator = self.rng.choice(("+", "-", "*", "/", "**", "<", ">="))
        # Not **, with which NumPy raises a big int to a big int for hours.
        between = self.rng.choice(("+", "-", "*", "/", "<", ">="))
        return self.new("r") + self.rng.choice(
            (
                f" = {a} {operator} {numbers}",
                f" = {numbers} {operator} {a}",
                f" = {array} {between} {b}",
                f" = {array} * {array}",
                f" = {array}.sum()",
                f" = {array} @ {array}",
                f" = np.{self.rng.choice(('exp', 'tanh', 'sqrt', 'sin'))}({array})",
                f" = np.{self.rng.choice(('exp', 'log', 'cos', 'abs'))}({a})",
                f" = np.array([{a}, '1'], dtype=object) + {a}",
                f" = mg.sum({array})",
            )
        )

    def assign(self):
        a = self.value()
        return self.rng.choice(
            (
                f"{a}.data = {self.number()}",
                f"{a}.data += {self.number()}",
                f"{a}.grad = {self.number()}",
                f"{a}.label = {self.label()}",
                f"{a}.label += 'more'",
                f"{a}.data -= 0.1 * {a}.grad",
            )
        )

    def rename(self):
        return f"{self.value()} = {self.operand()}"

    def forget(self):
        return f"del {self.value()}"

    def backward(self):
        return f"{self.value()}.backward()"

    def step(self):
        a = self.value()
        return self.rng.choice((f"{a}._backward()", f"{a}.grad = 1.5; {a}._backward()"))

    def new_step(self):
        a, b = self.value(), self.value()
        return self.rng.choice(
            (
                f"{a}._backward = Step({a}, list({a}._children))",
                f"{a}._backward = {b}._backward",
                f"{a}._backward = {b}.backward",
                f"{a}._backward = int",
            )
        )

    def copying(self):
        found = self.live(
            self.run.mg.Value,
            self.run.mg.Module,
            self.run.mg.Tape,
            self.run.mg.SGD,
            self.run.mg.Adam,
        )
        a = self.rng.choice(found) if found else self.value()
        b = self.value()
        how = self.rng.choice(
            (
                "pickle.loads(pickle.dumps({}))",
                "pickle.loads(pickle.dumps({}, 0))",
                "pickle.loads(pickle.dumps({}, 2))",
                "copy.copy({})",
                "copy.deepcopy({})",
                "copy.deepcopy({})",
            )
        )
        prefix = a[0] if a[0] in "vmot" else "v"
        if self.chance(0.3):
            return f"{self.new('r')} = {how.format(f'[{a}, {b}, {a}]')}"
        return f"{self.new(prefix)} = {how.format(a)}"

    def module(self):
        rng = self.rng
        nin, nout = rng.randint(1, 3), rng.randint(1, 3)
        if self.chance(self.badness):
            nin = rng.choice((0, -1, 2.0, "'2'", "True", "np.int64(2)", "None"))
        if self.chance(self.badness):
            nout = rng.choice((0, 2.5, "None", "np.int8(2)"))
        activation = rng.choice(ACTIVATIONS)
        if self.chance(self.badness):
            activation = rng.choice(("ReLU", "", "exp"))
        nouts = self.sequence([str(rng.randint(1, 3)) for _ in range(rng.randint(0, 2))] + ["1"])
        if self.chance(0.3):
            nouts = f"[{nout}, {rng.randint(1, 3)}]"
        seed = f"random.seed({rng.randint(0, 99)}); {self.new('m')}"
        return f"{seed} = " + rng.choice(
            (
                f"mg.Neuron({nin}, activation={activation!r})",
                f"mg.Neuron({nin}, {rng.choice(('True', 'False', '0'))}, {activation!r})",
                f"mg.Layer({nin}, {nout}, activation={activation!r})",
                f"mg.Layer({nin}, {nout})",
                f"mg.MLP({nin}, {nouts}, {activation!r}, {rng.choice(ACTIVATIONS)!r})",
                f"mg.MLP({nin}, {nouts})",
                f"Scaled({nin}, activation={activation!r})",
                f"Pair(mg.MLP({nin}, [2, 1]), mg.Neuron({nin}))",
                "mg.Module()",
            )
        )

    def pick_module(self):
        found = self.live(self.run.mg.Module)
        return self.rng.choice(found) if found else "mg.Neuron(2)"

    def inputs_of(self, name):
        module = self.run.names.get(name)
        module = getattr(module, "first", module)
        weights = getattr(module, "w", ())
        return getattr(module, "nin", len(weights) if isinstance(weights, (list, tuple)) else 2)

    def call(self):
        m = self.pick_module()
        n = self.inputs_of(m)
        if self.chance(self.badness):
            n += self.rng.choice((-1, 1))
        items = [self.operand() for _ in range(max(n, 0))]
        return f"{self.new('r')} = {m}({self.sequence(items)})"

    def take(self):
        found = [k for k in self.live(list, tuple) if self.run.names[k]]
        found += self.live(self.run.mg.Module)
        if not found:
            return self.leaf()
        name = self.rng.choice(found)
        if isinstance(self.run.names[name], self.run.mg.Module):
            name += ".parameters()"
        return f"{self.new('v')} = {name}[{self.rng.randint(-1, 2)}]"

    def change_module(self):
        m, a = self.pick_module(), self.operand()
        return self.rng.choice(
            (
                f"{m}.zero_grad()",
                f"mg.sum({m}.parameters()).backward(); {m}.zero_grad()",
                f"mg.sum({m}.parameters()).backward(); {m}.zero_grad()",
                f"{m}.w[0] = {a}",
                f"{m}.b = {a}",
                f"{m}.activation = {self.rng.choice((*ACTIVATIONS, 'exp', 'nothing'))!r}",
                f"{m}.nonlin = not {m}.nonlin",
                f"{m}.neurons[0] = Scaled({m}.nin)",
                f"{m}.neurons[-1] = squares",
                f"{m}.neurons.append(mg.Neuron({m}.nin))",
                f"{m}.neurons[0] = {self.pick_module()}",
                f"{m}.layers[0] = {self.pick_module()}",
                f"{m}.w = tuple({m}.w)",
                f"{m}.w.append({a})",
                f"{m}.w = iter([{a}])",
                f"{m}.nin = {self.rng.randint(1, 3)}",
                f"for p in {m}.parameters(): p.data -= 0.05 * p.grad",
                f"for i, p in enumerate({m}.parameters()): p.label = f'p{{i}}'",
                f"{self.new('r')} = [p.data for p in {m}.parameters()], repr({m})",
            )
        )

    def optimizer(self):
        rng = self.rng
        if self.chance(0.5):
            params = f"{self.pick_module()}.parameters()"
        else:
            params = f"[{', '.join(dict.fromkeys(self.value() for _ in range(3)))}]"
        if self.chance(self.badness):
            params = rng.choice(("[]", f"[{self.value()}] * 2", "3", f"[{self.number()}]"))
        lr = rng.choice(("0.1", "0.01", "1", "0", "np.float32(0.3)", "1e300"))
        if self.chance(self.badness):
            lr = rng.choice((*BAD, "-1", "math.nan", "math.inf"))
        beta = rng.choice(("0", "0.9", "0.999", "0.5", "Float(0.25)"))
        if self.chance(self.badness):
            beta = rng.choice((*BAD, "-1", "1", "math.nan"))
        return self.new("o") + rng.choice(
            (
                f" = mg.SGD({params}, {lr})",
                f" = mg.SGD({params}, {lr}, {beta})",
                f" = mg.SGD({params}, lr={lr}, momentum={beta})",
                f" = mg.Adam({params})",
                f" = mg.Adam({params}, {lr}, ({beta}, 0.9), {rng.choice(('1e-8', '0', '1'))})",
                f" = mg.Adam({params}, {lr}, betas=(0.8, {beta}))",
            )
        )

    def train(self):
        found = self.live(self.run.mg.SGD, self.run.mg.Adam)
        if not found:
            return self.optimizer()
        o = self.rng.choice(found)
        return self.rng.choice(
            (
                f"{o}.step()",
                f"{o}.step()",
                f"{o}.step()",
                f"{o}.zero_grad()",
                f"{o}.zero_grad(); {self.value()}.backward(); {o}.step()",
                f"{o}.lr = {self.number()}",
                f"{o}.lr *= 0.5",
                f"{o}.params = ()",
                f"{o}.momentum = 0.3",
                f"{o}.betas = (0.25, 0.5)",
            )
        )

    def loss(self):
        n = self.rng.randint(1, 4)
        xs, ys = [self.operand() for _ in range(n)], [self.operand() for _ in range(n)]
        if self.chance(self.badness):
            ys = self.operands(2)
        weights = [self.rng.choice(("0.0", "1.0", "0.5", self.operand())) for _ in range(n)]
        target = self.rng.choice((str(self.rng.randint(0, n - 1)), f"[{', '.join(weights)}]"))
        if self.chance(self.badness):
            target = self.rng.choice((str(n), "-1", "True", "np.int8(0)", "1.0", *BAD))
        name = self.rng.choice(("mse", "hinge", "binary_cross_entropy", "softmax", "cross_entropy"))
        if name == "binary_cross_entropy" and self.chance(0.8):
            ys = weights
        if name == "softmax":
            return f"{self.new('r')} = mg.softmax({self.sequence(xs)})"
        if name == "cross_entropy":
            return f"{self.new('v')} = mg.cross_entropy({self.sequence(xs)}, {target})"
        return f"{self.new('v')} = mg.{name}({self.sequence(xs)}, {self.sequence(ys)})"

    def anomaly(self):
        name = self.rng.choice(("binary", "unary", "nested", "dot", "backward", "custom", "replay"))
        line = getattr(self, name)()
        more = f"; {self.value()}.backward()" if self.chance(0.2) else ""
        return f"with mg.detect_anomaly(): {line}{more}"

    def file(self):
        m, other = self.pick_module(), self.pick_module()
        return self.rng.choice(
            (
                f"{m}.save(path('a')); {m}.load(path('a'))",
                f"{m}.save(path('b'))",
                f"{m}.load(path('b'))",
                f"{m}.save(path('c')); {other}.load(path('c'))",
                f"{m}.load(path('missing'))",
            )
        )

    def between(self):
        a, b, c = self.value(), self.operand(), self.operand()
        return self.new("r") + self.rng.choice(
            (
                f" = mg.array([{self.number()}, {self.number()}])",
                " = mg.array([[1, 2], [3, 4.5]])",
                f" = mg.data([{a}, {b}, {c}])",
                f" = mg.grad([{a}, {b}])",
                f" = mg.data([[{a}, {b}], [{c}, 1.5]])",
                f" = mg.data({b}), mg.grad({a})",
                f" = {a}._repr_html_()",
            )
        )

    def tape(self):
        outputs = self.value()
        if self.chance(0.3):
            outputs = self.sequence([self.value() for _ in range(self.rng.randint(1, 3))])
        inputs = self.leaves(3)
        if self.chance(0.9):
            name = outputs.strip("[]()").split(",")[0].split("[")[-1].strip()
            root = self.run.names.get(name)
            if isinstance(root, self.run.mg.Value):
                under = self.run.mg.trace(root)[0]
                inputs = [k for k in inputs if self.run.names[k] in under]
                inputs = list({id(self.run.names[k]): k for k in inputs}.values())
        if self.chance(self.badness):
            inputs.append(self.operand())
        if self.chance(self.badness):
            outputs = self.rng.choice(("[]", "3", f"[{self.number()}]", "None"))
        return f"{self.new('t')} = mg.Tape({outputs}, {self.sequence(inputs)})"

    def pick_tape(self):
        found = self.live(self.run.mg.Tape)
        return self.rng.choice(found) if found else None

    def forward(self):
        t = self.pick_tape()
        if t is None:
            return self.tape()
        tape = self.run.names[t]
        most = 12_000 // (len(tape) + 1)
        n = self.rng.choice([n for n in (0, 1, 2, 5, 8, 9, 31, 127, 128, 129, 300) if n <= most])
        k = len(tape.inputs)
        if self.chance(self.badness):
            k += self.rng.choice((-1, 1))
        seed = self.rng.randint(0, 99)
        table = f"rows({seed}, {n}, {max(k, 0)})"
        if self.chance(0.15):
            table = f"rows({seed}, {max(k, 0)})"
        if self.chance(0.2):
            table += self.rng.choice(
                (
                    ".tolist()",
                    "[::-1]",
                    ".astype(np.float32)",
                    ".copy(order='F')",
                    ".astype('>f8')",
                    " > 0",
                    "[..., ::-1]",
                    "[:0]",
                    ".astype(object)",
                    ".astype(complex)",
                    "[None]",
                )
            )
        return f"{self.new('r')} = {t}.forward({table})"

    def differentiate(self):
        t = self.pick_tape()
        if t is None:
            return self.tape()
        shapes = [
            self.run.names[k].shape
            for k in reversed(self.live(np.ndarray))
            if self.run.names[k].dtype == np.float64
        ]
        if self.chance(0.3) or not shapes:
            return f"{t}.backward()"
        shape = shapes[0] if self.chance(0.8) else self.rng.choice(shapes)
        if self.chance(self.badness):
            shape = (3,)
        seed = f"rows({self.rng.randint(0, 99)}, {', '.join(map(str, shape))})"
        if self.chance(0.1):
            seed += self.rng.choice((".tolist()", "[::-1]", ".astype(np.float32)", ".astype(str)"))
        return f"{t}.backward({seed})"

    def replay(self):
        t = self.pick_tape()
        if t is None:
            return self.tape()
        tape = self.run.names[t]
        k, most = len(tape.inputs), 12_000 // (len(tape) + 1)
        n = self.rng.choice([n for n in (1, 2, 3, 7, 16, 130) if n <= most])
        table = f"rows({self.rng.randint(0, 99)}, {n}, {k})"
        r = self.new("r")
        seed = self.rng.choice(("None", f"rows({self.rng.randint(0, 99)}, *np.shape({r}))"))
        return f"{r} = {t}.forward({table}); {t}.backward({seed})"

    def ask_tape(self):
        t = self.pick_tape()
        if t is None:
            return self.tape()
        return self.rng.choice(
            (
                f"{self.new('r')} = {t}.input_grad",
                f"{self.new('r')} = len({t}), repr({t}), len({t}.inputs)",
                f"{self.new('r')} = {t}.parameters",
                f"for p in {t}.parameters: p.data *= 0.9; p.grad = 0",
                f"{t}.forward({self.rng.choice(BAD)})",
                f"{t}.backward({self.rng.choice(BAD)})",
                f"{t}.forward()",
            )
        )


# Kinds of lines and how often they come.
LINES = {
    "leaf": 5, "binary": 10, "unary": 6, "backward": 6, "subclass": 1, "augmented": 3, "nested": 5,
    "power": 4, "dot": 4, "sum": 3, "long": 1, "custom": 3, "local_grads": 3, "attribute": 4,
    "wrong_value": 2, "ask": 2, "arrays": 1.5, "assign": 5, "rename": 1, "forget": 1, "step": 1.5,
    "new_step": 1, "copying": 2, "loss": 2, "anomaly": 2, "file": 0.3, "between": 1,
    "module": 3, "call": 6, "take": 3, "change_module": 3, "optimizer": 2, "train": 5, "tape": 4,
    "forward": 3, "differentiate": 3, "replay": 4, "ask_tape": 1,
}  # fmt: skip
CHANGING = (
    "backward", "assign", "step", "train", "differentiate", "replay", "copying", "attribute",
)  # fmt: skip


class Tally:
    """How many programs and lines were run, and how many lines raised."""

    def __init__(self):
        self.programs = self.lines = self.errors = 0

    def __str__(self):
        return f"{self.programs} programs, {self.lines} operations, {self.errors} of them refused"


def program(seed):
    """The lines of a program, which only the reference runs along the way."""
    writer = Writer(seed)
    for line in writer.lines():
        yield line
        writer.run.do(compiled(line))


def fuzz_one(seed, tally):
    """Write and run a program: its lines up to a difference, None if there is none."""
    writer, fast, done = Writer(seed), Run(TWINS[1]), []
    state = {run: random.getstate() for run in (writer.run, fast)}
    tally.programs += 1
    for line in writer.lines():
        done.append(line)
        tally.lines += line != "check()"
        code, outcomes = compiled(line), []
        for run in (writer.run, fast):
            random.setstate(state[run])
            outcomes.append(run.do(code))
            state[run] = random.getstate()
        tally.errors += type(outcomes[0]) is tuple
        if TOO_DEEP in outcomes:
            return None
        if outcomes[0] != outcomes[1]:
            return done
    return None


def search(seed, seconds, tally, first=0, announce=None):
    """The lines of the first program that differs, None if there is none in so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if announce:
            announce(first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lines = fuzz_one(f"{seed}:{first}", tally)
        if lines is not None:
            return lines
        first += 1
    return None


# Making a failing program small


def minimised(lines, fails, seconds=60):
    """The fewest and simplest lines that still fail, as far as the time allows."""
    end = time.monotonic() + seconds
    size = len(lines) // 2
    while size and time.monotonic() < end:
        i = 0
        while i < len(lines) and time.monotonic() < end:
            fewer = lines[:i] + lines[i + size :]
            if fails(fewer):
                lines = fewer
            else:
                i += size
        size //= 2
    changed = True
    while changed and time.monotonic() < end:
        changed = False
        for i, line in enumerate(lines):
            for simpler in simpler_lines(line):
                changed_lines = [*lines[:i], simpler, *lines[i + 1 :]]
                if time.monotonic() < end and fails(changed_lines):
                    lines = changed_lines
                    changed = True
                    break
        for i in reversed(range(len(lines))):
            if time.monotonic() < end and fails(lines[:i] + lines[i + 1 :]):
                lines = lines[:i] + lines[i + 1 :]
                changed = True
    return lines


def simpler_lines(line):
    """Lines with an operator replaced by one of its operands, or without an item of a list."""
    n = sum(1 for _ in ast.walk(ast.parse(line)))
    for k in range(n):
        for choice in range(4):
            tree = ast.parse(line)
            node = list(ast.walk(tree))[k]
            if isinstance(node, (ast.List, ast.Tuple)) and choice < len(node.elts):
                del node.elts[choice]
            elif isinstance(node, ast.BinOp) and choice < 2:
                tree = replaced(tree, node, node.left if choice == 0 else node.right)
            elif isinstance(node, ast.Module) and len(node.body) > 1 and choice < len(node.body):
                del node.body[choice]
            else:
                break
            simpler = ast.unparse(tree).replace("\n", "; ")
            if len(simpler) < len(line) and is_python(simpler):
                yield simpler


def replaced(tree, old, new):
    class Replace(ast.NodeTransformer):
        def visit(self, node):
            return new if node is old else self.generic_visit(node)

    return Replace().visit(tree)


def script(lines):
    """A program by itself, to run with the name of either package as its argument."""
    text = "\n".join(lines)
    used = {name for name in PIECES if re.search(rf"\b{name}\b", text)}
    used.update(*(NEEDS.get(name, ()) for name in used))
    pieces = "".join(body for name, body in PIECES.items() if name in used)
    steps = "\n".join(f"do({line!r})" for line in lines if line != "check()")
    return f'''"""Run with micrograd_ref, then with micrograd_fast as the argument, and compare."""

{IMPORTS}
mg = importlib.import_module(sys.argv[1])
random.seed(0)
{pieces}

def do(line):
    try:
        exec(line, globals())
    except Exception as error:
        print(f"{{line}}\\n    {{type(error).__name__}}: {{error}}")


{steps}

for name, x in list(globals().items()):
    if isinstance(x, mg.Value):
        print(name, x.data.hex(), x.grad.hex(), repr(x.label), x._op)
    elif name[0] in "rmot" and name[1:].isdigit():
        print(name, x, getattr(x, "input_grad", "") if isinstance(x, mg.Tape) else "")
'''


def environment():
    """That of a process which is to find the same packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(x) for x in sys.path)}


def crashes(lines):
    """Whether the fast package ends the interpreter, or hangs, on these lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "program.py")
        path.write_text(script(lines))
        try:
            done = subprocess.run(
                [sys.executable, path, TWINS[1]],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                timeout=LONGEST / 6,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode not in (0, 1)


def report(lines, crash=False):
    print(f"A program of {len(lines)} lines differs; making it smaller ...", flush=True)
    small = minimised(lines, crashes if crash else lambda lines: difference(lines) is not None)
    if crash:
        print("\nThe fast package ends the interpreter, or hangs:\n")
    else:
        found = difference(small)
        if found is None:
            print("\nIt does not fail when run again. All its lines:\n")
        else:
            line, ref, fast = found
            ref, fast = apart(repr(ref), repr(fast))
            print(f"\n{line}\n    {TWINS[0]}:  {ref}\n    {TWINS[1]}: {fast}\n")
    print(script(small), flush=True)


def apart(a, b, around=300):
    """The part of two texts where they differ."""
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    return tuple(text[max(0, i - around // 3) : i + around] for text in (a, b))


# Mutants: one formula of the reference changed by one bit, or one rule of it. Each must be found.


def nudged(fn, when=lambda *args: True):
    """fn with the last bit of its result changed."""
    return lambda *args: math.nextafter(fn(*args), math.inf) if when(*args) else fn(*args)


def nudged_item(fn, i):
    """fn with the last bit of the i-th of its results changed, if there are so many."""

    def changed(*args):
        items = list(fn(*args))
        if i < len(items):
            items[i] = math.nextafter(items[i], math.inf)
        return items

    return changed


def mutants():
    """Each by its name: what it does, as a function of no arguments that gives patches.

    A patch is an object or a dict, a name in it, and what to put there.
    """
    names = (
        *("backward", "checking", "custom", "engine", "fusion", "ieee", "losses"),
        *("nn", "node", "operations", "optim", "pickling", "program", "tape"),
    )
    room = {name: importlib.import_module(f"micrograd_ref.{name}") for name in names}
    checking, custom, engine, fusion = (room[x] for x in ("checking", "custom", "engine", "fusion"))
    ieee, losses, nn, node = (room[x] for x in ("ieee", "losses", "nn", "node"))
    ops = room["operations"]
    optim, pickling, program, tape = (room[x] for x in ("optim", "pickling", "program", "tape"))
    operations, constant_power = ops.OPERATIONS, engine.constant_power
    instructions = fusion.Fusion.instructions

    def forward(operation):
        return replace(operation, value=nudged(operation.value))

    def backward(i):
        return lambda operation: replace(operation, gradients=nudged_item(operation.gradients, i))

    def eagerly(name, change):
        if name == "**k":
            return engine, "constant_power", lambda k: change(constant_power(k))
        return operations, name, change(operations[name])

    def in_a_tape(name, change):
        def is_meant(operation):
            return name == ("**k" if operation.exponent is not None else operation.name)

        def changed(self):
            return [
                step._replace(operation=change(step.operation))
                if is_meant(step.operation)
                else step
                for step in instructions(self)
            ]

        return fusion.Fusion, "instructions", changed

    found = {}
    for name in operations:
        count = {"dot": 5, "sum": 3}.get(name) or (
            2 if name in ("+", "-", "*", "/", "maximum", "**") else 1
        )
        for prefix, patch in ("", eagerly), ("Tape ", in_a_tape):
            found[f"{prefix}{name} forward"] = patch(name, forward)
            for i in range(count):
                found[f"{prefix}{name} backward {i}"] = patch(name, backward(i))
    found["**k name"] = eagerly("**k", lambda o: replace(o, name=o.name.replace("**", "^")))
    for k in (1, 2, 3, -1, -2):
        found[f"power {k}"] = (
            operations["**k"], "value", nudged(ieee.power, lambda x, exponent, k=k: exponent == k),
        )  # fmt: skip

    restore_leaf = pickling.restore_leaf
    local_operation, set_label = custom.local_operation, node.set_label
    reduce, sgd_step, adam_step = program.reduce, optim.SGD.step, optim.Adam.step
    pairs_of = losses.pairs_of

    def last_operand_first(node):
        operands = node._operands
        passed = room["backward"].gradients(node, node._grad)
        for i in reversed([*node._operation.sequence(len(operands))]):
            operands[i]._grad += passed[i]

    def without_grad(kind, data, grad, constant):
        return restore_leaf(kind, data, 0.0, constant)

    def without_constant(kind, data, grad, constant):
        return restore_leaf(kind, data, grad, False)

    def local_grads_reversed(name, slopes):
        return local_operation(name, slopes[::-1])

    def local_grads_nudged(name, slopes):
        return backward(0)(local_operation(name, slopes))

    def label_kept(node, label):
        if label:
            set_label(node, label)

    def label_beside(node, label):
        node.__dict__["label"] = label

    def in_order(contributions):
        total = 0.0
        for x in contributions:
            total += x
        return total

    def nudge_parameters(step):
        def changed(self):
            step(self)
            for p in self.params:
                p.data = math.nextafter(p.data, math.inf)

        return changed

    def without_momentum(self):
        for p in self.params:
            p.data -= self.lr * p.grad

    def bias_last(self, x):
        out = engine.dot(self.w, x) + self.b
        return out if not self.nonlin else getattr(out, self.activation)()

    def relu_of_nan(x):
        return x if x > 0 else 0.0

    def minus_zero(x):
        return 0.0 if x < 0 else x

    found |= {
        "the order of the gradients of dot": (operations["dot"], "sequence", range),
        "the order of the operands' gradients": (engine, "step", last_operand_first),
        "a quotient by zero": (
            operations["/"], "value", lambda a, b: math.inf if b == 0 else a / b,
        ),
        "sigmoid below zero": (
            operations["sigmoid"], "value", lambda x: 1.0 / (1.0 + ieee.exp(-x)),
        ),
        "relu of nan": (operations["relu"], "value", relu_of_nan),
        "relu of -0.0": (operations["relu"], "value", minus_zero),
        "sign of the slope of abs": (ops, "sign", lambda x: 1.0 if x >= 0 else -1.0),
        "a restored leaf's grad": (pickling, "restore_leaf", without_grad),
        "a restored constant": (pickling, "restore_leaf", without_constant),
        "the order of local gradients": (custom, "local_operation", local_grads_reversed),
        "a local gradient": (custom, "local_operation", local_grads_nudged),
        "a custom operation without a step": (engine, "check_step", lambda node: None),
        "attributes in a pickle": (node, "set_attributes", lambda order, found: None),
        "a label that was taken away": (node, "set_label", label_kept),
        "an empty label among the attributes": (node, "set_label", label_beside),
        "the message for an operand": (
            checking, "type_name", lambda x: type(x).__name__ + "?",
        ),
        "the order in a neuron": (nn.Neuron, "__call__", bias_last),
        "the random numbers of a neuron": (
            nn, "random", types.SimpleNamespace(uniform=nudged(random.uniform)),
        ),
        "SGD step": (optim.SGD, "step", nudge_parameters(sgd_step)),
        "SGD momentum": (optim.SGD, "step", without_momentum),
        "Adam step": (optim.Adam, "step", nudge_parameters(adam_step)),
        "Adam root": (optim, "sqrt", nudged(optim.sqrt)),
        "Adam correction": (optim, "pow", nudged(optim.pow)),
        "Adam quotient": (optim, "divide", nudged(optim.divide)),
        "zero_grad of an optimizer": (optim._Optimizer, "zero_grad", lambda self: None),
        "zero_grad of a module": (nn.Module, "zero_grad", lambda self: None),
        "the sum over rows": (program, "reduce", in_order),
        "the sum over rows by one bit": (program, "reduce", nudged(reduce)),
        "the rows in a block": (tape, "BLOCK", 64),
        "the products of a chain": (fusion.Fusion, "is_product", lambda self, slot, plus: False),
        "the next user in a chain": (
            fusion.Fusion, "next_user", lambda self, slot, after, inside: math.inf,
        ),
        "the gradient of a row": (
            program.Instruction, "gradients", nudge_gradients(program.Instruction.gradients),
        ),
        "the largest logit": (
            losses,
            "shifted_powers",
            lambda logits: ([x.exp() for x in logits], engine.operand(0.0)),
        ),
        "mse": (losses, "pairs_of", lambda loss, xs, ys: pairs_of(loss, ys, xs)),
        "an anomaly in forward": (engine, "check_forward", lambda name, operands, data: None),
        "an anomaly in backward": (engine, "checked_step", lambda node: node._backward()),
        "an anomaly in a Tape": (tape.Tape, "_check", lambda self, table, seeds=None: None),
    }  # fmt: skip
    return found


def nudge_gradients(gradients):
    def changed(self, grads, values):
        return [(x, math.nextafter(g, math.inf)) for x, g in gradients(self, grads, values)]

    return changed


@contextlib.contextmanager
def mutated(place, name, new):
    """The reference with one thing changed, and only the reference: random is its caller's too."""

    def read(name):
        if isinstance(place, dict):
            return place[name]
        return vars(place)[name] if hasattr(place, "__dict__") else getattr(place, name)

    write = place.__setitem__ if isinstance(place, dict) else lambda k, v: setattr(place, k, v)
    old = read(name)
    write(name, new)
    try:
        yield
    finally:
        write(name, old)


def find_mutants(names, seed, seconds):
    """Look for each mutant. Returns the names of those that were not found."""
    survivors = []
    for name in names:
        tally, start = Tally(), time.monotonic()
        with mutated(*mutants()[name]):
            lines = search(f"{seed}:{name}", seconds, tally)
        took = time.monotonic() - start
        found = f"{lines[-1][:50]}" if lines else "NOT FOUND"
        print(f"{name:40} {tally.programs:6} programs {took:6.2f} s   {found}", flush=True)
        if not lines:
            survivors.append(name)
    return survivors


# The command. The search runs in a process of its own, which a crash of the fast package may end.


def work(seed, seconds, first):
    tally = Tally()
    lines = search(
        seed, seconds, tally, first, announce=lambda i: print(f"{i} {tally}", flush=True)
    )
    print(f"- {tally}", flush=True)
    if lines is not None:
        report(lines)
    return lines is not None


def lines_of(seed):
    """The lines of a program up to the one that cannot be written, if even that hangs."""
    command = [sys.executable, "-u", __file__, "--lines", seed]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, env=environment(), timeout=LONGEST, check=True
        )
        return done.stdout.decode().splitlines()
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode().splitlines()


def watch(seed, seconds, quiet=False, collect=None):
    """Run a search in a process of its own. Returns its exit status, 1 for a crash or a hang."""
    command = [sys.executable, __file__, "--worker", "--seed", seed, "--seconds", str(seconds)]
    if collect is not None:
        command += ["--collect", str(collect)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    hung = threading.Event()

    def stop():
        hung.set()
        worker.kill()

    searching, last, shown = True, "0 nothing", time.monotonic()
    watchdog = threading.Timer(LONGEST, stop)
    watchdog.start()
    for line in worker.stdout:
        watchdog.cancel()
        if line.startswith("- "):
            print(line[2:], end="", flush=True)
            searching = False
        elif not searching:
            print(line, end="", flush=True)
        else:
            watchdog = threading.Timer(LONGEST, stop)
            watchdog.start()
            last = line.rstrip()
            if not quiet and time.monotonic() > shown + 10:
                shown = time.monotonic()
                print(f"  {last.partition(' ')[2]}", file=sys.stderr, flush=True)
    watchdog.cancel()
    status = worker.wait()
    if status in (0, 1) and not hung.is_set():  # 1 without a report: an error of the search itself
        return status
    i, _, tally = last.partition(" ")
    what = "hangs" if hung.is_set() else f"ended the search with status {status}"
    print(f"{tally}\nProgram {i} of seed {seed} {what}.")
    report(lines_of(f"{seed}:{i}"), crash=True)
    return 1


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", default="0", help="any text")
    parser.add_argument("--mutants", nargs="*", metavar="NAME", help="all, or those named")
    parser.add_argument("--first", type=int, default=0, help="the number of the first program")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--lines", metavar="SEED:NUMBER", help="print a program")
    parser.add_argument("--collect", type=int, metavar="N", help="gc.set_threshold(N)")
    options = parser.parse_args()
    if options.collect is not None:
        gc.set_threshold(options.collect)
    warnings.simplefilter("ignore")
    if options.mutants is not None:
        names = options.mutants or list(mutants())
        survivors = find_mutants(names, options.seed, options.seconds)
        print(f"{len(names) - len(survivors)} of {len(names)} mutants were found")
        return 1 if survivors else 0
    if options.lines is not None:
        for line in program(options.lines):
            print(line)
        return 0
    if options.worker:
        return work(options.seed, options.seconds, options.first)
    return watch(options.seed, options.seconds, collect=options.collect)


if __name__ == "__main__":
    sys.exit(main())
