"""The latency ratio as a measurement: what it says, and what it refuses to be asked."""

from fractions import Fraction

import numpy as np
import pytest

from litegate import recipes
from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import ms
from litegate.measures import verdict_text
from litegate.measures.latency import latency_ratio
from litegate.measures.latency.paired_test import Decision
from litegate.measures.measurement import Outcome
from litegate.spec import Artifact, Evaluation


def artifact(recipe=None, samples=3):
    """An artifact that nobody runs."""
    x = np.arange(samples * 4, dtype=np.float32).reshape(samples, 4)
    split = Evaluation(digest="d", x=x, y=np.zeros(samples), classes=("a",), domain=(0.0, 1.0))
    recipe = recipe or recipes.int8_qat()
    return Artifact(
        model="net",
        recipe=recipe,
        tflite=recipe.name.encode(),
        sha256=recipe.name,
        certificate={},
        evaluation=split,
    )


def decision(outcome=Outcome.PASS, **other):
    """What a process might decide."""
    values = {
        "outcome": outcome,
        "stage": "early",
        "ratio": 1.004,
        "low": 0.991,
        "high": 1.01,
        "method": "signs",
        "wall_ratio": 1.006,
        "candidate": 41.2e-6,
        "reference": 41.0e-6,
        "epochs": 8,
        "under": 8,
        "elapsed": 0.15,
        "budget": 3.0,
        "clock": "thread CPU clock",
    }
    return Decision(**values | other)


def timed(first, again=None, limit=1.025, **other):
    """The measurement of a candidate against its float reference, as decided."""
    return latency_ratio(
        artifact(),
        artifact(recipes.float32()),
        limit,
        here=lambda _: first,
        elsewhere=lambda _: again,
        **other,
    )


FAILED = decision(Outcome.FAIL, ratio=1.06, over=11, under=0, epochs=11)


def test_the_sentence_of_a_pass_carries_its_evidence():
    """Ratio, limit, interval, signs, both clocks, both times and who was timed against whom."""
    found = timed(decision())
    assert (found.value, found.n, found.artifacts) == (1.004, 8, ("int8_qat", "float32"))
    assert verdict_text.sentence(found <= 1.025) == (
        "latency ratio of net/int8_qat is 1.004, must be at most 1.025 (0.021 to spare); "
        "95 % interval 0.991 to 1.010 (signs); against net/float32, "
        "8 fresh pairs in 150.00 ms, decided early, 0 above and 8 below the limit, "
        "thread CPU clock 1.004, wall clock 1.006, 41.2 us against 41.0 us, one thread"
    )


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_verdict_is_the_decision(outcome):
    """The rule does not judge again by value or interval."""
    verdict = timed(decision(outcome, ratio=1.03), decision(outcome)) <= 1.025
    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("again", "outcome", "note"),
    [
        (decision(Outcome.FAIL, ratio=1.05), Outcome.FAIL, "again in a fresh process"),
        (decision(Outcome.PASS, ratio=1.01), Outcome.INCONCLUSIVE, "did not confirm"),
    ],
)
def test_a_fail_shows_both_processes(again, outcome, note):
    """The value is the second process's; the first one's stands in the evidence."""
    verdict = timed(FAILED, again) <= 1.025
    assert (verdict.outcome, verdict.measurement.value) == (outcome, again.ratio)
    assert note in verdict.note
    assert "first process 1.060 in 11 fresh pairs" in verdict.measurement.evidence


def test_a_repetition_may_measure_what_either_process_did():
    """The same files, placed in memory anew: a waiver covers both, and one without an interval."""
    first = decision(Outcome.FAIL, ratio=1.178, low=1.169, high=1.191, over=11, under=0)
    again = decision(Outcome.FAIL, ratio=1.145, low=1.136, high=1.157, over=11, under=0)
    found = timed(first, again)
    assert (found.repeats.low, found.repeats.high) == (1.136, 1.191)
    found = timed(first, decision(Outcome.FAIL, ratio=1.2, low=None, high=None))
    assert (found.repeats.low, found.repeats.high) == (0.0, 1.2)


