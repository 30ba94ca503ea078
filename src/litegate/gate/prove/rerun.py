"""Run pytest items again, with the artifacts of a scene in place of the run's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from litegate.core.units import Unit
from litegate.gate.checks import verdicts
from litegate.gate.checks.pytest_items import case_of, fixtures_of, is_latency, runtime_of
from litegate.gate.state import SCENE
from litegate.measures.measurement import Relation
from litegate.measures.names import without_runtime
from litegate.mutation.faults import Scene
from litegate.mutation.result import CheckInfo, CheckOutcome, CheckResult, MeasuredValue
from litegate.spec.runtimes import XNNPACK

_BY_SEVERITY = (
    CheckOutcome.OMITTED,
    CheckOutcome.PASS,
    CheckOutcome.INCONCLUSIVE,
    CheckOutcome.FAIL,
    CheckOutcome.ERROR,
    CheckOutcome.CRASH,
)


def check_info(item: pytest.Item) -> CheckInfo:
    """Describe an item for the prover."""
    fixtures = fixtures_of(item)
    return CheckInfo(
        id=item.nodeid,
        name=_short_name(item),
        is_latency=is_latency(item),
        uses_base=bool({"base", "anchor"}.intersection(fixtures)),
        uses_reference="reference" in fixtures,
        runs_elsewhere=runtime_of(item) != XNNPACK,
    )


def _short_name(item: pytest.Item) -> str:
    """Return the name of an item's function, with its parameters except the case."""
    case = case_of(item)
    name, _, parameters = item.name.rstrip("]").partition("[")
    if case:
        parameters = parameters.replace(case.id, "").strip("-")
    return f"{name}[{parameters}]" if parameters else name


def run_items(
    items: Mapping[str, pytest.Item], scene: Scene, ids: Sequence[str]
) -> dict[str, CheckResult]:
    """Run the items with these ids on a scene, one after the other."""
    selected = [items[id_] for id_ in ids]
    next_items = [*selected, None][1:]
    return {
        item.nodeid: _check_result(_run(item, next_item, scene))
        for item, next_item in zip(selected, next_items, strict=True)
    }


def run_emptied(item: pytest.Item, scene: Scene) -> CheckResult:
    """Run an item as if its function had no body."""
    if not isinstance(item, pytest.Function):
        return _check_result(_run(item, None, scene))
    function = item.obj
    item.obj = _empty_check
    try:
        return _check_result(_run(item, None, scene))
    finally:
        item.obj = function


def _empty_check(**_fixtures: object) -> None:
    """Take the fixtures of any check, and require nothing."""


def _run(item: pytest.Item, next_item: pytest.Item | None, scene: Scene) -> list[pytest.TestReport]:
    """Set up, call and tear down an item with new fixtures, without logging its reports."""
    verdicts.forget(item)
    if isinstance(item, pytest.Function):
        # pytest has no public way to reset fixtures; pytest-rerunfailures does the same
        item._initrequest()  # noqa: SLF001
    item.config.stash[SCENE] = scene
    try:
        return runtestprotocol(item, log=False, nextitem=next_item)
    finally:
        item.config.stash[SCENE] = None


def _check_result(reports: Sequence[pytest.TestReport]) -> CheckResult:
    """Combine an item's reports of set-up, call and tear-down; the worst outcome counts."""
    outcomes: dict[str, CheckOutcome] = {}
    values: dict[str, MeasuredValue] = {}
    messages: list[str] = []
    misdirected: list[str] = []
    worst = CheckOutcome.PASS
    for report in reports:
        rows: dict[str, Any] = getattr(report, "litegate", {})
        for row in rows.get("verdicts", ()):
            name = without_runtime(row["measurement"])  # the check is that runtime's
            outcome = CheckOutcome.PASS if row["waived"] else CheckOutcome(row["verdict"])
            outcomes[name] = _worst(outcome, outcomes.get(name, outcome))
            values.setdefault(name, _measured_value(row))
            if outcome is CheckOutcome.FAIL:
                messages.append(row["sentence"])
        misdirected += rows.get("misdirected", ())
        messages += [str(row["message"]) for row in rows.get("errors", ())]
        worst = _worst(worst, _report_outcome(report, rows))
    worst = _worst(worst, *outcomes.values())
    message = messages[0] if messages else ""
    return CheckResult(
        outcome=worst,
        verdicts=outcomes,
        values=values,
        message=message,
        misdirected=tuple(dict.fromkeys(misdirected)),
    )


def _measured_value(row: Mapping[str, Any]) -> MeasuredValue:
    interval = row["interval"]
    return MeasuredValue(
        value=row["value"],
        relation=Relation(row["relation"]),
        limit=row["limit"],
        unit=Unit(row["unit"]),
        n=row["n"],
        interval=interval and (interval["low"], interval["high"]),
    )


def _worst(*outcomes: CheckOutcome) -> CheckOutcome:
    return max(outcomes, key=_BY_SEVERITY.index)


def _report_outcome(report: pytest.TestReport, rows: Mapping[str, Any]) -> CheckOutcome:
    if report.outcome == "skipped":
        return CheckOutcome.OMITTED
    if report.outcome == "passed":
        return CheckOutcome.PASS
    if rows.get("crashed"):
        return CheckOutcome.CRASH
    return CheckOutcome.ERROR if rows.get("errors") else CheckOutcome.FAIL
