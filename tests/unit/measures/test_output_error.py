"""The error of a candidate's outputs, as a share of its reference's."""

import numpy as np
import pytest
from tiny import artifact, rounder, selector

from litegate import percent
from litegate.core.errors import MeasurementError
from litegate.measures.accuracy.agreement import agreement_with_reference
from litegate.measures.accuracy.output_error import output_error
from litegate.measures.measurement import Outcome
from litegate.measures.verdict_text import sentence

SAME, LARGER = selector(2, [0, 1]), selector(2, [0, 1], gain=1.01)
X = np.random.default_rng(0).normal(size=(200, 2))


def test_it_is_the_rms_of_the_difference_over_that_of_the_reference():
    """Rounding to a grid of 0.5: checked against the formula, written out."""
    found = output_error(artifact(SAME, X), artifact(rounder(2, scale=0.5), X))
    x = X.astype(np.float32).astype(np.float64)
    steps = np.clip(np.trunc(x / 0.5 + np.copysign(0.5, x)), -128, 127) * 0.5
    assert found.value == pytest.approx(np.sqrt(((steps - x) ** 2).sum() / (x**2).sum()), rel=1e-6)
    assert found.low <= found.value <= found.high
    assert found.interval.low < found.low
    assert found.n == 200


@pytest.mark.parametrize(
    ("limit", "outcome"), [(0.99, Outcome.FAIL), (1.0001, Outcome.PASS), (1.01, Outcome.PASS)]
)
def test_a_gain_of_one_per_cent_is_an_error_of_one_per_cent(limit, outcome):
    """It is the same for each sample, so the bootstrap has nothing to doubt."""
    assert (
        output_error(artifact(SAME, X), artifact(LARGER, X)) <= percent(limit)
    ).outcome is outcome


def test_few_bad_samples_leave_a_limit_unproven():
    """One sample in 40 saturates: below the limit here, and not for certain."""
    x = np.ones((40, 2))
    x[:, 1] = np.linspace(0.1, 1, 40)
    x[7, 0] = 2
    candidate = artifact(rounder(2, scale=1 / 127), x)
    verdict = output_error(artifact(SAME, x), candidate) <= percent(15)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "sample 7 is the worst: 49." in sentence(verdict)


def test_no_difference_is_zero_and_proven():
    assert (
        output_error(artifact(SAME, X), artifact(SAME, X)) <= percent(0)
    ).outcome is Outcome.PASS


def test_the_limits_are_the_same_each_time():
    first, second = (
        output_error(artifact(SAME, X), artifact(rounder(2, scale=0.5), X)) for _ in range(2)
    )
    assert (first.low, first.high) == (second.low, second.high)


@pytest.mark.slow
def test_the_upper_limit_holds_nineteen_times_in_twenty():
    """Of 300 draws of 100 samples, the limit lies below the true error in 2 to 9 per cent."""
    rng = np.random.default_rng(1)
    whole = np.clip(rng.standard_t(5, size=(20_000, 2)), -60, 60)
    pair = SAME, rounder(2, scale=0.5)
    true = output_error(*(artifact(each, whole) for each in pair)).value
    missed = 0
    for _ in range(300):
        x = whole[rng.integers(len(whole), size=100)]
        missed += output_error(*(artifact(each, x) for each in pair)).high < true
    assert 0.02 <= missed / 300 <= 0.09


def test_copies_prove_nothing_more():
    """Eight copies of each sample have the limits of one of each."""
    copies = np.repeat(X[:30], 8, axis=0)
    once, often = (
        output_error(artifact(SAME, x), artifact(rounder(2, scale=0.5), x))
        for x in (X[:30], copies)
    )
    assert often.value == pytest.approx(once.value)
    assert often.high == pytest.approx(once.high)
    assert "240 samples, 30 distinct" in often.evidence


@pytest.mark.parametrize(
    ("reference", "candidate", "x", "text"),
    [
        (SAME, selector(2, [0]), X, "cannot be compared"),
        (SAME, SAME, X[:1], "at least two distinct samples"),
        (SAME, SAME, np.zeros((3, 2)), "at least two distinct samples"),
        (selector(2, [0, 1], gain=0.0), SAME, X, "returns zero for every sample"),
        (SAME, selector(2, [0, 1], bias=np.nan), X, "NaN or infinite"),
    ],
)
def test_what_gives_no_number_is_an_error(reference, candidate, x, text):
    with pytest.raises(MeasurementError, match=text):
        output_error(artifact(reference, x), artifact(candidate, x))


def test_other_samples_cannot_be_compared():
    for measure in (output_error, agreement_with_reference):
        with pytest.raises(MeasurementError, match="different evaluation splits"):
            measure(artifact(SAME, X), artifact(SAME, X[1:]))


@pytest.mark.parametrize(
    ("floor", "outcome"),
    [(99.51, Outcome.FAIL), (99.5, Outcome.INCONCLUSIVE), (98.9, Outcome.PASS)],
)
def test_agreement_with_the_reference_counts_equal_decisions(floor, outcome):
    """Five of 1,000 decided otherwise is 99.5 %; right or wrong does not matter."""
    x = np.stack([1 + np.arange(1000), np.zeros(1000)], axis=1)
    x[:5] = [[0.1, 0.2 + i / 1000] for i in range(5)]
    candidate = artifact(rounder(2, scale=10, zero_point=-128), x)
    found = agreement_with_reference(artifact(SAME, x), candidate)
    assert (found >= percent(floor)).outcome is outcome
