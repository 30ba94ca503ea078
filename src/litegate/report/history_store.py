"""Store each commit's verdicts, so that a page can draw them over the commits.

The history is a folder of small files, `COMMIT.json`: on a laptop every run adds its own; in CI a
cache carries the folder from run to run. Each is a report without what the lines do not need, so
that a folder of whole `report.json` files, such as CI's artifacts, is a history as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.files import write_atomically
from litegate.core.git import ancestors
from litegate.report.json_report import JSON_NAME, load
from litegate.report.outcomes import Report, Row
from litegate.report.schema import HISTORY_FIELDS, OldReportError, check_history

MOST_FILES = 2000
"""Files of a folder that are read: trades completeness against time.

Each is parsed, and the page draws 40 commits of them; more would delay it and change little."""
MOST_ANCESTORS = 500
"""Commits before HEAD that are looked up: twelve times as many as a page draws, since most commits
of a branch were never judged; each costs a look for a file."""
_KEY = ("model", "recipe", "check", "measurement", "unit")
_COMMIT_FILE = re.compile(r"[0-9a-f]{40,64}\.json")


def verdict_key(row: Row) -> tuple[str, ...]:
    """Return the fields that identify a verdict across reports."""
    return tuple(row[name] for name in _KEY)


def save_verdicts(report: Report, folder: Path) -> Path | None:
    """Store a report's verdicts under its commit; None if files differed from the commit's.

    A run of a subset of the checks replaces its own verdicts and leaves the commit's others.
    Raises ConfigError if the file cannot be written.
    """
    head = report.get("head")
    if not head or head["changed"] or not report["verdicts"]:
        return None
    path = folder / f"{head['commit']}.json"
    new = [_reduced(row) for row in report["verdicts"]]
    new_keys = {verdict_key(row) for row in new}
    others = [row for row in _stored_verdicts(path) if verdict_key(row) not in new_keys]
    record = {key: report[key] for key in ("schema_version", "verdict", "head")}
    return _write(record | {"verdicts": [*others, *new]}, path)


def _reduced(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in HISTORY_FIELDS} | {"waived": bool(row.get("waived"))}


def _stored_verdicts(path: Path) -> Sequence[Row]:
    """Return the commit's verdicts so far; empty if the file is damaged, which replaces it."""
    try:
        rows: Sequence[Row] = _read(path)["verdicts"]
    except ConfigError:
        return ()
    return rows


def _write(record: Report, path: Path) -> Path:
    try:
        write_atomically(path, json.dumps(record, allow_nan=False, separators=(",", ":")).encode())
    except OSError as error:
        raise ConfigError(
            f"the history in {path.parent} cannot be written",
            got=str(error.strerror or error),
            remedy="choose a folder that you can write to with --litegate-history DIR",
        ) from error
    return path


def reports_before_head(project: Path, folder: Path) -> list[Report]:
    """Return the stored reports of HEAD and the commits before it, the oldest first.

    If git does not know all of these, as in a shallow clone, returns every report in the folder.
    """
    if not folder.is_dir():
        return []
    commits = ancestors(project, MOST_ANCESTORS)
    if commits is None:
        return reports_in_folder(folder)[0]
    return reports_of_commits(folder, reversed(commits))


def reports_of_commits(folder: Path, commits: Iterable[str]) -> list[Report]:
    """Return the stored reports of these commits, in their order, without damaged files."""
    reports = []
    for commit in commits:
        path = folder / f"{commit}.json"
        try:
            reports += [_read(path)] if path.is_file() else []
        except ConfigError:
            continue
    return reports


def reports_in_folder(folder: Path) -> tuple[list[Report], list[str]]:
    """Return every report below a folder by the time of its commit, and why others are left out.

    Reads files named `report.json` and `COMMIT.json`. Raises ConfigError if there is no folder.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {folder} with kept reports",
            remedy="name one with report.json files below it, or with what --litegate-history kept",
        )
    reports, gaps, outdated = [], [], 0
    # Sorted before the cut, so that every run reads the same files.
    for path in sorted(_files(folder))[:MOST_FILES]:
        try:
            reports.append(_read(path))
        except OldReportError:
            outdated += 1
        except ConfigError as error:
            gaps.append(f"not in the history: {error.what}")
    if outdated:
        # one line for all: after an update, a folder may hold thousands of them
        noun = "report" if outdated == 1 else "reports"
        gaps.append(f"not in the history: {outdated:,} {noun} of an earlier version of litegate")
    return sorted(reports, key=lambda report: int(report["head"]["time"])), gaps


def _read(path: Path) -> Report:
    """Read a history file, which may be a whole report; raises ConfigError as `check_history`."""
    report = load(path)
    check_history(report, str(path))
    return dict(report)


def _files(folder: Path) -> Iterable[Path]:
    paths = folder.rglob("*.json")
    return (path for path in paths if path.name == JSON_NAME or _COMMIT_FILE.fullmatch(path.name))
