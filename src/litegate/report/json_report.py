"""`report.json`: everything a run found, for other programs. Described by `report.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.files import write_whole
from litegate.report.run_record import SCHEMA_VERSION, Run

NAME, PAGE = "report.json", "report.html"


def document(run: Run) -> dict[str, Any]:
    """The run as a JSON object."""
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": run.verdict,
        "strict": run.strict,
        "environment": dict(run.environment),
        "head": dict(run.head) if run.head else None,
        "base": dict(run.base) if run.base else None,
        "anchor": dict(run.anchor) if run.anchor else None,
        "verdicts": [dict(row) for row in run.verdicts],
        "errors": [dict(row) for row in run.errors],
        "not_gated": [{"model": m, "reason": why} for m, why in sorted(run.not_gated.items())],
        "not_measured": [{"id": i, "reason": why} for i, why in sorted(run.not_measured.items())],
        "recipes": [dict(row) for row in run.recipes],
        "artifacts": {digest: dict(born) for digest, born in sorted(run.artifacts.items())},
        "waivers": [dict(row) for row in run.waivers],
        "proofs": [dict(row) for row in run.proofs],
        "notes": list(run.notes),
    }


def make_room(folder: Path) -> None:
    """Make the folder of the report, without the last one. ConfigError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (NAME, PAGE):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _cannot(folder, error) from error


def write(report: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.json` into `folder` under a temporary name and move it into place.

    ConfigError where that cannot be.
    """
    path = folder / NAME
    try:
        write_whole(path, (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise _cannot(folder, error) from error
    return path


def _cannot(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the report cannot be written into {folder}",
        got=str(error.strerror or error),
        remedy="name a folder of yours with room in it: --litegate-report DIR",
    )
