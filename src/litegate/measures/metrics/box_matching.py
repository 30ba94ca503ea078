"""Match detections with labelled boxes by the rules of COCO and PASCAL VOC.

COCO's matching is that of its reference implementation, pycocotools (`litegate[detection]`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ConfigError
from litegate.measures.metrics.boxes import Boxes, Real, detected_boxes, labelled_boxes
from litegate.spec import Artifact
from litegate.spec.metric import Metric, MetricKind

_COCO_OVERLAPS = np.linspace(0.5, 0.95, 10)
"""COCO's overlaps; the very floats of `pycocotools.cocoeval.Params`."""
_COCO_MOST = 100
"""The most detections of a class in an image that COCO counts."""
_VOC_OVERLAP = 0.5
"""From this overlap on VOC counts a detection as right (Everingham et al., IJCV 2010)."""
_ANY_AREA = [0, 1e10]
"""COCO's range of areas "all"; litegate states no area, so boxes of any size are in it."""

Marks = NDArray[np.bool_]
Indices = NDArray[np.intp]
Match = Callable[[Boxes, Boxes], tuple[Indices, Marks]]
"""Returns, of an image's labels and ranked detections, the label that each detection matches at
each overlap, -1 for none, and True for detections that do not count, both (t, d)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassMatches:
    """The detections of one class in n images, the highest score first; ties by image."""

    image: Indices
    """The image of each detection, shape (d,)."""
    score: Real
    """Shape (d,)."""
    matched: Indices
    """The label that each detection matches, among those of the class in the order of images, for
    each of t overlaps; -1 for none; shape (t, d)."""
    ignored: Marks
    """True for detections that count neither as right nor as wrong, shape (t, d)."""
    boxes: Real
    """The number of labelled boxes in each image that count, shape (n,)."""

    @property
    def hits(self) -> Marks:
        """True for right detections, shape (t, d)."""
        return (self.matched >= 0) & ~self.ignored

    def select(self, images: Indices) -> ClassMatches:
        """Return the matches in some images, by their indices in ascending order."""
        place = np.full(len(self.boxes), -1)
        place[images] = np.arange(len(images))
        is_selected = place[self.image] >= 0
        return ClassMatches(
            image=place[self.image[is_selected]],
            score=self.score[is_selected],
            matched=self.matched[:, is_selected],
            ignored=self.ignored[:, is_selected],
            boxes=self.boxes[images],
        )


@lru_cache(maxsize=16)  # as `sample_statistics`: a model has a few metrics and artifacts
def matched_classes(artifact: Artifact, metric: Metric) -> tuple[ClassMatches, ...]:
    """Match the detections of an artifact with the labels of its split, class by class.

    Raises ConfigError without pycocotools, and as `labelled_boxes` and `detected_boxes`.
    """
    match, n = _matcher(metric), len(artifact.evaluation.x)
    labels, detections = labelled_boxes(artifact, metric), detected_boxes(artifact, metric)
    names = artifact.evaluation.classes
    # Without names the labels decide which classes there are, as COCO's categories do.
    count = len(names) or (int(labels.number.max()) + 1 if len(labels.number) else 0)
    return tuple(
        _match_class(
            match,
            labels.select(labels.number == number),
            detections.select(detections.number == number),
            n,
        )
        for number in range(count)
    )


def _match_class(match: Match, labels: Boxes, detections: Boxes, n: int) -> ClassMatches:
    marks = []
    images = [np.empty(0, np.intp)]
    scores = [np.empty(0)]
    for image in np.unique(detections.image).tolist():
        of_image = detections.of_image(image)
        ranked = of_image.select(np.argsort(-of_image.score, kind="stable"))
        matched, ignored = match(labels.of_image(image), ranked)
        first = int(np.searchsorted(labels.image, image))
        marks.append((np.where(matched >= 0, matched + first, -1), ignored))
        images.append(np.full(matched.shape[1], image))
        scores.append(ranked.score[: matched.shape[1]])
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    marks = marks or [(np.zeros((1, 0), np.intp), np.zeros((1, 0), np.bool_))]
    matched, ignored = (np.concatenate(side, axis=1)[:, order] for side in zip(*marks, strict=True))
    counted = labels.image[labels.score == 0]
    return ClassMatches(
        image=np.concatenate(images)[order],
        score=score[order],
        matched=matched,
        ignored=ignored,
        boxes=np.bincount(counted, minlength=n).astype(np.float64),
    )


def _matcher(metric: Metric) -> Match:
    cocoeval, mask = _pycocotools()
    if metric.kind is MetricKind.MAP_VOC:
        return partial(_voc_match, mask, metric.overlap or _VOC_OVERLAP)
    evaluator = cocoeval.COCOeval(iouType="bbox")
    evaluator.params.iouThrs = np.array([metric.overlap]) if metric.overlap else _COCO_OVERLAPS
    evaluator.params.maxDets = [_COCO_MOST]
    return partial(_coco_match, evaluator)


def _coco_match(evaluator: Any, labels: Boxes, ranked: Boxes) -> tuple[Indices, Marks]:
    pair = (0, 0)  # a single image and a single class at a time
    # pycocotools takes an identity of 0 for no match.
    evaluator._gts[pair] = [  # noqa: SLF001 its public way in is a file, and prints
        {"id": number, "bbox": box, "area": 1.0, "iscrowd": int(crowd), "ignore": int(crowd)}
        for number, (box, crowd) in enumerate(zip(_sized(labels), labels.score, strict=True), 1)
    ]
    evaluator._dts[pair] = [  # noqa: SLF001
        {"id": number, "bbox": box, "area": 1.0, "score": score}
        for number, (box, score) in enumerate(zip(_sized(ranked), ranked.score, strict=True), 1)
    ]
    evaluator.ious = {pair: evaluator.computeIoU(*pair)}
    result = evaluator.evaluateImg(*pair, _ANY_AREA, _COCO_MOST)
    return result["dtMatches"].astype(np.intp) - 1, np.asarray(result["dtIgnore"], np.bool_)


def _voc_match(mask: Any, overlap: float, labels: Boxes, ranked: Boxes) -> tuple[Indices, Marks]:
    """Match by VOC's rule: each detection with the box that it overlaps most, each box once.

    Everingham et al. 2010, Int J Comput Vis 88:303; a pixel is a point here and not a unit square.
    """
    shape = (1, len(ranked.score))
    matched, ignored = np.full(shape, -1), np.zeros(shape, np.bool_)
    if not len(labels.score):
        return matched, ignored
    overlaps = np.asarray(mask.iou(_sized(ranked), _sized(labels), [0] * len(labels.score)))
    nearest = overlaps.argmax(axis=1)
    is_enough = np.flatnonzero(overlaps.max(axis=1) >= overlap)
    is_difficult = labels.score[nearest[is_enough]] > 0
    ignored[0, is_enough[is_difficult]] = True
    candidates = is_enough[~is_difficult]
    _, first = np.unique(nearest[candidates], return_index=True)
    matched[0, candidates[first]] = nearest[candidates[first]]
    return matched, ignored


def _sized(boxes: Boxes) -> Real:
    """Return x, y, width and height, shape (b, 4)."""
    low, high = boxes.corners[:, :2], boxes.corners[:, 2:]
    return np.concatenate([low, high - low], axis=1)


def _pycocotools() -> tuple[Any, Any]:
    try:
        from pycocotools import cocoeval, mask
    except ImportError as error:
        raise ConfigError(
            "mean average precision needs pycocotools",
            got=str(error),
            remedy="pip install 'litegate[detection]'",
        ) from error
    return cocoeval, mask
