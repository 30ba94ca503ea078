"""What the tests share."""

import os
from pathlib import Path

import computed_once
import pytest

pytest_plugins = ["pytester"]
computed_once.install()


@pytest.fixture(scope="session", autouse=True)
def processes_are_no_workers():
    """A process that a test starts is no worker of pytest-xdist, though this one may be."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def data_directory():
    """The folder of data sets that the setting names; tests that need it skip without it."""
    named = os.environ.get("LITEGATE_DATA")
    if not named:
        pytest.skip("LITEGATE_DATA names no folder of data sets")
    return Path(named)
