# From what a user writes to doubles and nodes.

cdef list numpy_numbers = []  # NumPy's scalar types that were found to be real numbers

cdef str type_name(object x):
    kind = type(x)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"

cdef bint is_number(object x) except -1:
    """Whether x is an int, float, bool or NumPy real scalar. NumPy is not imported to find out."""
    if isinstance(x, (int, float)) or is_numpy_number(<PyObject*>Py_TYPE(<PyObject*>x)):
        return True
    np = sys.modules.get("numpy")
    if (
        np is None
        or not issubclass(type(x), (np.floating, np.integer, np.bool_))
        or issubclass(type(x), np.timedelta64)
    ):
        return False
    if not Py_TYPE(<PyObject*>x).tp_flags & Py_TPFLAGS_HEAPTYPE:  # it lives for ever
        numpy_numbers.append(type(x))
    return True

cdef bint is_numpy_number(PyObject* kind) noexcept:
    """Whether it is a type known to be one. By address: a metaclass may forbid hashing."""
    cdef PyObject** kinds = list_items(numpy_numbers)
    cdef Py_ssize_t i
    for i in range(len(numpy_numbers)):
        if kinds[i] == kind:
            return True
    return False

cdef bint is_array(object x) except -1:
    np = sys.modules.get("numpy")
    return np is not None and isinstance(x, np.ndarray)

cdef inline bint to_double(object x, double* out) except -1:
    """Whether x is a number, and the number."""
    if PyFloat_CheckExact(x):
        out[0] = PyFloat_AS_DOUBLE(x)
        return True
    return to_double_of(x, out)

cdef bint to_double_of(object x, double* out) except -1:
    """The same for what is no plain float."""
    if PyLong_CheckExact(x):
        out[0] = PyLong_AsDouble(x)
    elif is_number(x):
        out[0] = PyFloat_AS_DOUBLE(float(x))
    else:
        return False
    return True

cdef double number(object x, str what) except? -1:
    cdef double out
    if not to_double(x, &out):
        way_out = ": use .item()" if is_array(x) else ""
        raise TypeError(f"{what} must be a real number, not '{type_name(x)}'{way_out}")
    return out

cdef object string(object x, str what):
    if not isinstance(x, str):
        raise TypeError(f"the {what} of a Value must be a str, not '{type_name(x)}'")
    return str.__str__(x)

cdef inline Value constant(double data):
    cdef PyObject* out = allocate(LEAF, 0, 0, data)
    (<Value>out).flags = CONSTANT
    return take(out)

cdef Value constant_of(double data):
    return constant(data)

cdef Value operand_or_none(object x):
    """x itself if it is a Value, a constant leaf if it is a number, else None."""
    cdef double data
    if isinstance(x, Value):
        return <Value>x
    return constant(data) if to_double(x, &data) else None

cdef Value operand(object x):
    """x itself if it is a Value, a constant leaf if it is a number."""
    cdef Value out = operand_or_none(x)
    if out is None:
        raise TypeError(
            f"unsupported operand for a Value: '{type_name(x)}' "
            "(expected a Value or a real number)"
        )
    return out

cpdef list values(object xs):
    """xs itself if it is a list of Values, else a list of its operands."""
    if type(xs) is list and all_values(<list>xs):
        return <list>xs
    return [operand(x) for x in list(xs)]

cdef bint all_values(list xs) noexcept:
    cdef PyObject** items = list_items(xs)
    cdef Py_ssize_t i
    for i in range(len(xs)):
        if Py_TYPE(items[i]) != VALUE:
            return False
    return True
