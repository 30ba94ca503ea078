"""Decide the outcome of a report's rows and of the whole run, and order rows by severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]
"""A `report.json` document."""
Row = Mapping[str, Any]
"""A JSON object of one of its lists."""

OUTCOMES = ("fail", "inconclusive", "waived", "pass")
PROOF = "--prove"
"""The id of an error which says that a candidate's proof does not hold."""
UNPROVEN = "gate not proven"
"""The word for a run whose only errors are failed proofs."""
NOT_JUDGED_ON = "NOT JUDGED ON"
"""Begins the text about runtimes on which a run did not judge."""
_UNLIMITED = 1e12
"""Weighs the margin to a limit of 0, which has no relative size, above every relative margin."""


def outcome_of(row: Row) -> str:
    """Return a verdict row's "fail", "inconclusive", "waived" or "pass"."""
    return "waived" if row.get("waived") else str(row["verdict"])


def overall_verdict(verdicts: Sequence[Row], errors: Sequence[Row]) -> str:
    """Return a run's "fail", "error", "inconclusive", "pass" or "nothing gated"."""
    outcomes = {outcome_of(row) for row in verdicts}
    if "fail" in outcomes:
        return "fail"
    if errors:
        return "error"
    if not outcomes:
        return "nothing gated"
    return "inconclusive" if "inconclusive" in outcomes else "pass"


def without_verdict(errors: Sequence[Row]) -> list[Row]:
    """Return the errors of checks and of the run; failed proofs are reported as proofs."""
    return [row for row in errors if row["id"] != PROOF]


def displayed_verdict(verdicts: Sequence[Row], errors: Sequence[Row]) -> str:
    """Return `overall_verdict`, or "gate not proven" if failed proofs are the only errors."""
    verdict = overall_verdict(verdicts, errors)
    return UNPROVEN if verdict == "error" and not without_verdict(errors) else verdict


def headline(report: Report) -> str:
    """Return the verdict to print above a report; "error" if its rows contradict its own."""
    verdict = overall_verdict(report["verdicts"], report["errors"])
    if verdict == report["verdict"] and (verdict != "pass" or report["exit_status"] == 0):
        return displayed_verdict(report["verdicts"], report["errors"])
    return "error"


def is_good(report: Report) -> bool:
    """Return True if the change may be merged: the run ended well, and its rows agree."""
    verdict = overall_verdict(report["verdicts"], report["errors"])
    is_tolerated = verdict == "inconclusive" and not report["strict"]
    return (
        report["exit_status"] == 0
        and report["verdict"] == verdict
        and (verdict == "pass" or is_tolerated)
    )


def verdicts_with(report: Report, outcome: str) -> list[Row]:
    """Return the verdicts with an outcome, the worst first."""
    rows = [row for row in report["verdicts"] if outcome_of(row) == outcome]
    return sorted(rows, key=severity)


def is_clean(row: Row) -> bool:
    """Return True if a count that must be 0 is 0, such as the number of counterexamples."""
    return bool(row["relation"] == "<=" and not row["limit"] and not row["value"])


def severity(row: Row) -> float:
    """Return the margin as a share of the limit; the smaller, the worse."""
    margin, limit = float(row["margin"]), abs(float(row["limit"]))
    return margin / limit if limit else margin * _UNLIMITED
