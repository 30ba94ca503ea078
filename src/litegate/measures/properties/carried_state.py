"""Carry the state of a file through frames of extremes, and see what becomes of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from litegate.measures.properties.outputs import change_of, not_finite, out_of_range
from litegate.measures.properties.probe import Probe, Raw, Sample
from litegate.measures.properties.strategies import Pattern, extremes
from litegate.spec import Artifact

FRAMES = 10_000
"""Frames of extremes without a reset: 100 seconds of a wake word's frames of 10 ms.

An integer state saturates within a few times its length in frames, and a float state that grows by
1 % a frame overflows after 9,000."""
_HELD = 1_000
"""Frames for which each extreme is held before the extremes alternate: a state settles under a
constant input, and few states are longer."""

Rule = Callable[[Probe, Raw], str]
"""Describes how the outputs of one frame break a rule; "" if they do not."""
_RULES: Mapping[str, Rule] = MappingProxyType({"finite": not_finite, "in_range": out_of_range})
"""The rule of each property that every frame must keep, by the property's name."""
CARRIED = (*_RULES, "repeatable")
"""Names of the properties for which the state is carried."""


@lru_cache(maxsize=64)  # three properties share a walk, which takes seconds on a slow runtime
def carried_violations(candidate: Artifact) -> Mapping[str, str]:
    """Carry the state through `FRAMES` frames of extremes; return a sentence for each violation.

    The keys are names of properties. `repeatable` is violated if a sequence of frames gets other
    answers after a reset than before, or if the answers to its beginning depend on what follows.
    Empty for a file without state. Raises as `Probe`.
    """
    with closing(Probe(candidate)) as probe:
        if not probe.is_stateful:
            return {}
        patterns = extremes()
        drawn = [probe.draw(pattern) for pattern in patterns]
        turns = _turns(len(drawn))
        before = [*_frames(probe.carry(drawn, turns[-len(drawn) :]))]
        violations: dict[str, str] = {}
        for number, raw in enumerate(_frames(probe.carry(drawn, turns))):
            for name, rule in _RULES.items():
                if name not in violations and (violation := rule(probe, raw)):
                    place = _place(probe, number, patterns[turns[number]])
                    violations[name] = f"{place} {violation}"
        if change := _not_repeated(probe, drawn, turns[-len(drawn) :], before):
            violations["repeatable"] = change
        return violations


def _not_repeated(
    probe: Probe, drawn: Sequence[Sample], turns: Sequence[int], before: Sequence[Raw]
) -> str:
    """Describe how a sequence of frames, or its first half, is answered otherwise than before."""
    for frames, condition in (
        (len(turns), f"after {FRAMES:,} frames of extremes and a reset"),
        (len(turns) // 2, "if no more frames follow"),
    ):
        after = _frames(probe.carry(drawn, turns[:frames]))
        changes = [change_of(probe, *pair) for pair in zip(before, after, strict=False)]
        if change := next(filter(None, changes), ""):
            return f"the same {frames} frames give other outputs {condition}: {change}"
    return ""


def _turns(patterns: int) -> list[int]:
    """Return the pattern of each frame: each is held for a while, then they alternate."""
    held = np.repeat(np.arange(patterns), _HELD)
    alternating = np.arange(FRAMES - len(held)) % patterns
    return [int(number) for number in (*held, *alternating)]


def _frames(parts: Iterator[Raw]) -> Iterator[Raw]:
    """Yield the outputs of one frame after another, shape (1, ...)."""
    for part in parts:
        for row in range(len(next(iter(part.values())))):
            yield {name: raw[row : row + 1] for name, raw in part.items()}


def _place(probe: Probe, number: int, pattern: Pattern) -> str:
    return f"frame {number + 1:,} of {FRAMES:,} of extremes, {probe.describe(pattern)},"
