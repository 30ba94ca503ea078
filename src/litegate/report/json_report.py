"""Write and read `report.json`, the record of a run for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.files import write_atomically
from litegate.report.outcomes import Report
from litegate.report.run_record import Run
from litegate.report.schema import SCHEMA_VERSION, check

JSON_NAME, PAGE_NAME = "report.json", "report.html"
METRICS_NAME, QUALITY_NAME = "metrics.txt", "gl-code-quality-report.json"
"""Files for GitLab, which `litegate.report.gitlab` fills."""
MOST_BYTES = 64 * 2**20
"""Larger files are not read: a report may come from a stranger's pull request, and parsed JSON
takes several times its bytes in memory. The number is a choice, far above what a run writes."""


def document(run: Run) -> dict[str, Any]:
    """Return the run as a JSON object."""
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": run.verdict,
        "strict": run.strict,
        "reproduce": run.reproduce,
        "folder": run.folder,
        "environment": dict(run.environment),
        "head": dict(run.head) if run.head else None,
        "base": dict(run.base) if run.base else None,
        "anchor": dict(run.anchor) if run.anchor else None,
        "verdicts": [dict(row) for row in run.verdicts],
        "errors": [dict(row) for row in run.errors],
        "not_gated": [
            {"model": model, "reason": reason} for model, reason in sorted(run.not_gated.items())
        ],
        "not_measured": [
            {"id": check_id, "reason": reason}
            for check_id, reason in sorted(run.not_measured.items())
        ],
        "unlimited": list(run.unlimited),
        "unset_limits": {name: list(limits) for name, limits in sorted(run.unset_limits.items())},
        "recipes": [dict(row) for row in run.recipes],
        "repairs": [dict(row) for row in run.repairs],
        "runtimes": [dict(row) for row in run.runtimes],
        "artifacts": {
            digest: dict(certificate) for digest, certificate in sorted(run.artifacts.items())
        },
        "waivers": [dict(row) for row in run.waivers],
        "proofs": [dict(row) for row in run.proofs],
        "notes": list(run.notes),
    }


def run_of(report: Report) -> Run:
    """Return the run that `document` made a report of."""
    names = {field.name for field in fields(Run)} - {"not_gated", "not_measured"}
    values: dict[str, Any] = {"environment": {}, "strict": False}
    values |= {name: report[name] for name in names if name in report}
    return Run(
        **values,
        not_gated={row["model"]: row["reason"] for row in report["not_gated"]},
        not_measured={row["id"]: row["reason"] for row in report["not_measured"]},
    )


def prepare_folder(folder: Path) -> None:
    """Make the report's folder and delete the previous report, which may say "pass".

    Raises ConfigError if the folder cannot be made or a file cannot be deleted.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (JSON_NAME, PAGE_NAME, METRICS_NAME, QUALITY_NAME):
            (folder / name).unlink(missing_ok=True)
        delete_model_pages(folder / PAGE_NAME)
    except OSError as error:
        raise _not_writable(folder, error) from error


def models_folder(page: Path) -> Path:
    """Return the folder beside a page that has the files of single models."""
    return page.with_name(f"{page.stem}-models")


def delete_model_pages(page: Path) -> None:
    """Delete the files of single models that an earlier report left beside a page.

    Raises OSError if a file cannot be deleted.
    """
    for file in models_folder(page).glob("[0-9][0-9][0-9]*-*.html"):
        file.unlink()


def write(report: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.json` into `folder` atomically; raises ConfigError if that fails."""
    return write_text(json.dumps(report, indent=1, allow_nan=False), folder / JSON_NAME)


def write_text(text: str, path: Path) -> Path:
    """Write a file of the report's folder atomically; raises ConfigError if that fails."""
    try:
        write_atomically(path, f"{text}\n".encode())
    except OSError as error:
        raise _not_writable(path.parent, error) from error
    return path


def _not_writable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the report cannot be written into {folder}",
        got=str(error.strerror or error),
        remedy="choose a folder with free space that you can write to: --litegate-report DIR",
    )


def report_file(path: Path) -> Path:
    """Return `path`, or the `report.json` in it if it is a folder."""
    return path / JSON_NAME if path.is_dir() else path


def read(path: Path) -> Report:
    """Read the report in a file or folder.

    Raises ConfigError if it is missing, too large, no JSON, or of another shape.
    """
    file = report_file(path)
    report = load(file)
    check(report, str(file))
    return dict(report)


def load(path: Path) -> Any:
    """Read JSON of any shape; raises ConfigError if it is missing, too large, or no JSON."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} is too large", expected=f"at most {MOST_BYTES:,} B")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the report {path} cannot be read",
            got=str(error),
            remedy="run `pytest checks/`, which writes it, or name another with --report",
        ) from error
