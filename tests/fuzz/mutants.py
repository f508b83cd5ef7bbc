"""Mutants: the reference with one formula changed by one bit, or one rule. Each must be found."""

import contextlib
import importlib
import math
import random
import time
import types
from dataclasses import replace

from .searching import Tally, search


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
