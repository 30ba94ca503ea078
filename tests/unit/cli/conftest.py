"""Runs the sandbox's processes as forks: commands look into each file in one of them."""

import subprocess

import forked
import pytest


@pytest.fixture
def new_project(tmp_path, monkeypatch):
    """An empty project, the working directory, below the folder of a test's files."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.delenv("LITEGATE_DATA", raising=False)
    return project


@pytest.fixture(autouse=True)
def processes_are_forks(monkeypatch):
    """Python that a command starts is a process of its own, but no new interpreter."""
    forked.load()
    monkeypatch.setattr(subprocess, "run", forked.run)
