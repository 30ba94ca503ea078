"""Make the flip sheet: the samples that a change broke or fixed, as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, final

import numpy as np

from litegate.gate.evidence.pictures import page_bytes, picture_of
from litegate.gate.evidence.predictions import Predictions
from litegate.report.html.page_data import Flip, FlippedClass, FlipSheet
from litegate.spec import Evaluation

MOST_SHOWN = 40
"""Flips with a picture in one sheet: trades detail against the page's bytes."""
_FIXED_INTERVAL = 4
"""Among the pictures of a class, every fourth is of a fixed sample, as long as there are any.

Broken samples are what a reviewer looks for; without some fixed ones a fair exchange would look
like a loss. The number is a choice: three in four pictures stay what the reviewer looks for."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """The predictions before and after a change, on one split."""

    role: str
    """The artifact that `before` is of: "base" or "reference"."""
    before: Predictions
    after: Predictions
    split: Evaluation

    def flipped(self, label: int, *, broken: bool) -> list[int]:
        """Return the samples of a class that the change broke, or else fixed.

        The most confident mistakes come first.
        """
        if broken:
            right, mistaken = self.before, self.after
        else:
            right, mistaken = self.after, self.before
        is_flipped = right.right & ~mistaken.right & (self.after.labels == label)
        samples = np.flatnonzero(is_flipped).tolist()
        return sorted(samples, key=lambda sample: -mistaken.confidence(sample))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _ClassFlips:
    """The samples of a class that a change broke and fixed."""

    label: int
    broken: list[int]
    fixed: list[int]


def flip_sheet(change: Change, most_bytes: int) -> FlipSheet:
    """Count all flips, and show as many as `MOST_SHOWN` and `most_bytes` of pictures allow."""
    by_class = [
        _ClassFlips(
            label=label,
            broken=change.flipped(label, broken=True),
            fixed=change.flipped(label, broken=False),
        )
        for label in range(len(change.split.classes))
    ]
    by_class = [flips for flips in by_class if flips.broken or flips.fixed]
    by_class.sort(key=_net_loss)  # before the turns, in which the worst class gets half
    order = in_turns([mixed(flips.broken, flips.fixed) for flips in by_class])
    shown = _shown(change, order, most_bytes)
    worst = by_class[0].broken if by_class else []
    confused_with, confused_count = _most_confused_with(change, worst)
    return FlipSheet(
        role=change.role,
        n=len(change.after.right),
        broken=sum(len(flips.broken) for flips in by_class),
        fixed=sum(len(flips.fixed) for flips in by_class),
        confused_with=confused_with,
        confused_count=confused_count,
        classes=tuple(_flipped_class(change, flips, shown) for flips in by_class),
    )


def _net_loss(flips: _ClassFlips) -> tuple[int, int, int]:
    """Return a sort key: the greatest net loss, then the most broken samples, come first."""
    return len(flips.fixed) - len(flips.broken), -len(flips.broken), flips.label


def _flipped_class(change: Change, flips: _ClassFlips, shown: Sequence[Flip]) -> FlippedClass:
    labels = change.after.labels
    of_class = [flip for flip in shown if labels[flip.sample] == flips.label]
    return FlippedClass(
        name=change.split.classes[flips.label],
        n=int((labels == flips.label).sum()),
        broken=len(flips.broken),
        fixed=len(flips.fixed),
        shown=tuple(sorted(of_class, key=lambda flip: not flip.broken)),
    )


Place = TypeVar("Place")


def in_turns(classes: Sequence[Iterator[Place]]) -> Iterator[Place]:
    """Give every second place to the first class, the worst; the others take turns for the rest."""
    return _turns(*classes[:1], _turns(*classes[1:]))


def _turns(*iterators: Iterator[Place]) -> Iterator[Place]:
    """Take one item of each iterator in turn, until all are exhausted."""
    active = list(iterators)
    while active:
        for iterator in tuple(active):
            item = next(iterator, None)
            if item is None:
                active.remove(iterator)
            else:
                yield item


def mixed(broken: list[int], fixed: list[int]) -> Iterator[int]:
    """Alternate broken and fixed samples, so that a short list shows both."""
    broken, fixed = broken[::-1], fixed[::-1]
    while broken or fixed:
        for _ in range(_FIXED_INTERVAL - 1):
            if broken:
                yield broken.pop()
        if fixed:
            yield fixed.pop()


def _shown(change: Change, samples: Iterator[int], most_bytes: int) -> list[Flip]:
    """Return the first flips that fit into `most_bytes`."""
    flips: list[Flip] = []
    total = 0
    for sample in islice(samples, MOST_SHOWN):
        flip = _flip(change, sample)
        total += page_bytes(flip.picture)
        if total > most_bytes:
            break
        flips.append(flip)
    return flips


def _flip(change: Change, sample: int) -> Flip:
    return Flip(
        sample=sample,
        broken=bool(change.before.right[sample]),
        before=change.before.answer(sample, change.split.classes),
        after=change.after.answer(sample, change.split.classes),
        picture=picture_of(change.split, sample),
    )


def _most_confused_with(change: Change, broken: Sequence[int]) -> tuple[str, int]:
    """Return the class that these samples are now predicted to be most often, and how often."""
    if not broken:
        return "", 0
    counts = np.bincount(change.after.chosen[list(broken)])
    return change.split.classes[int(counts.argmax())], int(counts.max())
