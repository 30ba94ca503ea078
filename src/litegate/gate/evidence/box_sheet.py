"""Make the flip sheet of a detector: the labelled boxes that only one of two artifacts detects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import final

import numpy as np
from numpy.typing import NDArray

from litegate.gate.evidence.flips import MOST_SHOWN, in_turns, mixed
from litegate.gate.evidence.pictures import page_bytes, picture_of
from litegate.measures.metrics.box_matching import ClassMatches, matched_classes
from litegate.measures.metrics.boxes import Boxes, detected_boxes, labelled_boxes
from litegate.measures.metrics.detection import class_names
from litegate.report.html.page_data import Answer, Flip, FlippedClass, FlipSheet, Image, Mark
from litegate.spec import Artifact, by_input
from litegate.spec.metric import Metric

OVERLAP = 0.5
"""Intersection over union from which a box counts as detected, as VOC and most users take it."""
_MOST_MARKS = 12
"""Detections of each artifact in a picture, those with the highest scores; more hide the image."""
_MARK_BYTES = 120
"""Bytes of a rectangle on the page: a class and four shares of four digits each."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """An artifact with its detections."""

    artifact: Artifact
    classes: tuple[ClassMatches, ...]
    detected: Boxes

    def scores(self, number: int, count: int) -> NDArray[np.float64]:
        """Return the score with which each of a class's labels is detected, -inf if it is not."""
        matches = self.classes[number]
        scores = np.full(count, -np.inf)
        scores[matches.matched[0, matches.hits[0]]] = matches.score[matches.hits[0]]
        return scores


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _BoxFlips:
    """The labels of a class that a change lost or found, the highest scores first."""

    name: str
    labels: Boxes
    before: NDArray[np.float64]
    """The score of each label's detection, shape (b,)."""
    after: NDArray[np.float64]
    threshold: float
    unit: NDArray[np.float64]
    """Width, height, width, height of the images in the unit of the corners."""

    def flipped(self, *, broken: bool) -> list[int]:
        """Return the labels that only the artifact before the change detects, or only the other."""
        sides = (self.before, self.after) if broken else (self.after, self.before)
        gone = (sides[0] >= self.threshold) & (sides[1] < self.threshold)
        places = np.flatnonzero(gone & (self.labels.score == 0))
        return sorted(places.tolist(), key=lambda place: -float(sides[0][place]))


def box_sheet(
    role: str, before: Artifact, after: Artifact, metric: Metric, most_bytes: int
) -> FlipSheet:
    """Count the labels that a change lost and found, and show as many as fit.

    Raises as `matched_classes`.
    """
    sides = [_side(artifact, metric) for artifact in (before, after)]
    labels = labelled_boxes(after, metric)
    threshold = operating_score(sides[0].classes)
    classes = [_class_flips(labels, sides, number, threshold) for number in range(_count(sides))]
    by_class = [it for it in classes if it.flipped(broken=True) or it.flipped(broken=False)]
    by_class.sort(key=lambda it: len(it.flipped(broken=False)) - len(it.flipped(broken=True)))
    shown = _shown(by_class, sides, most_bytes)
    return FlipSheet(
        role=role,
        n=int((labels.score == 0).sum()),
        broken=sum(len(it.flipped(broken=True)) for it in by_class),
        fixed=sum(len(it.flipped(broken=False)) for it in by_class),
        confused_with="",
        confused_count=0,
        classes=tuple(
            FlippedClass(
                name=it.name,
                n=int((it.labels.score == 0).sum()),
                broken=len(it.flipped(broken=True)),
                fixed=len(it.flipped(broken=False)),
                shown=tuple(flip for owner, flip in shown if owner is it),
            )
            for it in by_class
        ),
        threshold=threshold,
    )


def operating_score(classes: tuple[ClassMatches, ...]) -> float:
    """Return the score from which detections have the highest F1 over all classes.

    Without a right detection it is infinite.
    """
    score = np.concatenate([it.score[~it.ignored[0]] for it in classes])
    hits = np.concatenate([it.hits[0, ~it.ignored[0]] for it in classes])
    order = np.argsort(-score, kind="stable")
    detected, labelled = np.cumsum(hits[order]), sum(float(it.boxes.sum()) for it in classes)
    if not len(order) or not detected[-1]:
        return np.inf
    f1 = 2 * detected / (np.arange(1, len(order) + 1) + labelled)
    f1[np.append(np.diff(score[order]) == 0, False)] = 0  # no score parts equal ones
    return float(score[order[int(f1.argmax())]])


