"""Measure the largest loss of any class, or of any slice of the evaluation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from litegate.core.units import Quantity, text
from litegate.measures.accuracy.shares import groups_in_words
from litegate.measures.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Rule,
    Ruling,
    interval_rule,
)
from litegate.measures.metrics.intervals import Estimate, flat_rule
from litegate.measures.metrics.resampling import ResampledMetric
from litegate.measures.names import loss_name, worst_name
from litegate.measures.statistics.proportions import TAIL
from litegate.spec.metric import Metric


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupLoss:
    """The loss of one class or slice."""

    name: str
    before: ResampledMetric
    after: ResampledMetric
    loss: Estimate


def worst_loss(
    subject: str, metric: Metric, noun: str, groups: Sequence[GroupLoss], artifacts: tuple[str, ...]
) -> Measurement:
    """Measure the largest loss of any group (class or slice); the first one of equal losses.

    It is proven only if every group's own one-sided 95 % limit satisfies the limit, which needs no
    correction for their number (Berger 1982, Technometrics 24:295). The interval is that of a group
    that was picked for being the worst, so it is widened to be valid for all at once (Bonferroni).
    """
    worst = max(groups, key=lambda group: group.loss.value)
    have_limits = all(group.loss.has_limits for group in groups)
    tail = TAIL / len(groups)
    low, high = worst.loss.limits(tail / 2)
    method = f"{worst.loss.method}, Bonferroni over {groups_in_words(len(groups), noun)}"
    return Measurement(
        name=worst_name(noun, loss_name(metric)),
        subject=subject,
        value=worst.loss.value,
        unit=metric.unit("loss"),
        n=worst.loss.n,
        interval=Interval(low=low, high=high, method=method) if worst.loss.has_limits else None,
        low=max(group.loss.limits(tail)[0] for group in groups) if have_limits else None,
        high=max(group.loss.limits()[1] for group in groups) if have_limits else None,
        rule=_rule(metric, noun, groups, worst),
        artifacts=artifacts,
    )


def _rule(metric: Metric, noun: str, groups: Sequence[GroupLoss], worst: GroupLoss) -> Rule:
    """Return a rule whose note names the worst group and, if unproven, the least certain one."""
    loosest = max(groups, key=lambda group: group.loss.limits()[1])
    decide = interval_rule if loosest.loss.has_limits else flat_rule(loosest.loss)

    def rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = decide(measurement, relation, limit)
        note = _comparison(metric, noun, worst)
        if ruling.outcome is Outcome.INCONCLUSIVE:
            scope = f'for {noun} "{loosest.name}" ({loosest.loss.n:,} samples)'
            note = f"{note}; {ruling.note} {scope}"
        elif ruling.note:
            note = f"{note}; {ruling.note}"
        return replace(ruling, note=note)

    return rule


def _comparison(metric: Metric, noun: str, group: GroupLoss) -> str:
    before, after = (text(side.value, metric.unit()) for side in (group.before, group.after))
    return f'{noun} "{group.name}" has {after} against {before} of the reference'
