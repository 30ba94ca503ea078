"""comment.yml, run here with a `gh` that takes notes."""

import json
from hashlib import sha256

import pytest
from harness import Run
from made_reports import HOSTILE, full, report, verdict
from places import asked, given, put_leg

COMMENT = ".github/workflows/comment.yml"
MARK = "<!-- litegate -->"
PULL = {"number": 8, "head": {"sha": "abc"}}


@pytest.fixture
def commented(tmp_path, repository, gh):
    """Run the workflow after a gate that left this report; the run."""

    def comment(made, *, pulls=(PULL,), comments=(), event="pull_request"):
        (gh / "pulls").write_text(json.dumps(list(pulls)))
        (gh / "comments").write_text(json.dumps([list(comments)]))
        head = {"owner": {"login": "stranger"}, "full_name": "stranger/models"}
        said = {
            "id": 1,
            "event": event,
            "head_sha": "abc",
            "head_branch": "a&b=c @x",
            "head_repository": head,
        }
        run = Run(
            tmp_path / "run", repository.origin, "workflow_run", {"workflow_run": said}, "main"
        )
        if made:
            put_leg(run, "gate-report", made)
        run.workflow(COMMENT)
        return run

    return comment


def test_a_first_comment_is_written(commented, gh):
    """On the pull request that has the run's head, found by GitHub's event and answer."""
    run = commented(report(verdict("fail")))
    assert run.results["comment"]["result"] == "success", run.log
    first = asked(gh)[0]
    assert "GET repos/octo/models/pulls" in first
    assert "head=stranger:a&b=c @x" in first
    assert asked(gh)[-1].startswith("api --method POST repos/octo/models/issues/8/comments")
    assert given(gh)["body"].startswith(f"{MARK}\n## litegate: fail")


def test_the_next_run_writes_the_same_comment_anew(commented, gh):
    """One comment, however often the gate ran."""
    mine = {"id": 41, "user": {"login": "github-actions[bot]"}, "body": f"{MARK}\nold"}
    commented(report(verdict()), comments=[mine])
    assert asked(gh)[-1].startswith("api --method PATCH repos/octo/models/issues/comments/41")


def test_each_project_of_a_repository_has_its_comment(commented, gh):
    """The folder is in the mark, and cannot end the mark."""
    root = {"id": 41, "user": {"login": "github-actions[bot]"}, "body": f"{MARK}\nold"}
    mark = f"<!-- litegate {sha256(b'ml --> /').hexdigest()[:16]} -->"
    ours = root | {"id": 42, "body": f"{mark}\nold"}
    commented(report(verdict()) | {"folder": "ml --> /"}, comments=[root, ours, root])
    assert asked(gh)[-1].startswith("api --method PATCH repos/octo/models/issues/comments/42")
    assert given(gh)["body"].startswith(f"{mark}\n## litegate")


@pytest.mark.parametrize(
    "other",
    [
        {"id": 1, "user": {"login": "stranger"}, "body": f"{MARK}\nmine"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "another workflow's"},
        {"id": 3, "user": None, "body": None},
    ],
)
def test_comments_of_others_are_left_alone(commented, gh, other):
    """The mark alone makes no comment ours, and neither does the account."""
    commented(report(verdict()), comments=[other])
    assert asked(gh)[-1].startswith("api --method POST")


def test_a_branch_that_moved_on_gets_no_comment(commented, gh):
    """Its next run will write one."""
    run = commented(report(verdict()), pulls=[{"number": 8, "head": {"sha": "newer"}}])
    assert run.results["comment"]["result"] == "success"
    assert len(asked(gh)) == 1


def test_a_number_in_the_report_counts_for_nothing(commented, gh):
    """A stranger's report cannot choose where it is printed."""
    commented(report(verdict(), number=1, pull_request={"number": 1}, issue=1))
    assert "/issues/8/comments" in asked(gh)[-1]


def test_a_push_gets_no_comment(commented, gh):
    """There is nothing to write it on."""
    assert commented(report(verdict()), event="push").results["comment"]["result"] == "skipped"
    assert asked(gh) == []


def test_a_report_that_is_none_is_told_as_such(commented, gh):
    """Never a pass."""
    commented({"verdict": "pass"})
    assert "## litegate: error" in given(gh)["body"]


def test_no_report_means_no_comment(commented, gh):
    """The gate itself is red then; a failed comment changes nothing there."""
    assert commented(None).results["comment"]["result"] == "failure"
    assert asked(gh) == []


@pytest.mark.parametrize("name", HOSTILE[:3])
def test_a_hostile_report_reaches_the_comment_as_text(commented, gh, name):
    """What the bytes may be is tested with the Markdown; here, that they take this way."""
    commented(full(name))
    body = given(gh)["body"]
    assert len(body.encode()) < 65536
    assert "<script>" not in body
    assert body.count(MARK) == 1
