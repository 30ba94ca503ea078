"""A metric of one artifact: its value, and its values on resamples and without each part."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.measures.accuracy.decisions import demand_finite_outputs
from litegate.measures.accuracy.duplicates import originals
from litegate.measures.metrics.custom import Chunk, called, demand_bounds
from litegate.measures.metrics.statistics import Kept, statistics
from litegate.measures.metrics.values import over_classes, values
from litegate.measures.statistics.bootstrap import Counts, Real, resamples, without_each
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Evaluation
from litegate.spec.metric import Metric, MetricKind

CHUNK = 1000
"""Samples whose statistics are computed at once."""
CUSTOM_RESAMPLES, CUSTOM_LEFT_OUT = 500, 50
"""Calls of a function of whole arrays: it may take long, so it is called less often."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the evaluation split, or a class of a metric; all of it by default."""

    slice: str = ""
    """The name of a slice."""
    of: int | None = None
    """The number of the class that the metric is of."""


WHOLE = Part()


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """What a metric is of one artifact, and what it would be on other samples."""

    value: float
    drawn: Real
    """On each resample, shape (r,); NaN where that has no value."""
    left: Real
    """Without each part in turn, shape (g,)."""
    n: int
    distinct: int


@lru_cache(maxsize=16)
def kept(artifact: Artifact, metric: Metric) -> Kept:
    """The statistics of every sample, shape (n, k), of the bytes that ship, run in LiteRT."""
    demand_finite_outputs(predict(artifact), artifact.name)
    starts = range(0, len(artifact.evaluation.x), CHUNK)
    parts = (answered(artifact, slice(start, start + CHUNK)) for start in starts)
    found = [statistics(metric, part) for part in parts]
    if metric.function:
        _demand_alike(metric, found[0], statistics(metric, answered(artifact, slice(0, CHUNK))))
    return np.concatenate(found)


def _demand_alike(metric: Metric, once: Real, again: Real) -> None:
    """Raise MeasurementError where the user's function gives something else a second time."""
    if not np.array_equal(once, again, equal_nan=True):
        raise MeasurementError(
            f"the function of the metric {metric.name} gives other values for the same samples",
            expected="the same each time, so that the same bytes have the same verdict",
            remedy="give its random generator a fixed seed, anew in each call, and let it keep "
            "nothing from one call to the next",
        )


def answered(artifact: Artifact, which: Any) -> Chunk:
    """Some samples of the evaluation split, by a slice or by indices, and the answers to them."""
    split = artifact.evaluation
    return Chunk(
        outputs=predict(artifact)[which].real,
        labels=None if split.y is None else split.y[which],
        inputs=split.x[which],
        classes=split.classes,
    )


def sampled(artifact: Artifact, metric: Metric, part: Part, drawn_by: Evaluation) -> Sampled:
    """A metric of one artifact on a part of its split.

    `drawn_by` holds the samples whose copies are drawn together and the slices: the same for all
    that are compared. MeasurementError where there is no value.
    """
    every = _every(artifact, metric, part.slice, drawn_by)
    of = part.of if part.of is not None else _number(artifact, metric)
    value, drawn, left = (_picked(one, of) for one in (every.value, every.drawn, every.left))
    if not np.isfinite(value[0]):
        raise MeasurementError(
            f"the metric {metric.name} of {artifact.name} has no value{_where(part)}",
            expected="samples that it can be computed of, such as both kinds for an AUC",
            got=f"{value[0]} of {every.n:,} samples",
        )
    return Sampled(
        value=float(value[0]), drawn=drawn, left=left, n=every.n, distinct=every.distinct
    )


