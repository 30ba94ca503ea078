"""Suggest what would catch a surviving fault: a missing check, a tighter limit, more samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.core.units import text
from litegate.measures.measurement import Relation
from litegate.mutation.expected_checks import (
    expected_checks,
    limit_value,
    may_be_set,
    measurements_for,
    unset_metric_limits,
)
from litegate.mutation.faults import Expect, Family, Fault, Scene
from litegate.mutation.grades import FaultRun
from litegate.mutation.result import CheckOutcome, CheckResult, MeasuredValue

_MOST_REMEDIES = 2
"""A message names at most two remedies, joined by "or", so that it stays one readable line."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _MissedFault:
    """The values that a check measured without and with a fault that it did not notice."""

    check: str
    fault: Fault
    sound: MeasuredValue
    faulty: MeasuredValue
    is_undecided: bool
    """True if the check was inconclusive with the fault."""

    @property
    def has_changed(self) -> bool:
        """Return True if the fault changed the value at all."""
        return self.faulty.value != self.sound.value

    @property
    def is_worse(self) -> bool:
        """Return True if the fault moved the value towards the limit."""
        has_risen = self.faulty.value > self.sound.value
        return self.has_changed and has_risen is (self.faulty.relation is Relation.AT_MOST)

    @property
    def samples(self) -> int:
        """The number of samples that decide; 0 if more samples would not help."""
        is_timed, is_sampled = self.fault.family is Family.LATENCY, self.faulty.interval is not None
        return (self.faulty.n or 0) if is_sampled and not is_timed else 0

    @property
    def is_within_noise(self) -> bool:
        """Return True if the samples are too few to tell the two values apart."""
        return bool(self.samples) and self._intervals_overlap

    @property
    def _intervals_overlap(self) -> bool:
        return self.faulty.interval_contains(self.sound.value) or self.sound.interval_contains(
            self.faulty.value
        )

    @property
    def value_texts(self) -> tuple[str, str]:
        """Both values with their unit, without the fault and with it."""
        unit = self.faulty.unit
        return text(self.sound.value, unit), text(self.faulty.value, unit)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """Suggests remedies for survivors from what the checks measured."""

    scene: Scene
    sound_results: Mapping[str, CheckResult]
    """The result of each check on the sound scene, by check id."""
    names: Mapping[str, str]
    """Check names by check id."""

    def for_fault(self, fault_run: FaultRun, grade: float) -> str:
        """Suggest what would catch a fault at a grade that no check noticed."""
        all_expected = expected_checks(self.scene)
        expected = {
            name: all_expected[name]
            for name in measurements_for(fault_run.fault, self.scene)
            if name in all_expected
        }
        required = {name: check for name, check in expected.items() if check.applies_to(self.scene)}
        missed = {
            name: missed_fault
            for name in expected
            if (missed_fault := self._missed_fault(name, fault_run, grade))
        }
        missing_checks = [
            check.suggestion for name, check in required.items() if not self._is_measured(name)
        ]
        tighter_limits = [
            self._tighter_limit(name, missed_fault)
            for name, missed_fault in missed.items()
            if missed_fault.has_changed
        ]
        if missing_checks or tighter_limits:
            # one remedy of each kind comes first, so that both kinds are named
            remedies = [
                *missing_checks[:1],
                *tighter_limits[:1],
                *missing_checks[1:],
                *tighter_limits[1:],
            ]
            return " or ".join(remedies[:_MOST_REMEDIES])
        new_limits = [
            *(f"a limit {name}" for name in unset_metric_limits(fault_run.fault, self.scene)),
            *(
                f"a limit on the {name}"
                for name, check in expected.items()
                if name not in required | missed and may_be_set(check, self.scene)
            ),
        ]
        unchanged = [_unchanged(missed_fault) for missed_fault in missed.values()]
        parts = [" or ".join(new_limits[:_MOST_REMEDIES]), *unchanged[:1]]
        return "; ".join(filter(None, parts)) or "a check of your own"

    def for_measurement(self, name: str, fault_runs: Sequence[FaultRun]) -> str:
        """Suggest how to make a measurement notice the largest grades of faults that it missed."""
        missed = [
            missed_fault
            for run in fault_runs
            if (missed_fault := self._missed_fault(name, run, run.largest_planted))
        ]
        if changed := [missed_fault for missed_fault in missed if missed_fault.has_changed]:
            return self._tighter_limit(name, changed[0], f" of {changed[0].fault.name}")
        if missed:
            return _unchanged(missed[0])
        return "look at its limit, its sign and the order of its arguments"

    def _is_measured(self, name: str) -> bool:
        return any(name in result.verdicts for result in self.sound_results.values())

    def _missed_fault(self, name: str, fault_run: FaultRun, grade: float) -> _MissedFault | None:
        """Return the values of the first check that measured `name` at a grade, or None."""
        for id_, result in fault_run.results[grade].items():
            sound = self.sound_results[id_].values.get(name) if id_ in self.sound_results else None
            if sound and (faulty := result.values.get(name)):
                check = self.names.get(id_, id_)
                verdict = result.verdicts.get(name)
                return _MissedFault(
                    check=check,
                    fault=fault_run.fault,
                    sound=sound,
                    faulty=faulty,
                    is_undecided=verdict is CheckOutcome.INCONCLUSIVE,
                )
        return None

    def _tighter_limit(self, name: str, missed: _MissedFault, of_fault: str = "") -> str:
        """Suggest a remedy for a check whose value changed and stayed within its limit."""
        sound, faulty = missed.value_texts
        if not missed.is_worse:
            return (
                f"a look at the sign and the order of its arguments in {missed.check}, which took "
                f"{missed.fault.name} for better: {faulty} for {sound}"
            )
        limit = f"a tighter {self._limit_name(name, missed)}"
        relation = "at most" if missed.faulty.relation is Relation.AT_MOST else "at least"
        allowed = text(missed.faulty.limit, missed.faulty.unit)
        measured = f"{missed.check} measured {faulty}{of_fault}, and allows {relation} {allowed}"
        if missed.is_undecided and missed.fault.family is Family.LATENCY:
            return f"a quieter machine, since {missed.check} could not decide ({measured})"
        if not missed.is_within_noise:
            return f"{limit} ({measured})"
        too_few = f"{missed.samples:,} samples cannot distinguish it from {sound}"
        return f"more samples and {limit} ({measured}; {too_few})"

    def _limit_name(self, name: str, missed: _MissedFault) -> str:
        """Return the name of the limit in the model's file, if the check compared with that one."""
        expected = expected_checks(self.scene).get(name)
        limit = expected.limit if expected else ""
        if limit and limit_value(self.scene, limit) == missed.faulty.limit:
            return limit
        return f"limit in {missed.check}"


def _unchanged(missed: _MissedFault) -> str:
    """Suggest a remedy for a check that ran and whose value the fault did not change."""
    _, value = missed.value_texts
    fault = missed.fault.name
    if missed.fault.expect is not Expect.FAIL:
        return f"a look at {missed.check}, which ran on {fault} and passed"
    if not missed.samples:
        return f"nothing that {missed.check} measures: {value} with {fault} and without"
    return (
        f"perhaps more samples: {missed.check} measured {value} with {fault} and without, on "
        f"{missed.samples:,} samples; if no sample shows it, the fault has no effect here"
    )
