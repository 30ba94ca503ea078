"""The workflows are thin, pinned and least privileged, and the linters say so, too."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ROOT, load

WORKFLOWS = sorted(path.relative_to(ROOT) for path in (ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = [Path("action.yml"), Path(".github/actions/comment/action.yml")]
TOOLS = Path(sys.executable).parent
COMMAND = re.compile(r"(pip install|pytest|litegate|ruff|mypy|lint-imports|sphinx-build)\b[^;|\n]*")


def _steps(path):
    data = load(path)
    jobs = data["jobs"].values() if "jobs" in data else [data["runs"]]
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=str)
def test_each_run_is_one_command_that_works_on_a_laptop(path):
    """No expression, no pipe, no second line."""
    for run in (step["run"] for step in _steps(path) if "run" in step):
        assert "${{" not in run
        assert COMMAND.fullmatch(run), run


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=str)
def test_what_others_wrote_is_pinned_by_hash(path):
    """With the version beside it, for Dependabot and for people."""
    text = (ROOT / path).read_text()
    for name in re.findall(r"uses: (.+)", text):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\$/[\w./-]+", name), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=str)
def test_nothing_is_permitted_that_is_not_asked_for(path):
    """Nothing at the top; each job says what it needs, and has a time limit."""
    data = load(path)
    assert data["permissions"] == {}
    for name, job in data["jobs"].items():
        assert job["permissions"], name
        assert job["timeout-minutes"]
        writes = {key for key, value in job["permissions"].items() if value == "write"}
        assert writes <= {"comment": {"pull-requests"}, "badge": {"contents"}}.get(name, set())


def test_the_comment_checks_nothing_out():
    """It holds a token that may write, so no file of the pull request comes near it."""
    steps = _steps(".github/workflows/comment.yml") + _steps(ACTIONS[1])
    assert not any("checkout" in step.get("uses", "") for step in steps)


def test_the_gate_runs_for_every_event():
    """Every branch; no path filter, which would leave a required check waiting."""
    gate = load(".github/workflows/gate.yml")
    events = ("push", "pull_request", "merge_group", "workflow_dispatch")
    assert gate["on"] == dict.fromkeys(events)
    assert gate["jobs"]["gate"]["strategy"]["fail-fast"] is False
    assert gate["jobs"]["model-gate"]["if"] == "always()"


def test_zizmor_finds_nothing():
    """Offline; what is ignored has its reason beside it."""
    done = subprocess.run(
        [TOOLS / "zizmor", "--offline", "--no-progress", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", ACTIONS),
        ("vendor.dependabot", [Path(".github/dependabot.yml")]),
    ],
)
def test_the_schemas_hold(schema, files):
    """Unknown keys are refused."""
    done = subprocess.run(
        [TOOLS / "check-jsonschema", "--builtin-schema", schema, *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
