"""How measurements moved over the commits: from kept reports to lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.core.units import Unit
from litegate.report.history_store import key_of
from litegate.report.outcomes import Report, Row, outcome_of

MOST_COMMITS = 40
"""The last so many are drawn."""
_SHORT = 7


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A commit whose verdicts were kept, or the run of the page itself."""

    name: str
    """The hash as people write it; with a plus where the files were others."""
    subject: str
    said: str
    """The one word of its run."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One verdict of a line."""

    at: int
    """The number of its commit, from 0."""
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
    def moved(self) -> bool:
        """Whether there is something to see: another value, another limit, or no pass."""
        first = self.points[0]
        same = all((p.value, p.limit) == (first.value, first.limit) for p in self.points)
        return not (same and all(p.outcome == "pass" for p in self.points))

    @property
    def failing_since(self) -> int | None:
        """The number of the commit from which on it fails until the end; None where it does not."""
        since = None
        for point in reversed(self.points):
            if point.outcome != "fail":
                break
            since = point.at
        return since


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Lines over commits, the oldest commit first."""

    stations: tuple[Station, ...]
    lines: Mapping[str, tuple[Line, ...]]
    """By model."""


def history(kept: Iterable[Report], report: Report | None = None) -> History | None:
    """The lines of kept reports, with that of a page as the last; None for fewer than two.

    `kept` is in the order of the commits. Of a commit that stands there twice, the later counts.
    """
    last = [report] if report and report.get("head") and report["verdicts"] else []
    by_commit: dict[str, Report] = {}
    for one in (*kept, *last):
        name = _name(one)
        by_commit.pop(name, None)
        by_commit[name] = one
    found = list(by_commit.values())[-MOST_COMMITS:]
    if len(found) < 2:
        return None
    return History(stations=tuple(map(_station, found)), lines=_lines(found))


def _name(report: Report) -> str:
    return f"{report['head']['commit']}{_plus(report)}"


def _plus(report: Report) -> str:
    return "+" if report["head"]["changed"] else ""


def _station(report: Report) -> Station:
    head = report["head"]
    return Station(
        name=f"{head['commit'][:_SHORT]}{_plus(report)}",
        subject=head["subject"],
        said=report["verdict"],
    )


def _lines(reports: Sequence[Report]) -> dict[str, tuple[Line, ...]]:
    rows: dict[tuple[str, ...], tuple[Row, dict[int, Row]]] = {}
    for at, report in enumerate(reports):
        for row in report["verdicts"]:
            kept = rows.get(key_of(row), (row, {}))[1]
            rows[key_of(row)] = (row, kept | {at: row})
    found: dict[str, tuple[Line, ...]] = {}
    for row, points in rows.values():
        line = _line(row, points)
        found[line.model] = (*found.get(line.model, ()), line)
    return found


def _line(row: Row, points: Mapping[int, Row]) -> Line:
    return Line(
        model=row["model"],
        recipe=row["recipe"],
        measurement=row["measurement"],
        unit=Unit(row["unit"]),
        relation=row["relation"],
        points=tuple(_point(at, one) for at, one in sorted(points.items())),
    )


def _point(at: int, row: Row) -> Point:
    value, limit = float(row["value"]), float(row["limit"])
    return Point(at=at, value=value, limit=limit, outcome=outcome_of(row))
