"""Compute average precision on resamples of images, from detections that are matched once.

Matching looks at one image at a time, so a resample changes only how often each image's detections
and boxes count. The values are exactly those of an evaluation of the resampled images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from litegate.measures.metrics.box_matching import ClassMatches
from litegate.measures.statistics.bootstrap import Counts, Real
from litegate.spec.metric import MetricKind

_RECALLS = np.linspace(0, 1, 101)
"""The recalls at which COCO reads the precision; the very floats of `pycocotools`."""
_BLOCK_NUMBERS = 2_000_000
"""Counts of detections in a block of resamples: 16 MB of float64, as in `bootstrap`."""


def average_precision(matches: ClassMatches, counts: Counts, kind: MetricKind) -> Real:
    """Return a class's average precision for each row of `counts`, (r, n) to (r,); NaN if no box.

    It is the mean over the overlaps of `matches`.
    """
    last = np.flatnonzero(matches.hits.any(axis=0)).max(initial=-1) + 1
    size = max(1, _BLOCK_NUMBERS // max(1, int(last)))
    blocks = [counts[start : start + size] for start in range(0, len(counts), size)]
    # Detections below the last hit change no precision that is read.
    return np.concatenate([_block(matches, block, kind, int(last)) for block in blocks])


def _block(matches: ClassMatches, counts: Counts, kind: MetricKind, last: int) -> Real:
    boxes = counts @ matches.boxes
    weights = counts[:, matches.image[:last]]
    every = np.cumsum(weights, axis=1)
    by_overlap = []
    for hits, ignored in zip(matches.hits[:, :last], matches.ignored[:, :last], strict=True):
        places = np.flatnonzero(hits)
        detected = np.cumsum(weights[:, places], axis=1)
        counted = every[:, places] - _ignored_before(weights, np.flatnonzero(ignored), places)
        by_overlap.append(_area(detected, counted, boxes, _STEPS[kind]))
    return np.where(boxes > 0, np.mean(by_overlap, axis=0), np.nan)


def _ignored_before(weights: Counts, ignored: NDArray[np.intp], places: NDArray[np.intp]) -> Real:
    """Return how many ignored detections come before each of `places`, shape (r, p)."""
    sums = np.cumsum(weights[:, ignored], axis=1)
    padded = np.concatenate([np.zeros((len(weights), 1)), sums], axis=1)
    before: Real = padded[:, np.searchsorted(ignored, places)]
    return before


def _area(detected: Real, counted: Real, boxes: Real, steps: Callable[[Real], Real]) -> Real:
    """Return the area under the precision, made to fall, over the recall, for each row.

    `detected` and `counted` are the right and all detections up to each hit, shape (r, p).
    """
    precision = detected / np.maximum(counted, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = detected / np.maximum(boxes, 1)[:, None]
    area: Real = (envelope * steps(recall)).sum(axis=1)
    return area


def _coco_steps(recall: Real) -> Real:
    """Return the share of COCO's recalls that each hit is the first to reach."""
    reached = np.searchsorted(_RECALLS, recall, side="right")
    return np.diff(reached, axis=1, prepend=0) / len(_RECALLS)


def _voc_steps(recall: Real) -> Real:
    return np.diff(recall, axis=1, prepend=0)


_STEPS: Mapping[MetricKind, Callable[[Real], Real]] = {
    MetricKind.MAP_COCO: _coco_steps,
    MetricKind.MAP_VOC: _voc_steps,
}
