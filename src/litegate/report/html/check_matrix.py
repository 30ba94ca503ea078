"""Arrange a run's verdicts as a matrix of models and checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.core.units import Unit, difference_text
from litegate.report.outcomes import (
    OUTCOMES,
    Report,
    Row,
    is_clean,
    outcome_of,
    severity,
    without_verdict,
)
from litegate.report.row_text import subject_of

_SIGNS = {"fail": "✗", "error": "✗", "inconclusive": "?", "waived": "!", "pass": "✓"}
"""The meaning of a cell without its colour."""
_WORST_FIRST = ("fail", "error", *OUTCOMES[1:])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A check of one artifact; of several verdicts, the worst."""

    outcome: str
    """Empty if the check does not apply."""
    text: str
    """A sign and the margin to the limit: "✗ -14.66 points", or the sign alone."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """An artifact, or a model without one, with a cell for each check."""

    model: str
    name: str
    outcome: str
    """The worst of its cells, or "not gated"."""
    cells: tuple[Cell, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMatrix:
    """The verdicts of a run, artifacts by checks."""

    checks: tuple[str, ...]
    """The names of the columns; checks with a problem come first."""
    problems: tuple[MatrixRow, ...]
    """The rows with a cell that did not pass."""
    passed: tuple[MatrixRow, ...]


def check_matrix(report: Report) -> CheckMatrix:
    """Arrange verdicts, errors and models that were not gated."""
    rows = [*report["verdicts"], *without_verdict(report["errors"])]
    checks = _checks(rows)
    matrix_rows = [_row(subject, own, checks) for subject, own in _by_subject(rows).items()]
    matrix_rows += [_not_gated(row["model"], len(checks)) for row in report["not_gated"]]
    return CheckMatrix(
        checks=tuple(checks.values()),
        problems=tuple(row for row in matrix_rows if row.outcome != "pass"),
        passed=tuple(row for row in matrix_rows if row.outcome == "pass"),
    )


def _checks(rows: Sequence[Row]) -> dict[str, str]:
    """Return the heads of the columns by check, those with most problems first.

    A check with one measurement is named after it, others after their function.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    problems: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        names[row["check"]] |= {row["measurement"]} if "measurement" in row else set()
        problems[row["check"]] += _outcome(row) != "pass"
    order = sorted(filter(None, names), key=lambda check: -problems[check])
    return {check: _head(check, names[check]) for check in order}


def _head(check: str, measurements: set[str]) -> str:
    if len(measurements) == 1:
        return next(iter(measurements))
    return check.removeprefix("test_").replace("_", " ")


def _by_subject(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Group rows by model and subject; those of a whole model belong to each of its artifacts."""
    of_artifacts: dict[tuple[str, str], list[Row]] = {}
    of_models: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["recipe"]:
            of_artifacts.setdefault((row["model"], subject_of(row)), []).append(row)
        elif row["model"]:
            of_models[row["model"]].append(row)
    for model in of_models:
        if not any(model == with_artifact for with_artifact, _ in of_artifacts):
            of_artifacts[model, model] = []
    return {key: [*own, *of_models[key[0]]] for key, own in of_artifacts.items()}


def _row(subject: tuple[str, str], rows: Sequence[Row], checks: Mapping[str, str]) -> MatrixRow:
    by_check: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_check[row["check"]].append(row)
    cells = tuple(_cell(by_check[check]) for check in checks)
    outcomes = [cell.outcome for cell in cells if cell.outcome]
    outcome = min(outcomes, key=_WORST_FIRST.index, default="pass")
    return MatrixRow(model=subject[0], name=subject[1], outcome=outcome, cells=cells)


def _outcome(row: Row) -> str:
    return outcome_of(row) if "measurement" in row else "error"


def _cell(rows: Sequence[Row]) -> Cell:
    if not rows:
        return Cell(outcome="", text="")
    worst = min(rows, key=_badness)
    outcome = _outcome(worst)
    if outcome == "error" or is_clean(worst):
        return Cell(outcome=outcome, text="no verdict" if outcome == "error" else _SIGNS[outcome])
    margin = difference_text(worst["margin"], Unit(worst["unit"]), signed=True)
    return Cell(outcome=outcome, text=f"{_SIGNS[outcome]} {margin}")


def _badness(row: Row) -> tuple[int, float]:
    return _WORST_FIRST.index(_outcome(row)), severity(row) if "measurement" in row else 0.0


def _not_gated(model: str, checks: int) -> MatrixRow:
    cells = (Cell(outcome="", text=""),) * checks
    return MatrixRow(model=model, name=model, outcome="not gated", cells=cells)
