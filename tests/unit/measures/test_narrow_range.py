"""Samples that fill next to nothing of what they are declared to be."""

from dataclasses import replace

import pytest

from litegate.measures.lints.narrow_range import narrow_range_notes
from litegate.testing import tiny_artifact


@pytest.mark.parametrize(("share", "told"), [(1, 0), (0.051, 0), (0.049, 1), (1 / 255, 1)])
def test_samples_that_fill_little_of_their_domain_are_told(share, told):
    one = tiny_artifact()
    x = one.evaluation.x
    x = (x - x.min()) / (x.max() - x.min()) * share
    one = replace(one, evaluation=replace(one.evaluation, x=x))
    notes = narrow_range_notes(one)
    assert len(notes) == told
    assert all("they may be divided twice" in note for note in notes)


def test_nothing_is_said_of_no_samples():
    """Who measures says that there are none."""
    one = tiny_artifact()
    assert not narrow_range_notes(
        replace(one, evaluation=replace(one.evaluation, x=one.evaluation.x[:0]))
    )
