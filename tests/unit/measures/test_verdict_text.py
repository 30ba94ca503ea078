"""A verdict in words: one sentence for reports, a line for each fact for a terminal."""

from fractions import Fraction

from litegate.core.units import Unit, points
from litegate.measures.measurement import Interval, Measurement, violations
from litegate.measures.verdict_text import lines, sentence

LOSS = Measurement(
    name="accuracy drop",
    subject="m/int8_qat",
    value=Fraction(2, 100),
    unit=Unit.POINTS,
    interval=Interval(low=Fraction(1, 100), high=Fraction(3, 100), method="m"),
    evidence=("200 samples", "4 flips"),
)


def test_both_say_the_same_words():
    verdict = LOSS <= points(1)
    said = "accuracy drop of m/int8_qat is 2.00 points, must be at most 1.00 points"
    assert lines(verdict).split("\n  ") == [
        f"{said} (over by 1.00 points)",
        "95 % interval 1.00 points to 3.00 points (m)",
        "200 samples",
        "4 flips",
    ]
    assert sentence(verdict) == lines(verdict).replace("\n  ", "; ").replace(
        "200 samples; 4 flips", "200 samples, 4 flips"
    )


def test_what_breaks_a_promise_is_a_list_in_both():
    verdict = violations("broken promises", "m", ("a is float", "b is float"), n=2) <= 0
    assert sentence(verdict) == lines(verdict)
    assert lines(verdict).endswith(":\n  - a is float\n  - b is float")
