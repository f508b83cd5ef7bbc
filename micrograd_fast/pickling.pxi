# Pickling. A graph is a list of its nodes in topological order: leaves as they are, which keeps
# those that are pickled along with it the same objects, and other nodes as tuples. Attributes come
# after the nodes, for they may refer to them.

cdef dict BUILT_IN = {name: op for op, name in enumerate(NAMES) if name and op != POWER}

cdef list graph_under(Value root):
    cdef Stack order
    cdef PyObject* start = <PyObject*>root
    cdef size_t i
    stack_init(&order)
    try:
        topological_order(&start, 1, True, &order)
        clear_visited(&order)
        return [<object>order.items[i] for i in range(order.size)]
    finally:
        stack_free(&order)

cdef object saved(Value node, dict numbers):
    cdef PyObject* closure = NULL
    if node.op == LEAF:
        return node
    detail = None
    if node.op == POWER:
        detail = node.second.exponent
    elif node.op == LOCAL:
        detail = type(node), None, exact_slopes(node)
    elif node.op == CUSTOM:
        closure = node.second.block[node.count + 1]
        detail = type(node), None if closure == NULL else <object>closure, None
    operands = tuple([numbers[id(x)] for x in children_of(node)])
    return node._op, detail, operands, node._data, node._grad

def _restore_graph(saved):
    cdef list nodes = []
    cdef Value node
    for entry in saved:
        if isinstance(entry, Value):
            nodes.append(entry)
            continue
        name, detail, numbers, data, grad = entry
        operands = tuple([nodes[i] for i in numbers])
        if isinstance(detail, tuple):
            kind, closure, slopes = detail
            node = blank(kind)
            initialise(node, data, operands, name, "", slopes)
            if closure is not None:
                node._backward = closure
        else:
            node = restored(name, detail, operands)
            node._data = data
        node._grad = grad
        nodes.append(node)
    return nodes[-1]

cdef Value restored(str name, object exponent, tuple operands):
    """A built-in node from what saved says of it."""
    if exponent is None and name not in BUILT_IN:
        raise ValueError(f"a state has the operation {name!r}, which is unknown here")
    cdef Op op = POWER if exponent is not None else BUILT_IN[name]
    cdef Py_ssize_t n = len(operands)
    cdef bint good
    if op == DOT:
        good = n % 2 == 1
    elif op == SUM or op == NORM:
        good = n >= 1
    else:
        good = n == arity_of(op)
    if not good:
        raise ValueError(f"this is not the state of a Value: {name!r} of {n} operands")
    return node_of(op, list(operands), 0.0 if exponent is None else exponent)

cdef Value node_of(Op op, list held, double exponent):
    """The node of an operation, by number."""
    cdef Value first = held[0]
    if op == DOT:
        return dot_of(held[1::2], held[2::2], first)
    if op == SUM:
        return sum_of(held[1:], first)
    if op == NORM:
        return norm_of(held[1:], first)
    if arity_of(op) == 3:
        return ternary_node(op, first, held[1], held[2])
    if arity_of(op) == 2:
        return binary_node(op, first, held[1])
    return unary_node(op, first, exponent, value_of(op, first._data, 0.0, 0.0, exponent))

cdef Value blank(object kind):
    """A new Value of a kind, without its fields."""
    if kind is Value:
        return blank_value()
    node = kind.__new__(kind)
    if not isinstance(node, Value) or not (<Value>node).flags & BLANK:
        raise TypeError(f"this is not the state of a Value: {type_name(node)!r} is not new")
    return <Value>node

def _restore_leaf(kind, data, grad, constant):
    cdef Value node = leaf(0.0) if kind is Value else blank(kind)
    node._data, node._grad = data, grad
    node.flags = (node.flags & TRACKED) | (CONSTANT if constant else 0)
    return node

cdef object attributes_of(list order):
    """The attributes of a graph's last node, and of those before it that have operands.

    By number, and in two dictionaries: the node's own, and that of the slots of its class.
    None if there are none.
    """
    cdef dict found = {}
    cdef Value node
    for i, node in enumerate(order):
        if node is not order[-1] and node.op == LEAF:
            continue
        slots = {}
        if type(node) is not Value:
            names = sorted(set(copyreg._slotnames(type(node))))
            slots = {name: getattr(node, name) for name in names if hasattr(node, name)}
        if node.attributes != NULL and <dict>node.attributes or slots:
            found[i] = own_attributes(node).copy(), slots
    return found or None

cdef int set_attributes(list order, dict found) except -1:
    for i, (attributes, slots) in found.items():
        own_attributes(order[i]).update(attributes)
        for x in attributes.values():
            refer(<PyObject*>order[i], x)
        for name, x in slots.items():
            setattr(order[i], name, x)
    return 0
