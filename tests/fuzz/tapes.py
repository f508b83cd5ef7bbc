"""Lines about Tapes."""

import numpy as np

from .words import BAD


def tape(w):
    outputs = w.value()
    if w.chance(0.3):
        outputs = w.sequence([w.value() for _ in range(w.rng.randint(1, 3))])
    inputs = w.leaves(3)
    if w.chance(0.9):
        name = outputs.strip("[]()").split(",")[0].split("[")[-1].strip()
        root = w.run.names.get(name)
        if isinstance(root, w.run.mg.Value):
            under = w.run.mg.trace(root)[0]
            inputs = [k for k in inputs if w.run.names[k] in under]
            inputs = list({id(w.run.names[k]): k for k in inputs}.values())
    if w.chance(w.badness):
        inputs.append(w.operand())
    if w.chance(w.badness):
        outputs = w.rng.choice(("[]", "3", f"[{w.number()}]", "None"))
    return f"{w.new('t')} = mg.Tape({outputs}, {w.sequence(inputs)})"


def of_a_tape(line):
    """A line about a Tape that is there; if none is, one that makes it."""

    def written(w):
        found = w.live(w.run.mg.Tape)
        return line(w, w.rng.choice(found)) if found else tape(w)

    return written


@of_a_tape
def forward(w, t):
    tape = w.run.names[t]
    most = 12_000 // (len(tape) + 1)
    n = w.rng.choice([n for n in (0, 1, 2, 5, 8, 9, 31, 127, 128, 129, 300) if n <= most])
    k = len(tape.inputs)
    if w.chance(w.badness):
        k += w.rng.choice((-1, 1))
    seed = w.rng.randint(0, 99)
    table = f"rows({seed}, {n}, {max(k, 0)})"
    if w.chance(0.15):
        table = f"rows({seed}, {max(k, 0)})"
    if w.chance(0.2):
        table += w.rng.choice(
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
    return f"{w.new('r')} = {t}.forward({table})"


@of_a_tape
def differentiate(w, t):
    shapes = [
        w.run.names[k].shape
        for k in reversed(w.live(np.ndarray))
        if w.run.names[k].dtype == np.float64
    ]
    if w.chance(0.3) or not shapes:
        return f"{t}.backward()"
    shape = shapes[0] if w.chance(0.8) else w.rng.choice(shapes)
    if w.chance(w.badness):
        shape = (3,)
    seed = f"rows({w.rng.randint(0, 99)}, {', '.join(map(str, shape))})"
    if w.chance(0.1):
        seed += w.rng.choice((".tolist()", "[::-1]", ".astype(np.float32)", ".astype(str)"))
    return f"{t}.backward({seed})"


def rows_through(w, t):
    tape = w.run.names[t]
    k, most = len(tape.inputs), 12_000 // (len(tape) + 1)
    n = w.rng.choice([n for n in (1, 2, 3, 7, 16, 130) if n <= most])
    table = f"rows({w.rng.randint(0, 99)}, {n}, {k})"
    r = w.new("r")
    seed = w.rng.choice(("None", f"rows({w.rng.randint(0, 99)}, *np.shape({r}))"))
    if w.chance(0.3):
        arrays = [f"rows(1, {n}, {k})", *w.live(np.ndarray)]
        out, input_grad = w.rng.choice(("np.array({r})", *arrays)), w.rng.choice(arrays)
        return (
            f"{r} = {t}.forward({table}); {r} = {t}.forward({table}, {out.format(r=r)}); "
            f"{t}.backward({seed}, {input_grad})"
        )
    return f"{r} = {t}.forward({table}); {t}.backward({seed})"


replay = of_a_tape(rows_through)


@of_a_tape
def compile(w, t):
    return f"{t}.compile(); {rows_through(w, t)}"


@of_a_tape
def ask_tape(w, t):
    return w.rng.choice(
        (
            f"{w.new('r')} = {t}.input_grad",
            f"{w.new('r')} = len({t}), repr({t}), len({t}.inputs)",
            f"{w.new('r')} = {t}.parameters",
            f"{w.new('r')} = {t}.to_c({w.rng.choice(('', repr('net'), repr('a b')))})",
            f"for p in {t}.parameters: p.data *= 0.9; p.grad = 0",
            f"{t}.forward({w.rng.choice(BAD)})",
            f"{t}.backward({w.rng.choice(BAD)})",
            f"{t}.forward()",
        )
    )
