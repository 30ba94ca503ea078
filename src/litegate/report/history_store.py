"""What is kept of each commit's verdicts, so that a page can draw them over the commits.

A folder of small files, `COMMIT.json`: on a laptop every run adds its own, in CI a cache carries
the folder from run to run. Each is a report without what no line needs, so that a folder of whole
`report.json`, as CI keeps them, is a history as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.files import write_whole
from litegate.core.git import ancestors
from litegate.report.json_report import NAME
from litegate.report.outcomes import Report, Row
from litegate.report.schema import read_kept
from litegate.report.shapes import KEPT_ROW

MOST_FILES = 2000
"""Files of a folder that are read."""
MOST_SOUGHT = 500
"""Commits before HEAD whose kept verdicts are looked for."""
_KEY = ("model", "recipe", "check", "measurement", "unit")
_COMMIT_FILE = re.compile(r"[0-9a-f]{40,64}\.json")


def key_of(row: Row) -> tuple[str, ...]:
    """What makes a verdict the same one in another report."""
    return tuple(row[name] for name in _KEY)


def keep(report: Report, folder: Path) -> Path | None:
    """Keep a report's verdicts under its commit; None where its files were not the commit's.

    A run of a part of the checks renews its own verdicts, and leaves the commit's others there.
    ConfigError where the file cannot be written.
    """
    head = report.get("head")
    if not head or head["changed"] or not report["verdicts"]:
        return None
    path = folder / f"{head['commit']}.json"
    mine = [_slim(row) for row in report["verdicts"]]
    seen = {key_of(row) for row in mine}
    others = [row for row in _already(path) if key_of(row) not in seen]
    made = {key: report[key] for key in ("schema_version", "verdict", "head")}
    return _write(made | {"verdicts": [*others, *mine]}, path)


def _slim(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in KEPT_ROW} | {"waived": bool(row.get("waived"))}


def _already(path: Path) -> Sequence[Row]:
    """The commit's verdicts so far; a damaged file is written anew."""
    try:
        rows: Sequence[Row] = read_kept(path)["verdicts"]
    except ConfigError:
        return ()
    return rows


def _write(made: Report, path: Path) -> Path:
    try:
        write_whole(path, json.dumps(made, allow_nan=False, separators=(",", ":")).encode())
    except OSError as error:
        raise ConfigError(
            f"the history in {path.parent} cannot be written",
            got=str(error.strerror or error),
            remedy="name a folder of yours with --litegate-history DIR",
        ) from error
    return path


def before(project: Path, folder: Path) -> list[Report]:
    """What was kept of HEAD and the commits before it, the oldest first.

    Where git does not know them all, as in a shallow clone, everything that the folder holds.
    """
    if not folder.is_dir():
        return []
    known = ancestors(project, MOST_SOUGHT)
    return of_folder(folder)[0] if known is None else of_commits(folder, reversed(known))


def of_commits(folder: Path, commits: Iterable[str]) -> list[Report]:
    """The kept reports of these commits, in their order; what is damaged is left out."""
    found = []
    for commit in commits:
        path = folder / f"{commit}.json"
        try:
            found += [read_kept(path)] if path.is_file() else []
        except ConfigError:
            continue
    return found


def of_folder(folder: Path) -> tuple[list[Report], list[str]]:
    """Every kept report below a folder, by the time of its commit, and why others do not count.

    Reads `report.json` and `COMMIT.json`. ConfigError where there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {folder} with kept reports",
            remedy="name one with report.json files below it, or with what --litegate-history kept",
        )
    found, gaps = [], []
    for path in sorted(_files(folder))[:MOST_FILES]:
        try:
            found.append(read_kept(path))
        except ConfigError as error:
            gaps.append(f"not in the history: {error.what}")
    return sorted(found, key=lambda one: int(one["head"]["time"])), gaps


def _files(folder: Path) -> Iterable[Path]:
    return (p for p in folder.rglob("*.json") if p.name == NAME or _COMMIT_FILE.fullmatch(p.name))
