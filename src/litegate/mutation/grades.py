"""Which grades of which faults are planted, in which order, and what the checks said of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from litegate.core.errors import LitegateError
from litegate.mutation.faults import Expect, Family, Fault, Scene, Unplantable
from litegate.mutation.promises import COSTLY
from litegate.mutation.result import Check, Play, Result
from litegate.runtimes.inference import all_outputs


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Climb:
    """One fault, and what the checks said of its grades; played from the grossest down."""

    fault: Fault
    results: dict[float, Mapping[str, Result]] = field(default_factory=dict)
    """By grade, then by check."""
    unplantable: str = ""
    """Why this model cannot have the fault; empty where it can."""
    error: str = ""
    """What went wrong in planting it: then nothing is proven."""

    def noticed(self, grade: float) -> tuple[str, ...]:
        """The checks that noticed a grade; none for one that was not played."""
        said = self.results.get(grade, {})
        return tuple(id_ for id_, one in said.items() if one.notices(self.fault.expect))

    @property
    def smallest(self) -> float | None:
        """The smallest grade that any check noticed; None where none did."""
        found = [grade for grade in self.results if self.noticed(grade)]
        return min(found, default=None)

    @property
    def next_grade(self) -> float | None:
        """The grossest grade not played yet; None where looking further shows nothing."""
        if self.unplantable or self.error:
            return None
        played = min(self.results, default=None)
        if played is not None and not self.noticed(played):
            return None
        finer = [g for g in self.fault.ladder.grades if played is None or g < played]
        return max(finer, default=None)

    @property
    def reached(self) -> bool:
        """Whether it was planted down to the grade that must be noticed, or cannot be."""
        if self.unplantable or self.error:
            return True
        played = min(self.results, default=None)
        return played is not None and (played <= self.fault.ladder.must or not self.noticed(played))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Which checks look at which fault."""

    checks: Sequence[Check]
    before: Mapping[str, Result]
    """What each check said of the sound scene, so what it measures."""
    everything: bool = False
    """Whether every check looks at every fault."""

    def over(self, fault: Fault) -> list[str]:
        """The checks that look at a fault at once: costly ones only where it is meant for them."""
        return [check.id for check in self._in_time(fault) if self._at_once(check, fault)]

    def over_unnoticed(self, fault: Fault) -> list[str]:
        """The checks that look at it too where nobody noticed."""
        first = self.over(fault)
        return [check.id for check in self._in_time(fault) if check.id not in first]

    def _in_time(self, fault: Fault) -> list[Check]:
        """Checks that time look at faults of latency alone."""
        timed = self.everything or fault.family is Family.LATENCY
        return [check for check in self.checks if timed or not check.is_latency]

    def _at_once(self, check: Check, fault: Fault) -> bool:
        names = self.before[check.id].measured
        costly = any(name in COSTLY for name in names)
        return self.everything or not costly or any(name in fault.noticed_by for name in names)


def climb(sound: Scene, climb: Climb, watch: Watch, play: Play) -> None:
    """Plant the next grade of a fault and take down what the checks say.

    A check that did not notice a grade is not asked about a finer one.
    """
    grade = climb.next_grade
    if grade is None:
        return
    played = min(climb.results, default=None)
    asked = watch.over(climb.fault) if played is None else climb.noticed(played)
    try:
        scene = climb.fault(sound, grade)
        if climb.fault.expect is not Expect.REFUSED:
            _check_runs(scene, sound)
    except Unplantable as reason:
        climb.unplantable = str(reason)
    except LitegateError as error:
        climb.error = f"{_at(climb.fault, grade)}{error}"
    except Exception as error:  # noqa: BLE001 a fault is a plug-in: whatever it raises is told
        climb.error = f"{_at(climb.fault, grade)}{type(error).__name__}: {error}"
    else:
        climb.results[grade] = play(scene, asked)
        if played is None and not climb.noticed(grade):
            rest = play(scene, watch.over_unnoticed(climb.fault))
            climb.results[grade] = {**climb.results[grade], **rest}


def _at(fault: Fault, grade: float) -> str:
    said = fault.ladder.text(grade)
    return f"{said}: " if said else ""


def _check_runs(scene: Scene, sound: Scene) -> None:
    """LiteRT loads and runs every planted file. ArtifactError where it does not."""
    artifacts = {
        one.sha256: one
        for one in (scene.candidate, scene.reference)
        if one.sha256 not in (sound.candidate.sha256, sound.reference.sha256)
    }
    sample = sound.candidate.evaluation.x[:1]
    for one in artifacts.values():
        all_outputs(one.tflite, sample, subject=f"the planted {one.name}", signature=one.signature)


Told = Callable[[str], None]
"""Takes a line on how far the proof has come."""
