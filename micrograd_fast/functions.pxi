# The operations that are functions: of many operands, or of numbers as well as Values.

def dot(xs, ys, start=0.0):
    """start + xs[0] * ys[0] + xs[1] * ys[1] + ... as one node.

    xs, ys, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    products and sums, unless one operand depends on another.
    Raises ValueError if xs and ys differ in length.
    Cost: one node and three pointers a term, where the chain makes two nodes a term.
    """
    cdef list xv = values(list(xs))
    cdef list yv = values(list(ys))
    if len(xv) != len(yv):
        raise ValueError(f"dot expects two sequences of one length, got {len(xv)} and {len(yv)}")
    return dot_of(xv, yv, operand(start))

def sum(xs, start=0.0):
    """start + xs[0] + xs[1] + ... as one node.

    xs, start: Values or numbers. Data and gradients have the bits of the written-out chain of
    sums, unless one operand depends on another.
    Cost: one node and one pointer a term, where the chain makes one node a term.
    """
    cdef Value first = operand(start)
    return sum_of(values(list(xs)), first)

def norm(xs, start=0.0):
    """The root of start + xs[0] * xs[0] + xs[1] * xs[1] + ... as one node.

    xs, start: Values or numbers. Where the root is 0, it has no derivative, and those of every
    order are 0.0; xs[i] / norm else, by xs[i].
    Cost: one node and one pointer a term.
    """
    cdef Value first = operand(start)
    return norm_of(values(list(xs)), first)

def maximum(x, y):
    """The larger of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    cdef Value a = operand(x)
    return binary_node(MAXIMUM, a, operand(y))

def minimum(x, y):
    """The smaller of two Values or numbers; the first of equal ones, nan if either is nan.

    The gradient goes to the one that was taken.
    """
    cdef Value a = operand(x)
    return binary_node(MINIMUM, a, operand(y))

def larger(x, y):
    """1.0 where maximum(x, y) takes x, which is where x >= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """
    cdef Value a = operand(x)
    return binary_node(LARGER, a, operand(y))

def smaller(x, y):
    """1.0 where minimum(x, y) takes x, which is where x <= y or x is nan, else 0.0.

    x, y: Values or numbers. As a step has no slope, the gradient is 0.0 to both.
    """
    cdef Value a = operand(x)
    return binary_node(SMALLER, a, operand(y))

def sign(x):
    """1.0 for a positive Value or number, -1.0 for a negative one, 0.0 for zero, nan for nan.

    The gradient is 0.0.
    """
    return unary(SIGN, operand(x))

def where(c, x, y):
    """x where c > 0, else y: Values or numbers.

    The gradient goes to the one that was taken; the other gets exactly 0.0, and so does c.
    """
    cdef Value condition = operand(c)
    cdef Value a = operand(x)
    return ternary_node(WHERE, condition, a, operand(y))
