"""Compute limits of a rate whose events come in bursts of unknown size, each in one recording.

A noise that a detector hears three times is a burst of three. Bursts are independent and have a
geometric number of events, so that counts have the Polya-Aeppli distribution (Johnson, Kemp and
Kotz 2005, Univariate Discrete Distributions, 9.7). Neither the rate of bursts nor their mean size
is known: the limits are quantiles of the posterior of their product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litegate.measures.statistics.bootstrap import SEED, Real

DRAWS = 10_000
"""Draws from the posterior: the share beyond a 95 % limit varies by 0.2 points (SD), in 2 ms."""
_MOST_EVENTS = 20_000
"""Events up to which bursts are searched: the time grows with the square, to half a second here.

Of so many, a bootstrap over recordings shows the bursts."""
_PASSES = 2
"""Passes over the likelihood: the second is around the mean of the first, whose guess may be so far
off that likely numbers underflow. Two are a choice."""


def burst_limits(counts: Real, hours: Real, tail: float) -> tuple[float, float] | None:
    """Return limits of events an hour, each missed with about `tail`; None without any to show.

    `counts` and `hours` are those of each recording, shape (m,). The share of events that end a
    burst has a uniform prior. The rate of bursts r has the one with which Garwood's limits are
    quantiles if no event is in a burst with another: 1/r for the lower limit, flat for the upper.
    Without events nothing shows their size, and so many that it takes long need no such limits.
    """
    events, total = int(counts.sum()), float(hours.sum())
    if not 0 < events <= _MOST_EVENTS:
        return None
    low = np.quantile(_posterior(counts, hours / total, flat=False), tail)
    high = np.quantile(_posterior(counts, hours / total, flat=True), 1 - tail)
    return float(low) / total, float(high) / total


def _posterior(counts: Real, shares: Real, *, flat: bool) -> Real:
    """Draw the expected number of events, given a recording's share of the hours."""
    events, rng = int(counts.sum()), np.random.default_rng(SEED)
    bursts = np.arange(1, events + 1)
    drawn = np.repeat(bursts, rng.multinomial(DRAWS, _of_bursts(counts, shares, flat=flat)))
    return rng.standard_gamma(drawn + float(flat)) / rng.beta(drawn + 1.0, events - drawn + 1.0)


def _of_bursts(counts: Real, shares: Real, *, flat: bool) -> Real:
    """Return the posterior probability of 1, 2, ... bursts in all recordings together.

    The likelihood of b bursts is a convolution of those in each recording. Given b of n events,
    the rate of bursts has a gamma and the share of last events a beta distribution, whose
    integrals are the other factors.
    """
    logs = _log_factorials(int(counts.sum()))
    events, bursts = len(logs) - 1, np.arange(1, len(logs))
    factors = logs[bursts if flat else bursts - 1] + logs[bursts] + logs[events - bursts]
    guess, weights = _guess(counts, shares), np.ones(events)
    for _ in range(_PASSES):
        tilt = 2 * np.log(guess) - np.log(max(events - guess, 1.0))
        posterior = _log_likelihood(counts, shares, logs, tilt) + factors - tilt * bursts
        weights = np.exp(posterior - posterior.max())
        weights /= weights.sum()
        guess = float(weights @ bursts)
    return weights


def _guess(counts: Real, shares: Real) -> float:
    """Return about how many bursts there are, from the dispersion of the counts.

    With a mean size of m the variance is 2m - 1 times that of single events.
    """
    # Fewer than the events: the tilt has no bound if each is a burst of its own. How far below
    # makes no difference, since this is only where the first pass starts.
    events, most = float(counts.sum()), 0.9 * float(counts.sum())
    expected = events * shares
    dispersion = float(((counts - expected) ** 2 / expected).sum()) / max(len(counts) - 1, 1)
    return max(1.0, min(2 * events / (dispersion + 1), most))


def _log_likelihood(counts: Real, shares: Real, logs: Real, tilt: float) -> Real:
    """Return the logarithm of the likelihood of 1, 2, ... bursts, plus `tilt` for each burst.

    It spans more powers of ten than a float, so what is unlikely after the tilt is -inf.
    """
    chosen = counts > 0
    likelihood = np.ones(1)
    for count, share in zip(counts[chosen].astype(int), shares[chosen], strict=True):
        k = np.arange(1, count + 1)
        chances = logs[count - 1] - logs[k - 1] - logs[count - k] - logs[k]
        chances += k * (np.log(share) + tilt)
        likelihood = np.convolve(likelihood, np.exp(chances - chances.max()))
        likelihood /= likelihood.max()
    with np.errstate(divide="ignore"):  # at least one burst in each of these recordings
        known = np.log(likelihood)
    return np.concatenate([np.full(int(chosen.sum()) - 1, -np.inf), known])


def _log_factorials(n: int) -> NDArray[np.float64]:
    """Return the logarithms of 0!, 1!, ..., n!."""
    return np.cumsum(np.log(np.maximum(np.arange(n + 1), 1)))
