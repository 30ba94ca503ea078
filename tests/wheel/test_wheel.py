"""Tests of an installed litegate: `.ci/run wheel` runs a copy of this file outside the project."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points, metadata, version
from pathlib import Path

import numpy as np
import pytest

from litegate.spec import Kind
from litegate.testing import evaluation, tiny


def _needs(program):
    """Skip a test without a program, or without a wheel to run it on."""
    return pytest.mark.skipif(
        shutil.which(program) is None or "WHEEL" not in os.environ,
        reason=f"{program} is not on PATH, or WHEEL names no wheel",
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command of the environment in an empty folder."""
    for name in ("CI", "LITEGATE_STORE", "LITEGATE_DATA"):
        monkeypatch.delenv(name, raising=False)

    def run(command, *args):
        argv = [Path(sys.executable).with_name(command), *args]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_command_reports_the_installed_version(run):
    assert run("litegate", "--version").stdout == f"litegate {version('litegate')}\n"


def test_the_metadata_are_those_of_a_page_on_the_index():
    """Name, licence, Python and the README; links in it are absolute if the URLs are known."""
    stated = metadata("litegate")
    assert stated["License-Expression"] == "Apache-2.0"
    assert stated["Requires-Python"] == "<3.14,>=3.11"
    assert stated["Summary"]
    assert stated["Description-Content-Type"] == "text/markdown"
    readme = stated.get_payload()
    assert readme.startswith("# litegate")
    if stated.get_all("Project-URL"):
        assert not re.findall(r"\]\((?!https?:|#)", readme)
    [script] = entry_points(group="console_scripts", name="litegate")
    assert script.value == "litegate.cli:main"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(words, id=words[0], marks=_needs(words[0]))
        for words in (("uvx", "--from"), ("pipx", "run", "--spec"))
    ],
)
def test_a_file_is_inspected_without_an_installation(tmp_path, command):
    """The wheel brings all that `litegate inspect` needs."""
    (tmp_path / "int8.tflite").write_bytes(tiny(Kind.INT8_PTQ))
    argv = [*command, os.environ["WHEEL"], "litegate", "inspect", "int8.tflite"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "CONV_2D" in done.stdout


def test_a_new_project_gates_ready_made_files(run, tmp_path):
    """What `litegate init` writes passes within the limits, and fails beyond one."""
    split = evaluation()
    np.savez(tmp_path / "samples.npz", x=split.x, y=split.y)
    for name, kind in (("tiny_float32", Kind.FLOAT32), ("tiny_int8", Kind.INT8_PTQ)):
        (tmp_path / f"{name}.tflite").write_bytes(tiny(kind))
    files = ("--reference=tiny_float32.tflite", "--candidate=tiny_int8.tflite")
    done = run("litegate", "init", *files, "--samples=samples.npz")
    assert done.returncode == 0, done.stderr
    done = run("pytest", "checks/")
    assert done.returncode == 0, done.stdout
    model = tmp_path / "models" / "tiny.py"
    model.write_text(
        re.sub(r"size=lg.kib\(\d+\)", "size=lg.kib(1)", model.read_text("utf-8")), "utf-8"
    )
    done = run("pytest", "checks/")
    assert done.returncode == 1, done.stdout
    assert "tiny/int8_ptq  size" in done.stdout
