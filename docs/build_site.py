"""Build the site: python docs/build_site.py FOLDER

The pages are those that README.md lists, with README.md as the first. A file or a folder of the
source tree that a page links to becomes a page too, and so does each module of the API. A warning
of Sphinx is an error, and so is a link within the site that leads nowhere. Takes the extra [docs].
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import micrograd_fast
import micrograd_ref

ROOT = Path(__file__).resolve().parent.parent
LEXERS = {".py": "python", ".pyx": "cython", ".pxi": "cython", ".c": "c", ".h": "c"}
ORPHAN = "---\norphan: true\n---\n"  # it is in no table of contents
LINK = re.compile(r"^```.*?^```|\[([^]]*)\]\((?!https?:)([^)\s#]+)", re.MULTILINE | re.DOTALL)


class Source:
    """What Sphinx reads: the pages, and what they lead to, with links that work within the site."""

    def __init__(self, folder):
        self.folder, self.added = folder, set()
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        entries = []
        for name, path in LINK.findall(readme[readme.index("\n## Pages\n") :]):
            if path.endswith((".md", ".ipynb")):
                page, shown = self.add(Path(path)), f"{name[0].upper()}{name[1:]}"
                entries.append(str(page) if name == path else f"{shown} <{page}>")
        self.write("index.md", self.linked(Path("README.md"), readme) + toctree(entries))
        rooms = micrograd_fast._rooms.split()
        with (self.folder / "docs" / "reference.md").open("a", encoding="utf-8") as file:
            file.write(toctree([f"reference/{room}" for room in rooms], shown=True))
        seen = set()
        for room in rooms:
            self.write(f"docs/reference/{room}.rst", room_page(room, seen))

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def add(self, path):
        """Write what a link to path leads to, a file or a folder, as a page or a picture.

        Returns its path within the site.
        """
        page = path if path.suffix in (".md", ".png", ".svg") else Path(f"{path}.md")
        if path in self.added:
            return page
        self.added.add(path)
        if path.suffix in (".ipynb", ".png", ".svg"):
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.folder / path)
        if path.suffix == ".ipynb":
            self.write(page, self.linked(path, notebook_page(ROOT / path)))
        elif (ROOT / path).is_dir():
            self.write(page, self.linked(path.parent / "page", folder_page(ROOT / path)))
        elif path.suffix == ".md":
            self.write(page, self.linked(path, (ROOT / path).read_text(encoding="utf-8")))
        elif page != path:
            self.write(page, source_page(ROOT / path))
        return page

    def linked(self, path, text):
        """The text of the page at path, with links to what was added."""

        def replaced(match):
            name, link = match.groups()
            if not link:  # code; the empty line at its end is for doctest
                return match[0].replace("\n\n```", "\n```")
            target = self.add((ROOT / path.parent / link).resolve().relative_to(ROOT))
            return f"[{name}]({os.path.relpath(target, path.parent)}"

        return LINK.sub(replaced, text)


def notebook_page(path):
    first, *cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join(first["source"]) + f"\n\n{{download}}`Download the notebook <{path.name}>`\n"
    for cell in cells:
        source = "".join(cell["source"])
        text += f"\n```python\n{source}\n```\n" if cell["cell_type"] == "code" else f"\n{source}\n"
    return text


def source_page(path):
    lexer = LEXERS.get(path.suffix, "none")
    source = path.read_text(encoding="utf-8")
    return f"{ORPHAN}# `{path.relative_to(ROOT)}`\n\n````{lexer}\n{source}\n````\n"


def folder_page(path):
    text = f"{ORPHAN}# `{path.relative_to(ROOT)}`\n\n"
    for file in sorted(path.glob("*.py")):
        about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        text += f"- [`{file.name}`]({path.name}/{file.name}): {about.splitlines()[0]}\n"
    return text


def toctree(pages, shown=False):
    options = ":maxdepth: 1" if shown else ":hidden:"
    return "\n```{toctree}\n" + options + "\n\n" + "\n".join(pages) + "\n```\n"


def room_page(room, seen):
    """The page of a module: what no module before it has."""
    module = getattr(micrograd_ref, room)
    names = [*module.__all__, *(["sum"] if "dot" in module.__all__ else [])]
    text = f"{room}\n{'=' * len(room)}\n\n{module.__doc__.splitlines()[0]}\n"
    for name in names:
        thing = getattr(module, name)
        if name not in seen:
            kind = "class" if isinstance(thing, type) else "function"
            text += f"\n.. auto{kind}:: micrograd_ref.{name}\n"
            if kind == "class" and thing.__base__.__name__ in micrograd_ref.__all__:
                text += "   :show-inheritance:\n"
        seen.add(name)
    return text


class Page(HTMLParser):
    """The links of a page of the site, and what they can lead to within it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.anchors.add(value)
            elif name in ("href", "src"):
                self.links.append(value)


def broken_links(folder):
    """One line for each link within the site that leads to no file, or to no place of one."""
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            target = target.resolve()
            anchor = unquote(parts.fragment)
            if not target.is_file() or (target in pages and anchor not in pages[target].anchors):
                yield f"{path.relative_to(folder)}: {link} leads nowhere"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/build_site.py FOLDER")
    folder = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as source:
        Source(Path(source))
        sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html"]
        built = subprocess.run(
            [*sphinx, "-c", ROOT / "docs", "-d", Path(source) / ".doctrees", source, folder],
            check=False,
        )
    broken = list(broken_links(folder))
    print(*broken, sep="\n", end="\n" if broken else "")
    if built.returncode or broken:
        sys.exit("the site has mistakes")


if __name__ == "__main__":
    main()
