"""Survivors: faults that nobody noticed, and promises that no check could be seen to keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.measures.regression import named_since_anchor
from litegate.mutation.faults import Scene
from litegate.mutation.grades import Climb
from litegate.mutation.promises import meant, promises
from litegate.mutation.remedies import Remedies
from litegate.mutation.result import Result, Said

_SHOWN = 3
"""Faults that a survivor's sentence names."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """Something that the gate would let through."""

    what: str
    """The fault that nobody noticed, or the measurement that noticed nothing."""
    sentence: str
    remedy: str


def survivors(
    scene: Scene, climbs: Sequence[Climb], before: Mapping[str, Result], names: Mapping[str, str]
) -> tuple[Survivor, ...]:
    """What survived; `before` is what each check said of the sound scene, `names` are theirs."""
    remedies = Remedies(scene=scene, before=before, names=names)
    return (*_unnoticed(climbs, remedies), *_idle(climbs, remedies))


def _unnoticed(climbs: Iterable[Climb], remedies: Remedies) -> Iterator[Survivor]:
    """Faults that no check noticed although they are as gross as their documented grade."""
    for climb in climbs:
        ladder = climb.fault.ladder
        missed = [g for g in climb.results if g >= ladder.must and not climb.noticed(g)]
        if not missed:
            continue
        crashed = [
            one.sentence for one in climb.results[max(missed)].values() if one.said is Said.CRASH
        ]
        how = f", but crashed: {crashed[0]}" if crashed else ""
        yield Survivor(
            what=climb.fault.name,
            sentence=f"nobody noticed {_named(climb, max(missed))}{how}: {climb.fault.summary}",
            remedy=remedies.of_fault(climb, max(missed)),
        )


def _idle(climbs: Sequence[Climb], remedies: Remedies) -> Iterator[Survivor]:
    """Promised measurements that no check takes, or that noticed not even the grossest grade."""
    scene, before = remedies.scene, remedies.before
    every = promises(scene)
    for name, climbing in _meant(scene, climbs).items():
        promise = every.get(name)
        takers = [id_ for id_, one in before.items() if name in one.measured]
        if promise and promise.made(scene) and not takers:
            yield Survivor(
                what=name,
                sentence=f"no check measures the {name}",
                remedy=promise.check,
            )
        sound = [id_ for id_ in takers if not before[id_].measured[name].is_alarm]
        missed = [one for one in climbing if sound and not _saw(one, sound, name)]
        if missed:
            yield Survivor(
                what=name,
                sentence=f"the {name} noticed nothing of {_listed(missed)}",
                remedy=remedies.of_measurement(name, missed),
            )


def _meant(scene: Scene, climbs: Iterable[Climb]) -> dict[str, list[Climb]]:
    """The faults that were planted, by the measurements that are meant to notice them.

    What notices a fault against the base notices it since the anchor, too.
    """
    found: dict[str, list[Climb]] = {}
    for climb in climbs:
        if not climb.results:
            continue
        drifts = map(named_since_anchor, climb.fault.noticed_by)
        for name in dict.fromkeys((*meant(climb.fault, scene), *drifts)):
            found.setdefault(name, []).append(climb)
    return found


def _saw(climb: Climb, ids: Iterable[str], name: str) -> bool:
    """Whether one of these checks noticed the grossest grade that was played, by this name."""
    results = climb.results[max(climb.results)]
    asked = [results[id_] for id_ in ids if id_ in results]
    if not asked or all(one.said is Said.OMITTED for one in asked):
        return True  # it was not asked: a check that times looks at faults of latency alone
    return any(one.notices(climb.fault.expect, name) for one in asked)


def _listed(climbs: Sequence[Climb]) -> str:
    """The first faults with their grossest grades, and how many more there are."""
    shown = ", ".join(_named(one, max(one.results)) for one in climbs[:_SHOWN])
    more = len(climbs) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _named(climb: Climb, grade: float) -> str:
    said = climb.fault.ladder.text(grade)
    return f"{climb.fault.name} at {said}" if said else climb.fault.name
