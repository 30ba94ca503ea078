"""Leaked samples: a limit, or a note."""

from dataclasses import replace

import pytest
from scenes import scene

from litegate import Budget
from litegate.core.errors import ConfigError, MeasurementError
from litegate.measures.accuracy.leaks import leaked_sample_notes, leaked_samples
from litegate.measures.measurement import Outcome
from litegate.mutation.faults import Unplantable
from litegate.mutation.faults.plumbing import leaked_samples as leak
from litegate.testing import artifact, evaluation


def leaking(count):
    return artifact(b"", split=replace(evaluation(), leaked_samples=count))


@pytest.mark.parametrize(
    ("count", "limit", "outcome"),
    [
        (0, 0, Outcome.PASS),
        (1, 0, Outcome.FAIL),
        (3, 2, Outcome.FAIL),
        (3, 3, Outcome.PASS),
        (3, 4, Outcome.PASS),
    ],
)
def test_just_below_at_and_above_the_limit(count, limit, outcome):
    assert (leaked_samples(leaking(count)) <= limit).outcome is outcome


def test_an_unknown_count_is_an_error():
    """Never a pass: of ready-made files nobody knows what they were trained on."""
    with pytest.raises(MeasurementError, match="training split of tiny/int8_qat is unknown"):
        leaked_samples(leaking(None))


def test_a_limit_is_a_plain_number():
    for wrong in (-1, 0.5, True):
        with pytest.raises(ConfigError, match=r"leaked_samples=.* must be a whole number"):
            Budget(leaked_samples=wrong)


@pytest.mark.parametrize("count", [None, 0])
def test_no_leaked_sample_no_note(count):
    assert leaked_sample_notes(scene().model, [leaking(count)]) == ()


def test_leaked_samples_are_noted_unless_a_limit_judges_them():
    (note,) = leaked_sample_notes(scene().model, [leaking(12)])
    assert note.startswith("tiny: 12 distinct samples of the 200 in the evaluation split are also")
    limited = replace(scene().model, budget=Budget(leaked_samples=20))
    assert leaked_sample_notes(limited, [leaking(12)]) == ()
    assert leaked_sample_notes(scene().model, []) == ()


def test_the_planted_fault_is_noticed_where_a_limit_is_promised():
    with pytest.raises(Unplantable, match="limits no leaked samples"):
        leak(scene(), 10)
    sound = scene(budget=Budget(leaked_samples=0), split=replace(evaluation(), leaked_samples=0))
    assert (leaked_samples(sound.candidate) <= 0).outcome is Outcome.PASS
    for grade in leak.ladder.grades:
        assert (leaked_samples(leak(sound, grade).candidate) <= 0).outcome is Outcome.FAIL
