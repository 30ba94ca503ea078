"""Runtimes against each other: decisions, and the operator that adds most of the difference."""

from dataclasses import replace

import numpy as np
import pytest
from recurrent import remembering
from tiny import artifact, selector

from litegate import percent
from litegate.measures.accuracy.operator_difference import largest_difference
from litegate.measures.accuracy.runtime_agreement import REFERENCE_SAMPLES, runtime_agreement
from litegate.measures.lints.runtime_differences import runtime_difference_notes
from litegate.measures.measurement import Outcome
from litegate.spec import Budget, Kind
from litegate.spec.recipes import int8_ptq
from litegate.testing import Draft, edit, tiny_artifact

TWO = selector(2, [0, 1])
INT8 = tiny_artifact(Kind.INT8_QAT, input_type="int8", output_type="int8")


def on_reference(tflite, x):
    return replace(artifact(tflite, x), runtime="reference")


def test_runtimes_agree_on_what_needs_no_rounding():
    """Moving numbers about is the same on any runtime."""
    found = runtime_agreement(on_reference(TWO, np.random.default_rng(1).random((700, 2))))
    assert found.value == 1
    assert found.n == REFERENCE_SAMPLES
    assert (found >= percent(99.4)).outcome is Outcome.PASS
    assert (found >= percent(99.5)).outcome is Outcome.INCONCLUSIVE
    assert found.evidence[0].endswith("XNNPACK")
    assert found.evidence[1:3] == ("500 of 700 samples", "500 decisions equal")


@pytest.mark.parametrize("most", [None, 2000])
def test_every_decision_that_differs_counts(most):
    """A runtime that answers from another file differs in a share of the samples."""
    x = np.random.default_rng(1).random((2000, 2))
    candidate = replace(on_reference(TWO, x), elsewhere=selector(2, [1, 0]))
    found = runtime_agreement(candidate, most=most)
    assert found.value == 0
    assert found.n == (most or 500)


def test_a_split_of_few_samples_is_compared_whole():
    found = runtime_agreement(on_reference(TWO, np.random.default_rng(1).random((9, 2))))
    assert found.evidence[1] == "9 of 9 samples"


@pytest.mark.parametrize("layer", ["conv", "depthwise", "dense"])
def test_the_operator_that_deviates_is_named(layer):
    """A runtime that runs a copy in which one layer's weight scales are 2 % larger."""

    def larger(model):
        scales = Draft(model).tensor(f"{layer}/weight").quantization
        scales.scale = [1.02 * scale for scale in scales.scale]

    deviating = edit(INT8.tflite, larger)
    split = replace(INT8.evaluation)
    there = replace(INT8, runtime="reference", elsewhere=deviating, evaluation=split)
    reason, *_ = runtime_agreement(there).why()
    model = Draft(_unpacked(INT8.tflite))
    index = model.writer(layer)
    assert reason.startswith(f"operator {index} "), reason
    assert "adds most: " in reason


def _unpacked(tflite):
    kept = []
    edit(tflite, kept.append)
    return kept[0]


def test_runtimes_that_do_not_differ_name_no_operator():
    reason, *_ = runtime_agreement(on_reference(TWO, np.eye(2))).why()
    assert reason == "no operator, run alone, differs between the runtimes"


def test_a_recurrent_layer_that_deviates_is_named():
    """Alone, it starts from the reset state from which it starts in the file."""
    candidate = artifact(remembering(), np.random.default_rng(1).random((9, 2)), classes=2)

    def larger(model):
        draft = Draft(model)
        draft.store(draft.tensor("w2"), 1.5 * draft.values(draft.tensor("w2")))

    deviating = edit(candidate.tflite, larger)
    there = replace(candidate, runtime="reference", elsewhere=deviating)
    (reason,) = largest_difference(candidate, there)
    assert reason.startswith("operator 0 SVDF v1 adds most: ")


@pytest.mark.slow
def test_runtimes_differ_on_a_real_network(data_directory):
    """The published int8 ResNet8 decides one image in twenty otherwise on reference kernels."""
    with np.load(data_directory / "cifar10_test.npz") as arrays:
        x = arrays["x_test"][::20]
    tflite = (data_directory / "mlperf_tiny/resnet8_int8.tflite").read_bytes()
    recipe = int8_ptq(input_type="int8", output_type="int8")
    candidate = replace(artifact(tflite, x, recipe=recipe, classes=10), runtime="reference")
    found = runtime_agreement(candidate)
    assert 0.9 < found.value < 1
    assert (found >= percent(99)).outcome is Outcome.FAIL
    assert "adds most" in found.why()[0]


@pytest.mark.parametrize(
    ("differing", "limit", "judged", "is_noted"),
    [(2, None, True, False), (3, None, True, True), (3, 90, True, False), (3, None, False, False)],
)
def test_more_than_one_percent_without_a_limit_is_a_note(differing, limit, judged, is_noted):
    """At 1 % of 200 samples it is none."""
    x = np.tile([1.0, 0.0], (200, 1)).astype(np.float32)
    x[:differing] = [0.0, 1.0]
    first = selector(2, [0, 0])  # it chooses the first class of a tie, as the other one mostly does
    candidate = replace(artifact(TWO, x), elsewhere=first)
    budget = Budget(runtimes=("xnnpack", "reference"), runtime_agreement=limit and percent(limit))
    rows = [{"measurement": f"accuracy{' on reference' if judged else ''}"}]
    notes = list(runtime_difference_notes(candidate, budget, rows))
    assert len(notes) == is_noted
    if is_noted:
        assert "reference decides as xnnpack on 98.50 % of 200 samples" in notes[0]
