"""Quantities are exact, and a number is written as short as it stays true."""

from fractions import Fraction

import pytest

from litegate.core.units import Unit, byte, kib, ms, per_thousand, percent, points, text, us


def test_points_are_exact_fractions():
    """Half a point of 10,000 samples is exactly 50 samples."""
    assert points(0.5).value * 10_000 == 50


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        (percent(97.5), Fraction(975, 1000)),
        (per_thousand(5), Fraction(5, 1000)),
        (kib(25), 25_600),
        (byte(7), 7),
        (ms(1), 0.001),
        (us(250), 0.00025),
    ],
)
def test_quantities_are_held_in_their_base_unit(quantity, value):
    """Shares from 0 to 1, bytes, seconds."""
    assert quantity.value == value


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (Fraction(9742, 10_000), Unit.PERCENT, "97.42 %"),
        (Fraction(-1, 10_000), Unit.POINTS, "-0.01 points"),
        (Fraction(1, 1_000_000), Unit.POINTS, "0.0001 points"),
        (0, Unit.POINTS, "0.00 points"),
        (Fraction(1, 1000), Unit.PER_THOUSAND, "1.0 per 1000"),
        (25_144, Unit.BYTES, "25,144 B"),
        (0.29634, Unit.RATIO, "0.296"),
        (4.05e-5, Unit.SECONDS, "40.5 us"),
        (0.00125, Unit.SECONDS, "1.25 ms"),
        (2.5, Unit.SECONDS, "2.50 s"),
        (3, Unit.QUANTA, "3 quanta"),
        (1, Unit.QUANTA, "1 quantum"),
        (0, Unit.COUNT, "0"),
        (float("nan"), Unit.RATIO, "not a number"),
    ],
)
def test_numbers_are_written_with_their_unit(value, unit, written):
    """Each unit has one way to be written."""
    assert text(value, unit) == written


def test_a_sign_is_written_where_it_is_asked_for():
    """A margin shows which side of the limit it is on."""
    assert text(Fraction(1, 100), Unit.POINTS, signed=True) == "+1.00 points"
    assert text(Fraction(-1, 100), Unit.POINTS, signed=True) == "-1.00 points"


def test_zero_has_no_sign():
    """A drop of nothing, negated, is still nothing."""
    assert text(-0.0, Unit.POINTS) == "0.00 points"
