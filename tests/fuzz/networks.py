"""Lines about modules, losses and optimizers."""

from .building import leaf
from .words import ACTIVATIONS, BAD


def module(w):
    rng = w.rng
    nin, nout = rng.randint(1, 3), rng.randint(1, 3)
    if w.chance(w.badness):
        nin = rng.choice((0, -1, 2.0, "'2'", "True", "np.int64(2)", "None"))
    if w.chance(w.badness):
        nout = rng.choice((0, 2.5, "None", "np.int8(2)"))
    activation = rng.choice(ACTIVATIONS)
    if w.chance(w.badness):
        activation = rng.choice(("ReLU", "", "exp"))
    function = rng.choice(("mg.Value.silu", "mg.Value.erf", "abs", "halved", "repr"))
    nouts = w.sequence([str(rng.randint(1, 3)) for _ in range(rng.randint(0, 2))] + ["1"])
    if w.chance(0.3):
        nouts = f"[{nout}, {rng.randint(1, 3)}]"
    seed = f"random.seed({rng.randint(0, 99)}); {w.new('m')}"
    return f"{seed} = " + rng.choice(
        (
            f"mg.Neuron({nin}, activation={activation!r})",
            f"mg.Neuron({nin}, {rng.choice(('True', 'False', '0'))}, {activation!r})",
            f"mg.Layer({nin}, {nout}, activation={activation!r})",
            f"mg.Layer({nin}, {nout})",
            f"mg.MLP({nin}, {nouts}, {activation!r}, {rng.choice(ACTIVATIONS)!r})",
            f"mg.MLP({nin}, {nouts})",
            f"mg.MLP({nin}, [2, 2, 1], [{activation!r}, {function}], {function})",
            f"mg.Layer({nin}, {nout}, activation={function})",
            f"Scaled({nin}, activation={activation!r})",
            f"Pair(mg.MLP({nin}, [2, 1]), mg.Neuron({nin}))",
            f"Holder({pick_module(w)}, {w.value()}, [{w.operand()}, mg.Neuron({nin})])",
            f"mg.Sequential({pick_module(w)}, {w.rng.choice(('mg.Dropout()', 'abs', 'list'))})",
            f"mg.Sequential(mg.Layer({nin}, 2), mg.LayerNorm(2), mg.Dropout(0.3), mg.Neuron(2))",
            f"mg.Sequential(mg.Embedding(4, {nin}), {pick_module(w)})",
            f"mg.Dropout({rng.choice(('', '0.25', '0', w.number()))})",
            f"mg.Embedding({nin}, {nout})",
            f"mg.RMSNorm({nin}, {rng.choice(('1e-5', '0.5', '0'))})",
            f"mg.RMSNorm({nin}, elementwise_affine=False)",
            f"mg.LayerNorm({nin})",
            f"mg.LayerNorm({nin}, {w.number()}, {rng.choice(('True', 'False'))})",
            "mg.Module()",
        )
    )


def pick_module(w):
    found = w.live(w.run.mg.Module)
    return w.rng.choice(found) if found else "mg.Neuron(2)"


def inputs_of(w, name):
    module = w.run.names.get(name)
    module = getattr(module, "first", module)
    module = getattr(module, "layers", [module])[0] if not hasattr(module, "nin") else module
    weights = getattr(module, "w", ())
    return getattr(module, "nin", len(weights) if isinstance(weights, (list, tuple)) else 2)


def call(w):
    m = pick_module(w)
    n = inputs_of(w, m)
    if w.chance(w.badness):
        n += w.rng.choice((-1, 1))
    if w.chance(0.1):
        return f"{w.new('r')} = {m}({w.rng.choice(('0', '1', '2', '-1', '0.0'))})"
    items = [w.operand() for _ in range(max(n, 0))]
    return f"{w.new('r')} = {m}({w.sequence(items)})"


