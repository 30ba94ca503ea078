"""The workflows are thin, pinned and least privileged, and the linters say so, too."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from harness import ROOT, load
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WORKFLOWS = sorted(path.relative_to(ROOT) for path in (ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = [
    Path("action.yml"),
    *(Path(f".github/actions/{name}/action.yml") for name in ("comment", "wheel")),
]
FORMS = [Path(f".github/ISSUE_TEMPLATE/{name}.yml") for name in ("bug", "feature")]
TOOLS = Path(sys.executable).parent
COMMAND = re.compile(
    r"((pip|npm) install|pip wheel|pytest|litegate|\.ci/run)\b[^;|\n]*|rm -rf \.litegate/report"
)


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
        allowed = {"comment": {"pull-requests"}, "badge": {"contents"}, "publish": {"id-token"}}
        assert writes <= allowed.get(name, set())


def test_the_comment_checks_nothing_out():
    """It holds a token that may write, so no file of the pull request comes near it."""
    steps = _steps(".github/workflows/comment.yml") + _steps(ACTIONS[1])
    assert not any("checkout" in step.get("uses", "") for step in steps)


def test_jobs_with_a_right_to_write_install_by_hash_alone():
    """No build backend runs there: a job without rights has built the wheel."""
    jobs = load(".github/workflows/gate.yml")["jobs"]
    badge = [step.get("run", "") for step in jobs["badge"]["steps"]]
    comment = [step.get("run", "") for step in _steps(ACTIONS[1])]
    for runs in (badge, comment):
        requirements, wheel = (run for run in runs if run.startswith("pip"))
        assert re.fullmatch(r'pip install --require-hashes -r \S*requirements.txt"?', requirements)
        assert wheel == 'pip install --no-deps --no-index "$RUNNER_TEMP"/wheel/*.whl'
    for path, name in (("gate", "badge"), ("comment", "comment")):
        jobs = load(f".github/workflows/{path}.yml")["jobs"]
        assert "wheel" in jobs[name]["needs"]
        assert jobs["wheel"]["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("name", ["requirements", "build-requirements"])
def test_what_they_install_is_pinned_by_hash(name):
    """Complete, in the versions that are tested, and without an address."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = project["project"]["dependencies"]
    if name == "build-requirements":
        wanted = project["build-system"]["requires"]
        assert all(re.fullmatch(r"[\w-]+==[\d.]+", requirement) for requirement in wanted)
    text = (ROOT / ".github" / f"{name}.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pins = dict(
        re.fullmatch(r"(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}", it).groups() for it in lines
    )
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
    constraints = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    tested = dict(line.split("==") for line in constraints if "==" in line)
    tested = {canonicalize_name(name): version for name, version in tested.items()}
    assert {name: tested.get(name, version) for name, version in pins.items()} == pins


def test_the_gate_runs_for_every_event():
    """Every branch; no path filter, which would leave a required check waiting."""
    gate = load(".github/workflows/gate.yml")
    events = ("push", "pull_request", "merge_group", "workflow_dispatch")
    assert gate["on"] == dict.fromkeys(events)
    assert gate["jobs"]["gate"]["strategy"]["fail-fast"] is False
    assert gate["jobs"]["model-gate"]["if"] == "always()"


def _ci_run(*args):
    return subprocess.run(
        [ROOT / ".ci" / "run", *args], capture_output=True, text=True, check=False
    )


def _subcommands(path):
    """The arguments of `.ci/run` in a workflow's steps, in order."""
    runs = (step.get("run", "") for step in _steps(path))
    return [run.removeprefix(".ci/run ") for run in runs if run.startswith(".ci/run ")]


def test_the_workflows_call_the_commands_of_ci_run():
    """One place for each command, so that CI and a laptop cannot differ."""
    assert _subcommands(".github/workflows/ci.yml") == ["install", "lint", "test", "docs"]
    assert _subcommands(".github/workflows/nightly.yml") == ["gpu", "coverage"]
    assert _subcommands(".github/workflows/release.yml") == ['dist "$GITHUB_REF_NAME"', "wheel"]
    usage = _ci_run("nonsense")
    assert usage.returncode == 2
    known = set(re.findall(r"[a-z]+", usage.stderr.partition("[")[2]))
    called = {args.split()[0] for path in WORKFLOWS for args in _subcommands(path)}
    assert called <= known


def test_linux_must_pass_on_every_python_and_other_systems_are_no_claim():
    """A job whose failure counts for nothing says so in its name; the README claims nothing."""
    jobs = load(".github/workflows/ci.yml")["jobs"]
    assert jobs["tests"]["runs-on"].startswith("ubuntu-")
    assert jobs["tests"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    optional = {
        name: job
        for path in WORKFLOWS
        for name, job in load(path)["jobs"].items()
        if "continue-on-error" in job
    }
    assert set(optional) == {"unsupported"}
    assert optional["unsupported"]["strategy"]["matrix"]["os"] == ["macos-latest", "windows-latest"]
    for page in ("README.md", "pyproject.toml"):
        assert not re.search(
            r"macos|mac os|windows", (ROOT / page).read_text("utf-8"), re.IGNORECASE
        )


@pytest.mark.parametrize("tag", ["v0.0.0", "0.1.0", ""])
def test_a_release_needs_the_tag_of_its_version(tag):
    """Refused before anything is built."""
    done = _ci_run("dist", tag)
    assert done.returncode == 1
    assert f"the tag '{tag}' is not v" in done.stderr


def test_a_release_is_published_by_a_job_that_runs_nothing_of_the_project():
    """The job that may sign and upload checks nothing out; it uploads what was tested."""
    release = load(".github/workflows/release.yml")
    assert release["on"] == {"push": {"tags": ["v*"]}}
    publish = release["jobs"]["publish"]
    assert publish["needs"] == ["build", "wheel"]
    assert publish["permissions"] == {"id-token": "write"}
    uses = [step["uses"].partition("@")[0] for step in publish["steps"]]
    assert uses == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert publish["steps"][1]["with"] == {"attestations": True}


def test_a_citation_names_the_version_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = load("CITATION.cff")
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_hooks_of_others_are_pinned_by_hash():
    """With the version beside it; a tag can be moved."""
    text = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    revisions = re.findall(r"rev: (.+)", text)
    assert len(revisions) == len(re.findall(r"repo: https", text))
    assert all(re.fullmatch(r"[0-9a-f]{40} # frozen: v[\d.]+", rev) for rev in revisions)


def test_blame_leaves_out_full_hashes():
    text = (ROOT / ".git-blame-ignore-revs").read_text("utf-8")
    for line in text.splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"[0-9a-f]{40}", line), line


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
        ("vendor.github-issue-config", [Path(".github/ISSUE_TEMPLATE/config.yml")]),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.citation-file-format", [Path("CITATION.cff")]),
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
