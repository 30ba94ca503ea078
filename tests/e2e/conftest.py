"""The real gate as a user starts it, on a store that all tests of a session share."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import forked
import pytest
from filelock import FileLock
from toolchain_projects import ALL, Project

PROJECT = Path(__file__).resolve().parents[2]
DIGITS = ("--litegate-model", "digits_cnn")


@pytest.fixture(scope="session")
def shared(request, tmp_path_factory):
    """A folder that all workers of this run of pytest share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shared_store(shared):
    """A store that is filled once a session; tests that damage a store take one of their own."""
    return shared / "store"


def run_gate(report, *args, store, cwd=PROJECT, timeout=300, run=subprocess.run, **env):
    """Run `pytest checks/` in a project, as a user would; gives the finished process."""
    ours = ("CI", "LITEGATE_DATA", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT")
    clean = {k: v for k, v in os.environ.items() if k not in ours}
    clean |= {"LITEGATE_STORE": str(store), "COLUMNS": "200"}
    return run(
        [sys.executable, "-m", "pytest", "checks/", f"--litegate-report={report}", *args],
        cwd=cwd,
        env={k: v for k, v in (clean | env).items() if v is not None},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _once(shared, name, run):
    """The finished process of a run that one worker makes and all look at."""
    kept = shared / f"{name}.json"
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            done = run()
            kept.write_text(json.dumps([done.returncode, done.stdout, done.stderr]), "utf-8")
    status, *told = json.loads(kept.read_text("utf-8"))
    return subprocess.CompletedProcess([], status, *told)


@pytest.fixture
def forks(monkeypatch):
    """Python that a test, litegate or pytest-xdist starts is a fork, which has imported all."""
    forked.load()
    monkeypatch.setattr(subprocess, "run", forked.run)
    if forked.AVAILABLE:
        monkeypatch.setattr("execnet.gateway_io.Popen2IOMaster", forked.Worker)


@pytest.fixture
def gate(tmp_path, shared_store, forks):
    """Run `pytest checks/` in the project; gives the finished process, and its report folder.

    `fresh` and `quick` start new interpreters.
    """

    def run(*args, store=shared_store, **options):
        return run_gate(tmp_path / "report", *args, store=store, run=forked.run, **options)

    run.report = tmp_path / "report" / "report.json"
    return run


@pytest.fixture(scope="session")
def no_network(shared):
    """An environment in which no download can succeed and no cache is found."""
    closed = "http://127.0.0.1:9"
    return {"https_proxy": closed, "http_proxy": closed, "KERAS_HOME": str(shared / "keras")}


@pytest.fixture(scope="session")
def fresh(shared, shared_store, no_network):
    """The whole gate of the digits on a fresh machine offline; fills the shared store."""

    def run():
        told = f"--benchmark-json={shared / 'bench.json'}"
        return run_gate(shared / "fresh", *DIGITS, told, store=shared_store, **no_network)

    done = _once(shared, "fresh", run)
    done.report = shared / "fresh" / "report.json"
    done.bench = shared / "bench.json"
    return done


@pytest.fixture(scope="session")
def quick(shared):
    """A project as this one, whose digits are trained for two epochs and held to little.

    Gated by two workers of pytest-xdist, on an empty store.
    """
    project = shared / "quick"

    def run():
        _write_quick(project)
        options = (*DIGITS, "-m", "not latency", "-n", "2")
        return run_gate(project / "report", *options, store=project / "store", cwd=project)

    done = _once(shared, "gated", run)
    done.project, done.store = project, project / "store"
    done.report = project / "report" / "report.json"
    return done


def _write_quick(project):
    shutil.copytree(PROJECT / "checks", project / "checks")
    (project / "models").mkdir()
    (project / "pytest.ini").write_text("[pytest]\n")
    model = (PROJECT / "models" / "digits_cnn.py").read_text("utf-8")
    for old, new in QUICKER.items():
        assert old in model, old
        model = model.replace(old, new)
    (project / "models" / "digits_cnn.py").write_text(model, "utf-8")


QUICKER = {
    "epochs=30": "epochs=2",
    "fine_tune_epochs=5": "fine_tune_epochs=1",
    "accuracy=lg.percent(94)": "accuracy=lg.percent(20)",
    "accuracy_drop=lg.points(2)": "accuracy_drop=lg.points(40)",
}


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
