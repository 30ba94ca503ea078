"""The flip sheet: the very samples that a change broke or fixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import final

import numpy as np

from litegate.gate.evidence.answers import Answered
from litegate.gate.evidence.pictures import picture
from litegate.report.html.facts import (
    Answer,
    Flip,
    FlippedClass,
    FlipSheet,
    Image,
    Numbers,
    Picture,
    Wave,
)
from litegate.spec import Evaluation, by_input, domain_of

MOST_SHOWN = 40
"""Flips with a picture in one sheet."""
_EACH_FIXED = 4
"""Among the pictures of a class, one of so many is of a fixed sample where there is one."""
_POINT = 9
"""Bytes of a point or number on the page."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """The answers before and after a change, on one split."""

    role: str
    """What was before: "base" or "reference"."""
    before: Answered
    after: Answered
    split: Evaluation

    def flipped(self, label: int, *, broken: bool) -> list[int]:
        """Samples of a class that the change broke or fixed, the surest mistakes first."""
        lost = self.before.right & ~self.after.right
        won = ~self.before.right & self.after.right
        found = np.flatnonzero((lost if broken else won) & (self.after.labels == label)).tolist()
        wrong = self.after if broken else self.before
        return sorted(found, key=lambda sample: -wrong.confidence(sample))


def flip_sheet(change: Change, most_bytes: int) -> FlipSheet:
    """All flips counted, and as many shown as `MOST_SHOWN` and `most_bytes` of pictures allow."""
    flipped = [
        (label, change.flipped(label, broken=True), change.flipped(label, broken=False))
        for label in range(len(change.split.classes))
    ]
    flipped = [one for one in flipped if one[1] or one[2]]
    flipped.sort(key=lambda one: (len(one[2]) - len(one[1]), -len(one[1]), one[0]))
    shown = _shown(change, _in_turns([_mixed(lost, won) for _, lost, won in flipped]), most_bytes)
    confused, taken = _most_taken_for(change, flipped[0][1] if flipped else [])
    return FlipSheet(
        role=change.role,
        n=len(change.after.right),
        broken=sum(len(lost) for _, lost, _ in flipped),
        fixed=sum(len(won) for _, _, won in flipped),
        confused_with=confused,
        taken=taken,
        classes=tuple(_class(change, *one, shown) for one in flipped),
    )


def _class(
    change: Change, label: int, lost: list[int], won: list[int], shown: Sequence[Flip]
) -> FlippedClass:
    mine = [flip for flip in shown if change.after.labels[flip.sample] == label]
    return FlippedClass(
        name=change.split.classes[label],
        n=int((change.after.labels == label).sum()),
        broken=len(lost),
        fixed=len(won),
        shown=tuple(sorted(mine, key=lambda flip: not flip.broken)),
    )


def _in_turns(classes: Sequence[Iterator[int]]) -> Iterator[int]:
    """Every second sample is of the first class, the worst; the others take turns for the rest."""
    return _turns(*classes[:1], _turns(*classes[1:]))


def _turns(*several: Iterator[int]) -> Iterator[int]:
    """One of each after the other, until all have ended."""
    left = list(several)
    while left:
        for each in tuple(left):
            following = next(each, None)
            if following is None:
                left.remove(each)
            else:
                yield following


def _mixed(lost: list[int], won: list[int]) -> Iterator[int]:
    """Broken and fixed samples in turns, so that a short list shows both."""
    lost, won = lost[::-1], won[::-1]
    while lost or won:
        for _ in range(_EACH_FIXED - 1):
            if lost:
                yield lost.pop()
        if won:
            yield won.pop()


def _shown(change: Change, samples: Iterator[int], most_bytes: int) -> list[Flip]:
    """The first flips for which there is room."""
    found: list[Flip] = []
    spent = 0
    for sample in islice(samples, MOST_SHOWN):
        flip = _flip(change, sample)
        spent += _weight(flip)
        if spent > most_bytes:
            break
        found.append(flip)
    return found


def _flip(change: Change, sample: int) -> Flip:
    return Flip(
        sample=sample,
        broken=bool(change.before.right[sample]),
        before=_answer(change, change.before, sample),
        after=_answer(change, change.after, sample),
        picture=_picture(change.split, sample),
    )


def _picture(split: Evaluation, sample: int) -> Picture:
    """The sample, or of several inputs the first that looks like a picture, else the first."""
    shown = [
        picture(array[sample], domain_of(split.domain, name)) for name, array in by_input(split.x)
    ]
    return next((one for one in shown if isinstance(one, Image)), shown[0])


def _answer(change: Change, by: Answered, sample: int) -> Answer:
    name = change.split.classes[by.chosen[sample]]
    return Answer(chosen=name, confidence=by.confidence(sample))


def _weight(flip: Flip) -> int:
    """Bytes that a picture takes on the page, near enough."""
    match flip.picture:
        case Image(png=png):
            return len(png) * 4 // 3
        case Wave(values=values) | Numbers(values=values):
            return len(values) * _POINT


def _most_taken_for(change: Change, broken: Sequence[int]) -> tuple[str, int]:
    """The class that most of these samples are put in now, and how many."""
    if not broken:
        return "", 0
    counts = np.bincount(change.after.chosen[list(broken)])
    return change.split.classes[int(counts.argmax())], int(counts.max())
