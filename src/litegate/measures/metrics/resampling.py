"""Resample a metric of one artifact: bootstrap and jackknife values, besides its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.data.duplicates import originals
from litegate.measures.accuracy.decisions import demand_finite_outputs, labels_are_of_frames
from litegate.measures.metrics.custom import (
    Chunk,
    call_function,
    demand_bounds,
    demand_deterministic,
)
from litegate.measures.metrics.detection import MIN_BOXES, precision_function
from litegate.measures.metrics.frames import frames_right
from litegate.measures.metrics.sample_statistics import SampleStatistics, statistics
from litegate.measures.metrics.streaming import plain_detector_value
from litegate.measures.metrics.values import mean_over_classes, metric_values
from litegate.measures.statistics.bootstrap import Counts, Real, jackknife_samples, resamples
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Evaluation
from litegate.spec.metric import Metric, MetricKind

CHUNK = 1000
"""Samples whose statistics are computed at once, which bounds the memory needed.

NumPy's overhead of a chunk is spread over a thousand samples; 1,000 images of 128x128 scores in
float32 take 66 MB."""
CUSTOM_RESAMPLES, CUSTOM_JACKKNIFE = 500, 50
"""Resamples and jackknife groups of a function of whole arrays, which runs once for each.

Fewer than for other metrics, since it may be slow: the share beyond a 95 % limit varies by one
point (SD) instead of 0.5. The jackknife only estimates a small correction, so a tenth will do."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """A slice of the evaluation split, or a class of a metric; the whole split by default."""

    slice: str = ""
    """The name of a slice."""
    class_number: int | None = None
    """The class whose F1 or IoU is measured; None for the metric's own."""


WHOLE = Subgroup()


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResampledMetric:
    """A metric of one artifact, with its values on resamples."""

    value: float
    resampled: Real
    """The value of each resample, shape (r,); NaN for resamples without a value."""
    jackknife: Real
    """The value without each group of samples in turn, shape (g,)."""
    n: int
    """Number of samples."""
    distinct: int
    """Number of distinct samples."""


@lru_cache(maxsize=16)  # keeps the artifacts alive; a model has a few metrics and artifacts
def sample_statistics(artifact: Artifact, metric: Metric) -> SampleStatistics:
    """Return the statistics of every sample, shape (n, k), of the `.tflite` run in LiteRT."""
    if metric.kind is MetricKind.FRAME_ACCURACY:
        return frames_right(artifact, metric)
    demand_finite_outputs(predict(artifact), artifact.name)
    starts = range(0, len(artifact.evaluation.x), CHUNK)
    chunks = (read_chunk(artifact, metric, slice(start, start + CHUNK)) for start in starts)
    rows = [statistics(metric, chunk) for chunk in chunks]
    if metric.function:
        again = statistics(metric, read_chunk(artifact, metric, slice(0, CHUNK)))
        demand_deterministic(metric, rows[0], again)
    return np.concatenate(rows)


def read_chunk(artifact: Artifact, metric: Metric, index: Any) -> Chunk:
    """Return some samples of the evaluation split, by a slice or by indices, with the outputs.

    Raises MeasurementError if the metric needs labels of sequences, and they are of frames.
    """
    split = artifact.evaluation
    if metric.needs_labels and split.has_frame_labels:
        raise labels_are_of_frames(f"the metric {metric.name} of {artifact.name}")
    has_labels = split.y is not None and not split.has_frame_labels
    return Chunk(
        outputs=predict(artifact)[index].real,
        labels=split.y[index] if has_labels else None,
        inputs=split.x[index],
        classes=split.classes,
    )


def resample_metric(
    artifact: Artifact, metric: Metric, subgroup: Subgroup, split: Evaluation
) -> ResampledMetric:
    """Resample a metric of one artifact on a subgroup of its split.

    `split` defines the slices, and the copies that are drawn together: pass the same one for all
    artifacts that are compared. Raises MeasurementError if the metric has no value.
    """
    classes = _resample_classes(artifact, metric, subgroup.slice, split)
    number = subgroup.class_number
    number = number if number is not None else _metric_class(artifact, metric)
    value, resampled, jackknife = (
        _select_class(by_class, number)
        for by_class in (classes.value, classes.resampled, classes.jackknife)
    )
    if not np.isfinite(value[0]):
        raise MeasurementError(
            f"the metric {metric.name} of {artifact.name} has no value{_on_subgroup(subgroup)}",
            expected="samples that define it, such as both classes for an AUC, or"
            f" {MIN_BOXES} boxes of the class",
            got=f"{value[0]} of {classes.n:,} samples",
        )
    return ResampledMetric(
        value=float(value[0]),
        resampled=resampled,
        jackknife=jackknife,
        n=classes.n,
        distinct=classes.distinct,
    )


