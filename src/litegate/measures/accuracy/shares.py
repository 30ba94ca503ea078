"""Measurements of shares: one share of n samples, and what a candidate loses of a reference's.

Broken on the evaluation split, a limit fails; kept there, it passes only where the one-sided 95 %
limit keeps it too, and is inconclusive otherwise. Where samples are copies of others, limits and
intervals are the outer ones of two: of all samples, and of each distinct sample once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import final

import numpy as np
from numpy.typing import NDArray

from litegate.core.units import Quantity, Unit, text
from litegate.measures.accuracy.duplicates import counted, firsts
from litegate.measures.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Rule,
    Ruling,
    interval_rule,
)
from litegate.measures.statistics.proportions import (
    TAIL,
    Pairs,
    drop_limits,
    n_deciding,
    n_proving,
    wilson,
)

TANGO = "Tango's score, paired"
WILSON = "Wilson's score"


Limits = tuple[float, float]
"""A lower and an upper one."""
Why = Callable[[], tuple[str, ...]]
"""As `Measurement.why`."""


def several(count: int, noun: str) -> str:
    """A number of classes or slices: "10 classes", "1 slice"."""
    return f"{count} {noun if count == 1 else 'classes' if noun == 'class' else 'slices'}"


def _outer(*each: Limits) -> Limits:
    return min(low for low, _ in each), max(high for _, high in each)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Paired counts of all samples, and of each distinct sample once."""

    every: Pairs
    distinct: Pairs

    def limits(self, tail: float = TAIL) -> Limits:
        """The outer limits of the drop, each missed with the chance `tail`."""
        return _outer(drop_limits(self.every, tail), drop_limits(self.distinct, tail))

    def __str__(self) -> str:
        return counted(self.every.n, self.distinct.n)


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
    """The share of marks that are set, with Wilson's interval and one-sided limits.

    `marks` has shape (n,), n at least 1; `groups` too, and holds equal numbers for equal samples.
    """
    once = marks[firsts(groups)]
    counts = [(int(each.sum()), len(each)) for each in (marks, once)]
    interval = _outer(*(wilson(*each, TAIL / 2) for each in counts))
    low, high = _outer(*(wilson(*each) for each in counts))
    count, n = counts[0]
    rate, all_distinct = Fraction(*counts[1]), len(once) == n
    told = () if all_distinct else (counted(n, len(once)),)
    return Measurement(
        name=name,
        subject=subject,
        value=Fraction(count, n),
        unit=Unit.PERCENT,
        n=n,
        interval=Interval(low=interval[0], high=interval[1], method=WILSON),
        low=low,
        high=high,
        evidence=(*evidence, *told),
        rule=_said_what_decides(
            Relation.AT_LEAST,
            lambda limit: _enough(n_proving(rate, limit.value), all_distinct=all_distinct),
        ),
        artifacts=artifacts,
        why=why,
    )


