"""Faults planted in the comparison: how much they cost, and who notices."""

from dataclasses import replace

import numpy as np
import pytest
from noticing import notices
from scenes import scene

from litegate.measures.accuracy import answers, class_drop
from litegate.measures.accuracy.agreement import keras_agreement
from litegate.mutation.faults import Unplantable, accuracy
from litegate.mutation.faults.catalogue import faults_in

FAULTS = faults_in(accuracy)


def right(artifact):
    return int(answers(artifact).right.sum())


def test_each_fault_stands_in_the_module():
    assert [fault.name for fault in FAULTS] == [
        "wrong_answers",
        "collapsed_class",
        "equally_wrong",
        "samples_too_large",
        "samples_too_small",
        "samples_shifted",
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_named_measurement_notices_the_top_grade_and_no_sound_scene(fault):
    planted = fault(scene(), fault.ladder.top)
    missed = [name for name in fault.noticed_by if not notices(name, planted)]
    assert not missed
    assert not any(notices(name, scene()) for name in fault.noticed_by)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_somebody_notices_the_grade_that_must_be_noticed(fault, io):
    planted = fault(scene(input_type=io, output_type=io), fault.ladder.must)
    names = (*fault.noticed_by, "agreement with Keras", "accuracy regression")
    assert any(notices(name, planted) for name in names)


@pytest.mark.parametrize(("points", "wrong"), [(0.05, 1), (0.5, 1), (1, 2), (5, 10), (20, 40)])
def test_exactly_so_many_answers_become_wrong(points, wrong):
    sound = scene()
    planted = accuracy.wrong_answers(sound, points)
    assert right(planted.candidate) == right(sound.candidate) - wrong
    assert right(planted.reference) == right(sound.reference)
    assert right(planted.base) == right(sound.candidate)


def test_another_seed_misleads_on_other_samples():
    one, other = (
        accuracy.wrong_answers(replace(scene(), seed=seed), 5).candidate for seed in (1, 2)
    )
    assert right(one) == right(other)
    assert not np.array_equal(answers(one).right, answers(other).right)


def test_a_class_collapses_while_wrong_answers_elsewhere_become_right():
    """With ten answers wrong from the start, ten lost in the class cost nothing overall."""
    sound = scene()
    classes = np.bincount(sound.candidate.evaluation.y)
    smallest, n = int(classes.argmin()), len(classes)
    y = sound.candidate.evaluation.y.copy()
    elsewhere = np.flatnonzero(y != smallest)[:40]
    others = [one for one in range(n) if one != smallest]
    y[elsewhere] = [others[(others.index(one) + 1) % len(others)] for one in y[elsewhere]]
    flawed = sound.with_split(sound.candidate.evaluation.x, y)
    planted = accuracy.collapsed_class(flawed, 100)
    assert right(planted.candidate) == right(flawed.candidate)
    assert class_drop(planted.reference, planted.candidate).value == 1


def test_a_class_that_collapses_loses_the_share_of_the_grade():
    planted = accuracy.collapsed_class(scene(), 50)
    assert float(class_drop(planted.reference, planted.candidate).value) == pytest.approx(
        0.5, abs=0.02
    )


def test_models_that_are_equally_wrong_agree_with_each_other_and_with_keras():
    planted = accuracy.equally_wrong(scene(), 20)
    assert right(planted.candidate) == right(planted.reference) == right(scene().candidate) - 40
    assert keras_agreement(planted.candidate).value == 1
    assert not notices("accuracy drop", planted)


def test_samples_move_by_the_grade():
    x = scene().candidate.evaluation.x
    moved = {
        fault.name: fault(scene(), grade).candidate.evaluation.x
        for fault, grade in (
            (accuracy.samples_too_large, 2),
            (accuracy.samples_too_small, 2),
            (accuracy.samples_shifted, 50),
        )
    }
    assert np.allclose(moved["samples_too_large"], 2 * x)
    assert np.allclose(moved["samples_too_small"], x / 2)
    assert np.allclose(moved["samples_shifted"], x + 0.5)
    assert all(one.dtype == np.float32 for one in moved.values())


def test_no_answer_can_be_made_wrong_where_one_class_alone_is_answered():
    split = scene().candidate.evaluation
    only = split.y == 0
    with pytest.raises(Unplantable, match="two classes"):
        accuracy.wrong_answers(scene().with_split(split.x[only], split.y[only]), 1)
