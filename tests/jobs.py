"""Run the lines of a CI job in a shell, as a runner does."""

import os
import subprocess
import sys
from pathlib import Path

TOOLS = Path(sys.executable).parent


def run_lines(folder, lines, status=0, **variables):
    """Run the lines in a folder; return what they print, with their exit status checked."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
            "CI": "true",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout
