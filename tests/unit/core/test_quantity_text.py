"""Numbers with a unit that are read back as they were written."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litegate.core.units import Unit, exactly, outward, read


@pytest.mark.parametrize(
    ("written", "value", "unit"),
    [
        ("0.71 points", Fraction(71, 10_000), Unit.POINTS),
        ("94 %", Fraction(94, 100), Unit.PERCENT),
        ("94%", Fraction(94, 100), Unit.PERCENT),
        ("5 per 1000", Fraction(5, 1000), Unit.PER_THOUSAND),
        ("12,288 B", Fraction(12_288), Unit.BYTES),
        ("1.5 ms", Fraction(15, 10_000), Unit.SECONDS),
        ("250 us", Fraction(250, 1_000_000), Unit.SECONDS),
        ("2 s", Fraction(2), Unit.SECONDS),
        ("-3 quanta", Fraction(-3), Unit.QUANTA),
        ("1 quantum", Fraction(1), Unit.QUANTA),
        ("1 point", Fraction(1, 100), Unit.POINTS),
        ("0.31", Fraction(31, 100), Unit.RATIO),
        ("2", Fraction(2), Unit.COUNT),
    ],
)
def test_an_amount_is_read_with_its_unit(written, value, unit):
    """As a person writes it, to what reports hold."""
    found = read(written)
    assert found.value == value
    assert unit in found.units


@pytest.mark.parametrize(
    "written",
    ["", "points", "nan points", "inf", "1e9 B", "1 mile", "1.2.3 %", "1" * 30, "\u0661 %"],
)
def test_what_is_no_amount_is_refused(written):
    """Nothing unbounded gets in."""
    with pytest.raises(ValueError, match="^" if not written else None):
        read(written)


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (Fraction(1, 200), Unit.POINTS, "0.5 points"),
        (Fraction(97, 100), Unit.PERCENT, "97 %"),
        (Fraction(1, 3), Unit.PERCENT, "33.3333333333 %"),
        (0.001, Unit.SECONDS, "1 ms"),
        (Fraction(25_144), Unit.BYTES, "25,144 B"),
        (Fraction(1, 100), Unit.POINTS, "1 point"),
        (Fraction(-1, 100), Unit.POINTS, "-1 point"),
        (Fraction(101, 10_000), Unit.POINTS, "1.01 points"),
        (1, Unit.QUANTA, "1 quantum"),
        (0.3, Unit.RATIO, "0.3"),
        (0, Unit.COUNT, "0"),
        (100, Unit.COUNT, "100"),
    ],
)
def test_an_amount_is_written_exactly(value, unit, written):
    """No digit that is not there, and none that is missing."""
    assert exactly(value, unit) == written


@pytest.mark.parametrize(
    ("value", "unit", "up", "down"),
    [
        (1 / 3, Unit.POINTS, "33.3334 points", "33.3333 points"),
        (0.02, Unit.POINTS, "2 points", "2 points"),
        (25_144_123, Unit.BYTES, "25,144,123 B", "25,144,123 B"),
        (0.00121345678, Unit.SECONDS, "1.21346 ms", "1.21345 ms"),
        (-1 / 3, Unit.POINTS, "-33.3333 points", "-33.3334 points"),
    ],
)
def test_an_amount_is_rounded_outward(value, unit, up, down):
    """So that it covers what was measured."""
    assert outward(value, unit, up=True) == up
    assert outward(value, unit, up=False) == down


@given(st.floats(-1e9, 1e9), st.sampled_from(Unit), st.booleans())
def test_what_was_rounded_outward_covers_the_value(value, unit, up):
    """For any value in any unit, in both directions."""
    bound = float(read(outward(value, unit, up=up)).value)
    assert bound >= value if up else bound <= value
