# Native code: a program as C of the machine's own compiler.

cdef extern from *:
    """
    #include <string.h>
    #include "rounded.h"

    typedef void (*mg_pointer)(void);

    #if defined(_WIN32)
    #include <windows.h>
    static void *open_library(const char *path) { return (void *)LoadLibraryA(path); }
    static mg_pointer pointer_in(void *library, const char *name) {
        return (mg_pointer)GetProcAddress((HMODULE)library, name);
    }
    static void close_library(void *library) { FreeLibrary((HMODULE)library); }
    #else
    #include <dlfcn.h>
    static void *open_library(const char *path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }
    static mg_pointer pointer_in(void *library, const char *name) {
        mg_pointer out;
        void *found = dlsym(library, name);
        memcpy(&out, &found, sizeof out);
        return out;
    }
    static void close_library(void *library) { dlclose(library); }
    #endif

    /* The function of a name, which never leaves a result open: of so many. */
    enum { FUNCTION_COUNT = MG_POW_OF + 3 };
    static mg_pointer pointer_to(const char *name) {
    #define IF_IT_IS(function, ...) if (!strcmp(name, #function)) return (mg_pointer)mg_##function;
        MG_FUNCTIONS(IF_IT_IS)
        IF_IT_IS(pow)
        IF_IT_IS(cube)
        IF_IT_IS(inverse_square)
    #undef IF_IT_IS
        return NULL;
    }
    """
    enum: FUNCTION_COUNT
    ctypedef void (*mg_pointer)() noexcept nogil
    void* open_library(const char* path)
    mg_pointer pointer_in(void* library, const char* name)
    void close_library(void* library)
    mg_pointer pointer_to(const char* name)

cdef enum:
    LARGEST = 200_000  # operations and operands: beyond, a C compiler takes minutes

cdef struct Functions:
    void (*begin)(const double* parameters, double* work) noexcept nogil
    void (*clear)(double* work) noexcept nogil
    void (*end)(const double* work, double* parameter_grads) noexcept nogil
    void (*forward)(const double* rows, size_t n, double* out, double* work) noexcept nogil
    void (*backward)(
        const double* rows, size_t n, const double* seed, double* input_grads,
        int last, int at_hand, double* work,
    ) noexcept nogil


@cython.internal
cdef class Library:
    """The functions of a compiled program, for blocks of rows and for one row."""

    cdef void* handle
    cdef object folder  # a Folder, with its file
    cdef Functions many, one

    def __dealloc__(self):
        if self.handle != NULL:
            close_library(self.handle)

    cdef int load(self, str path, list functions) except -1:
        cdef mg_pointer pointers[FUNCTION_COUNT]
        cdef Py_ssize_t i
        self.handle = open_library(os.fsencode(path))
        if self.handle == NULL:
            raise RuntimeError(f"the library that the C compiler made cannot be loaded: {path}")
        for i, name in enumerate(functions):
            pointers[i] = pointer_to(name.encode())
        self.find(&self.many, b"rows", pointers)
        self.find(&self.one, b"row", pointers)
        return 0

    cdef int find(self, Functions* functions, bytes name, mg_pointer* pointers) except -1:
        (<void (*)(mg_pointer*) noexcept>self.pointer(name + b"_functions"))(pointers)
        functions.begin = <void (*)(const double*, double*) noexcept nogil>self.pointer(name + b"_begin")
        functions.clear = <void (*)(double*) noexcept nogil>self.pointer(name + b"_clear")
        functions.end = <void (*)(const double*, double*) noexcept nogil>self.pointer(name + b"_end")
        functions.forward = <void (*)(const double*, size_t, double*, double*) noexcept nogil>(
            self.pointer(name + b"_forward_block")
        )
        functions.backward = <void (*)(
            const double*, size_t, const double*, double*, int, int, double*
        ) noexcept nogil>self.pointer(name + b"_backward_block")
        return 0

    cdef mg_pointer pointer(self, bytes name) except NULL:
        cdef mg_pointer found = pointer_in(self.handle, name)
        if found == NULL:
            raise RuntimeError(f"the library that the C compiler made lacks {name.decode()}")
        return found


