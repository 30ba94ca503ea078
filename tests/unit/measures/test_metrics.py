"""Metrics: their arithmetic against scikit-learn, their limits, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as judged
from tiny import artifact, rounder, selector

from litegate import metrics, percent, points
from litegate.core.errors import ConfigError, MeasurementError
from litegate.measures.accuracy import accuracy
from litegate.measures.measurement import Outcome
from litegate.measures.metrics import (
    metric_class_loss,
    metric_loss,
    metric_regression,
    metric_slice_loss,
    metric_value,
)
from litegate.measures.metrics.custom import Chunk
from litegate.measures.metrics.sample_statistics import statistics
from litegate.measures.metrics.values import mean_over_classes, metric_values
from litegate.measures.statistics.bootstrap import jackknife_samples
from litegate.measures.verdict_text import sentence
from litegate.spec.metric import MetricKind

RNG = np.random.default_rng(3)
X = RNG.normal(size=(400, 3)).astype(np.float32)
Y = np.where(RNG.random(400) < 0.7, X.argmax(axis=1), RNG.integers(3, size=400))
SAME = selector(3, [0, 1, 2])
COARSE = rounder(3, scale=0.5)


def sides(x=X, y=Y, before=SAME, after=COARSE, slices=None, **fields):
    """A reference and a candidate on the same samples, with slices."""
    made = [artifact(each, x, y, **fields) for each in (before, after)]
    split = replace(made[0].evaluation, slices=slices or {})
    return [replace(each, evaluation=split) for each in made]


def error_of(outputs, inputs):
    """How badly an autoencoder gives its input again."""
    return np.square(outputs - inputs).mean(axis=1)


def first_output(outputs):
    return outputs[:, 0]


def within_one(outputs, labels):
    return np.abs(outputs[:, 0] - labels) <= 1


def average_precision(outputs, labels):
    """The mean over classes; thousands of resamples would take scikit-learn seconds."""
    return np.mean([precision_of(s, labels == i) for i, s in enumerate(outputs.T)])


def precision_of(scores, is_class):
    """The average precision of one class; equal scores are one threshold."""
    order = np.argsort(-scores)
    is_last = np.append(np.diff(scores[order]) != 0, True)
    hits, ranks = np.cumsum(is_class[order])[is_last], np.flatnonzero(is_last) + 1
    return (np.diff(hits, prepend=0) * hits / ranks).sum() / hits[-1]


def share_right(outputs, labels):
    return (outputs.argmax(axis=1) == labels).mean()


def of_nothing(outputs):
    return float("nan") if len(outputs) else 0.0


def that_fails(outputs):
    raise ValueError("no idea")


def that_marks_its_own_homework(outputs, labels):
    outputs[:] = np.eye(3)[labels]
    return np.ones(len(outputs))


def that_wipes_its_inputs(outputs, inputs):
    inputs *= 0
    return outputs[:, 0]


def of_labels_alone(labels):
    return np.ones(len(labels))


CHANCE = np.random.default_rng(5)


def by_chance(outputs):
    return float(CHANCE.random())


def each_by_chance(outputs):
    return CHANCE.random(len(outputs))


def in_per_cent(outputs, labels):
    return 100 * share_right(outputs, labels)


def each_in_per_cent(outputs, labels):
    return 100.0 * (outputs.argmax(axis=1) == labels)


def that_hides_its_worst(outputs, inputs):
    """Infinite on a third of the resamples, those in which the first sample is missing."""
    return 0.1 if (inputs == X[0]).all(axis=1).any() else np.inf


def a_text(outputs):
    return "much"


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.f1(least=0), lambda s: judged.f1_score(Y, s.argmax(1), average="macro")),
        (metrics.f1(of=2, least=0), lambda s: judged.f1_score(Y == 2, s.argmax(1) == 2)),
        (metrics.f1(of="c", least=0), lambda s: judged.f1_score(Y == 2, s.argmax(1) == 2)),
        (metrics.auc(of=2, least=0), lambda s: judged.roc_auc_score(Y == 2, s[:, 2])),
        (
            metrics.auc(score=first_output, of=0, least=0),
            lambda s: judged.roc_auc_score(Y == 0, s[:, 0]),
        ),
        (
            metrics.custom("map", average_precision, better="higher", bounded=True, least=0),
            lambda s: judged.average_precision_score(np.eye(3)[Y], s, average="macro"),
        ),
    ],
    ids=["macro_f1", "f1_of_2", "f1_of_c", "auc", "auc_of_a_score", "map"],
)
@pytest.mark.parametrize("tflite", [SAME, COARSE], ids=["exact", "with ties"])
def test_metrics_of_classes_are_those_of_scikit_learn(metric, expected, tflite):
    found = metric_value(artifact(tflite, X, Y), metric)
    scores = X if tflite is SAME else rounded(X)
    assert found.value == pytest.approx(expected(scores), abs=1e-9)
    assert found.low < found.value < found.high
    assert found.interval.low < found.low


def rounded(x):
    return np.clip(np.trunc(x / 0.5 + np.copysign(0.5, x)), -128, 127) * np.float32(0.5)


TARGETS = (X @ np.array([1.0, -2.0, 0.5]) + RNG.normal(size=400)).astype(np.float32)
REGRESSION = {"x": TARGETS[:, None] + RNG.normal(size=(400, 1)), "y": TARGETS, "classes": 1}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.mse(most=9), judged.mean_squared_error),
        (metrics.rmse(most=9), judged.root_mean_squared_error),
        (metrics.mae(most=9), judged.mean_absolute_error),
        (
            metrics.mean("close", within_one, better="higher", bounded=True, least=0),
            lambda y, p: (np.abs(y - p) <= 1).mean(),
        ),
    ],
    ids=["mse", "rmse", "mae", "mean"],
)
def test_metrics_of_targets_are_those_of_scikit_learn(metric, expected):
    one = artifact(selector(1, [0]), **REGRESSION)
    found = metric_value(one, metric)
    answered = np.asarray(REGRESSION["x"], np.float32)[:, 0]
    assert found.value == pytest.approx(float(expected(TARGETS, answered)), rel=1e-5)
    assert found.low < found.value < found.high


def test_a_binary_classifier_with_one_output_has_its_score_and_its_threshold():
    x, y = X[:, :1], (X[:, 0] + RNG.normal(size=400) > 0).astype(int)
    one = artifact(selector(1, [0]), x, y, classes=2)
    assert metric_value(one, metrics.auc(least=0)).value == pytest.approx(
        judged.roc_auc_score(y, x[:, 0])
    )
    of_no = metric_value(one, metrics.auc(of=0, least=0)).value
    assert of_no == pytest.approx(judged.roc_auc_score(y == 0, -x[:, 0]))
    f1 = metrics.f1(of=1, threshold=0, least=0)
    assert metric_value(one, f1).value == pytest.approx(judged.f1_score(y, x[:, 0] >= 0))
    with pytest.raises(MeasurementError, match=r"threshold=0\.5 for a sigmoid"):
        metric_value(one, metrics.f1(least=0))


def test_of_two_outputs_the_score_is_the_lead():
    """Two logits rank samples by their difference, as their softmax does."""
    y = (X[:, 1] > X[:, 0]).astype(int)
    both = artifact(selector(2, [0, 1]), X[:, :2], y)
    assert metric_value(both, metrics.auc(least=0)).value == 1


def test_an_anomaly_detector_is_judged_by_its_reconstruction_error():
    """The score is of outputs and inputs; labels of anomalies are the evaluation split's alone."""
    x = np.where(np.arange(200)[:, None] < 40, 3.0, 0.3) * RNG.normal(size=(200, 4))
    y = (np.arange(200) < 40).astype(int)
    one = artifact(rounder(4, scale=1 / 127), x, y, classes=2)
    metric = metrics.auc(score=error_of, least=0.7, loss=0.05)
    clipped = np.clip(x, -128 / 127, 1)
    expected = judged.roc_auc_score(y, ((clipped - x) ** 2).mean(axis=1))
    assert metric_value(one, metric).value == pytest.approx(expected, abs=0.02)


