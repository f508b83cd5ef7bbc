# Anomalies.

cdef int detecting = 0  # how many detect_anomaly blocks are open

@worded_as(reference.detect_anomaly)
@contextmanager
def detect_anomaly():
    """Within this block, an operation that turns finite numbers into nan or inf is an error.

    Raises FloatingPointError at the first one, in building a graph, in `backward` or in a Tape. It
    names the operation, its operands' data and labels, and in a Tape the row. A forward operation
    that fails makes no node; after a failure in `backward` the grads are incomplete.
    Cost: none that can be measured outside the block. Inside it, `backward` takes several times as
    long, and a Tape as long as the eager graph of each row.
    """
    global detecting
    detecting += 1
    try:
        yield
    finally:
        detecting -= 1

cdef bint is_detecting() noexcept:
    return detecting != 0

cdef bint all_finite(tuple nodes) noexcept:
    for x in nodes:
        if not isfinite((<Value>x)._data):
            return False
    return True

cdef str described(tuple nodes):
    cdef Value x
    shown = []
    for x in nodes[:8]:
        shown.append(repr(x._data) + (f" ({label_of(x)!r})" if label_of(x) else ""))
    return ", ".join(shown) + (", ..." if len(nodes) > 8 else "")

cdef int check_forward(str name, tuple operands, double data) except -1:
    if operands and not isfinite(data) and all_finite(operands):
        raise FloatingPointError(f"{name!r} made {data} of {described(operands)}")
    return 0

cdef Value checked(Value node):
    check_forward(node._op, children_of(node), node._data)
    return node

cdef int checked_step(Value node) except -1:
    """The step of a node, and whether it spoils a gradient."""
    cdef tuple held = children_of(node)
    cdef list finite = [isfinite((<Value>x)._grad) for x in held]
    python_step(node)
    if not isfinite(node._grad) or not all_finite(held):
        return 0
    for x, was_finite in zip(held, finite):
        if was_finite and not isfinite((<Value>x)._grad):
            raise FloatingPointError(
                f"backward of {node._op!r} made a gradient {(<Value>x)._grad} of {node._grad} "
                f"for {described(held)}"
            )
    return 0
