# Fusion: chains of + and * become one dot or sum, as the reference says.

@cython.internal
cdef class Fusion(Recording):
    cdef void fuse(self) noexcept:
        cdef int32_t end, plus, length
        for end in range(self.count - 1, -1, -1):
            if self.nodes[end].op != ADD or self.nodes[end].place.chain != NONE:
                continue
            plus, length = end, 0
            while True:
                self.nodes[plus].place.chain = end
                self.pluses[length] = plus
                length += 1
                self.claim_product(self.nodes[plus].y, plus, end)
                if not self.is_private(self.nodes[plus].x, ADD):
                    break
                plus = self.nodes[plus].x
            self.claim_product(self.nodes[plus].x, plus, end)
            self.fuse_chain(length)

    cdef inline bint is_private(self, int32_t i, int32_t op) noexcept:
        return self.nodes[i].op == op and self.nodes[i].uses == 1

    cdef inline bint is_product(self, int32_t i, int32_t plus) noexcept:
        return self.is_private(i, MUL) and self.nodes[i].varying == self.nodes[plus].varying

    cdef inline void claim_product(self, int32_t i, int32_t plus, int32_t end) noexcept:
        if self.is_product(i, plus):
            self.nodes[i].place.chain = end

    cdef void fuse_chain(self, int32_t length) noexcept:
        """Replace the chain in pluses, piece by piece."""
        cdef int32_t i, plus, from_ = length - 1, terms = 0, before = NONE
        for i in range(length - 1, -1, -1):
            plus = self.pluses[i]
            if i < from_ and (
                before < plus or self.nodes[plus].varying != self.nodes[self.pluses[i + 1]].varying
            ):
                self.emit(i + 1, from_ + 1, terms)
                from_, terms, before = i, 0, NONE
            if i == from_:
                self.terms[terms] = self.term(self.nodes[plus].x, plus, self.nodes[plus].next_x)
                before = min(before, self.terms[terms].before)
                terms += 1
            self.terms[terms] = self.term(self.nodes[plus].y, plus, self.nodes[plus].next_y)
            before = min(before, self.terms[terms].before)
            terms += 1
        self.emit(0, from_ + 1, terms)

    cdef Term term(self, int32_t i, int32_t plus, int32_t next_user) noexcept:
        """A term of a +: a product with its operands if it may be, else a value times one."""
        cdef Term out
        cdef Node* node = self.nodes + i
        cdef int32_t chain = self.nodes[plus].place.chain
        if self.is_product(i, plus):
            out.product, out.x, out.y = i, node.x, node.y
            out.before = min(self.outside(node.next_x, chain), self.outside(node.next_y, chain))
            if out.before > plus:
                return out
        out.product, out.x, out.y = NONE, i, self.count + 1
        out.before = self.outside(next_user, chain)
        return out

    cdef inline int32_t outside(self, int32_t user, int32_t chain) noexcept:
        return NONE if user == NONE or self.nodes[user].place.chain == chain else user

    cdef void emit(self, int32_t first, int32_t stop, int32_t terms) noexcept:
        """Put one instruction in the place of pluses[first:stop], if that is shorter."""
        cdef int32_t i, products = 0
        cdef Node* node = self.nodes + self.pluses[first]
        for i in range(terms):
            if self.terms[i].product != NONE:
                self.nodes[self.terms[i].product].op = FUSED
                products += 1
        if products == 0 and terms == 2:
            return
        for i in range(first + 1, stop):
            self.nodes[self.pluses[i]].op = FUSED
        node.y = <int32_t>self.item_count
        if products == 0:
            node.op = SUM
            for i in range(terms):
                self.put(self.terms[i].x)
        else:
            node.op = DOT
            if self.terms[0].product == NONE:
                self.put(self.terms[0].x)
            else:
                self.put(self.count)
                self.put(self.terms[0].x)
                self.put(self.terms[0].y)
            for i in range(1, terms):
                self.put(self.terms[i].x)
                self.put(self.terms[i].y)
        node.x = <int32_t>self.item_count - node.y
