"""How sure a count makes us: intervals for one share and for the difference of two paired shares.

Both models answer the same n samples, so only the samples on which exactly one of them is right
say anything about the difference. Standard library alone; counts and shares are exact fractions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from statistics import NormalDist
from typing import final

from litegate.core.errors import MeasurementError
from litegate.core.units import Number


def bisected(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where `holds` ends, true below and false above, by bisection to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


TAIL = 0.05
"""What a one-sided 95 % limit leaves out."""
POWER = 0.9
"""The chance with which the samples asked for prove what is true."""


@cache
def quantile(tail: float) -> float:
    """The standard normal deviate that `tail` of the distribution lies above."""
    return NormalDist().inv_cdf(1 - tail)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What two models made of the same n samples. MeasurementError where the counts cannot be."""

    n: int
    broken: int
    """Samples that the reference got right and the candidate wrong."""
    fixed: int
    """Samples that the reference got wrong and the candidate right."""

    def __post_init__(self) -> None:
        if self.n < 1 or min(self.broken, self.fixed) < 0 or self.flips > self.n:
            raise MeasurementError(
                "these counts cannot be compared",
                expected="at least one sample, and no more flips than samples",
                got=f"{self.broken} broken and {self.fixed} fixed of {self.n}",
            )

    @property
    def flips(self) -> int:
        return self.broken + self.fixed

    @property
    def drop(self) -> Fraction:
        """The share that the candidate loses; below zero where it gains."""
        return Fraction(self.broken - self.fixed, self.n)

    @property
    def discordance(self) -> Fraction:
        """The share of samples that flipped."""
        return Fraction(self.flips, self.n)

    @property
    def swapped(self) -> Pairs:
        """The same samples with reference and candidate exchanged."""
        return Pairs(n=self.n, broken=self.fixed, fixed=self.broken)


def statistic(pairs: Pairs, difference: float) -> float:
    """Tango's score for a hypothesised gain of the candidate (Stat Med 1998, 17:891).

    Standard normal where the gain, the share fixed less the share broken, truly is `difference`.
    """
    excess = pairs.fixed - pairs.broken - pairs.n * difference
    spread = pairs.n * _variance(pairs.broken / pairs.n, pairs.fixed / pairs.n, difference)
    if spread <= 0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(spread)


def _variance(broken: float, fixed: float, difference: float) -> float:
    """The variance of one sample's gain, at the likeliest rates that give this difference."""
    linear = (2 - fixed + broken) * difference - (broken + fixed)
    constant = -broken * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 8 * constant, 0.0))
    return (root - linear) / 2 + difference * (1 - difference)


def mcnemar(pairs: Pairs) -> float:
    """McNemar's score: Tango's for no difference; above zero where the candidate gains."""
    return statistic(pairs, 0.0)


def drop_limits(pairs: Pairs, tail: float = TAIL) -> tuple[float, float]:
    """The lower and the upper limit of the true drop, each missed with the chance `tail`.

    Tango's score limits: 0.05 gives the one-sided 95 % limits, 0.025 the two-sided 95 % interval.
    """
    z = quantile(tail)
    return _lowest_gain(pairs.swapped, z), -_lowest_gain(pairs, z)


def _lowest_gain(pairs: Pairs, z: float) -> float:
    return bisected(lambda gain: statistic(pairs, gain) > z, -1.0, float(-pairs.drop))


def n_needed(discordance: Number, tolerance: Number) -> int:
    """Samples for a drop within `tolerance` where none is true, by the short normal formula.

    `discordance` is the share of samples that flip, `tolerance` a share above zero. Meant to prove
    it nine times in ten, and does where hundreds flip; five times in six where nine do, two times
    in three where two do. `n_deciding` holds for few flips too.
    """
    z = quantile(TAIL) + quantile(1 - POWER)
    return math.ceil(z * z * float(discordance) / float(tolerance) ** 2)


def n_deciding(broken: Number, fixed: Number, tolerance: Number) -> int | None:
    """Samples that prove a drop within `tolerance` nine times in ten at these rates of flips.

    A gain counts as no drop, with as many flips. None where the drop leaves nothing to prove.
    """
    drop, flips = max(broken - fixed, 0), float(broken + fixed)
    room = float(tolerance - drop)
    if room <= 0:
        return None
    rates = (flips + float(drop)) / 2, (flips - float(drop)) / 2
    null = math.sqrt(_variance(*rates, -float(tolerance)))
    true = math.sqrt(flips - float(drop) ** 2)
    return math.ceil(((quantile(TAIL) * null + quantile(1 - POWER) * true) / room) ** 2)


def n_proving(share: Number, floor: Number) -> int | None:
    """Samples that prove a share to be at least `floor` nine times in ten, if it is `share`.

    ((z_a sqrt(p0 (1 - p0)) + z_b sqrt(p1 (1 - p1))) / (p1 - p0))^2 of the test whose limits are
    Wilson's (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, 2.4); no
    less than `n_least`. None where the share leaves nothing to prove.
    """
    low, high = float(floor), float(share)
    if high <= low:
        return None
    null, true = math.sqrt(low * (1 - low)), math.sqrt(high * (1 - high))
    needed = ((quantile(TAIL) * null + quantile(1 - POWER) * true) / (high - low)) ** 2
    return max(math.ceil(needed), n_least(1 - floor))


def n_least(tolerance: Number) -> int:
    """Samples below which not even a run without a flip proves a drop within `tolerance`.

    The same number serves a floor of 1 - `tolerance` where every sample is right (see `unseen`).
    """
    z = quantile(TAIL)
    return math.ceil(z * z * (1 - float(tolerance)) / float(tolerance))


def unseen(n: int) -> float:
    """The one-sided 95 % upper limit of a share that n samples showed nothing of.

    z^2 / (n + z^2): Tango's limit of the drop without flips, Wilson's of the errors without one.
    """
    z = quantile(TAIL)
    return z * z / (n + z * z)


def wilson(count: int, n: int, tail: float = TAIL) -> tuple[float, float]:
    """Wilson's score limits of a share, each missed with the chance `tail` (JASA 1927, 22:209)."""
    z = quantile(tail)
    centre = count + z * z / 2
    half = z * math.sqrt(count * (n - count) / n + z * z / 4)
    return max((centre - half) / (n + z * z), 0.0), min((centre + half) / (n + z * z), 1.0)


def clopper_pearson_upper(count: int, n: int, tail: float = TAIL) -> float:
    """The exact upper limit of a share: the greatest that gives `count` or fewer by `tail`."""
    if count >= n:
        return 1.0
    return bisected(lambda share: _at_most(count, n, share) > tail, count / n, 1.0)


def _at_most(count: int, n: int, share: float) -> float:
    """The chance of `count` or fewer of n, for a share between 0 and 1."""
    start = n * math.log1p(-share)
    odds = math.log(share) - math.log1p(-share)
    return math.fsum(math.exp(start + _log_ways(n, k) + k * odds) for k in range(count + 1))


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
