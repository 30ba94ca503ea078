"""`litegate merge`, `summary`, `annotate`, `badge` as commands."""

import json
import subprocess
from pathlib import Path

import pytest
from made_reports import report, verdict
from typer.testing import CliRunner

from litegate.cli import app
from litegate.core.errors import ConfigError
from litegate.report.json_report import run_of
from litegate.report.terminal import lines


@pytest.fixture
def litegate(tmp_path, monkeypatch):
    """Run a command in an empty folder, outside of GitHub unless a variable is given."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)

    def run(*args, **env):
        return CliRunner().invoke(app, list(args), env=env)

    return run


def _put(folder, made):
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(made))


@pytest.fixture
def legs(tmp_path):
    """A good leg and a bad one."""
    _put(tmp_path / "legs" / "one", report(verdict(model="one")))
    _put(tmp_path / "legs" / "two", report(verdict("fail", model="two")))


HEAD, OTHER = "a" * 40, "b" * 40


def of_commit(commit):
    head = {"commit": commit, "subject": "s", "time": 1, "changed": False}
    return report(verdict(model="one")) | {"head": commit and head}


@pytest.mark.parametrize("command", [("summary",), ("merge", ".litegate/report", "--expect=one")])
@pytest.mark.parametrize(("commit", "status"), [(HEAD, 0), (OTHER, 1), (None, 1), ("no report", 1)])
def test_a_report_of_the_required_commit_is_demanded(litegate, tmp_path, command, commit, status):
    """Neither another one's, nor one of no commit, nor none."""
    if commit != "no report":
        _put(tmp_path / ".litegate" / "report", of_commit(commit))
    done = litegate(*command, "--require", HEAD)
    assert done.exit_code == status
    if status:
        reason = "cannot be read" if commit == "no report" else "is for another commit"
        assert reason in done.output


def test_a_summary_as_text_is_the_end_of_the_terminals_run(litegate):
    """Without HTML, also if the report cannot be read; Markdown stays the default."""
    made = report(verdict("fail", model="two"), verdict(model="one"))
    _put(Path("text"), made)
    done = litegate("summary", "--report", "text", "--format", "text")
    printed = done.output.splitlines()
    assert done.exit_code == 0
    assert printed == [line for _, line in lines(run_of(made), width=100)]
    assert "PASS" in done.output
    assert not {"<", "&lt;", "##"} & set(done.output.split())
    assert "ERROR" in litegate("summary", "--format", "text").output
    assert litegate("summary", "--report", "text", "--format=html").exit_code == 2
    assert litegate("summary", "--report", "text").output.startswith("## litegate")


@pytest.mark.parametrize("name", ["", " ", "nosuch", "--all", HEAD[:10]])
def test_a_commit_that_git_does_not_know_is_an_error(litegate, tmp_path, name):
    """An empty variable must not mean any commit."""
    _put(tmp_path / ".litegate" / "report", of_commit(HEAD))
    done = litegate("summary", f"--require={name}")
    assert done.exit_code == 1
    assert "git knows no such commit" in done.output


def test_a_commit_may_have_any_name_that_git_knows(litegate, tmp_path):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for step in ("init -q -b main", "commit -q --allow-empty -m one", "tag v1"):
        subprocess.run(["git", *identity, *step.split()], cwd=tmp_path, check=True)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=tmp_path, text=True).strip()
    _put(tmp_path / ".litegate" / "report", of_commit(head))
    for name in ("HEAD", "main", "v1", head[:8]):
        assert litegate("summary", "--require", name).exit_code == 0
    _put(tmp_path / "old", of_commit(OTHER))
    assert litegate("summary", "--report", "old", "--require", "HEAD").exit_code == 1


@pytest.mark.parametrize("expect", ["one,two", "one two", '["one", "two"]', '[{"model": "one"}]'])
def test_merge_takes_names_or_json(litegate, legs, expect):
    """A list of names, or what `litegate list --json` prints."""
    done = litegate("merge", "legs", "--expect", expect)
    assert done.exit_code == 1
    assert "FAIL  two/int8_qat  accuracy drop 0.70 points  (limit: <= 0.50 points" in done.output
    assert "litegate: 2 models: 1 fail, 1 pass\n" in done.output


