# Rows: arrays from and for a user.

cdef object ndarray = None  # numpy.ndarray, once it is needed
cdef object empty = None
cdef object float64 = None

cdef object real_array(object x, str what):
    """x as an array of float64."""
    global ndarray, empty, float64
    if ndarray is None:
        import numpy as np

        ndarray, empty, float64 = np.ndarray, np.empty, np.dtype(np.float64)
    if type(x) is ndarray and x.dtype is float64:
        return x
    import numpy as np

    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be an array of real numbers, got dtype {x.dtype}")
    return x.astype(np.float64, copy=False)

cdef bint holds_doubles(Py_buffer* view) noexcept:
    """In the order of this machine's bytes, at any address."""
    cdef const char* format = view.format
    return strcmp(format + (format[0] in b"=^@"), b"d") == 0

cdef object get_empty(
    Py_buffer* view, Py_ssize_t rows, bint many, Py_ssize_t columns, bint wide
):
    """A new array with a dimension for rows, for columns, for both or for none, and its buffer."""
    cdef tuple shape = (rows,) if many else ()
    out = empty((*shape, columns) if wide else shape)
    PyObject_GetBuffer(out, view, PyBUF_STRIDED)
    if view.itemsize != sizeof(double) or not has_shape(view, rows, many, columns, wide):
        PyBuffer_Release(view)
        raise ValueError("numpy.empty was replaced by what makes other arrays")
    return out

cdef bint has_shape(
    Py_buffer* view, Py_ssize_t rows, bint many, Py_ssize_t columns, bint wide
) noexcept:
    return (
        view.ndim == many + wide
        and (not many or view.shape[0] == rows)
        and (not wide or view.shape[view.ndim - 1] == columns)
    )

cdef int get_result(
    Py_buffer* view, object x, str what,
    Py_ssize_t rows, bint many, Py_ssize_t columns, bint wide,
) except -1:
    """The buffer of a user's array for results, of the shape that get_empty gives."""
    if not isinstance(x, ndarray):
        raise TypeError(f"{what} must be an array of NumPy, not '{type_name(x)}'")
    if type(x) is not ndarray:  # a subclass may say other things of itself
        import numpy as np

        x = np.asarray(x)
    if x.dtype is not float64 and x.dtype != float64:
        raise TypeError(f"{what} must have the dtype float64, got {x.dtype}")
    PyObject_GetBuffer(x, view, PyBUF_STRIDED_RO)
    try:
        if view.itemsize != sizeof(double) or not has_shape(view, rows, many, columns, wide):
            shape = ((rows,) if many else ()) + ((columns,) if wide else ())
            raise ValueError(f"{what} must have the shape {shape}, got {x.shape}")
        if not PyBuffer_IsContiguous(view, b"C"):
            raise ValueError(
                f"{what} must be in C order without gaps, got strides of {x.strides} bytes: "
                "numpy.empty makes such an array"
            )
        if view.readonly:
            raise ValueError(
                f"{what} must be writable, got a read-only array: a copy of it would do"
            )
    except BaseException:
        PyBuffer_Release(view)
        raise
    return 0

cdef int check_apart(Py_buffer* result, str what, Py_buffer* read, str name) except -1:
    """Whether results may go into an array while another is read."""
    cdef char* first = <char*>read.buf
    cdef char* end = first + read.itemsize
    cdef Py_ssize_t i, reach
    if read.len == 0 or result.len == 0:
        return 0
    for i in range(read.ndim):
        reach = (read.shape[i] - 1) * read.strides[i]
        if reach < 0:
            first += reach
        else:
            end += reach
    if first < <char*>result.buf + result.len and <char*>result.buf < end:
        raise ValueError(f"{what} must not overlap {name} in memory: a copy of it would do")
    return 0

cdef Table table_of(Py_buffer* view, bint many, bint wide) noexcept:
    """An array of rows as a table, whether or not it has a dimension for rows or for columns."""
    cdef Table out
    out.data = <char*>view.buf
    out.rows = view.shape[0] if many else 1
    out.row_step = view.strides[0] if many else 0
    out.column_step = view.strides[view.ndim - 1] if wide else 0
    return out

cdef inline Table rows_from(Table* table, Py_ssize_t start) noexcept nogil:
    cdef Table out = table[0]
    out.data += start * table.row_step
    out.rows -= start
    return out

cdef inline double read(Table* table, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    """What is there, which may lie at any address."""
    cdef double out
    memcpy(
        &out, table.data + row * table.row_step + column * table.column_step, sizeof(double)
    )
    return out
