"""Turn the reports of earlier commits into a line for each measurement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.core.units import Unit
from litegate.report.history_store import verdict_key
from litegate.report.outcomes import Report, Row, outcome_of

MOST_COMMITS = 40
"""The most recent commits are drawn: 40 dots of 8 pixels just fit into a phone's 360 pixels."""
_SHORT_HASH = 7
"""git's own default, shorter than elsewhere (12): the hash stands below a dot of the chart."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit with stored verdicts, or the page's own run."""

    name: str
    """The short hash; with a plus if files differed from the commit's."""
    subject: str
    verdict: str
    """The verdict of its run."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One verdict of a line."""

    commit: int
    """The index of its commit."""
    value: float
    limit: float
    outcome: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measurement of a model, or of one of its recipes, over the commits."""

    model: str
    recipe: str
    measurement: str
    unit: Unit
    relation: str
    points: tuple[Point, ...]

    @property
    def has_changed(self) -> bool:
        """True if the value or the limit changed, or a verdict is no pass."""
        first = self.points[0]
        is_constant = all((p.value, p.limit) == (first.value, first.limit) for p in self.points)
        return not (is_constant and all(point.outcome == "pass" for point in self.points))

    @property
    def failing_since(self) -> int | None:
        """The index of the first commit of the failures at the end; None if the last passes."""
        since = None
        for point in reversed(self.points):
            if point.outcome != "fail":
                break
            since = point.commit
        return since


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Lines over commits, the oldest commit first."""

    commits: tuple[Commit, ...]
    lines: Mapping[str, tuple[Line, ...]]
    """By model."""


def history(earlier: Iterable[Report], report: Report | None = None) -> History | None:
    """Make the lines of earlier commits' reports and of `report`; None for fewer than two.

    `earlier` is in the order of the commits. Of two reports of one commit, the later counts.
    """
    current = [report] if report and report.get("head") and report["verdicts"] else []
    by_commit: dict[str, Report] = {}
    for commit_report in (*earlier, *current):
        name = _full_name(commit_report)
        by_commit.pop(name, None)  # a commit seen again moves to the end
        by_commit[name] = commit_report
    reports = list(by_commit.values())[-MOST_COMMITS:]
    if len(reports) < 2:
        return None
    return History(commits=tuple(map(_commit, reports)), lines=_lines(reports))


def _full_name(report: Report) -> str:
    return f"{report['head']['commit']}{_plus(report)}"


def _plus(report: Report) -> str:
    return "+" if report["head"]["changed"] else ""


def _commit(report: Report) -> Commit:
    head = report["head"]
    return Commit(
        name=f"{head['commit'][:_SHORT_HASH]}{_plus(report)}",
        subject=head["subject"],
        verdict=report["verdict"],
    )


def _lines(reports: Sequence[Report]) -> dict[str, tuple[Line, ...]]:
    rows: dict[tuple[str, ...], tuple[Row, dict[int, Row]]] = {}
    for commit, report in enumerate(reports):
        for row in report["verdicts"]:
            by_commit = rows.get(verdict_key(row), (row, {}))[1]
            rows[verdict_key(row)] = (row, by_commit | {commit: row})
    lines: dict[str, tuple[Line, ...]] = {}
    for row, by_commit in rows.values():
        line = _line(row, by_commit)
        lines[line.model] = (*lines.get(line.model, ()), line)
    return lines


def _line(row: Row, by_commit: Mapping[int, Row]) -> Line:
    return Line(
        model=row["model"],
        recipe=row["recipe"],
        measurement=row["measurement"],
        unit=Unit(row["unit"]),
        relation=row["relation"],
        points=tuple(_point(commit, point_row) for commit, point_row in sorted(by_commit.items())),
    )


def _point(commit: int, row: Row) -> Point:
    value, limit = float(row["value"]), float(row["limit"])
    return Point(commit=commit, value=value, limit=limit, outcome=outcome_of(row))