def _side(artifact: Artifact, metric: Metric) -> _Side:
    return _Side(
        artifact=artifact,
        classes=matched_classes(artifact, replace(metric, overlap=OVERLAP)),
        detected=detected_boxes(artifact, metric),
    )


def _count(sides: list[_Side]) -> int:
    return len(sides[0].classes)


def _class_flips(labels: Boxes, sides: list[_Side], number: int, threshold: float) -> _BoxFlips:
    of_class = labels.select(labels.number == number)
    before, after = (side.scores(number, len(of_class.number)) for side in sides)
    return _BoxFlips(
        name=class_names(sides[0].artifact, _count(sides))[number],
        labels=of_class,
        before=before,
        after=after,
        threshold=threshold,
        unit=_unit(labels, sides[1].artifact),
    )


def _shown(
    by_class: list[_BoxFlips], sides: list[_Side], most_bytes: int
) -> list[tuple[_BoxFlips, Flip]]:
    """Return the first flips that fit into `most_bytes`, with their classes."""
    turns = in_turns([_places(it) for it in by_class])
    shown, total = [], 0
    for flips, place in islice(turns, MOST_SHOWN):
        flip = _flip(flips, place, sides)
        total += page_bytes(flip.picture)
        if isinstance(flip.picture, Image):
            total += _MARK_BYTES * len(flip.picture.marks)
        if total > most_bytes:
            break
        shown.append((flips, flip))
    return sorted(shown, key=lambda it: not it[1].broken)


def _places(flips: _BoxFlips) -> Iterator[tuple[_BoxFlips, int]]:
    broken, fixed = (flips.flipped(broken=broken) for broken in (True, False))
    return ((flips, place) for place in mixed(broken, fixed))


def _flip(flips: _BoxFlips, place: int, sides: list[_Side]) -> Flip:
    image = int(flips.labels.image[place])
    answer = partial(_answer, threshold=flips.threshold)
    split = sides[1].artifact.evaluation
    picture = picture_of(split, image)
    if isinstance(picture, Image):
        marks = [("label", flips.labels.corners[place])]
        for kind, side in zip(("before", "after"), sides, strict=True):
            marks += [(kind, it) for it in _best(side.detected, image, flips.threshold)]
        drawn = tuple(_mark(kind, corners, flips.unit) for kind, corners in marks)
        picture = replace(picture, marks=drawn)
    return Flip(
        sample=image,
        broken=bool(flips.before[place] >= flips.threshold),
        before=answer(flips.before[place]),
        after=answer(flips.after[place]),
        picture=picture,
    )


def _answer(score: float, *, threshold: float) -> Answer:
    is_detected = score >= threshold
    words = f"detected, score {score:.2g}" if is_detected else "missed"
    return Answer(chosen=words, confidence=None)


def _best(detected: Boxes, image: int, threshold: float) -> NDArray[np.float64]:
    """Return the corners of an image's detections with a sufficient score, the best first."""
    of_image = detected.of_image(image)
    order = np.argsort(-of_image.score, kind="stable")[:_MOST_MARKS]
    return of_image.corners[order[of_image.score[order] >= threshold]]


def _unit(labels: Boxes, artifact: Artifact) -> NDArray[np.float64]:
    """Return width, height, width, height of the images in the unit of the corners.

    Labels that are nowhere above 1 are shares: no data set has all boxes in a single pixel.
    """
    images = (x.shape[1:3] for _, x in by_input(artifact.evaluation.x) if x.ndim >= 3)
    height, width = next(images, (1, 1)) if labels.corners.max(initial=0) > 1 else (1, 1)
    return np.array([width, height, width, height], np.float64)


def _mark(kind: str, corners: NDArray[np.float64], scale: NDArray[np.float64]) -> Mark:
    left, top, right, bottom = np.clip(corners / scale, 0, 1).tolist()
    return Mark(kind=kind, left=left, top=top, width=right - left, height=bottom - top)
