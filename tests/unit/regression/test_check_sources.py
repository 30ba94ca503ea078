"""What belongs to one check, to all checks of a file, and beside them."""

import shutil
from pathlib import Path

import pytest

from litegate.regression import check_sources, source_files
from litegate.regression.base_declaration import NOTHING
from litegate.regression.check_sources import declared_sources
from litegate.regression.weakening import weakenings

PROJECT = Path(__file__).resolve().parents[3]
FILE = "checks/test_a.py"
SHARED, TOP = "code shared by the checks of", "top-level statements of"
TEXT = '''
import pytest
from litegate import kib
from litegate.measures.structure.size import size

MOST = 9
OTHER = 7

def _limit():
    return kib(MOST)

def test_size(candidate, require):
    """It fits."""
    require(size(candidate) <= _limit())

@pytest.mark.parametrize("factor", [1, 2])
def test_other(candidate, require, factor):
    """It fits elsewhere."""
    require(size(candidate) <= kib(OTHER * factor))
'''


@pytest.fixture
def declared(tmp_path):
    """A function that writes files and declares the checks of `checks/test_a.py`."""

    def declare(text=TEXT, checks=("test_size", "test_other"), paths=(), **files):
        shutil.rmtree(tmp_path, ignore_errors=True)
        for name, content in {"checks/test_a": text, **files}.items():
            file = tmp_path / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        nodes = [f"{FILE}::{check}" for check in checks]
        sources = declared_sources(nodes, tmp_path, tmp_path / "checks", paths)
        return NOTHING | sources

    return declare


@pytest.fixture
def changed(declared):
    """A function that names what a replacement in `TEXT` weakens."""

    def compare(old, new):
        assert old in TEXT
        base, head = declared(), declared(TEXT.replace(old, new))
        return sorted((change.kind, change.field) for change in weakenings(base, head))

    return compare


CHECK = ("check changed", f"{FILE}::test_size")
OTHER = ("check changed", f"{FILE}::test_other")
END = "kib(OTHER * factor))\n"


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("import pytest\n", "import math, pytest\n", []),
        ("import pytest\n", "import math\nfrom litegate import ms\nimport pytest\n", []),
        ("It fits.", "It fits well.", []),
        ("OTHER = 7", "OTHER = 7  # seven", []),
        ("OTHER = 7\n", "OTHER = 7\nMORE = 8\n", []),
        ("OTHER = 7\n", "OTHER = 7\ndef _more():\n    return 8\n", []),
        ("[1, 2]", "[1, 2, 3]", [OTHER]),
        ("@pytest.mark.param", "@pytest.mark.slow\n@pytest.mark.param", [OTHER]),
        ("OTHER = 7", "OTHER = 8", [OTHER]),
        ("MOST = 9", "MOST = 99", [CHECK]),
        ("kib(MOST)", "kib(2 * MOST)", [CHECK]),
        ("kib(MOST)", "kib(eval('MOST'))", [CHECK]),
        ("<= _limit()", "<= kib(99)", [CHECK]),
        ("import kib\n", "import percent as kib\n", [OTHER, CHECK]),
        (END, f"{END}def test_new():\n    pass\n", []),
    ],
)
def test_a_change_is_reported_for_the_checks_that_use_it(changed, old, new, changes):
    """Not for the others of their file."""
    assert changed(old, new) == changes


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("@pytest.fixture(autouse=True)\ndef quiet():\n    yield", SHARED),
        ("@pytest.fixture\ndef budget():\n    return None", SHARED),
        ("pytestmark = [pytest.mark.slow]", SHARED),
        ("pytest_plugins = ['mine']", SHARED),
        ("def pytest_generate_tests(metafunc):\n    pass", SHARED),
        ("def setup_module():\n    pass", SHARED),
        ("def teardown_function():\n    pass", SHARED),
        ("def __getattr__(name):\n    return name", SHARED),
        ("import helpers", SHARED),
        ("from helpers import *", SHARED),
        ("print(1)", TOP),
        ("kib.limit = 3", TOP),
        ("if True:\n    X = 1", TOP),
        ("X = setattr(kib, 'limit', 3)", TOP),
        ("X = (kib := 3)", TOP),
        ("X = []\nX += [1]", TOP),
        ("_ = pytest.mark.skip(test_size)", TOP),
        ("candidate = pytest.fixture(lambda: None)", TOP),
        ("def _f(x=setattr(kib, 'limit', 3)):\n    pass", TOP),
        ("class C:\n    print(1)", TOP),
        ("class C(setattr(kib, 'limit', 3)):\n    pass", TOP),
        ("@setattr\ndef test_new():\n    pass", TOP),
        ("@pytest.mark.parametrize('x', [setattr(kib, 'limit', 3)])\ndef test_new(x): pass", TOP),
        ("range = print\nX = range(3)", TOP),
    ],
)
def test_what_is_added_for_all_checks_is_reported_once(declared, line, kind):
    """By the name of the file, with the line."""
    helpers = {"helpers": "MOST = 1\n"}
    base = declared(**helpers)
    head = declared(f"{TEXT}{line}\n", ("test_size", "test_other", "test_new"), **helpers)
    head["checks"].pop(f"{FILE}::test_new")
    (change, *others) = [it for it in weakenings(base, head) if it.kind == kind]
    assert not others
    assert change.field == FILE
    assert change.sentence.count(" | + ")


