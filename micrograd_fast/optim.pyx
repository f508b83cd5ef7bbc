"""Optimizers: SGD, Adam, AdamW and RMSprop; and clip_grad_norm."""

from array import array

cimport cython
from cpython.object cimport PyObject
from libc.math cimport INFINITY, sqrt

from micrograd_ref import optim as reference

from .wording import worded_as

from .engine cimport Value, number, power, tuple_items, type_name

__all__ = ["SGD", "Adam", "AdamW", "RMSprop", "clip_grad_norm"]


cdef enum:
    BATCH = 64  # parameters at a time, of which the numbers lie side by side for vectors


cdef tuple parameters(object params, str user):
    params = tuple(params)
    for p in params:
        if not isinstance(p, Value):
            raise TypeError(f"a parameter must be a Value, not '{type_name(p)}'")
    if not params:
        raise ValueError(f"{user} needs at least one parameter, got none")
    if len({id(p) for p in params}) != len(params):
        raise ValueError(f"{user} expects each parameter once, got one twice")
    return params

@cython.final
cdef class _Values:
    """Parameters that were checked: each is a Value, and can be used without being held."""

    cdef readonly tuple values
    cdef PyObject** items
    cdef Py_ssize_t count

    def __init__(self, params, user="an optimizer"):
        self.values = parameters(params, user)
        self.items, self.count = tuple_items(self.values), len(self.values)

    def __len__(self):
        return self.count

    def __iter__(self):
        return iter(self.values)

    def __reduce__(self):
        return _Values, (self.values,)

cdef inline double data_of(PyObject* p) noexcept:
    return (<Value>p)._data

cdef inline double grad_of(PyObject* p) noexcept:
    return (<Value>p)._grad

cdef inline void set_data(PyObject* p, double data) noexcept:
    (<Value>p)._data = data

cdef inline void set_grad(PyObject* p, double grad) noexcept:
    (<Value>p)._grad = grad

cdef double within(object x, str what, double below) except? -1:
    cdef double value = number(x, what)
    if not 0 <= value < below:
        raise ValueError(f"{what} must be at least 0 and below {below}, got {value}")
    return value

cdef tuple checked_betas(object betas):
    betas = tuple(betas)
    if len(betas) != 2:
        raise ValueError(f"Adam expects two betas, got {len(betas)}")
    return within(betas[0], "beta1", 1.0), within(betas[1], "beta2", 1.0)

cdef object zeros(Py_ssize_t n):
    return array("d", bytes(n * sizeof(double)))


cdef double* numbers_in(double[::1] numbers, Py_ssize_t n) except NULL:
    """Those of an optimizer's own array, of which it has one for each parameter."""
    if numbers.shape[0] != n:
        raise ValueError(f"expected {n} numbers, one for each parameter, got {numbers.shape[0]}")
    return &numbers[0]


def zero_grads(params):
    for p in params:
        p.grad = 0.0


@worded_as(reference.clip_grad_norm)
def clip_grad_norm(params, max_norm):
    """Scale the grads of parameters so that their norm is max_norm at most; returns what it was.

    params: Values, each once. max_norm: at least 0; inf leaves the grads as they are.
    The norm is the root of the sum of their squares, in order. As in PyTorch, each grad is
    multiplied by max_norm / (norm + 1e-6) where that is not 1 or more: a nan among them reaches
    all.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for a max_norm below 0.
    """
    cdef _Values checked = _Values(params, "clip_grad_norm")
    cdef double most = number(max_norm, "max_norm")
    if not most >= 0:
        raise ValueError(f"max_norm must be at least 0, got {most}")
    cdef double norm, scale, total = 0.0
    cdef PyObject** p = checked.items
    cdef Py_ssize_t i
    for i in range(checked.count):
        total += grad_of(p[i]) * grad_of(p[i])
    norm = sqrt(total)
    scale = most / (norm + 1e-6)
    if not scale >= 1:
        for i in range(checked.count):
            set_grad(p[i], grad_of(p[i]) * scale)
    return norm


class _Optimizer:
    """What all optimizers share: the parameters and the learning rate."""

    def __init__(self, params, lr):
        params = _Values(params)
        self.lr = lr
        self._params = params

    @property
    def params(self):
        """The parameters."""
        return self._params.values

    @property
    def lr(self):
        """The learning rate, a number of at least 0. Assign to it to follow a schedule."""
        return self._lr

    @lr.setter
    def lr(self, lr):
        self._lr = within(lr, "lr", INFINITY)

    def zero_grad(self):
        """Set the grad of every parameter to 0.0."""
        cdef _Values params = <_Values?>self._params
        cdef PyObject** p = params.items
        cdef Py_ssize_t i
        for i in range(params.count):
            set_grad(p[i], 0.0)


