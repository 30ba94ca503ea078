"""The reports of several legs, one a model, become one verdict. Who did not report, fails it."""

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
"""What must be the same for the numbers of two legs to be compared."""
_UNKNOWN = dict.fromkeys((*_COMPARED, "cores", "store", "data"), "unknown")
_NOWHERE: Mapping[str, Any] = _UNKNOWN | {"toolchain": {}, "threads": 0}
"""The environment of a merge to which no leg came."""
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
"""pytest's exit statuses after which a report holds everything that was asked for."""


def merge(
    reports: Mapping[str, Report], expected: Iterable[str], damaged: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One report out of the legs' reports, by the legs' names.

    Each `expected` model must have a row in the report of a leg that ended well or failed well. A
    leg that was interrupted, that gated nothing, that failed for what no row tells, or whose report
    is `damaged` (by leg, the reason), is an error, and so is a merge that expects nothing.
    """
    wanted = list(dict.fromkeys(expected))
    run = Run(environment=_environment(reports), strict=any(r["strict"] for r in reports.values()))
    run.errors += [_error("", f"leg {leg}: {why}") for leg, why in (damaged or {}).items()]
    run.errors += [row for leg, report in reports.items() for row in _faults(leg, report)]
    run.errors += _absent(wanted, reports)
    run.errors += _split(reports)
    for report in reports.values():
        _take(run, report)
    run.notes += [*_differences(reports), *_unexpected(wanted, reports)]
    merged = document(run) | _carried(reports) | {"exit_status": 0}
    return merged if is_good(merged) else merged | {"exit_status": 1}


def failure(message: str) -> dict[str, Any]:
    """A report of nothing but the reason why there is none."""
    row = error_row(replace(_MERGE, id="report", check="report", requirement="-"), message)
    run = Run(environment=_NOWHERE, strict=False, errors=[row])
    return document(run) | {"exit_status": 1}


def _error(model: str, message: str) -> dict[str, Any]:
    return error_row(replace(_MERGE, model=model), message)


def _faults(leg: str, report: Report) -> Iterator[Row]:
    """Why a leg's report cannot count."""
    status = report["exit_status"]
    if status not in _COMPLETE:
        yield _error(
            "", f"leg {leg} was interrupted (exit status {status}): its report is no whole"
        )
    elif not report["verdicts"] and not report["errors"]:
        yield _error("", f"leg {leg} gated nothing, which is no pass")
    elif _looks_good(report) != (status == 0):
        said = f"leg {leg} ended with exit status {status}, which its rows do not explain"
        yield _error("", f"{said}: look in its log for a test that failed and is no check")


def _looks_good(report: Report) -> bool:
    return is_good({**report, "exit_status": 0})


def _absent(wanted: list[str], reports: Mapping[str, Report]) -> Iterator[Row]:
    if not wanted:
        yield _error("", "no model was expected, so nothing was gated")
    found = _models(reports)
    for model in wanted:
        if model not in found:
            yield _error(model, f"no leg reported {model}: it was skipped, cancelled or crashed")


def _split(reports: Mapping[str, Report]) -> Iterator[Row]:
    """Legs of different commits, or held against different ones, say nothing of one change."""
    commits = {str(base.get("commit")) for r in reports.values() if (base := r.get("base") or {})}
    if len(commits) > 1:
        yield _error("", f"the legs were held against different bases: {', '.join(commits)}")
    heads = {str(head.get("commit")) for r in reports.values() if (head := r.get("head") or {})}
    if len(heads) > 1:
        listed = ", ".join(sorted(heads))
        yield _error("", f"the legs judged different commits: {listed}; run every leg on one")


def _models(reports: Mapping[str, Report]) -> set[str]:
    rows = (row for r in reports.values() for key in ("verdicts", "errors") for row in r[key])
    return {row["model"] for row in rows}


def _unexpected(wanted: list[str], reports: Mapping[str, Report]) -> list[str]:
    found = sorted(_models(reports).difference(wanted, [""]))
    return [f"{model} was reported by a leg and not expected" for model in found]


def _take(run: Run, report: Report) -> None:
    """Add a leg's rows; one that another leg has, too, such as of the whole change, counts once."""
    run.verdicts += _new(report["verdicts"], run.verdicts)
    run.errors += _new(report["errors"], run.errors)
    run.recipes += _new(report["recipes"], run.recipes)
    run.not_gated |= {row["model"]: row["reason"] for row in report["not_gated"]}
    run.not_measured |= {row["id"]: row["reason"] for row in report["not_measured"]}
    run.artifacts |= report["artifacts"]
    run.proofs += _new(report.get("proofs") or [], run.proofs)
    run.notes += [note for note in report["notes"] if note not in run.notes]


def _new(rows: Iterable[Row], known: Iterable[Row]) -> list[Row]:
    seen = {_written(row) for row in known}
    return [row for row in rows if _written(row) not in seen]


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _environment(reports: Mapping[str, Report]) -> Mapping[str, Any]:
    environment: Mapping[str, Any] = next(
        (report["environment"] for report in reports.values()), _NOWHERE
    )
    return environment


def _differences(reports: Mapping[str, Report]) -> Iterator[str]:
    """A note for each part of the environment that was not the same for every leg."""
    for key in _COMPARED:
        legs: dict[str, list[str]] = {}
        for leg, report in reports.items():
            legs.setdefault(_written(report["environment"].get(key)), []).append(leg)
        if len(legs) > 1:
            listed = "; ".join(f"{value} ({', '.join(names)})" for value, names in legs.items())
            yield f"the legs differ in their {key}: {listed}"


def _carried(reports: Mapping[str, Report]) -> dict[str, Any]:
    """What a comparison with a base adds to a report, and what its page is made of."""
    carried: dict[str, Any] = {
        "head": next((r["head"] for r in reports.values() if r.get("head")), None)
    }
    bases = [report["base"] for report in reports.values() if report.get("base")]
    if any("base" in report for report in reports.values()):
        carried["base"] = bases[0] if bases else None
    waivers = [waiver for r in reports.values() for waiver in r.get("waivers") or []]
    if any("waivers" in report for report in reports.values()):
        carried["waivers"] = list({_written(waiver): waiver for waiver in waivers}.values())
    compared = [row for r in reports.values() for row in r.get("comparisons") or []]
    splits = [r.get("splits") or {} for r in reports.values()]
    sources = {str(report.get("sources", "")) for report in reports.values()}
    carried |= {"sources": sources.pop()} if len(sources) == 1 else {}
    return carried | {"comparisons": compared, "splits": dict(ChainMap(*splits))}
