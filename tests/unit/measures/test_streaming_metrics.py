"""False accepts an hour and false rejects: events, matching, verdicts and hints."""

from dataclasses import replace

import numpy as np
import pytest
import scenes
from recurrent import remembering

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Unit, ms, percent, points
from litegate.measures.accuracy import accuracy
from litegate.measures.measurement import Outcome
from litegate.measures.metrics import (
    metric_loss,
    metric_regression,
    metric_slice_loss,
    metric_value,
)
from litegate.measures.metrics.events import audio_of, match_events
from litegate.measures.metrics.resampling import plain_value
from litegate.measures.metrics.streaming import detector_notes
from litegate.measures.overview import recipe_notes
from litegate.measures.statistics.proportions import clopper_pearson
from litegate.measures.statistics.rates import poisson_limits
from litegate.runtimes.detection import window_scores
from litegate.runtimes.inference import predict
from litegate.spec import (
    Budget,
    Data,
    Detector,
    Evaluation,
    Frames,
    Kind,
    Sequences,
    metrics,
)
from litegate.spec.authoring import prebuilt
from litegate.testing import edit, tiny
from litegate.testing.artifacts import artifact
from litegate.testing.split import evaluation

MINUTE = 60
"""Frames of a second: a recording of 60 frames is a minute."""
DETECTOR = Detector(threshold=5, refractory=ms(4000))
ACCEPTS = metrics.false_accepts(DETECTOR, most=30)
REJECTS = metrics.false_rejects(DETECTOR, most=percent(50))


def recordings(spikes, *, count, labels=None, length=MINUTE, copies=False):
    """Return a split of `count` recordings of silence, with a spike of 6 at (recording, frame).

    Unless they are `copies`, each begins with a faint noise of its own.
    """
    frames = np.zeros((count * length, 2), np.float32)
    frames[::length, 0] = 0 if copies else 1e-4 * np.arange(count)
    for recording, frame in spikes:
        frames[recording * length + frame] = 3
    stops = length * np.arange(1, count + 1)
    digest = str(hash((tuple(spikes), copies)))
    return Evaluation(
        digest=digest,
        x=Sequences(frames, stops - length, stops),
        y=labels,
        classes=(),
        domain=(0, 9),
        sequences=Frames(period=ms(1000), answer=DETECTOR),
    )


def scaled(factor):
    """Return the file with its feature weights scaled: the spikes' height changes."""

    def change(model):
        (tensor,) = [t for t in model.subgraphs[0].tensors if t.name == b"w2"]
        weights = np.full((1, 2), factor, np.float32)
        model.buffers[tensor.buffer].data = weights.reshape(-1).view(np.uint8)

    return edit(remembering(), change)


@pytest.fixture(scope="module")
def sound():
    return remembering()


def labels_at(spans, count, length=MINUTE):
    labels = np.zeros(count * length, np.int64)
    for recording, start, stop in spans:
        labels[recording * length + start : recording * length + stop] = 1
    return labels


def test_false_accepts_are_events_in_negative_audio(sound):
    """A spike in silence is one false accept an hour of it; the limits are as of its bursts."""
    file = artifact(sound, split=recordings([(0, 30), (4, 5)], count=30))
    measurement = metric_value(file, ACCEPTS)
    assert measurement.value == pytest.approx(2 / 0.5)
    assert measurement.high > poisson_limits(2)[1] / 0.5
    assert "2 false accepts in 0.50 h of negative audio, 30 recordings" in measurement.evidence
    assert (measurement <= 30).outcome is Outcome.PASS
    assert (measurement <= measurement.high).outcome is Outcome.PASS
    verdict = measurement <= measurement.high * 0.999
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "h without an event would prove it" in verdict.note
    assert (measurement <= 3.9).outcome is Outcome.FAIL
    assert predict(file).raw[:, 0].tolist() == [1, 0, 0, 0, 1, *[0] * 25]


def test_planted_events_are_right_until_the_refractory_time_is_over(sound):
    """An event belongs to the planted one up to 4 s after it; that time is no negative audio."""
    labels = labels_at([(0, 10, 13), (1, 10, 13), (2, 10, 13), (3, 10, 13)], 4)
    # Just inside: frame 16 is 4 s after the last labelled one; 17 is beyond, and 9 too early.
    spikes = [(0, 16), (1, 17), (2, 9)]
    file = artifact(sound, split=recordings(spikes, count=4, labels=labels))
    rejects = metric_value(file, REJECTS)
    assert (rejects.value, rejects.n) == (pytest.approx(0.75), 4)
    assert (rejects.low, rejects.high) == clopper_pearson(3, 4)
    audio = audio_of(file.evaluation, DETECTOR, "")
    np.testing.assert_allclose(audio.hours * 3600, [53] * 4)
    assert metric_value(file, ACCEPTS).value == pytest.approx(2 / (4 * 53 / 3600))


