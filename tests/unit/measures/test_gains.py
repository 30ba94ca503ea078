"""Gains beyond chance are named: a loss must not be the only surprise."""

import made_reports
import numpy as np
import pytest
from tiny import artifact, selector

from litegate.measures.lints.gains import gain_notes, reference_gain_notes
from litegate.spec.metrics import f1


def pair(n, fixed):
    """A reference that is wrong on `fixed` of n samples of class 0, and a candidate that is not."""
    before, after, labels = np.zeros(n, int), np.zeros(n, int), np.zeros(n, int)
    before[:fixed] = 1
    one_hot = np.eye(2)
    x = np.concatenate([one_hot[before], one_hot[after], np.arange(n)[:, None]], axis=1)
    return tuple(
        artifact(selector(5, columns), x, labels, classes=2) for columns in ([0, 1], [2, 3])
    )


@pytest.mark.parametrize(("fixed", "is_named"), [(0, False), (3, False), (12, True)])
def test_a_candidate_that_beats_its_reference_beyond_chance_is_named(fixed, is_named):
    """Of 200 samples three may be chance, twelve are not."""
    reference, candidate = pair(200, fixed)
    notes = reference_gain_notes(reference, candidate)
    assert bool(notes) is is_named
    if is_named:
        assert "better than the reference's by 6.00 points" in notes[0]
        assert notes[0].endswith("what did it learn that the reference did not?")


def test_a_candidate_that_lost_is_not_named():
    reference, candidate = pair(200, 12)
    assert reference_gain_notes(candidate, reference) == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("accuracy regression", -0.97, "its accuracy is better than the base's by 97.00 points"),
        ("accuracy regression", -0.0011, "(at least 0.01 points"),
        ("accuracy regression", -0.001, ""),  # the interval ends at 0
        ("accuracy regression", 0.003, ""),
        ("accuracy regression since the anchor", -0.97, "better than the anchor's"),
        ("f1 regression", -0.5, "its f1 is better than the base's"),
        ("f1 regression since the anchor", -0.5, "its f1 is better than the anchor's"),
        ("f1 drop", -0.5, "its f1 is better than the reference's"),
        ("accuracy drop", -0.5, ""),  # `reference_gain_notes` names it, with a limit or without
        ("size growth", -0.5, ""),
    ],
)
def test_a_gain_beyond_the_interval_is_named(name, value, said):
    """The rows of a report; their intervals reach a tenth of a point to either side."""
    row = made_reports.verdict(name=name, value=value)
    notes = list(gain_notes([row], [f1(loss=0.1)]))
    assert len(notes) == bool(said)
    assert said in "".join(notes)


@pytest.mark.parametrize(("same", "count"), [((), 2), (("base",), 1), (("base", "anchor"), 0)])
def test_a_gain_on_the_same_data_is_an_improvement(same, count):
    """Nothing else than the network can have changed."""
    names = ("accuracy regression", "accuracy regression since the anchor")
    rows = [made_reports.verdict(name=name, value=-0.5) for name in names]
    assert len(list(gain_notes(rows, [], same))) == count


def test_an_exact_gain_has_no_chance_to_be_beyond():
    row = made_reports.verdict(name="accuracy regression", value=-0.5) | {"interval": None}
    assert list(gain_notes([row], [])) == []