class SGD(_Optimizer):
    """Stochastic gradient descent.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    momentum: in [0, 1). With it, v = momentum * v + grad and data -= lr * v, as PyTorch has it;
    without, data -= lr * grad.
    weight_decay: at least 0; weight_decay * data is added to grad first, the gradient of an L2
    penalty of half that weight.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    @worded_as(reference.SGD.__init__)
    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0):
        momentum = within(momentum, "momentum", 1.0)
        weight_decay = within(weight_decay, "weight_decay", INFINITY)
        super().__init__(params, lr)
        self.momentum, self.weight_decay = momentum, weight_decay
        self._velocity = zeros(len(self._params))

    def step(self):
        """Change every parameter once, by its grad."""
        cdef double lr = self.lr, change
        cdef double momentum = within(self.momentum, "momentum", 1.0)
        cdef double weight_decay = within(self.weight_decay, "weight_decay", INFINITY)
        cdef double[::1] velocity = self._velocity
        cdef _Values params = <_Values?>self._params
        cdef PyObject** p = params.items
        cdef Py_ssize_t i
        for i in range(params.count):
            change = grad_of(p[i])
            if weight_decay != 0:
                change += weight_decay * data_of(p[i])
            if momentum != 0:
                change = velocity[i] = momentum * velocity[i] + change
            set_data(p[i], data_of(p[i]) - lr * change)


class Adam(_Optimizer):
    """Adam, algorithm 1 of Kingma and Ba, https://arxiv.org/abs/1412.6980.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    betas: the two decay rates, each in [0, 1). eps: at least 0, added to the root.
    weight_decay: at least 0; weight_decay * data is added to grad first. AdamW has it otherwise.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    _decays_data = False  # but adds to the gradient

    @worded_as(reference.Adam.__init__)
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        betas, eps = checked_betas(betas), within(eps, "eps", INFINITY)
        weight_decay = within(weight_decay, "weight_decay", INFINITY)
        super().__init__(params, lr)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        self._steps = 0
        self._mean = zeros(len(self._params))
        self._square = zeros(len(self._params))

    def step(self):
        """Change every parameter once, by its grad and the averages of those before."""
        cdef double beta1, beta2, lr = self.lr
        beta1, beta2 = checked_betas(self.betas)
        cdef double eps = within(self.eps, "eps", INFINITY)
        cdef double weight_decay = within(self.weight_decay, "weight_decay", INFINITY)
        cdef bint decays_data = self._decays_data
        cdef _Values params = <_Values?>self._params
        cdef double[::1] means = self._mean, squares = self._square  # which keep the memory
        cdef double* mean = numbers_in(means, params.count)
        cdef double* square = numbers_in(squares, params.count)
        self._steps += 1
        cdef double correction1 = 1.0 - power(beta1, self._steps)
        cdef double correction2 = 1.0 - power(beta2, self._steps)
        cdef double[BATCH] data, g
        cdef double root
        cdef PyObject** p
        cdef Py_ssize_t first, i, n
        for first in range(0, params.count, BATCH):
            p, n = params.items + first, min(params.count - first, <Py_ssize_t>BATCH)
            for i in range(n):
                data[i], g[i] = data_of(p[i]), grad_of(p[i])
            for i in range(n):
                if decays_data:
                    data[i] = data[i] * (1.0 - lr * weight_decay)
                elif weight_decay != 0:
                    g[i] += weight_decay * data[i]
                mean[i] = beta1 * mean[i] + (1.0 - beta1) * g[i]
                square[i] = beta2 * square[i] + (1.0 - beta2) * (g[i] * g[i])
                root = sqrt(square[i] / correction2)
                data[i] = data[i] - lr * (mean[i] / correction1) / (root + eps)
            for i in range(n):
                set_data(p[i], data[i])
            mean, square = mean + n, square + n


class AdamW(Adam):
    """Adam with decoupled weight decay, of Loshchilov and Hutter, https://arxiv.org/abs/1711.05101.

    Before the step of Adam, data *= 1 - lr * weight_decay, as PyTorch has it; the averages see
    nothing of it.
    params, lr, betas, eps: as of Adam. weight_decay: at least 0.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    _decays_data = True

    @worded_as(reference.AdamW.__init__)
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr, betas, eps, weight_decay)


class RMSprop(_Optimizer):
    """RMSprop of Tieleman and Hinton, as PyTorch has it.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    alpha: the decay rate of the mean of grad * grad, in [0, 1). eps: at least 0, added to its root.
    weight_decay: at least 0; weight_decay * data is added to grad first.
    momentum: in [0, 1). v = momentum * v + grad / (root + eps), and data -= lr * v.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    @worded_as(reference.RMSprop.__init__)
    def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0):
        alpha, eps = within(alpha, "alpha", 1.0), within(eps, "eps", INFINITY)
        weight_decay = within(weight_decay, "weight_decay", INFINITY)
        momentum = within(momentum, "momentum", 1.0)
        super().__init__(params, lr)
        self.alpha, self.eps = alpha, eps
        self.weight_decay, self.momentum = weight_decay, momentum
        self._square = zeros(len(self._params))
        self._velocity = zeros(len(self._params))

    def step(self):
        """Change every parameter once, by its grad and the averages of those before."""
        cdef double lr = self.lr, g, change
        cdef double alpha = within(self.alpha, "alpha", 1.0)
        cdef double eps = within(self.eps, "eps", INFINITY)
        cdef double weight_decay = within(self.weight_decay, "weight_decay", INFINITY)
        cdef double momentum = within(self.momentum, "momentum", 1.0)
        cdef double[::1] square = self._square
        cdef double[::1] velocity = self._velocity
        cdef _Values params = <_Values?>self._params
        cdef PyObject** p = params.items
        cdef Py_ssize_t i
        for i in range(params.count):
            g = grad_of(p[i])
            if weight_decay != 0:
                g += weight_decay * data_of(p[i])
            square[i] = alpha * square[i] + (1.0 - alpha) * (g * g)
            change = g / (sqrt(square[i]) + eps)
            if momentum != 0:
                change = velocity[i] = momentum * velocity[i] + change
            set_data(p[i], data_of(p[i]) - lr * change)
