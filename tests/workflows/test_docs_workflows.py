"""The workflows on the pages for GitHub: linted as this repository's own, and least privileged."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import PROJECT, blocks
from harness import evaluate
from ruamel.yaml import YAML

PAGES = [PROJECT / "docs" / "how-to" / f"{name}.md" for name in ("github", "github_workflow")]
WORKFLOWS = blocks("yaml", pages=PAGES)
MAIN = {"repository": {"default_branch": "main"}}
EVENTS = {
    "a push to main": ("push", "main"),
    "a push to a branch": ("push", "topic"),
    "a pull request": ("pull_request", "7/merge"),
    "a merge group": ("merge_group", "gh-readonly-queue/main/pr-7"),
}


@pytest.fixture(scope="module")
def with_bucket():
    """The workflow with a bucket as store, as data."""
    [block] = [block for block in WORKFLOWS if "LITEGATE_STORE" in block.text]
    return YAML(typ="safe", pure=True).load(block.text)


def test_zizmor_finds_nothing(tmp_path):
    """Offline; the placeholders are replaced, as whoever copies a workflow must."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for number, block in enumerate(WORKFLOWS):
        text = re.sub(r"@COMMIT\b", f"@{'0123456789' * 4} # v1.0.0", block.text)
        # As in comment.yml: nothing is checked out, and the report is read as data.
        text = text.replace("workflow_run:", "workflow_run: # zizmor: ignore[dangerous-triggers]")
        (folder / f"{number}.yml").write_text(text)
    zizmor = Path(sys.executable).parent / "zizmor"
    argv = [zizmor, "--offline", "--no-progress", "."]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert len(WORKFLOWS) >= 4
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("event", EVENTS)
def test_only_a_push_to_main_can_write_to_the_bucket(with_bucket, event):
    """No other job has the environment with the key, or may ask for the cloud's credentials."""
    name, ref = EVENTS[event]
    github = {"event_name": name, "ref_name": ref, "event": MAIN}
    jobs = {
        key: job
        for key, job in with_bucket["jobs"].items()
        if evaluate(job["if"], {"github": github})
    }
    writers = {
        key
        for key, job in jobs.items()
        if "environment" in job or "write" in job["permissions"].values() or "secrets." in str(job)
    }
    assert writers == ({"fill-store"} if event == "a push to main" else set())
    assert "model-gate" in jobs


def test_the_judging_job_reads_the_same_store(with_bucket):
    """It runs nothing of the cloud's, and writes nothing."""
    filler, judge = (with_bucket["jobs"][name] for name in ("fill-store", "model-gate"))
    assert with_bucket["permissions"] == {}
    assert judge["permissions"] == {"contents": "read"}
    assert judge["env"]["LITEGATE_STORE_READONLY"] is judge["env"]["AWS_SKIP_SIGNATURE"] is True
    assert judge["env"]["LITEGATE_STORE"] == filler["env"]["LITEGATE_STORE"]
    assert judge["needs"] == "fill-store"
    reports = [step["with"].get("report", "") for it in (filler, judge) for step in it["steps"]]
    assert len({report for report in reports if report}) == 1  # an artifact's name is used once
