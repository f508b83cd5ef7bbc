"""Reports: a program that differs, made small and shown as a script of its own."""

import re

from .pieces import IMPORTS, NEEDS, PIECES, TWINS
from .running import difference
from .shrinking import minimised


def report_difference(lines):
    small = smaller(lines, lambda lines: difference(lines) is not None)
    found = difference(small)
    if found is None:
        print("\nIt does not fail when run again. All its lines:\n")
    else:
        line, ref, fast = found
        ref, fast = apart(repr(ref), repr(fast))
        print(f"\n{line}\n    {TWINS[0]}:  {ref}\n    {TWINS[1]}: {fast}\n")
    print(script(small), flush=True)


def smaller(lines, fails):
    print(f"A program of {len(lines)} lines differs; making it smaller ...", flush=True)
    return minimised(lines, fails)


def apart(a, b, around=300):
    """The part of two texts where they differ."""
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    return tuple(text[max(0, i - around // 3) : i + around] for text in (a, b))


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
