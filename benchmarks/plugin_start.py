"""Claim: a run that has nothing to do with litegate costs at most 30 ms of CPU more with it.

Runs one empty test with the plugin and with it blocked, in turn, in the same environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare

ROUNDS = 30


def main() -> None:
    """Print the ratio and the difference."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "test_empty.py").write_text("def test_nothing():\n    pass\n")
        base = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        ours = Command("an empty test", base, os.environ, folder)
        theirs = Command("plugin blocked", [*base, "-p", "no:litegate"], os.environ, folder)
        compare(ours, theirs, rounds=3)  # compiles the bytecode
        compare(ours, theirs, rounds=ROUNDS, cpu=True)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
