# cython: nonecheck=True
"""Optimizers: SGD and Adam."""

from array import array

from libc.math cimport sqrt

from micrograd_ref import optim as reference

from .wording import worded_as

from .engine cimport Value, number, power, type_name

__all__ = ["SGD", "Adam"]


cdef tuple parameters(object params):
    params = tuple(params)
    for p in params:
        if not isinstance(p, Value):
            raise TypeError(f"a parameter must be a Value, not '{type_name(p)}'")
    if not params:
        raise ValueError("an optimizer needs at least one parameter, got none")
    if len({id(p) for p in params}) != len(params):
        raise ValueError("an optimizer expects each parameter once, got one twice")
    return params

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


def zero_grads(params):
    for p in params:
        p.grad = 0.0


class _Optimizer:
    """What SGD and Adam share: the parameters and the learning rate."""

    def __init__(self, params, lr):
        params = parameters(params)
        self.lr = lr
        self._params = params

    @property
    def params(self):
        """The parameters."""
        return self._params

    @property
    def lr(self):
        """The learning rate, a number of at least 0. Assign to it to follow a schedule."""
        return self._lr

    @lr.setter
    def lr(self, lr):
        self._lr = within(lr, "lr", float("inf"))

    def zero_grad(self):
        """Set the grad of every parameter to 0.0."""
        cdef Value p
        for p in <tuple?>self._params:
            p._grad = 0.0


class SGD(_Optimizer):
    """Stochastic gradient descent.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    momentum: in [0, 1). With it, v = momentum * v + grad and data -= lr * v, as PyTorch has it;
    without, data -= lr * grad.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    @worded_as(reference.SGD.__init__)
    def __init__(self, params, lr, momentum=0.0):
        momentum = within(momentum, "momentum", 1.0)
        super().__init__(params, lr)
        self.momentum = momentum
        self._velocity = zeros(len(self._params))

    def step(self):
        """Change every parameter once, by its grad."""
        cdef double lr = self.lr, change
        cdef double momentum = within(self.momentum, "momentum", 1.0)
        cdef double[::1] velocity = self._velocity
        cdef Value p
        cdef Py_ssize_t i
        for i, p in enumerate(<tuple?>self._params):
            change = p._grad
            if momentum != 0:
                change = velocity[i] = momentum * velocity[i] + p._grad
            p._data = p._data - lr * change


class Adam(_Optimizer):
    """Adam, algorithm 1 of Kingma and Ba, https://arxiv.org/abs/1412.6980.

    params: the Values to change, each once. lr: the learning rate, at least 0.
    betas: the two decay rates, each in [0, 1). eps: at least 0, added to the root.
    Raises TypeError for what is no Value or number, ValueError for no or repeated parameters and
    for numbers out of range.
    """

    @worded_as(reference.Adam.__init__)
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        betas, eps = checked_betas(betas), within(eps, "eps", float("inf"))
        super().__init__(params, lr)
        self.betas, self.eps = betas, eps
        self._steps = 0
        self._mean = zeros(len(self._params))
        self._square = zeros(len(self._params))

    def step(self):
        """Change every parameter once, by its grad and the averages of those before."""
        cdef double beta1, beta2, g, root, lr = self.lr
        beta1, beta2 = checked_betas(self.betas)
        cdef double eps = within(self.eps, "eps", float("inf"))
        self._steps += 1
        cdef double correction1 = 1.0 - power(beta1, self._steps)
        cdef double correction2 = 1.0 - power(beta2, self._steps)
        cdef double[::1] mean = self._mean
        cdef double[::1] square = self._square
        cdef Value p
        cdef Py_ssize_t i
        for i, p in enumerate(<tuple?>self._params):
            g = p._grad
            mean[i] = beta1 * mean[i] + (1.0 - beta1) * g
            square[i] = beta2 * square[i] + (1.0 - beta2) * (g * g)
            root = sqrt(square[i] / correction2)
            p._data = p._data - lr * (mean[i] / correction1) / (root + eps)
