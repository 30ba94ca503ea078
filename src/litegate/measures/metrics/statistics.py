"""What a metric keeps of each sample: numbers that suffice for its value, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.measures.metrics.custom import Chunk, called, demand_bounds
from litegate.spec.metric import Metric, MetricKind

Kept = NDArray[np.float64]
"""The statistics of n samples, shape (n, k)."""


def statistics(metric: Metric, chunk: Chunk) -> Kept:
    """The statistics of a chunk's samples. MeasurementError where the metric cannot have them."""
    found = np.asarray(_STATISTICS[metric.kind](metric, chunk), np.float64)
    if not np.isfinite(found).all():
        broken = int((~np.isfinite(found)).any(axis=1).sum())
        raise MeasurementError(
            f"the metric {metric.name} has no number for {broken:,} of {len(found):,} samples",
            remedy="look for NaN in the labels, and at the metric's own function",
        )
    return found


def _column(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values).reshape(len(values), -1)


def _each(metric: Metric, chunk: Chunk) -> Kept:
    """One number a sample, of the user's own function."""
    found = np.asarray(called(metric, chunk))
    if found.dtype.kind not in "biuf" or found.shape not in (
        (len(chunk.outputs),),
        (len(chunk.outputs), 1),
    ):
        raise MeasurementError(
            f"the function of the metric {metric.name} gives no number for each sample",
            expected=f"shape ({len(chunk.outputs)},)",
            got=f"{found.dtype} of shape {found.shape}",
        )
    each = _column(found).astype(np.float64)
    if metric.kind is MetricKind.MEAN:
        demand_bounds(metric, each)
    return each


def _differences(metric: Metric, chunk: Chunk) -> Kept:
    """Outputs less labels, float64, shape (n, values)."""
    outputs, labels = _column(chunk.outputs), _column(chunk.known(metric))
    if outputs.shape != labels.shape:
        raise MeasurementError(
            f"the metric {metric.name} compares outputs with labels of another shape",
            expected=f"labels of shape {chunk.outputs.shape}",
            got=f"shape {chunk.known(metric).shape}",
        )
    found: Kept = outputs.astype(np.float64) - labels
    return found


def _squared(metric: Metric, chunk: Chunk) -> Kept:
    found: Kept = np.square(_differences(metric, chunk)).mean(axis=1, keepdims=True)
    return found


def _absolute(metric: Metric, chunk: Chunk) -> Kept:
    found: Kept = np.abs(_differences(metric, chunk)).mean(axis=1, keepdims=True)
    return found


def class_labels(metric: Metric, chunk: Chunk, classes: int) -> NDArray[np.intp]:
    """One class a sample, integers, shape (n,). MeasurementError for labels that are none."""
    labels = np.asarray(chunk.known(metric))
    fine = labels.shape in ((len(chunk.outputs),), (len(chunk.outputs), 1))
    if not fine or labels.dtype.kind not in "iub" or labels.min() < 0 or labels.max() >= classes:
        raise MeasurementError(
            f"the metric {metric.name} needs one class a sample",
            expected=f"integers from 0 to {classes - 1}, shape (n,)",
            got=f"{labels.dtype} of shape {labels.shape}, from {labels.min()} to {labels.max()}",
        )
    return labels.reshape(-1).astype(np.intp)


def _scores(metric: Metric, chunk: Chunk) -> NDArray[Any]:
    """One score a class, shape (n, classes); of a single output, with whether it says yes."""
    scores = _given(metric, chunk)
    if scores.shape[1] > 1:
        return scores
    return decided_by(metric, scores)


def _given(metric: Metric, chunk: Chunk) -> NDArray[Any]:
    """The outputs, shape (n, classes) or (n, 1). MeasurementError for others, as one a pixel."""
    scores = _column(chunk.outputs)
    count = scores.shape[1]
    _demand_classes(metric, chunk, count if count in (1, *chunk.outputs.shape[1:]) else 0)
    return scores


def _demand_classes(metric: Metric, chunk: Chunk, count: int) -> None:
    """Raise MeasurementError where so many scores are not one for each class that has a name."""
    if not count or (chunk.classes and count not in (1, len(chunk.classes))):
        raise MeasurementError(
            f"the metric {metric.name} needs one score a class",
            expected=f"{len(chunk.classes) or 'as many'} outputs, or a single one that says yes",
            got=f"outputs of shape {chunk.outputs.shape} for {len(chunk.classes)} class names",
            remedy="compare the network's last layer with the data set's classes",
        )


def decided_by(metric: Metric, scores: NDArray[Any]) -> NDArray[Any]:
    """A single score, shape (..., 1), as those of the classes no and yes, shape (..., 2)."""
    if metric.threshold is None:
        raise MeasurementError(
            f"the metric {metric.name} needs to know when a single output says yes",
            expected="threshold=0.5 for a sigmoid, threshold=0 for a logit",
        )
    says = (scores >= metric.threshold).astype(np.float32)
    return np.concatenate([1 - says, says], axis=-1)


