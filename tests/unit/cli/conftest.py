"""Runs the sandbox's processes as forks: commands look into each file in one of them."""

import subprocess

import forked
import pytest


@pytest.fixture(autouse=True)
def processes_are_forks(monkeypatch):
    """Python that a command starts is a process of its own, but no new interpreter."""
    forked.load()
    monkeypatch.setattr(subprocess, "run", forked.run)
