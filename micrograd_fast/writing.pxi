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
        if node.op == POWER:
            constants += 1
        elif node.op == LEAF and not node.varying:
            if recording.value(i).flags & CONSTANT:
                constants += 1
            else:
                parameters += 1
        if node.count and not node.fused:
            length += 1
    found = PyTuple_New(parameters)
    # What came before may run Python, even in a garbage collection, and that record this Tape;
    # what follows may not, for it would find the Tape half made.
    if tape.program.code != NULL:
        raise TypeError("a Tape is recorded once: make a new one")
    tape.allocate(constants, recording.item_count, outputs, length)
    tape.single, tape._inputs, tape._parameters = single, inputs, found
    tape.constants[0], tape.constants[1] = -0.0, 1.0
    recording.nodes[recording.count].slot, recording.nodes[recording.count + 1].slot = ~0, ~1
    shared, varying = constants + parameters, <int32_t>len(inputs)
    out = tape.program.code
    for i in range(recording.count):
        node = recording.nodes + i
        if node.fused:
            continue
        if node.op == LEAF:
            if node.varying:
                continue
            if recording.value(i).flags & CONSTANT:
                tape.constants[k] = recording.value(i)._data
                node.slot = ~k
                k += 1
            else:
                Py_INCREF(recording.value(i))
                PyTuple_SET_ITEM(found, parameter, recording.value(i))
                node.slot = ~(constants + parameter)
                parameter += 1
            continue
        if node.varying:
            node.slot = varying
            varying += 1
        else:
            node.slot = ~shared
            shared += 1
        out.op, out.out, out.count = node.op, node.slot, 0
        if has_block(node.op):
            write_terms(recording, tape, node, out, &terms)
        else:
            out.x = recording.nodes[node.x].slot
            out.y = recording.nodes[node.y].slot if node.count > 1 else 0
            if node.op == POWER:
                tape.constants[k] = recording.value(i).second.exponent
                out.y = ~k
                k += 1
        out += 1
    for i in range(outputs):
        tape.outputs[i] = recording.nodes[recording.outputs[i]].slot
    tape.input_count, tape.output_count = <int32_t>len(inputs), <int32_t>outputs
    tape.program.length = length
    tape.program.constants = constants
    tape.term_count = <int32_t>terms
    tape.varying_count, tape.shared_count = varying, shared
    return 0

cdef void write_terms(
    Recording recording, Tape tape, Node* node, Instruction* out, Py_ssize_t* terms
) noexcept:
    cdef int32_t* operands = recording.items + node.y
    cdef int32_t* into = tape.program.terms + terms[0]
    cdef bint listed = takes_a_list(node.op)
    cdef int32_t i, x, y, start = 0 if listed else 1
    cdef int32_t shared_first = 0, shared_last = 0
    out.x = 0 if listed else recording.nodes[operands[0]].slot
    out.y = <int32_t>terms[0]
    terms[0] += node.count - start
    if listed:
        out.count = node.count
        for i in range(node.count):
            into[i] = recording.nodes[operands[i]].slot
        return
    out.count = (node.count - 1) // 2
    for i in range(out.count):
        x, y = recording.nodes[operands[2 * i + 1]].slot, recording.nodes[operands[2 * i + 2]].slot
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
