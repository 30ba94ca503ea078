"""Describe the samples that a change broke and fixed, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np

from litegate.measures.accuracy import Answers

MOST_CLASSES, MOST_SAMPLES = 5, 3
"""The most classes with flips that the evidence names, and the most samples of each: a verdict must
stay readable in a terminal, and the page lists every class."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _ClassFlips:
    name: str
    n: int
    broken: tuple[int, ...]
    """Indices of the samples that only the base got right."""
    fixed: tuple[int, ...]
    """Indices of the samples that only the candidate got right."""

    @property
    def flips(self) -> int:
        return len(self.broken) + len(self.fixed)

    @property
    def net(self) -> int:
        return len(self.broken) - len(self.fixed)

    def __str__(self) -> str:
        broken, fixed = _sample_list("broken", self.broken), _sample_list("fixed", self.fixed)
        return f'class "{self.name}": {broken}, {fixed}'


def flips_by_class(before: Answers, after: Answers, names: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each class with the most flips, and one for the class that loses most."""
    classes = [_count_flips(before, after, number, name) for number, name in enumerate(names)]
    flipped = [class_flips for class_flips in classes if class_flips.flips]
    # Most flips first, since only `MOST_CLASSES` are named.
    flipped.sort(key=lambda class_flips: -class_flips.flips)
    hidden = len(flipped) - MOST_CLASSES
    lines = [str(class_flips) for class_flips in flipped[:MOST_CLASSES]]
    lines += [f"flips in {hidden} more class{'' if hidden == 1 else 'es'}"] if hidden > 0 else []
    return (*lines, *_worst_class(flipped))


def _count_flips(before: Answers, after: Answers, number: int, name: str) -> _ClassFlips:
    in_class = after.labels == number
    return _ClassFlips(
        name=name,
        n=int(in_class.sum()),
        broken=tuple(np.flatnonzero(in_class & before.right & ~after.right).tolist()),
        fixed=tuple(np.flatnonzero(in_class & ~before.right & after.right).tolist()),
    )


def _worst_class(flipped: Sequence[_ClassFlips]) -> tuple[str, ...]:
    losing = [class_flips for class_flips in flipped if class_flips.net > 0]
    if not losing:
        return ()
    worst = max(losing, key=lambda class_flips: Fraction(class_flips.net, class_flips.n))
    return (f'worst class "{worst.name}" loses {worst.net:,} of its {worst.n:,} samples',)


def _sample_list(word: str, samples: tuple[int, ...]) -> str:
    if not samples:
        return f"none {word}"
    first = ", ".join(str(number) for number in samples[:MOST_SAMPLES])
    dots = ", ..." if len(samples) > MOST_SAMPLES else ""
    return f"{len(samples):,} {word} (sample{'' if len(samples) == 1 else 's'} {first}{dots})"
