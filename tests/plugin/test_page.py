"""A run writes its page, and `litegate report` makes the same one again."""

import html as markup
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.spec import Kind
from litegate.testing import revalue, tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
GOOD = tiny(Kind.INT8_QAT)
HOLDS = "from litegate import points\nfrom litegate.measures.accuracy import accuracy_drop"
BODY = "require(accuracy_drop(reference, candidate) <= points({limit}))"
PAGE, REPORT = ".litegate/report/report.html", ".litegate/report/report.json"


@pytest.fixture
def judged(project):
    """A project with one check of accuracy."""
    project.model()
    project.check(BODY.format(limit=5), head=HOLDS, args="reference, candidate, require")
    return project


def test_a_run_writes_its_page(judged):
    done = judged.run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["page: *report.html"])
    html = (judged.path / PAGE).read_text("utf-8")
    assert "<title>litegate: pass</title>" in html
    assert "Flip sheet" in html
    assert 'class="plot treemap"' in html


def test_the_page_of_a_failing_run_has_the_failed_check_on_top(judged):
    judged.check(BODY.format(limit=-1), head=HOLDS, args="reference, candidate, require")
    assert judged.run().ret == 1
    html = markup.unescape((judged.path / PAGE).read_text("utf-8"))
    [row] = json.loads((judged.path / REPORT).read_text("utf-8"))["verdicts"]
    assert "Do not merge: 1 of 1 checks failed" in html
    finding = html.index('<details class="finding fail">')
    assert html.index("What failed") < finding < html.index(row["evidence"][0])
    assert html.index(row["evidence"][0]) < html.index("Flip sheet")


def test_the_last_page_is_gone_where_a_run_ends_early(judged):
    judged.run()
    (judged.path / "checks" / "test_one.py").write_text("import nothing_of_that_name\n")
    judged.run()
    assert not (judged.path / PAGE).exists()


def test_a_page_that_cannot_be_written_changes_no_verdict(judged):
    (judged.path / ".litegate" / "report").mkdir(parents=True)
    judged.check(
        "import pathlib\npathlib.Path('.litegate/report/report.html').mkdir()\n"
        + BODY.format(limit=5),
        head=HOLDS,
        args="reference, candidate, require",
    )
    done = judged.run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["page: none; *report.html cannot be written*"])
    assert (judged.path / REPORT).exists()


@pytest.fixture
def litegate(judged, monkeypatch):
    """The command, started in the project."""
    monkeypatch.chdir(judged.path)
    return lambda *args: CliRunner().invoke(app, ["report", *map(str, args)])


def test_the_command_makes_the_same_page_again(judged, litegate):
    judged.run()
    first = (judged.path / PAGE).read_bytes()
    (judged.path / PAGE).unlink()
    done = litegate()
    assert done.exit_code == 0, done.output
    assert (judged.path / PAGE).read_bytes() == first


def test_the_page_of_a_report_whose_files_are_gone_says_so(judged, litegate):
    judged.run()
    for path in (judged.path / ".litegate/store/builds").glob("*.json"):
        path.unlink()
    assert litegate("--to", "again.html").exit_code == 0
    html = (judged.path / "again.html").read_text("utf-8")
    assert "tiny/int8_qat cannot be shown beside its verdicts" in html
    assert "accuracy drop" in html


def test_two_reports_are_held_against_each_other(judged, litegate):
    judged.run()
    (judged.path / "before.json").write_bytes((judged.path / REPORT).read_bytes())
    judged.check(BODY.format(limit=-1), head=HOLDS, args="reference, candidate, require")
    judged.run()
    assert litegate("before.json", REPORT, "--to", "compared.html").exit_code == 0
    html = (judged.path / "compared.html").read_text("utf-8")
    assert "<title>litegate: pass, then fail</title>" in html
    assert "1 became worse" in html


def test_a_missing_report_is_a_message(judged, litegate):
    done = litegate("--report", "nowhere.json")
    assert done.exit_code == 1
    assert "nowhere.json" in str(done.exception)
    assert "name another with --report" in str(done.exception)


def test_a_report_is_named_by_its_file_or_its_folder(judged, litegate):
    judged.run()
    for n, name in enumerate((REPORT, Path(REPORT).parent)):
        assert litegate("--report", name, "--to", f"{n}.html").exit_code == 0
        assert (judged.path / f"{n}.html").read_bytes() == (judged.path / PAGE).read_bytes()
    folder = Path(REPORT).parent
    assert litegate(folder, folder, "--to", "compared.html").exit_code == 0


