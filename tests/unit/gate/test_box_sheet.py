"""The flip sheet of a detector: which labelled boxes changed sides, and what is drawn."""

from dataclasses import replace

import numpy as np
import pytest
from boxes import detector, drawn
from needs import detection
from several import Graph, write

from litegate import metrics
from litegate.gate.evidence import gather, in_memory
from litegate.gate.evidence.box_sheet import box_sheet, operating_score
from litegate.gate.evidence.comparison import Comparison
from litegate.gate.page import rows
from litegate.measures.metrics.box_matching import matched_classes
from litegate.report.html import captions
from litegate.report.html.charts.samples import sample
from litegate.report.html.page_data import Image

pytestmark = detection

IMAGES, SIDE = 30, 8


def decode(outputs):
    return outputs.reshape(len(outputs), -1, 6)


METRIC = metrics.map_coco(decode, least=0.5)


def detected(scores):
    """A detector of two boxes in each image, with these scores by image and box, (30, 2)."""
    labels = np.zeros((IMAGES, 2, 5), np.float32)
    labels[:, 0], labels[:, 1] = [0, 0, 4, 4, 0], [4, 4, 8, 8, 1]
    numbers = np.where(scores[..., None] > 0, labels[..., 4:], -1)
    answers = np.concatenate([labels[..., :4], scores[..., None], numbers], axis=2)
    return detector(labels, answers.astype(np.float32), classes=2)


def pair(lost, won):
    """A reference and a candidate; the first `lost` boxes are lost, the last `won` are won."""
    before, after = np.full((2, IMAGES, 2), 0.9)
    after[:lost, 0] = 0.1
    before[IMAGES - won :, 1] = 0
    return detected(before), detected(after)


def sheet_of(reference, candidate, most_bytes=100_000):
    return box_sheet("reference", reference, candidate, METRIC, most_bytes)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (3, 2)])
def test_the_sheet_counts_boxes_that_one_side_alone_detects(lost, won):
    sheet = sheet_of(*pair(lost, won))
    assert (sheet.n, sheet.broken, sheet.fixed) == (2 * IMAGES, lost, won)
    assert sheet.threshold == pytest.approx(0.9)
    by_name = {it.name: (it.broken, it.fixed, it.n) for it in sheet.classes}
    assert by_name == ({"a": (lost, 0, IMAGES)} if lost else {}) | (
        {"b": (0, won, IMAGES)} if won else {}
    )
    summary = captions.flip_summary(sheet)
    assert ("no box of 60 changed sides" in summary) is (lost == won == 0)
    assert "taken for" not in summary
    if lost:
        flip = sheet.classes[0].shown[0]
        assert (flip.before.chosen, flip.after.chosen) == ("detected, score 0.9", "missed")
        assert flip.broken


def test_few_bytes_show_few_boxes():
    sheet = sheet_of(*pair(3, 2), most_bytes=0)
    assert (sheet.broken, sheet.shown) == (3, 0)


def test_the_operating_score_is_that_of_the_highest_f1():
    labels, detections = drawn(60)
    classes = matched_classes(detector(labels, detections), replace(METRIC, overlap=0.5))
    best = operating_score(classes)
    labelled = sum(it.boxes.sum() for it in classes)

    def f1(least):
        kept = [it.hits[0][it.score >= least] for it in classes]
        return 2 * sum(it.sum() for it in kept) / (sum(map(len, kept)) + labelled)

    assert f1(best) == pytest.approx(max(f1(least) for least in np.arange(51) / 50))
    nothing = replace(classes[0], matched=np.full_like(classes[0].matched, -1))
    assert operating_score((nothing,)) == np.inf


@pytest.mark.parametrize("unit", [1, SIDE])
def test_boxes_are_drawn_over_images(unit):
    """In pixels or in shares of the image."""
    scores = np.full((IMAGES, 2), 0.9)
    reference = detected(scores)
    images = np.random.default_rng(0).random((IMAGES, SIDE, SIDE, 1)).astype(np.float32)
    labels = reference.evaluation.y / np.float32([*[SIDE / unit] * 4, 1])
    split = replace(reference.evaluation, x=images, y=labels, digest="images")

    def always(found):
        """A file that gives the same two boxes for each image, with these scores."""
        answer = [[0, 0, unit / 2, unit / 2, found, 0], [unit / 2, unit / 2, unit, unit, 0.9, 1]]
        tflite = constant(np.ravel(answer))
        return replace(reference, tflite=tflite, sha256=f"{found}", evaluation=split)

    reference, candidate = always(0.9), replace(always(0.1), model="m")
    compared = Comparison(
        model="m", recipe="r", candidate=candidate, reference=reference, base=None, boxes=METRIC
    )
    lookup = in_memory(compared.sides.values())
    (facts,), gaps = gather(rows([compared]), lookup, {("m", "r"): METRIC})
    assert not [gap for gap in (*gaps, *facts.gaps) if "boxes" in gap]
    picture = facts.sheet.classes[0].shown[0].picture
    assert isinstance(picture, Image)
    kinds = [mark.kind for mark in picture.marks]
    assert kinds == ["label", "before", "before", "after"]
    label = picture.marks[0]
    assert (label.left, label.top, label.width, label.height) == (0, 0, 0.5, 0.5)
    svg = str(sample(picture, "sample <0>"))
    assert svg.count("<rect") == 4
    assert 'class="label"' in svg
    assert "<0>" not in svg


def constant(values):
    """A file that gives these values for any image."""
    graph, count = Graph(), len(values)
    image = graph.tensor("image", -1, SIDE, SIDE, 1)
    weights = graph.tensor("w", count, SIDE * SIDE, data=np.zeros((count, SIDE**2), np.float32))
    bias = graph.tensor("bias", count, data=np.float32(values))
    answer = graph.tensor("answer", -1, count)
    graph.step("FULLY_CONNECTED", [image, weights, bias], answer)
    return write((graph, [image], [answer]))
