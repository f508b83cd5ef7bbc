# Layers: dots over the same slots become one instruction of the plan, where that changes no bit.

cdef enum:
    ENOUGH = 1 << 18  # pairs in a layer, which take some milliseconds for the rows of a block

cdef struct Found:
    int32_t first  # where in the program
    int32_t neurons
    int32_t start, end  # of its slots, so far, in layers

@cython.internal
cdef class Layers:
    """The layers of a program.

    A dot joins the last layer over its inputs. It is then computed in the place of the layer's
    first dot, so its start must be there by then; and differentiated there, after all that lies
    between, so nothing between may take part in the gradients that it passes on. It is in no layer
    where a gradient would go to one slot twice.
    """

    cdef Program* program
    cdef int32_t varying
    cdef Found* found
    cdef int32_t count  # of found
    cdef int32_t* layer_of  # of each instruction, NONE for the others
    cdef int32_t* latest  # the last layer over inputs of which this slot is the first, or NONE
    cdef int32_t* used  # the last instruction that used or made a slot: varying ones, then shared
    cdef int32_t* user  # the layer that it is in, for slots that vary

    def __dealloc__(self):
        PyMem_Free(self.found)
        PyMem_Free(self.layer_of)
        PyMem_Free(self.latest)
        PyMem_Free(self.used)
        PyMem_Free(self.user)

    cdef int find(self, Replay tape) except -1:
        cdef int32_t i
        cdef Py_ssize_t slots = tape.varying_count + tape.shared_count
        self.program, self.varying = &tape.program, tape.varying_count
        self.found = <Found*>memory(tape.program.length * sizeof(Found))
        self.layer_of = <int32_t*>memory(tape.program.length * sizeof(int32_t))
        self.latest = <int32_t*>memory(self.varying * sizeof(int32_t))
        self.used = <int32_t*>memory(slots * sizeof(int32_t))
        self.user = <int32_t*>memory(self.varying * sizeof(int32_t))
        for i in range(slots):
            self.used[i] = -1
        for i in range(self.varying):
            self.latest[i] = self.user[i] = NONE
        for i in range(tape.program.length):
            self.layer_of[i] = NONE
            if is_over_shared(self.program.code[i].op):
                self.join(i)
            else:
                self.pass_by(i)
        return 0

    cdef void join(self, int32_t i) noexcept:
        """Put a dot into a layer, or make it the first of a new one."""
        cdef Instruction* dot = self.program.code + i
        cdef int32_t* pairs = self.program.terms + dot.y
        cdef int32_t* others = pairs
        cdef int32_t layer = self.latest[pairs[0]], k
        cdef Instruction* first
        cdef bint fits = layer != NONE, once = True
        if fits:
            first = self.program.code + self.found[layer].first
            others = self.program.terms + first.y
            fits = (
                first.count == dot.count
                and dot.x < first.out
                and <Py_ssize_t>self.found[layer].neurons * dot.count < ENOUGH
            )
        for k in range(dot.count):
            fits = fits and pairs[2 * k] == others[2 * k]
            once = self.use(pairs[2 * k], i, layer, &fits) and once
            once = self.use(pairs[2 * k + 1], i, layer, &fits) and once
        once = self.use(dot.x, i, layer, &fits) and once
        if not once:
            layer = NONE
        elif fits:
            self.found[layer].neurons += 1
        else:
            layer = self.count
            self.count += 1
            self.found[layer].first, self.found[layer].neurons = i, 1
            self.latest[pairs[0]] = layer
        self.layer_of[i] = layer
        for k in range(dot.count):
            self.user[pairs[2 * k]] = layer
        if dot.x >= 0:
            self.user[dot.x] = layer

    cdef inline bint use(self, int32_t slot, int32_t i, int32_t layer, bint* fits) noexcept:
        """Note a use; whether it is the instruction's first of this slot."""
        cdef int32_t before
        if slot < 0 and ~slot < self.program.constants:
            return True  # it takes no gradient
        before = self.used[slot if slot >= 0 else self.varying + ~slot]
        self.used[slot if slot >= 0 else self.varying + ~slot] = i
        if fits[0] and before >= self.found[layer].first:
            fits[0] = slot >= 0 and self.user[slot] == layer
        return before < i

    cdef void pass_by(self, int32_t i) noexcept:
        """Note the uses of another instruction."""
        cdef Instruction* step = self.program.code + i
        cdef int32_t* terms = self.program.terms + step.y
        cdef int arity = arity_of(<Op>step.op)
        cdef Py_ssize_t k
        if takes_a_list(step.op):
            for k in range(step.count):
                self.use_alone(terms[k], i)
        else:
            self.use_alone(step.x, i)
            if arity == 2:
                self.use_alone(step.y, i)
            elif arity > 2:
                for k in range(2 * step.count):
                    self.use_alone(terms[k], i)
        self.use_alone(step.out, i)

    cdef inline void use_alone(self, int32_t slot, int32_t i) noexcept:
        if slot >= 0:
            self.used[slot], self.user[slot] = i, NONE
        else:
            self.used[self.varying + ~slot] = i

    cdef int write(self, Replay tape) except -1:
        """Make the plan: the program with layers in the place of their first dots."""
        cdef Instruction* step
        cdef Instruction* out
        cdef Found* found
        cdef int32_t* into
        cdef int32_t* pairs
        cdef Py_ssize_t items = 0, length = 0
        cdef int32_t i, k
        for i in range(self.program.length):
            length += self.layer_of[i] == NONE
        for i in range(self.count):
            found = self.found + i
            k = self.program.code[found.first].count
            found.start = found.end = <int32_t>items
            items += k + <Py_ssize_t>found.neurons * (k + 3)
            if items > INT32_MAX:
                raise MemoryError  # a state may use its terms again and again
        tape.plan = self.program[0]
        tape.plan.code = NULL
        tape.plan.length = length + self.count
        tape.layers = <int32_t*>memory(items * sizeof(int32_t))
        tape.plan.layers = tape.layers
        tape.plan.code = <Instruction*>memory(tape.plan.length * sizeof(Instruction))
        out = tape.plan.code
        for i in range(self.program.length):
            step = self.program.code + i
            if self.layer_of[i] == NONE:
                out[0] = step[0]
                out += 1
                continue
            found = self.found + self.layer_of[i]
            pairs = self.program.terms + step.y
            if found.first == i:
                out.op, out.out, out.x, out.y = LAYER, step.out, step.count, found.start
                out.count = found.neurons * step.count
                out += 1
                into = tape.layers + found.start
                for k in range(step.count):
                    into[k] = pairs[2 * k]
                found.end += step.count
            into = tape.layers + found.end
            into[0], into[1], into[2] = step.out, step.x, True
            for k in range(step.count):
                into[3 + k] = ~pairs[2 * k + 1]
                into[2] = into[2] and into[3 + k] == into[3] + k
            found.end += 3 + step.count
        return 0
