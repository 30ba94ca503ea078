"""Claim: holding a change that touches no model against its base costs at most half a run more.

In a clone of this repository with one commit of documentation on top: `pytest checks/` with
`--against main` and without, in turn, on a warm store, a `tensorflow` package first on the path
raising on import. A run that fails ends the benchmark, so the number of rounds is also the
number of runs without a false failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare

PROJECT = Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("ROUNDS", "50"))
SELECT = ["-m", "not latency"]


def main() -> None:
    """Clone, commit a note, warm the store, and time both in turn."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        clone = folder / "clone"
        poison = folder / "poison" / "tensorflow"
        poison.mkdir(parents=True)
        (poison / "__init__.py").write_text("raise ImportError('TensorFlow was imported')\n")
        _git(folder, "clone", "-q", str(PROJECT), str(clone))
        _git(clone, "checkout", "-q", "-B", "main")
        _git(clone, "checkout", "-q", "-b", "topic")
        (clone / "notes.md").write_text("documentation\n")
        _git(clone, "add", "-A")
        _git(clone, "commit", "-qm", "documentation")
        env = os.environ | {"LITEGATE_STORE": str(folder / "store")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        argv = [sys.executable, "-m", "pytest", "-q", "checks/", *SELECT]
        against = [*argv, "--against", "main"]
        subprocess.run(against, cwd=clone, env=env, check=True, stdout=subprocess.DEVNULL)
        env |= {"PYTHONPATH": str(poison.parent)}
        compare(
            Command("pytest checks/ --against main, warm", against, env, str(clone)),
            Command("pytest checks/, warm", argv, env, str(clone)),
            rounds=ROUNDS,
        )


def _git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    subprocess.run(["git", *identity, *args], cwd=folder, check=True)


if __name__ == "__main__":
    main()
