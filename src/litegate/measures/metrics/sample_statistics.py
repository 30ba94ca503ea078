"""Compute the statistics of each sample that suffice for a metric's value, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.measures.metrics.custom import Chunk, call_function, demand_bounds
from litegate.spec.metric import Metric, MetricKind

SampleStatistics = NDArray[np.float64]
"""The statistics of n samples, shape (n, k)."""


def statistics(metric: Metric, chunk: Chunk) -> SampleStatistics:
    """Compute the statistics of a chunk's samples. Raises MeasurementError if they have none."""
    rows = np.asarray(_STATISTICS[metric.kind](metric, chunk), np.float64)
    if not np.isfinite(rows).all():
        broken = int((~np.isfinite(rows)).any(axis=1).sum())
        raise MeasurementError(
            f"the metric {metric.name} has no number for {broken:,} of {len(rows):,} samples",
            remedy="check the labels for NaN, and the metric's own function",
        )
    return rows


def _flatten_samples(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values).reshape(len(values), -1)


def _custom_numbers(metric: Metric, chunk: Chunk) -> SampleStatistics:
    """Return one number a sample, from the user's own function."""
    result = np.asarray(call_function(metric, chunk))
    if result.dtype.kind not in "biuf" or result.shape not in (
        (len(chunk.outputs),),
        (len(chunk.outputs), 1),
    ):
        raise MeasurementError(
            f"the function of the metric {metric.name} does not return one number for each sample",
            expected=f"shape ({len(chunk.outputs)},)",
            got=f"{result.dtype} of shape {result.shape}",
        )
    numbers = _flatten_samples(result).astype(np.float64)
    if metric.kind is MetricKind.MEAN:
        demand_bounds(metric, numbers)
    return numbers


def _differences(metric: Metric, chunk: Chunk) -> SampleStatistics:
    """Return outputs minus labels, float64, shape (n, values)."""
    outputs, labels = (
        _flatten_samples(chunk.outputs),
        _flatten_samples(chunk.required_labels(metric)),
    )
    if outputs.shape != labels.shape:
        raise MeasurementError(
            f"the metric {metric.name} compares outputs with labels of another shape",
            expected=f"labels of shape {chunk.outputs.shape}",
            got=f"shape {chunk.required_labels(metric).shape}",
        )
    differences: SampleStatistics = outputs.astype(np.float64) - labels
    return differences


def _squared(metric: Metric, chunk: Chunk) -> SampleStatistics:
    squares: SampleStatistics = np.square(_differences(metric, chunk)).mean(axis=1, keepdims=True)
    return squares


def _absolute(metric: Metric, chunk: Chunk) -> SampleStatistics:
    magnitudes: SampleStatistics = np.abs(_differences(metric, chunk)).mean(axis=1, keepdims=True)
    return magnitudes


def class_labels(metric: Metric, chunk: Chunk, classes: int) -> NDArray[np.intp]:
    """Return one class a sample, integers, shape (n,); MeasurementError for other labels."""
    labels = np.asarray(chunk.required_labels(metric))
    is_column = labels.shape in ((len(chunk.outputs),), (len(chunk.outputs), 1))
    if (
        not is_column
        or labels.dtype.kind not in "iub"
        or labels.min() < 0
        or labels.max() >= classes
    ):
        raise MeasurementError(
            f"the metric {metric.name} needs one class for each sample",
            expected=f"integers from 0 to {classes - 1}, shape (n,)",
            got=f"{labels.dtype} of shape {labels.shape}, from {labels.min()} to {labels.max()}",
        )
    return labels.reshape(-1).astype(np.intp)


def _scores(metric: Metric, chunk: Chunk) -> NDArray[Any]:
    """Return one score a class, shape (n, classes); a single output gives scores of no and yes."""
    scores = _output_scores(metric, chunk)
    if scores.shape[1] > 1:
        return scores
    return binary_scores(metric, scores)


def _output_scores(metric: Metric, chunk: Chunk) -> NDArray[Any]:
    """Return the outputs, shape (n, classes) or (n, 1); MeasurementError for other shapes."""
    scores = _flatten_samples(chunk.outputs)
    count = scores.shape[1]
    _demand_classes(metric, chunk, count if count in (1, *chunk.outputs.shape[1:]) else 0)
    return scores


def _demand_classes(metric: Metric, chunk: Chunk, count: int) -> None:
    """Raise MeasurementError if there is not one score for each named class."""
    if not count or (chunk.classes and count not in (1, len(chunk.classes))):
        raise MeasurementError(
            f"the metric {metric.name} needs one score for each class",
            expected=f"{len(chunk.classes) or 'as many'} outputs, or a single output for a yes or "
            "no",
            got=f"outputs of shape {chunk.outputs.shape} for {len(chunk.classes)} class names",
            remedy="compare the network's last layer with the data set's classes",
        )


def binary_scores(metric: Metric, scores: NDArray[Any]) -> NDArray[Any]:
    """Return a single score, shape (..., 1), as scores of the classes no and yes, (..., 2)."""
    if metric.threshold is None:
        raise MeasurementError(
            f"the metric {metric.name} needs a threshold for its single output",
            expected="threshold=0.5 for a sigmoid, threshold=0 for a logit",
        )
    is_yes = (scores >= metric.threshold).astype(np.float32)
    return np.concatenate([1 - is_yes, is_yes], axis=-1)


