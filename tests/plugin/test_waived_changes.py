"""Waivers of comparisons with the base, from the pull request to the one after the next."""

import re
import shutil
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.regression.waiver_file import FILE
from litegate.spec import Kind
from litegate.testing import pad, tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
GOOD = tiny(Kind.INT8_QAT)
SIZE = "test_file_does_not_grow"
LATENCY = "lg.us(0.001)"
IMPORTS = "import litegate as lg\nfrom litegate.measures.structure.size import size"


class Repository:
    """A repository with a main branch, of which pull requests are made and merged."""

    def __init__(self, project):
        self.project = project
        self.path = project.path
        for name in ("test_regression.py", "test_weakened_limits.py", "test_size.py"):
            shutil.copy(CHECKS / name, self.path / "checks")
        project.model().as_base()

    def grow(self, tflite, network):
        """Change the model, and with it its file."""
        files = {"float32": tiny(Kind.FLOAT32), "int8_qat": tflite}
        self.project.model(files=files, network=network)

    def judge(self, against="main", *more):
        """Run the check of the size against another commit."""
        return self.project.run("checks/", "-k", SIZE, "--against", against, *more)

    def accept(self):
        """Accept what failed in the last run."""
        done = CliRunner().invoke(app, ["accept", "tiny", "--reason", "agreed"])
        assert done.exit_code == 0, done.output
        return done.output

    def git(self, *args):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *args], cwd=self.path, check=True, capture_output=True)

    def merge(self):
        """Commit the branch, merge it into main, and begin the next one."""
        self.git("add", "-A")
        self.git("commit", "-qm", "change")
        self.git("checkout", "-q", "main")
        self.git("merge", "-q", "--no-ff", "topic")

    def branch(self):
        """Begin the next pull request."""
        self.git("branch", "-D", "topic")
        self.git("checkout", "-qb", "topic")

    @property
    def accepted(self):
        """What the file of waivers accepts."""
        return [row["accepts"] for row in tomllib.loads((self.path / FILE).read_text())["waiver"]]


@pytest.fixture
def repository(project):
    return Repository(project)


def test_an_accepted_growth_excuses_one_pull_request(repository):
    """Green in its own run and after the merge; the next growth fails, and is told why."""
    larger = pad(GOOD, len(GOOD) * 18 // 100)
    repository.grow(larger, "larger")
    assert repository.judge().ret == 1
    assert (
        f"waiver accepts: size <= {len(larger):,} B (against the base's build"
        in repository.accept()
    )
    assert repository.judge("main", "--junitxml=junit.xml").ret == 0
    assert re.search(r'name="size growth" value="1[78].* waived"', _text(repository, "junit.xml"))
    (accepted,) = repository.accepted
    assert accepted["ceiling"] == f"size <= {len(larger):,} B"

    alone = repository.project.run("checks/test_size.py", "--against", "none")
    alone.stdout.fnmatch_lines(["*waiver of size growth of tiny/int8_qat*was not evaluated*"])
    alone.stdout.no_fnmatch_line("*remove it*")

    repository.merge()
    pushed = repository.judge("HEAD~1")
    assert pushed.ret == 0
    pushed.stdout.fnmatch_lines(["*accepts size <= * because: agreed*"])

    repository.branch()
    repository.grow(pad(larger, len(larger) * 77 // 1000), "larger still")
    following = repository.judge()
    assert following.ret == 1
    following.stdout.fnmatch_lines(
        [f"*it has lapsed (it was for the base {accepted['base'][:12]}, the base is now*"]
    )


def _text(repository, name):
    return (repository.path / name).read_text("utf-8")


OLD_WAIVER = f"""
[[waiver]]
model = "tiny"
recipe = "int8_qat"
check = "{SIZE}"
reason = "agreed"
expires = {datetime.now(UTC).date() + timedelta(days=60)}
accepts = {{ measurement = "size growth", value = "50 %" }}
"""


def test_last_months_waiver_is_an_error_that_prints_the_line_to_write(repository):
    """It names a growth, and so would excuse each pull request anew; the printed line does not."""
    (repository.path / FILE).write_text(OLD_WAIVER)
    larger = pad(GOOD, len(GOOD) * 18 // 100)
    repository.grow(larger, "larger")
    done = repository.judge()
    assert done.ret == 1
    text = done.stdout.str()
    line = f'write ceiling = "size <= {len(larger):,} B" and base = "'
    assert line in text
    key = text.partition(line)[2].partition('"')[0]
    new = f'ceiling = "size <= {len(larger):,} B", base = "{key}"'
    (repository.path / FILE).write_text(OLD_WAIVER.replace('value = "50 %"', new))
    assert repository.judge().ret == 0


@pytest.mark.parametrize(("name", "misspelt"), [("tiny", "tyni"), ("int8_qat", "int8_ptq")])
def test_a_waiver_of_nothing_is_an_error(project, name, misspelt):
    """A misspelt model or recipe would else be a waiver that nobody ever looks at."""
    (project.path / FILE).write_text(OLD_WAIVER.replace(f'"{name}"', f'"{misspelt}"'))
    project.check("require(size(candidate) <= lg.kib(99))", head=IMPORTS).model()
    done = project.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines([f"*{FILE}:2): there is no * {misspelt} (known: *{name}*"])


@pytest.mark.slow
def test_an_accepted_latency_does_not_fail_again(project, short_recordings):
    """Ten repetitions on the same bytes, each with another number."""
    shutil.copy(CHECKS / "test_latency.py", project.path / "checks")
    project.model(f"latency={LATENCY}")
    arguments = ("checks/", "-k", "latency", "--benchmark-enable", "--against", "none")
    assert project.run(*arguments).ret == 1
    done = CliRunner().invoke(app, ["accept", "tiny", "--reason", "agreed"])
    assert "a repeated run of the same bytes may reach" in done.output
    assert [project.run(*arguments).ret for _ in range(10)] == [0] * 10
