# cython: embedsignature=True, embedsignature.format=clinic
"""gradient: derivatives that are graphs themselves."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from micrograd_ref import gradients as reference
from micrograd_ref.checking import list_of_values
from micrograd_ref.custom import passed_by_rule
from micrograd_ref.patterns import PATTERNS, power_patterns

from .wording import check_call

from .engine cimport (
    CUSTOM, DIV, DOT, END, LARGER, LEAF, LOCAL, MUL, NORM, POWER, SUM, VISITED, WHERE, Op, Stack,
    Value, arity_of, binary_of, constant_of, name_of, new_block, node_of, node_of_block, operand,
    operands, release_block, shown_name, stack_free, stack_init, ternary_node, topological_order,
    type_name, unary_of,
)

__all__ = ["gradient"]

include "patterns.pxi"  # how to make what a node passes to an operand
include "wanted.pxi"  # the nodes whose gradients are wanted
include "terms.pxi"  # what is added to each gradient
include "passing.pxi"  # from the gradient of a node to those of its operands


def _is_value(x):
    return isinstance(x, Value)

cdef list checked(object inputs):
    cdef Py_ssize_t i
    if type(inputs) is not list:
        return list_of_values(inputs, "input", _is_value)
    for i in range(len(<list>inputs)):
        if not isinstance((<list>inputs)[i], Value):
            return list_of_values(inputs, "input", _is_value)
    return list(<list>inputs)  # which no rule of a custom operation can change

def gradient(*args, **kwargs):
    """d output / d input for each of the inputs, as Values: a graph to differentiate again.

    output: a Value. inputs: a sequence of Values, or an array of them in any shape; the gradient
    is 0.0 for one that is not under output.
    The data have the bits that output.backward() leaves in the grads of the inputs, if those were
    0.0 before; in a Tape of the gradient, for each row. The grads stay as they are. The new graph
    shares the nodes under output.
    A custom operation between them needs a rule: node._gradient = f, where f(g, node, *children)
    gives from its gradient g that of each child, as Values or numbers.
    Cost: proportional to the number of nodes and operands under output. Depth is limited by memory
    alone.
    Raises TypeError for what is no Value, ValueError for a custom operation without a rule.

    >>> x = Value(3.0)
    >>> (slope,) = gradient(x**3, [x])
    >>> slope.data, gradient(slope, [x])[0].data
    (27.0, 18.0)
    """
    cdef Gradients gradients = Gradients.__new__(Gradients)
    cdef list xs
    cdef size_t i
    if len(args) != 2 or kwargs:
        check_call(reference.gradient, args, kwargs)
        args = _arguments(*args, **kwargs)
    output, inputs = args
    if not isinstance(output, Value):
        raise TypeError(f"gradient differentiates a Value, not '{type_name(output)}'")
    xs = checked(inputs)
    gradients.read(<Value>output, xs)
    gradients.differentiate()
    return [gradients.gradient(gradients.inputs[i]) for i in range(<size_t>len(xs))]

gradient.__wrapped__ = reference.gradient  # whose signature it has

def _arguments(output, inputs):
    return output, inputs
