"""Which samples a change broke and which it fixed, class by class, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np

from litegate.measures.accuracy import Answers

MOST_CLASSES, MOST_SAMPLES = 5, 3
"""How many classes with flips, and of each how many samples, are named."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    name: str
    n: int
    broken: tuple[int, ...]
    """Indices of the samples that only the first got right."""
    fixed: tuple[int, ...]

    @property
    def flips(self) -> int:
        return len(self.broken) + len(self.fixed)

    @property
    def net(self) -> int:
        return len(self.broken) - len(self.fixed)

    def __str__(self) -> str:
        broken, fixed = _listed("broken", self.broken), _listed("fixed", self.fixed)
        return f'class "{self.name}": {broken}, {fixed}'


def flips_by_class(before: Answers, after: Answers, names: Sequence[str]) -> tuple[str, ...]:
    """A line for each of the classes with most flips, and one for the class that loses most."""
    classes = [_class(before, after, number, name) for number, name in enumerate(names)]
    flipped = sorted((one for one in classes if one.flips), key=lambda one: -one.flips)
    more = len(flipped) - MOST_CLASSES
    told = [str(one) for one in flipped[:MOST_CLASSES]]
    told += [f"flips in {more} more class{'' if more == 1 else 'es'}"] if more > 0 else []
    return (*told, *_worst(flipped))


def _class(before: Answers, after: Answers, number: int, name: str) -> _Class:
    mine = after.labels == number
    return _Class(
        name=name,
        n=int(mine.sum()),
        broken=tuple(np.flatnonzero(mine & before.right & ~after.right).tolist()),
        fixed=tuple(np.flatnonzero(mine & ~before.right & after.right).tolist()),
    )


def _worst(flipped: Sequence[_Class]) -> tuple[str, ...]:
    losing = [one for one in flipped if one.net > 0]
    if not losing:
        return ()
    worst = max(losing, key=lambda one: Fraction(one.net, one.n))
    return (f'worst class "{worst.name}" loses {worst.net:,} of its {worst.n:,} samples',)


def _listed(word: str, samples: tuple[int, ...]) -> str:
    if not samples:
        return f"none {word}"
    first = ", ".join(str(number) for number in samples[:MOST_SAMPLES])
    dots = ", ..." if len(samples) > MOST_SAMPLES else ""
    return f"{len(samples):,} {word} (sample{'' if len(samples) == 1 else 's'} {first}{dots})"
