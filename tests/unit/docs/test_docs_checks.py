"""docs/reference/checks.md describes checks that are there."""

import ast
import re

from documents import PROJECT

TEXT = (PROJECT / "docs" / "reference" / "checks.md").read_text("utf-8")
EVIDENCE = TEXT.partition("## Evidence and blind spots\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (`test_\w+`.*?) \| (.+?) \| (.+?) \|$", EVIDENCE, re.MULTILINE)


def checks():
    """The names of the project's checks."""
    trees = (ast.parse(f.read_text("utf-8")) for f in (PROJECT / "checks").glob("test_*.py"))
    functions = (node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef))
    return {one.name for one in functions if one.name.startswith("test_")}


def test_every_described_check_is_one_of_the_project_and_stands_there_once():
    named = [name for row in ROWS for name in re.findall(r"`(test_\w+)`", row[0])]
    assert len(named) > 30
    assert len(named) == len(set(named))
    assert set(named) <= checks()


def test_each_says_its_evidence_and_what_it_cannot_see():
    assert all(len(cell) > 3 for row in ROWS for cell in row[1:])
