"""The workflows that `litegate init` writes, at a repository's root and in a folder of it."""

import re
import subprocess

import pytest
from harness import load
from jobs import TOOLS, run_lines
from places import planted

from litegate.cli.ci_files import put_workflow
from litegate.cli.ci_matrix import outputs

FOLDERS = ("ml/key words", "")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A repository with the workflows of both services, of a project at its root and of another."""
    root = tmp_path_factory.mktemp("repository")
    (root / ".git").mkdir()
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for gitlab in (False, True):
            list(put_workflow(root / folder, "checks", gitlab=gitlab))
    return root


def test_zizmor_finds_nothing_in_them(written):
    argv = [TOOLS / "zizmor", "--offline", "--no-progress", str(written)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [("github-workflows", ".github/workflows/*.yml"), ("gitlab-ci", "**/*.gitlab-ci.yml")],
)
def test_their_schemas_hold(written, schema, pattern):
    """Two workflows; two jobs and the file that includes them."""
    files = sorted(map(str, written.glob(pattern)))
    assert len(files) == {"github-workflows": 2, "gitlab-ci": 3}[schema]
    argv = [TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_jobs_and_caches_of_two_projects_differ(written):
    """Both services know a job by its name alone; GitLab knows a cache by its key alone."""
    workflows = [load(path) for path in written.glob(".github/workflows/*.yml")]
    assert {*workflows[0]["jobs"]}.isdisjoint(workflows[1]["jobs"])
    assert workflows[0]["name"] != workflows[1]["name"]
    jobs = [load(path) for path in written.rglob("gate.gitlab-ci.yml")]
    assert {*jobs[0]}.isdisjoint(jobs[1])
    [a], [b] = (job.values() for job in jobs)
    assert {a["cache"]["key"], *a["cache"]["fallback_keys"]}.isdisjoint(
        {b["cache"]["key"], *b["cache"]["fallback_keys"]}
    )
    assert re.fullmatch(r"[\w -]+", a["artifacts"]["expose_as"])  # GitLab refuses others
    assert re.fullmatch(r"[\w -]+", b["artifacts"]["expose_as"])


@pytest.mark.slow
def test_githubs_workflow_gates_a_project_in_a_folder(started, repository, plant_caches):
    """Its own store is restored, its own report uploaded; the annotation names the file's path."""
    repository.into("key words")
    list(put_workflow(repository.project, "checks", gitlab=False))
    repository.base = repository.push()
    repository.model("second", size=9)
    repository.head = repository.push("change")
    run = started()
    run.caches |= plant_caches(lambda rows: [_whole_key(rows)])
    path = repository.work / ".github" / "workflows" / "gate-key-words.yml"
    assert run.workflow(path) == {"model-gate-key-words": "failure"}
    assert "(limit: &lt;= 9 B" in run.summary
    assert "::error file=key words/models/second.py" in run.log
    assert (run.artifacts["gate-report"] / "report.html").is_file()


def _whole_key(rows):
    return dict(line.partition("=")[::2] for line in outputs(rows).splitlines())["key"]


@pytest.mark.slow
def test_gitlabs_job_gates_a_project_in_a_folder(repository):
    """Its lines, run at the root; what it keeps is there, and findings start at the root."""
    repository.into("key words")
    list(put_workflow(repository.project, "checks", gitlab=True))
    repository.base = repository.push()
    repository.model("second", size=9)
    repository.head = repository.push("change")
    planted(repository)
    [job] = load(repository.project / "gate.gitlab-ci.yml").values()
    enter, install = job["before_script"]  # in the same shell as the script
    assert install.startswith("pip install ")
    lines = [enter, *job["script"][:-1]]
    said = run_lines(repository.work, lines, status=1, AGAINST=repository.base)
    assert "(limit: <= 9 B" in said
    log = run_lines(repository.work, job["after_script"], CI_JOB_STATUS="failed")
    assert "litegate: 2 models: 1 fail, 4 pass" in log
    reports = job["artifacts"]["reports"]
    for name in (*reports.values(), *job["artifacts"]["paths"], *job["cache"]["paths"]):
        assert (repository.work / name).exists(), name
    quality = (repository.work / reports["codequality"]).read_text()
    assert '"path": "key words/models/second.py"' in quality
