"""Merge the reports of several legs into one; a leg that did not report is an error."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from litegate.report.json_report import document
from litegate.report.outcomes import Report, Row, is_good
from litegate.report.run_record import Place, Run, error_row

_COMPARED = ("litegate", "litert", "python", "toolchain", "kernels", "threads", "processor")
"""Fields of the environment that must be equal for numbers of two legs to be comparable."""
_UNKNOWN = dict.fromkeys((*_COMPARED, "cores", "store", "data"), "unknown")
_NO_ENVIRONMENT: Mapping[str, Any] = _UNKNOWN | {"toolchain": {}, "threads": 0}
"""The environment of a merge of no reports."""
_MERGE = Place(
    id="litegate merge",
    model="",
    recipe="",
    check="merge",
    requirement="Every leg reports its verdicts.",
    file="",
    line=0,
)
_COMPLETE = (0, 1)
"""pytest's exit statuses after a complete run: passed, or tests failed; higher ones are
interruptions and errors, after which rows may be missing."""


def merge(
    reports: Mapping[str, Report], expected: Iterable[str], damaged: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Merge reports, given by the legs' names, into one.

    Each `expected` model must have a row in a report. A leg is an error if it was interrupted,
    gated nothing, failed for a reason that no row explains, or left a `damaged` report (by leg,
    the reason). Expecting no model is an error, too.
    """
    models = list(dict.fromkeys(expected))
    run = Run(environment=_environment(reports), strict=any(r["strict"] for r in reports.values()))
    run.errors += [_error("", f"leg {leg}: {reason}") for leg, reason in (damaged or {}).items()]
    run.errors += [row for leg, report in reports.items() for row in _leg_errors(leg, report)]
    run.errors += _missing_models(models, reports)
    run.errors += _mismatches(reports)
    for report in reports.values():
        _add_rows(run, report)
    run.notes += [*_differences(reports), *_unexpected(models, reports)]
    merged = document(run) | _optional_fields(reports) | {"exit_status": 0}
    return merged if is_good(merged) else merged | {"exit_status": 1}


def failure(message: str) -> dict[str, Any]:
    """Return a report whose only row is an error: the reason why there is no report."""
    row = error_row(replace(_MERGE, id="report", check="report", requirement="-"), message)
    run = Run(environment=_NO_ENVIRONMENT, strict=False, errors=[row])
    return document(run) | {"exit_status": 1}


def _error(model: str, message: str) -> dict[str, Any]:
    return error_row(replace(_MERGE, model=model), message)


def _leg_errors(leg: str, report: Report) -> Iterator[Row]:
    """Yield an error if a leg's report must not count."""
    status = report["exit_status"]
    if status not in _COMPLETE:
        yield _error(
            "", f"leg {leg} was interrupted (exit status {status}): its report is incomplete"
        )
    elif not report["verdicts"] and not report["errors"]:
        yield _error("", f"leg {leg} gated nothing, which is not a pass")
    elif _looks_good(report) != (status == 0):
        outcome = f"leg {leg} ended with exit status {status}, which its rows do not explain"
        yield _error("", f"{outcome}: check its log for a failed test that is not a check")


def _looks_good(report: Report) -> bool:
    return is_good({**report, "exit_status": 0})


def _missing_models(expected: list[str], reports: Mapping[str, Report]) -> Iterator[Row]:
    if not expected:
        yield _error("", "no model was expected, so nothing was gated")
    reported = _models(reports)
    for model in expected:
        if model not in reported:
            yield _error(model, f"no leg reported {model}: it was skipped, cancelled or crashed")


def _mismatches(reports: Mapping[str, Report]) -> Iterator[Row]:
    """Yield an error if the legs judged different commits or compared with different bases."""
    bases, heads = (_commits(reports, key) for key in ("base", "head"))
    if len(bases) > 1:
        yield _error("", f"the legs were compared with different bases: {', '.join(bases)}")
    if len(heads) > 1:
        listed = ", ".join(sorted(heads))
        yield _error("", f"the legs judged different commits: {listed}; run every leg on one")