@cython.internal
@cython.auto_pickle(False)
cdef class Native(Replay):
    """A program, and the library that runs it, if it is compiled."""

    cdef Library library
    cdef Functions* functions  # for the rows of the last forward
    cdef void* storage_of_scratch
    cdef double* scratch  # what the functions work in, and then:
    cdef double* staged_rows  # of a block, where a user's lie in another way
    cdef double* staged_seeds
    cdef double* staged_results

    def __dealloc__(self):
        PyMem_Free(self.storage_of_scratch)

    cdef object listing(self, Py_ssize_t parameters):
        """The instructions, with the numbers of both packages."""
        from micrograd_ref.native import Listing, Step

        cdef list steps = []
        cdef Instruction* step
        cdef Py_ssize_t i
        for i in range(self.program.length):
            step = self.program.code + i
            operands = tuple([self.number(slot) for slot in self.operand_slots(step)])
            exponent = self.constants[~step.y] if step.op == POWER else None
            name = shown_name(eager_operation(step.op))
            steps.append(Step(name, self.number(step.out), operands, exponent))
        outputs = [self.number(self.outputs[i]) for i in range(self.output_count)]
        return Listing(self.input_count, parameters, steps, outputs)

    cdef object number(self, int32_t slot):
        """What varies by its slot, what does not by ~i from the first parameter on; else a float."""
        if slot >= 0:
            return slot
        if ~slot < self.program.constants:
            return self.constants[~slot]
        return ~(~slot - self.program.constants)

    cdef int compile_program(self, Py_ssize_t parameters) except -1:
        from micrograd_ref.native.text import library_texts

        from .compiler import Folder, build

        cdef Library library = Library.__new__(Library)
        cdef Py_ssize_t size
        if self.work() > LARGEST:
            raise RuntimeError(
                f"a Tape of up to {LARGEST} operations and operands can be compiled, got "
                f"{self.work()}: a C compiler would take minutes"
            )
        texts, functions, size = library_texts(self.listing(parameters))
        library.folder = Folder()
        library.load(str(build(texts, library.folder.path)), functions)
        if os.name != "nt":  # there, a library that is loaded holds its file
            library.folder.remove()
        self.storage_of_scratch = memory(
            sizeof(double) * (size + BLOCK * 2 * (self.input_count + self.output_count)) + ALIGNMENT
        )
        self.scratch = <double*>(
            (<size_t>self.storage_of_scratch + ALIGNMENT - 1) & ~<size_t>(ALIGNMENT - 1)
        )
        self.staged_rows = self.scratch + size
        self.staged_seeds = self.staged_rows + BLOCK * self.input_count
        self.staged_results = self.staged_seeds + BLOCK * self.output_count
        self.library = library
        self.current = -1
        self.functions = &library.many
        if self.storage != NULL:  # a forward was before
            library.many.begin(self.block.shared + self.program.constants, self.scratch)
        return 0

    cdef int evaluate_rows(self, Table* table, Table* results) except -1 nogil:
        cdef Py_ssize_t start = 0
        cdef double* out
        if self.library is None:
            return Replay.evaluate_rows(self, table, results)
        self.functions = &self.library.one if table.rows == 1 else &self.library.many
        self.functions.begin(self.block.shared + self.program.constants, self.scratch)
        while start < table.rows:
            if start:
                self.look(self.work())
            self.block.rows = min(table.rows - start, <Py_ssize_t>BLOCK)
            out = place(results, start, self.output_count, self.staged_results)
            self.functions.forward(
                staged(table, start, self.block.rows, self.input_count, self.staged_rows),
                self.block.rows, out, self.scratch,
            )
            if out == self.staged_results:
                unstage(results, start, self.block.rows, self.output_count, out)
            self.current = start
            start += BLOCK
        return 0

    cdef int differentiate_rows(self, Table* table, Table* seeds, Table* gradient) except -1 nogil:
        cdef Py_ssize_t start = 0, n
        cdef double* out
        cdef const double* weights = NULL
        if self.library is None:
            return Replay.differentiate_rows(self, table, seeds, gradient)
        self.functions.clear(self.scratch)
        while start < table.rows:
            if start:
                self.look(2 * self.work())
            n = min(table.rows - start, <Py_ssize_t>BLOCK)
            if seeds != NULL:
                weights = staged(seeds, start, n, self.output_count, self.staged_seeds)
            out = place(gradient, start, self.input_count, self.staged_results)
            self.functions.backward(
                staged(table, start, n, self.input_count, self.staged_rows), n, weights, out,
                start + BLOCK >= table.rows, self.current == start, self.scratch,
            )
            if out == self.staged_results:
                unstage(gradient, start, n, self.input_count, out)
            self.current = start
            start += BLOCK
        self.functions.end(self.scratch, self.block.shared_grads + self.program.constants)
        return 0


cdef const double* staged(
    Table* table, Py_ssize_t start, Py_ssize_t n, Py_ssize_t columns, double* stage
) noexcept nogil:
    """A block's rows: where they are, or copied to the stage."""
    cdef Py_ssize_t i, k
    if is_dense(table, columns):
        return <double*>(table.data + start * table.row_step)
    for i in range(n):
        for k in range(columns):
            stage[i * columns + k] = read(table, start + i, k)
    return stage

cdef double* place(
    Table* table, Py_ssize_t start, Py_ssize_t columns, double* stage
) noexcept nogil:
    """Where a block's results go, which unstage moves if that is the stage."""
    if is_dense(table, columns):
        return <double*>(table.data + start * table.row_step)
    return stage

cdef void unstage(
    Table* table, Py_ssize_t start, Py_ssize_t n, Py_ssize_t columns, double* stage
) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef char* row
    for i in range(n):
        row = table.data + (start + i) * table.row_step
        for k in range(columns):
            memcpy(row + k * table.column_step, stage + i * columns + k, sizeof(double))