def test_merge_passes_where_all_is_well(litegate, legs, tmp_path):
    """Folders may be named one by one; the whole report goes where it is told to."""
    done = litegate("merge", "legs/one", "--expect", "one", "--out", "whole")
    assert done.exit_code == 0
    made = json.loads((tmp_path / "whole" / "report.json").read_text())
    assert (made["verdict"], made["exit_status"]) == ("pass", 0)
    assert (tmp_path / "whole" / "summary.md").read_text().startswith("## litegate: pass")
    assert "::error" not in done.output


def test_merge_fails_for_a_folder_that_is_not_there(litegate):
    """No leg came, which is no pass."""
    done = litegate("merge", "nowhere", "--expect", "one")
    assert done.exit_code == 1
    assert "ERROR  one  no leg reported one" in done.output


@pytest.mark.parametrize("expect", ["[", "[1]", '[{"name": "one"}]', "[[]]"])
def test_merge_refuses_json_that_names_no_models(litegate, legs, expect):
    """A matrix that was built wrongly must not expect less."""
    done = litegate("merge", "legs", "--expect", expect)
    assert isinstance(done.exception, ConfigError)


def test_merge_writes_summary_and_annotations_on_github(litegate, legs, tmp_path):
    """Into the file that GitHub names, and to the log."""
    page = tmp_path / "page.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    done = litegate("merge", "legs", "--expect", "one two", **env)
    assert "::error file=models/m.py,line=6,title=accuracy drop%3A two/int8_qat::" in done.output
    assert page.read_text().startswith("## litegate: fail")


def test_a_missing_report_is_an_error_on_every_page(litegate, tmp_path):
    """And never a silent exit status 0."""
    for command in ("summary", "annotate"):
        done = litegate(command)
        assert done.exit_code == 1
        assert "cannot be read" in done.output
    assert litegate("badge", "--to", "b.json").exit_code == 0
    assert json.loads((tmp_path / "b.json").read_text())["message"] == "error"


def test_a_page_is_no_verdict(litegate, legs):
    """`summary` and `annotate` show what pytest's exit status has said already."""
    done = litegate("summary", "--report", "legs/two/report.json")
    assert done.exit_code == 0
    assert done.output.startswith("## litegate: fail")
    assert litegate("annotate", "--report", "legs/one/report.json").output == ""


def test_a_report_may_be_named_by_its_folder(litegate, legs):
    """In every command that reads one."""
    assert litegate("summary", "--report", "legs/two").output.startswith("## litegate: fail")
    assert "::error" in litegate("annotate", "--report", "legs/two").output
    assert litegate("badge", "--report", "legs/one", "--to", "b.json").exit_code == 0
    done = litegate("merge", "legs/one/report.json", "--expect", "one", "--out", "whole")
    assert done.exit_code == 0, done.output


def test_a_comment_needs_github(litegate):
    """The command says which variable it misses."""
    done = litegate("comment")
    assert isinstance(done.exception, ConfigError)
    assert "GITHUB_REPOSITORY" in str(done.exception)


@pytest.mark.parametrize(("number", "is_linked"), [("17", True), ("", False), ("1/../2", False)])
def test_the_step_summary_links_to_the_artifacts_of_its_run(litegate, tmp_path, number, is_linked):
    """The page is in them; the address is GitHub's, not the report's."""
    _put(tmp_path / ".litegate" / "report", report(verdict()))
    page = tmp_path / "summary.md"
    server = {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "octo/cat"}
    litegate("summary", GITHUB_STEP_SUMMARY=str(page), GITHUB_RUN_ID=number, **server)
    address = "https://github.example/octo/cat/actions/runs/17#artifacts"
    assert (f'<a href="{address}">Open the page</a>' in page.read_text()) is is_linked
    assert ("<a " in page.read_text()) is is_linked
