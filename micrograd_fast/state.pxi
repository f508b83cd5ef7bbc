# Pickling. A state has the operations by number, and their names by number too: another build may
# number them in another way.

cdef enum:
    VERSION = 1

cdef tuple operation_names():
    cdef dict others = {DOT_SHARED: "dot, shared", DOT_SWAPPED: "dot, swapped"}
    return tuple([others.get(op) or shown_name(<Op>op) for op in range(TAPE_END)])

cdef object numbers_here(tuple names):
    """The number of each operation in this build, -1 for one that it does not have."""
    cdef dict own = {name: op for op, name in enumerate(operation_names())}
    return array("i", [own.get(name, -1) for name in names])

cdef object to_array(int32_t* items, Py_ssize_t n):
    return array("i", (<char*>items)[: n * sizeof(int32_t)])

cdef void copy_items(void* into, const int32_t[::1] items) noexcept:
    if len(items):
        memcpy(into, &items[0], len(items) * sizeof(int32_t))

def _restore(single, inputs, parameters, code, terms, outputs, constants, table):
    """A Tape from what __reduce__ says of it."""
    version, names = table
    if version != VERSION:
        raise ValueError(f"a Tape's state of version {version!r} was given, expected {VERSION}")
    names = tuple(names)
    cdef const int32_t[::1] numbers_of = numbers_here(names)
    cdef Tape tape = Tape.__new__(Tape)
    cdef bint single_output = single
    cdef tuple input_values = values(inputs, "an input")
    cdef tuple parameter_values = values(parameters, "a parameter")
    cdef const double[::1] numbers = array("d", constants)
    cdef const int32_t[::1] code_items = array("i", code)
    cdef const int32_t[::1] term_items = array("i", terms)
    cdef const int32_t[::1] output_items = array("i", outputs)
    cdef Py_ssize_t i, length = len(code_items) // 5
    cdef int32_t op
    for i in range(length):
        op = code_items[5 * i]
        if 0 <= op < len(names) and numbers_of[op] == -1:
            raise ValueError(f"a state has the operation {names[op]!r}, which is unknown here")
    # From here on, as in write, no Python runs.
    tape.allocate(len(numbers), len(term_items), len(output_items), length + 1)
    copy_items(tape.program.code, code_items)
    for i in range(length):
        op = code_items[5 * i]
        tape.program.code[i].op = numbers_of[op] if 0 <= op < len(numbers_of) else -1
    copy_items(tape.program.terms, term_items)
    copy_items(tape.outputs, output_items)
    for i in range(len(numbers)):
        tape.constants[i] = numbers[i]
    tape.single, tape._inputs, tape._parameters = single_output, input_values, parameter_values
    tape.program.constants, tape.term_count = <int32_t>len(numbers), <int32_t>len(term_items)
    tape.input_count, tape.output_count = <int32_t>len(input_values), <int32_t>len(output_items)
    tape.varying_count = tape.input_count
    tape.shared_count = <int32_t>(len(numbers) + len(parameter_values))
    if not is_program(tape, len(code_items)):
        tape.free_program()
        raise ValueError("this is not the state of a Tape")
    tape.program.length = length
    return tape

cdef bint is_program(Tape tape, Py_ssize_t code) noexcept:
    """Whether it reads and writes only what it may: slots come into being one after another."""
    cdef Instruction* step = tape.program.code
    cdef Py_ssize_t i
    if code % 5 or tape.program.constants < 2:
        return False
    if tape.output_count != 1 if tape.single else tape.output_count < 1:
        return False
    for i in range(code // 5):
        if not is_step(tape, step + i):
            return False
        if step[i].out == tape.varying_count:
            tape.varying_count += 1
        elif ~step[i].out == tape.shared_count:
            tape.shared_count += 1
        else:
            return False
    for i in range(tape.output_count):
        if not is_known(tape, tape.outputs[i]):
            return False
    return True

cdef bint is_step(Tape tape, Instruction* step) noexcept:
    cdef int32_t* terms = tape.program.terms + step.y
    cdef int32_t op = step.op
    cdef bint shared = op == DOT_SHARED or op == DOT_SWAPPED, listed = takes_a_list(op)
    cdef Py_ssize_t i, count = 0
    cdef int arity
    cdef bint varies
    if not shared and (not 0 <= op < END or op == LEAF or op == CUSTOM or op == LOCAL):
        return False
    arity = arity_of(eager_operation(op))
    if arity > 2:
        count = step.count if listed else 2 * <Py_ssize_t>step.count
        if step.y < 0 or count < listed or step.y + count > tape.term_count:
            return False
    if arity == 3 and step.count != 1 or shared and (step.out < 0 or count == 0):
        return False
    varies = not listed and step.x >= 0
    if not listed and not is_known(tape, step.x):
        return False
    for i in range(count):
        if not is_known(tape, terms[i]):
            return False
        if shared and (terms[i] >= 0) != (i % 2 == 0):
            return False
        varies = varies or terms[i] >= 0
    if op == POWER:
        if step.y >= 0 or ~step.y >= tape.program.constants:
            return False
    elif arity == 2:
        if not is_known(tape, step.y):
            return False
        varies = varies or step.y >= 0
    return varies == (step.out >= 0)

cdef inline bint is_known(Tape tape, int32_t slot) noexcept:
    return -tape.shared_count <= slot < tape.varying_count
