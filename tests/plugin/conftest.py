"""A small project with planted artifacts, and pytest run on it from outside."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import forked
import pytest

from litegate.spec import Kind
from litegate.testing import tiny
from litegate.testing.store import fill_store

MODEL = '''
"""A tiny network, planted ready-made."""
import litegate as lg

def _load(locations):
    raise AssertionError("the store holds everything")

def _as_it_is(samples):
    return samples

DATA = lg.Data(
    name="tiny", load=_load, digests={{}}, preprocess=_as_it_is, domain=(0.0, 1.0),
    classes=tuple(f"class {{i}}" for i in range(4)),
)

@lg.model(data=DATA, recipes=[{recipes}], budget=lg.Budget({budget}), {arguments})
def {name}(keras):
    "Planted."
    return {network!r}
'''
DATE = "2026-01-01T00:00:00+0000"
"""Of all commits, so that those of the same files are the same commit, which is described once."""
SCRATCH = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True)"
CHECKS = Path(__file__).resolve().parents[2] / "checks"
forked.load()


@pytest.fixture(autouse=True)
def processes_are_forks(monkeypatch):
    """Python that a test, litegate or pytest-xdist starts is a process, but no new interpreter."""
    monkeypatch.setattr(subprocess, "run", forked.run)
    if forked.AVAILABLE:
        monkeypatch.setattr("execnet.gateway_io.Popen2IOMaster", forked.Worker)


@pytest.fixture(autouse=True)
def files_are_not_synced(monkeypatch):
    """A power cut is no case of these tests, and each file would wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def project(pytester, monkeypatch):
    """A project whose model `tiny` has an `int8_qat` candidate; its parts can be set."""
    for name in ("CI", "LITEGATE_STORE", "LITEGATE_DATA", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "400")  # so wide that no line is wrapped
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        monkeypatch.setenv(name, DATE)
    return Project(pytester)


@pytest.fixture
def short_recordings(monkeypatch):
    """Latency is recorded for a moment, not for seconds; for files far from their limits."""
    monkeypatch.setattr("litegate.measures.latency.budget.RECORDING_SECONDS", 0.2)


class Project:
    """Writes the project's files, plants artifacts, runs pytest."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        (self.path / "models").mkdir()
        (self.path / "checks").mkdir()
        pytester.makeini("[pytest]\naddopts = -p no:randomly\n")

    def model(
        self, budget="", *, name="tiny", recipes=SCRATCH, arguments="", network="", **planted
    ):
        """Declare a model and plant its artifacts: int8 for a float reference."""
        text = MODEL.format(
            name=name, recipes=recipes, budget=budget, arguments=arguments, network=network
        )
        (self.path / "models" / f"{name}.py").write_text(text)
        files = planted.pop("files", None) or {
            "float32": tiny(Kind.FLOAT32),
            "int8_qat": tiny(Kind.INT8_QAT),
        }
        fill_store(self.path, name, files, **planted)
        return self

    def check(self, body, *, head="", args="candidate, require", name="test_it", doc="It holds."):
        """Write a check of one function."""
        indented = "\n".join("    " + line for line in body.splitlines())
        docstring = f'    """{doc}"""\n' if doc else ""
        text = f"{head}\ndef {name}({args}):\n{docstring}{indented}\n"
        (self.path / "checks" / "test_one.py").write_text(text)
        return self

    def real_checks(self, *, examples=None):
        """Use the project's own checks; `examples` are fewer for the properties than theirs."""
        shutil.copytree(CHECKS, self.path / "checks", dirs_exist_ok=True)
        if examples is not None:
            file = self.path / "checks" / "test_properties.py"
            fewer = file.read_text().replace("keep=keep)", f"keep=keep, examples={examples})")
            file.write_text(fewer)
        return self

    def as_base(self):
        """Commit everything as the base, and check a branch out."""
        (self.path / ".gitignore").write_text(".litegate\n__pycache__\n")
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        for step in ("init -q -b main", "add -A", "commit -qm base", "checkout -qb topic"):
            argv = ["git", *identity, *step.split()]
            subprocess.run(argv, cwd=self.path, check=True, capture_output=True)
        return self

    def run(self, *args, apart=False):
        """Run `pytest checks/`; `apart` in a process of its own.

        Imported by path: this process may hold a test module of the same name as a check's.
        """
        apart_from_ours = ("-p", "no:cacheprovider", "--import-mode=importlib")
        chosen = (*apart_from_ours, *(args or ("checks/",)))
        if apart:
            return self.run_apart(*chosen)
        return self.pytester.runpytest_inprocess(*chosen)

    def run_apart(self, *arguments):
        """As `pytester.runpytest_subprocess`, from a fork."""
        began = time.perf_counter()
        argv = [sys.executable, "-m", "pytest", f"--basetemp={self.path / 'basetemp'}", *arguments]
        done = forked.run(argv, cwd=self.path, capture_output=True, text=True)
        told = (done.stdout.splitlines(), done.stderr.splitlines())
        return pytest.RunResult(done.returncode, *told, time.perf_counter() - began)
