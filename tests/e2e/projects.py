"""A project of a user's own, and commands run on it in processes of their own."""

import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema

CHECKS = Path(__file__).resolve().parents[2] / "checks"
OURS = ("CI", "LITEGATE_STORE")
"""Settings of this machine that are not the project's."""


class BareProject:
    """The repository's checks, and no model yet."""

    def __init__(self, path):
        self.path = path
        shutil.copytree(CHECKS, path / "checks", ignore=shutil.ignore_patterns("__pycache__"))
        (path / "models").mkdir()
        (path / "pytest.ini").write_text("[pytest]\n")

    def gate(self, *args, **env):
        """Run the checks, without those of latency."""
        return self.python("-m", "pytest", "checks/", "-m", "not latency", *args, **env)

    def python(self, *args, **env):
        """Run Python here."""
        clean = {k: v for k, v in os.environ.items() if k not in OURS}
        return subprocess.run(
            [sys.executable, *args],
            cwd=self.path,
            env=clean | {"COLUMNS": "200"} | env,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    @property
    def report(self):
        """The last run's report, after it was held against its schema."""
        path = self.path / ".litegate" / "report" / "report.json"
        report = json.loads(path.read_text("utf-8"))
        schema = json.loads((files("litegate.report") / "report.schema.json").read_text("utf-8"))
        jsonschema.validate(report, schema)
        return report
