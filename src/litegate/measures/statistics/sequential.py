"""Test by signs, valid after every epoch, and by signed ranks, for one last look.

The sign evidence is an e-process: by Ville's inequality the chance that it ever reaches 1/alpha
under the null hypothesis is at most alpha, for any stopping time and any noise distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_EXACT = 50
"""The most differences with an exact signed-rank distribution, which takes time cubic in their
number; beyond, a normal approximation is used.

At 51, the approximation's p-values are 1 % too large around 0.025 and 8 % around 0.005, the levels
of the last look: it errs towards inconclusive. The exact distribution takes 0.5 ms for 50 epochs
and 17 ms for 200."""


def log_evidence(hits: int, trials: int) -> float:
    """Return the natural logarithm of the evidence E(S, K) that more than half of signs are hits.

    E(S, K) is the integral over p from 1/2 to 1 of 2 (2p)^S (2(1-p))^(K-S), which is
    B(S+1, K-S+1) times the sum of C(K+1, j) for j = 0..S. It is computed in integers up to the
    logarithm, so that it never over- or underflows.

    Raises ValueError unless 0 <= hits <= trials.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials")
    term = total = 1
    for j in range(hits):
        term = term * (trials + 1 - j) // (j + 1)
        total += term
    return math.log(total) - math.log((trials + 1) * math.comb(trials, hits))


def signs_decide(hits: int, trials: int, alpha: float) -> bool:
    """Return True if the signs decide, with an error of at most alpha/2 at any stopping time."""
    return log_evidence(hits, trials) >= math.log(2 / alpha)


def sign_interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of medians that the signs do not refute, valid at any stopping time.

    It is infinite on both sides if there are too few values.
    """
    ordered, n = np.sort(values), len(values)
    refuting = [hits for hits in range(n + 1) if signs_decide(hits, n, 1 - level)]
    if not refuting:
        return -math.inf, math.inf
    return float(ordered[n - refuting[0]]), float(ordered[refuting[0] - 1])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRank:
    """Wilcoxon's signed-rank test of differences against zero."""

    greater: float
    """One-sided p-value for a centre above zero."""
    less: float
    """One-sided p-value for a centre below zero."""
    z: float
    """The rank sum in standard deviations; positive if the differences tend to be positive."""


def signed_rank(differences: Floats) -> SignedRank:
    """Test differences of shape (n,) against zero; zeros are left out, ties get their mean rank.

    Wilcoxon 1945 (Biometrics Bulletin 1:80). Exact up to MOST_EXACT differences, ties included;
    beyond, a normal approximation with continuity correction.
    """
    nonzero = differences[differences != 0]
    if not len(nonzero):
        return SignedRank(greater=1.0, less=1.0, z=0.0)
    _, ranks_of, ties = np.unique(np.abs(nonzero), return_inverse=True, return_counts=True)
    doubled_ranks = (2 * np.cumsum(ties) - ties + 1)[ranks_of]
    positive_sum, expected = int(doubled_ranks[nonzero > 0].sum()), doubled_ranks.sum() / 2
    deviation = math.sqrt((doubled_ranks.astype(np.float64) ** 2).sum()) / 2
    z = float(positive_sum - expected) / deviation
    if len(nonzero) > MOST_EXACT:
        above, below = (
            (positive_sum - expected - 1) / deviation,
            (positive_sum - expected + 1) / deviation,
        )
        return SignedRank(greater=_upper_tail(above), less=_upper_tail(-below), z=z)
    chances = _rank_sum_chances(doubled_ranks)
    return SignedRank(
        greater=min(1.0, float(chances[positive_sum:].sum())),
        less=min(1.0, float(chances[: positive_sum + 1].sum())),
        z=z,
    )


def _upper_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


def _rank_sum_chances(ranks: NDArray[np.int64]) -> Floats:
    """Return the chance of each rank sum, by index, if every sign is a fair coin."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[:-rank]
        chances = (chances + shifted) / 2
    return chances


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The Hodges-Lehmann estimate of a centre and its distribution-free interval."""

    value: float
    low: float
    high: float


def hodges_lehmann(x: Floats, level: float = 0.95) -> Centre:
    """Return the median of all pairwise means of x, shape (n,), n at least 1, with its interval.

    Hodges and Lehmann 1963 (Ann. Math. Stat. 34:598). The interval is infinite on both sides if n
    is too small for the level.
    """
    i, j = np.triu_indices(len(x))
    means = np.sort((x[i] + x[j]) / 2)
    cut = _interval_rank(len(x), level)
    low, high = (means[cut - 1], means[-cut]) if cut else (-math.inf, math.inf)
    return Centre(value=float(np.median(means)), low=float(low), high=float(high))


def _interval_rank(n: int, level: float) -> int:
    """Return the rank of the interval's ends among the pairwise means; 0 for no interval."""
    tail = (1 - level) / 2
    if n <= MOST_EXACT:
        return int((np.cumsum(_rank_sum_chances(np.arange(1, n + 1))) <= tail).sum())
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return int(n * (n + 1) / 4 - NormalDist().inv_cdf(1 - tail) * spread)
