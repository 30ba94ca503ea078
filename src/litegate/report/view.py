"""What reports show of a `report.json` document: which rows, in which order, in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litegate.core.units import Unit, text

Report = Mapping[str, Any]
Row = Mapping[str, Any]

_SHORT = 12
"""Letters of a commit's hash."""
OUTCOMES = ("fail", "inconclusive", "waived", "pass")
PROOF = "--prove"
"""The id of an error that says that a candidate's proof does not hold."""
UNPROVEN = "gate not proven"
"""The word for a run whose only errors are such."""


def outcome_of(row: Row) -> str:
    """What a row counts for: "fail", "inconclusive", "waived" or "pass"."""
    return "waived" if row.get("waived") else str(row["verdict"])


def word(verdicts: Sequence[Row], errors: Sequence[Row]) -> str:
    """A run's one word: "fail", "error", "inconclusive", "pass", or "nothing gated"."""
    found = {outcome_of(row) for row in verdicts}
    if "fail" in found:
        return "fail"
    if errors:
        return "error"
    if not found:
        return "nothing gated"
    return "inconclusive" if "inconclusive" in found else "pass"


def without_verdict(errors: Sequence[Row]) -> list[Row]:
    """The errors of checks and of the run, without those of proofs, which are told as proofs."""
    return [row for row in errors if row["id"] != PROOF]


def why(row: Row) -> str:
    """An error in one line: what came to no verdict, or the proof that does not hold."""
    message = str(row["message"])
    return message if row["id"] == PROOF else f"{row['id']} came to no verdict: {message}"


def shown(verdicts: Sequence[Row], errors: Sequence[Row]) -> str:
    """The word that a person reads: `word`, or "gate not proven" where nothing else is wrong."""
    found = word(verdicts, errors)
    return UNPROVEN if found == "error" and not without_verdict(errors) else found


def headline(report: Report) -> str:
    """The word that stands over a report; its own is not believed where its rows deny it."""
    found = word(report["verdicts"], report["errors"])
    if found == report["verdict"] and (found != "pass" or report["exit_status"] == 0):
        return shown(report["verdicts"], report["errors"])
    return "error"


def judged(report: Report) -> list[str]:
    """Which commit a report is of: its hash, with a plus where the files were others; its subject.

    Nothing outside of git.
    """
    head = report.get("head")
    if not isinstance(head, Mapping):
        return []
    return [f"{head['commit'][:_SHORT]}{'+' if head['changed'] else ''}", head["subject"]]


def held_against(report: Report) -> list[str]:
    """What a report says of its base: its commit, its ref, a note; nothing without a base."""
    base = report.get("base")
    if not isinstance(base, Mapping):
        return []
    commit = str(base.get("commit") or "")[:_SHORT]
    return [one for one in (commit, *(str(base.get(k) or "") for k in ("ref", "note"))) if one]


def is_good(report: Report) -> bool:
    """Whether a run may be merged: it ended well, and no row of it says otherwise."""
    said = word(report["verdicts"], report["errors"])
    unproven = said == "inconclusive" and not report["strict"]
    return report["exit_status"] == 0 and report["verdict"] == said and (said == "pass" or unproven)


def having(report: Report, outcome: str) -> list[Row]:
    """The verdicts of one outcome, the worst first."""
    return sorted((r for r in report["verdicts"] if outcome_of(r) == outcome), key=severity)


def is_clean(row: Row) -> bool:
    """Whether nothing was found where nothing may be: 0, and at most 0."""
    return bool(row["relation"] == "<=" and not row["limit"] and not row["value"])


def severity(row: Row) -> float:
    """The room to the limit as a share of the limit; the less, the worse."""
    margin, limit = float(row["margin"]), abs(float(row["limit"]))
    return margin / limit if limit else margin * 1e12


