# Patterns, as `micrograd_ref.patterns` has found them in the formulas of the table.

cdef enum:
    # The numbers of nodes in a pattern; those of its steps follow the operands.
    GRADIENT
    NODE
    ZERO
    ONE
    OPERANDS
    MOST_OPERANDS = 3
    MOST_STEPS = 8  # for a ** b by b
    MOST_NODES = OPERANDS + MOST_OPERANDS + MOST_STEPS

cdef struct Step:
    double data  # of a constant, or the exponent of a power
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
        write(&last_power, power_patterns(k)[0], 1)
        last_exponent = k
    return &last_power

cdef dict NUMBERS = {
    **{shown_name(<Op>op): op for op in range(END) if name_of(<Op>op) != NULL},
    "": LEAF,
}

cdef int write(Pattern* pattern, object found, int operands) except -1:
    """Put down a pattern for so many operands. 0.0 and 1.0 take no step: they are made already."""
    cdef dict numbers = {0: GRADIENT, 1: NODE, **{2 + i: OPERANDS + i for i in range(operands)}}
    cdef Step* step
    pattern.count = 0
    for number, operation, data, held in found.steps:
        if not held and (data == 0.0 or data == 1.0):
            numbers[number] = ONE if data else ZERO
            continue
        if pattern.count == MOST_STEPS:
            raise AssertionError(f"a pattern has up to {MOST_STEPS} steps")
        numbers[number] = OPERANDS + operands + pattern.count
        step = pattern.steps + pattern.count
        pattern.count += 1
        is_power = operation.exponent is not None
        step.op = POWER if is_power else NUMBERS[operation.name]
        step.data = operation.exponent if is_power else data
        for i, x in enumerate(held):
            step.operands[i] = numbers[x]
    pattern.x = numbers[found.x]
    pattern.is_plain = found.y is None
    pattern.y = 0 if pattern.is_plain else numbers[found.y]
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
            write(patterns_of(op) + i, pattern, len(patterns))
    write(&last_power, power_patterns(last_exponent)[0], 1)
    return 0

write_all()
