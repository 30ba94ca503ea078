"""docs/how-to/gitlab.md and `litegate init --gitlab`: a runner could run the job's commands."""

import pytest
from documents import PROJECT, blocks
from jobs import run_lines
from ruamel.yaml import YAML

from litegate.cli.ci_files import gitlab_job

PAGE = PROJECT / "docs" / "how-to" / "gitlab.md"
RULES = {
    "$CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "$CI_MERGE_REQUEST_TARGET_BRANCH_SHA",
    "$CI_MERGE_REQUEST_DIFF_BASE_SHA": "$CI_MERGE_REQUEST_DIFF_BASE_SHA",
    "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_COMMIT_BEFORE_SHA =~ /^0+$/": "none",
    "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH": "$CI_COMMIT_BEFORE_SHA",
}


@pytest.fixture(scope="module")
def job():
    return YAML(typ="safe").load(gitlab_job(""))["model-gate"]


def test_the_page_shows_what_init_writes():
    first, *_ = blocks("yaml", pages=[PAGE])
    assert first.text == gitlab_job("")


def test_each_pipeline_has_its_base(job):
    """The order counts: the first rule that holds gives the base."""
    found = {rule["if"]: rule["variables"]["AGAINST"] for rule in job["rules"]}
    assert list(found.items()) == list(RULES.items())


def test_the_job_gates_and_leaves_what_it_keeps(job, project):
    """With the variables of a merge request, in a repository that has its base."""
    project.model("size=lg.kib(50)").real_checks()
    for file in (project.path / "checks").glob("test_*.py"):
        if file.stem not in {"test_size", "test_weakened_limits"}:
            file.unlink()
    project.as_base()
    lines = [*job["script"], *job["after_script"]]
    said = run_lines(project.path, lines, AGAINST="main", CI_JOB_STATUS="success")
    assert said.count("PASS     tiny/int8_qat  size  ") == 2  # by the run, and by the summary
    assert "<h3>" not in said
    (kept,) = job["artifacts"]["paths"]
    assert (project.path / kept / "report.html").is_file()
    reports = job["artifacts"]["reports"]
    assert '<property name="size" value="' in (project.path / reports["junit"]).read_text()
    assert 'litegate_size_bytes{model="tiny",' in (project.path / reports["metrics"]).read_text()
    assert (project.path / reports["codequality"]).read_text() == "[]\n"
    assert (project.path / job["cache"]["paths"][0]).is_dir()
