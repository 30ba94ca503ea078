"""Comparing a measurement gives a verdict: inclusive limits, three outcomes, no truth value."""

from dataclasses import replace
from fractions import Fraction

import pytest

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Unit, byte, percent, points
from litegate.measures.measurement import Interval, Measurement, Outcome, violations, with_tail
from litegate.measures.verdict_text import sentence

DROP = Measurement(
    name="accuracy drop",
    subject="m/int8_qat",
    value=Fraction(50, 10_000),
    unit=Unit.POINTS,
    n=10_000,
)


@pytest.mark.parametrize(
    ("limit", "outcome"), [(0.49, Outcome.FAIL), (0.5, Outcome.PASS), (0.51, Outcome.PASS)]
)
def test_an_upper_limit_is_inclusive(limit, outcome):
    """Just above the limit fails, at it and below it passes."""
    assert (DROP <= points(limit)).outcome is outcome


@pytest.mark.parametrize(
    ("limit", "outcome"), [(97.01, Outcome.FAIL), (97, Outcome.PASS), (96.99, Outcome.PASS)]
)
def test_a_lower_limit_is_inclusive(limit, outcome):
    """Just below the limit fails, at it and above it passes."""
    found = replace(DROP, name="accuracy", value=Fraction(97, 100), unit=Unit.PERCENT)
    assert (found >= percent(limit)).outcome is outcome


@pytest.mark.parametrize("tenths", [1, 2, 3, 6, 7, 9])
def test_a_limit_that_no_float_holds_means_what_is_written(tenths):
    """0.7 is less than seven tenths; a file of 70 bytes in 100 keeps it."""
    found = replace(DROP, name="size ratio", value=Fraction(tenths, 10), unit=Unit.RATIO)
    assert (found <= tenths / 10).outcome is Outcome.PASS
    assert (found >= tenths / 10).outcome is Outcome.PASS
    assert (found <= tenths / 10 - 1e-9).outcome is Outcome.FAIL
    assert (found >= tenths / 10 + 1e-9).outcome is Outcome.FAIL


def test_a_score_at_its_limit_keeps_it_whatever_floats_make_of_it():
    found = replace(DROP, name="mean drop", value=0.9 - 0.88, unit=Unit.SCORE)
    assert found.value > 0.02
    assert (found <= 0.02).outcome is Outcome.PASS
    assert (found <= 0.02 - 1e-12).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("high", "outcome"),
    [
        (Fraction(59, 10_000), Outcome.PASS),
        (Fraction(60, 10_000), Outcome.PASS),
        (Fraction(61, 10_000), Outcome.INCONCLUSIVE),
    ],
)
def test_kept_but_unproven_is_inconclusive(high, outcome):
    """The one-sided limit decides between a pass and a measurement that proves nothing."""
    assert (replace(DROP, high=high) <= points(0.6)).outcome is outcome


@pytest.mark.parametrize(
    ("end", "said"), [(Fraction(61, 10_000), True), (Fraction(60, 10_000), False)]
)
def test_a_pass_says_what_proved_it_where_the_interval_would_not(end, said):
    """The interval is two-sided, so wider than the limit that decides."""
    between = Interval(low=Fraction(0), high=end, method="m")
    verdict = replace(DROP, high=Fraction(58, 10_000), interval=between) <= points(0.6)
    assert verdict.outcome is Outcome.PASS
    told = "proven by the one-sided 95 % upper limit of 0.58 points" in sentence(verdict)
    assert told is said


def test_broken_fails_whatever_the_interval_says():
    """The bytes that would ship break their promise on the declared test set."""
    assert (replace(DROP, low=Fraction(0), high=Fraction(1)) <= points(0.4)).outcome is Outcome.FAIL


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_no_number_is_an_error(value):
    """NaN compares false with everything; it must never decide."""
    with pytest.raises(MeasurementError, match="not a finite number"):
        _ = replace(DROP, value=value) <= points(1)


def test_units_are_checked():
    """A limit in bytes says nothing about points."""
    with pytest.raises(ConfigError, match="different units"):
        _ = DROP <= byte(3)
    with pytest.raises(ConfigError, match="different units"):
        _ = DROP <= 0.5


@pytest.mark.parametrize("limit", [None, "1", True])
def test_a_limit_must_be_a_number(limit):
    """An unset limit never passes for one that is kept."""
    with pytest.raises(ConfigError, match="not a number"):
        _ = DROP <= limit


def test_strict_and_equal_comparisons_raise():
    """Limits are inclusive, and a bare truth value loses the evidence."""
    for compare in (
        lambda: DROP < points(1),
        lambda: DROP > points(1),
        lambda: DROP == points(1),
        lambda: DROP != points(1),
        lambda: bool(DROP),
        lambda: bool(DROP <= points(1)),
    ):
        with pytest.raises(TypeError):
            compare()


def test_margin_is_the_room_to_the_limit():
    """Positive where the promise is kept, negative where it is broken, for either direction."""
    assert (DROP <= points(0.6)).margin == Fraction(10, 10_000)
    assert (DROP <= points(0.4)).margin == -Fraction(10, 10_000)
    assert (DROP >= points(0.4)).margin == Fraction(10, 10_000)


def test_the_sentence_says_what_by_how_much_and_how_sure():
    """One sentence: value, limit, margin, interval, evidence."""
    sure = Interval(low=Fraction(1, 1000), high=Fraction(9, 1000), method="Tango's score, paired")
    found = replace(DROP, interval=sure, evidence=("60 flips",))
    assert sentence(found <= points(0.4)) == (
        "accuracy drop of m/int8_qat is 0.50 points, must be at most 0.40 points "
        "(over by 0.10 points); 95 % interval 0.10 points to 0.90 points (Tango's score, paired); "
        "60 flips"
    )


def test_violations_name_their_offenders():
    """A count that is not zero lists what was counted."""
    found = violations("tensors", "m/int8_qat", ("tensor 3 is float",), n=7) <= 0
    assert found.outcome is Outcome.FAIL
    assert sentence(found).endswith(":\n  - tensor 3 is float")


def test_violations_of_nothing_are_an_error():
    """Where nothing was measured, nothing was found."""
    with pytest.raises(MeasurementError, match="nothing was measured"):
        violations("tensors", "m/int8_qat", (), n=0)


def test_one_sided_limits_for_another_chance():
    """Wider for a smaller chance; exact values, and those of 95 % alone, stay."""
    sampled = replace(DROP, low=0.0, high=0.008, limits_at=lambda tail: (-tail, 1 - tail))
    narrow, wide = (with_tail(sampled, tail) for tail in (0.05, 0.01))
    assert (narrow.high, wide.high) == (0.95, 0.99)
    assert (sampled <= points(1)).outcome is Outcome.PASS
    assert (wide <= points(98.9)).outcome is Outcome.INCONCLUSIVE
    assert (wide <= points(99)).outcome is Outcome.PASS
    assert with_tail(DROP, 0.01) is DROP
