# cython: embedsignature=True, embedsignature.format=clinic
"""The autograd engine: Value, and the operations that are functions.

A Value is a number that remembers which operation made it and from which operands. Calling
`backward` on a result walks that graph from the result to the leaves and leaves in every node's
`grad` the derivative of the result with respect to it.

The twin of `micrograd_ref.engine`, which is the specification: every formula here follows its
order of operations literally, because it decides the last bit.
"""

import copyreg
import os
import sys
from contextlib import contextmanager
from functools import partial
from gc import get_referents

from micrograd_ref import engine as reference
from micrograd_ref import rounded
from micrograd_ref.node import html_table

from .wording import check_call, worded_as

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE, PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.limits cimport UINT_MAX
from libc.math cimport NAN, isfinite

__all__ = [
    "Value",
    "detect_anomaly",
    "dot",
    "larger",
    "maximum",
    "minimum",
    "norm",
    "sign",
    "smaller",
    "where",
]

include "python.pxi"  # what CPython and C have
include "rounded.pxi"  # the last word on a function's result
include "memory.pxi"  # the life of a node
include "checking.pxi"  # from what a user writes to doubles and nodes
include "making.pxi"  # the nodes of operators, dot and sum
include "anomaly.pxi"  # detect_anomaly
include "order.pxi"  # topological order
include "backward.pxi"  # the steps of backward
include "fields.pxi"  # reading and writing a node
include "custom.pxi"  # custom operations by their local gradients
include "node.pxi"  # from what a user passes to Value(...) to a node
include "value.pxi"  # class Value
include "pickling.pxi"  # a graph as a list


def dot(xs, ys, start=0.0):
    """start + xs[0] * ys[0] + xs[1] * ys[1] + ... as one node.

    xs, ys, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    products and sums, unless one operand depends on another.
    Raises ValueError if xs and ys differ in length.
    Cost: one node and three pointers a term, where the chain makes two nodes a term.
    """
    cdef list xv = values(list(xs))
    cdef list yv = values(list(ys))
    if len(xv) != len(yv):
        raise ValueError(f"dot expects two sequences of one length, got {len(xv)} and {len(yv)}")
    return dot_of(xv, yv, operand(start))

def sum(xs, start=0.0):
    """start + xs[0] + xs[1] + ... as one node.

    xs, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    sums, unless one operand depends on another.
    Cost: one node and one pointer a term, where the chain makes one node a term.
    """
    cdef Value first = operand(start)
    return sum_of(values(list(xs)), first)

@worded_as(reference.norm)
def norm(xs, start=0.0):
    """The root of start + xs[0] ** 2 + xs[1] ** 2 + ..., without a pole in its derivatives.

    xs, start: Values or numbers. Where the root is 0, it has no derivative, and those of every
    order are 0.0; xs[i] / norm else, by xs[i].
    Cost: a dot, and five nodes that choose.
    """
    cdef list xv = values(list(xs))
    cdef Value squares = dot_of(xv, xv, operand(start))
    is_zero = larger(0.0, abs(squares))
    return where(is_zero, 0.0, where(is_zero, 1.0, squares).sqrt())

def maximum(x, y):
    """The larger of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    cdef Value a = operand(x)
    return binary_node(MAXIMUM, a, operand(y))

def minimum(x, y):
    """The smaller of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    cdef Value a = operand(x)
    return binary_node(MINIMUM, a, operand(y))

def larger(x, y):
    """1.0 where maximum(x, y) takes x, which is where x >= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """
    cdef Value a = operand(x)
    return binary_node(LARGER, a, operand(y))

def smaller(x, y):
    """1.0 where minimum(x, y) takes x, which is where x <= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """
    cdef Value a = operand(x)
    return binary_node(SMALLER, a, operand(y))

def sign(x):
    """1.0 for a positive Value or number, -1.0 for a negative one, 0.0 for zero, nan for nan.

    The gradient is 0.0.
    """
    return unary(SIGN, operand(x))

def where(c, x, y):
    """x where c > 0, else y: Values or numbers.

    The gradient goes to the one that was taken; the other gets exactly 0.0, and so does c.
    """
    cdef Value condition = operand(c)
    cdef Value a = operand(x)
    return ternary_node(WHERE, condition, a, operand(y))


cdef int give_signature(object kind, str signature) except -1:
    """Put in front of a type's docstring what inspect.signature reads."""
    cdef bytes doc = f"{kind.__name__}{signature}\n--\n\n{kind.__doc__}".encode()
    Py_INCREF(doc)  # for as long as the type, which is for ever
    (<TypeSlots*>kind).tp_doc = doc
    return 0

give_signature(Value, "(data, _children=(), _op='', label='', local_grads=None)")
VALUE.tp_dealloc = value_dealloc
VALUE.tp_traverse = value_traverse
VALUE.tp_clear = value_clear
VALUE.tp_vectorcall = construct
VALUE.tp_flags |= Py_TPFLAGS_HAVE_GC  # from here on there may be nodes
VALUE.tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE  # a program may add methods
cdef Value example = leaf(0.0)
VALUE.tp_dictoffset = <char*>&example.attributes - <char*><PyObject*>example
PyType_Modified(VALUE)
