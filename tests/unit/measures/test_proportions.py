"""Intervals: the figures that the accuracy rule rests on, by exact enumeration."""

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from flip_chances import chance
from scipy.stats import binomtest

from litegate.core.errors import MeasurementError
from litegate.measures.statistics.proportions import (
    FlipCounts,
    clopper_pearson_upper,
    drop_limits,
    tango_score,
    wilson,
)
from litegate.measures.statistics.sample_sizes import unseen_limit

TWO_SIDED, ONE_SIDED = 0.025, 0.05


@cache
def enumerated(n: int, discordance: float, tail: float) -> tuple[float, float]:
    """The expected half-width in points, and the coverage, over all counts that can happen.

    Counts come in mirrored pairs, equally likely and with mirrored intervals: one of each will do.
    """
    centre = n * discordance / 2
    reach = 7 * math.sqrt(centre) + 8
    counts = range(max(0, int(centre - reach)), int(centre + reach) + 1)
    total = width = covered = 0.0
    for pairs in (FlipCounts(n=n, broken=b, fixed=c) for b in counts for c in counts if b <= c):
        weight = chance(pairs, discordance) * (1 if pairs.broken == pairs.fixed else 2)
        if weight < 1e-8:
            continue
        low, high = drop_limits(pairs, tail)
        total += weight
        width += weight * (high - low) / 2
        covered += weight * (low <= 0 <= high)
    assert total == pytest.approx(1, abs=1e-4)
    return 100 * width / total, covered / total


TABLE = [
    (360, 0.005, 1.25, 0.93),
    (360, 0.01, 1.44, 1.10),
    (360, 0.02, 1.76, 1.40),
    (1000, 0.005, 0.57, 0.44),
    (1000, 0.01, 0.72, 0.58),
    (1000, 0.02, 0.95, 0.78),
    (10_000, 0.005, 0.14, 0.12),
    (10_000, 0.01, 0.20, 0.17),
    (10_000, 0.02, 0.28, 0.23),
]


@pytest.mark.parametrize(("n", "discordance", "two_sided", "one_sided"), TABLE)
def test_expected_half_widths(n, discordance, two_sided, one_sided):
    """The half-width table to the hundredth of a point, no drop being true."""
    assert enumerated(n, discordance, TWO_SIDED)[0] == pytest.approx(two_sided, abs=0.0051)
    assert enumerated(n, discordance, ONE_SIDED)[0] == pytest.approx(one_sided, abs=0.0051)


@pytest.mark.parametrize(("n", "discordance"), [row[:2] for row in TABLE])
def test_coverage_of_the_interval(n, discordance):
    """0.948 to 0.957, and 0.962 to 0.989 where fewer than four flips are expected."""
    low, high = (0.962, 0.990) if n * discordance < 4 else (0.948, 0.957)
    assert low <= round(enumerated(n, discordance, TWO_SIDED)[1], 3) <= high


@pytest.mark.parametrize(
    ("n", "flip_rate", "limit"), [(360, 0.83, -0.75), (1000, 0.30, -0.27), (10_000, 0.03, -0.03)]
)
def test_no_flips_at_all(n, flip_rate, limit):
    """Without a flip the interval still has a width, and the flip rate a bound."""
    none = FlipCounts(n=n, broken=0, fixed=0)
    assert 100 * clopper_pearson_upper(0, n) == pytest.approx(flip_rate, abs=0.0051)
    assert 100 * drop_limits(none)[0] == pytest.approx(limit, abs=0.0051)
    assert drop_limits(none)[1] == pytest.approx(unseen_limit(n), rel=1e-12)


@pytest.mark.parametrize(("broken", "fixed"), [(4, 5), (0, 3), (12, 2), (193, 187)])
def test_no_difference_gives_mcnemar(broken, fixed):
    """At no difference Tango's score is McNemar's."""
    pairs = FlipCounts(n=10_000, broken=broken, fixed=fixed)
    expected = (fixed - broken) / math.sqrt(fixed + broken)
    assert tango_score(pairs, 0.0) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("difference", [-0.5, -0.01, 0.003, 0.2])
def test_nuisance_is_the_maximum_of_the_likelihood(difference):
    """The score's variance stands at the likeliest share of broken samples given the difference."""
    n, b, c = 400, 9, 4
    shares = np.linspace(max(0, -difference), (1 - difference) / 2, 2_000_001)[1:-1]
    likelihood = (
        b * np.log(shares)
        + c * np.log(shares + difference)
        + (n - b - c) * np.log1p(-2 * shares - difference)
    )
    likeliest = shares[np.nanargmax(likelihood)]
    variance = n * (2 * likeliest + difference * (1 - difference))
    score = tango_score(FlipCounts(n=n, broken=b, fixed=c), difference)
    assert score == pytest.approx((c - b - n * difference) / math.sqrt(variance), rel=1e-4)


@pytest.mark.parametrize(
    ("n", "broken", "fixed"), [(360, 5, 2), (1000, 0, 4), (50, 50, 0), (1, 0, 1)]
)
def test_limits_solve_the_score(n, broken, fixed):
    """At its limits the score is the normal quantile, unless a limit is the end of the scale."""
    pairs = FlipCounts(n=n, broken=broken, fixed=fixed)
    low, high = drop_limits(pairs, TWO_SIDED)
    assert -1 <= low <= pairs.drop <= high <= 1
    for limit, z in ((low, -1.959964), (high, 1.959964)):
        assert abs(limit) == 1 or tango_score(pairs, -limit) == pytest.approx(z, abs=1e-5)


def test_exchange_mirrors_the_interval():
    """Exchanging reference and candidate changes the sign of the drop and of its limits."""
    pairs = FlipCounts(n=500, broken=7, fixed=3)
    low, high = drop_limits(pairs)
    assert pairs.swapped.drop == -pairs.drop
    assert drop_limits(pairs.swapped) == (-high, -low)


def test_drop_is_an_exact_fraction():
    """Three lost of 7,000 samples are exactly that."""
    pairs = FlipCounts(n=7000, broken=5, fixed=2)
    assert pairs.drop == Fraction(3, 7000)


@pytest.mark.parametrize("counts", [(0, 0, 0), (10, -1, 0), (10, 6, 5)])
def test_impossible_counts_are_refused(counts):
    """No samples, negative flips, more flips than samples."""
    n, broken, fixed = counts
    with pytest.raises(MeasurementError, match="cannot be compared"):
        FlipCounts(n=n, broken=broken, fixed=fixed)


@pytest.mark.parametrize(("count", "n"), [(0, 1), (1, 1), (0, 360), (350, 360), (9_697, 10_000)])
def test_wilson_is_scipys(count, n):
    """Wilson's interval agrees with SciPy's, also at the ends of the scale."""
    theirs = binomtest(count, n).proportion_ci(0.95, method="wilson")
    assert wilson(count, n, TWO_SIDED) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("count", "n"), [(0, 1), (1, 1), (0, 360), (9, 10_000), (380, 1000)])
def test_clopper_pearson_is_scipys(count, n):
    """The exact upper limit agrees with SciPy's."""
    theirs = binomtest(count, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert clopper_pearson_upper(count, n) == pytest.approx(theirs, rel=1e-9)
