"""The sign evidence against its integral, the signed ranks against SciPy."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from litegate.measures.statistics.sequential import (
    hodges_lehmann,
    log_evidence,
    sign_interval,
    signed_rank,
    signs_decide,
)


def unanimous(alpha):
    """The fewest signs that decide where all of them agree."""
    return next(k for k in range(1, 100) if signs_decide(k, k, alpha))


@pytest.mark.parametrize(
    ("hits", "trials"), [(0, 0), (0, 5), (5, 5), (8, 11), (13, 20), (10, 60), (70, 100)]
)
def test_evidence_is_the_integral_that_defines_it(hits, trials):
    """E(S, K) is the mean likelihood ratio over p from 1/2 to 1."""
    integral, _ = scipy.integrate.quad(
        lambda p: 2 * (2 * p) ** hits * (2 * (1 - p)) ** (trials - hits), 0.5, 1
    )
    assert math.exp(log_evidence(hits, trials)) == pytest.approx(integral, rel=1e-9)


@pytest.mark.parametrize("trials", [0, 7, 40])
def test_evidence_is_a_martingale_under_a_fair_coin(trials):
    """One more fair sign changes nothing on average, which is what makes it valid at any time."""
    for hits in range(trials + 1):
        now = math.exp(log_evidence(hits, trials))
        up, down = (math.exp(log_evidence(hits + step, trials + 1)) for step in (1, 0))
        assert (up + down) / 2 == pytest.approx(now, rel=1e-9)


def test_evidence_survives_many_trials():
    """Neither end overflows or underflows at far more epochs than any budget holds."""
    assert log_evidence(5000, 5000) == pytest.approx(5001 * math.log(2) - math.log(5001))
    assert log_evidence(0, 5000) == pytest.approx(-math.log(5001))


@pytest.mark.parametrize(("hits", "trials"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(hits, trials):
    """More hits than trials are a mistake of the caller, not evidence."""
    with pytest.raises(ValueError, match="hits"):
        log_evidence(hits, trials)


def test_a_fail_takes_eleven_unanimous_epochs_and_a_pass_eight():
    """The figures that the rule is stated with, for 1 % and 5 %."""
    assert unanimous(0.01) == 11
    assert unanimous(0.05) == 8


@pytest.mark.parametrize(("models", "epochs"), [(1, 11), (2, 12), (4, 13), (8, 14), (16, 15)])
def test_each_doubling_of_the_models_takes_one_epoch_more(models, epochs):
    """Sharing the chance of a false fail among m models costs log2(m) epochs."""
    assert unanimous(0.01 / models) == epochs


def test_the_sign_interval_is_what_the_evidence_has_not_refuted():
    """Its ends are the outermost values whose signs do not convince."""
    x = np.random.default_rng(3).normal(size=37)
    low, high = sign_interval(x)
    for inside in (low, high):
        assert not signs_decide(int((x > inside).sum()), len(x), 0.05)
        assert not signs_decide(int((x < inside).sum()), len(x), 0.05)
    assert signs_decide(int((x > low - 1e-9).sum()), len(x), 0.05)
    assert signs_decide(int((x < high + 1e-9).sum()), len(x), 0.05)


def test_the_sign_interval_needs_eight_values():
    """Seven signs refute nothing at 95 %; eight leave the span of the values."""
    x = np.arange(8.0)
    assert sign_interval(x[:7]) == (-math.inf, math.inf)
    assert sign_interval(x) == (0.0, 7.0)


@pytest.mark.parametrize(
    ("n", "method"), [(8, "exact"), (50, "exact"), (51, "approx"), (300, "approx")]
)
@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.3])
def test_signed_ranks_agree_with_scipy(n, method, shift):
    """Both one-sided p-values, on either side of the switch from exact to normal."""
    x = np.random.default_rng(n).normal(shift, size=n)
    found = signed_rank(x)
    for alternative in ("greater", "less"):
        wanted = scipy.stats.wilcoxon(x, alternative=alternative, method=method, correction=True)
        assert getattr(found, alternative) == pytest.approx(wanted.pvalue, rel=1e-9)


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_ties_and_zeros_are_counted_out(alternative):
    """With ties the distribution is that of all sign flips; zeros are left out."""
    x = np.array([0.0, 1, 1, -1, 2, 2, 3, -3, 4, 0, 5])
    every_flip = scipy.stats.PermutationMethod(n_resamples=np.inf)
    wanted = scipy.stats.wilcoxon(x, alternative=alternative, method=every_flip)
    assert getattr(signed_rank(x), alternative) == pytest.approx(wanted.pvalue, rel=1e-9)


def test_ties_beyond_the_exact_range_agree_with_scipy():
    """The normal approximation's spread takes the ties into account."""
    x = np.round(np.random.default_rng(5).normal(0.2, size=120), 1)
    for alternative in ("greater", "less"):
        wanted = scipy.stats.wilcoxon(x, alternative=alternative, method="approx", correction=True)
        assert getattr(signed_rank(x), alternative) == pytest.approx(wanted.pvalue, rel=1e-9)


def test_nothing_but_zeros_decides_nothing():
    """Without a sign there is no evidence either way."""
    found = signed_rank(np.zeros(9))
    assert (found.greater, found.less, found.z) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("n", [9, 50, 51, 90])
def test_the_centre_is_where_the_signed_ranks_balance(n):
    """Hodges-Lehmann inverts the test: no tendency at the estimate, 2.5 % at the ends."""
    x = np.random.default_rng(n).normal(2, size=n)
    centre = hodges_lehmann(x)
    assert abs(signed_rank(x - centre.value).z) < 0.05
    assert signed_rank(x - (centre.low - 1e-9)).greater < 0.026
    assert signed_rank(x - (centre.low + 1e-9)).greater > 0.024
    assert signed_rank(x - (centre.high + 1e-9)).less < 0.026
    assert signed_rank(x - (centre.high - 1e-9)).less > 0.024


def test_too_few_values_give_no_interval_of_the_centre():
    """Five values cannot refute anything at 95 %; six can."""
    x = np.arange(6.0)
    assert hodges_lehmann(x[:5]).low == -math.inf
    assert (hodges_lehmann(x).low, hodges_lehmann(x).high) == (0.0, 5.0)
