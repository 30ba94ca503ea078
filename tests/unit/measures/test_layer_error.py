"""Layer error: how far each layer is from its counterpart, and which one diverges first."""

import math
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import ModelT
from tiny import artifact as of_samples
from tiny import rounder, selector

from litegate import points
from litegate.core.errors import ArtifactError, MeasurementError
from litegate.measures.accuracy import accuracy_drop, class_drop, extra_errors, layer_error
from litegate.measures.accuracy.layer_error import (
    DIVERGENCE,
    SAMPLES,
    LayerError,
    decibels,
    divergence,
    first_diverging,
    layer_errors,
)
from litegate.measures.measurement import Outcome
from litegate.measures.regression import accuracy_loss
from litegate.mutation.faults.edits import revalue
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Kind
from litegate.testing import Draft, edit, tiny
from litegate.testing.artifacts import artifact
from litegate.testing.split import evaluation

SPLIT = evaluation()
NAMES = ("conv", "depthwise", "dense")
KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def of(tflite, kind=Kind.INT8_QAT):
    return artifact(tflite, kind, split=SPLIT)


REFERENCE = of(tiny(Kind.FLOAT32), Kind.FLOAT32)


def noisy(name, *, seed=0):
    """The int8 file with random weights in one layer."""
    draw = np.random.default_rng(seed)
    return revalue(
        tiny(Kind.INT8_QAT), f"{name}/weight", lambda held: draw.permuted(held).astype(np.int8)
    )


INT4 = (Kind.WEIGHT_ONLY_WI4_AFP32, Kind.DYNAMIC_WI4B32_AFP32)
EIGHT_BITS = [kind for kind in Kind if kind not in (Kind.FLOAT32, *INT4)]


@pytest.mark.parametrize("kind", EIGHT_BITS)
def test_every_layer_of_a_sound_candidate_is_near_its_counterpart(kind):
    """Shapes, moves and changes of type are no layers."""
    found = layer_errors(REFERENCE, of(tiny(kind), kind))
    assert tuple(one.operator for one in found) == KINDS
    assert all(one.sqnr > 20 for one in found)
    assert first_diverging(found) is None


def rounded(weights, scales):
    """What int4 weights stand for: `scales` has the shape of the weights, or of one per block."""
    steps = np.repeat(scales, weights.shape[-1] // scales.shape[-1], -1).astype(np.float32)
    return np.clip(np.round(weights / steps), -7, 7).astype(np.float32) * steps


@pytest.mark.parametrize(("kind", "layers", "sqnr"), [(INT4[0], 2, 60), (INT4[1], 1, 20)])
def test_int4_weights_differ_from_their_own_values_by_the_kernels_rounding(kind, layers, sqnr):
    """Unpacked they are exact; the kernel that reads blocks quantizes the activations, too."""
    packed, plain = of(tiny(kind), kind), tiny(Kind.FLOAT32)
    names = ("conv/weight", "dense/weight")[-layers:]

    def change(model):
        draft, source = Draft(model), Draft(ModelT.InitFromPackedBuf(packed.tflite, 0))
        for name in names:
            weight = source.tensor(name)
            scales = weight.quantization.scale
            if scales is None:
                scales = source.values(source.tensor(f"{name}_scales"))
            else:
                scales = np.asarray(scales).reshape(-1, *[1] * (len(weight.shape) - 1))
            tensor = draft.tensor(name)
            draft.store(tensor, rounded(draft.values(tensor), scales))

    found = layer_errors(of(edit(plain, change), Kind.FLOAT32), packed)
    assert tuple(one.operator for one in found) == KINDS
    assert all(one.sqnr > sqnr for one in found)


def test_a_file_does_not_differ_from_itself():
    found = layer_errors(REFERENCE, REFERENCE)
    assert [(one.sqnr, one.before, one.relative_rms) for one in found] == [
        (math.inf,) * 2 + (0,)
    ] * 3


def test_sqnr_of_the_last_layer_is_that_of_the_outputs():
    """On the same samples and kernels: 10 log10 of the powers' ratio."""
    candidate = of(tiny(Kind.INT8_QAT))
    chosen = SPLIT.x[np.linspace(0, len(SPLIT.x) - 1, SAMPLES).astype(int)]
    one, other = (
        outputs(each.tflite, chosen, kernels=Kernels.BUILTIN, batch=1).real.astype(float)
        for each in (REFERENCE, candidate)
    )
    power = (one**2).sum() / ((other - one) ** 2).sum()
    last = layer_errors(REFERENCE, candidate)[-1]
    assert last.sqnr == pytest.approx(10 * math.log10(power), abs=1e-3)
    assert last.relative_rms == pytest.approx(power**-0.5, rel=1e-3)


def test_what_a_layer_reads_is_what_the_layer_before_wrote():
    first, second, third = layer_errors(REFERENCE, of(tiny(Kind.INT8_QAT)))
    assert first.before > 40  # the samples, rounded to int8
    assert second.before == first.sqnr
    assert third.before == second.sqnr


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "kind"), [*zip(NAMES, KINDS, strict=True)])
def test_the_faulty_layer_diverges_first(name, kind, seed):
    candidate = of(noisy(name, seed=seed))
    assert accuracy_drop(REFERENCE, candidate).value > 0.1
    found = first_diverging(layer_errors(REFERENCE, candidate))
    assert found.operator == kind
    (told,) = divergence(REFERENCE, candidate)
    assert told == (
        f"the first layer that diverges from {REFERENCE.name}: {name} "
        f"(SQNR {found.sqnr:.1f} dB, {found.before:.1f} dB in its input)"
    )


