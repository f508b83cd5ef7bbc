# What CPython and C have: declarations, and what a thread has for itself.

cdef extern from *:
    """
    /* A node's second operand adjoins its first, and takes as much memory as a double. */
    #if SIZEOF_VOID_P != 8
    #error "micrograd_fast needs a 64-bit CPython: use micrograd_ref, which is pure Python, here"
    #endif

    #if defined(_MSC_VER)
    #define MG_OF_THIS_THREAD static __declspec(thread)
    #else
    #define MG_OF_THIS_THREAD static __thread
    #endif
    MG_OF_THIS_THREAD int mg_running = 0;
    MG_OF_THIS_THREAD int mg_nested = 0;
    typedef struct {
        int running;    /* whether the operands of a node are being released */
        PyObject *dead; /* nodes whose operands are still to be, linked by attributes */
    } mg_release;
    MG_OF_THIS_THREAD mg_release mg_thread_release = {0, NULL};
    /* Inlined, every use of what it returns would look the thread up again. */
    MG_NOINLINE mg_release *mg_release_of_thread(void) { return &mg_thread_release; }

    /* The new reference that an owned pointer is. */
    #define MG_TAKE(p) ((void *)(p))
    """
    Value take "MG_TAKE"(PyObject* p)
    # Each thread has these for itself.
    int running "mg_running"  # calls of backward
    int nested "mg_nested"  # calls of what calls itself through Python
    ctypedef struct Release "mg_release":
        bint running
        PyObject* dead
    Release* release_of_thread "mg_release_of_thread"() noexcept

cdef extern from "Python.h":
    ctypedef int (*visitproc)(PyObject*, void*) noexcept
    ctypedef PyObject* const_args "PyObject *const"
    ctypedef object (*vectorcallfunc)(PyObject*, const_args*, size_t, PyObject*)
    ctypedef struct TypeSlots "PyTypeObject":
        Py_ssize_t tp_basicsize
        void (*tp_dealloc)(PyObject*) noexcept
        int (*tp_traverse)(PyObject*, visitproc, void*) noexcept
        int (*tp_clear)(PyObject*) noexcept
        void (*tp_free)(void*) noexcept
        Py_hash_t (*tp_hash)(PyObject*) except -1
        object (*tp_richcompare)(PyObject*, PyObject*, int)
        vectorcallfunc tp_vectorcall
        const char* tp_doc
        Py_ssize_t tp_dictoffset
        unsigned long tp_flags
    const unsigned long Py_TPFLAGS_HAVE_GC
    const unsigned long Py_TPFLAGS_IMMUTABLETYPE
    const unsigned long Py_TPFLAGS_HEAPTYPE
    void PyType_Modified(TypeSlots*)
    TypeSlots* Py_TYPE(PyObject*) noexcept
    void Py_SET_REFCNT(PyObject*, Py_ssize_t) noexcept
    PyObject* _PyObject_GC_New(TypeSlots*) noexcept
    void PyObject_GC_Del(void*) noexcept
    void PyObject_GC_Track(PyObject*) noexcept
    void PyObject_GC_UnTrack(PyObject*) noexcept
    bint PyObject_IS_GC(object) noexcept
    Py_ssize_t PyVectorcall_NARGS(size_t) noexcept
    object PyObject_Vectorcall(object, const_args*, size_t, PyObject*)
    int PyObject_GenericSetAttr(object, object, PyObject*) except -1
    object PyObject_GenericGetDict(object, void*)
    int PyObject_GenericSetDict(object, object, void*) except -1
    int PyErr_CheckSignals() except -1
    void PyErr_SetInterrupt() noexcept
    bint PyOS_InterruptOccurred() noexcept
    bint PyFloat_CheckExact(object) noexcept
    bint PyLong_CheckExact(object) noexcept
    double PyFloat_AS_DOUBLE(object) noexcept
    double PyLong_AsDouble(object) except? -1

# Quiet at a nan, as operations.h says.
cdef extern from "math.h" nogil:
    bint isgreater(double, double) noexcept
    bint isgreaterequal(double, double) noexcept
    bint isless(double, double) noexcept
    bint islessequal(double, double) noexcept

cdef TypeSlots* VALUE = <TypeSlots*>Value