def test_top_k_is_a_share_of_marks():
    one = artifact(SAME, X, Y)
    metric = metrics.top_k(2, least=percent(50), loss=points(1))
    found = metric_value(one, metric)
    assert float(found.value) == pytest.approx(judged.top_k_accuracy_score(Y, X, k=2))
    assert found.interval.method == "Wilson's score"
    lost = metric_loss(*sides(), metric)
    assert lost.name == "top_2 drop"
    assert lost.interval.method == "Tango's score, paired"


def test_of_equal_scores_the_lower_class_comes_first():
    x = np.zeros((4, 3))
    assert metric_value(
        artifact(SAME, x, [0, 1, 2, 2]), metrics.top_k(2, least=percent(1))
    ).value == (0.5)


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [(0.0, Outcome.FAIL), ("at", Outcome.INCONCLUSIVE), (0.5, Outcome.PASS)],
)
def test_a_loss_has_three_verdicts(limit, outcome):
    reference, candidate = sides()
    metric = metrics.f1(loss=1)
    found = metric_loss(reference, candidate, metric)
    assert found.name == "f1 drop"
    assert found.value > 0
    verdict = found <= (found.value if limit == "at" else limit)
    assert verdict.outcome is outcome


def test_a_loss_is_in_the_metrics_own_direction():
    """An error that rises is a loss; the sentence says by how much."""
    before, after = (
        artifact(each, **REGRESSION) for each in (selector(1, [0]), rounder(1, scale=1))
    )
    verdict = metric_loss(before, after, metrics.mse(loss=0.01)) <= 0.01
    assert verdict.outcome is Outcome.FAIL
    assert sentence(verdict).startswith(f"mse rise of {after.name} is 0.0")
    assert "of the reference" in sentence(verdict)


