"""A run of some of the checks says so, whoever narrowed it; no setting ends every run early."""

import json
import shlex

import pytest

SIZE = "from litegate.measures.structure.size import size\nfrom litegate import kib"
KEPT = "require(size(candidate) <= kib(100))"
SECOND = f"{SIZE}\ndef test_second(candidate, require):\n    'It holds.'\n    {KEPT}\n"


@pytest.fixture
def two(project):
    """A model, and two files with a check each: test_one.py and test_two.py."""
    (project.path / "checks" / "test_two.py").write_text(SECOND)
    return project.model().check(KEPT, head=SIZE)


def _notes(project):
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    return "\n".join(report["notes"])


@pytest.mark.parametrize(
    "option",
    ["--co", "--collect-only", "--setup-only", "--setup-plan", "--fixtures", "--markers", "--help"],
)
@pytest.mark.parametrize("place", ["addopts", "PYTEST_ADDOPTS"])
def test_a_setting_that_only_looks_is_refused(two, monkeypatch, option, place):
    """The command would be green for ever, and would judge nothing."""
    if place == "addopts":
        two.pytester.makeini(f"[pytest]\naddopts = -p no:randomly {option}\n")
    else:
        monkeypatch.setenv("PYTEST_ADDOPTS", option)
    done = two.run()
    assert done.ret == 4
    done.stderr.fnmatch_lines([f"*{option}*judge*", "*what to do: *"])


@pytest.mark.parametrize("option", ["--co", "--collect-only", "--setup-only", "--setup-plan"])
def test_looking_by_hand_is_allowed_and_judges_nothing(two, option):
    """And the last line says so."""
    two.pytester.makeini("[pytest]\naddopts = --setup-show\n")
    done = two.run("checks/", option)
    assert done.ret == 0
    done.stdout.fnmatch_lines([f"litegate: nothing was gated: {option} only looks"])


def test_a_setting_that_only_looks_concerns_no_other_tests(two):
    """Outside the folder of checks pytest is left as it is."""
    two.pytester.makeini("[pytest]\naddopts = --co\n")
    (two.path / "test_plain.py").write_text("def test_plain():\n    pass\n")
    assert two.run("test_plain.py").ret == 0


def test_a_project_without_checks_may_look_as_it_likes(pytester):
    """It may stand in one environment with litegate and not use it."""
    pytester.makeini("[pytest]\naddopts = --co -p no:cacheprovider\n")
    pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
    done = pytester.runpytest_inprocess()
    assert done.ret == 0
    done.stdout.no_fnmatch_line("*litegate:*")


@pytest.mark.parametrize("place", ["", "PYTEST_ADDOPTS", "addopts"])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("-k second", "-k second"),
        ("-m 'not aside'", "-m not aside"),
        ("--deselect=checks/test_one.py", "--deselect checks/test_one.py"),
        ("--ignore=checks/test_one.py", "--ignore checks/test_one.py"),
    ],
)
def test_a_part_is_named_with_what_narrowed_it(two, monkeypatch, place, option, said):
    """On the terminal, and in the report."""
    marked = f"{SIZE}\nimport pytest\npytestmark = pytest.mark.aside"
    two.check(KEPT, head=marked)
    added = option if place == "addopts" else ""
    ini = f"[pytest]\nmarkers = aside: left out\naddopts = -p no:randomly {added}\n"
    two.pytester.makeini(ini)
    if place == "PYTEST_ADDOPTS":
        monkeypatch.setenv(place, option)
    by_hand = [] if place else shlex.split(option)
    done = two.run("checks/", *by_hand)
    assert done.ret == 0, done.stdout.str()
    where = f" of {place}" if place else ""
    assert f"only some of the checks were run: {said}{where}" in _notes(two)
    done.stdout.fnmatch_lines([f"*only some of the checks were run: *{said}{where}*"])


def test_an_option_that_leaves_nothing_out_makes_no_part(two):
    """`-m "not slow"` stands in many a project's settings."""
    two.pytester.makeini('[pytest]\naddopts = -p no:randomly -m "not slow"\nmarkers = slow: x\n')
    assert two.run().ret == 0
    assert "some of the checks" not in _notes(two)


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_what_a_conftest_takes_away_is_told(two, workers):
    """It needs no option to leave a check out."""
    (two.path / "checks" / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    del items[0]\n"
    )
    assert two.run("checks/", *workers).ret == 0
    assert "1 of 2 checks were left out, such as checks/test_one.py::" in _notes(two)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["checks/test_two.py"], "checks/test_two.py"),
        (["checks/test_two.py::test_second"], "checks/test_two.py::test_second"),
        (["checks/test_one.py", "checks/test_two.py"], ""),
        (["checks/test_two.py", "checks/"], ""),
        (["."], ""),
    ],
)
def test_files_are_a_part_unless_they_are_all(two, named, said):
    """`pytest checks/*.py` is the whole folder, `pytest checks/test_two.py` is not."""
    assert two.run(*named).ret == 0
    expected = f"only some of the checks were run: {said}"
    assert (expected in _notes(two)) is bool(said)
    assert ("some of the checks" in _notes(two)) is bool(said)


def test_a_glob_that_misses_a_folder_below_is_a_part(two):
    """The shell's `checks/*.py` does not look into checks/more/."""
    (two.path / "checks" / "more").mkdir()
    (two.path / "checks" / "more" / "test_three.py").write_text(SECOND)
    assert two.run("checks/test_one.py", "checks/test_two.py").ret == 0
    assert "only some of the checks were run: checks/test_one.py" in _notes(two)


def test_only_the_latency_checks_are_a_part(two):
    """--benchmark-only skips what uses no `benchmark`: each is named, and none is a pass."""
    done = two.run("checks/", "--benchmark-only")
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["NOT MEASURED checks/test_one.py::*: --benchmark-only was given", "*nothing was gated*"]
    )


def test_a_check_that_skips_itself_fails_beside_benchmark_only(two):
    """The option excuses what it leaves out, and nothing else."""
    two.check(
        "import pytest\npytest.skip('later')",
        head="import pytest",
        args="candidate, benchmark, require",
    )
    done = two.run("checks/", "--benchmark-only")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*skipped itself*"])


def test_a_selection_of_nothing_is_said_to_have_gated_nothing(two):
    done = two.run("checks/", "-k", "nosuch")
    assert done.ret == 5
    done.stdout.fnmatch_lines(["litegate: nothing was gated: no check was selected"])
