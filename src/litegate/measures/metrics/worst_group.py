"""The part that loses most of a metric: a class, or a slice of the evaluation split."""

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
from litegate.measures.metrics.names import worst_name
from litegate.measures.metrics.resampling import Sampled
from litegate.measures.statistics.proportions import TAIL
from litegate.spec.metric import Metric


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lost:
    """What one part lost."""

    name: str
    before: Sampled
    after: Sampled
    loss: Estimate


def worst_loss(
    subject: str, metric: Metric, noun: str, parts: Sequence[Lost], artifacts: tuple[str, ...]
) -> Measurement:
    """The greatest loss of any part; of equal losses that of the first one.

    Proven only where every part's own one-sided 95 % limit keeps the limit, which needs no
    correction for their number (Berger 1982, Technometrics 24:295). The interval is that of a part
    picked for being the worst, so it is widened to hold for all at once (Bonferroni).
    """
    worst = max(parts, key=lambda part: part.loss.value)
    known = all(part.loss.known for part in parts)
    each = TAIL / len(parts)
    low, high = worst.loss.limits(each / 2)
    method = f"{worst.loss.method}, Bonferroni over {groups_in_words(len(parts), noun)}"
    return Measurement(
        name=worst_name(noun, metric),
        subject=subject,
        value=worst.loss.value,
        unit=metric.unit("loss"),
        n=worst.loss.n,
        interval=Interval(low=low, high=high, method=method) if worst.loss.known else None,
        low=max(part.loss.limits(each)[0] for part in parts) if known else None,
        high=max(part.loss.limits()[1] for part in parts) if known else None,
        rule=_rule(metric, noun, parts, worst),
        artifacts=artifacts,
    )


def _rule(metric: Metric, noun: str, parts: Sequence[Lost], worst: Lost) -> Rule:
    """Says which part lost most and, where nothing is proven, which one is least sure."""
    loosest = max(parts, key=lambda part: part.loss.limits()[1])
    decide = interval_rule if loosest.loss.known else flat_rule(loosest.loss)

    def rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = decide(measurement, relation, limit)
        note = _told(metric, noun, worst)
        if ruling.outcome is Outcome.INCONCLUSIVE:
            whose = f'for {noun} "{loosest.name}" ({loosest.loss.n:,} samples)'
            note = f"{note}; {ruling.note} {whose}"
        elif ruling.note:
            note = f"{note}; {ruling.note}"
        return replace(ruling, note=note)

    return rule


def _told(metric: Metric, noun: str, lost: Lost) -> str:
    before, after = (text(one.value, metric.unit()) for one in (lost.before, lost.after))
    return f'{noun} "{lost.name}" has {after} against {before} of the reference'