def test_against_a_base_the_page_shows_what_the_change_broke(project):
    head = "from litegate import points\nfrom litegate.measures.regression import accuracy_loss"
    body = "require(accuracy_loss(base, candidate) <= points(5))"
    project.check(body, head=head, args="base, candidate, require")
    shutil.copy(CHECKS / "test_weakened_limits.py", project.path / "checks")
    project.model().as_base()
    biased = revalue(GOOD, "dense/bias", lambda bias: bias + np.array([0, 0, 0, 10**6], bias.dtype))
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": biased}
    project.model(files=files, network="another")
    assert project.run("checks/", "--against", "main").ret == 1
    html = (project.path / PAGE).read_text("utf-8")
    report = json.loads((project.path / REPORT).read_text("utf-8"))
    [row] = [row for row in report["verdicts"] if row["verdict"] == "fail"]
    assert report["comparisons"][0]["base"] in row["artifacts"]
    lead = re.search(r"Against its base, (\d+) samples were broken and 0 fixed, of 200\.", html)
    assert f"{lead[1]} flips: {lead[1]} broken" in row["sentence"]
    assert "taken for “class 3” now" in html
    assert html.count('<li class="lost"><details><summary><img class="plot sample image"') == 40


@pytest.fixture
def committed(judged):
    """The project, committed, with the store outside of what git sees."""
    (judged.path / ".gitignore").write_text(".litegate\n__pycache__\n.pytest_cache\n")
    git(judged, "init", "-q", "-b", "main")
    commit(judged, "first <b>commit</b>")
    return judged


def git(project, *args):
    """Run git in a project."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *args], cwd=project.path, check=True)


def commit(project, subject):
    """Commit everything, as `subject`."""
    git(project, "add", "-A")
    git(project, "commit", "-qm", subject)


def kept(project):
    """What a project keeps of its commits."""
    return sorted((project.path / ".litegate" / "history").glob("*.json"))


def tighten(project, limit):
    """Let the check allow another limit, in points."""
    project.check(BODY.format(limit=limit), head=HOLDS, args="reference, candidate, require")


def test_every_commit_keeps_its_verdicts_and_the_page_draws_them(committed):
    assert committed.run().ret == 0
    assert 'id="history"' not in (committed.path / PAGE).read_text("utf-8")
    tighten(committed, -1)
    assert committed.run().ret == 1
    html = (committed.path / PAGE).read_text("utf-8")
    assert len(kept(committed)) == 1, "a checkout with changes is no commit"
    assert 'class="plot over-commits"' in html
    assert "first &lt;b&gt;commit&lt;/b&gt;" in html
    commit(committed, "second")
    committed.run()
    assert len(kept(committed)) == 2
    html = (committed.path / PAGE).read_text("utf-8")
    assert re.search(r"outside its limit since <code>\w{7}</code> second", html)


def test_a_commit_of_another_branch_is_not_in_the_history(committed):
    committed.run()
    git(committed, "checkout", "-qb", "aside")
    tighten(committed, 4)
    commit(committed, "aside")
    committed.run()
    assert len(kept(committed)) == 2
    git(committed, "checkout", "-q", "main")
    committed.run()
    assert 'id="history"' not in (committed.path / PAGE).read_text("utf-8")


def test_the_command_draws_a_folder_of_reports(committed, litegate, tmp_path):
    committed.run()
    first = json.loads((committed.path / REPORT).read_text("utf-8"))
    (tmp_path / "artifacts" / "one").mkdir(parents=True)
    (tmp_path / "artifacts" / "one" / "report.json").write_text(json.dumps(first))
    tighten(committed, 4)
    commit(committed, "second")
    committed.run()
    assert litegate("--history", tmp_path / "artifacts", "--to", "again.html").exit_code == 0
    assert 'class="plot over-commits"' in (committed.path / "again.html").read_text("utf-8")
    assert litegate("--history", "nowhere").exit_code == 1
    assert litegate(REPORT, REPORT, "--history", tmp_path).exit_code == 1


def test_a_history_that_cannot_be_kept_changes_no_verdict(committed):
    (committed.path / ".litegate").mkdir(exist_ok=True)
    (committed.path / ".litegate" / "history").write_text("")
    done = committed.run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["page: *; the history in * cannot be written*"])
    assert (committed.path / PAGE).exists()
