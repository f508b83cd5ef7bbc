"""Lines that make a Value."""

from .calls import METHODS, SEVERAL, UNARY
from .words import BAD, SMALL


def leaf(w):
    number = w.number()
    return w.new("v") + w.rng.choice(
        (
            f" = mg.Value({number})",
            f" = mg.Value({number})",
            f" = mg.Value({number}, label={w.label()})",
            f" = mg.Value(data={number})",
            f" = mg.Value({number}, (), '', {w.label()})",
        )
    )


def subclass(w):
    kind = w.rng.choice(("Sub", "Slotted", "Stepping", "Renamed"))
    if w.chance(0.5):
        name = w.rng.choice(("'sub'", "''"))
        children = w.sequence([w.value()])
        return f"{w.new('v')} = {kind}({w.number()}, {children}, {name})"
    return f"{w.new('v')} = {kind}({w.number()}, label={w.label()})"


def local_grads(w):
    """A custom operation made from its local gradients."""
    children = [w.value() for _ in range(w.rng.choice((0, 1, 1, 2, 2, 3)))]
    slopes = [w.number() for _ in children]
    if w.chance(w.badness):
        slopes.append(w.rng.choice((*BAD, "1.0")))
    slopes = (f"({', '.join(slopes)},)" if slopes else "()", f"[{', '.join(slopes)}]")
    given = w.rng.choice(slopes)
    kind = w.rng.choice(("mg.Value", "mg.Value", "mg.Value", "Sub", "Slotted", "Renamed"))
    forms = [given, given, f"{w.label()}, local_grads={given}", f"local_grads={given}"]
    if w.chance(w.badness):
        forms = f"{given}, '', {given}", f"{given}, local_grads={given}", "local_grads={1.0}"
    form = w.rng.choice(forms)
    name = w.new("v")
    rule = f"; {name}._gradient = {w.rule()}" if w.chance(0.4) else ""
    return f"{name} = {kind}({w.number()}, {w.sequence(children)}, {form}){rule}"


def several(w):
    """An operation of two operands or more."""
    a, b, swapped = w.value(), w.operand(), w.chance(0.3)
    call = w.rng.choice(SEVERAL)
    if swapped and call not in METHODS:  # which only a Value has
        a, b = b, a
    more = [w.operand() for _ in range(call.count("{}") - 2)]
    return f"{w.new('v')} = {call.format(a, b, *more)}"


def augmented(w):
    return f"{w.value()} {w.rng.choice(('+', '-', '*', '/', '**'))}= {w.operand()}"


def nested(w):
    return f"{w.new('v')} = {w.expression(w.rng.randint(2, 4))}"


def unary(w):
    a = w.value()
    return f"{w.new('v')} = {w.rng.choice(UNARY).format(a)}"


def power(w):
    k = w.rng.choice(SMALL) if w.chance(0.6) else w.number()
    if w.chance(0.1):
        return f"{w.new('v')} = pow({w.operand()}, {w.operand()}, {w.operand()})"
    return f"{w.new('v')} = {w.value()} ** {k}"


def dot(w):
    xs, ys = w.operands(5), w.operands(5)
    if not w.chance(w.badness):
        ys = (ys + [w.value() for _ in xs])[: len(xs)]
    start = f", {w.operand()}" if w.chance(0.5) else ""
    return f"{w.new('v')} = mg.dot({w.sequence(xs)}, {w.sequence(ys)}{start})"


def sum(w):
    start = f", start={w.operand()}" if w.chance(0.3) else ""
    function = w.rng.choice(("sum", "norm"))
    return f"{w.new('v')} = mg.{function}({w.sequence(w.operands(6))}{start})"


def long(w):
    n, kind = w.rng.choice((3, 10, 40)), w.rng.randint(0, 3)
    return f"{w.new('v')} = chain({w.value()}, {w.value()}, {n}, {kind})"


def custom(w):
    values = ", ".join(w.value() for _ in range(w.rng.randint(0, 3)))
    kind, name = w.rng.randint(0, 8), w.new("v")
    rule = f"; {name}._gradient = {w.rule()}" if w.chance(0.4) else ""
    return f"{name} = custom([{values}], {w.number()}, {w.label()}, {kind}){rule}"


def wrong_value(w):
    a, b = w.value(), w.operand()
    bad = w.rng.choice(BAD)
    return w.rng.choice(
        (
            f"{w.new('v')} = mg.Value({bad}, [{a}, {b}], {w.label()})",
            f"{w.new('v')} = mg.Value(1.0, [{b}, {bad}], {w.label()})",
            f"{w.new('v')} = mg.Value(1.0, {bad})",
            f"{w.new('v')} = mg.Value(1.0, (), {bad}, {bad})",
            f"{w.new('v')} = mg.Value(1.0, label={bad})",
            f"{w.new('v')} = mg.Value()",
            f"{w.new('v')} = mg.Value(1, (), '', '', 5)",
            f"{w.new('v')} = mg.Value(1, color=5)",
            f"{w.new('v')} = mg.Value.__new__(mg.Value)",
            f"{a}.__init__({w.number()})",
            f"{w.new('v')} = {bad} + {a}",
            f"{w.new('v')} = {a} - {bad}",
            f"{w.new('v')} = {bad} ** {a}",
            f"{w.new('v')} = {a} ** {bad}",
            f"{w.new('v')} = {a} < {bad}",
            f"{w.new('v')} = mg.sum({bad})",
            f"{w.new('v')} = mg.dot([{a}, {bad}], [{b}, {a}], {bad})",
            f"{w.new('v')} = mg.dot({bad}, [{a}])",
            f"{a}.data = {bad}",
            f"{a}.grad = {bad}",
            f"{a}.label = {bad}",
            f"{a}._backward = {bad}",
            f"{a}._op = 'x'",
            f"{a}._children = ()",
            f"{a}._prev = set()",
            f"{a}._local_grads = (1.0,)",
            f"{w.new('t')} = mg.Tape(mg.Value(1.0, ({a},), ({w.number()},)) * 2)",
            f"del {a}.{w.rng.choice(('data', 'grad', 'label', '_op', '_prev', 'note'))}",
            f"del {a}.{w.rng.choice(('_children', '_backward', '_local_grads'))}",
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
