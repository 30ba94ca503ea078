"""Faults in files with several inputs and outputs stand where they are judged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scenes
from several import crossed_artifact, double, samples, two_layers

from litegate.core.errors import MeasurementError
from litegate.mutation.faults import Unplantable, accuracy, behaviour, classes, plumbing, sound
from litegate.mutation.faults.layers import first, last
from litegate.runtimes.inference import predict, predict_all
from litegate.spec import Inputs
from litegate.tflite.editing.draft import Draft


def scene(tflite=None, **fields):
    """A sound scene of a network with two inputs and two outputs, `small` and `wide`."""
    candidate = crossed_artifact(tflite or two_layers(), output="wide", **fields)
    y = predict(candidate).raw.argmax(axis=1)
    split = replace(candidate.evaluation, y=y, classes=tuple("abcd"))
    candidate = replace(candidate, evaluation=split)
    made = scenes.scene()
    return sound(
        replace(
            made,
            model=replace(made.model, file=Path("models/two.py")),
            candidate=candidate,
            reference=replace(candidate, model="reference"),
            baseline=candidate,
            base=candidate,
        )
    )


def test_wrong_answers_are_planted_by_samples_of_all_inputs():
    planted = accuracy.wrong_answers(scene(), 20)
    fed = planted.candidate.evaluation.x
    assert isinstance(fed, Inputs)
    wrong = predict(planted.candidate).raw.argmax(axis=1) != planted.candidate.evaluation.y
    assert wrong.mean() == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        (accuracy.samples_too_large, lambda x, _: x * 2),
        (accuracy.samples_too_small, lambda x, _: x / 2),
        (accuracy.samples_shifted, lambda x, width: x + 0.02 * width),
    ],
)
def test_samples_are_changed_in_every_input(fault, change):
    """A shift goes by the domain of each."""
    x, given = samples(), scene()
    ends = {"left": (-1, 1), "right": (-1, 4)}
    given = replace(
        given,
        candidate=replace(
            given.candidate, evaluation=replace(given.candidate.evaluation, domain=ends)
        ),
    )
    fed = fault(given, 2).candidate.evaluation.x
    assert np.allclose(fed.arrays["left"], change(x.arrays["left"], 2), atol=1e-6)
    assert np.allclose(fed.arrays["right"], change(x.arrays["right"], 5), atol=1e-6)


def test_nobody_scales_token_ids():
    ids = scenes.scene()
    ids = replace(ids, candidate=replace(ids.candidate, tflite=double(dtype="int32")))
    with pytest.raises(Unplantable, match="whole numbers"):
        accuracy.samples_too_large(ids, 2)


def test_nan_is_planted_in_a_sample_of_each_input():
    planted = plumbing.nan_sample(scene(), 1)
    for array in planted.candidate.evaluation.x.arrays.values():
        assert np.isnan(array).any(axis=1).sum() == 1
    with pytest.raises(MeasurementError, match="got: sample 0 in the input left"):
        predict_all(planted.candidate)


def test_a_fault_in_the_answers_is_one_of_the_output_that_decides():
    found = predict_all(behaviour.nan_answers(scene(), 1).candidate)
    assert np.isnan(found["wide"].raw).all()
    assert np.isfinite(found["small"].raw).all()


def test_classes_are_swapped_in_the_output_that_decides():
    before = predict_all(scene().candidate)
    after = predict_all(classes.swapped_classes(scene(), 1).candidate)
    assert np.array_equal(after["small"].raw, before["small"].raw)
    assert np.array_equal(after["wide"].raw[:, [1, 0]], before["wide"].raw[:, [0, 1]])


def test_the_first_and_the_last_layer_of_several():
    """The first is that of the input that most is computed of; the last that of the output."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(two_layers(), 0)
    assert first(Draft(model)).weight.name == b"of_right"
    assert last(Draft(model, output="small")).weight.name == b"to_small"
    assert last(Draft(model, output="wide")).weight.name == b"to_wide"
    assert last(Draft(model)).weight.name == b"to_small"
