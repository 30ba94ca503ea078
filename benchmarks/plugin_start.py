"""Claim: with the plugin installed, pytest starts about as fast as without it.

Runs `pytest --version` with the plugin and with it blocked, in turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare

ROUNDS = 40


def main() -> None:
    """Print the ratio, and what importing the plugin loads."""
    heavy = "sorted({'numpy', 'tensorflow'} & set(sys.modules))"
    code = f"import sys, litegate.gate.plugin; print({heavy})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    print(f"heavy modules that the plugin loads: {loaded.stdout.strip()}")
    with TemporaryDirectory() as folder:
        base = [sys.executable, "-m", "pytest", "--version"]
        env = os.environ
        compare(
            Command("pytest --version", base, env, folder),
            Command("pytest --version, plugin blocked", [*base, "-p", "no:litegate"], env, folder),
            rounds=ROUNDS,
        )


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
