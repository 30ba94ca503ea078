"""Deciding by signs and by ranks: evidence that may be read after every epoch, and one last look.

The sign evidence is an e-process: by Ville's inequality the chance that it ever reaches 1/alpha
while the hypothesis holds is at most alpha, whenever one stops and whatever the noise looks like.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXACT = 50
"""Up to so many differences the signed-rank distribution is counted out, beyond it is normal."""


def log_evidence(hits: int, trials: int) -> float:
    """Natural logarithm of the evidence E(S, K) that more than half of all signs are hits.

    E(S, K) is the integral over p from 1/2 to 1 of 2 (2p)^S (2(1-p))^(K-S), which is
    B(S+1, K-S+1) times the sum of C(K+1, j) for j = 0..S. It is computed in whole numbers up to
    the logarithm, so that no count of trials over- or underflows.

    Raises ValueError unless 0 <= hits <= trials.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials")
    term = total = 1
    for j in range(hits):
        term = term * (trials + 1 - j) // (j + 1)
        total += term
    return math.log(total) - math.log((trials + 1) * math.comb(trials, hits))


def convinced(hits: int, trials: int, alpha: float) -> bool:
    """Whether the signs alone decide, with an error of at most alpha/2 at any stopping time."""
    return log_evidence(hits, trials) >= math.log(2 / alpha)


def sign_interval(x: Floats, level: float = 0.95) -> tuple[float, float]:
    """The medians that the signs have not refuted; holds at any stopping time.

    Infinite on both sides where there are too few values.
    """
    ordered, n = np.sort(x), len(x)
    refuting = [hits for hits in range(n + 1) if convinced(hits, n, 1 - level)]
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
    """The rank sum in standard deviations; positive where the differences tend to be."""


def signed_rank(differences: Floats) -> SignedRank:
    """Test differences of shape (n,) against zero; zeros are left out, ties share their mean rank.

    Wilcoxon 1945 (Biometrics Bulletin 1:80). Exact up to EXACT differences, ties included; a normal
    approximation with continuity correction beyond.
    """
    kept = differences[differences != 0]
    if not len(kept):
        return SignedRank(greater=1.0, less=1.0, z=0.0)
    _, where, ties = np.unique(np.abs(kept), return_inverse=True, return_counts=True)
    doubled = (2 * np.cumsum(ties) - ties + 1)[where]
    plus, mean = int(doubled[kept > 0].sum()), doubled.sum() / 2
    deviation = math.sqrt((doubled.astype(np.float64) ** 2).sum()) / 2
    z = float(plus - mean) / deviation
    if len(kept) > EXACT:
        above, below = (plus - mean - 1) / deviation, (plus - mean + 1) / deviation
        return SignedRank(greater=_upper_tail(above), less=_upper_tail(-below), z=z)
    chances = _rank_sum_chances(doubled)
    return SignedRank(
        greater=min(1.0, float(chances[plus:].sum())),
        less=min(1.0, float(chances[: plus + 1].sum())),
        z=z,
    )


def _upper_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


def _rank_sum_chances(ranks: NDArray[np.int64]) -> Floats:
    """Chance of each rank sum when every sign is a fair coin; index is the sum."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks:
        moved = np.zeros_like(chances)
        moved[rank:] = chances[:-rank]
        chances = (chances + moved) / 2
    return chances


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The Hodges-Lehmann estimate of a centre and its distribution-free interval."""

    value: float
    low: float
    high: float


def hodges_lehmann(x: Floats, level: float = 0.95) -> Centre:
    """The median of all pairwise means of x, shape (n,), n at least 1, with its interval.

    Hodges and Lehmann 1963 (Ann. Math. Stat. 34:598). The interval is infinite on both sides where
    n is too small for the level.
    """
    i, j = np.triu_indices(len(x))
    means = np.sort((x[i] + x[j]) / 2)
    cut = _cut(len(x), level)
    low, high = (means[cut - 1], means[-cut]) if cut else (-math.inf, math.inf)
    return Centre(value=float(np.median(means)), low=float(low), high=float(high))


def _cut(n: int, level: float) -> int:
    """How many pairwise means in from either end the interval's ends lie; 0 for none."""
    tail = (1 - level) / 2
    if n <= EXACT:
        return int((np.cumsum(_rank_sum_chances(np.arange(1, n + 1))) <= tail).sum())
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return int(n * (n + 1) / 4 - NormalDist().inv_cdf(1 - tail) * spread)
