"""Faults in a layer's weights and in its channels: what they change, and who notices."""

from dataclasses import replace

import numpy as np
import pytest
from noticing import notices
from scenes import scene

from litegate.measures.accuracy import answers
from litegate.mutation.faults import Draft, Unplantable, classes, edit, weights
from litegate.mutation.faults.catalogue import faults_in
from litegate.runtimes.inference import outputs
from litegate.spec import Kind
from litegate.tflite.parser import parse

FAULTS = (*faults_in(weights), *faults_in(classes))
by_name = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


def stored(planted, name):
    """What the constant `name` of a scene's candidate holds."""
    found = []

    def look(model):
        draft = Draft(model)
        found.append(draft.values(draft.tensor(name)))

    edit(planted.candidate.tflite, look)
    return found[0]


def changed(planted, name="dense/weight"):
    """How many values of a constant are not as they were."""
    return int((stored(planted, name) != stored(scene(), name)).sum())


def test_the_modules_hold_their_faults():
    assert len(faults_in(weights)) == 6
    assert len(faults_in(classes)) == 4


@by_name
@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_every_named_measurement_notices_the_top_grade(fault, io):
    sound = scene(input_type=io, output_type=io)
    planted = fault(sound, fault.ladder.top)
    assert [name for name in fault.noticed_by if not notices(name, planted)] == []
    assert not any(notices(name, sound) for name in fault.noticed_by)


@by_name
def test_the_base_notices_the_grade_that_must_be_noticed(fault):
    planted = fault(scene(), fault.ladder.must)
    assert notices("accuracy regression", planted)


@by_name
def test_each_grade_is_a_file_of_the_same_tensors_that_runs(fault):
    sound = scene()
    shapes = [tensor.shape for tensor in parse(sound.candidate.tflite).main.tensors]
    for grade in fault.ladder.grades:
        planted = fault(sound, grade)
        main = parse(planted.candidate.tflite).main
        assert [tensor.shape for tensor in main.tensors] == shapes
        assert len(outputs(planted.candidate.tflite, sound.candidate.evaluation.x[:2]).raw) == 2
        assert planted.shipped == planted.candidate.tflite
        assert planted.base.tflite == sound.candidate.tflite


GRADUAL = [fault for fault in faults_in(weights) if fault is not weights.flipped_bits]
"""One bit of the tiny network may cost it as much as half of them."""


@pytest.mark.parametrize("fault", GRADUAL, ids=lambda fault: fault.name)
def test_the_grossest_grade_costs_more_than_the_finest(fault):
    fine, gross = (
        answers(fault(scene(), grade).candidate).right.sum()
        for grade in (fault.ladder.grades[0], fault.ladder.top)
    )
    assert gross < fine - 50


def test_the_first_layers_scales_grow_by_the_grade():
    before, after = (
        {tensor.name: tensor.scales for tensor in parse(one.candidate.tflite).main.tensors}
        for one in (scene(), weights.scale_too_large(scene(), 50))
    )
    grown = {name for name in before if before[name] != after[name]}
    assert grown == {"conv/weight", "conv/bias"}
    assert np.allclose(after["conv/weight"], 1.5 * np.array(before["conv/weight"]))


def test_a_step_of_the_zero_point_adds_each_channels_weights_to_its_bias():
    planted = weights.zero_point_shifted(scene(), 4)
    added = stored(planted, "dense/bias") - stored(scene(), "dense/bias")
    assert np.array_equal(added, 4 * stored(scene(), "dense/weight").sum(axis=1, dtype=int))


def test_weights_are_clipped_to_the_quantile():
    before, after = (
        np.abs(stored(one, "dense/weight").astype(int))
        for one in (scene(), weights.clipped_weights(scene(), 20))
    )
    assert after.max() < before.max()
    assert (before >= after.max()).mean() == pytest.approx(0.2, abs=0.02)
    assert np.array_equal(after, np.minimum(before, after.max()))