def error(sqnr, before=math.inf, index=0):
    return LayerError(name="conv", operator="CONV_2D", index=index, sqnr=sqnr, before=before)


((LOW, FALL), (FINER, STEEP)) = DIVERGENCE


@pytest.mark.parametrize(
    ("sqnr", "before", "diverges"),
    [
        (LOW, LOW + STEEP, False),
        (LOW - 0.001, LOW + FALL, True),
        (LOW - 1, LOW - 1 + FALL, False),
        (LOW - 1, LOW - 1 + FALL + 0.001, True),
        (FINER, math.inf, False),
        (FINER - 0.001, math.inf, True),
        (FINER - 1, FINER - 1 + STEEP, False),
        (FINER - 1, FINER - 1 + STEEP + 0.001, True),
        (-math.inf, 3.0, True),
        (-math.inf, -math.inf, False),
        (math.inf, math.inf, False),
    ],
)
def test_a_layer_diverges_where_it_is_low_and_fell(sqnr, before, diverges):
    assert (first_diverging([error(sqnr, before)]) is not None) is diverges


def test_the_first_of_several_is_named():
    low = [error(30, index=0), error(5, 30, index=1), error(-3, 5, index=2)]
    assert first_diverging(low).index == 1


def test_no_layer_is_blamed_for_what_all_have_a_part_in():
    (told,) = divergence(REFERENCE, of(tiny(Kind.INT8_QAT)))
    assert told.startswith("no single layer diverges: ")


def test_a_layer_that_gives_nan_has_no_signal():
    candidate = of(
        revalue(tiny(Kind.FLOAT32), "depthwise/bias", lambda held: held * np.float32(np.nan))
    )
    conv, depthwise, dense = layer_errors(REFERENCE, candidate)
    assert (conv.sqnr, depthwise.sqnr, dense.sqnr) == (math.inf, -math.inf, -math.inf)
    assert depthwise.relative_rms == math.inf
    (told,) = divergence(REFERENCE, candidate)
    assert "depthwise (SQNR no signal, exact in its input)" in told


def test_a_reference_that_is_zero_has_no_signal():
    """A power of 0 has no ratio to that of the difference."""
    one, other = (
        of_samples(selector(2, [0, 1], gain=gain), np.ones((4, 2))) for gain in (0.0, 1.0)
    )
    assert [each.sqnr for each in layer_errors(one, other)] == [-math.inf]


