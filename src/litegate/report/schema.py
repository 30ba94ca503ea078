"""`report.json` back into memory, refused unless it has the shape that every report relies on.

A report may come from anybody's pull request; nothing of it is believed but its shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.report.json_report import NAME
from litegate.report.outcomes import Report, Row
from litegate.report.shapes import (
    FIGURES,
    FIGURES_OF_NONE,
    HEAD,
    INTERVAL,
    KEPT,
    KEPT_ROW,
    OPTIONAL,
    PROOF_ROWS,
    REPORT,
    ROWS,
    SPLIT,
    Shape,
    is_series,
)

MOST_BYTES = 64 * 2**20
"""A larger file is not read."""


def located(path: Path) -> Path:
    """The file that is meant by a report.json, or by the folder that holds it."""
    return path / NAME if path.is_dir() else path


def read(path: Path) -> Report:
    """The report in a file, or in the folder that holds it.

    Raises ConfigError for one that is missing, too large, no JSON, or of another shape.
    """
    file = located(path)
    report = _loaded(file)
    check(report, str(file))
    return dict(report)


def read_kept(path: Path) -> Report:
    """What the history needs of a report, from a file that holds at least that; as `read`."""
    report = _loaded(path)
    _check(report, KEPT, str(path))
    _check(report["head"], HEAD, f"{path}: head")
    _check_all(report["verdicts"], KEPT_ROW, f"{path}: verdicts")
    return dict(report)


def _loaded(path: Path) -> Any:
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


def check(report: Any, name: str) -> None:
    """Raise ConfigError where a document is not a report of this version; `name` says whose."""
    _check(report, REPORT, name)
    for key, test in OPTIONAL.items():
        if not test(report.get(key)):
            raise ConfigError(f"{name}: {key} is not what a report holds")
    if report.get("head"):
        _check(report["head"], HEAD, f"{name}: head")
    for key, shape in ROWS.items():
        _check_all(report.get(key) or (), shape, f"{name}: {key}")
    figures = [{**FIGURES_OF_NONE, **row} for row in report["recipes"]]
    _check_all(figures, FIGURES, f"{name}: recipes")
    for number, row in enumerate(report["verdicts"]):
        _check_verdict(row, f"{name}: verdicts[{number}]")
    for digest, split in (report.get("splits") or {}).items():
        _check(split, SPLIT, f"{name}: splits[{digest}]")
    for number, proof in enumerate(report.get("proofs") or ()):
        for key, shape in PROOF_ROWS.items():
            _check_all(proof[key], shape, f"{name}: proofs[{number}].{key}")


def _check_verdict(row: Row, where: str) -> None:
    if not is_series(row.get("series") or {}):
        raise ConfigError(f"{where}.series holds something else than numbers")
    if row["interval"] is not None:
        _check(row["interval"], INTERVAL, f"{where}.interval")


def _check_all(rows: Iterable[Any], shape: Shape, where: str) -> None:
    for number, row in enumerate(rows):
        _check(row, shape, f"{where}[{number}]")


def _check(value: Any, shape: Shape, where: str) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is no JSON object")
    wrong = [key for key, test in shape.items() if key not in value or not test(value[key])]
    if wrong:
        raise ConfigError(
            f"{where} is not what a report holds",
            expected="fields as report.schema.json describes them",
            got=f"missing or of another type: {', '.join(wrong)}",
        )