def _commits(reports: Mapping[str, Report], key: str) -> set[str]:
    commits = (report.get(key) or {} for report in reports.values())
    return {str(commit.get("commit")) for commit in commits if commit}


def _models(reports: Mapping[str, Report]) -> set[str]:
    return {
        row["model"]
        for report in reports.values()
        for key in ("verdicts", "errors")
        for row in report[key]
    }


def _unexpected(expected: list[str], reports: Mapping[str, Report]) -> list[str]:
    unexpected = sorted(_models(reports).difference(expected, [""]))
    return [f"{model} was reported by a leg but not expected" for model in unexpected]


def _add_rows(run: Run, report: Report) -> None:
    """Add a leg's rows; one that several legs have, such as of the whole change, counts once."""
    run.verdicts += _new(report["verdicts"], run.verdicts)
    run.errors += _new(report["errors"], run.errors)
    run.recipes += _new(report["recipes"], run.recipes)
    run.repairs += _new(report.get("repairs") or [], run.repairs)
    run.runtimes += _new(report.get("runtimes") or [], run.runtimes)
    run.not_gated |= {row["model"]: row["reason"] for row in report["not_gated"]}
    run.not_measured |= {row["id"]: row["reason"] for row in report["not_measured"]}
    run.artifacts |= report["artifacts"]
    run.unset_limits |= report.get("unset_limits") or {}
    run.reproduce = run.reproduce or report.get("reproduce") or ""
    run.folder = run.folder or report.get("folder") or ""
    run.unlimited += [name for name in report.get("unlimited") or [] if name not in run.unlimited]
    run.proofs += _new(report.get("proofs") or [], run.proofs)
    run.notes += [note for note in report["notes"] if note not in run.notes]


def _new(rows: Iterable[Row], known: Iterable[Row]) -> list[Row]:
    seen = {_serialized(row) for row in known}
    return [row for row in rows if _serialized(row) not in seen]


def _serialized(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _environment(reports: Mapping[str, Report]) -> Mapping[str, Any]:
    environment: Mapping[str, Any] = next(
        (report["environment"] for report in reports.values()), _NO_ENVIRONMENT
    )
    return environment


def _differences(reports: Mapping[str, Report]) -> Iterator[str]:
    """Yield a note for each field of the environment that differs between legs."""
    for key in _COMPARED:
        legs: dict[str, list[str]] = {}
        for leg, report in reports.items():
            legs.setdefault(_serialized(report["environment"].get(key)), []).append(leg)
        if len(legs) > 1:
            listed = "; ".join(f"{value} ({', '.join(names)})" for value, names in legs.items())
            yield f"the legs differ in their {key}: {listed}"


def _optional_fields(reports: Mapping[str, Report]) -> dict[str, Any]:
    """Return the merged optional fields: commits, waivers, and the data of the page."""
    fields: dict[str, Any] = {
        "head": next((report["head"] for report in reports.values() if report.get("head")), None)
    }
    bases = [report["base"] for report in reports.values() if report.get("base")]
    if any("base" in report for report in reports.values()):
        fields["base"] = bases[0] if bases else None
    waivers = [waiver for report in reports.values() for waiver in report.get("waivers") or []]
    if any("waivers" in report for report in reports.values()):
        fields["waivers"] = list({_serialized(waiver): waiver for waiver in waivers}.values())
    comparisons = [row for report in reports.values() for row in report.get("comparisons") or []]
    splits = [report.get("splits") or {} for report in reports.values()]
    sources = {str(report.get("sources", "")) for report in reports.values()}
    fields |= {"sources": sources.pop()} if len(sources) == 1 else {}
    return fields | {"comparisons": comparisons, "splits": dict(ChainMap(*splits))}