def test_the_smallest_weights_are_pruned():
    before = np.abs(stored(scene(), "dense/weight").astype(int)).ravel()
    after = np.abs(stored(weights.pruned_weights(scene(), 50), "dense/weight").astype(int)).ravel()
    kept = after > 0
    assert kept.sum() <= len(before) // 2
    assert np.array_equal(after[kept], before[kept])
    assert before[kept].min() >= before[~kept].max()


@pytest.mark.parametrize(("share", "bits"), [(0.01, 1), (0.5, 41), (2, 164)])
def test_exactly_so_many_bits_are_flipped(share, bits):
    before, after = (
        np.unpackbits(stored(one, "dense/weight").view(np.uint8))
        for one in (scene(), weights.flipped_bits(scene(), share))
    )
    assert (before != after).sum() == bits


def test_a_greater_share_of_flipped_bits_holds_a_less():
    one, other = (stored(weights.flipped_bits(scene(), g), "dense/weight") for g in (0.1, 2))
    before = stored(scene(), "dense/weight")
    assert not ((one ^ before) & ~(other ^ before)).any()


def test_another_seed_flips_other_bits():
    one, other = (weights.flipped_bits(replace(scene(), seed=seed), 2) for seed in (1, 2))
    assert not np.array_equal(stored(one, "dense/weight"), stored(other, "dense/weight"))


def test_saturated_weights_keep_their_sign():
    before = stored(scene(), "dense/weight").astype(int)
    after = stored(weights.saturated_weights(scene(), 100), "dense/weight").astype(int)
    assert np.array_equal(np.abs(after), np.full_like(after, 127))
    assert ((before < 0) == (after < 0)).all()


def test_the_rarest_class_is_never_answered():
    planted = classes.class_never_answered(scene(), 256)
    rarest = np.bincount(scene().candidate.evaluation.y).argmin()
    chosen = outputs(planted.candidate.tflite, planted.candidate.evaluation.x).real.argmax(axis=1)
    assert rarest not in chosen
    assert changed(planted, "dense/bias") == 1


def test_a_pair_of_swapped_classes_answers_as_the_other():
    sound, planted = scene(), classes.swapped_classes(scene(), 1)
    x = sound.candidate.evaluation.x
    before, after = (outputs(one.candidate.tflite, x).real for one in (sound, planted))
    assert np.array_equal(after, before[:, [1, 0, 2, 3]])


def test_no_class_keeps_its_place_under_shuffled_labels():
    for seed in range(5):
        planted = classes.shuffled_labels(replace(scene(), seed=seed), 1)
        assert not answers(planted.candidate).right.any()


def test_swapped_channels_take_their_scales_and_biases_along():
    order = [1, 0, 2, 3]
    planted = classes.swapped_channels(scene(), 1)
    for name in ("conv/weight", "conv/bias"):
        assert np.array_equal(stored(planted, name), stored(scene(), name)[order])
        before, after = (
            next(t.scales for t in parse(one.candidate.tflite).main.tensors if t.name == name)
            for one in (scene(), planted)
        )
        assert after == tuple(before[place] for place in order)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (weights.scale_too_large, "not quantized"),
        (weights.zero_point_shifted, "no integer weights"),
        (weights.pruned_weights, "float32 weights"),
        (weights.saturated_weights, "float32 weights"),
        (classes.class_never_answered, "no integer bias"),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_floats_cannot_have_a_fault_of_integers(fault, reason):
    with pytest.raises(Unplantable, match=reason):
        fault(scene(Kind.FLOAT32), fault.ladder.top)


def test_classes_cannot_be_swapped_where_the_last_layer_has_others():
    split = scene().candidate.evaluation
    fewer = replace(scene().candidate, evaluation=replace(split, classes=split.classes[:3]))
    with pytest.raises(Unplantable, match="4 channels for 3 classes"):
        classes.swapped_classes(replace(scene(), candidate=fewer), 1)
