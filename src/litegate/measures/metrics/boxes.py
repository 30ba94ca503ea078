"""Read boxes in images: those that labels mark, and those that a model detects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.measures.metrics.custom import call_with, demand_deterministic, read_only
from litegate.runtimes.inference import predict_all
from litegate.runtimes.outputs import Outputs
from litegate.spec import Artifact, map_samples
from litegate.spec.metric import Metric
from litegate.tflite.ports import join_names

Real = NDArray[np.float64]
LABEL = ("x_min", "y_min", "x_max", "y_max", "class")
"""Columns of a label; a sixth one marks boxes to ignore."""
DETECTION = ("x_min", "y_min", "x_max", "y_max", "score", "class")
"""Columns of a detection."""
_CHUNK = 1000
"""Images whose outputs are decoded at once, which bounds the memory: 2,000 anchors with 10 numbers
each take 80 MB in float32."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """Boxes in images, in the order of the images."""

    image: NDArray[np.intp]
    """The index of each box's image, shape (b,)."""
    corners: Real
    """x_min, y_min, x_max, y_max, shape (b, 4)."""
    number: NDArray[np.intp]
    """The class of each box, shape (b,)."""
    score: Real
    """The score of each detection, shape (b,); of a label 1 if it is to be ignored, else 0."""

    def of_image(self, image: int) -> Boxes:
        """Return the boxes of one image."""
        start, stop = np.searchsorted(self.image, (image, image + 1)).tolist()
        return self.select(slice(start, stop))

    def select(self, index: Any) -> Boxes:
        """Return some of the boxes, by a mask, a slice or indices."""
        return Boxes(
            image=self.image[index],
            corners=self.corners[index],
            number=self.number[index],
            score=self.score[index],
        )


def labelled_boxes(artifact: Artifact, metric: Metric) -> Boxes:
    """Return the boxes that the labels mark. Raises MeasurementError for other labels."""
    split = artifact.evaluation
    labels = None if split.y is None else np.asarray(split.y[:])
    columns = (len(LABEL), len(LABEL) + 1)
    if labels is None or labels.ndim != 3 or labels.shape[2] not in columns:
        raise MeasurementError(
            f"the metric {metric.name} needs boxes as labels",
            expected=f"floats, shape (n, k, 5): {', '.join(LABEL)}, or with a sixth column that is"
            " 1 for boxes to ignore",
            got="no labels" if labels is None else f"{labels.dtype} of shape {labels.shape}",
            remedy="pad images of fewer boxes by rows with the class -1",
        )
    exact = labels.astype(np.float64)
    subject = f"the labels of the metric {metric.name}"
    _demand_classes(exact[..., 4], split.classes, subject)
    image, place = np.nonzero(exact[..., 4] >= 0)
    rows = exact[image, place]
    corners = rows[:, :4]
    if not np.isfinite(rows).all() or (corners[:, :2] > corners[:, 2:]).any():
        raise MeasurementError(
            f"{subject} contain boxes whose corners are not numbers in order",
            expected="x_min <= x_max and y_min <= y_max",
            remedy="convert boxes of another form, such as a corner, a width and a height",
        )
    is_ignored = rows[:, 5] if rows.shape[1] > len(LABEL) else np.zeros(len(rows))
    return Boxes(image=image, corners=corners, number=rows[:, 4].astype(np.intp), score=is_ignored)


def detected_boxes(artifact: Artifact, metric: Metric) -> Boxes:
    """Run an artifact on its images and return its detections, decoded by the metric's function.

    Raises MeasurementError for outputs, or results of the function, that are no detections; else as
    `predict_all`.
    """
    outputs, n = predict_all(artifact), len(artifact.evaluation.x)
    parts = [
        _detections(artifact, metric, outputs, slice(start, min(start + _CHUNK, n)))
        for start in range(0, n, _CHUNK)
    ]
    if metric.function:
        again = _detections(artifact, metric, outputs, slice(0, min(_CHUNK, n)))
        demand_deterministic(metric, parts[0][1], again[1])
    image, rows = (np.concatenate(side) for side in zip(*parts, strict=True))
    _demand_classes(
        rows[:, 5], artifact.evaluation.classes, f"the detections of the metric {metric.name}"
    )
    is_box = rows[:, 5] >= 0
    image, rows = image[is_box], rows[is_box]
    if not np.isfinite(rows).all():
        broken = int((~np.isfinite(rows)).any(axis=1).sum())
        raise MeasurementError(
            f"{broken:,} of {len(rows):,} detections of {artifact.name} are NaN or infinite",
            expected="finite corners and scores, or the class -1 in rows without a detection",
        )
    low, high = rows[:, :2], rows[:, 2:4]
    # Rounded to int8, a narrow box may end before it begins.
    corners = np.concatenate([low, np.maximum(low, high)], axis=1)
    return Boxes(image=image, corners=corners, number=rows[:, 5].astype(np.intp), score=rows[:, 4])