def test_the_same_samples_are_drawn_for_both():
    """Errors of hundreds, of which one part in a thousand is lost: only pairing can show that."""
    x = np.stack([RNG.normal(size=300) * 100, np.zeros(300)], axis=1)
    before = artifact(selector(2, [0]), x, np.zeros(300, np.float32), classes=1)
    after = artifact(selector(2, [0], gain=1.001), x, np.zeros(300, np.float32), classes=1)
    found = metric_loss(before, after, metrics.mae(loss=1))
    alone = metric_value(before, metrics.mae(most=1))
    assert found.high - found.low < (alone.high - alone.low) / 100


def test_no_difference_is_no_proof():
    """Two files that answer alike on 400 samples: up to 0.75 % of others could differ."""
    reference, candidate = sides(after=selector(3, [0, 1, 2], gain=1.5))
    found = metric_loss(reference, candidate, metrics.f1(loss=0.01))
    assert found.value == 0
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 400))
    assert found.interval.method == "0 of 400 distinct samples differ"
    assert (found <= 0.01).outcome is Outcome.PASS
    assert (found <= 0.005).outcome is Outcome.INCONCLUSIVE


def test_no_difference_of_a_metric_without_ends_is_inconclusive():
    reference, candidate = sides(
        X[:, :1], X[:, 0], before=selector(1, [0]), after=selector(1, [0], free=False), classes=1
    )
    verdict = metric_loss(reference, candidate, metrics.mse(loss=1)) <= 1
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "0 of 400 distinct samples differ, so the spread is unknown" in verdict.note
    assert verdict.measurement.interval is None


def test_a_perfect_score_is_no_certain_one():
    one = artifact(SAME, X, X.argmax(axis=1))
    found = metric_value(one, metrics.f1(least=0.9))
    assert found.value == 1
    assert found.low == pytest.approx(0.05 ** (1 / 400))


def test_copies_prove_nothing_more():
    once, often = (
        metric_value(artifact(SAME, np.repeat(X[:50], k, axis=0), np.repeat(Y[:50], k)), metric)
        for k in (1, 8)
        for metric in [metrics.f1(least=0)]
    )
    assert often.value == pytest.approx(once.value)
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert "400 samples, 50 distinct" in often.evidence


def test_the_class_that_loses_most_is_named():
    reference, candidate = sides(after=selector(3, [0, 1, 2], bias=[0, 0, -1]))
    verdict = metric_class_loss(reference, candidate, metrics.f1(class_loss=0.05)) <= 0.05
    assert verdict.outcome is Outcome.FAIL
    assert 'class "c" has 0.' in sentence(verdict)
    assert "Bonferroni over 3 classes" in sentence(verdict)
    top = metric_class_loss(reference, candidate, metrics.top_k(1, class_loss=points(5)))
    assert top.name == "worst class's top_1 drop"
    assert 'class "c" loses' in (top <= points(5)).note


