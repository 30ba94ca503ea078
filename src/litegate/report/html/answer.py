"""Answer "may I merge this?" in one sentence."""

from __future__ import annotations

from litegate.report.outcomes import (
    UNPROVEN,
    Report,
    headline,
    is_good,
    outcome_of,
    without_verdict,
)


def answer(report: Report) -> str:
    """Say whether the change may be merged, and what stops it."""
    if is_good(report):
        return f"Ready to merge: {_passed(report)}"
    reasons = ", ".join(_reasons(report)) or _other_reason(report)
    return f"Do not merge: {reasons}"


def _passed(report: Report) -> str:
    total, undecided = len(report["verdicts"]), _count(report, "inconclusive")
    waived = _count(report, "waived")
    decided = total - undecided - waived
    is_whole = decided == total > 1
    phrases = [f"{'all ' if is_whole else ''}{_checks(decided)} passed"]
    phrases += [f"{undecided:,} could not be proven either way"] if undecided else []
    phrases += [f"{waived:,} failed with a waiver"] if waived else []
    return ", ".join(phrases)


def _reasons(report: Report) -> list[str]:
    failed, undecided = _count(report, "fail"), _count(report, "inconclusive")
    errors = len(without_verdict(report["errors"]))
    reasons = [f"{failed:,} of {len(report['verdicts']):,} checks failed"] if failed else []
    reasons += [f"{errors:,} came to no verdict"] if errors and failed else []
    reasons += [f"{_checks(errors)} came to no verdict"] if errors and not failed else []
    reasons += ["the gate is not proven"] if len(report["errors"]) > errors else []
    is_strict = report["strict"] and undecided and not reasons
    reasons += [f"{_checks(undecided)} inconclusive in a strict run"] if is_strict else []
    return reasons


def _other_reason(report: Report) -> str:
    if not report["verdicts"]:
        return "nothing was judged"
    word = headline(report)
    return "the gate is not proven" if word == UNPROVEN else "the run did not end well"


def _count(report: Report, outcome: str) -> int:
    return sum(outcome_of(row) == outcome for row in report["verdicts"])


def _checks(count: int) -> str:
    return f"{count:,} check{'' if count == 1 else 's'}"