def test_the_changed_lines_are_in_the_message(declared):
    """Old and new, with the digests that a waiver pins."""
    base, head = declared(), declared(TEXT.replace("<= _limit()", "<= kib(99)"))
    (change,) = weakenings(base, head)
    assert change.sentence.endswith(
        " | - require(size(candidate) <= _limit()) | + require(size(candidate) <= kib(99))"
        " | - MOST = 9 | - def _limit(): | - return kib(MOST)"
    )


CLASS = """
class TestFile:
    FACTOR = 2
    def test_one(self):
        assert self.FACTOR
    def test_two(self):
        assert 2
    class TestDeep:
        def test_three(self):
            assert 3

def test_four():
    assert 4
"""
NAMES = ("TestFile::test_one", "TestFile::test_two", "TestFile::TestDeep::test_three", "test_four")


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("assert 2", "assert 3", [1]),
        ("assert 3", "assert 4", [2]),
        ("assert 4", "assert 5", [3]),
        ("FACTOR = 2", "FACTOR = 3", [0, 1, 2]),
    ],
)
def test_checks_in_classes_are_apart_too(declared, old, new, changes):
    """What is in the class besides them is theirs."""
    base, head = declared(CLASS, NAMES), declared(CLASS.replace(old, new), NAMES)
    assert {it.field for it in weakenings(base, head)} == {f"{FILE}::{NAMES[i]}" for i in changes}


HELPERS = [
    ("import _limits", "checks/_limits"),
    ("from _limits import MOST", "_limits"),
    ("from checks._limits import MOST", "checks/_limits"),
    ("from ._limits import MOST", "checks/_limits"),
    ("from . import _limits", "checks/_limits"),
    ("def test_size():\n    import _limits", "checks/_limits"),
    ("import _limits", "tools/_limits"),
]


@pytest.mark.parametrize(("line", "helper"), HELPERS)
def test_a_changed_helper_is_named_once(declared, tmp_path, line, helper):
    """Whatever number of checks imports it: beside them, from the root, relative, on the path."""
    paths = [tmp_path / "tools"]
    base = declared(line, paths=paths, **{helper: "MOST = 1"})
    head = declared(line, paths=paths, **{helper: "MOST = 2"})
    (change,) = weakenings(base, head)
    assert (change.kind, change.field) == ("module", f"{helper}.py")
    assert change.lines == ("- MOST = 1", "+ MOST = 2")


def test_a_helper_of_a_helper_is_named(declared):
    """Imports are followed."""
    base, head = (declared("import _a", _a="import _b", _b=f"MOST = {n}") for n in (1, 2))
    assert [(it.kind, it.field) for it in weakenings(base, head)] == [("module", "_b.py")]


def test_a_module_that_hides_an_installed_one_is_reported(declared):
    """No line of the file of checks differs."""
    base, head = declared("import math"), declared("import math", math="pi = 3")
    (change,) = weakenings(base, head)
    assert (change.kind, change.lines) == (SHARED, ("+ import math", "+ import of math.py"))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("conftest", "import os", "conftest"),
        ("checks/conftest", "import os", "conftest"),
        ("checks/__init__", "import os", "module"),
        ("checks/deep/more", "import os", "module"),
        ("checks/template", "not Python {", "module"),
        ("checks/__init__", "'''Checks.'''", None),
        ("src/more", "import os", None),
    ],
)
def test_a_module_beside_the_checks_counts_like_a_conftest(declared, tmp_path, name, content, kind):
    """A new one, a changed one and a lost one; one without code runs nothing."""
    base, head = declared(), declared(**{name: content})
    changed = declared(**{name: f"{content}\n1\n"})
    expected = [] if kind is None else [(kind, f"{name}.py")]
    for before, after in ((base, head), (head, changed), (head, base)):
        if "'''" in content and after is changed:
            continue
        assert [(it.kind, it.field) for it in weakenings(before, after)] == expected


def test_a_moved_checkout_declares_the_same(tmp_path, declared):
    """The base's is in a worktree; modules outside of the project are in neither."""
    files = {"tools/_limits": "A = 1", "checks/near": "A = 1"}
    here = declared("import _limits\nimport near", paths=[tmp_path / "tools"], **files)
    place = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(place)
    paths = [place / "tools"]
    nodes = [f"{FILE}::test_size", f"{FILE}::test_other"]
    there = declared_sources(nodes, place, place / "checks", paths)
    assert NOTHING | there == here


def test_each_file_is_read_once(monkeypatch):
    """And looked up by the names in each folder, which is listed once."""
    read, listed, looked = [], [], []
    parsed, iterdir, is_file = source_files.parsed, Path.iterdir, Path.is_file
    monkeypatch.setattr(source_files, "parsed", lambda file: read.append(file) or parsed(file))
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
    monkeypatch.setattr(Path, "is_file", lambda path: looked.append(path) or is_file(path))
    files = sorted((PROJECT / "checks").glob("test_*.py"))
    nodes = [f"checks/{file.name}::test_{i}" for file in files for i in range(3)]
    declared = check_sources.declared_sources(nodes, PROJECT, PROJECT / "checks", [])
    assert len(declared["checks"]) == 3 * len(files)
    assert read
    assert len(read) == len(set(read))
    assert len(listed) == len(set(listed))
    assert len(looked) < 3 * len(files)
