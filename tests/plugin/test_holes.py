"""Ways to be green although a promise is broken or nothing was judged: none may work."""

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from litegate.spec import Kind
from litegate.testing import evaluation, tiny
from litegate.testing.store import fill_store

CHECKS = Path(__file__).resolve().parents[2] / "checks"
SIZE = """
import pytest
from litegate import byte, kib
from litegate.measures.structure.size import size
"""
KEPT = "require(size(candidate) <= kib(100))"
BROKEN = "require(size(candidate) <= byte(10))"


@pytest.mark.parametrize(
    "body",
    [
        f"with pytest.raises(AssertionError):\n    {BROKEN}",
        f"try:\n    {BROKEN}\nexcept AssertionError:\n    pass",
    ],
)
def test_a_check_that_catches_its_own_failure_fails(project, body):
    """The verdict counts, not what the check did with it."""
    done = project.model().check(body, head=SIZE).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*catches its own failure*"])


def test_a_require_of_ones_own_is_refused(project):
    """A fixture that judges nothing in the place of the one that does."""
    head = f"{SIZE}\n@pytest.fixture\ndef require():\n    return lambda verdict: None\n"
    done = project.model().check(BROKEN, head=head).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*overrides the fixture `require`*"])


def test_an_early_exit_with_status_0_is_no_pass(project):
    """What was selected and never reported is told."""
    head = f"{SIZE}\ndef test_a(candidate, require):\n    'It holds.'\n    {KEPT}\n"
    head += "def test_b():\n    pytest.exit('bye', returncode=0)\n"
    done = project.model().check(BROKEN, head=head).run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["litegate: *without a verdict"])


def test_a_file_of_checks_that_skips_itself_is_no_pass(project):
    """A module-level importorskip takes every promise of the file away."""
    text = "import pytest\npytest.importorskip('no_such_module')\n"
    project.model().check(KEPT, head=SIZE)
    (project.path / "checks" / "test_two.py").write_text(text)
    done = project.run()
    assert done.ret == 1
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    assert report["verdict"] == "error"
    assert "test_two.py was skipped as a whole" in report["errors"][0]["message"]


def test_a_manifest_of_another_key_is_damage(project):
    """The store does not hand out one model's bytes as another's."""
    project.model().model(name="other", network="another")
    project.check(KEPT, head=SIZE)
    builds = project.path / ".litegate" / "store" / "builds"
    first, *others = sorted(builds.glob("*.json"))
    for other in others:
        shutil.copy(first, other)
    done = project.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*belongs to another key*"])


def test_a_report_that_cannot_be_written_is_told(project):
    """Exit status 4, not a traceback."""
    (project.path / "taken").write_text("a file")
    done = project.model().check(KEPT, head=SIZE).run("checks/", "--litegate-report=taken")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*the report cannot be written*"])


@pytest.fixture
def loosened(project):
    """A base with a limit and the guard; the branch raises the limit."""

    def git(*args):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        argv = ["git", *identity, *args]
        subprocess.run(argv, cwd=project.path, check=True, capture_output=True)

    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(Kind.INT8_QAT)}
    shutil.copy(CHECKS / "test_weakened_limits.py", project.path / "checks")
    (project.path / ".gitignore").write_text(".litegate\n__pycache__\n")
    project.model("size=lg.kib(9)", files=files)
    project.check(
        "require(size(candidate) <= budget.size)", head=SIZE, args="candidate, budget, require"
    )
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "base")
    git("checkout", "-qb", "topic")
    project.model("size=lg.kib(10)", files=files)
    project.git = git
    return project


def test_loosening_is_seen(loosened):
    """The control: the guard itself says it."""
    done = loosened.run("checks/", "--against", "main")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["FAIL*tiny*weakened limits*"])


TWO_FACED = "lg.kib(9 if 'declaration' in __import__('sys').argv[0] else 10)"
REPLACED = """
from litegate.regression import weakening
weakening.weakenings = lambda base, head: ()
"""


@pytest.mark.parametrize(
    "how",
    [
        *("deselect", "keyword", "limit raised", "dummy", "fixture"),
        *("check's file", "model's file", "two-faced file"),
    ],
)
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_the_guard_cannot_be_switched_off_by_the_change_itself(loosened, how, workers):
    """Whatever the head does to the check, the gate compares the declarations itself."""
    guard = loosened.path / "checks" / "test_weakened_limits.py"
    if how == "deselect":
        options = "addopts = --deselect checks/test_weakened_limits.py"
        loosened.pytester.makeini(f"[pytest]\n{options}\n")
    elif how == "keyword":
        loosened.pytester.makeini('[pytest]\naddopts = -k "not promises"\n')
    elif how == "limit raised":
        guard.write_text(guard.read_text().replace("<= 0", "<= 99"))
    elif how == "dummy":
        guard.write_text("def test_x(weakened_limits):\n    pass\n")
    elif how == "check's file":
        (loosened.path / "checks" / "test_000.py").write_text(REPLACED)
    elif how == "model's file":
        (loosened.path / "models" / "another.py").write_text(REPLACED)
    elif how == "two-faced file":
        file = loosened.path / "models" / "tiny.py"
        file.write_text(file.read_text().replace("lg.kib(10)", TWO_FACED))
    else:
        (loosened.path / "checks" / "conftest.py").write_text(
            "import pytest\nfrom litegate.regression.weakening import WeakenedLimits\n"
            "@pytest.fixture\ndef weakened_limits():\n"
            "    return WeakenedLimits(subject='x', weakenings=(), compared=1)\n"
        )
    # In a process of its own: the files replace functions for as long as theirs lives.
    done = loosened.run("checks/", "--against", "main", *workers, apart=how.endswith("file"))
    assert done.ret == 1, done.stdout.str()
    report = json.loads((loosened.path / ".litegate/report/report.json").read_text())
    assert report["verdict"] in ("fail", "error")
    two_faced = "tiny has another declaration if another process loads it" in str(report["errors"])
    assert two_faced is (how == "two-faced file")


