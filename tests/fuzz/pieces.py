"""What the lines of a program may use."""

import importlib
import sys
import types

TWINS = ("micrograd_ref", "micrograd_fast")
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
    "small": """
def small(root):
    return root if len(mg.trace(root)[0]) < 200 else mg.Value(1.5)
""",
    "rule": """
def rule(g, out, *children):
    return [(i + 0.3) * g * x + out for i, x in enumerate(children)]
""",
    "swapping": """
def swapping(g, out, *children):
    return [g if i % 2 else x for i, x in enumerate(children[::-1])]
""",
    "numbers": """
def numbers(g, out, *children):
    return [0, -0.0, 2.5, math.nan][: len(children)]
""",
    "short": """
def short(g, out, *children):
    return iter(children[1:])
""",
    "failing": """
def failing(g, out, *children):
    raise LookupError(out._op)
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
    "Holder": """
class Holder(mg.Module):
    def __init__(self, *held):
        self.held, self.more = held, {}
    def __call__(self, x):
        return [call(x) for call in self.held if callable(call)]
""",
    "folder": """
folder = tempfile.TemporaryDirectory()
""",
    "path": """
def path(name):
    return os.path.join(folder.name, name)
""",
    "halved": """
def halved(x):
    return x * 0.5
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