@pytest.mark.parametrize(
    ("undecided", "note"),
    [
        ({"needs": 11.2}, "undecided after 3.00 s; needs about 12 s"),
        ({"needs": 3601.0}, "the ratio is at the limit"),
        ({"stage": "up front", "needs": 24.0, "epochs": 0}, "not timed: needs about 24 s"),
    ],
)
def test_an_undecided_ratio_says_what_it_would_take(undecided, note):
    """Seconds, or that no time would do."""
    verdict = timed(decision(Outcome.INCONCLUSIVE, **undecided)) <= 1.025
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert note in verdict.note


def test_what_was_refused_up_front_has_no_interval_and_no_signs():
    """A few invocations are shown as what they are."""
    upfront = decision(
        Outcome.INCONCLUSIVE, stage="up front", low=None, high=None, epochs=0, under=0
    )
    found = timed(upfront)
    assert (found.interval, found.n) == (None, 0)
    assert found.repeats.low == 0.0  # nothing is proven
    assert "a few invocations of one pair" in found.evidence
    assert not any("limit" in each for each in found.evidence)


@pytest.mark.parametrize("other", [1.0249999, 1.0250001, 2])
def test_another_limit_is_refused(other):
    """The outcome was decided for one limit and says nothing of the next."""
    with pytest.raises(ConfigError, match="measured for another limit than"):
        timed(decision()) <= other  # noqa: B015 - comparing raises


def test_the_other_relation_is_refused():
    """A ratio that is at most the limit was not shown to be at least it."""
    with pytest.raises(ConfigError, match="measured for another limit than"):
        timed(decision()) >= 1.025  # noqa: B015 - comparing raises


def test_a_limit_may_be_an_exact_fraction():
    """41/40 and 1.025 are the same limit."""
    assert (timed(decision(), limit=Fraction(41, 40)) <= Fraction(41, 40)).outcome is Outcome.PASS


def test_without_a_limit_the_ratio_is_only_reported():
    """It has value, interval and evidence, and no verdict to give."""
    found = timed(decision(None, under=0), limit=None)
    assert (found.value, found.interval.low) == (1.004, 0.991)
    assert "8 fresh pairs in 150.00 ms, reported only" in found.evidence
    with pytest.raises(ConfigError, match="measured for another limit than"):
        found <= 1.025  # noqa: B015 - comparing raises


@pytest.mark.parametrize("limit", [0.5, 0.999, 1.01, 1.025, 3])
def test_honest_limits_are_taken(limit):
    """From 1 % over on, and any speed-up."""
    assert (timed(decision(), limit=limit) <= limit).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "limit", [0, -1, 1, 1.0099, float("nan"), float("inf"), True, "1.1", ms(1)]
)
def test_limits_that_cannot_be_kept_are_refused(limit):
    """Below 1 % what is left of memory placement would decide, not the model."""
    with pytest.raises(ConfigError, match="is too tight"):
        timed(decision(), limit=limit)


def test_both_files_are_timed_on_the_first_sample_of_the_candidates_split():
    """The contest is about these bytes, this limit, this input and so many models."""
    seen = []
    latency_ratio(
        artifact(),
        artifact(recipes.float32()),
        1.05,
        models=3,
        budget=7.0,
        here=lambda contest: seen.append(contest) or decision(),
    )
    contest = seen[0]
    assert (contest.candidate, contest.reference) == (b"int8_qat", b"float32")
    assert (contest.limit, contest.models, contest.budget) == (1.05, 3, 7.0)
    np.testing.assert_array_equal(contest.sample, [[0, 1, 2, 3]])


def test_an_empty_evaluation_split_is_an_error():
    """There is nothing to time on."""
    with pytest.raises(MeasurementError, match="no sample"):
        latency_ratio(artifact(samples=0), artifact(), 1.05)
