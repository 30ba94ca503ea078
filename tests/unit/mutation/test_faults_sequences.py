"""Faults in samples that are sequences: their frames and labels stay together."""

from dataclasses import replace

import numpy as np
import pytest
import scenes

from litegate.core.errors import MeasurementError
from litegate.core.units import ms
from litegate.measures.metrics import metric_value
from litegate.mutation.faults import Unplantable, accuracy, metrics, plumbing
from litegate.mutation.faults.scene import digest
from litegate.spec import Evaluation, Frames, Sequences
from litegate.spec.detector import Detector
from litegate.spec.metrics import false_accepts

LENGTHS = np.array([3, 1, 4])
STOPS = np.cumsum(LENGTHS)
X = Sequences(np.arange(16, dtype=np.float32).reshape(8, 2) / 16, STOPS - LENGTHS, STOPS)
Y = np.array([0, 1, 0, 2, 0, 0, 3, 0])
SPLIT = Evaluation(
    digest="", x=X, y=Y, classes=(), domain=(0.0, 1.0), sequences=Frames(period=ms(1000))
)


@pytest.fixture
def scene():
    """A scene whose artifacts are judged on three sequences, with a label for each frame."""
    sound = scenes.scene()
    sides = {
        name: replace(getattr(sound, name), evaluation=SPLIT)
        for name in ("candidate", "reference", "baseline")
    }
    return replace(sound, **sides, base=sides["candidate"])


def test_a_frame_is_nan(scene):
    """One frame of one sequence is, and the sequences keep their lengths and labels."""
    split = plumbing.nan_sample(scene, 1).candidate.evaluation
    assert np.isnan(split.x.frames).any(axis=1).sum() == 1
    assert split.x.lengths.tolist() == LENGTHS.tolist()
    assert split.y.tolist() == Y.tolist()


def test_no_sequences_are_an_error_of_the_measure(scene):
    """An empty selection has no labels, and nothing is measured on it."""
    planted = plumbing.no_samples(scene, 1).candidate
    assert (len(planted.evaluation.x), len(planted.evaluation.y)) == (0, 0)
    with pytest.raises(MeasurementError, match="no sequences to run"):
        metric_value(planted, false_accepts(Detector(threshold=1), most=1))


@pytest.mark.parametrize(("labels", "is_planted"), [(Y, True), (0 * Y, False), (None, False)])
def test_recordings_without_an_event_are_the_same_in_any_order(scene, labels, is_planted):
    """The rate of false accepts is; a proof took it for a check with the wrong sign."""
    split = replace(SPLIT, y=labels)
    metric = false_accepts(Detector(threshold=1), most=1)
    model = replace(scene.model, budget=replace(scene.model.budget, metrics=(metric,)))
    planted = replace(scene, model=model, candidate=replace(scene.candidate, evaluation=split))
    if is_planted:
        assert metrics.mixed_up_answers(planted, 100).candidate.evaluation.x is not split.x
    else:
        with pytest.raises(Unplantable, match="no event is planted"):
            metrics.mixed_up_answers(planted, 100)


def test_frames_are_scaled_in_place(scene):
    """Samples that are too large are the same sequences of larger frames."""
    split = accuracy.samples_too_large(scene, 2).candidate.evaluation
    np.testing.assert_allclose(split.x.frames, 2 * X.frames)
    assert split.x.stops.tolist() == STOPS.tolist()


def test_digest_is_of_the_selected_sequences():
    """Other sequences of the same frames have another digest."""
    assert digest(X, Y) == digest(X[np.arange(3)], Y)
    assert digest(X[::-1], Y) != digest(X, Y)
