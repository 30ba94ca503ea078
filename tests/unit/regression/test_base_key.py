"""What a base declares is kept under a key that covers all of litegate's source."""

import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

import litegate
from litegate.core import units
from litegate.gate import checkout_declaration
from litegate.spec import loader

PACKAGE = Path(litegate.__file__).parent


@pytest.mark.parametrize(
    "module", [checkout_declaration, loader, units], ids=lambda module: module.__name__
)
def test_a_change_anywhere_in_litegate_reads_the_base_again(tmp_path, module):
    """Whichever package it is in: all of them decide what is read out of a base's files."""
    copy = tmp_path / "litegate"
    copytree(PACKAGE, copy)  # with its bytecode, else all of it would be compiled
    script = "from litegate.regression.base_declaration import _own_source; print(_own_source())"

    def digest():
        command = [sys.executable, "-c", script]
        environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return run.stdout

    before = digest()
    file = copy / Path(module.__file__).relative_to(PACKAGE)
    file.write_text(file.read_text() + "\nCHANGED = True\n")
    assert digest() != before
