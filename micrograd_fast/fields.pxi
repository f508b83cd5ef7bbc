# What a node holds, as a user reads and writes it.

cdef tuple FIELDS = (
    "data", "grad", "label", "_op", "_children", "_prev", "_backward", "_local_grads"
)

cdef object fixed(str name):
    return AttributeError(f"{name} of a Value cannot be changed: make a new Value")


cdef str shown_name(Op op):
    """What the table calls an operation, None for one that has no row."""
    return None if name_of(op) == NULL else name_of(op).decode()

cdef list NAMES = [shown_name(<Op>op) for op in range(END)]


cdef tuple children_of(Value node):
    # An allocation may run a finaliser, and that initialise the node.
    cdef size_t n = node.count, i
    cdef tuple out = PyTuple_New(n)
    while n != node.count:
        n = node.count
        out = PyTuple_New(n)
    cdef PyObject** held = operands(node)
    for i in range(n):
        Py_INCREF(<object>held[i])
        PyTuple_SET_ITEM(out, i, <object>held[i])
    return out

cdef dict own_attributes(Value node):
    """Its attributes; whoever puts something there says so to refer."""
    return PyObject_GenericGetDict(node, NULL)

cdef object label_of(Value node):
    """Its label, without a property of a subclass, which would run Python."""
    return "" if node.attributes == NULL else (<dict>node.attributes).get("label", "")

cdef int set_label(Value node, object label) except -1:
    if label:
        own_attributes(node)["label"] = label
    elif node.attributes != NULL:
        (<dict>node.attributes).pop("label", None)
    return 0