@pytest.mark.parametrize(
    "metric", [metrics.f1(class_loss=1), metrics.top_k(1, class_loss=points(9))]
)
def test_a_class_without_a_sample_has_no_loss(metric):
    """It is answered now and then, wrongly in both: an F1 of zero that cannot fall."""
    reference, candidate = sides(y=np.minimum(Y, 1))
    with pytest.raises(MeasurementError, match="1 of 3 classes have no sample"):
        metric_class_loss(reference, candidate, metric)


@pytest.mark.parametrize(
    "metric", [metrics.f1(least=0), metrics.auc(least=0), metrics.top_k(1, least=percent(1))]
)
@pytest.mark.parametrize(("shape", "classes"), [((400, 3), "ab"), ((400, 3, 2), "abcdef")])
def test_outputs_must_be_one_score_a_class(metric, shape, classes):
    """More of them than names, or one for each pixel, choose between other things."""
    outputs = np.random.default_rng(0).normal(size=shape)
    with pytest.raises(MeasurementError, match="needs one score for each class"):
        statistics(metric, chunk(outputs, Y % 2, tuple(classes)))


def test_channels_must_be_as_many_as_classes():
    with pytest.raises(MeasurementError, match="needs one score for each class"):
        statistics(metrics.iou(least=0), chunk(PIXELS, MASKS, ("paper", "ink")))


NIGHT = np.arange(400) < 80


@pytest.mark.parametrize(
    ("metric", "limit"),
    [
        (metrics.f1(slice_loss=0.05), 0.05),
        (metrics.top_k(1, slice_loss=points(5)), points(5)),
        (metrics.custom("right", share_right, better="higher", slice_loss=0.01), 0.01),
    ],
    ids=["f1", "top_1", "custom"],
)
def test_the_slice_that_loses_most_is_named(metric, limit):
    """Every third answer at night is another's: little of the whole, much of the night."""
    x = X.copy()
    reference, candidate = sides(x, slices={"day": ~NIGHT, "night": NIGHT}, after=SAME)
    moved = x.copy()
    moved[:80:2] = moved[:80:2, [1, 2, 0]]
    split = replace(candidate.evaluation, x=moved)
    candidate = replace(candidate, evaluation=split, model="other")
    verdict = metric_slice_loss(reference, candidate, metric) <= limit
    assert verdict.outcome is Outcome.FAIL
    assert verdict.measurement.n == 80
    assert 'slice "night"' in sentence(verdict)


def test_without_a_slice_there_is_nothing_to_lose():
    with pytest.raises(MeasurementError, match="has no slices"):
        metric_slice_loss(*sides(), metrics.f1(slice_loss=0.1))


def test_the_same_bytes_lose_nothing():
    one = artifact(SAME, X, Y)
    found = metric_regression(one, one, metrics.f1(regression=0.01))
    assert (found <= 0.0).outcome is Outcome.PASS
    assert found.evidence == ("the same bytes",)


