"""Convert a proof to the JSON types of `report.json`."""

from __future__ import annotations

from typing import Any

from litegate.measures.statistics.proportions import clopper_pearson_upper
from litegate.mutation.expected_checks import expected_checks
from litegate.mutation.grades import FaultRun
from litegate.mutation.proof import Proof
from litegate.mutation.result import CheckOutcome


def proof_row(proof: Proof, seconds: float) -> dict[str, Any]:
    """Return the row of one candidate's proof."""
    names = {check.id: check.name for check in proof.checks}
    alarms, comparisons = len(proof.false_alarms), len(proof.faultless_results)
    return {
        "model": proof.scene.model.name,
        "recipe": proof.scene.recipe.name,
        "holds": proof.is_proven,
        "seconds": round(seconds, 1),
        "seed": proof.scene.seed,
        "comparisons": comparisons,
        "alarms": list(proof.false_alarms),
        "alarm_rate_below": alarm_rate_below(alarms, comparisons),
        "checks": list(names.values()),
        "faults": [_fault_row(run, names) for run in proof.fault_runs],
        "survivors": [
            {"what": survivor.what, "sentence": survivor.sentence, "remedy": survivor.remedy}
            for survivor in proof.survivors
        ],
        "selection": proof.selection.how,
        "families": list(proof.selection.families),
        "not_tried": [
            {"what": survivor.what, "sentence": survivor.sentence, "is_fault": survivor.is_fault}
            for survivor in proof.not_tried
        ],
        "misdirected": list(proof.misdirected),
        "errors": list(proof.errors),
        "unproven": list(proof.unfinished),
        "idle": _idle_checks(proof),
        "noise": proof.training_noise,
    }


def _fault_row(fault_run: FaultRun, names: dict[str, str]) -> dict[str, Any]:
    noticed_by: dict[str, float] = {}
    # from the largest grade down, so that the smallest noticed grade of a check is the last set
    for grade in sorted(fault_run.results, reverse=True):
        noticed_by |= {names.get(id_, id_): grade for id_ in fault_run.noticing_checks(grade)}
    fault = fault_run.fault
    return {
        "name": fault.name,
        "family": fault.family.value,
        "summary": fault.summary,
        "expect": fault.expect.value,
        "unit": fault.ladder.unit,
        "must": fault.ladder.must,
        "grades": list(fault.ladder.grades),
        "played": sorted(fault_run.results),
        "smallest": fault_run.smallest_noticed,
        "noticed_by": noticed_by,
        "unplantable": fault_run.unplantable,
    }


def _idle_checks(proof: Proof) -> list[str]:
    """Return the names of the checks with only custom measurements that ran and noticed no fault.

    An idle check of one of litegate's own measurements is a survivor already.
    """
    noticing = {
        id_
        for run in proof.fault_runs
        for grade in run.results
        for id_ in run.noticing_checks(grade)
    }
    ran = {
        id_
        for run in proof.fault_runs
        for results in run.results.values()
        for id_, result in results.items()
        if result.outcome is not CheckOutcome.OMITTED
    }
    expected = expected_checks(proof.scene).keys()
    known = {
        id_ for id_, result in proof.sound_results.items() if expected & result.verdicts.keys()
    }
    return [check.name for check in proof.checks if check.id in ran - noticing - known]


def alarm_rate_below(alarms: int, comparisons: int) -> float | None:
    """Return the one-sided 95 % upper limit of the false alarm rate, or None without comparisons.

    The limit is exact (Clopper and Pearson 1934): the rate at which so few alarms have a
    probability of 5 %.
    """
    return clopper_pearson_upper(alarms, comparisons) if comparisons else None
