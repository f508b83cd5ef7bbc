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
    if (
        view.itemsize != sizeof(double)
        or view.ndim != many + wide
        or many and view.shape[0] != rows
        or wide and view.shape[view.ndim - 1] != columns
    ):
        PyBuffer_Release(view)
        raise ValueError("numpy.empty was replaced by what makes other arrays")
    return out

cdef struct Table:
    char* data  # of doubles
    Py_ssize_t rows
    Py_ssize_t row_step, column_step  # in bytes

cdef Table table_of(Py_buffer* view, bint many, bint wide) noexcept:
    """An array of rows as a table, whether or not it has a dimension for rows or for columns."""
    cdef Table out
    out.data = <char*>view.buf
    out.rows = view.shape[0] if many else 1
    out.row_step = view.strides[0] if many else 0
    out.column_step = view.strides[view.ndim - 1] if wide else 0
    return out

cdef inline double* at(Table* table, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    return <double*>(table.data + row * table.row_step + column * table.column_step)

cdef inline double read(Table* table, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    """What is there, which may lie at any address."""
    cdef double out
    memcpy(&out, at(table, row, column), sizeof(double))
    return out