OWN = "import pytest\n@pytest.fixture\ndef candidate(candidate):\n    return candidate\n"


def test_a_fixture_of_ones_own_that_a_change_brings_is_a_loosening(loosened):
    """It can hand the checks something else than what was built."""
    loosened.model("size=lg.kib(9)")
    assert loosened.run("checks/", "--against", "main").ret == 0
    (loosened.path / "checks" / "conftest.py").write_text(OWN)
    done = loosened.run("checks/", "--against", "main")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["FAIL*weakened limits*", "*conftest checks/conftest.py: none*"])


def test_code_that_a_new_file_of_checks_runs_is_a_loosening(loosened):
    """It can replace the gate's functions; a constant cannot, and a check alone is welcome."""
    loosened.model("size=lg.kib(9)")
    new = loosened.path / "checks" / "test_000.py"
    new.write_text("import os\nMOST = 9\ndef test_more(require):\n    'It adds up.'\n")
    assert "weakened limits: " not in loosened.run("checks/", "--against", "main").stdout.str()
    new.write_text(f"{new.read_text()}os.environ['X'] = '1'\n")
    done = loosened.run("checks/", "--against", "main")
    done.stdout.fnmatch_lines(
        ["*top-level statements of checks/test_000.py: none -> * | + os.environ?'X'? = '1'*"]
    )


def test_a_workflow_that_may_fail_is_a_loosening(loosened):
    """The file that runs the gate, at the top of the repository."""
    loosened.model("size=lg.kib(9)")
    gate = loosened.path / ".github" / "workflows" / "gate.yml"
    gate.parent.mkdir(parents=True)
    gate.write_text("jobs:\n  gate:\n    steps: [{run: pytest checks/ --against auto}]\n")
    loosened.git("add", "-A")
    loosened.git("commit", "-qm", "the gate")
    loosened.git("branch", "-f", "main")
    gate.write_text(gate.read_text().replace("    steps", "    continue-on-error: true\n    steps"))
    done = loosened.run("checks/", "--against", "main")
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["*workflow .github/workflows/gate.yml: * | + continue-on-error: true"]
    )


def test_every_file_by_its_name_is_the_whole_folder(loosened):
    """`pytest checks/*.py` is held to the guard as `pytest checks/` is."""
    (loosened.path / "checks" / "test_weakened_limits.py").unlink()
    done = loosened.run("checks/test_one.py", "--against", "main")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*no check requests the fixture `weakened_limits`*"])


def test_a_file_that_is_gone_is_missed_by_a_glob(loosened):
    """A check that the base had and the shell no longer names."""
    loosened.model("size=lg.kib(9)")
    text = f"{SIZE}\ndef test_two(candidate, require):\n    'It holds.'\n    {KEPT}\n"
    (loosened.path / "checks" / "test_two.py").write_text(text)
    loosened.git("add", "-A")
    loosened.git("commit", "-qm", "a second check")
    loosened.git("branch", "-f", "main")
    (loosened.path / "checks" / "test_two.py").unlink()
    files = ["checks/test_weakened_limits.py", "checks/test_one.py"]
    done = loosened.run(*files, "--against", "main")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*checks/test_two.py::test_two*"])


def test_a_constant_of_the_preprocessing_makes_another_split(project):
    """What the old preprocessing left in the store is not what the new artifact is judged on."""
    head = "from litegate.measures.accuracy import accuracy\nfrom litegate import percent"
    require = "require(accuracy(candidate) >= percent(50))"
    project.model().check(require, head=head)
    file = project.path / "models" / "tiny.py"
    scaled = "SCALE = 1\n\ndef _as_it_is(samples):\n    return samples * SCALE\n"
    before = "def _as_it_is(samples):\n    return samples\n"
    file.write_text(file.read_text().replace(before, scaled))
    fill_store(
        project.path, "tiny", {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(Kind.INT8_QAT)}
    )
    assert project.run().ret == 0
    file.write_text(file.read_text().replace("SCALE = 1", "SCALE = 0"))
    split = evaluation()
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(Kind.INT8_QAT)}
    fill_store(project.path, "tiny", files, split=dataclasses.replace(split, x=split.x * 0))
    done = project.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["FAIL*accuracy*"])


def test_a_run_that_cannot_start_leaves_no_older_report(project):
    """Yesterday's pass must not be read for today's: nothing was judged."""
    report = project.path / ".litegate" / "report" / "report.json"
    good = project.model().check("require(size(candidate) <= kib(900))", head=SIZE)
    broken = {
        "a waiver file that is none": ("litegate-waivers.toml", "x = ", ()),
        "a conftest that does not load": ("checks/conftest.py", "import nosuch\n", ()),
        "a base that is none": ("unused.txt", "", ("--against", "nosuch")),
        "a model that is none": ("unused.txt", "", ("--litegate-model", "typo")),
        "a value that cannot be": ("unused.txt", "", ("--litegate-build-timeout", "soon")),
    }
    for case, (name, text, options) in broken.items():
        assert good.run("checks/", apart=True).ret == 0
        assert report.exists()
        (project.path / name).write_text(text)
        assert project.run("checks/", *options, apart=True).ret != 0
        assert not report.exists(), case
        (project.path / name).unlink()
    assert good.run("checks/", apart=True).ret == 0
    (project.path / "conftest.py").write_text("import nosuch\n")
    assert project.run("models/", apart=True).ret != 0
    assert report.exists(), "a run of other tests is none of the checks"
