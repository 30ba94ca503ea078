"""Prove one candidate's gate: plant every fault, and record alarms, errors and survivors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.mutation.faults import Fault, Scene, edit, sound
from litegate.mutation.faults.scene import with_bytes
from litegate.mutation.grades import CheckPlan, FaultRun, ReportStep, run_next_grade
from litegate.mutation.result import CheckInfo, CheckOutcome, CheckResult, CheckRunner
from litegate.mutation.selection import Selection
from litegate.mutation.survivors import Survivor, survivors


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The time and the checks that a proof spends."""

    seconds: float
    """Time for the whole proof of a candidate; grades not planted by then are reported."""
    rounds: int = 1
    """Comparisons of identical models by each check that compares with the base."""
    all_checks: bool = False
    """Whether latency and property checks run on every fault, not only on faults meant for them."""


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Proof:
    """The results of all faults planted in one candidate."""

    scene: Scene
    checks: Sequence[CheckInfo]
    sound_results: Mapping[str, CheckResult]
    """The result of each check on the sound scene, by check id."""
    faultless_results: list[CheckResult]
    """All results on scenes without a fault: the sound scene, identical models, rebuilds."""
    false_alarms: list[str]
    """The messages of the red results among `faultless_results`."""
    fault_runs: list[FaultRun]
    training_noise: str = ""
    """How much training from other seeds changes the quality; empty if it was not measured."""
    selection: Selection = field(default_factory=Selection)

    @property
    def survivors(self) -> tuple[Survivor, ...]:
        """The defects that the gate would let through."""
        return tuple(survivor for survivor in self._all_survivors if not self._is_untried(survivor))

    @property
    def not_tried(self) -> tuple[Survivor, ...]:
        """The defects that no selected check noticed, and that a check left out may notice."""
        return tuple(survivor for survivor in self._all_survivors if self._is_untried(survivor))

    def _is_untried(self, survivor: Survivor) -> bool:
        return self.selection.may_measure(self.scene, survivor.measurements)

    @property
    def _all_survivors(self) -> tuple[Survivor, ...]:
        names = {check.id: check.name for check in self.checks}
        return survivors(self.scene, self.fault_runs, self.sound_results, names)

    @property
    def misdirected(self) -> list[str]:
        """Checks whose measurement is not of the candidate, so that it proves nothing of it."""
        names = {check.id: check.name for check in self.checks}
        results = self.sound_results.items()
        return [f"{names[id_]}: {text}" for id_, result in results for text in result.misdirected]

    @property
    def errors(self) -> list[str]:
        """Faults that could not be planted although the model has what they need."""
        return [f"{run.fault.name}: {run.error}" for run in self.fault_runs if run.error]

    @property
    def unfinished(self) -> list[str]:
        """Names of the faults that were not planted down to their `must` grade in time."""
        return [run.fault.name for run in self.fault_runs if not run.is_complete]

    @property
    def is_proven(self) -> bool:
        """Return True if the gate noticed every fault that it must and raised no false alarm.

        Of a selection, that says nothing of the faults that were `not_tried`.
        """
        failures = (self.survivors, self.false_alarms, self.misdirected, self.errors)
        return not (any(failures) or self.unfinished)


def prove(
    scene: Scene,
    faults: Sequence[Fault],
    checks: Sequence[CheckInfo],
    runner: CheckRunner,
    effort: Effort,
    *,
    clock: Callable[[], float],
    report_step: ReportStep,
) -> Proof:
    """Run the checks on the sound scene, on identical models, and on every fault.

    The largest grade of each fault is planted first, then smaller ones as long as some check
    notices and time is left. Raises ConfigError without a fault or a check, because such a proof
    would show nothing.
    """
    if not faults or not checks:
        raise ConfigError(
            f"nothing proves the gate of {scene.name}",
            expected="at least one fault and one check",
            got=f"{len(faults)} faults and {len(checks)} checks",
        )
    deadline = clock() + effort.seconds
    sound_scene = sound(scene)
    report_step("sound, written again")
    sound_results = runner(sound_scene, [check.id for check in checks])
    proof = Proof(
        scene=sound_scene,
        checks=checks,
        sound_results=sound_results,
        faultless_results=[],
        false_alarms=[],
        fault_runs=[FaultRun(fault=fault) for fault in faults],
    )
    record_faultless(proof, sound_results)
    for number in range(effort.rounds):
        report_step(f"identical models, {number + 1} of {effort.rounds}")
        comparing = [check.id for check in checks if check.uses_base]
        record_faultless(proof, runner(_with_other_description(sound_scene), comparing))
    _run_faults(proof, runner, effort, lambda: deadline - clock(), report_step)
    return proof


def record_faultless(proof: Proof, results: Mapping[str, CheckResult]) -> None:
    """Add the results of checks on a scene without a fault; every alarm is a false one."""
    for id_, result in results.items():
        if result.outcome is CheckOutcome.OMITTED:
            continue
        proof.faultless_results.append(result)
        if result.outcome.is_alarm:
            proof.false_alarms.append(f"{id_}: {result.message}")


def record_rebuild(proof: Proof, results: Mapping[str, CheckResult]) -> list[str]:
    """Add the results of checks on an honest rebuild; return the names of other checks it fails.

    A rebuild is compared with its own reference, so only a check that takes the reference can
    raise a false alarm. If another check fails, such as a floor of the accuracy, that is the
    model's training noise.
    """
    paired = {check.id for check in proof.checks if check.uses_reference}
    record_faultless(proof, {id_: result for id_, result in results.items() if id_ in paired})
    failed = {
        id_ for id_, result in results.items() if result.outcome.is_alarm and id_ not in paired
    }
    return [check.name for check in proof.checks if check.id in failed]


def _with_other_description(sound_scene: Scene) -> Scene:
    """Change the candidate's description alone, so that an identical model has other bytes.

    With equal bytes, candidate and base would be the same artifact by digest.
    """

    def change(model: Any) -> None:
        text = bytes(model.description or b"litegate")
        model.description = text[:-1] + (b"0" if text[-1:] != b"0" else b"1")

    tflite = edit(sound_scene.candidate.tflite, change)
    candidate = with_bytes(sound_scene.candidate, tflite)
    return replace(sound_scene, candidate=candidate, shipped=tflite)


def _run_faults(
    proof: Proof,
    runner: CheckRunner,
    effort: Effort,
    seconds_left: Callable[[], float],
    report_step: ReportStep,
) -> None:
    """Plant the largest grade of every fault, then the smaller ones, until the time is over.

    The largest grades come first, so that a proof that runs out of time has tried every fault it
    could, rather than a few of them at every grade.
    """
    total = len(proof.fault_runs)
    plan = CheckPlan(
        checks=proof.checks, sound_results=proof.sound_results, all_checks=effort.all_checks
    )
    for is_first_pass in (True, False):
        for number, run in enumerate(proof.fault_runs):
            while run.next_grade is not None and is_first_pass is not bool(run.results):
                if (seconds := seconds_left()) <= 0:
                    return
                step = f"{run.fault.name} {run.fault.ladder.text(run.next_grade)}".rstrip()
                report_step(f"{step} ({number + 1} of {total}), at most {seconds:.0f} s left")
                run_next_grade(proof.scene, run, plan, runner)
