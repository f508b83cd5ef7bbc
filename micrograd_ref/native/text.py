"""The text of native code: a file of C that stands alone, or for a shared library."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from . import Listing, sources
from .formulas import is_row
from .loops import Call, Loop, Memory, Statement, indented, loops, pruned, wrapped
from .statements import QUICK_POWER
from .writer import Writer

BLOCK = 128  # rows, as a Tape takes them
FUNCTION = 24  # loops and calls in a function
KEYWORDS = (
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|"
    "inline|int|long|register|restrict|return|short|signed|sizeof|static|struct|switch|typedef|"
    "union|unsigned|void|volatile|while"
)
IDENTIFIER = re.compile(rf"(?!(?:{KEYWORDS})$)[A-Za-z_]\w*", re.ASCII)


HEAD = """\
/* A graph of {steps} operations, recorded by a Tape of micrograd_fast.

   void {name}_forward(
       const double *rows, size_t n, const double *parameters, double *out, double *work);
   void {name}_backward(
       const double *rows, size_t n, const double *parameters, const double *seed, double *out,
       double *parameter_grads, double *input_grads, double *work);

   rows             n rows of {inputs} inputs, in the order of tape.inputs
   parameters       {parameters} numbers, in the order of tape.parameters
   out              gets the {outputs} outputs of each row; in backward it may be NULL
   seed             the weight of each row and output, in the shape of out; all 1.0 if NULL
   parameter_grads  the gradient of the weighted sum of the outputs is added to these {parameters}
   input_grads      gets that of each row's {inputs} inputs, in the shape of rows
   work             memory for {upper}_WORK doubles, of any content

   Nothing is allocated, and nothing is kept from call to call: threads with memory of their own
   may call at the same time.

   The bits are those of the Tape, on every machine, if the compiler contracts no a * b + c: GCC and
   Clang do not with -ffp-contract=off. One thing is left open. Where 128 bits do not decide how to
   round a function, a Tape asks mpmath, and this takes the even one of two doubles. For a power in
   their very middle that is right; elsewhere it is to be expected at one of 2^53 arguments.

   MG_ROWS rows are taken at a time, 128 as by a Tape. Where only one ever comes at a time, define
   it as 1: faster, with less memory. With GCC and Clang, -O3 -march=native makes vectors. */

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define TARGET
#define NAME(name) name##_plain"""

PUBLIC = """\
void {name}_forward(
    const double *rows, size_t n, const double *parameters, double *out, double *work) {{
    {name}_begin(parameters, work);
    for (size_t i = 0; i < n; i += MG_ROWS) {{
        const size_t count = n - i < MG_ROWS ? n - i : MG_ROWS;
        {name}_forward_block(rows + i * {inputs}, count, out + i * {outputs}, work);
    }}
}}

void {name}_backward(
    const double *rows, size_t n, const double *parameters, const double *seed, double *out,
    double *parameter_grads, double *input_grads, double *work) {{
    {name}_begin(parameters, work);
    {name}_clear(work);
    for (size_t i = 0; i < n; i += MG_ROWS) {{
        const size_t count = n - i < MG_ROWS ? n - i : MG_ROWS;
        {name}_backward_block(
            rows + i * {inputs}, count, seed ? seed + i * {outputs} : NULL,
            out ? out + i * {outputs} : NULL, input_grads + i * {inputs}, i + count == n, 0, work);
    }}
    {name}_end(work, parameter_grads);
}}"""


