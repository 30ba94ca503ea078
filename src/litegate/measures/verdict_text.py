"""Turn verdicts into English: the only place that does, so all reports use the same words."""

from __future__ import annotations

from litegate.core.escaping import LISTED, plain
from litegate.core.units import Number, Unit, difference_text, text
from litegate.measures.measurement import Interval, Outcome, Relation, Verdict
from litegate.measures.names import is_plural


def sentence(verdict: Verdict) -> str:
    """Return a verdict as one sentence: measurement, limit, margin, certainty, evidence."""
    evidence = plain(", ".join(verdict.measurement.evidence))
    clauses = [_statement(verdict), *_certainty(verdict), *([evidence] if evidence else [])]
    return "; ".join(clauses) + _offender_list(verdict.measurement.offenders)


def lines(verdict: Verdict) -> str:
    """Return the same text with a line for each fact, for a terminal."""
    facts = [*_certainty(verdict), *map(plain, verdict.measurement.evidence)]
    listed = "".join(f"\n  {fact}" for fact in facts)
    return _statement(verdict) + listed + _offender_list(verdict.measurement.offenders)


def _statement(verdict: Verdict) -> str:
    measurement = verdict.measurement
    value = text(measurement.value, measurement.unit)
    verb = "are" if is_plural(measurement.name) else "is"
    fact = f"{plain(measurement.name)} of {plain(measurement.subject)} {verb} {value}"
    return f"{fact}, must be {limit(verdict)} ({margin(verdict)})"


def _certainty(verdict: Verdict) -> list[str]:
    """Return the note of a verdict and its interval, if it has them."""
    measurement = verdict.measurement
    note = [plain(verdict.note)] if verdict.note else []
    return note + (
        [interval(measurement.interval, measurement.unit)] if measurement.interval else []
    )


def limit(verdict: Verdict) -> str:
    """Return the limit in words: "at most 0.50 points"."""
    word = "at most" if verdict.relation is Relation.AT_MOST else "at least"
    return f"{word} {text(verdict.limit.value, verdict.limit.unit)}"


def margin(verdict: Verdict) -> str:
    """Return the distance to the limit in words: "0.46 points to spare", "over by 0.10 points"."""
    return margin_text(verdict.margin, verdict.relation, verdict.limit.unit)


def margin_text(room: Number, relation: str, unit: Unit) -> str:
    """Return a distance to a limit in words; negative if the limit is broken."""
    if room >= 0:
        return f"{difference_text(room, unit)} to spare" if room else "exactly at the limit"
    word = "over" if relation == Relation.AT_MOST else "short"
    return f"{word} by {difference_text(-room, unit)}"


def interval(bounds: Interval, unit: Unit) -> str:
    """Return an interval in words: "95 % interval -0.12 to 0.20 points (Tango's score, paired)"."""
    low, high = text(bounds.low, unit), text(bounds.high, unit)
    return f"{bounds.level * 100:g} % interval {low} to {high} ({bounds.method})"


def _offender_list(offenders: tuple[str, ...]) -> str:
    if not offenders:
        return ""
    lines = [f"\n  - {plain(offender)}" for offender in offenders[:LISTED]]
    if len(offenders) > LISTED:
        lines.append(f"\n  - and {len(offenders) - LISTED} more")
    return ":" + "".join(lines)


def headline(outcome: Outcome) -> str:
    """Return the outcome in capitals, as the first word of a report's line."""
    return {"pass": "PASS", "fail": "FAIL", "inconclusive": "INCONCLUSIVE"}[outcome.value]