def test_labels_of_sequences_mark_whole_recordings(sound):
    """A positive recording is one planted event, and no negative audio."""
    split = recordings([(0, 30), (1, 30)], count=3, labels=np.array([1, 0, 1]))
    file = artifact(sound, split=split)
    assert metric_value(file, REJECTS).value == pytest.approx(0.5)
    assert metric_value(file, ACCEPTS).value == pytest.approx(60)


def test_labels_in_a_row_are_events_of_their_own():
    """Another label begins another event; of overlapping times the later one has the frame."""
    labels = np.array([1, 1, 2, 0, 0, 0, 0, 0, 3, 0], np.int64)
    split = replace(recordings([], count=1, length=10), y=labels)
    audio = audio_of(split, DETECTOR, "")
    (planted,) = audio.planted
    assert planted.starts.tolist() == [0, 2, 8]
    assert planted.ends.tolist() == [6, 7, 10]
    assert planted.frames(0) == 9
    wrong, found = planted.detected(np.array([3, 7]))
    assert (wrong.tolist(), found.tolist()) == ([7], [False, True, False])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([10], [13], (0, 0)),
        ([10], [14], (1, 1)),
        ([10], [7], (0, 0)),
        ([10], [6], (1, 1)),
        ([10, 20], [12], (1, 0)),
        ([], [1, 9], (0, 2)),
        ([10, 14], [13, 17], (0, 0)),
    ],
)
def test_events_match_in_time(before, after, expected):
    """Events less than the refractory time apart are the same, each at most once."""
    assert match_events(np.array(before, int), np.array(after, int), 4) == expected


def test_loss_is_paired(sound):
    """Events that both have cancel; new ones raise the rate, and few recordings prove nothing."""
    spikes = [(number, 30) for number in range(20)]
    split = recordings(spikes, count=24)
    before, same = (artifact(tflite, split=split) for tflite in (sound, scaled(0.9)))
    loss = metric_loss(before, same, ACCEPTS)
    assert loss.value == 0
    assert "0 events are new and 0 gone, 20 in both" in loss.evidence
    assert loss.high == pytest.approx(poisson_limits(0)[1] / 0.4)
    assert (loss <= 8).outcome is Outcome.PASS
    deaf = artifact(scaled(0.5), split=split)
    worse = metric_loss(deaf, before, ACCEPTS)
    assert worse.value == pytest.approx(20 / 0.4)
    assert (worse <= 7).outcome is Outcome.FAIL
    few = replace(split, x=split.x[:19])
    sides = (replace(side, evaluation=few) for side in (before, same))
    verdict = metric_loss(*sides, ACCEPTS) <= 99
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "19 recordings do not show how events cluster, 20 do" in verdict.note


def test_rejects_are_paired_by_events(sound):
    """A planted regression, the last layer's scale moved, fails by the metric's name."""
    spans = [(number, 10, 13) for number in range(20)]
    split = recordings(
        [(number, 11) for number in range(20)], count=20, labels=labels_at(spans, 20)
    )
    before, deaf = (artifact(tflite, split=split) for tflite in (sound, scaled(0.5)))
    loss = metric_loss(before, deaf, REJECTS)
    assert loss.name == "false_rejects rise"
    assert loss.value == 1
    assert (loss <= points(5)).outcome is Outcome.FAIL
    assert metric_regression(before, before, REJECTS).value == 0


def test_worst_slice_is_named(sound):
    """The slice with most new events is the measurement, and every slice must be proven."""
    quiet = np.arange(48) < 24
    split = replace(
        recordings([(number, 30) for number in range(24)], count=48),
        slices={"quiet": quiet, "street": ~quiet},
    )
    before, deaf = (artifact(tflite, split=split) for tflite in (sound, scaled(0.5)))
    worst = metric_slice_loss(deaf, before, ACCEPTS)
    assert worst.value == pytest.approx(60)
    assert 'slice "quiet" is the worst of 2' in worst.evidence
    labels = labels_at([(number, 29, 31) for number in range(48)], 48)
    sides = (replace(side, evaluation=replace(split, y=labels)) for side in (before, deaf))
    assert metric_slice_loss(*sides, REJECTS).value == 1


