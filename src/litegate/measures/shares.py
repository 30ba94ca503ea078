"""Measurements of shares: one share of n samples, and what a candidate loses of a reference's.

Broken on the evaluation split, a limit fails; kept there, it passes only where the one-sided 95 %
limit keeps it too, and is inconclusive otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from litegate.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Rule,
    Ruling,
    interval_rule,
)
from litegate.measures.paired import TAIL, Pairs, drop_limits, n_deciding, wilson
from litegate.units import Quantity, Unit, text

TANGO = "Tango's score, paired"
WILSON = "Wilson's score"


def share(
    name: str,
    subject: str,
    count: int,
    n: int,
    *,
    evidence: tuple[str, ...],
    artifacts: tuple[str, ...],
) -> Measurement:
    """`count` of n samples, n at least 1, with Wilson's interval and one-sided limits."""
    interval, (low, high) = wilson(count, n, TAIL / 2), wilson(count, n)
    return Measurement(
        name=name,
        subject=subject,
        value=Fraction(count, n),
        unit=Unit.PERCENT,
        n=n,
        interval=Interval(low=interval[0], high=interval[1], method=WILSON),
        low=low,
        high=high,
        evidence=evidence,
        artifacts=artifacts,
    )


def drop(
    name: str,
    subject: str,
    pairs: Pairs,
    *,
    unit: Unit = Unit.POINTS,
    evidence: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
) -> Measurement:
    """What the candidate loses of the reference's share, with Tango's interval and limits."""
    interval, (low, high) = drop_limits(pairs, TAIL / 2), drop_limits(pairs)
    return Measurement(
        name=name,
        subject=subject,
        value=pairs.drop,
        unit=unit,
        n=pairs.n,
        interval=Interval(low=interval[0], high=interval[1], method=TANGO),
        low=low,
        high=high,
        evidence=(f"{pairs.n:,} samples", flips_in_words(pairs), *evidence),
        rule=_drop_rule(pairs),
        artifacts=artifacts,
    )


def _drop_rule(pairs: Pairs) -> Rule:
    def rule(found: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(found, relation, limit)
        if ruling.outcome is not Outcome.INCONCLUSIVE or relation is not Relation.AT_MOST:
            return ruling
        return replace(ruling, note=f"{ruling.note}; {_what_decides(pairs, limit)}")

    return rule


def worst_drop(
    subject: str,
    names: Sequence[str],
    by_class: Sequence[Pairs],
    *,
    evidence: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
) -> Measurement:
    """The greatest drop of any class; of equal drops that of the first class.

    Proven only where every class's own one-sided 95 % limit keeps the limit. That needs no
    correction for the number of classes: each must pass, so the chance of a false proof stays at
    5 % (Berger 1982, Technometrics 24:295). The interval shown is that of a class picked for being
    the worst, so it is widened to hold for all classes at once (Bonferroni).
    """
    worst = max(range(len(by_class)), key=lambda k: by_class[k].drop)
    each = TAIL / len(by_class)
    low, high = drop_limits(by_class[worst], each / 2)
    method = f"{TANGO}, Bonferroni over {len(by_class)} classes"
    return Measurement(
        name="worst class's accuracy drop",
        subject=subject,
        value=by_class[worst].drop,
        unit=Unit.POINTS,
        n=by_class[worst].n,
        interval=Interval(low=low, high=high, method=method),
        low=max(drop_limits(pairs, each)[0] for pairs in by_class),
        high=max(drop_limits(pairs)[1] for pairs in by_class),
        evidence=evidence,
        rule=_worst_rule(names, by_class, worst),
        artifacts=artifacts,
    )


def _worst_rule(names: Sequence[str], by_class: Sequence[Pairs], worst: int) -> Rule:
    def rule(found: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(found, relation, limit)
        note = f"{_loss(names[worst], by_class[worst])}, {_samples(limit, by_class[worst])}"
        if ruling.outcome is Outcome.INCONCLUSIVE and relation is Relation.AT_MOST:
            loose = max(range(len(by_class)), key=lambda k: drop_limits(by_class[k])[1])
            whose = f'for class "{names[loose]}" ({by_class[loose].n:,} samples)'
            note += f"; {ruling.note} {whose}; {_what_decides(by_class[loose], limit)}"
        return replace(ruling, note=note)

    return rule


def _loss(name: str, pairs: Pairs) -> str:
    net = pairs.broken - pairs.fixed
    verb = "loses" if net >= 0 else "gains"
    return (
        f'class "{name}" {verb} {abs(net):,} of its {pairs.n:,} samples ({flips_in_words(pairs)})'
    )


def _samples(limit: Quantity, pairs: Pairs) -> str:
    return f"the limit of {limit} is {text(limit.value * pairs.n, Unit.COUNT)} samples"


def _what_decides(pairs: Pairs, limit: Quantity) -> str:
    needed = n_deciding(
        Fraction(pairs.broken, pairs.n), Fraction(pairs.fixed, pairs.n), limit.value
    )
    if needed is None:
        return "at the limit itself no number of samples proves it"
    return f"at these rates {needed:,} samples would prove it nine times in ten"


def flips_in_words(pairs: Pairs) -> str:
    """The flips as evidence: "9 flips: 4 broken, 5 fixed"."""
    if not pairs.flips:
        return "no flips"
    noun = "flip" if pairs.flips == 1 else "flips"
    return f"{pairs.flips:,} {noun}: {pairs.broken:,} broken, {pairs.fixed:,} fixed"