def _among_highest(metric: Metric, chunk: Chunk) -> Kept:
    """1 where fewer than k scores stand before the class's own, else 0; and the class."""
    scores = _scores(metric, chunk)
    labels = class_labels(metric, chunk, scores.shape[1])
    if metric.k >= scores.shape[1]:
        raise MeasurementError(
            f"the metric {metric.name} holds for any answer: there are {scores.shape[1]} classes",
            expected=f"a k from 1 to {scores.shape[1] - 1}",
            got=str(metric.k),
        )
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    before = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return np.stack([before < metric.k, labels], axis=1)


def _chosen(metric: Metric, chunk: Chunk) -> Kept:
    """The class that was chosen and the right one."""
    scores = _scores(metric, chunk)
    return np.stack(
        [scores.argmax(axis=1), class_labels(metric, chunk, scores.shape[1])], axis=1
    ).astype(np.float64)


def _ranked(metric: Metric, chunk: Chunk) -> Kept:
    """The score, and 1 where the sample is of the class that it is a score of."""
    labels = np.asarray(chunk.known(metric))
    of = chunk.number(metric, 1 if metric.of is None else metric.of)
    if labels.shape not in ((len(chunk.outputs),), (len(chunk.outputs), 1)):
        raise MeasurementError(
            f"the metric {metric.name} needs one label a sample",
            expected=f"shape ({len(chunk.outputs)},)",
            got=f"shape {labels.shape}",
        )
    score = _each(metric, chunk)[:, 0] if metric.function else _score_of(metric, chunk, of)
    return np.stack([score, labels.reshape(-1) == of], axis=1)


def _score_of(metric: Metric, chunk: Chunk, of: int) -> NDArray[Any]:
    scores = _given(metric, chunk)
    if scores.shape[1] == 1:
        return scores[:, 0] if of else -scores[:, 0]
    if not 0 <= of < scores.shape[1]:
        raise MeasurementError(
            f"the metric {metric.name} is of the class {of}, for which there is no output",
            expected=f"0 to {scores.shape[1] - 1}",
        )
    return scores[:, of] - scores[:, 1 - of] if scores.shape[1] == 2 else scores[:, of]


def _overlaps(metric: Metric, chunk: Chunk) -> Kept:
    """Pixels in both masks, in either, and in the label's, of each class: shape (n, 3 classes)."""
    labels = np.asarray(chunk.known(metric))
    scores = chunk.outputs
    labels = labels[..., 0] if labels.ndim == scores.ndim and labels.shape[-1] == 1 else labels
    scores = scores[..., None] if scores.shape == labels.shape else scores
    scores = decided_by(metric, scores) if scores.shape[-1] == 1 else scores
    if scores.shape[:-1] != labels.shape or labels.ndim < 2 or labels.dtype.kind not in "iub":
        raise MeasurementError(
            f"the metric {metric.name} compares outputs with masks of another shape",
            expected=f"integers of shape {chunk.outputs.shape[:-1]}",
            got=f"{labels.dtype} of shape {labels.shape}",
        )
    classes, n = scores.shape[-1], len(scores)
    _demand_classes(metric, chunk, classes)
    flat, truth = scores.argmax(axis=-1).reshape(n, -1), labels.reshape(n, -1).astype(np.intp)
    counted = np.ones_like(truth, bool) if metric.ignore is None else truth != metric.ignore
    if counted.any() and not 0 <= truth[counted].min() <= truth[counted].max() < classes:
        raise MeasurementError(
            f"the masks of the metric {metric.name} hold what is no class",
            expected=f"0 to {classes - 1}, or ignore=... for pixels that do not count",
            got=f"{truth[counted].min()} to {truth[counted].max()}",
        )
    both, ours, theirs = (
        _pixels(which, classes, mask & counted)
        for which, mask in ((flat, flat == truth), (flat, counted), (truth, counted))
    )
    return np.concatenate([both, ours + theirs - both, theirs], axis=1)


def _pixels(chosen: NDArray[np.intp], classes: int, counted: NDArray[np.bool_]) -> Kept:
    """How many of each sample's pixels are of each class, shape (n, classes)."""
    n = len(chosen)
    places = np.arange(n)[:, None] * classes + chosen
    found = np.bincount(places[counted], minlength=n * classes).reshape(n, classes)
    return found.astype(np.float64)


_STATISTICS: Mapping[MetricKind, Callable[[Metric, Chunk], Any]] = {
    MetricKind.TOP_K: _among_highest,
    MetricKind.F1: _chosen,
    MetricKind.AUC: _ranked,
    MetricKind.MSE: _squared,
    MetricKind.RMSE: _squared,
    MetricKind.MAE: _absolute,
    MetricKind.IOU: _overlaps,
    MetricKind.MEAN: _each,
}
