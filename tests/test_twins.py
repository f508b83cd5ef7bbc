"""The twins look alike: the same modules, names, signatures and docstrings."""

import ast
import importlib
import inspect
import pickle
import pkgutil
from pathlib import Path

import pytest

import micrograd_fast
import micrograd_ref

ROOMS = [
    room.name
    for room in pkgutil.iter_modules(micrograd_ref.__path__)
    if hasattr(importlib.import_module(f"micrograd_ref.{room.name}"), "__all__")
]
every_room = pytest.mark.parametrize("room", ROOMS)


def twins(room):
    return [
        importlib.import_module(f"{p.__name__}.{room}") for p in (micrograd_ref, micrograd_fast)
    ]


def public(module):
    """The names that a module is for: __all__, and the sum that a star import must not bring."""
    return sorted([*module.__all__, *(["sum"] if "dot" in module.__all__ else [])])


def signature(x, bound=0):
    """Names, kinds and defaults. The compiled twin has its annotations in a stub.

    bound: 1 leaves out the self of a method, which no caller writes.
    """
    parameters = inspect.signature(x).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters][bound:]


def members(cls):
    """The public methods and properties that a class defines, with the underscored ones of Value.

    Operators, initialisers and the like are compared by what they do: a compiled class has slots.
    """
    underscored = {"_repr_html_"}
    if cls.__name__ == "Value":
        underscored |= {"_backward", "_children", "_local_grads", "_op", "_passed", "_prev"}
    names = [name for base in cls.__mro__[:-1] for name in vars(base)]
    return sorted({name for name in names if not name.startswith("_") or name in underscored})


CLASSES = [
    (room, name)
    for room in ROOMS
    for name, x in vars(twins(room)[0]).items()
    if inspect.isclass(x) and name in public(twins(room)[0])
]
every_class = pytest.mark.parametrize(("room", "name"), CLASSES)


def test_each_room_of_the_reference_has_a_twin_of_its_name():
    """As a module, or as a part that the sources of a module include."""
    sources = Path(__file__).parent.parent / "micrograd_fast"
    if not (sources / "engine.pyx").exists():
        pytest.skip("the sources are not beside these tests")
    twins = {x.stem for x in sources.iterdir() if x.suffix in (".py", ".pyx", ".pxi", ".h")}
    assert twins >= {room.name for room in pkgutil.iter_modules(micrograd_ref.__path__)}


def test_the_rooms_are_there():
    assert {"engine", "losses", "nn", "optim", "graph", "checks"} <= set(ROOMS)


@every_room
def test_a_room_has_a_twin_with_the_same_names(room):
    ref, fast = twins(room)
    assert public(fast) == public(ref)


def test_the_packages_have_the_same_names():
    assert public(micrograd_fast) == public(micrograd_ref)
    assert "sum" in public(micrograd_ref)


@every_room
def test_everything_public_in_a_room_is_public_in_its_package(room):
    for package, module in zip((micrograd_ref, micrograd_fast), twins(room), strict=True):
        for name in public(module):
            assert getattr(package, name) is getattr(module, name)
            assert name in public(package)


@every_room
def test_functions_have_the_same_signatures_and_docstrings(room):
    ref, fast = twins(room)
    for name in public(ref):
        a, b = getattr(ref, name), getattr(fast, name)
        assert inspect.getdoc(a), name
        assert inspect.getdoc(b) == inspect.getdoc(a), name
        assert signature(b) == signature(a), name


@every_class
def test_a_class_has_the_same_members(room, name):
    ref, fast = (getattr(module, name) for module in twins(room))
    assert members(ref) == members(fast)


@every_class
def test_a_class_answers_to_the_same_special_methods(room, name):
    ref, fast = (getattr(module, name) for module in twins(room))
    special = {n for base in ref.__mro__[:-1] for n in vars(base) if n.startswith("__")}
    instances = {"__dict__", "__weakref__", "__slots__"}
    bookkeeping = {"__annotations__", "__annotations_cache__", "__annotate_func__"}
    bookkeeping |= {"__firstlineno__", "__slotnames__", "__static_attributes__"}
    for n in special - instances - bookkeeping:
        assert hasattr(fast, n), n