def take(w):
    found = [k for k in w.live(list, tuple) if w.run.names[k]]
    found += w.live(w.run.mg.Module)
    if not found:
        return leaf(w)
    name = w.rng.choice(found)
    if isinstance(w.run.names[name], w.run.mg.Module):
        name += ".parameters()"
    return f"{w.new('v')} = {name}[{w.rng.randint(-1, 2)}]"


def change_module(w):
    m, a = pick_module(w), w.operand()
    return w.rng.choice(
        (
            f"{m}.zero_grad()",
            f"mg.sum({m}.parameters()).backward(); {m}.zero_grad()",
            f"mg.sum({m}.parameters()).backward(); {m}.zero_grad()",
            f"{m}.w[0] = {a}",
            f"{m}.b = {a}",
            f"{m}.activation = {w.rng.choice((*ACTIVATIONS, 'exp', 'nothing'))!r}",
            f"{m}.activation = {w.rng.choice(('mg.Value.gelu', 'halved', m, '7'))}",
            f"{m}.nonlin = not {m}.nonlin",
            f"{m}.neurons[0] = Scaled({m}.nin)",
            f"{m}.neurons[-1] = squares",
            f"{m}.neurons.append(mg.Neuron({m}.nin))",
            f"{m}.neurons[0] = {pick_module(w)}",
            f"{m}.layers[0] = {pick_module(w)}",
            f"{m}.w = tuple({m}.w)",
            f"{m}.w.append({a})",
            f"{m}.w = iter([{a}])",
            f"{m}.nin = {w.rng.randint(1, 3)}",
            f"{m}.weight[0] = {a}",
            f"{m}.layers.append({pick_module(w)})",
            f"{m}.p = {a}",
            f"for p in {m}.parameters(): p.data -= 0.05 * p.grad",
            f"for i, p in enumerate({m}.parameters()): p.label = f'p{{i}}'",
            f"{w.new('r')} = [p.data for p in {m}.parameters()], repr({m})",
        )
    )


def state(w):
    """What a module finds in its attributes."""
    m, other, a = pick_module(w), pick_module(w), w.operand()
    name = w.rng.choice(("w.0", "b", "layers.0.neurons.0.b", "held.1", "nothing"))
    return w.rng.choice(
        (
            f"{w.new('r')} = {m}.state_dict()",
            f"{w.new('r')} = [name for name, _ in {m}.named_parameters()]",
            f"{m}.load_state_dict({other}.state_dict())",
            f"{m}.load_state_dict({{**{m}.state_dict(), {name!r}: {w.number()}}})",
            f"{m}.extra = [{a}, ({other}, {w.value()})]",
            f"{m}.more[{w.rng.choice(('0', '0.5', repr('a.b')))}] = {a}",
            f"{m}.more = {{'a': {{'b': {a}}}}}",
            f"{m}.more = {{'a.b': {a}, 'a': [{m}]}}",
            f"{w.new('r')} = {m}.eval() is {m}",
            f"{m}.train({w.rng.choice(('', 'False', '1'))})",
        )
    )


