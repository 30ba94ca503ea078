"""docs/how-to/troubleshooting*.md quote messages that litegate still has, word for word."""

import ast
import re
from itertools import chain

import pytest
from documents import PROJECT, source_nodes

PAGES = sorted((PROJECT / "docs" / "how-to").glob("troubleshooting*.md"))
HEADINGS = [
    heading
    for page in PAGES
    for heading in re.findall(r"^### (.+)$", page.read_text("utf-8"), re.MULTILINE)
]


def _quoted(node):
    """A text of the source as the page quotes it: "..." where something is filled in."""
    parts = [each.value if isinstance(each, ast.Constant) else "..." for each in node.values]
    return "".join(parts)


@pytest.fixture(scope="module")
def messages():
    """Every text of the source."""
    found = set()
    for node in chain.from_iterable(source_nodes().values()):
        if isinstance(node, ast.JoinedStr):
            found.add(_quoted(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_the_pages_quote_each_message_once():
    assert len(HEADINGS) > 25
    assert len(set(HEADINGS)) == len(HEADINGS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_quoted_message_is_one_of_the_source(heading, messages):
    assert any(message.partition("\n")[0] == heading for message in messages)
