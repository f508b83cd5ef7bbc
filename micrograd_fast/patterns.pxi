# Patterns, as `micrograd_ref.patterns` has found them in the formulas of the table.

cdef enum:
    MOST_STEPS = 11  # of a pattern
    MOST_OPERANDS = 3
    MOST_NODES = 25  # a ** b has 2, 2 operands, and 21 steps

cdef struct Step:
    double data  # of a constant, or the exponent of a power
    unsigned char number  # that the node gets
    unsigned char op  # LEAF for a constant
    unsigned char operands[MOST_OPERANDS]

cdef struct Pattern:
    Step steps[MOST_STEPS]
    unsigned char count  # of steps
    unsigned char x, y
    bint is_plain, is_zero

cdef Pattern* known = <Pattern*>PyMem_Calloc(END * MOST_OPERANDS, sizeof(Pattern))  # by number
cdef Pattern last_power  # the last that was asked for
cdef double last_exponent = 0.0

cdef inline Pattern* patterns_of(Op op) noexcept:
    """A pattern for each operand."""
    return known + op * MOST_OPERANDS

cdef Pattern* power_pattern(double k) except NULL:
    global last_exponent
    if k != last_exponent:
        write(&last_power, power_patterns(k)[0])
        last_exponent = k
    return &last_power

cdef dict NUMBERS = {
    **{shown_name(<Op>op): op for op in range(END) if name_of(<Op>op) != NULL},
    "": LEAF,
}

cdef int write(Pattern* pattern, object found) except -1:
    cdef Step* step = pattern.steps
    if len(found.steps) > MOST_STEPS or (found.steps and found.steps[-1].number >= MOST_NODES):
        raise AssertionError(f"a pattern has {len(found.steps)} steps, up to {found.steps[-1].number}")
    for step.number, operation, data, numbers in found.steps:
        is_power = operation.exponent is not None
        step.op = POWER if is_power else NUMBERS[operation.name]
        step.data = operation.exponent if is_power else data
        for i, x in enumerate(numbers):
            step.operands[i] = x
        step += 1
    pattern.count = len(found.steps)
    pattern.x = found.x
    pattern.is_plain = found.y is None
    pattern.y = 0 if found.y is None else found.y
    pattern.is_zero = found.is_zero
    return 0

cdef int write_all() except -1:
    cdef size_t i
    cdef Op op
    if known == NULL:
        raise MemoryError
    for name, patterns in PATTERNS.items():
        op = NUMBERS[name]
        for i, pattern in enumerate(patterns):
            write(patterns_of(op) + i, pattern)
    write(&last_power, power_patterns(last_exponent)[0])
    return 0

write_all()