def test_a_change_is_held_against_its_base():
    base, candidate = sides()
    found = metric_regression(base, candidate, metrics.f1(regression=0.01))
    assert found.name == "f1 regression"
    assert any("of the base" in fact for fact in found.evidence)
    own = found.absolute()
    assert (own.measurement, own.relation.value) == ("f1", ">=")
    assert own.value == metric_value(candidate, metrics.f1(least=0.1)).value


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: metrics.auc(most=0.9), "better the higher it is, so most"),
        (lambda: metrics.mse(least=1), "better the lower it is, so least"),
        (lambda: metrics.mse(class_loss=1), "no class_loss"),
        (metrics.mse, "has no limit"),
        (lambda: metrics.mse(most=percent(1)), r"mse\(most=\.\.\.\) has the wrong unit"),
        (lambda: metrics.mse(most=float("nan")), "wrong unit"),
        (lambda: metrics.f1(loss=2), "outside the metric's range"),
        (lambda: metrics.auc(least=95), "outside the metric's range"),
        (lambda: metrics.top_k(2, loss=points(101)), "outside the metric's range"),
        (lambda: metrics.top_k(5, least=0.9), r"a quantity in %"),
        (lambda: metrics.top_k(5, loss=percent(1)), r"a quantity in points"),
        (lambda: metrics.top_k(0, least=percent(9)), "at least 1"),
        (lambda: metrics.mse(name="a b", most=1), "letters, digits and underscores"),
        (lambda: metrics.mse(name="size", most=1), "already the name of a measurement"),
        (lambda: metrics.mean("own", len, better="up", most=1), "higher or lower is better"),
        (lambda: metrics.mean("own", max, better="lower", most=1), "takes the parameters none"),
        (
            lambda: metrics.mean("own", of_labels_alone, better="higher", least=1),
            "takes the parameters labels",
        ),
        (
            lambda: metrics.custom("own", lambda outputs: outputs.sum(), better="lower", most=1),
            "with def",
        ),
    ],
)
def test_a_metric_that_promises_nothing_is_refused(make, text):
    with pytest.raises(ConfigError, match=text):
        make()


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (metrics.mse(most=1), "labels of another shape"),
        (metrics.custom("own", that_fails, better="lower", most=1), "ValueError: no idea"),
        (metrics.custom("own", a_text, better="lower", most=1), "does not return a number"),
        (
            metrics.custom("own", that_hides_its_worst, better="lower", most=1),
            "does not return a number",
        ),
        (metrics.custom("own", of_nothing, better="lower", most=1), "has no value"),
        (
            metrics.mean("own", a_text, better="lower", most=1),
            "does not return one number for each sample",
        ),
        (metrics.custom("own", by_chance, better="lower", most=1), "other values for the same"),
        (metrics.mean("own", each_by_chance, better="lower", most=1), "other values for the same"),
        (metrics.auc(score=each_by_chance, least=0), "other values for the same"),
        (
            metrics.custom("own", in_per_cent, better="higher", bounded=True, least=1),
            "exceeds its declared bounds",
        ),
        (
            metrics.mean("own", each_in_per_cent, better="higher", bounded=True, least=1),
            "exceeds its declared bounds",
        ),
        (metrics.top_k(3, least=percent(1)), "is the same for any answer: there are 3 classes"),
        (metrics.f1(of="z", least=0), "which does not exist"),
        (metrics.auc(of=3, least=0), "no output"),
        (metrics.iou(least=0), "masks of another shape"),
    ],
)
def test_what_has_no_value_is_an_error(metric, text):
    with pytest.raises(MeasurementError, match=text):
        metric_value(artifact(SAME, X, Y), metric)


@pytest.mark.parametrize("function", [that_marks_its_own_homework, that_wipes_its_inputs])
def test_a_function_cannot_write_into_what_others_read(function):
    """What it is handed is the memory that accuracy and every other check reads."""
    one = artifact(SAME, X, Y)
    before = accuracy(one).value
    with pytest.raises(MeasurementError, match="read-only"):
        metric_value(one, metrics.mean("own", function, better="higher", least=0))
    assert accuracy(one).value == before
    np.testing.assert_array_equal(one.evaluation.x, X)


def test_without_labels_only_what_needs_none_is_measured():
    one = artifact(SAME, X, Y)
    one = replace(one, evaluation=replace(one.evaluation, y=None))
    with pytest.raises(MeasurementError, match="needs labels"):
        metric_value(one, metrics.f1(least=0))
    metric_value(one, metrics.mean("level", first_output, better="lower", most=1))


def chunk(outputs, labels, classes=()):
    return Chunk(outputs=outputs, labels=labels, inputs=outputs, classes=classes)


MASKS = RNG.integers(3, size=(50, 4, 5))
PIXELS = RNG.normal(size=(50, 4, 5, 3)) + np.eye(3)[MASKS]


@pytest.mark.parametrize("labels", [MASKS, MASKS[..., None]], ids=["flat", "with a channel"])
def test_iou_is_that_of_scikit_learn(labels):
    """Over all pixels at once, the mean over classes."""
    kept = statistics(metrics.iou(least=0), chunk(PIXELS, labels))
    chosen = PIXELS.argmax(axis=-1)
    each = judged.jaccard_score(MASKS.ravel(), chosen.ravel(), average=None)
    once = np.ones((1, 50))
    assert mean_over_classes(metric_values(MetricKind.IOU, kept, once)) == pytest.approx(
        each.mean()
    )
    assert metric_values(MetricKind.IOU, kept, once)[0] == pytest.approx(each)


