"""README.md and the pages of docs/, as Markdown's own parser reads them."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A code block of a page."""

    page: Path | None
    line: int
    kind: str
    """The language that its fence names; empty for what a program prints."""
    text: str
    not_run: str
    """Why it cannot be run: the comment `<!-- not run: why -->` on the line before it."""

    @property
    def directive(self):
        """True if Sphinx interprets it, as in the API reference."""
        return self.kind.startswith("{")

    def __str__(self):
        return f"{name(self.page)}:{self.line}"


def name(page):
    return page.relative_to(PROJECT).as_posix()


def blocks(*kinds, pages=None):
    """The code blocks of these languages, or all, in order."""
    every = (block for page in pages or PAGES for block in _blocks_of(page))
    return [block for block in every if (block.kind in kinds if kinds else not block.directive)]


@cache
def _blocks_of(page):
    return tuple(parsed(page.read_text("utf-8"), page))


def spans(page):
    """What stands between backticks in the running text."""
    tokens = MarkdownIt().enable("table").parse(page.read_text("utf-8"))
    return [
        part.content
        for token in tokens
        for part in token.children or ()
        if part.type == "code_inline"
    ]


def anchors(text):
    """The names by which links reach the headings of a text on GitHub, in order."""
    titles = [
        "".join(part.content for part in content.children if part.type in {"text", "code_inline"})
        for opening, content in pairwise(MarkdownIt().parse(text))
        if opening.type == "heading_open"
    ]
    slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
    repeats = [slugs[:number].count(slug) for number, slug in enumerate(slugs)]
    return [f"{slug}-{n}" if n else slug for slug, n in zip(slugs, repeats, strict=True)]


def parsed(text, page=None):
    """The code blocks of a text, in order, indented ones and those in lists too."""
    before = ""
    for token in MarkdownIt().parse(text):
        if token.type in {"fence", "code_block"}:
            said = _NOT_RUN.search(before)
            yield Block(
                page=page,
                line=token.map[0] + 1,
                kind=token.info.strip(),
                text=token.content,
                not_run=said[1] if said else "",
            )
        before = token.content if token.type == "html_block" else ""


@cache
def source_nodes():
    """The nodes of each file of the source; parsed once, for that takes seconds."""
    files = sorted((PROJECT / "src" / "litegate").rglob("*.py"))
    return {file: list(ast.walk(ast.parse(file.read_text("utf-8")))) for file in files}