def test_hours_that_a_limit_needs(sound):
    """Over 60 minutes a limit of 0.5 an hour is linted with the 6 hours that it needs."""
    file = artifact(sound, split=recordings([], count=60))
    (note,) = detector_notes([metrics.false_accepts(DETECTOR, most=0.5)], file)
    assert "1.00 h of negative audio" in note
    assert note.endswith("6.0 h without an event are needed")
    assert not detector_notes([metrics.false_accepts(DETECTOR, most=3)], file)
    assert len(detector_notes([metrics.false_accepts(DETECTOR, most=3, loss=2.9)], file)) == 1


def test_copies_of_a_recording_are_no_further_hours(sound):
    """Seventy copies of a silent minute prove what one minute proves."""
    file, alone, distinct = (
        artifact(sound, split=recordings([], count=count, copies=copies))
        for count, copies in ((70, True), (1, True), (70, False))
    )
    measurement = metric_value(file, ACCEPTS)
    assert (measurement.n, metric_value(distinct, ACCEPTS).n) == (1, 70)
    assert measurement.high == metric_value(alone, ACCEPTS).high
    assert "0 false accepts in 1.17 h of negative audio, 70 recordings, 1 distinct" in (
        measurement.evidence
    )
    verdicts = [metric_loss(side, side, ACCEPTS) <= 200 for side in (file, distinct)]
    assert [it.outcome for it in verdicts] == [Outcome.INCONCLUSIVE, Outcome.PASS]
    assert len(detector_notes([metrics.false_accepts(DETECTOR, most=3)], file)) == 1


def test_planted_events_of_copies_are_no_further_trials(sound):
    labels = labels_at([(number, 29, 31) for number in range(70)], 70)
    spikes = [(number, 30) for number in range(70)]
    split = recordings(spikes, count=70, labels=labels, copies=True)
    measurement = metric_value(artifact(sound, split=split), REJECTS)
    assert (measurement.value, measurement.high) == (0, clopper_pearson(0, 1)[1])
    assert "1 of the events are in distinct recordings" in " ".join(measurement.evidence)
    sides = (artifact(sound, split=split), artifact(scaled(1.0), split=split))
    assert metric_loss(*sides, REJECTS).high > 0.5


@pytest.mark.parametrize(("window", "seconds"), [(59, 2), (60, 1), (61, 0)])
def test_time_before_the_first_whole_window_is_no_negative_audio(window, seconds):
    """Nothing can be detected in it."""
    detector = Detector(threshold=5, window=ms(1000 * window))
    audio = audio_of(recordings([], count=2), detector, "")
    np.testing.assert_allclose(audio.hours * 3600, [seconds] * 2)


def test_a_detector_that_never_wakes_up_is_noticed(sound):
    """It has no false accept; only the planted events show it."""
    labels = labels_at([(0, 29, 31), (1, 29, 31)], 2)
    split = recordings([(0, 30), (1, 30)], count=2, labels=labels)
    deaf = metrics.false_accepts(Detector(threshold=400), most=300)
    (note,) = detector_notes([deaf], artifact(sound, split=split))
    assert "none of 2 planted events is detected at the threshold 400" in note
    heard = metrics.false_accepts(DETECTOR, most=300)
    assert not detector_notes([heard], artifact(sound, split=split))
    assert len(detector_notes([heard], artifact(scaled(0.01), split=split))) == 1
    model = replace(scenes.scene().model, budget=Budget(metrics=(heard,)))
    (recipe,) = [it for it in model.recipes if it.gate]
    for deaf_side, count in ((recipe.name, 1), (recipe.reference.name, 0)):
        sides = dict.fromkeys((recipe.name, recipe.reference.name), artifact(sound, split=split))
        sides[deaf_side] = artifact(scaled(0.01), split=split)
        notes = recipe_notes(model, sides)
        assert sum("planted events is detected" in note for note in notes) == count


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"of": "word"}, "not the number of an element"),
        ({"of": 0.0}, "not the number of an element"),
        ({"of": True}, "not the number of an element"),
        ({"of": -1}, "not the number of an element"),
        ({"threshold": 3.5e38}, "not a finite value of float32"),
        ({"threshold": 10**400}, "not a finite value of float32"),
        ({"threshold": float("nan")}, "not a finite value of float32"),
    ],
)
def test_a_detector_that_no_output_can_have_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        Detector(**({"threshold": 1} | given))
    assert Detector(threshold=3.4e38, of=0).of == 0


