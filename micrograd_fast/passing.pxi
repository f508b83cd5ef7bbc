# From the gradient of a node to those of its operands.

cdef enum:
    BETWEEN_SIGNALS = 1 << 16  # operands, some milliseconds


@cython.internal
@cython.no_gc
cdef class Gradients(Terms):
    """The gradients of an output."""

    cdef int differentiate(self) except -1:
        cdef uint32_t* numbers = self.end
        cdef uint32_t own
        cdef Value node
        cdef size_t i = self.order.size, steps = 0
        if self.root != NONE:
            self.nodes[self.root].gradient = hold(<PyObject*>self.one)
        while i > 0:
            i -= 1
            numbers -= 1
            own = numbers[0]
            if own == NONE:
                continue
            node = <Value>self.order.items[i]
            numbers -= node.count
            self.pass_on(node, self.gradient(own), numbers)
            steps += node.count
            if steps >= BETWEEN_SIGNALS:
                steps = 0
                PyErr_CheckSignals()
        return 0

    cdef int pass_on(self, Value node, Value g, uint32_t* numbers) except -1:
        """Add what a node of the gradient g passes to those of its operands that are wanted."""
        cdef Op op = <Op>node.op
        cdef PyObject** held = operands(node)
        cdef PyObject* to = <PyObject*>g
        cdef Pattern* pattern
        cdef Pattern of_power
        cdef size_t i = node.count
        if op == DOT:
            while i > 3:
                i -= 2
                self.add_product(numbers[i], held[i + 1], to)
                self.add_product(numbers[i + 1], held[i], to)
            self.add(numbers[0], to, True)
            if node.count > 1:
                self.add_product(numbers[1], held[2], to)
                self.add_product(numbers[2], held[1], to)
        elif op == SUM:
            while i > 0:
                i -= 1
                self.add(numbers[i], to, True)
        elif op == NORM:
            self.pass_on_norm(node, g, numbers)
        elif op == CUSTOM or op == LOCAL:
            self.follow_rule(node, g, numbers)
        else:
            if op == POWER:
                of_power = power_pattern(node.second.exponent)[0]  # a finaliser may ask for another
                pattern = &of_power
            else:
                pattern = patterns_of(op)
            for i in range(node.count):
                if numbers[i] != NONE and not pattern[i].is_zero:
                    self.replay(pattern + i, node, g, numbers[i])
        return 0

    cdef int pass_on_norm(self, Value node, Value g, uint32_t* numbers) except -1:
        cdef PyObject** held = operands(node)
        cdef Value is_zero = binary_of(LARGER, self.zero, node)
        cdef Value length = ternary_node(WHERE, is_zero, self.one, node)
        cdef Value passed = ternary_node(WHERE, is_zero, self.zero, g)
        cdef Value to_x
        cdef size_t i
        if numbers[0] != NONE:
            to_x = binary_of(DIV, passed, binary_of(MUL, constant_of(2.0), length))
            self.add(numbers[0], <PyObject*>to_x, False)
        for i in range(1, node.count):
            if numbers[i] != NONE:
                to_x = binary_of(DIV, <Value>held[i], length)
                self.add_product(numbers[i], <PyObject*>to_x, <PyObject*>passed)
        return 0

    cdef int follow_rule(self, Value node, Value g, uint32_t* numbers) except -1:
        cdef PyObject** held = operands(node)
        cdef size_t k
        cdef list children = [<Value>held[k] for k in range(node.count)]
        cdef list passed = passed_by_rule(node, children, g)
        cdef Value x
        for i, to_x in enumerate(passed):
            if numbers[i] != NONE:
                x = operand(to_x)
                self.add(numbers[i], <PyObject*>x, x is g)
        return 0

    cdef int replay(self, Pattern* pattern, Value node, Value g, uint32_t to) except -1:
        """Add what a pattern makes."""
        cdef PyObject* nodes[MOST_NODES]
        cdef PyObject** held = operands(node)
        cdef PyObject** made = nodes + OPERANDS + node.count
        cdef Value x
        cdef size_t i, count = 0
        nodes[GRADIENT], nodes[NODE] = <PyObject*>g, <PyObject*>node
        nodes[ZERO], nodes[ONE] = <PyObject*>self.zero, <PyObject*>self.one
        for i in range(node.count):
            nodes[OPERANDS + i] = held[i]
        try:
            while count < pattern.count:
                x = made_by(pattern.steps + count, nodes)
                made[count] = hold(<PyObject*>x)
                count += 1
            if pattern.is_plain:
                self.add(to, nodes[pattern.x], pattern.x == GRADIENT)
            else:
                self.add_product(to, nodes[pattern.x], nodes[pattern.y])
        finally:
            for i in range(count):
                Py_DECREF(<object>made[i])
        return 0


cdef inline Value made_by(Step* step, PyObject** nodes):
    """The node that a step makes of those with its numbers."""
    cdef Op op = <Op>step.op
    cdef PyObject* a = nodes[step.operands[0]]
    cdef PyObject* b = nodes[step.operands[1]]
    if op == LEAF:
        return constant_of(step.data)
    if op == POWER:
        return node_of(POWER, [<Value>a], step.data)
    if arity_of(op) == 1:
        return unary_of(op, <Value>a)
    if arity_of(op) == 2:
        return binary_of(op, <Value>a, <Value>b)
    return ternary_node(op, <Value>a, <Value>b, <Value>nodes[step.operands[2]])