class Code:
    """The C code of a program under a name."""

    def __init__(self, listing: Listing, name: str, shared_library: bool = False) -> None:
        self.name, self.listing, self.shared_library = name, listing, shared_library
        self.writer = Writer(listing)
        self.shared = self.of_shared()
        if self.writer.is_small:
            self.of_small()
        else:
            self.of_blocks()

    def section(self, *makers: Callable[[], None]) -> list[Statement | Call]:
        self.writer.sequence = []
        for make in makers:
            make()
        return self.writer.sequence

    def of_shared(self) -> list[str]:
        """What depends on no input: computed once."""
        writer, lines = self.writer, []
        for step in self.listing.steps:
            if step.out < 0:
                lines.append(f"{writer.operand(step.out)} = {writer.number_value(step)};")
        return lines

    # Small programs are one loop, which reads the rows, writes the results and keeps all between in
    # registers. With first answers; where one leaves a result open, it runs again, with care.

    def of_small(self) -> None:
        forward = self.section(self.read, self.writer.forward, self.write_outputs)
        self.rows = 0
        self.forward_lines = self.one_loop(forward)
        backward = self.section(
            self.read,
            self.writer.forward,
            self.write_outputs_if_wanted,
            self.sow,
            self.writer.backward,
            self.write_gradients,
        )
        self.writer.sums = 0
        self.backward_lines = self.one_loop(backward)

    def one_loop(self, sequence: list[Statement | Call]) -> list[str]:
        statements = [
            Statement("after", "", "\n".join(item.lines)) if isinstance(item, Call) else item
            for item in pruned(sequence)
        ]
        powers = [  # what comes after the loop is computed once, with care
            [] if item.kind == "after" else QUICK_POWER.findall(item.expression)
            for item in statements
        ]
        memory = Memory({}, [Loop(statements)])
        self.rows = max(self.rows, len(memory.positions))
        careful = memory.lines(Loop(statements), padded=False)
        if not any(powers):
            return careful
        quick = []
        for item, names in zip(statements, powers, strict=True):
            if not names:
                quick.append(item)
                continue
            self.writer.functions.update(names)
            quick.append(
                item._replace(expression=QUICK_POWER.sub(r"quick_\1_plain(", item.expression))
            )
            quick.append(Statement("open", item.target, ""))
        lines = memory.lines(Loop(quick), padded=False)
        return ["int open = 0;", *lines, "if (open) {", *indented(careful), "}"]

    def read(self) -> None:
        k = self.listing.inputs
        for i in range(k):
            self.writer.put("set", f"v{i}", f"rows[i * {k} + {i}]")

    def write_outputs(self, condition: str = "") -> None:
        k = len(self.listing.outputs)
        for i, x in enumerate(self.listing.outputs):
            self.writer.put("out", f"{condition}out[i * {k} + {i}]", self.writer.operand(x))

    def write_outputs_if_wanted(self) -> None:
        if not self.shared_library:  # a Tape has them from forward
            self.write_outputs("if (out) ")

    def sow(self) -> None:
        k = len(self.listing.outputs)
        for i, x in enumerate(self.listing.outputs):
            self.writer.pass_on(x, f"seed[i * {k} + {i}]")

    def write_gradients(self) -> None:
        k = self.listing.inputs
        for i in range(k):
            self.writer.put("out", f"input_grads[i * {k} + {i}]", f"d{i}")

    # Others have their inputs and values in memory, padded.

    def of_blocks(self) -> None:
        writer = self.writer
        names = [f"v{i}" for i in range(self.listing.inputs)]
        self.input_runs("v")  # find their places now, which so lie behind each other
        self.input_runs("d")
        values = self.section(writer.forward)
        outputs = self.section(self.write_padded_outputs)
        gradients = self.section(self.sow_padded, writer.backward, self.write_padded_gradients)
        kept = {id(item) for item in pruned([*values, *outputs, *gradients])}
        parts = [
            loops(item for item in part if id(item) in kept)
            for part in (values, outputs, gradients)
        ]
        load = Call((), (), tuple(names))
        memory = Memory(writer.positions, [load, *(piece for part in parts for piece in part)])
        self.memory, self.rows = memory, len(memory.positions)
        self.parts = parts

    def write_padded_outputs(self) -> None:
        k = len(self.listing.outputs)
        for i, x in enumerate(self.listing.outputs):
            if is_row(x):
                line = f"take_rows(n, 1, {k}, &v{x}, out + {i});"
                self.writer.sequence.append(Call((line,), (f"v{x}",)))
            else:
                line = (
                    f"for (size_t i = 0; i < n; i++) out[i * {k} + {i}] = {self.writer.operand(x)};"
                )
                self.writer.sequence.append(Call((line,)))

    def sow_padded(self) -> None:
        k = len(self.listing.outputs)
        for i, x in enumerate(self.listing.outputs):
            if isinstance(x, float):
                continue
            row = self.writer.new()
            line = f"put_seeds(n, m, {k}, seed + {i}, &{row});"
            self.writer.sequence.append(Call((line,), (), (row,)))
            self.writer.pass_on(x, row)

    def write_padded_gradients(self) -> None:
        k = self.listing.inputs
        for i, count in self.input_runs("d"):
            line = f"take_rows(n, {count}, {k}, &d{i}, input_grads + {i});"
            names = tuple(f"d{i + j}" for j in range(count))
            self.writer.sequence.append(Call((line,), names))

    def input_runs(self, kind: str) -> list[tuple[int, int]]:
        """Inputs of which the rows lie behind each other: the first one and how many."""
        places = [self.writer.position(f"{kind}{i}") for i in range(self.listing.inputs)]
        return runs_of(places)

    # The text

    def text(self) -> str:
        body = wrapped("\n\n".join(self.body()))
        return "\n\n".join((self.head(), *self.parts_of_c(body), body))

    def head(self) -> str:
        return HEAD.format(
            name=self.name,
            upper=self.name.upper(),
            steps=len(self.listing.steps),
            inputs=self.listing.inputs,
            parameters=self.listing.parameters,
            outputs=len(self.listing.outputs),
        )

    def parts_of_c(self, body: str) -> list[str]:
        """The definitions that the body needs."""
        functions = sorted(self.writer.functions)
        names = set(sources.IDENTIFIER.findall(sources.strip_suffix(body)))
        invoked, defined = [], []
        for name in functions:
            row, wanted = self.function(name)
            names |= wanted
            defined += row
        for name in sorted(self.writer.over_rows):
            names |= {f"quick_{name}"}
            macro = "MG_ROWS_OF_POW" if name == "pow" else "MG_ROWS_OF"
            names.add(macro)
            invoked.append(macro if name == "pow" else f"{macro}({name})")
        text = sources.needed(names)
        constants = [
            f"#define {name} {x}" for name, x in sources.constants().items() if name in body
        ]
        found = ["\n".join(constants)] if constants else []
        found.append(text)
        found += ["\n".join(defined)] if defined else []
        found += ["\n".join(invoked)] if invoked else []
        return found

    def function(self, name: str) -> tuple[list[str], set[str]]:
        """The lines that make mg_name, and what they need."""
        if self.shared_library:
            return [f"static {self.pointer(name, f'*mg_{name}')};"], set()
        define = f"#define mg_{name} {name}_plain"
        if name in sources.functions():
            number_of, where = sources.functions()[name]
            needs = {f"quick_{name}", f"special_{name}", f"wide_{name}", "nearest_double"}
            needs |= {"SLOWLY", "FUNCTION", "UNDECIDED", "to_even"}
            needs |= set(sources.IDENTIFIER.findall(where))
            row = f"({name}, {number_of}, quick_{name}, {where})"
            return [f"SLOWLY{row}", f"FUNCTION{row}", define], needs
        macro = f"{name.upper()}_FUNCTION"
        needs = {macro, "slow_pow", "MG_BETWEEN", "table_pow" if name == "pow" else f"quick_{name}"}
        return [macro, define], needs

    def pointer(self, name: str, declared: str) -> str:
        return f"double ({declared})({'double, double' if name == 'pow' else 'double'})"

    def body(self) -> list[str]:
        """The functions of the program, and the tables in which they look."""
        name, writer, outputs = self.name, self.writer, len(self.listing.outputs)
        # Work: numbers that do not vary, their gradients, from a cache line on ones, and rows.
        grads = len(writer.packed)
        ones = -(-2 * grads // 8) * 8
        self.work = ones + (outputs + self.rows) * BLOCK
        found = [f"enum {{ {name.upper()}_WORK = {ones} + {outputs + self.rows} * MG_ROWS }};"]
        if self.listing.parameters:
            places = [writer.place(i) for i in range(self.listing.parameters)]
            runs = ", ".join(f"{{{i}, {places[i]}, {count}}}" for i, count in runs_of(places))
            found.append(f"static const mg_run runs[] = {{{runs}}};")
        found += writer.tables
        found += self.before_and_after(grads, ones)
        pointers = [
            "const double *s = work;",
            f"double *ds = work + {grads};",
            f"double *r = work + {ones} + {outputs} * MG_ROWS;",
        ]
        default = f"if (!seed) seed = work + {ones};"
        found += (self.one_block if writer.is_small else self.padded_block)(pointers, default)
        if self.shared_library:
            found.append(self.functions_of_library())
        else:
            found.append(PUBLIC.format(name=name, inputs=self.listing.inputs, outputs=outputs))
        return found

    def before_and_after(self, grads: int, ones: int) -> list[str]:
        """What is computed once, before all blocks, and what is left after them."""
        name = self.name
        clear = [f"for (size_t i = 0; i < {grads}; i++) work[{grads} + i] = 0.0;"] if grads else []
        outputs = len(self.listing.outputs)
        return [
            self.define(
                f"void {name}_begin(const double *parameters, double *work)",
                ["double *s = work;", *self.pack("put_parameters", "parameters, s"), *self.shared],
            ),
            self.define(
                f"void {name}_clear(double *work)",
                [
                    *clear,
                    f"for (size_t i = 0; i < {outputs} * MG_ROWS; i++) work[{ones} + i] = 1.0;",
                ],
            ),
            self.define(
                f"void {name}_end(const double *work, double *parameter_grads)",
                [
                    f"const double *ds = work + {grads};",
                    *self.pack("add_gradients", "ds, parameter_grads"),
                ],
            ),
        ]

    def forward_block(self, lines: list[str]) -> str:
        return self.define(
            f"void {self.name}_forward_block("
            "const double *rows, size_t n, double *out, double *work)",
            lines,
        )

    def backward_block(self, lines: list[str]) -> str:
        out = "" if self.shared_library else "double *out, "
        return self.define(
            f"void {self.name}_backward_block(\n"
            f"    const double *rows, size_t n, const double *seed, {out}double *input_grads,\n"
            "    int last, int at_hand, double *work)",
            lines,
        )

    def one_block(self, pointers: list[str], default: str) -> list[str]:
        """A block of a small program: its loop."""
        restrict = [line.replace("*", "*restrict ", 1) for line in pointers]
        return [
            self.forward_block([*restrict, *self.forward_lines]),
            self.backward_block([*restrict, default, *self.backward_lines]),
        ]

    def padded_block(self, pointers: list[str], default: str) -> list[str]:
        """A block of another: functions for parts of it, and what calls them."""
        found: list[str] = []
        calls: list[list[str]] = []
        for part, pieces in zip(("values", "outputs", "gradients"), self.parts, strict=True):
            calls.append([])
            for i in range(0, len(pieces), FUNCTION):
                lines = [
                    line
                    for piece in pieces[i : i + FUNCTION]
                    for line in self.memory.lines(piece, padded=True)
                ]
                function = f"{self.name}_{part}_{i // FUNCTION}"
                found.append(self.piece(function, lines))
                calls[-1].append(self.call_of(function, lines))
        values, outputs, gradients = calls
        size = "const size_t m = MG_ROWS == 1 ? 1 : (n + 7) / 8 * 8;"
        puts = [
            f"put_rows(n, m, {count}, {self.listing.inputs}, rows + {i}, "
            f"{self.memory.at(f'v{i}')});"
            for i, count in self.input_runs("v")
        ]
        same = ["int same = at_hand;", *(f"same &= {put}" for put in puts)]
        again = ["if (!same) {", *indented(values), "}"]
        if not self.shared_library:
            again += ["if (out) {", *indented(outputs), "}"]
        return [
            *found,
            self.forward_block([*pointers, size, *puts, *values, *outputs]),
            self.backward_block([*pointers, default, size, *same, *again, *gradients]),
        ]

    def functions_of_library(self) -> str:
        """What gives a shared library its functions, in the order of library_texts."""
        lines = [
            f"mg_{x} = ({self.pointer(x, '*')})functions[{i}];"
            for i, x in enumerate(sorted(self.writer.functions))
        ]
        return self.define(f"void {self.name}_functions(const mg_pointer *functions)", lines)

    def pack(self, function: str, arguments: str) -> list[str]:
        if not self.listing.parameters:
            return []
        return [f"{function}(sizeof runs / sizeof *runs, runs, {arguments});"]

    def define(self, declaration: str, lines: list[str]) -> str:
        """A function, static or of a shared library. Names it does not use are no error."""
        kept = []
        for line in lines:
            declared = re.match(r"(?:const )?(?:double|size_t|int) \*?(?:restrict )?(\w+) =", line)
            if not declared or any(
                re.search(rf"\b{declared[1]}\b", x) for x in lines if x is not line
            ):
                kept.append(line)
        words = set(sources.IDENTIFIER.findall("\n".join(kept)))
        given = re.findall(r"(\w+)[,)]", declaration)
        unused = [f"(void){x}" for x in given if x not in words]
        if unused:
            kept.append(f"{', '.join(unused)};")
        prefix = "MG_EXPORT " if self.shared_library else "static "
        return "\n".join(
            (f"{prefix}{declaration} {{", *indented(line for line in kept if line), "}")
        )

    def piece(self, function: str, lines: list[str]) -> str:
        arguments = ", ".join(f"{ARGUMENTS[x]}{x}" for x in self.uses(lines))
        return "\n".join((f"static void {function}({arguments}) {{", *indented(lines), "}"))

    def call_of(self, function: str, lines: list[str]) -> str:
        return f"{function}({', '.join(self.uses(lines))});"

    def uses(self, lines: list[str]) -> list[str]:
        words = set(sources.IDENTIFIER.findall("\n".join(lines)))
        return [x for x in ARGUMENTS if x in words]


def runs_of(places: list[int]) -> list[tuple[int, int]]:
    """Where a run of places begins of which each is the next, and how long it is."""
    firsts = [i for i, place in enumerate(places) if i == 0 or place != places[i - 1] + 1]
    return [(first, end - first) for first, end in pairwise([*firsts, len(places)])]


ARGUMENTS = {
    "n": "size_t ",
    "m": "size_t ",
    "last": "int ",
    "s": "const double *restrict ",
    "ds": "double *restrict ",
    "r": "double *restrict ",
    "seed": "const double *",
    "out": "double *",
    "input_grads": "double *",
}


def to_c(listing: Listing, name: str) -> str:
    """The C code of a program."""
    if not IDENTIFIER.fullmatch(name):
        raise ValueError(f"the name of a function in C must be an identifier, got {name!r}")
    return Code(listing, name).text()


def library_texts(listing: Listing) -> tuple[dict[str, str], list[str], int]:
    """C for a shared library by name: functions for blocks of rows, and for one row. And the
    functions that it asks for what first answers leave open, and for how many doubles."""
    rows, row = (Code(listing, name, shared_library=True) for name in ("rows", "row"))
    texts = {"rows": rows.text(), "row": f"#define MG_ROWS 1\n{row.text()}"}
    return texts, sorted(rows.writer.functions), rows.work