def optimizer(w):
    rng = w.rng
    if w.chance(0.5):
        params = f"{pick_module(w)}.parameters()"
    else:
        params = f"[{', '.join(dict.fromkeys(w.value() for _ in range(3)))}]"
    if w.chance(w.badness):
        params = rng.choice(("[]", f"[{w.value()}] * 2", "3", f"[{w.number()}]"))
    lr = rng.choice(("0.1", "0.01", "1", "0", "np.float32(0.3)", "1e300"))
    if w.chance(w.badness):
        lr = rng.choice((*BAD, "-1", "math.nan", "math.inf"))
    beta = rng.choice(("0", "0.9", "0.999", "0.5", "Float(0.25)"))
    if w.chance(w.badness):
        beta = rng.choice((*BAD, "-1", "1", "math.nan"))
    decay = rng.choice(("0", "0.01", "0.5", "Float(0.25)", "1e300"))
    if w.chance(w.badness):
        decay = rng.choice((*BAD, "-1", "math.nan", "math.inf"))
    return w.new("o") + rng.choice(
        (
            f" = mg.SGD({params}, {lr})",
            f" = mg.SGD({params}, {lr}, {beta})",
            f" = mg.SGD({params}, lr={lr}, momentum={beta})",
            f" = mg.Adam({params})",
            f" = mg.Adam({params}, {lr}, ({beta}, 0.9), {rng.choice(('1e-8', '0', '1'))})",
            f" = mg.Adam({params}, {lr}, betas=(0.8, {beta}))",
            f" = mg.Adam({params}, {lr}, weight_decay={decay})",
            f" = mg.SGD({params}, {lr}, {beta}, {decay})",
            f" = mg.AdamW({params}, {lr})",
            f" = mg.AdamW({params}, {lr}, (0.8, {beta}), weight_decay={decay})",
            f" = mg.RMSprop({params}, {lr})",
            f" = mg.RMSprop({params}, {lr}, {beta}, 1e-8, {decay}, {beta})",
        )
    )


def train(w):
    found = w.live(w.run.mg.SGD, w.run.mg.Adam, w.run.mg.RMSprop)
    if not found:
        return optimizer(w)
    o, warmup = w.rng.choice(found), w.rng.randint(0, 3)
    rate = w.rng.choice(("linear_schedule", "cosine_schedule"))
    return w.rng.choice(
        (
            f"{o}.step()",
            f"{o}.step()",
            f"{o}.step()",
            f"{o}.zero_grad()",
            f"{o}.zero_grad(); {w.value()}.backward(); {o}.step()",
            f"{o}.lr = {w.number()}",
            f"{o}.lr *= 0.5",
            f"{o}.lr = mg.{rate}({w.rng.randint(-1, 9)}, {w.rng.randint(1, 9)}, 0.1, {warmup})",
            f"{o}.params = ()",
            f"{o}.momentum = 0.3",
            f"{o}.weight_decay = 0.3",
            f"{w.new('r')} = mg.clip_grad_norm({o}.params, {w.number()})",
            f"{w.new('r')} = mg.clip_grad_norm([{w.value()}, {w.value()}], 0.5)",
            f"{o}.betas = (0.25, 0.5)",
        )
    )


def loss(w):
    n = w.rng.randint(1, 4)
    xs, ys = [w.operand() for _ in range(n)], [w.operand() for _ in range(n)]
    if w.chance(w.badness):
        ys = w.operands(2)
    weights = [w.rng.choice(("0.0", "1.0", "0.5", w.operand())) for _ in range(n)]
    target = w.rng.choice((str(w.rng.randint(0, n - 1)), f"[{', '.join(weights)}]"))
    if w.chance(w.badness):
        target = w.rng.choice((str(n), "-1", "True", "np.int8(0)", "1.0", *BAD))
    name = w.rng.choice(
        ("mse", "hinge", "binary_cross_entropy", "softmax", "log_softmax", "cross_entropy")
    )
    if name == "binary_cross_entropy" and w.chance(0.8):
        ys = weights
    if name in ("softmax", "log_softmax"):
        return f"{w.new('r')} = mg.{name}({w.sequence(xs)})"
    if name == "cross_entropy":
        return f"{w.new('v')} = mg.cross_entropy({w.sequence(xs)}, {target})"
    return f"{w.new('v')} = mg.{name}({w.sequence(xs)}, {w.sequence(ys)})"


def file(w):
    m, other = pick_module(w), pick_module(w)
    return w.rng.choice(
        (
            f"{m}.save(path('a')); {m}.load(path('a'))",
            f"{m}.save(path('b'))",
            f"{m}.load(path('b'))",
            f"{m}.save(path('c')); {other}.load(path('c'))",
            f"{m}.load(path('missing'))",
        )
    )
