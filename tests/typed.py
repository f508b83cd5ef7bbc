"""What type checkers must see: checked by mypy --strict and pyright, never run."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import micrograd_fast as mg
import micrograd_ref
from micrograd_fast import Value
from micrograd_fast.nn import MLP

a, numbers = Value(1.0), np.ones(3)

assert_type(a + 1, Value)
assert_type(1 - a, Value)
assert_type(a * np.float64(2), Value)
assert_type(a / a, Value)
assert_type(a**2, Value)
assert_type(-abs(a), Value)
assert_type(a.exp().relu(), Value)
assert_type(a.data, float)
assert_type(a._children, tuple[Value, ...])
assert_type(a._backward, Callable[[], object])
assert_type(a._local_grads, tuple[float, ...])
assert_type(a._passed(2.0), tuple[float, ...])
assert_type(Value(1.0, (a,), (2.0,)), Value)
assert_type(Value(1.0, (a,), "twice", local_grads=[2]), Value)
assert_type(a < 2, bool)
assert_type(mg.dot([a], [1.0]), Value)
assert_type(mg.sum([a, 2.0]), Value)
assert_type(mg.gradient(a * a, [a]), list[Value])
assert_type(mg.hessian(a * a, [a]), list[list[Value]])
assert_type(mg.jacobian([a * a], [a]), list[list[Value]])
assert_type(mg.hvp(a * a, [a], [2.0]), list[Value])
assert_type(mg.hvp(a * a, [a], numbers), list[Value])
assert_type(mg.gradient(a * a, np.array([a])), list[Value])
assert_type(mg.norm([a, 2.0]), Value)
mg.backward([a, a], numbers)
mg.backward(np.array([a]))
a.backward(gradient=0.5)
assert_type(mg.maximum(a, 2.0), Value)
assert_type(mg.nn.mse([a], [1.0]), Value)
assert_type(mg.softmax([a, 1.0]), list[Value])
assert_type(mg.log_softmax([a, 1.0]), list[Value])
assert_type(mg.engine.Value(1.0), Value)
assert_type(MLP(2, [1]).parameters(), list[Value])
assert_type(MLP(2, [1]).named_parameters(), list[tuple[str, Value]])
assert_type(MLP(2, [1]).state_dict(), dict[str, float])
assert_type(MLP(2, [1]).eval(), MLP)
assert_type(mg.Sequential(mg.LayerNorm(2), MLP(2, [1], [], abs)).train(), mg.Sequential)
assert_type(mg.nn.RMSNorm(1)([1.0]), list[Value])
assert_type(mg.Embedding(2, 3)(0), list[Value])
assert_type(mg.Dropout(0.5)([a]), list[Value])
assert_type(mg.clip_grad_norm([a], 1), float)
assert_type(mg.cosine_schedule(0, 10, 0.1, warmup=2), float)
assert_type(mg.AdamW([a], weight_decay=0.1).weight_decay, float)
assert_type(mg.RMSprop([a]).alpha, float)
assert_type(mg.Tape(a, [a]).inputs, tuple[Value, ...])
assert_type(mg.Tape(a, [a]).input_grad, NDArray[np.float64])
assert_type(mg.array([1.0]), NDArray[np.object_])
assert_type(mg.data([a]), NDArray[np.float64])
assert_type(a * numbers, NDArray[np.object_])
assert_type(micrograd_ref.Value(1.0) + 1, micrograd_ref.Value)
mg.plot_history([a, 1.0])
mg.plot_history(numbers)

a + "x"  # type: ignore[operator] # pyright: ignore[reportOperatorIssue]
Value("x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


class Parameter(Value):
    m: float = 0.0


p = Parameter(1.0)
p.m += 0.5
assert_type(p.m, float)
vars(a)["m"] = 0.5
a.gard = 0.0  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
a._op = "x"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
