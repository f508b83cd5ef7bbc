"""The pages: all are listed, and every link leads to a file, or to a heading of one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tests/*.md")])

pytestmark = pytest.mark.skipif(
    not (ROOT / "SECURITY.md").is_file(), reason="the whole source tree is not beside tests/"
)


def prose(page):
    """The text of a page without its code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda code: code[0].translate({ord(c): " " for c in "[]()"}), text)


def anchors(page):
    """What a link to a heading ends in, as GitHub makes it of the heading."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"https?:", link):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{link} leads to no file"
            assert not anchor or anchor in anchors(target), f"{link} leads to no heading"


def test_the_readme_lists_every_page():
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Pages\n")[2]
    listed = set(re.findall(r"\]\(([^)\s]+\.(?:md|ipynb))\)", table))
    pages = {page.relative_to(ROOT).as_posix() for page in [*PAGES, *ROOT.glob("docs/*.ipynb")]}
    assert listed == pages - {"README.md"}
