"""How many samples a limit needs: enough prove it nine times in ten, one less never would."""

from fractions import Fraction

import numpy as np
import pytest
from flip_chances import chance
from scipy.stats import binom

from litegate.measures.statistics.proportions import (
    TAIL,
    FlipCounts,
    drop_limits,
    tango_score,
    upper_quantile,
    wilson,
)
from litegate.measures.statistics.sample_sizes import n_deciding, n_least, n_proving, unseen_limit


@pytest.mark.parametrize("discordance", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("tolerance", [0.01, 0.02])
def test_deciding_samples_prove_it_nine_times_in_ten(discordance, tolerance):
    """As many samples as are asked for prove a tolerance as often as is said."""
    half = discordance / 2
    needed = n_deciding(half, half, tolerance)
    assert needed is not None
    assert 0.90 <= proven(needed, discordance, tolerance) <= 0.94
    assert proven(needed // 2, discordance, tolerance) < 0.75


def proven(n: int, discordance: float, tolerance: float) -> float:
    """How often n samples prove a tolerance where no drop is true."""
    counts = range(50)
    return sum(
        chance(pairs, discordance)
        for pairs in (FlipCounts(n=n, broken=b, fixed=c) for b in counts for c in counts)
        if tango_score(pairs, -tolerance) >= upper_quantile(TAIL)
    )


@pytest.mark.parametrize(
    ("n", "broken", "fixed"), [(360, 0, 0), (360, 2, 1), (1000, 9, 4), (1, 0, 0)]
)
@pytest.mark.parametrize("tolerance", [Fraction(1, 100), Fraction(1, 1000), Fraction(1, 3)])
def test_deciding_takes_more_samples_than_were_not_enough(n, broken, fixed, tolerance):
    """Whatever is kept but not proven by n samples is said to take more than n."""
    pairs = FlipCounts(n=n, broken=broken, fixed=fixed)
    unproven = pairs.drop <= tolerance < drop_limits(pairs)[1]
    needed = n_deciding(Fraction(broken, n), Fraction(fixed, n), tolerance)
    assert not unproven or (needed is not None and needed > n)


@pytest.mark.parametrize(
    ("share", "floor"), [(0.9583, 0.94), (0.98, 0.97), (0.7542, 0.74), (0.6, 0.5)]
)
def test_so_many_samples_prove_a_floor_nine_times_in_ten(share, floor):
    """Enumerated, with the limit that decides."""
    n = n_proving(share, floor)
    chances = binom.pmf(np.arange(n + 1), n, share)
    proven = np.array([wilson(count, n)[0] >= floor for count in range(n + 1)])
    assert 0.88 <= chances[proven].sum() <= 0.93


@pytest.mark.parametrize(("right", "n"), [(345, 360), (360, 360), (10, 10), (799, 1000), (1, 1)])
@pytest.mark.parametrize("floor", [0.94, 0.5, 0.999])
def test_a_floor_takes_more_samples_than_were_not_enough(right, n, floor):
    needed = n_proving(Fraction(right, n), floor)
    unproven = wilson(right, n)[0] < floor <= right / n
    assert not unproven or (needed is None if right / n == floor else needed > n)


def test_nothing_decides_at_the_limit():
    """A drop that stands at the tolerance leaves no room to prove; a gain adds none."""
    one = Fraction(1, 100)
    assert n_deciding(one, Fraction(0), one) is None
    assert n_deciding(Fraction(0), one, one) == n_deciding(one / 2, one / 2, one)


@pytest.mark.parametrize("tolerance", [0.002, 0.0075, 0.01, 0.3])
def test_least_samples_are_the_least(tolerance):
    """One sample less, and not even a run without flips, or without errors, proves it."""
    n = n_least(tolerance)
    assert unseen_limit(n) <= tolerance < unseen_limit(n - 1)
    assert wilson(n, n)[0] >= 1 - tolerance > wilson(n - 1, n - 1)[0]
    assert n_deciding(0, 0, tolerance) == n
