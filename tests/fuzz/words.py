"""What the lines of a program are made of: names, numbers and expressions."""

import math

from .calls import METHODS, of_one
from .pieces import TWINS
from .running import Run

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


class Words:
    """Chooses what a line uses. The reference runs along, so that it can use what is there."""

    def __init__(self, rng):
        self.rng = rng
        self.run = Run(TWINS[0])
        self.count = 0
        self.badness = self.rng.choice((0, 0, 0.02, 0.1))
        self.oddness = self.rng.choice((0, 0.05, 0.3))

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

    def rule(self):
        """What gradient needs of a custom operation."""
        return self.rng.choice(("rule", "rule", "rule", "swapping", "numbers", "short", "failing"))

    def expression(self, depth):
        if depth == 0 or self.chance(0.15):
            return self.operand()
        a, b = self.expression(depth - 1), self.expression(depth - 1)
        if self.chance(0.1):
            a = self.value()
            return self.rng.choice(of_one(METHODS)).format(a)
        return f"({a} {self.rng.choice('+++***-/')} {b})"
