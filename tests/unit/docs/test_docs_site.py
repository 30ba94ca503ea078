"""The pages make a site, and no link leads nowhere."""

import ast
import inspect
import re
import subprocess
import sys

import pytest
from documents import PAGES, PROJECT, anchors, name
from sphinx.util.inventory import InventoryFile

import litegate
from litegate import testing
from litegate.mutation import faults

GENERATED = {"api", "commands", "kill_matrix", "report_json"}
"""Lists that nobody reads from top to bottom."""
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def _build(source, site):
    """Build as CONTRIBUTING.md says; Sphinx prints all warnings before it fails."""
    command = ["-q", "-W", "--keep-going", "-c", "docs", ".", site]
    argv = [sys.executable, "-m", "sphinx", *command]
    return subprocess.run(argv, cwd=source, capture_output=True, text=True, check=False)


SITE = PROJECT / "site"
"""What `.ci/run docs` builds, which fails on a warning, before it runs the tests of it."""


@pytest.mark.site
def test_the_site_has_every_page():
    index = (SITE / "docs" / "index.html").read_text("utf-8")
    for page in PAGES:
        assert (SITE / name(page)).with_suffix(".html").is_file()
    assert 'class="caption-text">Explanation<' in index
    assert 'src="http' not in index


def _public_names(module):
    """The names in `__all__`, else the functions that the module itself defines."""
    functions = inspect.getmembers(module, inspect.isfunction)
    own = [label for label, function in functions if function.__module__ == module.__name__]
    return getattr(module, "__all__", [label for label in own if not label.startswith("_")])


def _imported_by_checks():
    """What the checks import from litegate, by full name."""
    for file in sorted((PROJECT / "checks").glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("litegate"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.site
def test_the_api_reference_has_every_public_name():
    """Those of the package, of the modules that models use, of checks, and for tests and faults."""
    inventory = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="")
    described = {
        label
        for kind, labels in inventory.data.items()
        if kind.startswith("py:")
        for label in labels
    }
    modules = {
        "litegate": litegate,
        "litegate.datasets": litegate.datasets,
        "litegate.metrics": litegate.metrics,
        "litegate.mutation.faults": faults,
        "litegate.recipes": litegate.recipes,
        "litegate.testing": testing,
    }
    public = {f"{path}.{label}" for path, m in modules.items() for label in _public_names(m)}
    measures = set(_imported_by_checks())
    assert len(public) > 60
    assert len(measures) > 30
    assert (public | measures) - described == set()


def test_a_link_to_a_heading_that_is_not_there_fails_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    conf = (PROJECT / "docs" / "conf.py").read_text("utf-8")
    (tmp_path / "docs" / "conf.py").write_text(conf)
    (tmp_path / "docs" / "index.md").write_text("# Title\n\n## Part\n\n- [it](it.md#nowhere)\n")
    (tmp_path / "docs" / "it.md").write_text("# Page\n")
    done = _build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


TEXTS = [*PAGES, *sorted(PROJECT.glob("*.md"))]


@pytest.mark.parametrize("page", sorted(set(TEXTS)), ids=name)
def test_links_lead_to_files_and_headings(page):
    """In the repository, where GitHub shows the pages as they are."""
    for path, heading in LINK.findall(page.read_text("utf-8")):
        if not path.startswith("http"):
            target = page.parent / path if path else page
            assert target.exists(), path
            assert not heading or heading in anchors(target.read_text("utf-8")), (path, heading)


def test_anchors_are_those_of_github():
    text = "# A `code()` title, with [a link](x.md)\n\n## Twice\n\n## Twice\n"
    assert anchors(text) == ["a-code-title-with-a-link", "twice", "twice-1"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_is_short_enough_to_read(page):
    """Those that are written by hand; a longer one is two pages."""
    if page.stem not in GENERATED:
        assert len(page.read_text("utf-8").splitlines()) <= 210
