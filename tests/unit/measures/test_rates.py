"""Limits of event rates: Garwood's exactly, and the coverage with events in bursts."""

import numpy as np
import pytest
from scipy.stats import chi2

from litegate.measures.statistics.bursts import burst_limits
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


def test_events_that_are_spread_have_nearly_exact_limits():
    """With at most one event in a recording no burst is seen, and ten exclude large ones."""
    hours, spread = np.full(60, 0.2), np.zeros(60)
    spread[:10] = 1
    exact = poisson_limits(10)[1] / 12
    assert exact < rate_limits(spread, hours)[1] < 1.25 * exact


def test_clustered_events_widen_the_limits():
    """As many events in few recordings say less about the rate."""
    hours, spread, clustered = np.full(60, 0.2), np.zeros(60), np.zeros(60)
    spread[:12], clustered[:3] = 1, 4
    assert rate_limits(clustered, hours)[1] > 1.2 * rate_limits(spread, hours)[1]
    assert rate_limits(clustered, hours)[1] < np.inf


def test_equal_recordings_show_no_spread():
    """Where a bootstrap has no spread, the limits are those of bursts and Garwood's."""
    low, high = rate_limits(np.full(30, 2.0), np.full(30, 0.4))
    assert 0 < low <= poisson_limits(60)[0] / 12
    assert poisson_limits(60)[1] / 12 <= high < 1.1 * poisson_limits(60)[1] / 12


def test_bursts_of_a_single_event():
    """A single event is a burst, whose posterior is known: gamma over beta."""
    rng = np.random.default_rng(1)
    rates = rng.standard_gamma(2, 400_000) / rng.beta(2, 1, 400_000)
    low, high = burst_limits(np.eye(1, 20)[0], np.full(20, 0.1), 0.05)
    assert high == pytest.approx(np.quantile(rates, 0.95) / 2, rel=0.05)
    assert 0.04 < 2 * low < 0.1  # Garwood's is 0.051, and a single burst can only add to it


@pytest.mark.parametrize("size", [1, 3, 40, 500])
def test_bursts_of_one_size(size):
    """Bursts of any size, alone in their recordings, are found: the limits are of their number."""
    hours, counts = np.full(400, 0.2), np.zeros(400)
    counts[:40] = size
    low, high = burst_limits(counts, hours, 0.05)
    expected = poisson_limits(40)
    assert low * 80 / size < expected[0] * 1.03
    assert expected[1] * 0.97 < high * 80 / size < expected[1] * 1.25


def test_nothing_and_too_much_have_no_limits_of_bursts():
    """Without an event no burst is seen, and of very many the bootstrap shows them."""
    assert burst_limits(np.zeros(20), np.ones(20), 0.05) is None
    assert burst_limits(np.full(20, 1_001.0), np.ones(20), 0.05) is None


def test_one_recording_hides_its_bursts():
    """Six events of one recording may be as many bursts, or few: the limits are wider."""
    low, high = rate_limits(np.array([6.0]), np.array([12.0]), 0.025)
    exact = [limit / 12 for limit in poisson_limits(6, 0.025)]
    assert low <= exact[0]
    assert exact[1] < high < 2 * exact[1]


def test_equal_events_bound_the_difference():
    """Without an event that differs, the rule of three holds in both directions."""
    hours, none = np.full(30, 0.4), np.zeros(30)
    low, high = difference_limits(none, none, hours)
    assert high == pytest.approx(poisson_limits(0)[1] / 12)
    assert low == pytest.approx(-high)


def test_difference_has_the_sign_of_new_events():
    """Events that only one detector has raise the difference; the exchange mirrors the limits."""
    hours, new, gone = np.full(30, 0.4), np.zeros(30), np.zeros(30)
    new[:20], gone[5] = 1, 1
    low, high = difference_limits(new, gone, hours)
    assert 0 < low < 19 / 12 < high
    mirrored = difference_limits(gone, new, hours)
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
        low, high = difference_limits(first, second, hours, 0.025)
        difference_hits += low <= 0 <= high
    assert min(rate_hits, difference_hits) >= 34  # fewer with a chance of 0.3 % at 95 %
