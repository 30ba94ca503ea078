"""Compute a metric's value from the statistics of samples and their counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from litegate.measures.metrics.sample_statistics import SampleStatistics
from litegate.measures.statistics.bootstrap import Counts, Real
from litegate.spec.metric import MetricKind


def metric_values(kind: MetricKind, rows: SampleStatistics, counts: Counts) -> Real:
    """Compute the metric's value for each row of `counts`, shape (r, n); NaN if it has none.

    `rows` has shape (n, k). Returns shape (r, 1), or (r, classes) for F1 and IoU, with a value of
    each class.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return _VALUES[kind](rows, counts)


def mean_over_classes(by_class: Real) -> Real:
    """Return the mean over the classes that have a value, (r, classes) to (r,); NaN without any.

    The labels decide which classes these are, never the outputs: otherwise a file could raise its
    mean by no longer predicting a class.
    """
    has_value = np.isfinite(by_class)
    with np.errstate(divide="ignore", invalid="ignore"):
        means: Real = np.where(has_value, by_class, 0).sum(axis=1) / has_value.sum(axis=1)
    return means


def _mean(rows: SampleStatistics, counts: Counts) -> Real:
    means: Real = (counts @ rows[:, :1]) / counts.sum(axis=1, keepdims=True)
    return means


def _root(rows: SampleStatistics, counts: Counts) -> Real:
    return np.sqrt(_mean(rows, counts))


def _ratio(rows: SampleStatistics, counts: Counts) -> Real:
    right, every = (counts @ rows).T
    ratios: Real = (right / every)[:, None]
    return ratios


def _f1(rows: SampleStatistics, counts: Counts) -> Real:
    chosen, right = rows.astype(np.intp).T
    classes = int(max(chosen.max(), right.max())) + 1
    hits, labelled = np.flatnonzero(chosen == right), _count_classes(counts, right, classes)
    both = _count_classes(counts, chosen, classes) + labelled
    f1 = 2 * _count_classes(counts[:, hits], right[hits], classes) / both
    return np.where(labelled > 0, f1, np.nan)


def _count_classes(counts: Counts, chosen: NDArray[np.intp], classes: int) -> Real:
    """Count how often each class occurs in each resample, shape (r, classes)."""
    occurrences = np.zeros((len(counts), classes))
    order = np.argsort(chosen, kind="stable")
    present, starts = np.unique(chosen[order], return_index=True)
    if len(present):
        occurrences[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return occurrences


def _iou(rows: SampleStatistics, counts: Counts) -> Real:
    both, either, labelled = np.split(counts @ rows, 3, axis=1)
    return np.where(labelled > 0, both / either, np.nan)


def _auc(rows: SampleStatistics, counts: Counts) -> Real:
    """Return the probability that a sample of the class outscores another; a tie counts half."""
    score, positive = rows[:, 0], rows[:, 1] > 0
    order = np.flatnonzero(~positive)[np.argsort(score[~positive], kind="stable")]
    positives, negatives = counts[:, positive], counts[:, order]
    below = np.concatenate([np.zeros((len(negatives), 1)), np.cumsum(negatives, axis=1)], axis=1)
    beaten = np.searchsorted(score[order], score[positive], "left")
    tied = np.searchsorted(score[order], score[positive], "right")
    wins = np.einsum("rp,rp->r", positives, below[:, beaten] + below[:, tied]) / 2
    auc: Real = wins / (positives.sum(axis=1) * below[:, -1])
    return auc[:, None]


_VALUES: Mapping[MetricKind, Callable[[SampleStatistics, Counts], Real]] = {
    MetricKind.MSE: _mean,
    MetricKind.MAE: _mean,
    MetricKind.MEAN: _mean,
    MetricKind.RMSE: _root,
    MetricKind.FRAME_ACCURACY: _ratio,
    MetricKind.F1: _f1,
    MetricKind.IOU: _iou,
    MetricKind.AUC: _auc,
}
