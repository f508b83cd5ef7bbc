"""Mutants of the rules of the reference that are no formulas of the table, one by one."""

import math
import random
import types
from dataclasses import replace

import micrograd_ref
from micrograd_ref import (
    checking,
    custom,
    engine,
    gradients,
    losses,
    modules,
    nn,
    node,
    operations,
    optim,
    pickling,
    program,
    rounded,
    tape,
)
from micrograd_ref.backward import gradients as local_gradients
from micrograd_ref.custom import local_operation
from micrograd_ref.engine import run_backward
from micrograd_ref.fusion import Fusion
from micrograd_ref.gradients import Gradients, Term, passed_by_rule, patterns_of
from micrograd_ref.losses import pairs_of
from micrograd_ref.modules import normalized
from micrograd_ref.native.formulas import Formulas
from micrograd_ref.native.statements import Statements
from micrograd_ref.node import set_label
from micrograd_ref.operations import OPERATIONS, constant_power
from micrograd_ref.pickling import restore_leaf
from micrograd_ref.program import Instruction

from .formulas import nudged, nudged_item


def rules():
    """By name: an object, the name of one of its attributes, and what to put there."""
    return {
        **powers(),
        "the name of a power": (engine, "constant_power", power_with_another_name),
        "the order of the gradients of dot": (OPERATIONS["dot"], "sequence", range),
        "the order of the operands' gradients": (engine, "step", last_operand_first),
        "a quotient by zero": (
            OPERATIONS["/"], "value", lambda a, b: math.inf if b == 0 else a / b,
        ),
        "sigmoid rounded on the way": (
            OPERATIONS["sigmoid"], "value", lambda x: 1.0 / (1.0 + rounded.exp(-x)),
        ),
        "softplus rounded on the way": (
            OPERATIONS["softplus"], "value", lambda x: rounded.log1p(rounded.exp(x)),
        ),
        "tanh of the C library": (OPERATIONS["tanh"], "value", math.tanh),
        "relu of nan": (OPERATIONS["relu"], "value", lambda x: x if x > 0 else 0.0),
        "relu of -0.0": (OPERATIONS["relu"], "value", lambda x: 0.0 if x < 0 else x),
        "sign of the slope of abs": (operations, "sign", lambda x: 1.0 if x >= 0 else -1.0),
        "a restored leaf's grad": (
            pickling, "restore_leaf",
            lambda kind, data, grad, constant: restore_leaf(kind, data, 0.0, constant),
        ),
        "a restored constant": (
            pickling, "restore_leaf",
            lambda kind, data, grad, constant: restore_leaf(kind, data, grad, False),
        ),
        "the order of local gradients": (
            custom, "local_operation", lambda name, slopes: local_operation(name, slopes[::-1]),
        ),
        "a local gradient": (custom, "local_operation", nudged_local_operation),
        "the order of the outputs": (
            engine, "run_backward", lambda outputs, seeds: run_backward(outputs[::-1], seeds[::-1]),
        ),
        "a custom operation without a step": (engine, "check_step", lambda node: None),
        "attributes in a pickle": (node, "set_attributes", lambda order, found: None),
        "a label that was taken away": (node, "set_label", label_kept),
        "an empty label among the attributes": (node, "set_label", label_beside),
        "the message for an operand": (
            checking, "type_name", lambda x: type(x).__name__ + "?",
        ),
        "the order in a neuron": (nn.Neuron, "__call__", bias_last),
        "the random numbers of a neuron": (  # the module's alone: random is the fuzzer's too
            nn, "random", types.SimpleNamespace(uniform=nudged(random.uniform)),
        ),
        "what Dropout keeps": (modules, "random", types.SimpleNamespace(
            random=lambda: 1.0 - random.random(), uniform=random.uniform,
        )),
        "the random numbers of an Embedding": (modules, "random", types.SimpleNamespace(
            random=random.random, uniform=nudged(random.uniform),
        )),
        "the mean square": (modules, "normalized", lambda x, eps: normalized(x[::-1], eps)[::-1]),
        "SGD step": (optim.SGD, "step", with_nudged_parameters(optim.SGD.step)),
        "SGD momentum": (optim.SGD, "step", without_momentum),
        "Adam step": (optim.Adam, "step", with_nudged_parameters(optim.Adam.step)),
        "AdamW step": (optim.AdamW, "_decays_data", False),
        "RMSprop step": (optim.RMSprop, "step", with_nudged_parameters(optim.RMSprop.step)),
        "clip_grad_norm": (micrograd_ref, "clip_grad_norm", nudged(optim.clip_grad_norm)),
        "Adam root": (optim, "sqrt", nudged(optim.sqrt)),
        "Adam correction": (optim, "pow", nudged(optim.pow)),
        "Adam quotient": (optim, "divide", nudged(optim.divide)),
        "zero_grad of an optimizer": (optim._Optimizer, "zero_grad", lambda self: None),
        "zero_grad of a module": (nn.Module, "zero_grad", lambda self: None),
        "the sum over rows": (program, "reduce", in_order),
        "the sum over rows by one bit": (program, "reduce", nudged(program.reduce)),
        "the rows in a block": (tape, "BLOCK", 64),
        "the products of a chain": (Fusion, "is_product", lambda self, slot, plus: False),
        "the next user in a chain": (
            Fusion, "next_user", lambda self, slot, after, inside: math.inf,
        ),
        "the gradient of a row": (
            Instruction, "gradients", with_nudged_gradients(Instruction.gradients),
        ),
        "the largest logit": (
            losses, "shifted_powers",
            lambda logits: ([x.exp() for x in logits], engine.operand(0.0)),
        ),
        "mse": (losses, "pairs_of", lambda loss, xs, ys: pairs_of(loss, ys, xs)),
        "the order of a gradient's terms": (Gradients, "total", last_term_first(Gradients.total)),
        "a gradient of -0.0": (
            gradients, "Term", lambda x, y=None, is_gradient=False: Term(x, y, y is None),
        ),
        "the operand of a gradient": (
            gradients, "patterns_of", lambda row, count: patterns_of(row, count)[::-1],
        ),
        "the operand of a rule": (
            gradients, "passed_by_rule", lambda node, xs, g: passed_by_rule(node, xs, g)[::-1],
        ),
        "an anomaly in forward": (engine, "check_forward", lambda name, operands, data: None),
        "an anomaly in backward": (engine, "checked_step", lambda node: node._backward()),
        "an anomaly in a Tape": (tape.Tape, "_check", lambda self, table, seeds=None: None),
        "the order of gradients in C": (Formulas, "gradients", last_gradient_first),
        "a first gradient in C": (Statements, "is_seen", lambda self, name: False),
    }  # fmt: skip


