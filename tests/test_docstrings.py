"""The examples in the docstrings, of both packages and of what they are made of."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import micrograd_ref


def public_docstrings(package):
    """Each docstring of a public function, class or method, by its name."""
    for name in [*package.__all__, "sum"]:
        thing = getattr(package, name)
        yield name, thing.__doc__
        if inspect.isclass(thing):
            for member, x in inspect.getmembers(thing):
                if not member.startswith("_"):
                    yield f"{name}.{member}", inspect.getdoc(x) or ""


EXAMPLES = [name for name, doc in public_docstrings(micrograd_ref) if ">>>" in doc]


def test_there_are_examples():
    assert {"Value", "Tape", "gradient", "softmax"} <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_packages_runs(mg, name):
    docstring = dict(public_docstrings(mg))[name]
    names = {public: getattr(mg, public) for public in mg.__all__}
    run(doctest.DocTestParser().get_doctest(docstring, names, name, None, None))


def run(example):
    assert doctest.DocTestRunner().run(example) == (0, len(example.examples))
    assert example.examples


INSIDE = [
    example
    for module in pkgutil.walk_packages(micrograd_ref.__path__, "micrograd_ref.")
    for example in doctest.DocTestFinder().find(importlib.import_module(module.name))
    if example.examples and not set(example.name.split(".")) & set(micrograd_ref.__all__)
]


@pytest.mark.parametrize("example", INSIDE, ids=lambda example: example.name)
def test_an_example_of_what_is_not_public_runs(example):
    run(example)
