"""The real gate as a user starts it, on a store that all tests of a session share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from toolchain_projects import ALL, Project

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory):
    """A store that is filled once a session; tests that damage a store take one of their own."""
    return tmp_path_factory.mktemp("shared") / "store"


@pytest.fixture
def gate(tmp_path, shared_store):
    """Run `pytest checks/` in the project; gives the finished process, and its report folder."""

    def run(*args, store=shared_store, cwd=PROJECT, timeout=300, **env):
        ours = ("CI", "LITEGATE_DATA", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT")
        clean = {k: v for k, v in os.environ.items() if k not in ours}
        clean |= {"LITEGATE_STORE": str(store), "COLUMNS": "200"}
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "checks/",
            f"--litegate-report={tmp_path / 'report'}",
        ]
        return subprocess.run(
            [*argv, *args],
            cwd=cwd,
            env={k: v for k, v in (clean | env).items() if v is not None},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    run.report = tmp_path / "report" / "report.json"
    return run


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """A project of small networks, for the tool chain."""
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def told():
    """What the tool chain told while it built `together`."""
    return []


@pytest.fixture(scope="session")
def together(networks, told):
    """The staging folder of one run that built every recipe of `small`."""
    return networks.build("small", *ALL, events=told)