def test_classes_that_only_the_answers_have_do_not_count():
    """A reference that once answers a class without samples would have a mean below any change."""
    masks = np.minimum(MASKS, 1)
    scores = np.eye(3)[masks].copy()
    scores[0, 0, 0] = [0, 0, 1]
    kept = statistics(metrics.iou(least=0), chunk(scores, masks))
    each = metric_values(MetricKind.IOU, kept, np.ones((1, 50)))
    assert np.isnan(each[0]).tolist() == [False, False, True]
    assert mean_over_classes(each) > 0.99
    labels, answers = np.array([0, 0, 1, 1]), np.eye(3)[[0, 0, 1, 2]]
    kept = statistics(metrics.f1(least=0), chunk(answers, labels))
    expected = judged.f1_score(labels, answers.argmax(1), labels=[0, 1], average="macro")
    each = metric_values(MetricKind.F1, kept, np.ones((1, 4)))
    assert mean_over_classes(each) == pytest.approx(expected)


@pytest.mark.parametrize("channel", [True, False])
def test_iou_of_a_single_channel(channel):
    score = PIXELS[..., :1] if channel else PIXELS[..., 0]
    kept = statistics(metrics.iou(threshold=0.5, least=0), chunk(score, (MASKS == 0).astype(int)))
    expected = judged.jaccard_score(
        (MASKS == 0).ravel(), (PIXELS[..., 0] >= 0.5).ravel(), average="macro"
    )
    assert mean_over_classes(
        metric_values(MetricKind.IOU, kept, np.ones((1, 50)))
    ) == pytest.approx(expected)


def test_pixels_may_not_count():
    """255 in a mask is no class; a mask that holds it is refused unless it is ignored."""
    masks = MASKS.copy()
    masks[:, 0] = 255
    kept = statistics(metrics.iou(ignore=255, least=0), chunk(PIXELS, masks))
    without = statistics(metrics.iou(least=0), chunk(PIXELS[:, 1:], MASKS[:, 1:]))
    np.testing.assert_array_equal(kept, without)
    with pytest.raises(MeasurementError, match="not classes"):
        statistics(metrics.iou(least=0), chunk(PIXELS, masks))


def test_values_on_a_resample_are_those_of_its_samples():
    """Counting a sample twice is having it twice."""
    drawn = RNG.integers(400, size=400)
    counts = np.bincount(drawn, minlength=400)[None].astype(float)
    for metric, kind in (
        (metrics.f1(least=0), MetricKind.F1),
        (metrics.auc(least=0), MetricKind.AUC),
    ):
        whole = statistics(metric, chunk(np.round(X, 1), Y))
        once = metric_values(kind, whole, counts)
        assert once == pytest.approx(metric_values(kind, whole[drawn], np.ones((1, 400))))


def test_a_part_is_left_out_in_turn():
    """Each sample of few, one of 500 parts of many."""
    few = np.concatenate(list(jackknife_samples(7)))
    np.testing.assert_array_equal(few, 1 - np.eye(7))
    many = np.concatenate(list(jackknife_samples(12_000)))
    assert many.shape == (500, 12_000)
    np.testing.assert_array_equal((1 - many).sum(axis=0), np.ones(12_000))


@pytest.mark.slow
@pytest.mark.parametrize("metric", [metrics.f1(loss=1), metrics.auc(loss=1)], ids=["f1", "auc"])
def test_the_upper_limit_of_a_loss_holds_nineteen_times_in_twenty(metric):
    """Of 200 draws of 150 samples, the limit lies below the true loss in 2 to 9 per cent."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(20_000, 2))
    y = (x[:, 1] - x[:, 0] + rng.normal(size=20_000) > 0).astype(int)
    pair = selector(2, [0, 1]), rounder(2, scale=1)
    true = metric_loss(*(artifact(each, x, y) for each in pair), metric).value
    missed = 0
    for _ in range(200):
        some = rng.integers(len(x), size=150)
        found = metric_loss(*(artifact(each, x[some], y[some]) for each in pair), metric)
        missed += found.high < true
    assert 0.02 <= missed / 200 <= 0.09
