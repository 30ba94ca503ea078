"""Compute confidence limits of a rate of events, and of the difference of two paired rates.

Events of one recording may come in bursts, such as a noise that is heard three times. The exact
limits assume that they do not, those of bursts that their sizes are geometric, and the bootstrap
over recordings that there are many recordings, so the widest decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from litegate.measures.statistics.bootstrap import Counts, Real, bca, jackknife_samples, resamples
from litegate.measures.statistics.bursts import burst_limits
from litegate.measures.statistics.proportions import TAIL, bisect

MIN_RECORDINGS = 20
"""Fewest recordings with which a difference of rates may pass.

BCa's corrections are estimates from the recordings themselves, and fewer recordings show fewer
bursts. With 20 the limits of 95 % hold, in bursts too (benchmarks/event_rates.py)."""
_MOST_KEPT = 1000
"""Recordings up to which resamples are kept between calls: 16 MB, drawn in 50 ms."""
_NEGLIGIBLE = 1e-17
"""Share of a sum below which a further term of the Poisson distribution changes no bit of it."""
_ROUNDING = 1e-6
"""Relative standard error that equal rates have for rounding: the root of that of a float64 sum
(1.5e-8), with room for sums of thousands of recordings."""


def poisson_limits(count: int, tail: float = TAIL) -> tuple[float, float]:
    """Return the exact limits of the expected number of events, each missed with at most `tail`.

    They are Garwood's (Biometrika 1936, 28:437): the means of the Poisson distributions that give
    `count` or more, and `count` or fewer, with the chance `tail`.
    """
    if not count:
        return 0.0, -math.log(tail)
    # Far beyond any limit that is asked for: 40 standard deviations above.
    most = count + 40 * math.sqrt(count + 1) + 40
    low = bisect(lambda mean: _tail_sum(count, mean, step=1) < tail, 0.0, float(count))
    high = bisect(lambda mean: _tail_sum(count, mean, step=-1) > tail, float(count), most)
    return low, high


def _tail_sum(count: int, mean: float, step: int) -> float:
    """Return the probability of `count` or more events (step 1), or fewer (-1); mean above 0.

    The mean is below `count` for more and above it for fewer, so that the terms decrease.
    """
    term = total = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    while term > total * _NEGLIGIBLE and (step > 0 or count > 0):
        term *= mean / (count + 1) if step > 0 else count / mean
        count += step
        total += term
    return total


def hours_proving(limit: float) -> float:
    """Return the hours without an event that prove a rate of at most `limit` events an hour.

    About 3.0/limit, the rule of three; infinite for a limit of zero.
    """
    return poisson_limits(0)[1] / limit if limit > 0 else math.inf


def rate_limits(counts: Real, hours: Real, tail: float = TAIL) -> tuple[float, float]:
    """Return the lower and upper limit of a rate of events an hour, each missed with `tail`.

    `counts` and `hours` are those of each recording, shape (m,), m at least 1, with a positive sum
    of hours. The limits are the outer ones of Garwood's, of events in bursts, and of a bootstrap
    over recordings. Without an event, whose bursts could have any size, they are Garwood's.
    """
    total = float(hours.sum())
    low, high = poisson_limits(int(counts.sum()), tail)
    exact = low / total, high / total
    limits = exact, burst_limits(counts, hours, tail), _clustered_limits(counts, hours, tail)
    lows, highs = zip(*(pair for pair in limits if pair), strict=True)
    return min(lows), max(highs)


def _clustered_limits(counts: Real, hours: Real, tail: float) -> tuple[float, float] | None:
    """Return limits of a rate whose events come in clusters, each within one recording.

    They are those of the studentized bootstrap of the root of the rate (Davison and Hinkley 1997,
    Bootstrap Methods and their Application, 5.2): of percentile, BCa and this it alone misses
    skewed counts about as often as stated. The upper one has no bound if most resamples draw a
    single recording with events, so it is at most the largest cluster seen, as often as Garwood's
    limit of the recordings with events. None if no spread is seen.
    """
    with_events = int((counts > 0).sum())
    if not with_events or len(counts) < 2:
        return None
    root, error = _root_and_error(counts, hours, np.ones((1, len(counts))))
    if error[0] <= _ROUNDING * root[0]:
        return None
    blocks = [_root_and_error(counts, hours, drawn) for drawn in _drawn(len(counts))]
    roots, errors = (np.concatenate(values) for values in zip(*blocks, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.nan_to_num((roots - root) / errors, nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
    smallest, largest = np.quantile(scores, [tail, 1 - tail], method="lower")
    low = max(0.0, float(root[0] - largest * error[0])) ** 2
    clusters = poisson_limits(with_events, tail)[1] * float(counts.max() / hours.sum())
    return low, min(float(root[0] - smallest * error[0]) ** 2, clusters)


def _drawn(n: int) -> Iterable[Counts]:
    """Return the resamples of n recordings; kept if they are few: each slice draws them again."""
    return _kept(n) if n <= _MOST_KEPT else resamples(n)


@lru_cache(maxsize=2)  # of all recordings, and of each distinct one once
def _kept(n: int) -> tuple[Counts, ...]:
    return tuple(resamples(n))


def _root_and_error(counts: Real, hours: Real, drawn: Counts) -> tuple[Real, Real]:
    """Return the root of the rate of each resample, shape (r,), and its standard error."""
    products = np.stack([counts, hours, counts * counts, counts * hours, hours * hours], axis=1)
    events, total, squares, mixed, lengths = (drawn @ products).T
    rate, n = events / total, len(counts)
    variance = n / (n - 1) * (squares - 2 * rate * mixed + rate * rate * lengths) / total**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(rate), np.sqrt(np.maximum(variance, 0.0)) / (2 * np.sqrt(rate))


def difference_limits(
    appeared: Real, disappeared: Real, hours: Real, tail: float = TAIL
) -> tuple[float, float]:
    """Return the limits of how many more events an hour one of two detectors has.

    `appeared` are the events of each recording that only this detector has, `disappeared` those
    that only the other one has, shape (m,); events of both cancel. The limits are the outer ones of
    a BCa bootstrap over recordings, and of those of the two rates, put together by MOVER (Zou and
    Donner 2008, Stat Med 27:1693), which have a width if no event differs.
    """
    new, gone = (rate_limits(counts, hours, tail) for counts in (appeared, disappeared))
    rate, lost = (float(counts.sum() / hours.sum()) for counts in (appeared, disappeared))
    rise = rate - lost
    mover = (
        rise - math.hypot(rate - new[0], gone[1] - lost),
        rise + math.hypot(new[1] - rate, lost - gone[0]),
    )
    clustered = _bca_limits(appeared - disappeared, hours, tail)
    return min(mover[0], clustered[0]), max(mover[1], clustered[1])


def _bca_limits(events: Real, hours: Real, tail: float) -> tuple[float, float]:
    """Return BCa's limits of events an hour, over recordings; one recording has no spread."""
    value = float(events.sum() / hours.sum())
    if len(events) < 2:
        return value, value  # inside of MOVER's limits
    resampled, jackknifed = (
        np.concatenate([_rates(events, hours, counts) for counts in blocks])
        for blocks in (_drawn(len(events)), jackknife_samples(len(events)))
    )
    return bca(value, resampled, jackknifed, tail)


def _rates(events: Real, hours: Real, counts: Counts) -> Real:
    rates: Real = (counts @ events) / (counts @ hours)
    return rates