@pytest.mark.parametrize(("sqnr", "text"), [(31.24, "31.2 dB"), (math.inf, "exact")])
def test_decibels_read_as_a_person_says_them(sqnr, text):
    assert decibels(sqnr) == text


def test_files_without_a_common_layer_are_told():
    x = np.eye(2)
    one, other = of_samples(selector(2, [0, 1]), x), of_samples(rounder(2, scale=0.1), x)
    with pytest.raises(MeasurementError, match=r"no layer of .* has a counterpart"):
        layer_errors(one, other)
    assert divergence(one, other)[0].startswith(
        f"the first layer that diverges from {one.name} is not known: "
    )


def test_a_damaged_candidate_is_told_and_not_raised():
    broken = of(tiny(Kind.INT8_QAT)[:-64])
    with pytest.raises(ArtifactError):
        layer_errors(REFERENCE, broken)
    assert "is not known" in divergence(REFERENCE, broken)[0]


def test_a_layer_behind_one_that_became_another_is_not_said_to_read_the_same(monkeypatch):
    """The changed layer has no counterpart: "exact in its input" would blame the wrong one."""
    found = LayerError(
        name="dense",
        operator="FULLY_CONNECTED",
        index=1,
        sqnr=3,
        before=math.inf,
        is_input_paired=False,
    )
    monkeypatch.setattr(layer_error, "layer_errors", lambda *_: (found,))
    (said,) = divergence(of(tiny(Kind.FLOAT32)), of(tiny(Kind.INT8_QAT)))
    assert "dense (SQNR 3.0 dB, its inputs have no counterpart" in said
    assert "exact in its input" not in said


def test_other_samples_are_refused():
    other = replace(SPLIT, digest="other")
    candidate = artifact(tiny(Kind.INT8_QAT), split=other)
    with pytest.raises(MeasurementError, match="different evaluation splits"):
        layer_errors(REFERENCE, candidate)


@pytest.mark.parametrize("measure", [accuracy_drop, extra_errors, class_drop, accuracy_loss])
def test_a_failing_verdict_of_accuracy_names_the_layer_when_it_is_explained(measure):
    """Not before: a passing run does not pay for it."""
    found = measure(REFERENCE, of(noisy("depthwise")))
    verdict = found <= type(points(0))(0, found.unit)
    assert verdict.outcome is Outcome.FAIL
    assert not any("diverges" in one for one in verdict.measurement.evidence)
    told = verdict.explained().measurement.evidence
    label = "the base's " if measure is accuracy_loss else ""
    start = f"the first layer that diverges from {label}{REFERENCE.name}: depthwise"
    assert told[-1].startswith(start)
    assert told[:-1] == found.evidence


def test_a_verdict_that_does_not_fail_is_not_explained():
    def why():
        raise AssertionError("nobody asked")

    found = replace(accuracy_drop(REFERENCE, of(tiny(Kind.INT8_QAT))), why=why)
    verdict = found <= points(50)
    assert verdict.explained() is verdict


def test_a_layer_of_another_size_than_its_file_says_is_told():
    """Padding moved from one layer to the next: the answers keep their shape."""

    def swap(model):
        conv, depthwise = (one.builtinOptions for one in model.subgraphs[0].operators[1:3])
        conv.padding, depthwise.padding = depthwise.padding, conv.padding

    candidate = of(edit(tiny(Kind.INT8_QAT), swap))
    with pytest.raises(MeasurementError, match="has another size at run time") as caught:
        layer_errors(REFERENCE, candidate)
    assert (caught.value.expected, caught.value.got) == ("256 values, as the reference", "400")
    (told,) = divergence(REFERENCE, candidate)
    assert told.startswith(
        f"the first layer that diverges from {REFERENCE.name} is not known: a layer"
    )
