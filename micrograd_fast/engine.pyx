# cython: embedsignature=True, embedsignature.format=clinic
"""The autograd engine: Value.

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
from micrograd_ref.checking import list_of_values, sequence
from micrograd_ref.node import html_table

from .wording import check_call, worded_as

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE, PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.limits cimport UINT_MAX
from libc.math cimport NAN, isfinite

__all__ = ["Value", "backward", "detect_anomaly"]

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
include "functions.pxi"  # the operations that are functions

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
