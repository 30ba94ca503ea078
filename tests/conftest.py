"""What the tests share."""

import gc
import os
import signal
from pathlib import Path

import computed_once
import pytest
import threaded_worker

pytest_plugins = ["pytester"]
computed_once.install()
# A shell starts what it runs in the background with SIGINT ignored, and children inherit that. The
# processes that tests interrupt are to end by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Modules and test items live to the end. Searching them for garbage, again and again as they grow,
# would be a fifth of the time of collection.
gc.disable()


def pytest_collection_finish():
    """Look for garbage among what the tests make, and no longer among what collection left."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def processes_are_no_workers():
    """A process that a test starts is no worker of pytest-xdist, though this one may be."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def runtimes_are_threads(monkeypatch):
    """A runtime is served by a thread; a module that tests the processes replaces this fixture."""
    monkeypatch.setattr("litegate.runtimes.program.process_group", threaded_worker.process_group)


@pytest.fixture(scope="session")
def gpu():
    """The runtime for GPUs. In CI, where the nightly workflow installs it, its absence is an error.

    A fixture: to ask for the adapter starts a process, which is no task of collection.
    """
    from litegate.runtimes.runtime import missing
    from litegate.spec.runtimes import GPU

    if (reason := missing(GPU)) and "CI" not in os.environ:
        pytest.skip(f"NOT JUDGED ON {GPU}: {reason}")
    return GPU


@pytest.fixture(scope="session")
def data_directory():
    """The folder of data sets that the setting names; tests that need it skip without it."""
    named = os.environ.get("LITEGATE_DATA")
    if not named:
        pytest.skip("LITEGATE_DATA names no folder of data sets")
    return Path(named)
