"""Compute confidence limits of a metric, or of its loss, from resamples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from litegate.core.errors import MeasurementError
from litegate.core.units import Quantity
from litegate.measures.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Rule,
    Ruling,
    interval_rule,
)
from litegate.measures.metrics.resampling import ResampledMetric
from litegate.measures.statistics.bootstrap import Real, bca, unseen_share
from litegate.measures.statistics.proportions import TAIL
from litegate.spec.metric import Better, Metric

_MIN_VALID = 0.5
"""Smallest share of resamples that must have a value.

Limits from the rest are those of samples for which the metric exists; if most have no value, such
as an AUC of one class, they describe too few of them."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """A metric's value, or a difference of two, with its values on resamples."""

    value: float
    resampled: Real
    """The value of each resample, shape (r,)."""
    jackknife: Real
    """The value without each group of samples in turn, shape (g,)."""
    n: int
    """Number of samples."""
    distinct: int
    """Number of distinct samples."""
    is_bounded: bool
    """True if the value lies between -1 and 1."""
    is_difference: bool
    """True for a difference of two metrics, which may be negative."""

    @property
    def is_flat(self) -> bool:
        """True if every resample gives the same value, so that they show no uncertainty."""
        return bool(self.resampled.min() == self.resampled.max())

    @property
    def has_limits(self) -> bool:
        """True if limits exist: a flat value has limits only if the metric is bounded."""
        return self.is_bounded or not self.is_flat

    def limits(self, tail: float = TAIL) -> tuple[float, float]:
        """Return the lower and the upper limit, each exceeded with probability `tail`.

        If every resample gives the same value, bound the share of samples that would change it by
        ``1 - tail^(1/n)`` of n distinct samples (rule of three). For a metric between 0 and 1,
        that share approximately bounds the change too.
        """
        if not self.is_flat:
            return bca(self.value, self.resampled, self.jackknife, tail)
        if not self.is_bounded:
            return -np.inf, np.inf
        change = unseen_share(self.distinct, tail)
        lowest, highest = (-1.0, 1.0) if self.is_difference else (0.0, 1.0)
        return max(self.value - change, lowest), min(self.value + change, highest)

    @property
    def method(self) -> str:
        """The name of the method that gives the limits."""
        if self.is_flat:
            return f"0 of {self.distinct:,} distinct samples differ"
        return f"BCa bootstrap, {len(self.resampled):,} resamples"


def estimate_value(metric: Metric, sampled: ResampledMetric) -> Estimate:
    """Return the estimate of a metric; MeasurementError if too few resamples have a value."""
    return _estimate(
        metric,
        sampled,
        sampled.value,
        sampled.resampled,
        sampled.jackknife,
        is_difference=False,
    )


def estimate_loss(metric: Metric, before: ResampledMetric, after: ResampledMetric) -> Estimate:
    """Return the estimate of the loss on the same samples; negative if the metric improved.

    Raises MeasurementError if too few resamples have a value.
    """
    sign = 1 if metric.better is Better.HIGHER else -1
    return _estimate(
        metric,
        after,
        sign * (before.value - after.value),
        sign * (before.resampled - after.resampled),
        sign * (before.jackknife - after.jackknife),
        is_difference=True,
    )


def _estimate(
    metric: Metric,
    sampled: ResampledMetric,
    value: float,
    resampled: Real,
    jackknife: Real,
    *,
    is_difference: bool,
) -> Estimate:
    has_value, has_jackknife = np.isfinite(resampled), np.isfinite(jackknife)
    if sampled.distinct < 2 or has_value.mean() < _MIN_VALID or not has_jackknife.any():
        raise MeasurementError(
            f"there are too few samples for an interval of the metric {metric.name}",
            expected="at least two distinct samples, and enough of each class",
            got=f"{sampled.distinct:,} distinct samples; {int(has_value.sum()):,} of"
            f" {len(resampled):,} resamples have a value",
        )
    return Estimate(
        value=value,
        resampled=resampled[has_value],
        jackknife=jackknife[has_jackknife],
        n=sampled.n,
        distinct=sampled.distinct,
        is_bounded=metric.bounded,
        is_difference=is_difference,
    )


def to_measurement(
    name: str,
    subject: str,
    metric: Metric,
    estimate: Estimate,
    *,
    evidence: tuple[str, ...],
    artifacts: tuple[str, ...],
) -> Measurement:
    """Return an estimate as a measurement; one without limits can never pass."""
    low, high = estimate.limits()
    two_sided = estimate.limits(TAIL / 2)
    interval = Interval(low=two_sided[0], high=two_sided[1], method=estimate.method)
    return Measurement(
        name=name,
        subject=subject,
        value=estimate.value,
        unit=metric.unit("loss" if estimate.is_difference else "least"),
        n=estimate.n,
        interval=interval if estimate.has_limits else None,
        low=low if estimate.has_limits else None,
        high=high if estimate.has_limits else None,
        limits_at=estimate.limits if estimate.has_limits else None,
        evidence=evidence,
        rule=None if estimate.has_limits else flat_rule(estimate),
        artifacts=artifacts,
    )


def flat_rule(estimate: Estimate) -> Rule:
    """Return a rule without a pass: that no resample differs proves nothing."""

    def rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(measurement, relation, limit)
        if ruling.outcome is not Outcome.PASS:
            return ruling
        return Ruling(
            outcome=Outcome.INCONCLUSIVE,
            note=f"within the limit but not proven: {estimate.method}, so the spread is unknown",
        )

    return rule
