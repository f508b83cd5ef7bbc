# Writing: from a recording to the program of a Tape.

cdef int write(
    Recording recording, Tape tape, bint single, tuple inputs, Py_ssize_t outputs
) except -1:
    """Number the slots and make the instructions."""
    cdef int32_t i, k = 2, constants = 2, parameters = 0, parameter = 0, shared, varying
    cdef Py_ssize_t length = 0, terms = 0
    cdef Node* node
    cdef Instruction* out
    cdef tuple found
    for i in range(recording.count):
        node = recording.nodes + i
        constants += node.op == POWER or is_constant(node)
        parameters += is_parameter(node)
        length += node.op != LEAF and node.op != FUSED
    found = PyTuple_New(parameters)
    # What came before may run Python, even in a garbage collection, and that record this Tape;
    # what follows may not, for it would find the Tape half made.
    if tape.program.code != NULL:
        raise TypeError("a Tape is recorded once: make a new one")
    tape.allocate(constants, recording.item_count, outputs, length)
    tape.single, tape._inputs, tape._parameters = single, inputs, found
    tape.constants[0], tape.constants[1] = -0.0, 1.0
    recording.nodes[recording.count].place.slot = ~0
    recording.nodes[recording.count + 1].place.slot = ~1
    for i in range(<int32_t>len(inputs)):
        recording.nodes[recording.inputs[i]].place.slot = i
    shared, varying = constants + parameters, <int32_t>len(inputs)
    out = tape.program.code
    for i in range(recording.count):
        node = recording.nodes + i
        if node.op == FUSED:
            continue
        if node.op == LEAF:
            if is_constant(node):
                tape.constants[k] = recording.value(i)._data
                node.place.slot = ~k
                k += 1
            elif is_parameter(node):
                Py_INCREF(recording.value(i))
                PyTuple_SET_ITEM(found, parameter, recording.value(i))
                node.place.slot = ~(constants + parameter)
                parameter += 1
            continue
        if node.varying:
            node.place.slot = varying
            varying += 1
        else:
            node.place.slot = ~shared
            shared += 1
        out.op, out.out, out.count = node.op, node.place.slot, 0
        if has_block(node.op):
            write_terms(recording, tape, node, out, &terms)
        else:
            out.x = recording.nodes[node.x].place.slot
            out.y = recording.nodes[node.y].place.slot if arity_of(<Op>node.op) > 1 else 0
            if node.op == POWER:
                tape.constants[k] = recording.value(i).second.exponent
                out.y = ~k
                k += 1
        out += 1
    for i in range(outputs):
        tape.outputs[i] = recording.nodes[recording.outputs[i]].place.slot
    tape.input_count, tape.output_count = <int32_t>len(inputs), <int32_t>outputs
    tape.program.length = length
    tape.program.constants = constants
    tape.term_count = <int32_t>terms
    tape.varying_count, tape.shared_count = varying, shared
    return 0

cdef inline bint is_constant(Node* node) noexcept:
    return node.op == LEAF and not node.varying and node.flags & CONSTANT

cdef inline bint is_parameter(Node* node) noexcept:
    return node.op == LEAF and not node.varying and not node.flags & CONSTANT

cdef void write_terms(
    Recording recording, Tape tape, Node* node, Instruction* out, Py_ssize_t* terms
) noexcept:
    cdef int32_t* operands = recording.items + node.y
    cdef int32_t* into = tape.program.terms + terms[0]
    cdef bint listed = takes_a_list(node.op)
    cdef int32_t i, x, y, start = 0 if listed else 1
    cdef int32_t shared_first = 0, shared_last = 0
    out.x = 0 if listed else recording.nodes[operands[0]].place.slot
    out.y = <int32_t>terms[0]
    terms[0] += node.x - start
    if listed:
        out.count = node.x
        for i in range(node.x):
            into[i] = recording.nodes[operands[i]].place.slot
        return
    out.count = (node.x - 1) // 2
    for i in range(out.count):
        x = recording.nodes[operands[2 * i + 1]].place.slot
        y = recording.nodes[operands[2 * i + 2]].place.slot
        into[2 * i], into[2 * i + 1] = x, y
        shared_first += x < 0 <= y
        shared_last += y < 0 <= x
    if node.op != DOT or not node.varying or out.count == 0:
        return
    if shared_last == out.count:
        out.op = DOT_SHARED
    elif shared_first == out.count:
        out.op = DOT_SWAPPED
        for i in range(out.count):
            into[2 * i], into[2 * i + 1] = into[2 * i + 1], into[2 * i]
