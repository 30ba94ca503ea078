"""The files that run the gate on GitHub or GitLab."""

import subprocess

import pytest

from litegate.regression.weakening.project import weakened_workflows
from litegate.regression.workflow_files import declared_workflows

GATE = """
# The gate.
jobs:
  gate:
    steps:
      - uses: actions/checkout@0000000000000000000000000000000000000000 # v1.0.0
      - run: pytest checks/ --against auto
"""


@pytest.fixture
def lines(tmp_path):
    """A function that gives the lines of `gate.yml` with a replacement."""

    def declare(old="", new=""):
        file = tmp_path / ".github" / "workflows" / "gate.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(GATE.replace(old, new) if old else GATE)
        return declared_workflows(tmp_path)[".github/workflows/gate.yml"]["lines"]

    return declare


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("# The gate.", "# The gate, in one leg.", False),
        ("0000 # v1.0.0", "0001 # v1.0.1", False),
        ("actions/checkout", "others/checkout", True),
        ("@0000000000000000000000000000000000000000 # v1.0.0", "@main", True),
        ("auto", "auto || true", True),
        ("    steps", "    continue-on-error: true\n    steps", True),
    ],
)
def test_what_a_workflow_does_counts(lines, old, new, counts):
    """Not comments, nor a newer version of a pinned action."""
    assert (lines(old, new) != lines()) is counts


def test_gitlab_and_actions_are_looked_at(tmp_path):
    """Each by its path in the repository; other files are none."""
    for name in (".gitlab-ci.yml", ".github/actions/gate/action.yaml", ".github/notes.md", "a.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"run: \xff\n")
    assert list(declared_workflows(tmp_path)) == [
        ".github/actions/gate/action.yaml",
        ".gitlab-ci.yml",
    ]


def test_files_that_gitlab_includes_are_looked_at(tmp_path):
    """At the root and in the project's folder, where `litegate init` writes them."""
    project = tmp_path / "ml"
    project.mkdir()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for folder in (tmp_path, project):
        (folder / "gate.gitlab-ci.yml").write_text("run: a\n")
    assert list(declared_workflows(project)) == ["gate.gitlab-ci.yml", "ml/gate.gitlab-ci.yml"]


PIPELINE = """\
include:
  - local: /ml/gate.gitlab-ci.yml
build:
  script: [make]
"""
JOB = "model-gate:\n  script:\n    - pytest checks/ --against main\n"


@pytest.fixture
def weakened(tmp_path):
    """Give the workflows that are weakened by a new text of the root's pipeline, or by none."""
    project, pipeline = tmp_path / "ml", tmp_path / ".gitlab-ci.yml"
    project.mkdir()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (project / "gate.gitlab-ci.yml").write_text(JOB)
    pipeline.write_text(PIPELINE)
    base = declared_workflows(project)

    def fields(text):
        pipeline.unlink() if text is None else pipeline.write_text(text)
        return [it.field for it in weakened_workflows(base, declared_workflows(project))]

    return fields


@pytest.mark.parametrize(
    ("old", "new", "is_weaker"),
    [
        ("make", "make all", False),
        ("build:", "build:", False),
        ("  - local: /ml/gate.gitlab-ci.yml\n", "  - local: /other.yml\n", True),
        ("build:", "model-gate:\n  allow_failure: true\nbuild:", True),
        ("build:", '"model-gate" :\n  allow_failure: true\nbuild:', True),
        ("build:", "workflow:\n  rules: [when: never]\nbuild:", True),
    ],
)
def test_a_pipeline_may_not_override_the_job_that_it_includes(weakened, old, new, is_weaker):
    """GitLab merges a job of the root's file into the included one of the same name."""
    assert weakened(PIPELINE.replace(old, new, 1)) == [".gitlab-ci.yml"] * is_weaker


def test_a_pipeline_that_is_gone_runs_no_job(weakened):
    assert weakened(None) == [".gitlab-ci.yml"]
