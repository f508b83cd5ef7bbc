"""Build the site: python docs/build_site.py FOLDER

The pages are those that README.md lists, with README.md as the first. A file or a folder of the
source tree that a page links to becomes a page too, and so does each module of the API. A warning
of Sphinx is an error, and so is a link within the site that leads nowhere. Takes the extra [docs].
"""

import ast
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
LINK = re.compile(r"^```.*?^```|\[([^]]*)\]\((?!https?:)([^)\s#]+)", re.MULTILINE | re.DOTALL)


class Source:
    """The pages in the form that Sphinx reads: a copy of the part of the tree that they need."""

    def __init__(self, folder):
        self.folder = folder
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        table = LINK.findall(readme[readme.index("\n## Pages\n") :])
        pages = {path: name for name, path in table if path.endswith(".md")}
        entries = [
            path if name.endswith(".md") else f"{name[0].upper()}{name[1:]} <{path}>"
            for path, name in pages.items()
        ]
        self.write("index.md", self.converted("README.md") + toctree(entries))
        for path in pages:
            self.write(path, self.converted(path))
        rooms = micrograd_fast._rooms.split()
        reference = self.folder / "docs" / "reference.md"
        with reference.open("a", encoding="utf-8") as file:
            file.write(toctree([f"reference/{room}" for room in rooms], shown=True))
        seen = set()
        for room in rooms:
            self.write(f"docs/reference/{room}.rst", room_page(room, seen))

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def converted(self, path):
        """A page with links that work within the site; what they lead to is written too."""
        page = ROOT / path

        def replaced(match):
            if not match[2]:  # code; the empty line at its end is for doctest
                return match[0].replace("\n\n```", "\n```")
            target = (page.parent / match[2]).resolve().relative_to(ROOT)
            return match[0] + self.suffix_of(target)

        return LINK.sub(replaced, page.read_text(encoding="utf-8"))

    def suffix_of(self, path):
        """Write what path leads to. Returns what its page is called beyond its own name."""
        if path.suffix == ".md":
            return ""
        if path.suffix in (".png", ".svg"):
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.folder / path)
            return ""
        text = f"---\norphan: true\n---\n# `{path}`\n\n"
        if (ROOT / path).is_dir():
            for file in sorted((ROOT / path).glob("*.py")):
                about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
                text += f"- [`{file.name}`]({path.name}/{file.name}.md): {about.splitlines()[0]}\n"
                self.suffix_of(path / file.name)
        else:
            source = (ROOT / path).read_text(encoding="utf-8")
            text += f"````{LEXERS.get(path.suffix, 'none')}\n{source}\n````\n"
        self.write(f"{path}.md", text)
        return ".md"


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