def test_curve_has_the_declared_threshold(sound):
    """The series falls from low to high thresholds, and meets the value in its middle."""
    file = artifact(sound, split=recordings([(0, 30), (4, 5)], count=30))
    series = metric_value(file, ACCEPTS).series
    middle = len(series["threshold"]) // 2
    assert series["threshold"][middle] == 5
    assert series["false_accepts_per_hour"][middle] == pytest.approx(4)
    assert series["false_accepts_per_hour"][-1] == 0


def test_what_cannot_be_measured(sound):
    """No negative audio, nothing planted, and labels of another shape are errors."""
    split = recordings([], count=2, labels=np.array([1, 1]))
    nothing = artifact(sound, split=replace(split, y=np.zeros(2, int)))
    for measure in (metric_value, plain_value):  # the table of recipes said 0
        with pytest.raises(MeasurementError, match="no negative audio"):
            measure(artifact(sound, split=split), ACCEPTS)
        with pytest.raises(MeasurementError, match="no planted events"):
            measure(nothing, REJECTS)
    with pytest.raises(MeasurementError, match="neither of its frames nor of its sequences"):
        metric_value(artifact(sound, split=replace(split, y=np.zeros(7, int))), REJECTS)
    with pytest.raises(MeasurementError, match="no sequences to run"):
        metric_value(artifact(sound, split=replace(split, x=split.x[:0])), ACCEPTS)
    with pytest.raises(MeasurementError, match="are not sequences of frames"):
        metric_value(artifact(sound), ACCEPTS)


@pytest.mark.parametrize(("place", "sequence", "frame"), [(4, 0, 4), (59, 0, 59), (60, 1, 0)])
def test_what_is_not_finite_names_its_sequence(sound, place, sequence, frame):
    """Frames that are NaN, and outputs that overflow."""
    split = recordings([], count=3)
    message = f"1 of 180 frames of .*\n.*\n.*frame {frame} of sequence {sequence} of"
    with pytest.raises(MeasurementError, match=message):
        metric_value(artifact(sound, split=_with_frame(split, place, np.nan)), ACCEPTS)
    large = _with_frame(split, place, 3e38)
    with pytest.raises(MeasurementError, match=f"in sequence {sequence} are NaN or infinite"):
        metric_value(artifact(scaled(100), split=large), ACCEPTS)


def _with_frame(split, place, value):
    frames = np.array(split.x.frames)
    frames[place] = value
    return replace(split, x=Sequences(frames, split.x.starts, split.x.stops))


@pytest.mark.parametrize("hours", [1, 10])
def test_a_score_that_stays_at_the_threshold_reaches_it_for_hours(hours):
    """A window after a loud one and many of other heights is as exact as the first."""
    scores = np.random.default_rng(1).random(hours * 360_000).astype(np.float32)
    scores[10] = 3e9
    scores[-100:] = np.float32(0.7)
    detector = Detector(threshold=float(np.float32(0.7)), window=ms(500))
    assert window_scores(scores[:, None], detector, 0.01)[-1] == detector.threshold


def test_a_recording_shorter_than_the_window_has_no_score():
    detector = Detector(threshold=0.5, window=ms(500))
    scores = window_scores(np.ones((49, 1), np.float32), detector, 0.01)
    assert (scores == -np.inf).all()


FRAMES_RIGHT = metrics.frame_accuracy(threshold=5, least=percent(90), slice_loss=points(1))


def share_of_larger(outputs, labels):
    """Return a number of all samples, from arrays of any lengths."""
    return float((outputs.max() > labels).mean())


def test_frame_accuracy_is_of_all_frames_and_its_interval_of_sequences(sound):
    """A spike scores three frames. One recording has all errors: 2 before its label, and 17."""
    spikes = [(number, 30 + number) for number in range(20)]
    spans = [(number, 30 + number, 33 + number) for number in range(1, 20)]
    split = recordings(spikes, count=20, labels=labels_at([(0, 32, 50), *spans], 20))
    measured = metric_value(artifact(sound, split=split), FRAMES_RIGHT)
    assert measured.value == pytest.approx(1 - 19 / (20 * MINUTE))
    assert (measured.n, measured.unit) == (20, Unit.PERCENT)
    # 19 errors of 1,200 independent frames would be 1.1 to 2.3 %.
    assert measured.low < 1 - 0.035
    assert (measured <= percent(100)).outcome is Outcome.PASS
    assert (measured >= percent(90)).outcome is Outcome.PASS
    short = replace(split, x=split.x[np.array([0, 3])], y=split.labels_of(np.array([0, 3])))
    assert metric_value(artifact(sound, split=short), FRAMES_RIGHT).value == 1 - 19 / (2 * MINUTE)