def plain_value(artifact: Artifact, metric: Metric) -> float:
    """Return a metric of the whole split, without limits: fast. Raises as `resample_metric`."""
    if metric.is_of_detector:
        return plain_detector_value(artifact, metric)
    chosen = np.arange(len(artifact.evaluation.x))
    if metric.kind is MetricKind.TOP_K:
        return float(sample_statistics(artifact, metric)[:, 0].mean())
    compute = _value_function(artifact, metric, chosen)
    by_class = compute(np.ones((1, len(chosen))))
    return float(_select_class(by_class, _metric_class(artifact, metric))[0])


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ResampledClasses:
    """The values of every class; of a metric without classes, one column."""

    value: Real
    """Shape (1, classes)."""
    resampled: Real
    """Shape (r, classes)."""
    jackknife: Real
    """Shape (g, classes)."""
    n: int
    distinct: int


@lru_cache(maxsize=64)  # as above, for four slices each; a row of classes for each resample
def _resample_classes(
    artifact: Artifact, metric: Metric, slice_name: str, split: Evaluation
) -> _ResampledClasses:
    mask = split.slices[slice_name] if slice_name else np.ones(len(split.x), np.bool_)
    chosen = np.flatnonzero(mask)
    if not len(chosen):
        raise MeasurementError(
            f"there are no samples to measure {metric.name} "
            f"on{_on_subgroup(Subgroup(slice=slice_name))}",
            expected="at least two distinct samples",
        )
    groups = np.unique(originals(split)[chosen], return_inverse=True)[1]
    compute = _value_function(artifact, metric, chosen)
    distinct = int(groups.max()) + 1
    once_each, is_custom = np.ones((1, len(chosen))), metric.kind is MetricKind.CUSTOM
    value = compute(once_each)
    if is_custom:
        demand_deterministic(metric, value, compute(once_each))
    resampled = resamples(distinct, CUSTOM_RESAMPLES) if is_custom else resamples(distinct)
    jackknife = (
        jackknife_samples(distinct, CUSTOM_JACKKNIFE) if is_custom else jackknife_samples(distinct)
    )
    return _ResampledClasses(
        value=value,
        resampled=_evaluate(compute, resampled, groups),
        jackknife=_evaluate(compute, jackknife, groups),
        n=len(chosen),
        distinct=distinct,
    )


def _select_class(by_class: Real, number: int | None) -> Real:
    """Return the column of a class, NaN if it is missing; for None the mean over all classes."""
    if number is None:
        return mean_over_classes(by_class)
    if not 0 <= number < by_class.shape[1]:
        return np.full(len(by_class), np.nan)
    return by_class[:, number]


def _on_subgroup(subgroup: Subgroup) -> str:
    if subgroup.slice:
        return f' on the slice "{subgroup.slice}"'
    return "" if subgroup.class_number is None else f" of the class {subgroup.class_number}"


def _metric_class(artifact: Artifact, metric: Metric) -> int | None:
    """Return the number of the class whose F1 or IoU is measured; None for the mean."""
    is_of_class = metric.is_of_boxes or metric.kind in (MetricKind.F1, MetricKind.IOU)
    if metric.of is None or not is_of_class:
        return None
    return read_chunk(artifact, metric, slice(0, 1)).class_number(metric, metric.of)


def _value_function(
    artifact: Artifact, metric: Metric, chosen: NDArray[np.intp]
) -> Callable[[Counts], Real]:
    """Return a function from counts, shape (r, n), to values, shape (r, classes)."""
    if metric.kind is MetricKind.CUSTOM:
        demand_finite_outputs(predict(artifact), artifact.name)
        chunk = read_chunk(artifact, metric, chosen)
        return lambda counts: np.array([[_call_custom(metric, chunk, row)] for row in counts])
    if metric.is_of_boxes:
        return precision_function(artifact, metric, chosen)
    rows = sample_statistics(artifact, metric)[chosen]
    return lambda counts: metric_values(metric.kind, rows, counts)


def _call_custom(metric: Metric, chunk: Chunk, counts: NDArray[Any]) -> float:
    """Call the user's function on samples repeated by their counts; NaN if it has no value."""
    resample = chunk.select(np.repeat(np.arange(len(counts)), counts.astype(np.intp)))
    result = call_function(metric, resample)
    try:
        value = float(result)
    except (TypeError, ValueError):
        value = np.inf
    if np.isinf(value):
        raise MeasurementError(
            f"the function of the metric {metric.name} does not return a number",
            expected="one finite number for all samples, or NaN if they have no value",
            got=f"{type(result).__name__} {result!r:.80}",
        )
    demand_bounds(metric, np.array([value]))
    return value


def _evaluate(
    compute: Callable[[Counts], Real], blocks: Iterable[Counts], groups: NDArray[np.intp]
) -> Real:
    """Compute values for blocks of counts of distinct samples; copies count as their original."""
    all_distinct = len(groups) == groups.max() + 1
    return np.concatenate(
        [compute(block if all_distinct else block[:, groups]) for block in blocks]
    )
