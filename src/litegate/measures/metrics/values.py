"""From the statistics of samples, and how often each of them counts, to a metric's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from litegate.measures.metrics.statistics import Kept
from litegate.measures.statistics.bootstrap import Counts, Real
from litegate.spec.metric import MetricKind


def values(kind: MetricKind, kept: Kept, counts: Counts) -> Real:
    """The value for each row of `counts`, shape (r, n); NaN where those samples have none.

    `kept` has shape (n, k). Shape (r, 1); of F1 and IoU (r, classes), a value of each class.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return _VALUES[kind](kept, counts)


def over_classes(each: Real) -> Real:
    """The mean over the classes that have a value, shape (r, classes) to (r,); NaN for none.

    Which these are, the labels say, never the answers: a file could lift its mean by no longer
    answering a class.
    """
    there = np.isfinite(each)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Real = np.where(there, each, 0).sum(axis=1) / there.sum(axis=1)
    return found


def _mean(kept: Kept, counts: Counts) -> Real:
    found: Real = (counts @ kept[:, :1]) / counts.sum(axis=1, keepdims=True)
    return found


def _root(kept: Kept, counts: Counts) -> Real:
    return np.sqrt(_mean(kept, counts))


def _f1(kept: Kept, counts: Counts) -> Real:
    chosen, right = kept.astype(np.intp).T
    classes = int(max(chosen.max(), right.max())) + 1
    hits, labelled = np.flatnonzero(chosen == right), _of_each(counts, right, classes)
    both = _of_each(counts, chosen, classes) + labelled
    found = 2 * _of_each(counts[:, hits], right[hits], classes) / both
    return np.where(labelled > 0, found, np.nan)


def _of_each(counts: Counts, chosen: NDArray[np.intp], classes: int) -> Real:
    """How often each class is chosen in each resample, shape (r, classes)."""
    found = np.zeros((len(counts), classes))
    order = np.argsort(chosen, kind="stable")
    there, starts = np.unique(chosen[order], return_index=True)
    if len(there):
        found[:, there] = np.add.reduceat(counts[:, order], starts, axis=1)
    return found


def _iou(kept: Kept, counts: Counts) -> Real:
    both, either, labelled = np.split(counts @ kept, 3, axis=1)
    return np.where(labelled > 0, both / either, np.nan)


def _auc(kept: Kept, counts: Counts) -> Real:
    """The chance that a sample of the class outscores another one, ties half."""
    score, mine = kept[:, 0], kept[:, 1] > 0
    others = np.flatnonzero(~mine)[np.argsort(score[~mine], kind="stable")]
    drawn, rest = counts[:, mine], counts[:, others]
    below = np.concatenate([np.zeros((len(rest), 1)), np.cumsum(rest, axis=1)], axis=1)
    beaten = np.searchsorted(score[others], score[mine], "left")
    tied = np.searchsorted(score[others], score[mine], "right")
    wins = np.einsum("rp,rp->r", drawn, below[:, beaten] + below[:, tied]) / 2
    found: Real = wins / (drawn.sum(axis=1) * below[:, -1])
    return found[:, None]


_VALUES: Mapping[MetricKind, Callable[[Kept, Counts], Real]] = {
    MetricKind.MSE: _mean,
    MetricKind.MAE: _mean,
    MetricKind.MEAN: _mean,
    MetricKind.RMSE: _root,
    MetricKind.F1: _f1,
    MetricKind.IOU: _iou,
    MetricKind.AUC: _auc,
}