def powers():
    """The constant exponents that have a formula of their own, and one that must have none."""
    row = OPERATIONS["**k"]

    def cube(x, k, power=row.value):
        return (x * x) * x if k == 3 else power(x, k)

    return {
        "power 3 rounded on the way": (row, "value", cube),
        **{
            f"power {k}": (row, "value", nudged(row.value, lambda x, exponent, k=k: exponent == k))
            for k in (1, 2, -1)
        },
    }


def power_with_another_name(k):
    operation = constant_power(k)
    return replace(operation, name=operation.name.replace("**", "^"))


def last_operand_first(node):
    operands = node._operands
    passed = local_gradients(node, node._grad)
    for i in reversed([*node._operation.sequence(len(operands))]):
        operands[i]._grad += passed[i]


def last_gradient_first(self, step, gradients=Formulas.gradients):
    return reversed(list(gradients(self, step)))


def last_term_first(total):
    return lambda self, terms: total(self, terms[::-1])


def nudged_local_operation(name, slopes):
    operation = local_operation(name, slopes)
    return replace(operation, gradients=nudged_item(0)(operation.gradients))


def label_kept(node, label):
    if label:
        set_label(node, label)


def label_beside(node, label):
    node.__dict__["label"] = label


def bias_last(self, x):
    out = engine.dot(self.w, x) + self.b
    return out if not self.nonlin else getattr(out, self.activation)()


def with_nudged_parameters(step):
    def changed(self):
        step(self)
        for p in self.params:
            p.data = math.nextafter(p.data, math.inf)

    return changed


def without_momentum(self):
    for p in self.params:
        p.data -= self.lr * p.grad


def in_order(contributions):
    total = 0.0
    for x in contributions:
        total += x
    return total


def with_nudged_gradients(gradients):
    def changed(self, grads, values):
        return [(x, math.nextafter(g, math.inf)) for x, g in gradients(self, grads, values)]

    return changed
