"""Plant a fault grade by grade, from the largest defect down, and record the check results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from litegate.core.errors import LitegateError
from litegate.mutation.expected_checks import OF_RUNTIMES, SLOW_MEASUREMENTS
from litegate.mutation.faults import Expect, Family, Fault, Scene, Unplantable
from litegate.mutation.result import CheckInfo, CheckResult, CheckRunner
from litegate.runtimes.inference import all_outputs


@final
@dataclass(slots=True, kw_only=True, eq=False)
class FaultRun:
    """A fault and the check results of the grades planted so far, starting with the largest."""

    fault: Fault
    results: dict[float, Mapping[str, CheckResult]] = field(default_factory=dict)
    """Results by grade, then by check id."""
    unplantable: str = ""
    """The reason why this model cannot have the fault; empty if it can."""
    error: str = ""
    """The error raised while planting the fault; if set, the fault proves nothing."""

    def noticing_checks(self, grade: float) -> tuple[str, ...]:
        """Return the ids of the checks that noticed a grade; empty for a grade not planted."""
        results = self.results.get(grade, {})
        return tuple(id_ for id_, result in results.items() if result.notices(self.fault.expect))

    @property
    def largest_planted(self) -> float:
        """The largest planted grade; raises ValueError if no grade has been planted."""
        return max(self.results)

    @property
    def smallest_noticed(self) -> float | None:
        """The smallest grade that any check noticed; None if no check noticed any."""
        noticed = [grade for grade in self.results if self.noticing_checks(grade)]
        return min(noticed, default=None)

    @property
    def next_grade(self) -> float | None:
        """The largest grade not planted yet; None if planting more would show nothing new."""
        if self.unplantable or self.error:
            return None
        planted = min(self.results, default=None)
        if planted is not None and not self.noticing_checks(planted):
            return None
        smaller = [g for g in self.fault.ladder.grades if planted is None or g < planted]
        return max(smaller, default=None)

    @property
    def is_complete(self) -> bool:
        """Return True if the fault was planted down to its `must` grade or cannot be planted."""
        if self.unplantable or self.error:
            return True
        planted = min(self.results, default=None)
        return planted is not None and (
            planted <= self.fault.ladder.must or not self.noticing_checks(planted)
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """Selects the checks that run on each fault, to save the time of the slow ones."""

    checks: Sequence[CheckInfo]
    sound_results: Mapping[str, CheckResult]
    """Results on the sound scene, which show what each check measures."""
    all_checks: bool = False
    """Whether every check runs on every fault."""

    def first_checks(self, fault: Fault) -> list[str]:
        """Return the checks to run first; slow ones only if the fault is meant for them."""
        return [check.id for check in self._candidates(fault) if self._runs_first(check, fault)]

    def remaining_checks(self, fault: Fault) -> list[str]:
        """Return the checks to run if none of `first_checks` noticed the fault."""
        first = self.first_checks(fault)
        return [check.id for check in self._candidates(fault) if check.id not in first]

    def _candidates(self, fault: Fault) -> list[CheckInfo]:
        """Return all checks that may run; latency checks only for latency faults."""
        includes_latency = self.all_checks or fault.family is Family.LATENCY
        return [check for check in self.checks if includes_latency or not check.is_latency]

    def _runs_first(self, check: CheckInfo, fault: Fault) -> bool:
        measurements = self.sound_results[check.id].verdicts.keys()
        is_slow = check.runs_elsewhere or not measurements.isdisjoint(SLOW_MEASUREMENTS)
        is_meant = not measurements.isdisjoint(fault.noticed_by)
        if check.runs_elsewhere and OF_RUNTIMES.isdisjoint(fault.noticed_by):
            is_meant = False  # the default runtime's check of the same measurement suffices
        return self.all_checks or not is_slow or is_meant


def run_next_grade(sound: Scene, fault_run: FaultRun, plan: CheckPlan, runner: CheckRunner) -> None:
    """Plant the next grade of a fault, run the checks on it and record their results.

    A check that did not notice a grade does not run on a smaller one.
    """
    grade = fault_run.next_grade
    if grade is None:
        return
    fault = fault_run.fault
    planted = min(fault_run.results, default=None)
    is_first = planted is None
    check_ids = plan.first_checks(fault) if planted is None else fault_run.noticing_checks(planted)
    try:
        scene = fault(sound, grade)
        if fault.expect is not Expect.REFUSED:
            _check_runs(scene, sound)
    except Unplantable as reason:
        fault_run.unplantable = str(reason)
    except LitegateError as error:
        fault_run.error = f"{_grade_prefix(fault, grade)}{error}"
    except Exception as error:  # noqa: BLE001 a fault may be the user's code and raise anything
        fault_run.error = f"{_grade_prefix(fault, grade)}{type(error).__name__}: {error}"
    else:
        fault_run.results[grade] = runner(scene, check_ids)
        if is_first and not fault_run.noticing_checks(grade):
            remaining = runner(scene, plan.remaining_checks(fault))
            fault_run.results[grade] = {**fault_run.results[grade], **remaining}


def _grade_prefix(fault: Fault, grade: float) -> str:
    grade_text = fault.ladder.text(grade)
    return f"{grade_text}: " if grade_text else ""


def _check_runs(scene: Scene, sound: Scene) -> None:
    """Run every planted file once with LiteRT. Raises ArtifactError if a file does not run."""
    planted = {
        artifact.sha256: artifact
        for artifact in (scene.candidate, scene.reference)
        if artifact.sha256 not in (sound.candidate.sha256, sound.reference.sha256)
    }
    sample = sound.candidate.evaluation.x[:1]
    for artifact in planted.values():
        all_outputs(
            artifact.tflite,
            sample,
            subject=f"the planted {artifact.name}",
            signature=artifact.signature,
        )


ReportStep = Callable[[str], None]
"""Shows the user a line about the proof's progress."""
