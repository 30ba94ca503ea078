"""A run that has nothing to do with litegate loads next to nothing of it, and prints nothing."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

import litegate

PACKAGE = Path(litegate.__file__).parent
ALLOWED = {
    "litegate",
    "litegate.core",
    "litegate.core.errors",
    "litegate.core.escaping",
    "litegate.core.option_table",
    "litegate.core.options",
    "litegate.core.pytest_options",
    "litegate.gate",
    "litegate.gate.invocation",
    "litegate.gate.plugin",
}
"""The options, and the question if a run is pointed at the folder of checks."""
CONFTEST = """
import os
import sys

def pytest_unconfigure():
    with open(os.environ["LOADED"], "w") as file:
        file.write(" ".join(sys.modules))
"""


@pytest.fixture
def run(tmp_path):
    """Run one empty test in a process of its own: what it printed, and the modules it loaded."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")

    def start(*arguments, source=PACKAGE.parent):
        loaded = tmp_path / "loaded"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=folder,
            env=os.environ | {"LOADED": str(loaded), "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout + done.stderr, set(loaded.read_text().split())

    return start


def test_a_run_without_checks_loads_the_options_alone(run):
    """None of NumPy, rich, jinja2, hypothesis, LiteRT, and of litegate only what is allowed."""
    output, with_plugin = run()
    _, without = run("-p", "no:litegate")
    assert with_plugin - without == ALLOWED
    lines = [line for line in output.splitlines() if "litegate" in line]
    assert all(line.startswith("plugins: ") for line in lines), "pytest alone names its plugins"


def test_an_import_of_numpy_in_the_plugin_would_be_seen(run, tmp_path):
    """The guard above can fail."""
    copy = tmp_path / "copy" / "litegate"
    copytree(PACKAGE, copy, ignore=ignore_patterns("__pycache__"))
    file = copy / "core" / "errors.py"
    file.write_text(file.read_text() + "\nimport numpy\n")
    _, loaded = run(source=copy.parent)
    _, without = run("-p", "no:litegate", source=copy.parent)
    assert "numpy" in loaded - without
