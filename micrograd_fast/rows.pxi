# Rows: arrays from and for a user.

cdef extern from *:
    """
    /* What an array of NumPy begins with, as every extension that was built with its headers takes
       it to be. A buffer says the same, but takes longer than a small Tape. */
    typedef struct {
        PyObject_HEAD
        char *data;
        int ndim;
        Py_ssize_t *shape, *strides;
        PyObject *base, *dtype;
        int flags;
    } mg_array;
    """
    ctypedef struct Array "mg_array":
        char* data
        int ndim
        Py_ssize_t* shape
        Py_ssize_t* strides
        PyObject* dtype
        int flags

cdef enum:
    IN_C_ORDER = 1
    WRITABLE = 0x400

cdef object ndarray = None  # numpy.ndarray, once it is needed
cdef object empty = None
cdef object float64 = None

cdef int find_numpy() except -1:
    """What is needed of it, and whether its arrays begin as said."""
    global ndarray, empty, float64
    import numpy as np

    x = np.zeros((3, 4))[::2]
    cdef Array* array = <Array*>x
    if (
        type(x).__basicsize__ < <Py_ssize_t>sizeof(Array)
        or array.ndim != x.ndim
        or array.flags != x.flags.num
        or array.dtype != <PyObject*>x.dtype
        or <size_t>array.data != x.__array_interface__["data"][0]
        or (array.shape[0], array.shape[1]) != x.shape
        or (array.strides[0], array.strides[1]) != x.strides
    ):
        raise ImportError(
            f"NumPy {np.__version__} lays out arrays in another way than NumPy 1 and 2: "
            "install 'numpy<3'"
        )
    ndarray, empty, float64 = type(x), np.empty, np.dtype(np.float64)
    return 0

cdef Array* array_of(object x) except NULL:
    """What is known to be one of NumPy's own."""
    if type(x) is not ndarray:
        raise ValueError("a function of NumPy was replaced by what makes no arrays")
    return <Array*>x

cdef inline bint holds_doubles(Array* array):
    return array.dtype == <PyObject*>float64 or <object>array.dtype == float64

cdef object real_array(object x, str what):
    """x as an array of float64."""
    if ndarray is None:
        find_numpy()
    if type(x) is ndarray and (<Array*>x).dtype == <PyObject*>float64:
        return x
    import numpy as np

    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be an array of real numbers, got dtype {x.dtype}")
    return x.astype(np.float64, copy=False)

cdef object get_empty(Table* table, Py_ssize_t rows, bint many, Py_ssize_t columns, bint wide):
    """A new array with a dimension for rows, for columns, for both or for none, as a table."""
    cdef tuple shape = (rows,) if many else ()
    out = empty((*shape, columns) if wide else shape)
    cdef Array* array = array_of(out)
    if not holds_doubles(array) or not has_shape(array, rows, many, columns, wide):
        raise ValueError("numpy.empty was replaced by what makes other arrays")
    table[0] = table_of(array, many, wide)
    return out

cdef bint has_shape(
    Array* array, Py_ssize_t rows, bint many, Py_ssize_t columns, bint wide
) noexcept:
    return (
        array.ndim == many + wide
        and (not many or array.shape[0] == rows)
        and (not wide or array.shape[array.ndim - 1] == columns)
    )

cdef int get_result(
    Table* table, object x, str what,
    Py_ssize_t rows, bint many, Py_ssize_t columns, bint wide,
) except -1:
    """A user's array for results, of the shape that get_empty gives, as a table."""
    if type(x) is not ndarray:
        if not isinstance(x, ndarray):
            raise TypeError(f"{what} must be an array of NumPy, not '{type_name(x)}'")
        import numpy as np

        x = np.asarray(x)  # a subclass may say other things of itself
    cdef Array* array = array_of(x)
    if not holds_doubles(array):
        raise TypeError(f"{what} must have the dtype float64, got {x.dtype}")
    if not has_shape(array, rows, many, columns, wide):
        shape = ((rows,) if many else ()) + ((columns,) if wide else ())
        raise ValueError(f"{what} must have the shape {shape}, got {x.shape}")
    if not array.flags & IN_C_ORDER:
        raise ValueError(
            f"{what} must be in C order without gaps, got strides of {x.strides} bytes: "
            "numpy.empty makes such an array"
        )
    if not array.flags & WRITABLE or array.flags < 0:  # or with a warning
        raise ValueError(
            f"{what} must be writable, got a read-only array: a copy of it would do"
        )
    table[0] = table_of(array, many, wide)
    return 0

cdef int check_apart(
    Table* result, Py_ssize_t width, str what, Table* read, Py_ssize_t columns, str name
) except -1:
    """Whether results may go into an array while another is read."""
    cdef char* end = result.data + result.rows * width * <Py_ssize_t>sizeof(double)
    cdef Py_ssize_t down = (read.rows - 1) * read.row_step
    cdef Py_ssize_t right = (columns - 1) * read.column_step
    cdef char* lowest = read.data + min(down, 0) + min(right, 0)
    cdef char* highest = read.data + max(down, 0) + max(right, 0)
    if read.rows and width and columns and lowest < end and result.data < highest + sizeof(double):
        raise ValueError(f"{what} must not overlap {name} in memory: a copy of it would do")
    return 0

cdef Table table_of(Array* array, bint many, bint wide) noexcept:
    """An array of rows as a table, whether or not it has a dimension for rows or for columns."""
    cdef Table out
    out.data = array.data
    out.rows = array.shape[0] if many else 1
    out.row_step = array.strides[0] if many else 0
    out.column_step = array.strides[array.ndim - 1] if wide else 0
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
