"""Lines that ask, change, copy and differentiate what is there."""

from .building import custom, dot, nested, several, unary
from .tapes import replay
from .words import ATTRIBUTES, BAD, LABELS


def attribute(w):
    a, b, c, name = w.value(), w.value(), w.value(), w.rng.choice(ATTRIBUTES)
    thing = w.rng.choice(
        (w.number(), b, a, f"[{b}, {a}]", "[]", f"{{'k': [{b}, (1, {c})]}}", "'text'")
    )
    dictionary = w.rng.choice(("{}", f"{{{name!r}: {thing}}}", "3", f"vars({b})"))
    line = w.rng.choice(
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
            f"{w.new('r')} = {a}.{name}",
            f"{w.new('r')} = getattr({a}, {name!r}, None), hasattr({b}, {name!r})",
            f"{w.new('r')} = dict(vars({a}))",
            f"{w.new('r')} = {name!r} in dir({a}), {a}.__dict__ is vars({a})",
            f"setattr({a}, 'a name', {thing})",
            f"vars({a})[{name!r}] = {thing}",
            f"vars({a}).update(vars({b}))",
            f"vars({a}).clear()",
            f"vars({a})['label'] = {w.rng.choice(LABELS)!r}",
            f"{a}.label = ''; {w.new('r')} = list(vars({a})), {a}.label",
            f"{a}.__dict__ = {dictionary}",
            f"[setattr(p, {name!r}, p.data) for p in {a}._children]",
            f"{a} = None; gc.collect()",
        )
    )
    return line + ("; gc.collect()" if w.chance(0.1) else "")


def ask(w):
    a, b = w.value(), w.operand()
    return w.new("r") + w.rng.choice(
        (
            f" = {a} {w.rng.choice(('<', '<=', '>', '>='))} {b}",
            f" = {b} {w.rng.choice(('<', '<=', '>', '>='))} {a}",
            f" = {a} == {b}, {a} != {b}",
            f" = max({a}, {b}), min({b}, {a})",
            f" = sorted([{a}, {b}, {w.value()}])",
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


def arrays(w):
    a, b, c = w.value(), w.operand(), w.operand()
    array = f"np.array([{a}, {b}, {c}], dtype=object)"
    numbers = w.rng.choice(
        ("np.array([1.5, -2.0])", "np.arange(4).reshape(2, 2)", "np.array(2.5)", "np.zeros(0)")
    )
    operator = w.rng.choice(("+", "-", "*", "/", "**", "<", ">="))
    # Not **, with which NumPy raises a big int to a big int for hours.
    between = w.rng.choice(("+", "-", "*", "/", "<", ">="))
    return w.new("r") + w.rng.choice(
        (
            f" = {a} {operator} {numbers}",
            f" = {numbers} {operator} {a}",
            f" = {array} {between} {b}",
            f" = {array} * {array}",
            f" = {array}.sum()",
            f" = {array} @ {array}",
            f" = np.{w.rng.choice(('exp', 'tanh', 'sqrt', 'sin'))}({array})",
            f" = np.{w.rng.choice(('exp', 'log', 'cos', 'abs'))}({a})",
            f" = np.array([{a}, '1'], dtype=object) + {a}",
            f" = mg.sum({array})",
        )
    )


def between(w):
    a, b, c = w.value(), w.operand(), w.operand()
    return w.new("r") + w.rng.choice(
        (
            f" = mg.array([{w.number()}, {w.number()}])",
            " = mg.array([[1, 2], [3, 4.5]])",
            f" = mg.data([{a}, {b}, {c}])",
            f" = mg.grad([{a}, {b}])",
            f" = mg.data([[{a}, {b}], [{c}, 1.5]])",
            f" = mg.data({b}), mg.grad({a})",
            f" = {a}._repr_html_()",
        )
    )


def assign(w):
    a = w.value()
    return w.rng.choice(
        (
            f"{a}.data = {w.number()}",
            f"{a}.data += {w.number()}",
            f"{a}.grad = {w.number()}",
            f"{a}.label = {w.label()}",
            f"{a}.label += 'more'",
            f"{a}.data -= 0.1 * {a}.grad",
        )
    )


def rename(w):
    return f"{w.value()} = {w.operand()}"


def forget(w):
    return f"del {w.value()}"


def backward(w):
    a, b = w.value(), w.value()
    return w.rng.choice(
        (
            f"{a}.backward()",
            f"{a}.backward()",
            f"{a}.backward({w.number()})",
            f"mg.backward({w.sequence([a, b])})",
            f"mg.backward([{a}, {b}, {w.value()}], {w.sequence([w.number(), '0.5', '-2'])})",
            f"mg.backward([{a}, {w.operand()}], {w.sequence([w.number() for _ in range(2)])})",
        )
    )


def gradient(w):
    """A derivative as a graph: a Value or more of them."""
    a, b, c = w.value(), w.value(), w.value()
    inputs = w.sequence([a, b, c][: w.rng.randint(1, 3)])
    if w.chance(w.badness):
        bad = w.rng.choice((*BAD, a))
        inputs = w.rng.choice((bad, f"[{a}, {bad}]"))
    vector = w.sequence([w.operand() for _ in range(inputs.count("v") or 1)])
    of = f"small({w.value()})"
    return w.rng.choice(
        (
            f"{w.new('v')} = mg.gradient({of}, [{a}])[0]",
            f"{w.new('v')} = mg.gradient({of}, [{a}])[0]",
            f"{w.new('r')} = mg.gradient({of}, {inputs})",
            f"{w.new('r')} = mg.gradient({of}, {inputs})",
            f"{w.new('r')} = mg.gradient({of}, np.array([{a}, {b}, {c}], dtype=object))",
            f"{w.new('r')} = mg.hessian({of}, {inputs})",
            f"{w.new('r')} = mg.jacobian([{of}, small({b})], {inputs})",
            f"{w.new('r')} = mg.hvp({of}, {inputs}, {vector})",
            f"{w.new('t')} = mg.Tape(mg.gradient({of}, [{a}, {b}]), [{', '.join(w.leaves(2))}])",
        )
    )


def rule(w):
    """What gradient needs of a custom operation."""
    return f"{w.value()}._gradient = {w.rule()}"


def step(w):
    a = w.value()
    return w.rng.choice((f"{a}._backward()", f"{a}.grad = 1.5; {a}._backward()"))


def new_step(w):
    a, b = w.value(), w.value()
    return w.rng.choice(
        (
            f"{a}._backward = Step({a}, list({a}._children))",
            f"{a}._backward = {b}._backward",
            f"{a}._backward = {b}.backward",
            f"{a}._backward = int",
        )
    )


def copying(w):
    found = w.live(
        w.run.mg.Value,
        w.run.mg.Module,
        w.run.mg.Tape,
        w.run.mg.SGD,
        w.run.mg.Adam,
        w.run.mg.RMSprop,
    )
    a = w.rng.choice(found) if found else w.value()
    b = w.value()
    how = w.rng.choice(
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
    if w.chance(0.3):
        return f"{w.new('r')} = {how.format(f'[{a}, {b}, {a}]')}"
    return f"{w.new(prefix)} = {how.format(a)}"


def anomaly(w):
    line = w.rng.choice((several, unary, nested, dot, backward, custom, replay))(w)
    more = f"; {w.value()}.backward()" if w.chance(0.2) else ""
    return f"with mg.detect_anomaly(): {line}{more}"