def _among_highest(metric: Metric, chunk: Chunk) -> SampleStatistics:
    """Return 1 if fewer than k scores rank above the class's own, else 0; and the class."""
    scores = _scores(metric, chunk)
    labels = class_labels(metric, chunk, scores.shape[1])
    if metric.k >= scores.shape[1]:
        raise MeasurementError(
            f"the metric {metric.name} is the same for any answer: there are "
            f"{scores.shape[1]} classes",
            expected=f"a k from 1 to {scores.shape[1] - 1}",
            got=str(metric.k),
        )
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    better = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return np.stack([better < metric.k, labels], axis=1)


def _chosen(metric: Metric, chunk: Chunk) -> SampleStatistics:
    """Return the predicted class and the label."""
    scores = _scores(metric, chunk)
    return np.stack(
        [scores.argmax(axis=1), class_labels(metric, chunk, scores.shape[1])], axis=1
    ).astype(np.float64)


def _ranked(metric: Metric, chunk: Chunk) -> SampleStatistics:
    """Return the score of the class, and 1 for samples of that class."""
    labels = np.asarray(chunk.required_labels(metric))
    number = chunk.class_number(metric, 1 if metric.of is None else metric.of)
    if labels.shape not in ((len(chunk.outputs),), (len(chunk.outputs), 1)):
        raise MeasurementError(
            f"the metric {metric.name} needs one label for each sample",
            expected=f"shape ({len(chunk.outputs)},)",
            got=f"shape {labels.shape}",
        )
    score = (
        _custom_numbers(metric, chunk)[:, 0]
        if metric.function
        else _class_score(metric, chunk, number)
    )
    return np.stack([score, labels.reshape(-1) == number], axis=1)


def _class_score(metric: Metric, chunk: Chunk, number: int) -> NDArray[Any]:
    scores = _output_scores(metric, chunk)
    if scores.shape[1] == 1:
        return scores[:, 0] if number else -scores[:, 0]
    if not 0 <= number < scores.shape[1]:
        raise MeasurementError(
            f"the metric {metric.name} names the class {number}, which has no output",
            expected=f"0 to {scores.shape[1] - 1}",
        )
    # Of two logits only the difference ranks samples as softmax does.
    return scores[:, number] - scores[:, 1 - number] if scores.shape[1] == 2 else scores[:, number]


def _overlaps(metric: Metric, chunk: Chunk) -> SampleStatistics:
    """Count the pixels in both masks, in either, and in the label's, shape (n, 3 classes)."""
    labels = np.asarray(chunk.required_labels(metric))
    scores = chunk.outputs
    labels = labels[..., 0] if labels.ndim == scores.ndim and labels.shape[-1] == 1 else labels
    scores = scores[..., None] if scores.shape == labels.shape else scores
    scores = binary_scores(metric, scores) if scores.shape[-1] == 1 else scores
    if scores.shape[:-1] != labels.shape or labels.ndim < 2 or labels.dtype.kind not in "iub":
        raise MeasurementError(
            f"the metric {metric.name} compares outputs with masks of another shape",
            expected=f"integers of shape {chunk.outputs.shape[:-1]}",
            got=f"{labels.dtype} of shape {labels.shape}",
        )
    classes, n = scores.shape[-1], len(scores)
    _demand_classes(metric, chunk, classes)
    predicted, truth = scores.argmax(axis=-1).reshape(n, -1), labels.reshape(n, -1).astype(np.intp)
    is_counted = np.ones_like(truth, bool) if metric.ignore is None else truth != metric.ignore
    if is_counted.any() and not 0 <= truth[is_counted].min() <= truth[is_counted].max() < classes:
        raise MeasurementError(
            f"the masks of the metric {metric.name} contain values that are not classes",
            expected=f"0 to {classes - 1}, or ignore=... for pixels that do not count",
            got=f"{truth[is_counted].min()} to {truth[is_counted].max()}",
        )
    intersection = _count_pixels(predicted, classes, (predicted == truth) & is_counted)
    in_output = _count_pixels(predicted, classes, is_counted)
    in_label = _count_pixels(truth, classes, is_counted)
    return np.concatenate([intersection, in_output + in_label - intersection, in_label], axis=1)


def _count_pixels(
    chosen: NDArray[np.intp], classes: int, is_counted: NDArray[np.bool_]
) -> SampleStatistics:
    """Count each sample's pixels of each class, shape (n, classes)."""
    n = len(chosen)
    places = np.arange(n)[:, None] * classes + chosen
    pixels = np.bincount(places[is_counted], minlength=n * classes).reshape(n, classes)
    return pixels.astype(np.float64)


_STATISTICS: Mapping[MetricKind, Callable[[Metric, Chunk], Any]] = {
    MetricKind.TOP_K: _among_highest,
    MetricKind.F1: _chosen,
    MetricKind.FRAME_ACCURACY: _chosen,
    MetricKind.AUC: _ranked,
    MetricKind.MSE: _squared,
    MetricKind.RMSE: _squared,
    MetricKind.MAE: _absolute,
    MetricKind.IOU: _overlaps,
    MetricKind.MEAN: _custom_numbers,
}
