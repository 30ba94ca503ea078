"""Measure shares: one share of n samples, and the share that a candidate loses of its reference's.

A value beyond the limit fails. A value within it passes only if the one-sided 95 % limit satisfies
it too, and is inconclusive otherwise. If samples are copies of others, limits and intervals are the
outer ones of two: of all samples, and of each distinct sample once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import final

import numpy as np
from numpy.typing import NDArray

from litegate.core.units import Quantity, Unit, text
from litegate.data.duplicates import first_indices, samples_in_words
from litegate.measures.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Rule,
    Ruling,
    interval_rule,
)
from litegate.measures.names import Name, worst_name
from litegate.measures.statistics.proportions import TAIL, FlipCounts, drop_limits, wilson
from litegate.measures.statistics.sample_sizes import n_deciding, n_proving

TANGO = "Tango's score, paired"
WILSON = "Wilson's score"


Limits = tuple[float, float]
"""A lower and an upper limit."""
Why = Callable[[], tuple[str, ...]]
"""See `Measurement.why`."""


def groups_in_words(count: int, noun: str) -> str:
    """Return a number of classes or slices in words: "10 classes", "1 slice"."""
    return f"{count} {noun if count == 1 else 'classes' if noun == 'class' else 'slices'}"


def _outer(*limits: Limits) -> Limits:
    return min(low for low, _ in limits), max(high for _, high in limits)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """Paired counts of all samples, and of each distinct sample once."""

    total: FlipCounts
    distinct: FlipCounts

    def limits(self, tail: float = TAIL) -> Limits:
        """Return the outer limits of the drop, each exceeded with probability `tail`."""
        # A set: the counts are the same if all samples are distinct, and the limits take a while.
        return _outer(*(drop_limits(counts, tail) for counts in {self.total, self.distinct}))

    def __str__(self) -> str:
        return samples_in_words(self.total.n, self.distinct.n)


def share(
    name: str,
    subject: str,
    marks: NDArray[np.bool_],
    groups: NDArray[np.intp],
    *,
    evidence: tuple[str, ...],
    artifacts: tuple[str, ...],
    why: Why | None = None,
) -> Measurement:
    """Measure the share of marks that are set, with Wilson's interval and one-sided limits.

    `marks` has shape (n,), n at least 1. `groups` has the same shape and contains equal numbers for
    equal samples.
    """
    once = marks[first_indices(groups)]
    counts = [(int(marks.sum()), len(marks)), (int(once.sum()), len(once))]

    def limits(tail: float) -> Limits:
        return _outer(*(wilson(count, n, tail) for count, n in counts))

    low, high = limits(TAIL)
    interval = limits(TAIL / 2)
    count, n = counts[0]
    rate, all_distinct = Fraction(*counts[1]), len(once) == n
    copies = () if all_distinct else (samples_in_words(n, len(once)),)
    return Measurement(
        name=name,
        subject=subject,
        value=Fraction(count, n),
        unit=Unit.PERCENT,
        n=n,
        interval=Interval(low=interval[0], high=interval[1], method=WILSON),
        low=low,
        high=high,
        limits_at=limits,
        evidence=(*evidence, *copies),
        rule=_floor_rule(
            low,
            lambda limit: _needed_in_words(n_proving(rate, limit.value), all_distinct=all_distinct),
        ),
        artifacts=artifacts,
        why=why,
    )


_FLOOR_STEP = Fraction(1, 10_000)
"""Floors are proposed in hundredths of a percent, which tell the shares of 10,000 samples apart."""


def _floor_rule(low: float, hint: Callable[[Quantity], str]) -> Rule:
    """Return the interval rule of a share; a broken floor's note names the highest proven one.

    `low` is the one-sided lower limit of the share. Inconclusive verdicts get a hint.
    """
    rule = _interval_rule_with_hint(Relation.AT_LEAST, hint)
    proven = floor(low / _FLOOR_STEP) * _FLOOR_STEP

    def with_proven(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = rule(measurement, relation, limit)
        is_broken = ruling.outcome is Outcome.FAIL and relation is Relation.AT_LEAST
        if not (is_broken and proven):
            return ruling
        proven_text = text(proven, measurement.unit)
        return replace(ruling, note=f"these samples prove a limit of at most {proven_text}")

    return with_proven


def _interval_rule_with_hint(hinted: Relation, hint: Callable[[Quantity], str]) -> Rule:
    """Return the interval rule; inconclusive verdicts on a `hinted` relation get a hint."""

    def rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(measurement, relation, limit)
        if ruling.outcome is not Outcome.INCONCLUSIVE or relation is not hinted:
            return ruling
        return replace(ruling, note=f"{ruling.note}; {hint(limit)}")

    return rule


def _needed_in_words(needed: int | None, *, all_distinct: bool) -> str:
    if needed is None:
        return "at the limit itself no number of samples proves it"
    kind = "samples" if all_distinct else "distinct samples"
    return f"at these rates {needed:,} {kind} would prove it nine times in ten"


def drop(
    name: str,
    subject: str,
    counts: PairedCounts,
    *,
    unit: Unit = Unit.POINTS,
    evidence: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
    why: Why | None = None,
) -> Measurement:
    """Measure the share that the candidate loses, with Tango's interval and one-sided limits."""
    pairs, interval, (low, high) = counts.total, counts.limits(TAIL / 2), counts.limits()
    return Measurement(
        name=name,
        subject=subject,
        value=pairs.drop,
        unit=unit,
        n=pairs.n,
        interval=Interval(low=interval[0], high=interval[1], method=TANGO),
        low=low,
        high=high,
        limits_at=counts.limits,
        evidence=(str(counts), flips_in_words(pairs), *evidence),
        rule=_interval_rule_with_hint(
            Relation.AT_MOST, lambda limit: _samples_needed(counts, limit)
        ),
        artifacts=artifacts,
        why=why,
    )


