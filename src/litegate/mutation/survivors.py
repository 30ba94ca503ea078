"""Find survivors: faults that no check noticed, and limits that no check enforces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.measures.names import since_anchor_name
from litegate.mutation.expected_checks import expected_checks, measurements_for
from litegate.mutation.faults import Scene
from litegate.mutation.grades import FaultRun
from litegate.mutation.remedies import Remedies
from litegate.mutation.result import CheckOutcome, CheckResult

_MOST_FAULTS = 3
"""A survivor's sentence names at most three faults, so that it stays one readable line."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A defect that the gate would let through."""

    what: str
    """The fault that no check noticed, or the measurement that noticed no fault."""
    sentence: str
    remedy: str
    measurements: tuple[str, ...]
    """The measurements that should have noticed."""
    is_fault: bool
    """False if it is a measurement."""


def survivors(
    scene: Scene,
    fault_runs: Sequence[FaultRun],
    sound_results: Mapping[str, CheckResult],
    names: Mapping[str, str],
) -> tuple[Survivor, ...]:
    """Return all survivors; `sound_results` and `names` of the checks are by check id."""
    remedies = Remedies(scene=scene, sound_results=sound_results, names=names)
    return (*_unnoticed_faults(fault_runs, remedies), *_idle_measurements(fault_runs, remedies))


def _unnoticed_faults(fault_runs: Iterable[FaultRun], remedies: Remedies) -> Iterator[Survivor]:
    """Yield the faults that no check noticed at a grade that some check must notice."""
    for run in fault_runs:
        ladder = run.fault.ladder
        missed = [g for g in run.results if g >= ladder.must and not run.noticing_checks(g)]
        if not missed:
            continue
        crashes = [
            result.message
            for result in run.results[max(missed)].values()
            if result.outcome is CheckOutcome.CRASH
        ]
        crash_text = f", but crashed: {crashes[0]}" if crashes else ""
        graded = _with_grade(run, max(missed))
        yield Survivor(
            what=run.fault.name,
            sentence=f"nobody noticed {graded}{crash_text}: {run.fault.summary}",
            remedy=remedies.for_fault(run, max(missed)),
            measurements=measurements_for(run.fault, remedies.scene),
            is_fault=True,
        )


def _idle_measurements(fault_runs: Sequence[FaultRun], remedies: Remedies) -> Iterator[Survivor]:
    """Yield the limited measurements that no check takes or that miss even the largest grade."""
    scene, sound_results = remedies.scene, remedies.sound_results
    all_expected = expected_checks(scene)
    for name, runs in _runs_by_measurement(scene, fault_runs).items():
        expected = all_expected.get(name)
        measuring = [id_ for id_, result in sound_results.items() if name in result.verdicts]
        if expected and expected.applies_to(scene) and not measuring:
            yield Survivor(
                what=name,
                sentence=f"no check measures the {name}",
                remedy=expected.suggestion,
                measurements=(name,),
                is_fault=False,
            )
        # a check that fails on the sound scene already is a false alarm, and shows nothing here
        passing = [id_ for id_ in measuring if not sound_results[id_].verdicts[name].is_alarm]
        missed = [run for run in runs if passing and not _is_noticed(run, passing, name)]
        if missed:
            yield Survivor(
                what=name,
                sentence=f"the {name} noticed nothing of {_listed(missed)}",
                remedy=remedies.for_measurement(name, missed),
                measurements=(name,),
                is_fault=False,
            )


def _runs_by_measurement(scene: Scene, fault_runs: Iterable[FaultRun]) -> dict[str, list[FaultRun]]:
    """Group the planted faults by the measurements that should notice them.

    A measurement against the anchor should notice what the same one against the base does.
    """
    runs: dict[str, list[FaultRun]] = {}
    for run in fault_runs:
        if not run.results:
            continue
        drifts = map(since_anchor_name, run.fault.noticed_by)
        for name in dict.fromkeys((*measurements_for(run.fault, scene), *drifts)):
            runs.setdefault(name, []).append(run)
    return runs


def _is_noticed(fault_run: FaultRun, check_ids: Iterable[str], name: str) -> bool:
    """Return True if a check's measurement `name` noticed the largest grade, or no check ran."""
    results = fault_run.results[fault_run.largest_planted]
    ran = [results[id_] for id_ in check_ids if id_ in results]
    if not ran or all(result.outcome is CheckOutcome.OMITTED for result in ran):
        return True  # latency checks run only on latency faults, so this proves nothing
    return any(result.notices(fault_run.fault.expect, name) for result in ran)


def _listed(fault_runs: Sequence[FaultRun]) -> str:
    """Return the first faults with their largest grades, and the number of further ones."""
    shown = ", ".join(_with_grade(run, run.largest_planted) for run in fault_runs[:_MOST_FAULTS])
    further = len(fault_runs) - _MOST_FAULTS
    return f"{shown} and {further} more" if further > 0 else shown


def _with_grade(fault_run: FaultRun, grade: float) -> str:
    grade_text = fault_run.fault.ladder.text(grade)
    return f"{fault_run.fault.name} at {grade_text}" if grade_text else fault_run.fault.name
