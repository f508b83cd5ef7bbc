cdef double ROOT_2 = 1.4142135623730951

@cython.binding(False)
@cython.auto_pickle(False)
@cython.c_api_binop_methods(True)
cdef class Value:
    """A number in a graph, with the gradient of the graph's result with respect to it.

    data: an int, float, bool or NumPy real scalar; kept as a float.
    _children: for a custom operation, the Values that it was computed from, in operand order.
    _op: for a custom operation, its name.
    label: any string; shown by draw_dot.
    local_grads: for a custom operation, the derivative with respect to each child, as a number.

    Operators and methods make new nodes: + - * / ** and negation, abs, exp, expm1, log, log1p,
    sqrt, sin, cos, atan, tanh, sigmoid, softplus, erf, relu, leaky_relu, silu, gelu, clip. A number
    operand becomes a constant leaf. Values compare by their data with < <= > >=, and are equal only
    to themselves. Every operation gives the exact result, rounded once to the nearest double.
    Overflow gives inf, an invalid operation nan, and nothing raises.

    A custom operation is out = Value(data, (a, b), 'name') and out._backward = a function of no
    arguments that adds into a.grad and b.grad. Or it is Value(data, (a, b), (da, db)), where da and
    db are its local gradients: then backward adds da * out.grad and db * out.grad, in this order.
    It is called 'custom', or by the name in Value(data, (a, b), 'name', local_grads=(da, db)).
    What gradient needs of either is out._gradient = a rule, of which its docstring tells.

    A Value takes further attributes, v.name = x, which are copied and pickled with it. A label is
    one of them. A cycle through them is freed by the garbage collector. With micrograd_fast, it
    does not see one through c = v * 2 if c was made before v had attributes, unless c is under a
    Value that was assigned to an attribute, alone or in a list, tuple, dict or set: v.list = [c],
    not v.list.append(c). Such an assignment costs a walk over the graph under the Value.

    Raises TypeError for data that is no real number (a Fraction or a Decimal is none: pass a float
    of it), OverflowError for an int beyond a double, ValueError for another number of local
    gradients than of children.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> L = (a * b + 10) ** 2
    >>> L.backward()
    >>> L.data, a.grad, b.grad
    (16.0, -24.0, 16.0)
    """

    # Above that of NumPy's scalars, which leave their operators to a Value, and below that of its
    # arrays, which take a Value for an element: in place and by name too.
    __array_priority__ = -1.0

    def __cinit__(self):
        # A leaf of 0.0 until __init__ has run, so that no Value is ever without its fields.
        self.flags = TRACKED | BLANK

    def __init__(self, *args, **kwargs):
        try:
            if len(args) == 1 and not kwargs:  # most often
                initialise(self, args[0], (), "", "", None)
            else:
                _initialise(self, *args, **kwargs)
        except TypeError:
            check_call(reference.Value.__init__, (self, *args), kwargs)
            raise

    @property
    def data(self):
        """The value. Assigning converts to a float; nodes computed from it before keep theirs."""
        return self._data

    @data.setter
    def data(self, x):
        self._data = number(x, "the data of a Value")

    @property
    def grad(self):
        """The derivative of the last backward's root with respect to this Value; 0.0 at first."""
        return self._grad

    @grad.setter
    def grad(self, x):
        self._grad = number(x, "the grad of a Value")

    @property
    def label(self):
        """A name to show in drawings."""
        return label_of(self)

    @label.setter
    def label(self, x):
        set_label(self, string(x, "label"))

    @property
    def _op(self):
        """The operation that made this node, '' for a leaf."""
        if self.op == CUSTOM or self.op == LOCAL:
            return <object>self.second.block[self.count]
        if self.op == POWER:
            return f"**{self.second.exponent:g}"
        return NAMES[self.op]

    @_op.setter
    def _op(self, _):
        raise fixed("_op")

    @property
    def _children(self):
        """The operands in order."""
        return children_of(self)

    @_children.setter
    def _children(self, _):
        raise fixed("_children")

    @property
    def _prev(self):
        """The operands as a new set."""
        return set(children_of(self))

    @_prev.setter
    def _prev(self, _):
        raise fixed("_prev")

    @property
    def _backward(self):
        """Adds this node's gradient into its operands; does nothing on a leaf.

        Assignable on a custom operation, AttributeError elsewhere.
        """
        cdef PyObject* closure = NULL
        if self.op == CUSTOM:
            closure = self.second.block[self.count + 1]
        return partial(_step, self) if closure == NULL else <object>closure

    @_backward.setter
    def _backward(self, closure):
        cdef PyObject* old
        if self.op != CUSTOM:
            raise AttributeError(
                "_backward can be set only on a custom operation: make one with its operands, "
                "out = Value(data, (a, b), 'name'), and set out._backward"
            )
        if not callable(closure):
            raise TypeError(f"_backward must be callable, not '{type_name(closure)}'")
        old = self.second.block[self.count + 1]
        Py_INCREF(closure)
        self.second.block[self.count + 1] = <PyObject*>closure
        Py_XDECREF(old)

    @property
    def _local_grads(self):
        """What this node's step adds to each operand's grad of 0.0 if its own grad is 1.0.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """
        return passed_by(self, 1.0)

    @_local_grads.setter
    def _local_grads(self, _):
        raise fixed("_local_grads")

    def _passed(self, g):
        """What this node's step adds to each operand's grad of 0.0 if its own grad is g.

        In operand order; () for a leaf, AttributeError for a custom operation with a _backward.
        """
        return passed_by(self, number(g, "the grad of a Value"))

    @property
    def __dict__(self):
        take_part(<PyObject*>self)  # whoever has the dictionary may put anything into it
        return PyObject_GenericGetDict(self, NULL)

    @__dict__.setter
    def __dict__(self, attributes):
        PyObject_GenericSetDict(self, attributes, NULL)
        refer(<PyObject*>self, attributes)

    @__dict__.deleter
    def __dict__(self):
        cdef PyObject* attributes = self.attributes
        self.attributes = NULL
        Py_XDECREF(attributes)

    def __setattr__(self, name, x):
        PyObject_GenericSetAttr(self, name, <PyObject*>x)
        if self.attributes != NULL or type(self) is not Value:
            refer(<PyObject*>self, x)

    def __delattr__(self, name):
        # A subclass may define one of its own.
        if name in FIELDS and getattr(type(self), name, None) is getattr(Value, name):
            raise AttributeError(f"{name} of a Value cannot be deleted")
        PyObject_GenericSetAttr(self, name, NULL)

    def __sizeof__(self):
        cdef Py_ssize_t size = VALUE.tp_basicsize
        if has_block(self.op):
            size += held_by(self) * sizeof(PyObject*)
        if self.op == LOCAL:
            size += self.count * sizeof(double)
        return size

    @cython.embedsignature(False)
    def backward(self, *args, **kwargs):
        """backward($self, gradient=1.0)
--

Compute the gradient of this Value with respect to every node under it.

        Sets this node's grad to gradient, a number that all others are multiples of, recomputes the
        grads of all nodes that have operands from zero, and adds into the leaves' grads, so zero
        those between steps. The function backward has several outputs. Depth is limited by
        memory alone. An exception from a custom operation propagates: the grads are then
        incomplete, the graph is as before. A custom operation may call backward itself, which is a
        RecursionError beyond 100 deep. Cost: proportional to the number of nodes and operands.
        Raises ValueError if a custom operation has children and no _backward, and then changes
        nothing.
        """
        cdef PyObject* output = <PyObject*>self
        cdef double gradient = 1.0
        if args or kwargs:
            check_call(reference.Value.backward, (None, *args), kwargs)
            (given,) = args or kwargs.values()
            gradient = number(given, "the gradient of backward")
        run_backward(&output, &gradient, 1)

    def __add__(left, right):
        return binary(ADD, left, right)

    def __sub__(left, right):
        return binary(SUB, left, right)

    def __mul__(left, right):
        return binary(MUL, left, right)

    def __truediv__(left, right):
        return binary(DIV, left, right)

    def __pow__(left, right, modulo):
        cdef double k
        if modulo is not None:
            return NotImplemented
        if Py_TYPE(<PyObject*>right) != VALUE and to_double(right, &k):
            return unary_node(
                POWER, <Value>left, k, value_of(POWER, (<Value>left)._data, 0.0, 0.0, k)
            )
        return binary(POW, left, right)

    def __neg__(self):
        return unary(NEG, self)

    def __abs__(self):
        return unary(ABS, self)

    def exp(self):
        """e**self; inf on overflow."""
        return unary(EXP, self)

    def expm1(self):
        """e**self - 1, of full precision near 0; inf on overflow."""
        return unary(EXPM1, self)

    def log(self):
        """The natural logarithm: -inf at zero, nan below it."""
        return unary(LOG, self)

    def log1p(self):
        """log(1 + self), of full precision near 0: -inf at -1, nan below it."""
        return unary(LOG1P, self)

    def sqrt(self):
        """The square root; nan below zero."""
        return unary(SQRT, self)

    def sin(self):
        """The sine of an angle in radians; nan at infinity."""
        return unary(SIN, self)

    def cos(self):
        """The cosine of an angle in radians; nan at infinity."""
        return unary(COS, self)

    def atan(self):
        """The arc tangent, an angle in radians."""
        return unary(ATAN, self)

    def tanh(self):
        """The hyperbolic tangent."""
        return unary(TANH, self)

    def sigmoid(self):
        """1 / (1 + e**-self), without overflow."""
        return unary(SIGMOID, self)

    def softplus(self):
        """log(1 + e**self), without overflow."""
        return unary(SOFTPLUS, self)

    def erf(self):
        """The error function."""
        return unary(ERF, self)

    def relu(self):
        """self where positive, else 0; nan for nan."""
        return unary(RELU, self)

    def leaky_relu(self, slope=0.01):
        """self where positive, else slope * self. slope: a Value or a number."""
        return binary_node(LEAKY_RELU, self, operand(slope))

    def silu(self):
        """self * sigmoid(self), in two nodes."""
        return binary_node(MUL, self, unary(SIGMOID, self))

    def gelu(self):
        """self * 0.5 * (1 + erf(self / sqrt(2))), in five nodes."""
        return self * 0.5 * (1.0 + (self / ROOT_2).erf())

    def clip(self, low, high):
        """self, at least low and at most high: Values or numbers. In two nodes.

        The gradient goes to self where low <= self <= high, else to the bound that was taken.
        """
        return minimum(maximum(self, low), high)

    # Those of object, which a class with __lt__ does not get from Cython.

    def __eq__(self, other):
        return (<TypeSlots*>object).tp_richcompare(<PyObject*>self, <PyObject*>other, Py_EQ)

    def __ne__(self, other):
        return (<TypeSlots*>object).tp_richcompare(<PyObject*>self, <PyObject*>other, Py_NE)

    def __lt__(self, other):
        return compare(Py_LT, self, other)

    def __le__(self, other):
        return compare(Py_LE, self, other)

    def __gt__(self, other):
        return compare(Py_GT, self, other)

    def __ge__(self, other):
        return compare(Py_GE, self, other)

    def __hash__(self):
        return (<TypeSlots*>object).tp_hash(<PyObject*>self)

    def __float__(self):
        raise TypeError("a Value does not turn into a float by itself: use .data")

    def __repr__(self):
        return f"Value(data={self._data!r})"

    def __format__(self, spec):
        return format(self._data, spec) if spec else str(self)

    def _repr_html_(self):
        """What a notebook shows: data, grad, label and operation."""
        return html_table(self)

    def __reduce__(self):
        if self.op == LEAF:
            fields = type(self), self._data, self._grad, bool(self.flags & CONSTANT)
            return _restore_leaf, fields, attributes_of([self])
        # The whole graph in one flat list, so that its depth does not matter.
        order = graph_under(self)
        numbers = {id(node): i for i, node in enumerate(order)}
        return _restore_graph, ([saved(node, numbers) for node in order],), attributes_of(order)

    def __setstate__(self, state):
        set_attributes(graph_under(self), state)
