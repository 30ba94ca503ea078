"""Run the lines of a CI job in a shell, as a runner does."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import forked

TOOLS = Path(sys.executable).parent


def run_lines(folder, lines, status=0, **variables):
    """Run the lines in a folder; return what they print, with their exit status checked."""
    with _programs() as path:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=folder,
            env={**os.environ, "PATH": path, "CI": "true", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@contextmanager
def _programs():
    """Yield PATH with this environment; `litegate` and `pytest` are forks where they can be."""
    path = os.pathsep.join((str(TOOLS), os.environ["PATH"]))
    if not forked.AVAILABLE:
        yield path
        return
    forked.load()
    with TemporaryDirectory() as folder, forked.programs(Path(folder)):
        yield os.pathsep.join((folder, path))
