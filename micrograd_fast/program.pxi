# A program, and how it runs over blocks of rows.

cdef enum:
    ALIGNMENT = 64  # of block: a cache line, and the widest vector
    # Instructions and terms that take some milliseconds at most:
    PART = 2048  # each for the rows of a block
    PART_OF_ROW = 32 * PART  # each for a single row

cdef inline bint is_over_shared(int32_t op) noexcept nogil:
    """Whether it is a dot of what varies and what is shared."""
    return op == DOT_SHARED or op == DOT_SWAPPED

cdef inline bint takes_a_list(int32_t op) noexcept nogil:
    """Whether all its operands lie in terms."""
    return op == SUM or op == NORM

cdef inline Op eager_operation(int32_t op) noexcept nogil:
    """That of the node which an instruction replays."""
    return DOT if is_over_shared(op) else <Op>op

cdef Py_ssize_t part_of(
    Instruction* first, Py_ssize_t left, int step, Py_ssize_t part
) noexcept nogil:
    """How many of the instructions left, from the first on or back, make a part."""
    cdef Py_ssize_t n = 0, steps = 0
    while n < left and steps < part:
        steps += 1 + first[n * step].count
        n += 1
    return n


@cython.internal
@cython.auto_pickle(False)  # else a Tape would have its __setstate__, which only raises
cdef class Replay:
    """A program, and the memory in which it runs."""

    cdef Program program  # as recorded
    cdef Program plan  # as it runs: with layers, once there was a forward
    cdef int32_t* layers  # of plan
    cdef double* inverses  # of plan: constants after the shared slots
    cdef int32_t inverse_count
    cdef double* constants  # as many as program.constants
    cdef int32_t* outputs
    cdef int32_t input_count, output_count
    cdef int32_t term_count
    cdef int32_t varying_count
    cdef int32_t shared_count
    cdef void* storage  # of block
    cdef Py_ssize_t capacity  # of storage, in rows
    cdef Block block
    cdef Py_ssize_t current  # the first row of those whose values are in block, -1 for none
    cdef Py_ssize_t steps  # since the last look at the clock
    cdef clock_t next_look  # for a KeyboardInterrupt

    def __dealloc__(self):
        self.free_program()
        PyMem_Free(self.storage)

    cdef int allocate(
        self, Py_ssize_t constants, Py_ssize_t terms, Py_ssize_t outputs, Py_ssize_t length
    ) except -1:
        """Room for a program: all of it, or none."""
        self.constants = <double*>PyMem_Malloc(constants * sizeof(double))
        self.program.terms = <int32_t*>PyMem_Malloc(terms * sizeof(int32_t))
        self.outputs = <int32_t*>PyMem_Malloc(outputs * sizeof(int32_t))
        self.program.code = <Instruction*>PyMem_Malloc(length * sizeof(Instruction))
        if (
            self.constants == NULL
            or self.program.terms == NULL
            or self.outputs == NULL
            or self.program.code == NULL
        ):
            self.free_program()
            raise MemoryError
        return 0

    cdef void free_program(self) noexcept:
        PyMem_Free(self.constants)
        PyMem_Free(self.program.terms)
        PyMem_Free(self.outputs)
        PyMem_Free(self.program.code)
        self.free_plan()
        self.constants = NULL
        self.program.terms = self.outputs = NULL
        self.program.code = NULL

    cdef void free_plan(self) noexcept:
        PyMem_Free(self.plan.code)
        PyMem_Free(self.layers)
        PyMem_Free(self.inverses)
        self.plan.code = NULL
        self.layers = NULL
        self.inverses = NULL

    cdef int make_plan(self) except -1:
        cdef Layers layers
        if self.plan.code != NULL:
            return 0
        self.program.differentiated = self.shared_count - self.program.constants
        layers = Layers()
        layers.find(self)
        try:
            layers.write(self)
            self.replace_divisions()
        except MemoryError:
            self.free_plan()
            raise
        return 0

    cdef int replace_divisions(self) except -1:
        """Multiply where a divisor is a constant power of 2: its inverse is exact, and quicker."""
        cdef Instruction* step
        cdef Py_ssize_t i, count = 0
        for i in range(self.plan.length):
            count += self.inverse_of(self.plan.code + i) != 0
        self.inverses = <double*>memory(count * sizeof(double))
        self.inverse_count = 0
        for i in range(self.plan.length):
            step = self.plan.code + i
            if self.inverse_of(step) != 0:
                self.inverses[self.inverse_count] = self.inverse_of(step)
                step.op, step.y = MUL, ~(self.shared_count + self.inverse_count)
                self.inverse_count += 1
        return 0

    cdef double inverse_of(self, Instruction* step) noexcept:
        """Of the divisor of a division, where that gives the same bits; else 0."""
        cdef int exponent
        cdef double y
        if step.op != DIV or step.y >= 0 or ~step.y >= self.program.constants:
            return 0.0
        y = self.constants[~step.y]
        if fabs(frexp(y, &exponent)) != 0.5 or isinf(1.0 / y):
            return 0.0
        return 1.0 / y

    cdef int reserve(self, Py_ssize_t rows) except -1:
        """Room in block for so many rows, up to BLOCK."""
        cdef Py_ssize_t shared = self.shared_count + self.inverse_count
        cdef Py_ssize_t stride = rows if rows < 2 else min((rows + 7) & ~7, <Py_ssize_t>BLOCK)
        cdef size_t size
        cdef double* start
        if self.storage == NULL or stride > self.capacity:
            PyMem_Free(self.storage)
            self.storage = NULL
            size = 2 * sizeof(double) * (shared + self.varying_count * stride) + ALIGNMENT
            size += self.varying_count
            self.storage = PyMem_Calloc(1, size)  # layers compute rows that nothing else has written
            if self.storage == NULL:
                raise MemoryError
            self.capacity = stride
        start = <double*>((<size_t>self.storage + ALIGNMENT - 1) & ~<size_t>(ALIGNMENT - 1))
        self.block.values = start
        self.block.grads = self.block.values + self.varying_count * stride
        self.block.shared = self.block.grads + self.varying_count * stride
        self.block.shared_grads = self.block.shared + shared
        self.block.is_new = <unsigned char*>(self.block.shared_grads + shared)
        self.block.stride = stride
        return 0

    # A pass goes through a long program in parts, and looks for a KeyboardInterrupt between them.

    cdef int evaluate_rows(self, Table* table, Table* results) except -1 nogil:
        cdef Py_ssize_t start = 0
        cdef Table part
        while start < table.rows:
            if start:
                self.look(self.work())
            self.load(table, start)
            self.run_forward(True)
            self.current = start
            part = rows_from(results, start)
            kernels.store_outputs(&part, &self.block, self.outputs, self.output_count)
            start += BLOCK
        return 0

    cdef inline void load(self, Table* table, Py_ssize_t start) noexcept nogil:
        cdef Table part = rows_from(table, start)
        self.block.rows = min(part.rows, <Py_ssize_t>BLOCK)
        kernels.load(&part, &self.block, self.input_count)

    cdef inline bint is_loaded(self, Table* table, Py_ssize_t start) noexcept nogil:
        """Whether the values at hand are of these rows, as they are now."""
        cdef Table part = rows_from(table, start)
        return self.current == start and kernels.is_loaded(&part, &self.block, self.input_count)

    cdef int differentiate_rows(self, Table* table, Table* seeds, Table* gradient) except -1 nogil:
        cdef Py_ssize_t start = 0
        cdef Table part
        while start < table.rows:
            if start:
                self.look(2 * self.work())
            if not self.is_loaded(table, start):
                self.current = -1
                self.load(table, start)
                self.run_forward(True)
                self.current = start
            self.clear_grads()
            if seeds != NULL:
                part = rows_from(seeds, start)
            kernels.sow(
                NULL if seeds == NULL else &part,
                &self.program, &self.block, self.outputs, self.output_count,
            )
            self.run_backward_block(start + BLOCK >= table.rows)
            part = rows_from(gradient, start)
            kernels.store_gradient(&part, &self.block, self.input_count)
            start += BLOCK
        return 0

    cdef list operand_slots(self, Instruction* step):
        cdef int32_t* terms = self.program.terms + step.y
        cdef int arity = arity_of(eager_operation(step.op))
        cdef int swapped = step.op == DOT_SWAPPED
        if takes_a_list(step.op):
            return [terms[i] for i in range(step.count)]
        if arity > 2:
            return [step.x] + [terms[i ^ swapped] for i in range(2 * step.count)]
        return [step.x, step.y] if arity == 2 else [step.x]

    cdef inline Py_ssize_t work(self) noexcept nogil:
        """Steps for a row."""
        return 1 + self.program.length + self.term_count

    cdef inline Py_ssize_t part(self) noexcept nogil:
        """Steps between two looks."""
        return PART if self.block.rows > 1 else PART_OF_ROW

    cdef inline int run_forward(self, bint varying) except -1 nogil:
        if self.work() > self.part():
            return self.forward_in_parts(varying)
        kernels.forward(&self.plan, &self.block, varying)
        return 0

    cdef inline int run_backward_block(self, bint last) except -1 nogil:
        if self.work() > self.part():
            return self.backward_in_parts(last)
        kernels.backward(&self.plan, &self.block, last)
        return 0

    cdef int forward_in_parts(self, bint varying) except -1 nogil:
        cdef Program part = self.plan
        cdef Instruction* end = part.code + part.length
        while part.code < end:
            part.length = part_of(part.code, end - part.code, 1, self.part())
            kernels.forward(&part, &self.block, varying)
            part.code += part.length
            self.look(self.part())
        return 0

    cdef int backward_in_parts(self, bint last) except -1 nogil:
        cdef Program part = self.plan
        cdef Py_ssize_t left = part.length
        while left:
            part.length = part_of(self.plan.code + left - 1, left, -1, self.part())
            left -= part.length
            part.code = self.plan.code + left
            kernels.backward(&part, &self.block, last)
            self.look(self.part())
        return 0

    cdef inline int clear_grads(self) except -1 nogil:
        """Forget the block's gradients, and for one row set them to zero."""
        cdef bint one = self.block.rows == 1
        cdef Py_ssize_t first = 0, n, i
        memset(self.block.is_new, not one, self.varying_count)
        while one:  # in parts too: memory that is new takes its time
            n = min(self.varying_count - first, <Py_ssize_t>PART_OF_ROW)
            for i in range(first, first + n):
                self.block.grads[i * self.block.stride] = 0.0
            first += n
            if first == self.varying_count:
                break
            self.look(self.part())
        return 0

    cdef int look(self, Py_ssize_t steps) except -1 nogil:
        """For a KeyboardInterrupt, where that is due after so many steps more."""
        self.steps += steps
        if self.steps < self.part():
            return 0
        self.steps = 0
        if clock() < self.next_look:
            return 0
        with gil:
            PyErr_CheckSignals()
        self.next_look = clock() + CLOCKS_PER_SEC // 50
        return 0

    cdef inline bint is_long(self, Py_ssize_t rows) noexcept nogil:
        """Whether rows take longer than to release the GIL."""
        return rows * self.work() > 2000
