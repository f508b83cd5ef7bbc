"""The settings of Sphinx, and how it reads our docstrings. See build_site.py."""

import re
from importlib.metadata import version as version_of

from sphinx.util.inspect import signature, stringify_signature

project = "micrograd-fast"
version = release = version_of("micrograd-fast")
copyright = "the authors of micrograd-fast, MIT license"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_heading_anchors = 4
highlight_language = "none"
smartquotes = False  # 'relu' is a string, and not a quotation

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {
    "members": True,
    "inherited-members": "Module, tuple",
    "private-members": "_backward, _children, _local_grads, _op, _prev",
}

html_theme = "furo"
html_title = f"{project} {version}"
html_copy_source = False


def paragraphs(lines, names):
    """The lines of a docstring in reStructuredText.

    names: of the parameters. A line that starts with one or more of them and a colon describes
    them, up to a line that starts a sentence. Outside such a description, Returns, Raises and Cost
    start a paragraph. Indented lines, and those from >>> on, are code.
    """
    out = []
    code = described = False
    before = ""
    for line in lines:
        head, _, rest = line.partition(": ")
        if not line:
            code = described = False
            out.append("")
        elif code or line.startswith(("    ", ">>>")):
            if not code and not line.startswith(">>>"):
                out += ["", ".. code-block:: python", ""]
            code = True
            out.append(line)
        elif rest and set(head.split(", ")) <= names:
            described = True
            out += ["", ", ".join(f"``{name}``" for name in head.split(", "))]
            out.append("    " + escaped(rest))
        else:
            if described:
                starts = before.endswith(".") and line[0].isupper()
                described = not starts
            else:
                starts = line.startswith(("Returns ", "Raises ", "Cost: "))
            out += [""] * starts
            out.append("    " * described + escaped(line))
        before = line
    return out


def escaped(text):
    """Text in which only what stands in backquotes has a meaning to reStructuredText."""
    pieces = re.split(r"`([^`]+)`", text)
    pieces[::2] = (re.sub(r"([\\*|_`])", r"\\\1", piece) for piece in pieces[::2])
    pieces[1::2] = (f"``{piece}``" for piece in pieces[1::2])
    return "".join(pieces)


def process_docstring(app, what, name, obj, options, lines):
    names = set(signature(obj).parameters) if callable(obj) else set()
    if what == "class":
        names = set(signature(obj.__init__).parameters)
    lines[:] = paragraphs(lines, names)


def process_signature(app, what, name, obj, options, arguments, returned):
    """That of __init__, where a class has a __new__ which takes anything."""
    if what == "class" and obj.__init__ is not object.__init__:
        of = signature(obj.__init__, bound_method=True)
        return stringify_signature(of, show_return_annotation=False, unqualified_typehints=True), ""
    return None


def setup(app):
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-process-signature", process_signature)
