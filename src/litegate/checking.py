"""What happens around one check: what it asks for, what it requires, what its report carries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from litegate.errors import ConfigError, LitegateError, MeasurementError
from litegate.gate import KEY, ROLES
from litegate.items import case_of, fixtures_of, is_latency, requirement_of, requires
from litegate.measurement import Outcome, Verdict
from litegate.reports.record import Place, error_row, verdict_row
from litegate.requirement import PromiseBroken, Require
from litegate.selection import Case
from litegate.session import BASELINE, NotGated
from litegate.spec import Artifact
from litegate.units import text

_ROWS = pytest.StashKey[list[dict[str, Any]]]()
_OMITTED = pytest.StashKey[str]()
_NOT_GATED = pytest.StashKey[str]()
_ENDED = pytest.StashKey[bool]()


def refuse_unmeasurable(item: pytest.Item) -> None:
    """Omit a latency check where the person asked for it; raise where it cannot be measured."""
    if not (item.config.stash[KEY].is_check(item.path) and is_latency(item)):
        return
    from litegate.measures.latency_rule.fixture import omission

    omitted = omission(partial(item.config.getoption, default=None), os.environ)
    if omitted and omitted.asked:
        item.stash[_OMITTED] = str(omitted)
        pytest.skip(f"latency was not measured: {omitted}")
    if omitted:
        raise MeasurementError(
            f"latency was not measured: {omitted}",
            remedy="run it apart (`pytest checks/ -m latency`), and the rest with "
            '`-n ... -m "not latency"`, or leave it out with --benchmark-disable',
        )


def _given(item: pytest.Item, option: str) -> bool:
    return bool(item.config.getoption(option, default=False))


def artifact(request: pytest.FixtureRequest, case: Case, role: str) -> Artifact:
    """The artifact of one role, or a skip that says NOT GATED, or the error that prevented it."""
    __tracebackhide__ = True
    if role in ROLES:
        return request.config.stash[KEY].session.counterparts[role].artifact(case)
    if case.recipe is None and role != "baseline":
        raise ConfigError(f"this check has no recipe, so it has no {role}")
    recipe = BASELINE
    if case.recipe and role != "baseline":
        recipe = case.recipe.name if role == "candidate" else case.recipe.reference.name
    try:
        return request.config.stash[KEY].session.artifact(case.model, recipe)
    except NotGated as reason:
        request.node.stash[_NOT_GATED] = str(reason)
        pytest.skip(f"{case.model.name} was NOT GATED, for the reason told below")


def requirer(request: pytest.FixtureRequest) -> Iterator[Require]:
    """Record this item's verdicts; an item that made none although nothing failed is an error."""
    item, gate = request.node, request.config.stash[KEY]
    rows: list[dict[str, Any]] = []
    item.stash[_ROWS] = rows

    def record(said: Verdict) -> Verdict | None:
        verdict = _as_separated(item, said)
        found = verdict.measurement
        row = verdict_row(_place(item), verdict)
        rows.append(row | {"waived": gate.excuse(row)})
        item.user_properties.append((found.name, text(found.value, found.unit)))
        return None if rows[-1]["waived"] else verdict

    yield Require(gate.options.strict, record)
    if not rows and not item.stash.get(_ENDED, False):
        raise ConfigError(
            "this check asked for require and never called it, so it promised nothing",
            remedy="call require(measurement <= limit), or drop the argument",
        )


def _as_separated(item: pytest.Item, verdict: Verdict) -> Verdict:
    """No verdict against a base that another tool chain had to build again."""
    case = case_of(item)
    sides = item.config.stash[KEY].session.counterparts
    asked = (side for role, side in sides.items() if role in fixtures_of(item))
    if case is None or not any(case.id in side.unseparated for side in asked):
        return verdict
    note = "tool chain changed, its effect is not separated"
    return replace(verdict, outcome=Outcome.INCONCLUSIVE, note=note)


def annotate(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> pytest.TestReport:
    """Attach a check's rows to its report; no skip and no xfail of a check counts for a pass."""
    if not item.config.stash[KEY].is_check(item.path):
        return report
    if not requires(item):
        report.__dict__["litegate"] = _NO_ROWS
        return report
    _refuse_silence(item, report)
    _refuse_swallowed(item, report)
    error = call.excinfo.value if call.excinfo else None
    if call.excinfo and isinstance(error, LitegateError):
        report.longrepr = item.config.stash[KEY].tell(error)
    elif call.excinfo and isinstance(error, PromiseBroken):
        call.excinfo.traceback = call.excinfo.traceback.cut(path=item.path)
        report.longrepr = call.excinfo.getrepr(style="short")
    if call.when == "call" or report.outcome != "passed":
        item.stash[_ENDED] = report.outcome != "passed"
        report.__dict__["litegate"] = _rows(item, call, report)
    return report


_NO_ROWS: Mapping[str, Any] = {"verdicts": [], "errors": [], "not_gated": {}, "not_measured": {}}


def _rows(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> dict[str, Any]:
    place = _place(item)
    error = call.excinfo.value if call.excinfo else None
    verdicts = item.stash.get(_ROWS, []) if call.when == "call" else []
    failed = report.outcome == "failed" and not isinstance(error, PromiseBroken)
    message = str(error) if isinstance(error, LitegateError) else report.longreprtext
    omitted, not_gated = item.stash.get(_OMITTED, ""), item.stash.get(_NOT_GATED, "")
    return {
        "verdicts": verdicts,
        "errors": [error_row(place, message)] if failed else [],
        "not_gated": {place.model: not_gated} if not_gated else {},
        "not_measured": {place.id: omitted} if omitted else {},
    }


def _place(item: pytest.Item) -> Place:
    case = case_of(item)
    return Place(
        id=item.nodeid,
        model=case.model.name if case else "",
        recipe=case.recipe.name if case and case.recipe else "",
        check=getattr(item, "originalname", item.name),
        requirement=requirement_of(item),
        **_pointed_at(item, case),
    )


def _pointed_at(item: pytest.Item, case: Case | None) -> dict[str, Any]:
    """The line that a person is sent to: that of the model, or of a check without one."""
    file, line = (case.model.file, case.model.line) if case else (item.path, item.location[1] or 0)
    root = item.config.rootpath.resolve()
    shown = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
    return {"file": shown.as_posix(), "line": line if case else line + 1}


def _refuse_swallowed(item: pytest.Item, report: pytest.TestReport) -> None:
    """A check that passes although a promise is broken, or although nothing was required, fails."""
    if report.when != "call" or report.outcome != "passed":
        return
    rows = item.stash.get(_ROWS, None)
    strict = item.config.stash[KEY].options.strict
    bad = ("fail", "inconclusive") if strict else ("fail",)
    broken = [r for r in rows or () if r["verdict"] in bad and not r["waived"]]
    if rows is None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} has a `require` of its own, which judges nothing"
    elif broken:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} caught its own failure: {broken[0]['sentence']}"


def _refuse_silence(item: pytest.Item, report: pytest.TestReport) -> None:
    """A check that skips itself, or is expected to fail, gates nothing: that is a failure."""
    said = _OMITTED in item.stash or _NOT_GATED in item.stash or _given(item, "benchmark_only")
    expected = hasattr(report, "wasxfail")
    if (report.outcome != "skipped" or said) and not expected:
        return
    report.outcome = "failed"
    how = "is marked xfail" if expected else "skipped itself"
    report.longrepr = f"{item.nodeid} {how}: a check that does not judge is no check"
    if expected:
        del report.wasxfail
