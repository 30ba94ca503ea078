"""Sequences of frames: the state is carried within one, and reset before the next."""

from dataclasses import replace

import numpy as np
import pytest
from recurrent import remembering

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import ms
from litegate.runtimes.detection import detect
from litegate.runtimes.inference import all_outputs, predict, predict_frames
from litegate.spec import Detector, Evaluation, Frames, Sequences
from litegate.testing.artifacts import artifact

LENGTHS = np.array([3, 1, 4, 2])
FRAMES = np.random.default_rng(3).integers(-4, 5, (10, 2)).astype(np.float32)


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here, for TFLM's reset is the runtime's own."""


def expected_sums():
    """Return the sum of each frame and the two before it in its sequence, shape (10, 1)."""
    rows = []
    for sequence in np.split(FRAMES.sum(axis=1), np.cumsum(LENGTHS)[:-1]):
        rows += [sequence[max(0, end - 3) : end].sum() for end in range(1, len(sequence) + 1)]
    return np.array(rows, np.float32)[:, None]


def sequences(frames, lengths=LENGTHS):
    stops = np.cumsum(lengths)
    return Sequences(frames, stops - lengths, stops)


def split(answer, lengths=LENGTHS, **fields):
    frames = Frames(period=ms(10), answer=answer)
    x = sequences(FRAMES, lengths)
    defaults = {"digest": "", "y": None, "classes": (), "domain": (-9.0, 9.0)}
    return Evaluation(x=x, sequences=frames, **defaults | fields)


@pytest.fixture(scope="module")
def summing():
    return remembering()


@pytest.mark.parametrize("runtime", ["xnnpack", "reference", "tflm"])
def test_state_is_carried_within_a_sequence(summing, runtime):
    """Each frame's answer is that of the sequence's frames so far, on every runtime."""
    file = replace(artifact(summing, split=split("last")), runtime=runtime)
    np.testing.assert_array_equal(predict_frames(file).raw, expected_sums())
    last = expected_sums()[np.cumsum(LENGTHS) - 1]
    np.testing.assert_array_equal(predict(file).raw, last)
    np.testing.assert_array_equal(predict(file, chosen=np.array([2, 0])).raw, last[[2, 0]])


def test_long_sequences_are_read_in_parts(summing, monkeypatch):
    """The state outlives the parts in which the frames are read."""
    monkeypatch.setattr("litegate.runtimes.inference._FRAMES", 2)
    (outputs,) = all_outputs(summing, sequences(FRAMES)).values()
    np.testing.assert_array_equal(outputs.raw, expected_sums())


def test_order_of_sequences_does_not_matter(summing):
    """Reversed sequences have the same answers, reversed."""
    x = sequences(FRAMES)
    (backward,) = all_outputs(summing, x[::-1]).values()
    rows = np.split(expected_sums(), np.cumsum(LENGTHS)[:-1])
    np.testing.assert_array_equal(backward.raw, np.concatenate(rows[::-1]))


def test_answers_of_a_sequence(summing):
    """The last frame, the maximum, the mean, or the user's function answers for a sequence."""
    stops = np.cumsum(LENGTHS)
    rows = np.split(expected_sums(), stops[:-1])
    expected = {
        "last": [row[-1] for row in rows],
        "max": [row.max(axis=0) for row in rows],
        "mean": [row.mean(axis=0) for row in rows],
        first_of: [row[0] for row in rows],
    }
    for answer, values in expected.items():
        file = artifact(summing, split=split(answer))
        np.testing.assert_allclose(predict(file).real, values, rtol=1e-6)
        np.testing.assert_array_equal(predict_frames(file).raw, expected_sums())


def first_of(outputs):
    return outputs[0]


def all_of(outputs):
    return outputs


def failing(outputs):
    raise ZeroDivisionError("no frames")


def test_bad_answers_are_named(summing):
    """A function that fails, or has answers of several shapes, is an error of its own."""
    with pytest.raises(MeasurementError, match="differ in shape"):
        predict(artifact(summing, split=split(all_of)))
    with pytest.raises(MeasurementError, match="failed on sequence 0, of 3 frames") as error:
        predict(artifact(summing, split=split(failing)))
    assert "ZeroDivisionError: no frames" in error.value.got


def test_infinite_frames_are_named(summing):
    """NaN in a frame is an error that counts frames."""
    frames = FRAMES.copy()
    frames[4] = np.nan
    broken = replace(split("last"), x=sequences(frames))
    with pytest.raises(MeasurementError, match="1 of 10 frames"):
        predict(artifact(summing, split=broken))


@pytest.mark.parametrize(
    ("detector", "events"),
    [
        (Detector(threshold=0.5, refractory=ms(10)), [2, 3, 4, 8]),
        (Detector(threshold=0.5, refractory=ms(20)), [2, 4, 8]),
        (Detector(threshold=0.5, refractory=ms(25)), [2, 8]),
        (Detector(threshold=0.5, refractory=ms(60)), [2, 8]),
        (Detector(threshold=0.5, refractory=ms(61)), [2]),
        (Detector(threshold=0.5, window=ms(20), refractory=ms(10)), [3, 4]),
        (Detector(threshold=0.61), []),
    ],
)
def test_detector(detector, events):
    """Scores reach the threshold at it, windows must be whole, and refractory times round up."""
    scores = np.array([0.1, 0.1, 0.5, 0.6, 0.5, 0.1, 0, 0, 0.6, 0])
    assert detect(scores[:, None], detector, 0.01).tolist() == events


def test_detector_is_refused():
    """Times that are no times, and windows of half a frame, are refused by name."""
    with pytest.raises(ConfigError, match=r"Detector\(threshold"):
        Detector(threshold=float("nan"))
    with pytest.raises(ConfigError, match=r"Detector\(refractory"):
        Detector(threshold=0.5, refractory=ms(0))
    with pytest.raises(ConfigError, match=r"1\.5 frames"):
        detect(np.zeros((4, 1)), Detector(threshold=0.5, window=ms(15)), 0.01)
    with pytest.raises(MeasurementError, match="does not name an element"):
        detect(np.zeros((4, 2)), Detector(threshold=0.5), 0.01)
    with pytest.raises(ConfigError, match=r"Frames\(answer"):
        Frames(period=ms(10), answer="first")
    with pytest.raises(ConfigError, match=r"Frames\(period"):
        Frames(period=10)
