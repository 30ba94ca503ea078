"""Plant the faults of the gate's own wiring: a check without a body, a missing report."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from litegate.gate.prove.rerun import run_emptied
from litegate.mutation.faults import ONCE, Expect, Family, Fault, Scene
from litegate.mutation.grades import FaultRun
from litegate.mutation.result import CheckOutcome, CheckResult
from litegate.report.merge import merge
from litegate.report.outcomes import is_good

MERGE = "litegate merge"


def run_wiring_faults(scene: Scene, items: Mapping[str, pytest.Item]) -> list[FaultRun]:
    """Plant each wiring fault once and return who noticed.

    One emptied check stands for all, because the gate itself notices it, not the check.
    """
    first_item = list(items.items())[:1]
    emptied = {id_: run_emptied(item, scene) for id_, item in first_item}
    return [
        _fault_run(
            "check_requires_nothing",
            "A check uses the fixture `require` and never calls it.",
            emptied,
        ),
        _fault_run(
            "report_missing",
            "A job of the CI matrix leaves no report.",
            _merge_without_report(scene),
        ),
    ]


def _merge_without_report(scene: Scene) -> Mapping[str, CheckResult]:
    """Merge the reports of a matrix whose only leg left none."""
    report = merge({}, [scene.model.name])
    messages = [str(row["message"]) for row in report["errors"]]
    outcome = CheckOutcome.PASS if is_good(report) else CheckOutcome.ERROR
    return {MERGE: CheckResult(outcome=outcome, message="; ".join(messages))}


def _fault_run(name: str, summary: str, results: Mapping[str, CheckResult]) -> FaultRun:
    fault = Fault(
        name=name,
        family=Family.PLUMBING,
        summary=summary,
        plant=_leave_unchanged,
        ladder=ONCE,
        noticed_by=(),
        expect=Expect.FAIL,
    )
    return FaultRun(fault=fault, results={ONCE.top: results})


def _leave_unchanged(scene: Scene, _grade: float) -> Scene:
    """Return the scene as it is: the fault lies in the wiring, not in an artifact."""
    return scene
