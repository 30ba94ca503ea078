"""A repository, a run, its caches, and a `gh` that only takes notes."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import forked
import harness
import pytest
from harness import Run
from places import Repository, event, planted

FAKE_GH = """#!/bin/sh
# Answers out of files, and notes what it was asked, and what it was given.
echo "$*" >> "$GH_FOLDER/asked"
case "$*" in *--input*) cat >> "$GH_FOLDER/given"; echo >> "$GH_FOLDER/given" ;; esac
case "$*" in
    *PATCH*git/refs*) [ -e "$GH_FOLDER/branch" ] || { echo "no such ref" >&2; exit 1; } ;;
    */pulls*) cat "$GH_FOLDER/pulls" ; exit ;;
    *--slurp*comments*) cat "$GH_FOLDER/comments" ; exit ;;
esac
echo '{"sha": "5", "id": 5}'
"""


@pytest.fixture(scope="module", autouse=True)
def programs_are_forks():
    """`litegate` and `pytest` in a step are processes of their own, but no new interpreters."""
    if not forked.AVAILABLE:
        yield
        return
    forked.load()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "TOOLS", [folder, *harness.TOOLS])
        patch.setattr(subprocess, "run", forked.run)
        with forked.programs(Path(folder)):
            yield


@pytest.fixture
def repository(tmp_path):
    """Two models on main, and a change of documentation on the branch `change`."""
    made = Repository(tmp_path)
    made.model("first")
    made.model("second")
    made.base = made.push()
    made.write("README.md", "words")
    made.head = made.push("change")
    return made


@pytest.fixture
def started(tmp_path, repository):
    """Start a run for an event."""

    def start(name="pull_request", ref="change"):
        said = {"fork": "pull_request", "main": "push"}.get(name, name)
        return Run(tmp_path / "run", repository.origin, said, event(name, repository), ref)

    return start


@pytest.fixture
def plant_caches(repository, tmp_path):
    """Give a cache with the author's store under each of the keys that a function picks."""

    def fill(pick):
        rows, caches = planted(repository), {}
        for key in pick(rows):
            kept = tmp_path / "kept" / key
            shutil.copytree(repository.project / ".litegate" / "store", kept)
            caches[f"litegate-v2-Linux-X64-{key}"] = kept
        shutil.rmtree(repository.project / ".litegate")
        return caches

    return fill


@pytest.fixture
def cached(plant_caches):
    """What a run on main would have left in the cache: an entry a model, by its content key."""
    return plant_caches(lambda rows: [row["key"] for row in rows])


@pytest.fixture
def gh(tmp_path, monkeypatch):
    """A `gh` first on the path; its folder holds what it answers and what it was asked."""
    folder = tmp_path / "gh"
    folder.mkdir()
    (folder / "gh").write_text(FAKE_GH)
    (folder / "gh").chmod(0o755)
    (folder / "pulls").write_text("[]")
    (folder / "comments").write_text("[[]]")
    monkeypatch.setenv("GH_FOLDER", str(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder
