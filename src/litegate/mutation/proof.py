"""The proof of one candidate: what was planted, who noticed, what survived."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.mutation.faults import Fault, Scene, edit, sound
from litegate.mutation.faults.scene import with_bytes
from litegate.mutation.grades import Climb, Told, Watch, climb
from litegate.mutation.result import Check, Play, Result, Said
from litegate.mutation.survivors import Survivor, survivors


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried."""

    seconds: float
    """Of the whole proof of a candidate; what is not tried by then is told."""
    rounds: int = 1
    """Comparisons of identical models by each check that compares with the base."""
    everything: bool = False
    """Whether checks that time or search look at every fault, not only at those meant for them."""


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Proof:
    """What the gate noticed of the faults planted in one candidate."""

    scene: Scene
    checks: Sequence[Check]
    before: Mapping[str, Result]
    """What each check said of the sound scene."""
    calm: list[Result]
    """What the checks said of scenes without a fault."""
    alarms: list[str]
    """The false alarms among them, as sentences."""
    climbs: list[Climb]
    noise: str = ""
    """What training from other seeds moves, where it was measured."""

    @property
    def survivors(self) -> tuple[Survivor, ...]:
        """What the gate would let through."""
        names = {check.id: check.name for check in self.checks}
        return survivors(self.scene, self.climbs, self.before, names)

    @property
    def errors(self) -> list[str]:
        """Faults that could not be planted although the model has what they need."""
        return [f"{one.fault.name}: {one.error}" for one in self.climbs if one.error]

    @property
    def unproven(self) -> list[str]:
        """Faults for which the time did not suffice."""
        return [one.fault.name for one in self.climbs if not one.reached]

    @property
    def holds(self) -> bool:
        """Whether every fault was noticed that must be, and nothing else."""
        return not (self.survivors or self.alarms or self.errors or self.unproven)


def prove(
    scene: Scene,
    faults: Sequence[Fault],
    checks: Sequence[Check],
    play: Play,
    effort: Effort,
    *,
    clock: Callable[[], float],
    tell: Told,
) -> Proof:
    """Run the checks on the sound scene, on identical models, and on every fault.

    First each fault's grossest grade, then finer ones as long as some check notices and there is
    time. ConfigError without a fault or a check: then nothing would be proven.
    """
    if not faults or not checks:
        raise ConfigError(
            f"nothing proves the gate of {scene.name}",
            expected="at least one fault and one check",
            got=f"{len(faults)} faults and {len(checks)} checks",
        )
    until = clock() + effort.seconds
    plain = sound(scene)
    tell("sound, written again")
    before = play(plain, [check.id for check in checks])
    proof = Proof(
        scene=plain,
        checks=checks,
        before=before,
        calm=[],
        alarms=[],
        climbs=[Climb(fault=one) for one in faults],
    )
    count_calm(proof, before)
    for number in range(effort.rounds):
        tell(f"identical models, {number + 1} of {effort.rounds}")
        comparing = [check.id for check in checks if check.compares]
        count_calm(proof, play(_renamed(plain), comparing))
    _climb_all(proof, play, effort, lambda: until - clock(), tell)
    return proof


def count_calm(proof: Proof, results: Mapping[str, Result]) -> None:
    """Take down what checks said of a scene without a fault."""
    said = {id_: one for id_, one in results.items() if one.said is not Said.OMITTED}
    proof.calm += said.values()
    proof.alarms += [f"{id_}: {one.sentence}" for id_, one in said.items() if one.said.is_alarm]


def count_rebuild(proof: Proof, results: Mapping[str, Result]) -> list[str]:
    """Take down what checks said of an honest rebuild; gives the names of others that it broke.

    A rebuild is held against its own reference: only a check that asks for one can raise a false
    alarm. What another says, such as a floor of the accuracy, is the model's training noise.
    """
    paired = {check.id for check in proof.checks if check.refers}
    count_calm(proof, {id_: one for id_, one in results.items() if id_ in paired})
    rest = {id_ for id_, one in results.items() if one.said.is_alarm and id_ not in paired}
    return [check.name for check in proof.checks if check.id in rest]


def _renamed(plain: Scene) -> Scene:
    """The sound scene with a candidate of the same content and other bytes."""

    def describe(model: Any) -> None:
        text = bytes(model.description or b"litegate")
        model.description = text[:-1] + (b"0" if text[-1:] != b"0" else b"1")

    tflite = edit(plain.candidate.tflite, describe)
    return replace(plain, candidate=with_bytes(plain.candidate, tflite), shipped=tflite)


def _climb_all(
    proof: Proof, play: Play, effort: Effort, left: Callable[[], float], tell: Told
) -> None:
    """The grossest grade of every fault, then each ladder down; `left` are the seconds left."""
    total = len(proof.climbs)
    watch = Watch(checks=proof.checks, before=proof.before, everything=effort.everything)
    for gross in (True, False):
        for number, one in enumerate(proof.climbs):
            while one.next_grade is not None and gross is not bool(one.results):
                if (seconds := left()) <= 0:
                    return
                step = f"{one.fault.name} {one.fault.ladder.text(one.next_grade)}".rstrip()
                tell(f"{step} ({number + 1} of {total}), at most {seconds:.0f} s left")
                climb(proof.scene, one, watch, play)