def counts(report: Report) -> str:
    """How many models and verdicts: "2 models: 1 fail, 7 pass"; what no proof holds for."""
    models = len({row["model"] for row in report["verdicts"] if row["model"]})
    found = [outcome_of(row) for row in report["verdicts"]]
    said = [f"{found.count(each)} {each}" for each in OUTCOMES if each in found]
    errors, blank = report["errors"], without_verdict(report["errors"])
    said += [f"{len(blank)} without a verdict"] if blank else []
    said += [not_proven(report.get("proofs") or ())] if len(errors) > len(blank) else []
    left = {row["model"] for row in report["not_gated"]}
    noun = "model" if len(left) == 1 else "models"
    said += [f"{len(left)} {noun} not gated"] if left and said else []
    listed = ", ".join(said) or "nothing was gated, which is no pass"
    if said and not models:
        return f"no model was judged: {listed}"
    return f"{models} model{'' if models == 1 else 's'}: {listed}"


def not_proven(proofs: Sequence[Row]) -> str:
    """How much keeps proofs from holding: "the gate is NOT proven: 1 survivor"."""
    counted = (
        ("survivors", "survivor", "survivors"),
        ("alarms", "false alarm", "false alarms"),
        ("errors", "fault that could not be planted", "faults that could not be planted"),
        ("unproven", "fault without enough time", "faults without enough time"),
    )
    found = [(sum(len(row[key]) for row in proofs), one, many) for key, one, many in counted]
    said = ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in found if n)
    return ": ".join(filter(None, ("the gate is NOT proven", said)))


def whose(row: Row) -> str:
    """The row's subject: "mnist_cnn/int8_qat"."""
    return f"{row['model']}/{row['recipe']}" if row["recipe"] else row["model"]


def figures(row: Row) -> tuple[str, str, str, str]:
    """Value, limit, margin and evidence of a verdict, as a table shows them."""
    unit = Unit(row["unit"])
    limit = f"{row['relation']} {text(row['limit'], unit)}"
    margin = text(row["margin"], unit, signed=True)
    return text(row["value"], unit), limit, margin, evidence(row)


def evidence(row: Row) -> str:
    """How many samples, and the interval; "exact" where there is neither.

    A pass whose interval reaches beyond the limit says that another limit decided.
    """
    unit = Unit(row["unit"])
    parts = [f"n = {row['n']:,}"] if row["n"] else []
    if row["interval"]:
        low, high = (text(row["interval"][end], unit) for end in ("low", "high"))
        parts.append(f"{low} to {high}")
        parts += ["proven one-sided"] if _reaches_beyond(row) else []
    return ", ".join(parts) or "exact"


def _reaches_beyond(row: Row) -> bool:
    """Whether a pass was decided by a one-sided limit that keeps what the interval does not."""
    low, high = row["interval"]["low"], row["interval"]["high"]
    beyond = high > row["limit"] if row["relation"] == "<=" else low < row["limit"]
    return bool(row["verdict"] == "pass" and beyond)


RECIPE_HEAD = (
    *("recipe", "", "quality", "against its reference", "against float32"),
    *("bytes", "ratio", "compressed", "arena", "quickest"),
)
"""What a recipe's name, its role and its figures stand under."""
_BESIDE = {"compressed_bytes": Unit.BYTES, "arena": Unit.BYTES, "latency": Unit.SECONDS}
"""Figures of a recipe that older reports do not hold."""


def recipe_figures(row: Row) -> tuple[str, ...]:
    """Quality, both drops, bytes, ratio, compressed bytes, arena, latency, as a table has them."""
    drops = (row["drop"], row["drop_from_baseline"])
    return (
        _quality(row),
        *("" if d is None else text(-d, Unit.POINTS, signed=True) for d in drops),
        text(row["bytes"], Unit.BYTES),
        "" if row["size_ratio"] is None else text(row["size_ratio"], Unit.RATIO),
        *(_told(row.get(name), unit) for name, unit in _BESIDE.items()),
    )


def _quality(row: Row) -> str:
    """Top-1 where there is one, and each metric: "97.06 %, f1 0.8800"."""
    parts = [] if row["accuracy"] is None else [text(row["accuracy"], Unit.PERCENT)]
    for name, one in (row.get("metrics") or {}).items():
        parts.append(f"{name} {text(one['value'], Unit(one['unit']))}")
    return ", ".join(parts)


def _told(value: float | None, unit: Unit) -> str:
    return "" if value is None else text(value, unit)
