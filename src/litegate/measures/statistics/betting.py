"""Test the mean of a bounded loss while samples arrive in random order, by betting against a limit.

A gambler who bets against the hypothesis cannot expect to gain if it is true, so by Ville's
inequality her wealth ever reaches 1/alpha with a chance of at most alpha. The test may therefore
look as often as it likes and stop at any time.

I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting" (JRSS B
2024, 86:1; arXiv 2010.09686), which has the bets and the sampling without replacement; "Confidence
sequences for sampling without replacement" (NeurIPS 2020; arXiv 2006.04347).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.measures.statistics.proportions import bisect

Floats = NDArray[np.float64]
Limits = tuple[float, float]
"""A lower and an upper limit."""
Evidence = Callable[[float], float]
"""The log evidence against a mean."""

BETS: Floats = np.array([0.95, *2.0 ** -np.arange(1, 8)])
"""Shares of the wealth that the gamblers stake on each sample; the evidence is their mean wealth.

The best share is the distance of the mean from the limit, divided by the variance, which nobody
knows beforehand: 0.95 where nothing flips, 0.07 for a distance of 0.4 points with 6 % flips. 1
would lose everything at the first contrary sample; that they end at 1/128 is a choice. Steps of two
cost at most log(8) in the exponent; on eleven drops, floors and agreements of 10,000 samples, they
stopped up to a half earlier than the paper's adaptive bet (aGRAPA), or a quarter later."""

_ROUNDING = 1e-9
"""A mean that is nearer to 0 is rounding: of 1e8 samples a single one makes a mean of 1e-8."""


class Decision(StrEnum):
    """The evidence of a sequence of losses about their mean."""

    WITHIN = "within"
    """The mean of the population is at most the limit."""
    BEYOND = "beyond"
    """The mean of the declared samples is above the limit."""


def log_evidence(values: Floats, mean: float, declared: int | None = None) -> float:
    """Return the natural logarithm of the evidence that the mean of values is above `mean`.

    `values`, shape (t,), are between 0 and 1, in random order. The wealth that stakes the share c
    is the product over i of 1 + c (x_i / m_i - 1), and cannot become negative. For independent
    draws m_i is `mean`. For the first t of `declared` values, drawn without replacement, m_i is
    (N mean - x_1 - ... - x_(i-1)) / (N - i + 1), the mean of the values that are left if the
    hypothesis is true. The evidence is infinite once that is below 0, and does not change while it
    is 1 or more, since no value can refute it then.
    """
    counts: NDArray[Any] | int = 1
    if declared is None:  # the order does not matter, and losses have few values
        values, counts = np.unique(values, return_counts=True)
    left = _means_left(values, mean, declared)
    impossible = (left < 0) | ((left <= 0) & (values > 0))
    if impossible.any():
        return np.inf
    bettable = (left > 0) & (left < 1)
    gains = np.zeros((len(BETS), len(values)))
    ratios = values[bettable] / left[bettable] - 1
    gains[:, bettable] = np.log1p(BETS[:, None] * ratios)
    wealth: Floats = (gains * counts).sum(axis=1)
    return float(np.logaddexp.reduce(wealth) - np.log(len(BETS)))


def _means_left(values: Floats, mean: float, declared: int | None) -> Floats:
    """Return the mean that is expected of each value, shape (t,), if the hypothesis is true."""
    if declared is None:
        return np.full(len(values), mean)
    before = np.concatenate(([0.0], np.cumsum(values)[:-1]))
    left: Floats = (declared * mean - before) / (declared - np.arange(len(values)))
    # Sums of floats: a set without a loss left must not look like one with less than none.
    left[np.abs(left) < _ROUNDING] = 0
    return left


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Losses:
    """The losses of the samples judged so far, in the order in which they were drawn."""

    values: Floats
    """Shape (t,), between `least` and 1."""
    least: float
    """The least possible loss: 0, or -1 if a sample may also be a gain."""
    declared: int
    """Number of samples from which they are drawn without replacement."""
    first: NDArray[np.bool_]
    """False for a copy of a sample that came before, shape (t,)."""

    def decide(self, limit: float, fail: float, proof: float) -> Decision | None:
        """Decide whether the mean loss is above or within a limit; None if it is open.

        A wrong BEYOND has a chance of at most `fail` over all calls with more and more losses, a
        wrong WITHIN one of at most `proof`.
        """
        if self.evidence_beyond(limit) >= -np.log(fail):
            return Decision.BEYOND
        if self.evidence_within(limit) >= -np.log(proof):
            return Decision.WITHIN
        return None

    def evidence_beyond(self, limit: float) -> float:
        """Return the log evidence that the mean of all declared samples is above a limit."""
        return log_evidence(self._scaled(self.values), self._scaled(limit), self.declared)

    def evidence_within(self, limit: float) -> float:
        """Return the log evidence that the mean of the population is below a limit.

        Copies are no independent draws: without them the evidence must be as strong, too.
        """
        return min(
            log_evidence(1 - self._scaled(values), 1 - self._scaled(limit))
            for values in (self.values, self.values[self.first])
        )

    def declared_limits(self, tail: float) -> Limits:
        """Return the confidence sequence of the declared samples' mean, each limit with `tail`."""
        below = 1 - self._scaled(self.values)
        return self._open_means(
            self.evidence_beyond,
            lambda mean: log_evidence(below, 1 - self._scaled(mean), self.declared),
            tail,
        )

    def population_limits(self, tail: float) -> Limits:
        """Return the confidence sequence of the population's mean, each limit with `tail`."""
        return self._open_means(
            lambda mean: min(
                log_evidence(self._scaled(values), self._scaled(mean))
                for values in (self.values, self.values[self.first])
            ),
            self.evidence_within,
            tail,
        )

    def _open_means(self, above: Evidence, below: Evidence, tail: float) -> Limits:
        """Return the least and the greatest mean that is not refuted.

        `above` falls with the mean and `below` rises, so that the means between are all open.
        """
        needed, centre = -np.log(tail), float(self.values.mean())
        return (
            bisect(lambda mean: above(mean) >= needed, self.least, centre),
            bisect(lambda mean: below(mean) < needed, centre, 1.0),
        )

    def _scaled(self, loss: Any) -> Any:
        """Return losses or a mean on the scale from 0 to 1."""
        return (loss - self.least) / (1 - self.least)