def test_frame_accuracy_is_paired_and_by_slice(sound):
    """A slice is of sequences; a file that hears nothing loses the labelled frames of its own."""
    spikes = [(number, 30 + number) for number in range(20)]
    spans = [(number, 30 + number, 33 + number) for number in range(20)]
    split = recordings(spikes, count=20, labels=labels_at(spans, 20))
    split = replace(split, slices={"night": np.arange(20) < 10, "noon": np.arange(20) >= 10})
    before, deaf = (artifact(tflite, split=split) for tflite in (sound, scaled(0.5)))
    loss = metric_loss(before, deaf, FRAMES_RIGHT)
    assert loss.value == pytest.approx(3 / MINUTE)
    assert (loss <= points(4.9)).outcome is Outcome.FAIL
    assert metric_slice_loss(before, deaf, FRAMES_RIGHT).value == pytest.approx(3 / MINUTE)
    assert metric_regression(before, before, FRAMES_RIGHT).value == 0


def test_frame_accuracy_of_a_classifier_is_the_accuracy_of_its_frames():
    """The frames of a file without state are samples; the accuracy refuses their labels."""
    x, y = evaluation().x[:60], evaluation().y[:60]
    plain = artifact(tiny(Kind.INT8_QAT), split=replace(evaluation(), x=x, y=y))
    starts = np.array([0, 1, 10, 40])
    sequences = Sequences(x, starts, np.append(starts[1:], 60))
    split = replace(plain.evaluation, x=sequences, sequences=Frames(period=ms(10)), digest="frames")
    streamed = replace(plain, evaluation=split)
    measured = metric_value(streamed, metrics.frame_accuracy(least=percent(50)))
    assert measured.value == pytest.approx(float(accuracy(plain).value))
    with pytest.raises(MeasurementError, match=r"the accuracy of .* is of sequences, but") as error:
        accuracy(streamed)
    assert "frame_accuracy" in error.value.remedy


def test_labels_of_frames_are_refused_where_they_are_of_sequences(sound):
    """Also where as many labels as sequences are taken: they would be of the first frames."""
    split = recordings([(0, 30)], count=4, labels=labels_at([(0, 30, 33)], 4))
    file = artifact(sound, split=replace(split, classes=("silence", "word")))
    refused = (
        lambda: metric_value(file, metrics.f1(threshold=5, least=0.5)),
        lambda: metric_value(
            file, metrics.custom("share", share_of_larger, better="higher", least=0)
        ),
    )
    for measure in refused:
        with pytest.raises(MeasurementError, match="is of sequences, but the labels are of their"):
            measure()
    for labels in (None, np.zeros(4, int), np.zeros((4 * MINUTE, 1), int)):
        other = artifact(sound, split=replace(split, y=labels))
        with pytest.raises(MeasurementError, match="needs a label for each frame"):
            metric_value(other, FRAMES_RIGHT)


def test_declaration_needs_sequences():
    """Limits of frames without frames in order are refused when they are declared."""
    data = Data(
        name="words", load=dict, preprocess=test_curve_has_the_declared_threshold, domain=(0, 1)
    )
    of_metrics = (Budget(metrics=(metric,)) for metric in (ACCEPTS, FRAMES_RIGHT))
    for budget in (*of_metrics, Budget(real_time_factor=0.5)):
        with pytest.raises(ConfigError, match="words has no sequences"):
            prebuilt(reference="a.tflite", candidate="b.tflite", data=data, budget=budget)
    with pytest.raises(ConfigError, match="wrong unit"):
        metrics.false_rejects(DETECTOR, most=0.5)


def test_labels_belong_to_places_and_follow_a_selection(sound):
    """Mixed-up recordings meet wrong labels, as a fault plants them; chosen ones keep their own."""
    labels = labels_at([(0, 29, 32)], 3)
    split = recordings([(0, 30)], count=3, labels=labels)
    assert metric_value(artifact(sound, split=split), REJECTS).value == 0
    mixed_up = replace(split, x=split.x[np.array([1, 0, 2])])
    assert metric_value(artifact(sound, split=mixed_up), REJECTS).value == 1
    chosen = split.labels_of(np.array([2, 0]))
    assert len(chosen) == 2 * MINUTE
    assert np.flatnonzero(chosen).tolist() == [89, 90, 91]
    assert not len(split.labels_of(np.array([], int)))
    assert replace(split, y=None).labels_of(np.array([0])) is None
    assert replace(split, y=np.array([3, 4, 5])).labels_of(np.array([2, 0])).tolist() == [5, 3]
