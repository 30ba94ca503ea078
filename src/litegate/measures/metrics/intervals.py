"""How sure a metric is: its limits, or those of a loss, from what resamples gave."""

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
from litegate.measures.metrics.resampling import Sampled
from litegate.measures.statistics.bootstrap import Real, bca, unseen_share
from litegate.measures.statistics.proportions import TAIL
from litegate.spec.metric import Better, Metric

_LEAST = 0.5
"""The share of resamples that must have a value."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """A number with what it is on resamples; the number may be a difference of two metrics."""

    value: float
    drawn: Real
    left: Real
    n: int
    distinct: int
    bounded: bool
    """Whether it lies within 1 of 0."""
    differs: bool
    """Whether it is a difference: where no resample shows one, some sample still might."""

    @property
    def flat(self) -> bool:
        """Whether every resample gives the same number: then none of them says how sure it is."""
        return bool(self.drawn.min() == self.drawn.max())

    @property
    def known(self) -> bool:
        """Whether there are limits at all: a flat number has some only where values have ends."""
        return self.bounded or not self.flat

    def limits(self, tail: float = TAIL) -> tuple[float, float]:
        """The lower and the upper limit, each missed with the chance `tail`.

        Of a flat number, none of n distinct samples shows otherwise, so up to ``1 - tail^(1/n)`` of
        them could; of a metric between 0 and 1 that share bounds, about, what they could change.
        """
        if not self.flat:
            return bca(self.value, self.drawn, self.left, tail)
        if not self.bounded:
            return -np.inf, np.inf
        could = unseen_share(self.distinct, tail)
        least, most = (-1.0, 1.0) if self.differs else (0.0, 1.0)
        return max(self.value - could, least), min(self.value + could, most)

    @property
    def method(self) -> str:
        """How its limits were found."""
        if self.flat:
            return f"0 of {self.distinct:,} distinct samples differ"
        return f"BCa bootstrap, {len(self.drawn):,} resamples"


def of_one(metric: Metric, found: Sampled) -> Estimate:
    """A metric's own value. MeasurementError where too few resamples have one."""
    return _estimate(metric, found, found.value, found.drawn, found.left, differs=False)


def of_loss(metric: Metric, before: Sampled, after: Sampled) -> Estimate:
    """How much worse it became on the same samples; below zero where it became better."""
    sign = 1 if metric.better is Better.HIGHER else -1
    return _estimate(
        metric,
        after,
        sign * (before.value - after.value),
        sign * (before.drawn - after.drawn),
        sign * (before.left - after.left),
        differs=True,
    )


def _estimate(
    metric: Metric, of: Sampled, value: float, drawn: Real, left: Real, *, differs: bool
) -> Estimate:
    there, kept = np.isfinite(drawn), np.isfinite(left)
    if of.distinct < 2 or there.mean() < _LEAST or not kept.any():
        raise MeasurementError(
            f"the samples are too few to say how sure the metric {metric.name} is",
            expected="at least two distinct samples, and enough of each class",
            got=f"{of.distinct:,} distinct samples; {int(there.sum()):,} of {len(drawn):,} "
            "resamples have a value",
        )
    return Estimate(
        value=value,
        drawn=drawn[there],
        left=left[kept],
        n=of.n,
        distinct=of.distinct,
        bounded=metric.bounded,
        differs=differs,
    )


def measured(
    name: str,
    subject: str,
    metric: Metric,
    found: Estimate,
    *,
    evidence: tuple[str, ...],
    artifacts: tuple[str, ...],
) -> Measurement:
    """The estimate as a measurement. A flat one of a metric without ends proves nothing."""
    low, high = found.limits()
    shown = found.limits(TAIL / 2)
    interval = Interval(low=shown[0], high=shown[1], method=found.method)
    return Measurement(
        name=name,
        subject=subject,
        value=found.value,
        unit=metric.unit(),
        n=found.n,
        interval=interval if found.known else None,
        low=low if found.known else None,
        high=high if found.known else None,
        evidence=evidence,
        rule=None if found.known else flat_rule(found),
        artifacts=artifacts,
    )


def flat_rule(found: Estimate) -> Rule:
    """Kept is inconclusive: no resample differs, which is no proof that none could."""

    def rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(measurement, relation, limit)
        if ruling.outcome is not Outcome.PASS:
            return ruling
        return Ruling(
            outcome=Outcome.INCONCLUSIVE,
            note=f"within the limit but not proven: {found.method}, so nothing says how far "
            "others could",
        )

    return rule