def _said_what_decides(kept: Relation, say: Callable[[Quantity], str]) -> Rule:
    """Says of a limit that is kept but not proven how many samples would prove it."""

    def rule(found: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(found, relation, limit)
        if ruling.outcome is not Outcome.INCONCLUSIVE or relation is not kept:
            return ruling
        return replace(ruling, note=f"{ruling.note}; {say(limit)}")

    return rule


def _enough(needed: int | None, *, all_distinct: bool) -> str:
    if needed is None:
        return "at the limit itself no number of samples proves it"
    kind = "samples" if all_distinct else "distinct samples"
    return f"at these rates {needed:,} {kind} would prove it nine times in ten"


def drop(
    name: str,
    subject: str,
    counts: Counted,
    *,
    unit: Unit = Unit.POINTS,
    evidence: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
    why: Why | None = None,
) -> Measurement:
    """What the candidate loses of the reference's share, with Tango's interval and limits."""
    pairs, interval, (low, high) = counts.every, counts.limits(TAIL / 2), counts.limits()
    return Measurement(
        name=name,
        subject=subject,
        value=pairs.drop,
        unit=unit,
        n=pairs.n,
        interval=Interval(low=interval[0], high=interval[1], method=TANGO),
        low=low,
        high=high,
        evidence=(str(counts), flips_in_words(pairs), *evidence),
        rule=_said_what_decides(Relation.AT_MOST, lambda limit: _what_decides(counts, limit)),
        artifacts=artifacts,
        why=why,
    )


def worst_drop(
    subject: str,
    names: Sequence[str],
    by_class: Sequence[Counted],
    *,
    noun: str = "class",
    evidence: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
    why: Why | None = None,
) -> Measurement:
    """The greatest drop of any class, or slice (`noun`); of equal drops that of the first.

    Proven only where every class's own one-sided 95 % limit keeps the limit. That needs no
    correction for the number of classes: each must pass, so the chance of a false proof stays at
    5 % (Berger 1982, Technometrics 24:295). The interval shown is that of a class picked for being
    the worst, so it is widened to hold for all classes at once (Bonferroni).
    """
    worst = max(range(len(by_class)), key=lambda k: by_class[k].every.drop)
    each = TAIL / len(by_class)
    low, high = by_class[worst].limits(each / 2)
    samples, distinct = (
        sum(pairs.n for pairs in kind)
        for kind in zip(*((one.every, one.distinct) for one in by_class), strict=True)
    )
    told = () if samples == distinct else (counted(samples, distinct),)
    method = f"{TANGO}, Bonferroni over {several(len(by_class), noun)}"
    return Measurement(
        name=f"worst {noun}'s accuracy drop",
        subject=subject,
        value=by_class[worst].every.drop,
        unit=Unit.POINTS,
        n=by_class[worst].every.n,
        interval=Interval(low=low, high=high, method=method),
        low=max(counts.limits(each)[0] for counts in by_class),
        high=max(counts.limits()[1] for counts in by_class),
        evidence=(*evidence, *told),
        rule=_worst_rule(noun, names, by_class, worst),
        artifacts=artifacts,
        why=why,
    )


def _worst_rule(noun: str, names: Sequence[str], by_class: Sequence[Counted], worst: int) -> Rule:
    def rule(found: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(found, relation, limit)
        lost = by_class[worst].every
        note = f"{_loss(noun, names[worst], lost)}, {_samples(limit, lost)}"
        if ruling.outcome is Outcome.INCONCLUSIVE and relation is Relation.AT_MOST:
            loose = max(range(len(by_class)), key=lambda k: by_class[k].limits()[1])
            whose = f'for {noun} "{names[loose]}" ({by_class[loose]})'
            note += f"; {ruling.note} {whose}; {_what_decides(by_class[loose], limit)}"
        elif ruling.note:
            note += f"; {ruling.note}"
        return replace(ruling, note=note)

    return rule


def _loss(noun: str, name: str, pairs: Pairs) -> str:
    net = pairs.broken - pairs.fixed
    verb = "loses" if net >= 0 else "gains"
    return (
        f'{noun} "{name}" {verb} {abs(net):,} of its {pairs.n:,} samples ({flips_in_words(pairs)})'
    )


def _samples(limit: Quantity, pairs: Pairs) -> str:
    return f"the limit of {limit} is {text(limit.value * pairs.n, Unit.COUNT)} samples"


def _what_decides(counts: Counted, limit: Quantity) -> str:
    pairs = counts.distinct
    needed = n_deciding(
        Fraction(pairs.broken, pairs.n), Fraction(pairs.fixed, pairs.n), limit.value
    )
    return _enough(needed, all_distinct=pairs.n == counts.every.n)


def flips_in_words(pairs: Pairs) -> str:
    """The flips as evidence: "9 flips: 4 broken, 5 fixed"."""
    if not pairs.flips:
        return "no flips"
    noun = "flip" if pairs.flips == 1 else "flips"
    return f"{pairs.flips:,} {noun}: {pairs.broken:,} broken, {pairs.fixed:,} fixed"
