"""A network that always decides alike is named."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import artifact, selector

from litegate import Budget, percent
from litegate.measures.lints.constant_prediction import constant_prediction_notes

X = np.random.default_rng(0).random((30, 3)).astype(np.float32)
Y = np.arange(30) % 3
STUCK, ALIVE = selector(3, [0, 1, 2], bias=[9.0, 0, 0]), selector(3, [0, 1, 2])


def told(tflite, y=Y, budget=Budget(), *, labelled=True):  # noqa: B008 nothing changes it
    made = artifact(tflite, X, y, classes=3)
    if not labelled:
        made = replace(made, evaluation=replace(made.evaluation, y=None, classes=()))
    return constant_prediction_notes(budget, made)


def test_one_class_for_every_sample_is_told():
    (note,) = told(STUCK)
    assert note.startswith('it predicts class "')
    assert '" for all 30 samples, so agreement proves nothing' in note
    assert not told(ALIVE)


def test_labels_of_one_class_are_told_elsewhere():
    assert not told(STUCK, Y * 0)


@pytest.mark.parametrize(("budget", "said"), [(Budget(), 0), (Budget(agreement=percent(9)), 1)])
def test_without_labels_only_who_is_held_to_decisions(budget, said):
    """The largest of an autoencoder's outputs is no decision."""
    assert len(told(STUCK, budget=budget, labelled=False)) == said
