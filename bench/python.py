"""What one writes in Python alone, made for speed: a Value like micrograd's, Adam, and its use."""

import math


class Value:
    """micrograd's Value with slots, and with slopes in place of closures."""

    __slots__ = ("children", "data", "grad", "slopes")

    def __init__(self, data, children=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.children = children
        self.slopes = slopes  # d self / d child, for each child

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data - other.data, (self, other), (1.0, -1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __truediv__(self, other):
        out = self.data / other.data
        return Value(out, (self, other), (1 / other.data, -out / other.data))

    def __pow__(self, k):
        return Value(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        out = math.exp(self.data)
        return Value(out, (self,), (out,))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self):
        order, seen, pending = [], set(), [(self, False)]
        while pending:
            node, done = pending.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                pending.append((node, True))
                for child in node.children:
                    if child not in seen:
                        pending.append((child, False))
        self.grad = 1.0
        for node in reversed(order):
            for child, slope in zip(node.children, node.slopes):  # noqa: B905
                child.grad += slope * node.grad


class Adam:
    """Adam, by the same formulas in the same order as the twins'."""

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8):
        self.params, self.lr, self.betas, self.eps = params, lr, betas, eps
        self.mean = [0.0] * len(params)
        self.square = [0.0] * len(params)
        self.steps = 0

    def zero_grad(self):
        for p in self.params:
            p.grad = 0.0

    def step(self):
        self.steps += 1
        beta1, beta2 = self.betas
        correction1, correction2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        for i, p in enumerate(self.params):
            g = p.grad
            mean = self.mean[i] = beta1 * self.mean[i] + (1 - beta1) * g
            square = self.square[i] = beta2 * self.square[i] + (1 - beta2) * (g * g)
            root = math.sqrt(square / correction2)
            p.data -= self.lr * (mean / correction1) / (root + self.eps)


def by_optimizer(optimizer, forward):
    """A step of training; forward(...) gives the loss, and what then goes backward."""

    def step(rate, *example):
        loss, backward = forward(*example)
        optimizer.zero_grad()
        backward()
        optimizer.lr = rate
        optimizer.step()
        return loss

    return step
