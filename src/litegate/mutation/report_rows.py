"""A proof in JSON's types, as `report.json` holds it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from litegate.mutation.grades import Climb
from litegate.mutation.promises import promises
from litegate.mutation.proof import Proof
from litegate.mutation.result import Said


def proof_row(proof: Proof, seconds: float) -> dict[str, Any]:
    """One candidate's proof."""
    names = {check.id: check.name for check in proof.checks}
    return {
        "model": proof.scene.model.name,
        "recipe": proof.scene.recipe.name,
        "holds": proof.holds,
        "seconds": round(seconds, 1),
        "seed": proof.scene.seed,
        "comparisons": len(proof.calm),
        "alarms": list(proof.alarms),
        "alarm_rate_below": alarm_rate_below(len(proof.alarms), len(proof.calm)),
        "checks": list(names.values()),
        "faults": [_fault_row(one, names) for one in proof.climbs],
        "survivors": [asdict(one) for one in proof.survivors],
        "errors": list(proof.errors),
        "unproven": list(proof.unproven),
        "idle": _idle(proof),
        "noise": proof.noise,
    }


def _fault_row(climb: Climb, names: dict[str, str]) -> dict[str, Any]:
    by: dict[str, float] = {}
    for grade in sorted(climb.results, reverse=True):
        by |= {names.get(id_, id_): grade for id_ in climb.noticed(grade)}
    fault = climb.fault
    return {
        "name": fault.name,
        "family": fault.family.value,
        "summary": fault.summary,
        "expect": fault.expect.value,
        "unit": fault.ladder.unit,
        "must": fault.ladder.must,
        "grades": list(fault.ladder.grades),
        "played": sorted(climb.results),
        "smallest": climb.smallest,
        "noticed_by": by,
        "unplantable": climb.unplantable,
    }


def _idle(proof: Proof) -> list[str]:
    """Checks of other measurements than litegate's that were asked and noticed no fault at all."""
    noticed = {id_ for one in proof.climbs for grade in one.results for id_ in one.noticed(grade)}
    asked = {
        id_
        for one in proof.climbs
        for results in one.results.values()
        for id_, result in results.items()
        if result.said is not Said.OMITTED
    }
    ours = promises(proof.scene).keys()
    known = {id_ for id_, one in proof.before.items() if ours & one.measured.keys()}
    return [check.name for check in proof.checks if check.id in asked - noticed - known]


def alarm_rate_below(alarms: int, comparisons: int) -> float | None:
    """Clopper and Pearson's one-sided 95 % upper limit of the rate of false alarms (1934).

    None where nothing was compared.
    """
    if not comparisons:
        return None
    if alarms >= comparisons:
        return 1.0
    low, high = alarms / comparisons, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        low, high = (rate, high) if _at_most(alarms, comparisons, rate) > 0.05 else (low, rate)
    return float(high)


def _at_most(alarms: int, n: int, rate: float) -> float:
    """The chance of no more than so many alarms in n comparisons."""
    term = total = (1 - rate) ** n
    for k in range(alarms):
        term *= (n - k) / (k + 1) * rate / (1 - rate)
        total += term
    return float(total)