def plain_value(artifact: Artifact, metric: Metric) -> float:
    """A metric of the whole split without any limits: quick. Raises as `sampled`."""
    chosen = np.arange(len(artifact.evaluation.x))
    if metric.kind is MetricKind.TOP_K:
        return float(kept(artifact, metric)[:, 0].mean())
    each = _computation(artifact, metric, chosen)(np.ones((1, len(chosen))))
    return float(_picked(each, _number(artifact, metric))[0])


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Every:
    """The values of every class, of a metric that has some; else of one column."""

    value: Real
    """Shape (1, classes)."""
    drawn: Real
    """Shape (r, classes)."""
    left: Real
    """Shape (g, classes)."""
    n: int
    distinct: int


@lru_cache(maxsize=64)
def _every(artifact: Artifact, metric: Metric, part: str, drawn_by: Evaluation) -> _Every:
    mask = drawn_by.slices[part] if part else np.ones(len(drawn_by.x), np.bool_)
    chosen = np.flatnonzero(mask)
    if not len(chosen):
        raise MeasurementError(
            f"there is no sample to measure {metric.name} on{_where(Part(slice=part))}",
            expected="at least two distinct ones",
        )
    groups = np.unique(originals(drawn_by)[chosen], return_inverse=True)[1]
    compute = _computation(artifact, metric, chosen)
    distinct = int(groups.max()) + 1
    whole, custom = np.ones((1, len(chosen))), metric.kind is MetricKind.CUSTOM
    value = compute(whole)
    if custom:
        _demand_alike(metric, value, compute(whole))
    drawn = resamples(distinct, CUSTOM_RESAMPLES) if custom else resamples(distinct)
    left = without_each(distinct, CUSTOM_LEFT_OUT) if custom else without_each(distinct)
    return _Every(
        value=value,
        drawn=_over(compute, drawn, groups),
        left=_over(compute, left, groups),
        n=len(chosen),
        distinct=distinct,
    )


def _picked(each: Real, of: int | None) -> Real:
    """The column of one class, or the mean over all; NaN for a class that there is not."""
    if of is None:
        return over_classes(each)
    return each[:, of] if 0 <= of < each.shape[1] else np.full(len(each), np.nan)


def _where(part: Part) -> str:
    if part.slice:
        return f' on the slice "{part.slice}"'
    return "" if part.of is None else f" of the class {part.of}"


def _number(artifact: Artifact, metric: Metric) -> int | None:
    """The number of the class that F1 or IoU is of; None where it is of all."""
    if metric.of is None or metric.kind not in (MetricKind.F1, MetricKind.IOU):
        return None
    return answered(artifact, slice(0, 1)).number(metric, metric.of)


def _computation(
    artifact: Artifact, metric: Metric, chosen: NDArray[np.intp]
) -> Callable[[Counts], Real]:
    """Gives the values for each row of counts of the chosen samples, shape (r, classes)."""
    if metric.kind is MetricKind.CUSTOM:
        demand_finite_outputs(predict(artifact), artifact.name)
        chunk = answered(artifact, chosen)
        return lambda counts: np.array([[_called(metric, chunk, row)] for row in counts])
    rows = kept(artifact, metric)[chosen]
    return lambda counts: values(metric.kind, rows, counts)


def _called(metric: Metric, chunk: Chunk, row: NDArray[Any]) -> float:
    """The user's function on samples that count so often each; NaN where it has no value."""
    found = called(metric, chunk.at(np.repeat(np.arange(len(row)), row.astype(np.intp))))
    try:
        value = float(found)
    except (TypeError, ValueError):
        value = np.inf
    if np.isinf(value):
        raise MeasurementError(
            f"the function of the metric {metric.name} gives no number",
            expected="one finite number for all samples, or NaN where they have no value",
            got=f"{type(found).__name__} {found!r:.80}",
        )
    demand_bounds(metric, np.array([value]))
    return value


def _over(
    compute: Callable[[Counts], Real], blocks: Iterable[Counts], groups: NDArray[np.intp]
) -> Real:
    """The values for blocks of counts of distinct samples; copies count with their original."""
    plain = len(groups) == groups.max() + 1
    return np.concatenate([compute(block if plain else block[:, groups]) for block in blocks])
