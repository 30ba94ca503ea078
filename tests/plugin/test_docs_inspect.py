"""docs/reference/inspect.md: its commands, run one after the other on files of these names."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import lines
from documents import PROJECT, blocks

from litegate.spec import Kind
from litegate.testing import evaluation, tiny

PAGE = PROJECT / "docs" / "reference" / "inspect.md"
COMMANDS = [words for block in blocks("sh", pages=[PAGE]) for words in lines(block.text)]


@pytest.fixture
def folder(tmp_path):
    """A folder that is no project, with what the commands name."""
    for file in ("model", "a", "b"):
        (tmp_path / f"{file}.tflite").write_bytes(tiny(Kind.INT8_QAT))
    samples = evaluation()
    np.savez(tmp_path / "test.npz", x=samples.x, y=samples.y)
    return tmp_path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_runs_as_it_stands(words, folder):
    program = Path(sys.executable).with_name(words[0])
    argv = [program, *words[1:]]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tflite" in done.stdout