def worst_drop(
    subject: str,
    names: Sequence[str],
    by_group: Sequence[PairedCounts],
    *,
    noun: str = "class",
    evidence: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
    why: Why | None = None,
) -> Measurement:
    """Measure the largest drop of any class, or slice (`noun`); the first one of equal drops.

    It is proven only if every class's own one-sided 95 % limit satisfies the limit. That needs no
    correction for the number of classes: each must pass, so the chance of a false proof stays at
    5 % (Berger 1982, Technometrics 24:295). The interval shown is that of a class that was picked
    for being the worst, so it is widened to be valid for all classes at once (Bonferroni).
    """
    worst = max(range(len(by_group)), key=lambda k: by_group[k].total.drop)
    tail = TAIL / len(by_group)
    low, high = by_group[worst].limits(tail / 2)
    samples = sum(counts.total.n for counts in by_group)
    distinct = sum(counts.distinct.n for counts in by_group)
    copies = () if samples == distinct else (samples_in_words(samples, distinct),)
    method = f"{TANGO}, Bonferroni over {groups_in_words(len(by_group), noun)}"
    return Measurement(
        name=worst_name(noun, Name.ACCURACY_DROP),
        subject=subject,
        value=by_group[worst].total.drop,
        unit=Unit.POINTS,
        n=by_group[worst].total.n,
        interval=Interval(low=low, high=high, method=method),
        low=max(counts.limits(tail)[0] for counts in by_group),
        high=max(counts.limits()[1] for counts in by_group),
        limits_at=lambda tail: (
            max(counts.limits(tail / len(by_group))[0] for counts in by_group),
            max(counts.limits(tail)[1] for counts in by_group),
        ),
        evidence=(*evidence, *copies),
        rule=_worst_rule(noun, names, by_group, worst),
        artifacts=artifacts,
        why=why,
    )


def _worst_rule(
    noun: str, names: Sequence[str], by_group: Sequence[PairedCounts], worst: int
) -> Rule:
    def rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(measurement, relation, limit)
        pairs = by_group[worst].total
        note = f"{_loss_in_words(noun, names[worst], pairs)}, {_limit_in_samples(limit, pairs)}"
        if ruling.outcome is Outcome.INCONCLUSIVE and relation is Relation.AT_MOST:
            loosest = max(range(len(by_group)), key=lambda k: by_group[k].limits()[1])
            group = f'for {noun} "{names[loosest]}" ({by_group[loosest]})'
            note += f"; {ruling.note} {group}; {_samples_needed(by_group[loosest], limit)}"
        elif ruling.note:
            note += f"; {ruling.note}"
        return replace(ruling, note=note)

    return rule


def _loss_in_words(noun: str, name: str, pairs: FlipCounts) -> str:
    net = pairs.broken - pairs.fixed
    verb = "loses" if net >= 0 else "gains"
    return (
        f'{noun} "{name}" {verb} {abs(net):,} of its {pairs.n:,} samples ({flips_in_words(pairs)})'
    )


def _limit_in_samples(limit: Quantity, pairs: FlipCounts) -> str:
    return f"the limit of {limit} is {text(limit.value * pairs.n, Unit.COUNT)} samples"


def _samples_needed(counts: PairedCounts, limit: Quantity) -> str:
    pairs = counts.distinct
    needed = n_deciding(
        Fraction(pairs.broken, pairs.n), Fraction(pairs.fixed, pairs.n), limit.value
    )
    return _needed_in_words(needed, all_distinct=pairs.n == counts.total.n)


def flips_in_words(pairs: FlipCounts) -> str:
    """Return the flips as evidence: "9 flips: 4 broken, 5 fixed"."""
    if not pairs.flips:
        return "no flips"
    noun = "flip" if pairs.flips == 1 else "flips"
    return f"{pairs.flips:,} {noun}: {pairs.broken:,} broken, {pairs.fixed:,} fixed"
