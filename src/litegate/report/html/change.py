"""Describe the judged commit, its base, and what the change did, in one line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from litegate.core.units import Unit, text
from litegate.measures.names import Name
from litegate.report.outcomes import OUTCOMES, Report, Row, outcome_of
from litegate.report.row_text import compared_with, judged_commit, subject_of

_PAGE = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:/[\w.~-]+)+", re.ASCII)
"""A repository's page; a report may come from a stranger, so that nothing else becomes a link."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The effect of the change on one quantity."""

    name: str
    text: str
    outcome: str
    """The worst outcome of its verdicts; empty without one."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLink:
    """A commit as the page names it."""

    hash: str
    title: str
    url: str
    """Empty if the repository's page is unknown."""


def head_commit(report: Report) -> CommitLink | None:
    """Return the judged commit; None outside of git."""
    return _link(report, "head", judged_commit(report))


def base_commit(report: Report) -> CommitLink | None:
    """Return the commit that the run compared with; None without one."""
    return _link(report, "base", compared_with(report))


def _link(report: Report, key: str, parts: Sequence[str]) -> CommitLink | None:
    if not parts:
        return None
    head: Mapping[str, Any] = report.get("head") or {}
    page, commit = str(head.get("repository") or ""), str(report[key].get("commit") or "")
    url = f"{page}/commit/{commit}"
    is_safe = _PAGE.fullmatch(url)
    return CommitLink(hash=parts[0], title=" ".join(parts[1:]), url=url if is_safe else "")


def effects(report: Report) -> list[Effect]:
    """Return a line each for bytes, accuracy, types and latency; empty if nothing was compared.

    Of a model without accuracy, its metrics' regressions take the place.
    """
    lines = [
        _effect(report, "Bytes", Name.SIZE_GROWTH, _SIZE),
        _effect(report, "Accuracy", _REGRESSION, _ACCURACY),
        _effect(report, "Types", Name.LOST_TYPES, _TYPES),
        _effect(report, "Latency", Name.LATENCY_GROWTH, _LATENCY),
    ]
    return lines if any(line.outcome for line in lines) else []


@final
@dataclass(frozen=True, slots=True)
class _Wording:
    """The words that describe one quantity."""

    worse: str
    """Of several artifacts: what those did whose value is above 0."""
    better: str
    change: Callable[[Row], str]


def _grown(row: Row) -> str:
    return text(row["value"], Unit(row["unit"]), signed=True)


def _gained(row: Row) -> str:
    """Turn a loss into a gain; of a metric, with its name."""
    gain = text(-row["value"], Unit(row["unit"]), signed=True)
    is_accuracy = row["measurement"] == Name.ACCURACY_REGRESSION
    return gain if is_accuracy else f"{row['measurement'].removesuffix(_REGRESSION)} {gain}"


def _counted(row: Row) -> str:
    count = int(row["value"])
    if not count:
        return "no tensor or operator lost its integer type"
    tensors = "tensor or operator is" if count == 1 else "tensors or operators are"
    return f"{count:,} {tensors} no longer integer"


_REGRESSION = " regression"
"""The end of the names of a lost accuracy and of a metric's loss against the base."""
_SIZE = _Wording("grew", "shrank", _grown)
_ACCURACY = _Wording("lost accuracy", "gained accuracy", _gained)
_TYPES = _Wording("lost integer types", "gained integer types", _counted)
_LATENCY = _Wording("became slower", "became faster", _grown)


def _effect(report: Report, name: str, measurement: str, wording: _Wording) -> Effect:
    """Describe the verdicts whose measurement is, or ends in, the given name."""
    rows = [row for row in report["verdicts"] if row["measurement"].endswith(measurement)]
    if not rows:
        return Effect(name=name, text="not compared in this run", outcome="")
    outcome = min(map(outcome_of, rows), key=OUTCOMES.index)
    line = _one(rows[0], wording) if len(rows) == 1 else _several(rows, wording)
    return Effect(name=name, text=line, outcome=outcome)


def _one(row: Row, wording: _Wording) -> str:
    """Give the change, and the fact of its evidence that says what was compared."""
    facts = [fact for fact in row["evidence"] if " against " in fact or "flip" in fact]
    # Of latency, the first fact only names the base's artifact, and the last has both times.
    return ": ".join((wording.change(row), *facts[-1:]))


def _several(rows: Sequence[Row], wording: _Wording) -> str:
    """Count the artifacts by direction, and name the one that changed most for the worse."""
    worse, better = (sum(row["value"] * sign > 0 for row in rows) for sign in (1, -1))
    counts = [
        f"{count:,} {verb}" for count, verb in ((worse, wording.worse), (better, wording.better))
    ]
    line = f"of {len(rows):,} artifacts {counts[0]}, {counts[1]}"
    if not worse:
        return line
    most = max(rows, key=lambda row: float(row["value"]))
    return f"{line}; most: {subject_of(most)} ({wording.change(most)})"
