"""Limits of event rates: Garwood's exactly, and the coverage with events in clusters."""

import numpy as np
import pytest
from scipy.stats import chi2

from litegate.measures.statistics.proportions import FlipCounts, drop_limits
from litegate.measures.statistics.rates import (
    difference_limits,
    hours_proving,
    poisson_limits,
    rate_limits,
)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40, 1000, 20_000])
@pytest.mark.parametrize("tail", [0.05, 0.025])
def test_exact_limits_are_garwoods(count, tail):
    """The limits are the quantiles of chi squared that Garwood gives."""
    low, high = poisson_limits(count, tail)
    assert low == pytest.approx(chi2.ppf(tail, 2 * count) / 2 if count else 0)
    assert high == pytest.approx(chi2.isf(tail, 2 * count + 2) / 2)


def test_hours_that_prove_a_limit():
    """Three hours without an event prove one an hour, and the limit is kept from there on."""
    assert hours_proving(0.5) == pytest.approx(5.99, abs=0.01)
    assert hours_proving(0) == np.inf
    hours = hours_proving(0.5)
    assert rate_limits(np.zeros(1), np.array([hours]))[1] == pytest.approx(0.5)
    assert rate_limits(np.zeros(1), np.array([hours * 0.999]))[1] > 0.5


def test_events_that_are_spread_have_exact_limits():
    """With at most one event in a recording, no cluster is seen: the exact upper limit decides."""
    hours = np.full(60, 0.2)
    counts = np.zeros(60)
    counts[[3, 20]] = 1
    assert rate_limits(counts, hours)[1] == pytest.approx(poisson_limits(2)[1] / 12)


def test_clustered_events_widen_the_limits():
    """As many events in few recordings say less about the rate."""
    hours, spread, clustered = np.full(60, 0.2), np.zeros(60), np.zeros(60)
    spread[:12], clustered[:3] = 1, 4
    assert rate_limits(clustered, hours)[1] > 1.2 * rate_limits(spread, hours)[1]
    assert rate_limits(clustered, hours)[1] < np.inf


def test_one_recording_has_exact_limits():
    """A single recording shows no clusters, so Garwood's limits remain."""
    low, high = rate_limits(np.array([6.0]), np.array([12.0]), 0.025)
    assert (low, high) == tuple(limit / 12 for limit in poisson_limits(6, 0.025))


def test_equal_events_bound_the_difference():
    """Without an event that differs, the limits are Tango's of the refractory times."""
    hours, none = np.full(30, 0.4), np.zeros(30)
    trials = int(12 * 3600 / 2)
    low, high = difference_limits(none, none, hours, trials)
    expected = drop_limits(FlipCounts(n=trials, broken=0, fixed=0))[1] * trials / 12
    assert high == pytest.approx(expected)
    assert high == pytest.approx(2.7055 / 12, rel=1e-3)
    assert low == pytest.approx(-high)


def test_difference_has_the_sign_of_new_events():
    """Events that only one detector has raise the difference; the exchange mirrors the limits."""
    hours, new, gone = np.full(30, 0.4), np.zeros(30), np.zeros(30)
    new[:20], gone[5] = 1, 1
    low, high = difference_limits(new, gone, hours, 20_000)
    assert 0 < low < 19 / 12 < high
    mirrored = difference_limits(gone, new, hours, 20_000)
    assert mirrored == (pytest.approx(-high, rel=0.02), pytest.approx(-low, rel=0.02))


@pytest.mark.parametrize("bursts", [1, 3])
def test_coverage(bursts):
    """Of 40 draws, both limits of 95 % miss the truth seldom, with events in bursts too."""
    rng = np.random.default_rng(5)
    hours = rng.uniform(0.1, 0.4, 40)
    means = 30 * hours / hours.sum()
    rate_hits = difference_hits = 0
    for _ in range(40):
        first, second = (
            bursts * rng.poisson(means / bursts).astype(np.float64) for _ in ("one", "other")
        )
        low, high = rate_limits(first, hours, 0.025)
        rate_hits += low <= 30 / hours.sum() <= high
        low, high = difference_limits(first, second, hours, 20_000, 0.025)
        difference_hits += low <= 0 <= high
    assert min(rate_hits, difference_hits) >= 34  # fewer with a chance of 0.3 % at 95 %
