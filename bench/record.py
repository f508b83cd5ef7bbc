"""Recording: a random graph that is there already becomes a program, to run as often as one likes.

For the twins that is Tape(output, inputs); for casadi a Function of the value and its gradients;
JAX runs the Python code again to trace it and may then compile what it saw. The graph has sums,
products, powers, quotients, relus and tanhs, nodes that are shared and chains that fuse. Sizes
differ, so that none takes minutes; times are for one node, results compared on 500 operations.
"""

from functools import partial

from . import random_dag
from .measure import Task, Workload
from .random_dag import LEAVES, leaves, random_lines, written_out
from .scalars import CHECKED, scalars

OPERATIONS = random_dag.OPERATIONS | {
    "tanh({} * {} + {} * {} + {})": 5,
    "{}**2": 1,
    "{} / ({}**2 + 1.0)": 3,
}


def recording(length, graph_of, record, differentiate, note=""):
    """The Task of record(*graph_of(lines)); differentiate takes a graph too, and gives numbers."""
    checked, _ = random_lines(CHECKED, OPERATIONS)
    lines, nodes = random_lines(length, OPERATIONS)
    run = partial(record, *graph_of(lines))
    return Task(run, differentiate(*graph_of(checked)), units=nodes, note=note)


def grown(lines, xs, **functions):
    """The last line's result, the lines run one by one: to compile all takes much memory."""
    names = functions | {f"v{i}": x for i, x in enumerate(xs)}
    for line in lines:
        exec(line, names)
    return names[lines[-1].split()[0]]


def tape(mg, length):
    def graph_of(lines):
        xs = [mg.Value(x) for x in leaves()]
        return grown(lines, xs, relu=mg.Value.relu, tanh=mg.Value.tanh), xs

    def differentiate(out, xs):
        tape = mg.Tape(out, xs)
        value = tape.forward(leaves())
        tape.backward()
        return value, tape.input_grad

    return recording(length, graph_of, mg.Tape, differentiate)


def traced(jax, length, note):
    def graph_of(lines):
        program = written_out(lines, relu=jax.nn.relu, tanh=jax.numpy.tanh)
        return (jax.value_and_grad(program, argnums=tuple(range(LEAVES))),)

    def record(program):
        jax.clear_caches()  # of the traces so far
        if note == "compiled too":
            return jax.jit(program).lower(*leaves()).compile()
        return jax.make_jaxpr(program)(*leaves())

    return recording(length, graph_of, record, lambda program: program(*leaves()), note)


def function(casadi, length):
    def graph_of(lines):
        xs = casadi.SX.sym("xs", LEAVES)
        relu = scalars(casadi).relu
        return grown(lines, casadi.vertsplit(xs), relu=relu, tanh=casadi.tanh), xs

    def record(out, xs):
        return casadi.Function("out", [xs], [out, casadi.gradient(out, xs)])

    def differentiate(out, xs):
        value, grads = record(out, xs)(leaves())
        return float(value), grads.full()

    return recording(length, graph_of, record, differentiate)


CONTESTANTS = [
    ("micrograd_fast", tape, 100_000),
    ("micrograd_fast, small", tape, 1_000),
    ("micrograd_ref", tape, 10_000),
    ("jax", traced, 1_000, "traced only"),
    ("jax.jit", traced, 200, "compiled too"),  # longer ones compile for minutes
    ("casadi", function, 100_000),
    ("torch", "records a graph to differentiate it once, not to replay it"),
]

TITLE = "recording a graph, to replay it"
WORKLOADS = [Workload("record", TITLE, "node", CONTESTANTS, memory=True)]
