"""Configure Sphinx, which makes a site of the pages: `sphinx-build -W -c docs . site`."""

import re

from sphinx.application import Sphinx

project = "litegate"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
include_patterns = ["*.md", "docs/*.md", "docs/*/*.md"]
exclude_patterns = [".*", "site", "src", "tests"]
root_doc = "docs/index"
html_theme = "furo"
html_title = "litegate"
html_copy_source = False
highlight_language = "none"
myst_heading_anchors = 3
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # the types in signatures have no page of their own
smartquotes = False  # they make one dash of the two in `--json`
default_role = "code"  # docstrings put names between single backticks, as Markdown does
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # `Budget()`, not its twenty-two fields
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True

_SECTION = re.compile(r"^## (.+)\n((?:(?!#).*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^- \[(.+?)\]\(([./\w-]+)\.md\)", re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Sphinx calls this once."""
    app.connect("source-read", _navigate)


def _navigate(_app: Sphinx, page: str, source: list[str]) -> None:
    """Make the sidebar of the index: headings become captions, linked pages in lists entries."""
    if page != root_doc:
        return
    for caption, body in _SECTION.findall(source[0]):
        links = ((text.replace("`", ""), file) for text, file in _ENTRY.findall(body))
        if entries := "\n".join(f"{text} <{file}>" for text, file in links):
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"
