# What forward and backward of a Tape do with a user's arrays.

@cython.internal
@cython.auto_pickle(False)
cdef class Passes(Native):
    """A program, its leaves, and the arrays of the last passes."""

    cdef tuple _inputs
    cdef tuple _parameters
    cdef bint single  # one output, which comes bare
    cdef bint busy
    cdef object rows  # of the last forward
    cdef Py_ssize_t row_count  # that they had then
    cdef bint many  # rather than one row as a 1-D array
    cdef object gradient  # of the last backward, with respect to the inputs

    def __cinit__(self):
        self._inputs = self._parameters = ()

    cdef int run_backward(self, object seed, object input_grad) except -1:
        cdef Array* array
        cdef Table table, seeds
        cdef bint many = self.many
        if self.rows is None:
            raise ValueError("backward needs a forward before it")
        if seed is not None:
            seed = real_array(seed, "seed")  # may run Python, so before the rows are looked at
        rows = self.rows
        array = array_of(rows)
        if not holds_doubles(array):
            raise ValueError(f"rows had the dtype float64 in forward, now {rows.dtype}")
        if (
            array.ndim != 1 + many
            or array.shape[many] != self.input_count
            or many and array.shape[0] != self.row_count
        ):
            before = (self.row_count, self.input_count)[0 if many else 1 :]
            raise ValueError(f"rows had the shape {before} in forward, now {rows.shape}")
        table = table_of(array, many, True)
        if seed is None:
            return self.differentiate(&table, NULL, input_grad)
        array = array_of(seed)
        if not has_shape(array, self.row_count, many, self.output_count, not self.single):
            shape = self.output_shape(self.row_count)
            raise ValueError(f"seed must have the shape {shape}, got {seed.shape}")
        seeds = table_of(array, many, not self.single)
        return self.differentiate(&table, &seeds, input_grad)

    cdef tuple output_shape(self, Py_ssize_t rows):
        lead = (rows,) if self.many else ()
        return lead if self.single else (*lead, self.output_count)

    cdef int check_recorded(self) except -1:
        if self.program.code == NULL:
            raise ValueError("this Tape is not recorded yet: Tape.__init__ has not run")
        return 0

    cdef int acquire(self) except -1:
        self.check_recorded()
        if self.busy:
            raise RuntimeError("this Tape is in use by another thread: give each thread its own")
        self.busy = True
        return 0

    cdef object evaluate(self, object rows, Table* table, bint many, object out):
        """What forward returns."""
        cdef Table results
        cdef double result
        if out is None and self.single and not many:
            results.data, results.row_step, results.column_step = <char*>&result, 0, 0
            self.evaluate_table(rows, table, &results, many)
            return result
        if out is None:
            out = get_empty(&results, table.rows, many, self.output_count, not self.single)
        else:
            get_result(&results, out, "out", table.rows, many, self.output_count, not self.single)
        check_apart(&results, self.output_count, "out", table, self.input_count, "rows")
        self.evaluate_table(rows, table, &results, many)
        return out

    cdef int evaluate_table(
        self, object rows, Table* table, Table* results, bint many
    ) except -1:
        """What forward does."""
        cdef Py_ssize_t i
        cdef PyObject** parameters = tuple_items(self._parameters)
        self.rows = self.gradient = None
        self.current = -1
        if self.library is None:
            self.make_plan()
            self.reserve(table.rows)
            memcpy(
                self.block.shared + self.shared_count, self.inverses,
                self.inverse_count * sizeof(double),
            )
        else:
            self.reserve(0)
        memcpy(self.block.shared, self.constants, self.program.constants * sizeof(double))
        for i in range(len(self._parameters)):
            self.block.shared[self.program.constants + i] = (<Value>parameters[i])._data
        if is_detecting():
            self.check(table, NULL, False)
        if self.library is None:
            self.run_forward(False)
        self.row_count, self.many = table.rows, many
        if self.is_long(table.rows):
            with nogil:
                self.evaluate_rows(table, results)
        else:
            self.evaluate_rows(table, results)
        self.rows = rows
        return 0

    cdef int differentiate(self, Table* table, Table* seeds, object input_grad) except -1:
        """What backward does."""
        cdef Table gradient
        if input_grad is None:
            input_grad = get_empty(&gradient, table.rows, self.many, self.input_count, True)
        else:
            get_result(
                &gradient, input_grad, "input_grad", table.rows, self.many, self.input_count, True
            )
        check_apart(&gradient, self.input_count, "input_grad", table, self.input_count, "rows")
        if seeds != NULL:
            check_apart(
                &gradient, self.input_count, "input_grad", seeds, self.output_count, "seed"
            )
        self.differentiate_table(table, seeds, &gradient)
        self.gradient = input_grad
        return 0

    cdef int differentiate_table(self, Table* table, Table* seeds, Table* gradient) except -1:
        cdef Py_ssize_t i
        cdef PyObject** parameters = tuple_items(self._parameters)
        cdef double* grads = self.block.shared_grads + self.program.constants
        if is_detecting():
            self.check(table, seeds, True)
        memset(self.block.shared_grads, 0, self.shared_count * sizeof(double))
        if self.is_long(table.rows):
            with nogil:
                self.differentiate_rows(table, seeds, gradient)
        else:
            self.differentiate_rows(table, seeds, gradient)
        for i in range(len(self._parameters)):
            (<Value>parameters[i])._grad = (<Value>parameters[i])._grad + grads[i]
        return 0

    cdef int check(self, Table* table, Table* seeds, bint backward) except -1:
        """Replay each row as an eager graph, which raises at an anomaly."""
        cdef Py_ssize_t i
        for i in range(table.rows):
            try:
                self.replay(table, seeds, i, backward)
            except FloatingPointError as error:
                raise FloatingPointError(f"row {i}: {error}") from None
        return 0

    cdef int replay(self, Table* table, Table* seeds, Py_ssize_t row, bint backward) except -1:
        cdef dict nodes = {}
        cdef Py_ssize_t i
        cdef Instruction* step
        cdef Value node
        for i in range(self.program.constants):
            nodes[~i] = Value(self.constants[i])
        for i in range(len(self._parameters)):
            slot = ~(self.program.constants + i)
            label = label_of(<Value>self._parameters[i])
            nodes[slot] = Value(self.block.shared[~slot], label=label)
        for i in range(self.input_count):
            nodes[i] = Value(read(table, row, i), label=label_of(<Value>self._inputs[i]))
        for i in range(self.program.length):
            step = self.program.code + i
            operands = [nodes[slot] for slot in self.operand_slots(step)]
            node = node_of(
                eager_operation(step.op),
                operands,
                self.constants[~step.y] if step.op == POWER else 0.0,
            )
            nodes[step.out] = node
            self.look(1 + step.count)
        if backward:
            for i in range(self.output_count):
                node = nodes[self.outputs[i]]
                node._grad += 1.0 if seeds == NULL else read(seeds, row, i)
            for i in range(self.program.length - 1, -1, -1):
                step = self.program.code + i
                checked_step(nodes[step.out])
                self.look(1 + step.count)
        return 0
