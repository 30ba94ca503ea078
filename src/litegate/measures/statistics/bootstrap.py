"""Bootstrap: what a number would have been on other samples, by drawing from those there are.

A resample is how often each sample is drawn. All that one run compares is computed on the same
resamples, so that a difference is paired. Limits are Efron's BCa (JASA 1987, 82:171).
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 20
"""Draws the resamples: the limits are the same in every run."""
METHOD = f"BCa bootstrap, {RESAMPLES:,} resamples"
LEFT_OUT = 500
"""Parts that the jackknife leaves out in turn, of more samples; else each sample."""
_AT_ONCE = 2_000_000
"""Numbers of one block of resamples."""

Real = NDArray[np.float64]
Counts = NDArray[np.float64]
"""How often each sample counts in each resample, shape (r, n)."""


def resamples(n: int, count: int = RESAMPLES) -> Iterator[Counts]:
    """Resamples of n samples, in blocks of shape (r, n), `count` in all; the same each time."""
    rng, size = np.random.default_rng(SEED), max(1, _AT_ONCE // n)
    for start in range(0, count, size):
        block = np.empty((min(size, count - start), n))
        for row in block:
            row[:] = np.bincount(rng.integers(n, size=n), minlength=n)
        yield block


def without_each(n: int, parts: int = LEFT_OUT) -> Iterator[Counts]:
    """All samples but one, each in turn, in blocks of shape (r, n).

    Of more than `parts` samples, all but one of so many random parts: the delete-group jackknife
    (Kott 2001, J Off Stat 17:521), whose skewness over its root of `parts` estimates the same.
    """
    order = np.random.default_rng(SEED).permutation(n)
    groups = np.array_split(order if n > parts else np.arange(n), min(n, parts))
    size = max(1, _AT_ONCE // n)
    for start in range(0, len(groups), size):
        chosen = groups[start : start + size]
        block = np.ones((len(chosen), n))
        for row, gone in zip(block, chosen, strict=True):
            row[gone] = 0
        yield block


def bca(found: float, drawn: Real, left: Real, tail: float) -> tuple[float, float]:
    """The lower and the upper limit, each missed with the chance `tail`.

    The quantiles of the resamples' values `drawn`, corrected for bias and for skewness (the
    acceleration, from the jackknife's values `left`).
    """
    below = float((drawn < found).mean() + (drawn == found).mean() / 2)
    spread = left.mean() - left
    scale = float((spread**2).sum()) ** 1.5
    if not 0 < below < 1 or not scale:
        return float(drawn.min()), float(drawn.max())
    normal = NormalDist()
    bias, acceleration = normal.inv_cdf(below), float((spread**3).sum()) / (6 * scale)

    def limit(share: float) -> float:
        z = bias + normal.inv_cdf(share)
        return float(np.quantile(drawn, normal.cdf(bias + z / (1 - acceleration * z))))

    return limit(tail), limit(1 - tail)


def unseen_share(n: int, tail: float) -> float:
    """The upper limit, missed with the chance `tail`, of a share that none of n samples shows.

    The exact one of Clopper and Pearson (Biometrika 1934, 26:404), ``1 - tail^(1/n)``: the rule of
    three at 5 %.
    """
    return float(1 - tail ** (1 / n))


def by_group(sums: NDArray[Any], groups: NDArray[np.intp]) -> Real:
    """Sums of samples, shape (n,), added up over groups numbered from 0: copies draw together."""
    added: Real = np.bincount(groups, weights=sums).astype(np.float64)
    return added
