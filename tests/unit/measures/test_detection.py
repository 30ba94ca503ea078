"""Mean average precision: its values against pycocotools, its losses, and what it refuses."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from boxes import detections_of, detector, drawn
from coco_reference import coco_stats
from needs import detection
from several import Graph, write
from tiny import rounder

from litegate import metrics
from litegate.core.errors import ConfigError, MeasurementError
from litegate.measures.measurement import Outcome
from litegate.measures.metrics import (
    metric_class_loss,
    metric_loss,
    metric_regression,
    metric_slice_loss,
    metric_value,
)
from litegate.measures.metrics.average_precision import average_precision
from litegate.measures.metrics.box_matching import matched_classes
from litegate.measures.metrics.detection import box_notes
from litegate.measures.metrics.resampling import plain_value
from litegate.spec import Inputs
from litegate.spec.metric import MetricKind

pytestmark = detection

COCO = metrics.map_coco(detections_of, least=0.5, loss=0.02)
VOC = metrics.map_voc(detections_of, least=0.5, loss=0.02)


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("overlap", [None, 0.5])
def test_the_value_is_that_of_pycocotools(ignored, overlap):
    labels, detections = drawn(80, ignored=ignored)
    metric = metrics.map_coco(detections_of, overlap=overlap, least=0.1)
    measured = metric_value(detector(labels, detections), metric)
    assert 0.1 < measured.value < 0.9
    assert measured.value == pytest.approx(coco_stats(labels, detections, overlap), abs=1e-12)
    assert measured.interval.low < measured.value < measured.interval.high


def test_a_resample_has_the_value_of_its_images():
    labels, detections = drawn(40, seed=5)
    picked = np.sort(np.random.default_rng(2).integers(40, size=40))
    counts = np.bincount(picked, minlength=40)[None].astype(float)
    classes = matched_classes(detector(labels, detections), COCO)
    values = [average_precision(it, counts, COCO.kind)[0] for it in classes]
    assert np.mean(values) == pytest.approx(coco_stats(labels[picked], detections[picked]))


def test_more_than_a_hundred_detections_of_an_image_are_cut_as_by_pycocotools():
    labels, detections = drawn(3, most=90, classes=1, seed=3)
    value = plain_value(detector(labels, detections, classes=1), COCO)
    assert value == pytest.approx(coco_stats(labels, detections), abs=1e-12)


def voc_by_hand(labels, detections, number, overlap=0.5):
    """Average precision of one class, written as the development kit of VOC 2010 is."""
    rows = [
        (-row[4], image, row)
        for image, rows in enumerate(detections)
        for row in rows
        if row[5] == number
    ]
    rows.sort(key=lambda row: row[:2])
    taken, marks = set(), []
    for _, image, row in rows:
        best, place = 0, None
        for index, label in enumerate(labels[image]):
            if label[4] == number and (share := iou(row, label)) > best:
                best, place = share, (image, index)
        is_near = place is not None and best >= overlap
        if is_near and len(labels[0, 0]) > 5 and labels[place][5]:
            continue
        marks.append(is_near and place not in taken)
        taken.add(place if is_near else None)
    is_label = labels[..., 4] == number
    count = (is_label & (labels[..., 5] == 0) if labels.shape[2] > 5 else is_label).sum()
    hits = np.cumsum(marks)
    recall = np.concatenate([[0], hits / count, [1]])
    precision = np.concatenate([[0], hits / np.arange(1, len(marks) + 1), [0]])
    for index in range(len(precision) - 2, -1, -1):
        precision[index] = max(precision[index], precision[index + 1])
    return (np.diff(recall) * precision[1:]).sum()


def iou(first, second):
    first, second = np.float64(first[:4]), np.float64(second[:4])
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    both = np.prod(np.maximum(sides, 0))
    return both / (np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - both)


@pytest.mark.parametrize("ignored", [False, True])
def test_voc_agrees_with_its_development_kit(ignored):
    labels, detections = drawn(60, ignored=ignored, error=0.03)
    measured = metric_value(detector(labels, detections), VOC)
    expected = np.mean([voc_by_hand(labels, detections, number) for number in range(3)])
    assert measured.value == pytest.approx(expected, abs=1e-9)


def test_voc_counts_a_second_detection_of_a_box_as_wrong_and_coco_gives_it_the_next():
    """Two boxes that overlap by more than half, each detection nearest to the first."""
    labels = np.float32([[[0, 0, 1, 1, 0], [0, 0.2, 1, 1.2, 0]]] * 20)
    twice = np.float32([[[0, 0, 1, 1, 0.9, 0], [0, 0.05, 1, 1.05, 0.8, 0]]] * 20)
    made = detector(labels, twice, classes=1)
    at_half = metrics.map_coco(detections_of, overlap=0.5, least=0)
    values = [matched_classes(made, metric)[0].hits.sum() for metric in (at_half, VOC)]
    assert values == [40, 20]


def pair(**fields):
    """A reference, and a candidate whose scores and corners are rounded."""
    labels, detections = drawn(80, **fields)
    mask = np.arange(80) % 2 == 0
    reference = detector(labels, detections, slices={"even": mask, "rest": ~mask})
    width = detections.shape[1] * 6
    coarse = detector(
        labels,
        detections,
        tflite=rounder(width, scale=1 / 16),
        split=reference.evaluation,
    )
    return reference, coarse


def test_losses_are_paired_and_of_the_worst_class_and_slice():
    reference, coarse = pair()
    loss = metric_loss(reference, coarse, VOC)
    before, after = (metric_value(side, VOC) for side in (reference, coarse))
    assert loss.value == pytest.approx(before.value - after.value)
    assert loss.value > 0
    unpaired = before.interval.high - before.interval.low
    assert loss.interval.high - loss.interval.low < unpaired
    of_class = metric_class_loss(reference, coarse, VOC)
    of_slice = metric_slice_loss(reference, coarse, VOC)
    assert of_class.value >= loss.value
    assert "class" in of_class.name
    assert of_slice.value > 0
    assert "slice" in of_slice.name
    assert metric_regression(reference, coarse, VOC).value == loss.value
    assert metric_regression(coarse, coarse, VOC).value == 0
    assert (loss <= 1).outcome is Outcome.PASS


@pytest.mark.parametrize(("boxes", "judged"), [(19, False), (20, True), (21, True)])
def test_a_class_with_few_boxes_is_reported_and_not_judged(boxes, judged):
    labels, detections = drawn(120, classes=2)
    labels[..., 4][labels[..., 4] == 1] = -1
    labels[:boxes, 0, 4] = 1
    detections[..., 5][detections[..., 5] == 1] = -1
    made = detector(labels, detections, classes=2)
    of_first = metrics.map_voc(detections_of, of="a", least=0)
    value, sole = plain_value(made, VOC), plain_value(made, of_first)
    note = box_notes(made, VOC)[-1]
    assert ("not judged" in note) is not judged
    assert value == pytest.approx(sole / 2 if judged else sole)
    if not judged:
        assert f"b 0 ({boxes})" in note
        assert note in metric_value(made, VOC).evidence
        with pytest.raises(MeasurementError, match="no value") as raised:
            metric_value(made, metrics.map_voc(detections_of, of="b", least=0))
        assert "20 boxes" in raised.value.expected


def test_no_class_with_enough_boxes_is_an_error():
    labels, detections = drawn(3)
    with pytest.raises(MeasurementError, match="too few boxes"):
        metric_value(detector(labels, detections), COCO)


def with_outputs(**arrays):
    """An artifact that gives each of its inputs as an output of the same name."""
    graph = Graph()
    same = graph.tensor("same", data=np.float32(1))
    given, shown = {}, {}
    for name, array in arrays.items():
        given[name] = graph.tensor(f"in_{name}", -1, *array.shape[1:])
        shown[name] = graph.tensor(f"out_{name}", -1, *array.shape[1:])
        graph.step("MUL", [given[name], same], shown[name])
    tensors = [list(side.values()) for side in (given, shown)]
    tflite = write((graph, *tensors), signatures=[("serving", 0, given, shown)])
    return tflite, Inputs({name: np.float32(array) for name, array in arrays.items()})


def from_named(outputs):
    parts = (outputs["boxes"], outputs["scores"][..., None], outputs["classes"][..., None])
    return np.concatenate(parts, axis=2)


def test_named_outputs_need_no_function():
    labels, detections = drawn(60, seed=6)
    detections[..., 5] = np.maximum(detections[..., 5], 0)
    detections[..., 4] = np.maximum(detections[..., 4], 0.02)  # of scores of 0 none is the highest
    plain = detector(labels, detections)
    boxes, scores, classes = detections[..., :4], detections[..., 4], detections[..., 5]
    of_each = scores[..., None] * (classes[..., None] == np.arange(3))
    expected = plain_value(plain, COCO)
    for arrays, decode in [
        ({"boxes": boxes, "scores": scores, "classes": classes}, None),
        ({"boxes": boxes, "scores": scores, "classes": classes}, from_named),
        ({"boxes": boxes, "scores": of_each}, None),
        ({"anything": detections}, None),
    ]:
        tflite, x = with_outputs(**arrays)
        split = replace(plain.evaluation, x=x, digest=" ".join(arrays))
        made = replace(plain, tflite=tflite, sha256=str(arrays.keys()), evaluation=split)
        metric = metrics.map_coco(decode, least=0)
        assert plain_value(made, metric) == pytest.approx(expected, abs=1e-12)


def no_rows(outputs):
    return [np.empty((0, 6))] * (len(outputs) - 1)


def five_columns(outputs):
    return outputs.reshape(len(outputs), -1, 6)[..., :5]


def that_fails(outputs):
    raise ValueError("no idea")


def of_nothing(outputs):
    return None


RNG = np.random.default_rng(4)


def by_chance(outputs):
    return detections_of(outputs) + RNG.normal(size=1)


def with_nan(outputs):
    decoded = np.array(detections_of(outputs))
    decoded[0, 0] = [np.nan, 0, 1, 1, 1, 0]
    return decoded


def of_no_class(outputs):
    return detections_of(outputs) + np.float32([0, 0, 0, 0, 0, 0.5])


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (None, "finds no detections in the outputs"),
        (no_rows, "does not return detections"),
        (five_columns, "does not return detections"),
        (of_nothing, "does not return detections"),
        (that_fails, "failed on 30 samples"),
        (by_chance, "other values for the same samples"),
        (with_nan, "NaN or infinite"),
        (of_no_class, "not class numbers"),
    ],
)
def test_answers_that_are_no_detections_are_refused(decode, message):
    labels, detections = drawn(30)
    with pytest.raises(MeasurementError, match=message):
        metric_value(detector(labels, detections), metrics.map_coco(decode, least=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: labels[..., :4], "needs boxes as labels"),
        (lambda labels: labels[:, 0], "needs boxes as labels"),
        (lambda labels: labels + np.float32([0, 0, 0, 0, 0.5]), "not class numbers"),
        (lambda labels: labels + np.float32([0, 0, 0, 0, 5]), "not class numbers"),
        (lambda labels: labels * np.float32([1, 1, -1, 1, 1]), "corners"),
        (lambda labels: labels * np.float32([1, 1, np.inf, 1, 1]), "corners"),
    ],
)
def test_labels_that_are_no_boxes_are_refused(change, message):
    labels, detections = drawn(30)
    with pytest.raises(MeasurementError, match=message):
        metric_value(detector(change(labels), detections), COCO)


def test_without_pycocotools_the_error_names_the_extra(monkeypatch):
    labels, detections = drawn(30, seed=8)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(ConfigError, match="needs pycocotools") as raised:
        metric_value(detector(labels, detections), COCO)
    assert raised.value.remedy == "pip install 'litegate[detection]'"


def score_of_labels(outputs, labels):
    return labels


@pytest.mark.parametrize("overlap", [0, 1.01, -0.5])
def test_what_cannot_be_declared(overlap):
    with pytest.raises(ConfigError, match="intersection over union"):
        metrics.map_voc(overlap=overlap, least=0.5)
    with pytest.raises(ConfigError, match="takes the parameters outputs, labels"):
        metrics.map_coco(score_of_labels, least=0.5)


def test_kinds_differ_and_limits_are_shares():
    assert metrics.map_coco(least=0.5).kind is MetricKind.MAP_COCO
    assert metrics.map_coco(least=0.5) != metrics.map_coco(least=0.5, overlap=0.5)
    assert not metrics.map_voc(least=0.5).fits_classifier
    with pytest.raises(ConfigError, match="outside the metric's range"):
        metrics.map_coco(least=50)
