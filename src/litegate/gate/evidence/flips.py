"""The flip sheet: the very samples that a change broke or fixed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.gate.evidence.answers import Answered
from litegate.report.html.page_data import (
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


MOST_SIDE = 48
"""Pixels; a larger picture is averaged down."""
MOST_POINTS = 120
"""Points of a line."""
MOST_NUMBERS = 12
"""A longer row is a line."""
_LEAST_SIDE = 4
_PNG = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB = 0, 2
"""PNG's colour types."""


def picture(sample: NDArray[Any], domain: tuple[float, float]) -> Picture:
    """Show one sample, of any shape; `domain` is the least and greatest value it may have."""
    shape = sample.shape
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= _LEAST_SIDE:
        return _image(_scaled(sample, domain))
    if len(shape) == 2 and min(shape) >= _LEAST_SIDE:
        return _image(_scaled(sample, domain)[:, :, None])
    flat = sample.reshape(-1)
    if len(flat) > MOST_NUMBERS and max(shape) == len(flat):
        return _wave(_scaled(flat, domain))
    shown = tuple(float(value) for value in flat[:MOST_NUMBERS])
    return Numbers(values=shown, left_out=len(flat) - len(shown))


def _scaled(values: NDArray[Any], domain: tuple[float, float]) -> NDArray[np.float64]:
    """From 0, the least of the domain, to 1, the greatest; the sample's own ends without one."""
    exact = np.asarray(values, dtype=np.float64)
    low, high = domain
    if not (np.isfinite([low, high]).all() and low < high):
        low, high = float(exact.min()), float(exact.max())
    scaled: NDArray[np.float64] = np.clip((exact - low) / ((high - low) or 1.0), 0.0, 1.0)
    return scaled


def _image(scaled: NDArray[np.float64]) -> Image:
    """Shape (height, width, 1 or 3), averaged down where it is large."""
    factor = -(-max(scaled.shape[:2]) // MOST_SIDE)
    down, across = (min(factor, size) for size in scaled.shape[:2])
    height, width = scaled.shape[0] // down, scaled.shape[1] // across
    blocks = scaled[: height * down, : width * across].reshape(height, down, width, across, -1)
    pixels = np.round(blocks.mean(axis=(1, 3)) * 255).astype(np.uint8)
    return Image(png=png(pixels), width=width, height=height)


def _wave(scaled: NDArray[np.float64]) -> Wave:
    """As many points as there is room for: of each stretch its ends, so that no peak is lost."""
    if len(scaled) <= MOST_POINTS:
        return Wave(values=tuple(scaled.tolist()))
    stretches = np.array_split(scaled, MOST_POINTS // 2)
    ends = ((stretch.min(), stretch.max()) for stretch in stretches)
    return Wave(values=tuple(float(value) for pair in ends for value in pair))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode pixels, uint8, shape (height, width, 1) for gray or (height, width, 3) for RGB.

    Format: Portable Network Graphics (W3C, third edition), one IDAT, no filter.
    """
    height, width, channels = pixels.shape
    colour = _GRAY if channels == 1 else _RGB
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _PNG + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
