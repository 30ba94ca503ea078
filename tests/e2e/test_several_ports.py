"""Models with several inputs, outputs and signatures, trained or ready-made, through the gate."""

import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

pytestmark = pytest.mark.slow
CHECKS = Path(__file__).resolve().parents[2] / "checks"
LOSS = '"sparse_categorical_crossentropy"'


class Project:
    """A project of one model; runs the gate in a process of its own."""

    def __init__(self, path):
        self.path = path
        shutil.copytree(CHECKS, path / "checks", ignore=shutil.ignore_patterns("__pycache__"))
        (path / "models").mkdir()
        (path / "pytest.ini").write_text("[pytest]\n")

    def model(self, text, **parts):
        """Write a model, with the digests of what it loads."""
        for part, value in {"DIGESTS": "{}", **parts}.items():
            text = text.replace(f"{{{part}}}", value)
        self.text = text
        return self

    def run(self, *args, module="pytest", **env):
        clean = {k: v for k, v in os.environ.items() if k not in ("CI", "LITEGATE_STORE")}
        chosen = ("checks/", "-m", "not latency", *args) if module == "pytest" else args
        return subprocess.run(
            [sys.executable, "-m", module, *chosen],
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
        schema = json.loads((files("litegate.reports") / "report.schema.json").read_text("utf-8"))
        jsonschema.validate(report, schema)
        return report