@every_class
def test_methods_and_properties_have_the_same_signatures_and_docstrings(room, name):
    ref, fast = (getattr(module, name) for module in twins(room))
    for member in members(ref):
        a, b = inspect.getattr_static(ref, member), inspect.getattr_static(fast, member)
        assert callable(b) == callable(a), member
        assert inspect.getdoc(b) == inspect.getdoc(a), member
        if inspect.isfunction(a):
            assert inspect.getdoc(a), member
            assert signature(b, bound=1) == signature(a, bound=1), member


@every_class
def test_a_class_names_its_own_module(room, name):
    ref, fast = (getattr(module, name) for module in twins(room))
    for cls in (ref, fast):
        assert cls.__name__ == cls.__qualname__ == name
    _, home = ref.__module__.split(".")
    assert home == room or name in public(twins(home)[0])  # where it is from, if not from here
    assert fast.__module__ in (f"micrograd_fast.{home}", f"micrograd_ref.{home}")


@pytest.mark.parametrize("room", ["graph", "exploring", "checks", "schedules"])
def test_what_never_runs_hot_is_written_once(room):
    ref, fast = twins(room)
    for name in public(ref):
        assert getattr(fast, name) is getattr(ref, name)


@pytest.mark.parametrize("room", ["derivatives", "losses"])
def test_what_is_written_once_over_values_is_bound_to_each_engine(room):
    ref, fast = twins(room)
    for name in ref.__all__:
        a, b = getattr(ref, name), getattr(fast, name)
        assert b is not a
        assert b.__code__ == a.__code__
        assert inspect.getsource(b) == inspect.getsource(a)
        assert (a.__module__, b.__module__) == (ref.__name__, fast.__name__)
        assert pickle.loads(pickle.dumps(b)) is b
    for name in {"Value", "dot", "gradient", "maximum", "sum"} & vars(ref).keys():
        assert getattr(fast, name) is getattr(micrograd_fast, name)


@every_class
def test_a_class_that_is_written_once_has_the_same_code(room, name):
    ref, fast = (getattr(module, name) for module in twins(room))
    home = importlib.import_module(fast.__module__)
    if "run_reference" in vars(home):
        assert fast is not ref
        functions = {n: f for n, f in vars(ref).items() if inspect.isfunction(f)}
        assert functions
        for n, f in functions.items():
            assert vars(fast)[n].__code__ == f.__code__
        assert home.Value is micrograd_fast.Value


def documented(body, prefix=""):
    """The docstrings of a stub, each with the name of what it is of."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            doc = ast.get_docstring(node)
            if doc:
                yield prefix + node.name, doc
        if isinstance(node, ast.ClassDef):
            yield from documented(node.body, f"{prefix}{node.name}.")


STUBS = sorted(Path(micrograd_fast.__path__[0]).glob("*.pyi"))


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.stem)
def test_a_stub_has_the_docstrings_of_its_module(stub):
    module = importlib.import_module(f"micrograd_fast.{stub.stem}")
    for name, doc in documented(ast.parse(stub.read_text(encoding="utf-8")).body):
        found = module
        for part in name.split("."):
            found = inspect.getattr_static(found, part)
        assert inspect.getdoc(found) == doc, name


@pytest.mark.parametrize("room", ["engine", "gradients", "nn", "optim"])
def test_what_runs_hot_is_compiled(room):
    _, fast = twins(room)
    assert not fast.__file__.endswith(".py")
    for name in public(fast):
        assert getattr(fast, name) is not getattr(twins(room)[0], name)


def test_a_value_has_the_same_representation_and_type_name():
    ref, fast = micrograd_ref.Value(0.1), micrograd_fast.Value(0.1)
    assert repr(fast) == repr(ref)
    assert type(fast).__name__ == type(ref).__name__ == "Value"


def test_a_value_has_the_same_attributes():
    ref, fast = micrograd_ref.Value(0.1), micrograd_fast.Value(0.1)
    private = {n for n in dir(ref) if n.startswith("_") and n[1] != "_"} - {
        "_backward",
        "_children",
        "_local_grads",
        "_op",
        "_passed",
        "_prev",
        "_repr_html_",
    }
    assert {n for n in dir(ref) if n[:2] != "__"} - private == {
        n for n in dir(fast) if n[:2] != "__"
    }
