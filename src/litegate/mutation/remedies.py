"""What would catch a fault that got through: a check that is missing, a limit, more samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.core.units import text
from litegate.measures.measurement import Relation
from litegate.mutation.faults import Expect, Family, Fault, Scene
from litegate.mutation.grades import Climb
from litegate.mutation.promises import bound, meant, promises
from litegate.mutation.result import Finding, Result

_SHOWN = 2
"""Remedies that are named, joined by "or"."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a check that let a fault through measured without it and with it."""

    check: str
    fault: Fault
    sound: Finding
    faulty: Finding

    @property
    def changed(self) -> bool:
        """Whether the fault moved the measurement at all."""
        return self.faulty.value != self.sound.value

    @property
    def is_worse(self) -> bool:
        """Whether it moved towards the limit."""
        rises = self.faulty.value > self.sound.value
        return self.changed and rises is (self.faulty.relation is Relation.AT_MOST)

    @property
    def samples(self) -> int:
        """How many samples of the evaluation split decide; 0 where it is no matter of samples."""
        timed, drawn = self.fault.family is Family.LATENCY, self.faulty.interval is not None
        return (self.faulty.n or 0) if drawn and not timed else 0

    @property
    def is_blurred(self) -> bool:
        """Whether so few samples tell the two values apart no better than chance does."""
        return bool(self.samples) and self._overlaps

    @property
    def _overlaps(self) -> bool:
        return self.faulty.spans(self.sound.value) or self.sound.spans(self.faulty.value)

    @property
    def values(self) -> tuple[str, str]:
        """Without the fault and with it, in words."""
        unit = self.faulty.unit
        return text(self.sound.value, unit), text(self.faulty.value, unit)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """What to do about what got through, by what the checks that ran on it said."""

    scene: Scene
    before: Mapping[str, Result]
    """What each check said of the sound scene."""
    names: Mapping[str, str]
    """The checks' names by their ids."""

    def of_fault(self, climb: Climb, grade: float) -> str:
        """What would catch a fault at a grade that nobody noticed."""
        every = promises(self.scene)
        known = {name: every[name] for name in meant(climb.fault, self.scene) if name in every}
        made = {name: one for name, one in known.items() if one.made(self.scene)}
        seen = {name: one for name in known if (one := self._seen(name, climb, grade))}
        lacking = [one.check for name, one in made.items() if not self._is_taken(name)]
        tighter = [self._tighter(name, one) for name, one in seen.items() if one.changed]
        unset = [f"a limit on the {name}" for name in known if name not in made | seen]
        if lacking or tighter:
            of_each = [*lacking[:1], *tighter[:1], *lacking[1:], *tighter[1:]]
            return " or ".join(of_each[:_SHOWN])
        still = [_unchanged(one) for one in seen.values()]
        said = [" or ".join(unset[:_SHOWN]), *still[:1]]
        return "; ".join(filter(None, said)) or "a check of your own"

    def of_measurement(self, name: str, missed: Sequence[Climb]) -> str:
        """What would make a measurement notice the grossest grades of what it missed."""
        looked = (self._seen(name, climb, max(climb.results)) for climb in missed)
        seen = [one for one in looked if one]
        if changed := [one for one in seen if one.changed]:
            return self._tighter(name, changed[0], f" of {changed[0].fault.name}")
        if seen:
            return _unchanged(seen[0])
        return "look at its limit, its sign and the order of its arguments"

    def _is_taken(self, name: str) -> bool:
        return any(name in one.measured for one in self.before.values())

    def _seen(self, name: str, climb: Climb, grade: float) -> _Seen | None:
        """What the first check that takes a measurement says of a grade; None where none ran."""
        for id_, one in climb.results[grade].items():
            sound = self.before[id_].findings.get(name) if id_ in self.before else None
            if sound and (faulty := one.findings.get(name)):
                check = self.names.get(id_, id_)
                return _Seen(check=check, fault=climb.fault, sound=sound, faulty=faulty)
        return None

    def _tighter(self, name: str, seen: _Seen, of: str = "") -> str:
        """For a check that saw the fault, and whose limit let it through."""
        sound, faulty = seen.values
        if not seen.is_worse:
            return (
                f"a look at the sign and the order of its arguments in {seen.check}, which took "
                f"{seen.fault.name} for better: {faulty} for {sound}"
            )
        limit = f"a tighter {self._limit(name, seen)}"
        word = "at most" if seen.faulty.relation is Relation.AT_MOST else "at least"
        allowed = text(seen.faulty.limit, seen.faulty.unit)
        said = f"{seen.check} measured {faulty}{of}, and allows {word} {allowed}"
        if not seen.is_blurred:
            return f"{limit} ({said})"
        few = f"{seen.samples:,} samples do not tell it from {sound}"
        return f"more samples and {limit} ({said}; {few})"

    def _limit(self, name: str, seen: _Seen) -> str:
        """The limit as the model's file has it, where it is the one that the check kept."""
        promise = promises(self.scene).get(name)
        written = promise.limit if promise else ""
        if written and bound(self.scene, written) == seen.faulty.limit:
            return written
        return f"limit in {seen.check}"


def _unchanged(seen: _Seen) -> str:
    """For a check that ran, and that the fault moved by nothing."""
    _, value = seen.values
    fault = seen.fault.name
    if seen.fault.expect is not Expect.FAIL:
        return f"a look at {seen.check}, which ran on {fault} and passed"
    if not seen.samples:
        return f"nothing that {seen.check} measures: {value} with {fault} and without"
    return (
        f"perhaps more samples: {seen.check} measured {value} with {fault} and without, on "
        f"{seen.samples:,} samples; where no sample shows it, the fault changes nothing here"
    )