def _detections(
    artifact: Artifact, metric: Metric, outputs: Mapping[str, Outputs], part: slice
) -> tuple[NDArray[np.intp], Real]:
    """Return the image of each detection in a part of the split, and the detections, (d, 6)."""
    real = {name: read_only(output[part].real) for name, output in outputs.items()}
    n = part.stop - part.start
    if metric.function:
        sole = next(iter(real.values())) if len(real) == 1 else real
        inputs = map_samples(artifact.evaluation.x[part], read_only)
        arguments = {"outputs": sole, "inputs": inputs}
        expected = "detections, shape (n, k, 6)"
        decoded = call_with(metric, arguments, samples=n, expected=expected)
    else:
        decoded = _undecoded(metric, real)
    rows = _rows_by_image(metric, decoded, n)
    image = np.repeat(np.arange(part.start, part.stop), [len(part_rows) for part_rows in rows])
    return image, np.concatenate(rows)


def _undecoded(metric: Metric, real: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return outputs that need no function as detections, shape (n, k, 6)."""
    if len(real) == 1 and (sole := next(iter(real.values()))).shape[2:] == (len(DETECTION),):
        return sole
    boxes, scores = (real.get(name, np.empty(0)) for name in ("boxes", "scores"))
    if boxes.ndim == 3 and boxes.shape[2] == 4 and scores.shape[:2] == boxes.shape[:2]:
        if scores.ndim == 3:
            return np.concatenate([boxes, _highest(scores)], axis=2)
        numbers = real.get("classes", np.empty(0))
        if numbers.shape == scores.shape:
            return np.concatenate([boxes, scores[..., None], numbers[..., None]], axis=2)
    shapes = (f"{name} of shape {array.shape}" for name, array in real.items())
    raise MeasurementError(
        f"the metric {metric.name} finds no detections in the outputs",
        expected=f"one output of shape (n, k, 6): {', '.join(DETECTION)}; or outputs named boxes,"
        " (n, k, 4), and scores, (n, k, classes), or (n, k) beside classes, (n, k)",
        got=join_names(shapes),
        remedy=f"write a function that decodes them: {metric.kind}(decode, ...)",
    )


def _highest(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the highest score of each box and its class, shape (n, k, 2)."""
    return np.stack([scores.max(axis=2), scores.argmax(axis=2)], axis=2)


def _rows_by_image(metric: Metric, decoded: Any, n: int) -> list[Real]:
    """Return the detections of each of n images, each of shape (k, 6)."""
    try:
        rows = [np.asarray(image_rows, np.float64) for image_rows in decoded]
    except (TypeError, ValueError):
        rows = []
    rows = [it if it.size else np.empty((0, len(DETECTION))) for it in rows]
    if len(rows) != n or any(it.ndim != 2 or it.shape[1] != len(DETECTION) for it in rows):
        shapes = sorted({it.shape for it in rows})[:3]
        raise MeasurementError(
            f"the function of the metric {metric.name} does not return detections",
            expected=f"shape ({n}, k, 6), or {n} arrays of shape (k, 6): {', '.join(DETECTION)}",
            got=f"{len(rows)} arrays of shapes {', '.join(map(str, shapes))}"
            if rows
            else f"{type(decoded).__name__} {decoded!r:.80}",
        )
    return rows


def _demand_classes(numbers: Real, names: tuple[str, ...], subject: str) -> None:
    """Raise MeasurementError unless numbers are classes, or -1 in rows without a box."""
    most = len(names) - 1 if names else np.inf
    is_class = (numbers == np.floor(numbers)) & (numbers >= -1) & (numbers <= most)
    if not is_class.all():
        wrong = numbers[~is_class]
        raise MeasurementError(
            f"{subject} contain classes that are not class numbers",
            expected=f"whole numbers from 0{f' to {most}' if names else ''}, or -1 for no box",
            got=f"{wrong[0]:g}, and {len(wrong) - 1:,} more" if len(wrong) > 1 else f"{wrong[0]:g}",
        )
