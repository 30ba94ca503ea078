"""Faults in packed weights: what each changes, and which measurement notices it."""

from contextlib import suppress

import numpy as np
import pytest
from graphs import tensor
from noticing import notices
from scenes import scene

from litegate.core.errors import ArtifactError
from litegate.mutation.faults import (
    Expect,
    Unplantable,
    classes,
    latency,
    quantizer_files,
    types,
    weights,
)
from litegate.mutation.faults.catalogue import faults_in
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Kind
from litegate.spec.recipe import QUANTIZER_KINDS, STATIC_KINDS
from litegate.tflite.parser import parse

WI8, ONLY8, ONLY4, BLOCKS = (
    Kind.DYNAMIC_WI8_AFP32,
    Kind.WEIGHT_ONLY_WI8_AFP32,
    Kind.WEIGHT_ONLY_WI4_AFP32,
    Kind.DYNAMIC_WI4B32_AFP32,
)
KINDS = {
    quantizer_files.float_weights: {WI8, ONLY8, ONLY4, BLOCKS},
    quantizer_files.merged_scales: {WI8, ONLY8, ONLY4},
    quantizer_files.wide_weights: {ONLY4, BLOCKS},
    quantizer_files.hybrid_weights: {ONLY8, ONLY4},
    quantizer_files.unpacked_weights: {WI8, BLOCKS},
    quantizer_files.infinite_block: {BLOCKS},
}
PLANTED = [(fault, kind) for fault, kinds in KINDS.items() for kind in sorted(kinds)]
by_fault = pytest.mark.parametrize(
    ("fault", "kind"), PLANTED, ids=lambda it: getattr(it, "name", it)
)


def weight(planted, name="dense/weight"):
    return tensor(parse(planted.candidate.tflite), name)


def test_each_fault_of_the_module_has_its_kinds():
    assert faults_in(quantizer_files) == tuple(KINDS)


@by_fault
def test_every_named_measurement_notices_it(fault, kind):
    for grade in {fault.ladder.must, fault.ladder.top}:
        planted = fault(scene(kind), grade)
        types_alone = [name for name in fault.noticed_by if "violations" in name]
        assert [name for name in types_alone if not notices(name, planted)] == []


@by_fault
def test_the_planted_file_runs_unless_litert_may_refuse_it(fault, kind):
    planted = fault(scene(kind), fault.ladder.top).candidate
    if fault.expect is not Expect.REFUSED:
        assert np.isfinite(outputs(planted.tflite, planted.evaluation.x).real).all()


@pytest.mark.parametrize("kind", sorted(KINDS[quantizer_files.float_weights]))
def test_no_named_measurement_notices_a_sound_scene(kind):
    for name in ("tensor type violations", "operator violations"):
        assert not notices(name, scene(kind))


@pytest.mark.parametrize("fault", KINDS, ids=lambda fault: fault.name)
def test_other_kinds_cannot_have_it(fault):
    for kind in {Kind.INT8_QAT, *QUANTIZER_KINDS} - KINDS[fault]:
        with pytest.raises(Unplantable):
            fault(scene(kind), 1)


def test_float_weights_keep_their_values_without_a_dequantize():
    planted = quantizer_files.float_weights(scene(ONLY4), 4)
    assert weight(planted).dtype == "float32"
    before, after = (
        outputs(it.candidate.tflite, it.candidate.evaluation.x).real
        for it in (scene(ONLY4), planted)
    )
    np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-4)
    names = [operator.name for operator in parse(planted.candidate.tflite).main.operators]
    assert "DEQUANTIZE" not in names


@pytest.mark.parametrize("kernels", [Kernels.XNNPACK, Kernels.BUILTIN])
def test_an_infinite_block_is_refused_or_answered_with_nan(kernels):
    """XNNPACK refuses the file, the builtin kernels give one NaN beside three sound scores.

    LiteRT's reference kernels do not read the scales of blocks (2.3.0).
    """
    planted = quantizer_files.infinite_block(scene(BLOCKS), 1)
    tflite, x = planted.candidate.tflite, planted.candidate.evaluation.x
    if kernels is Kernels.XNNPACK:
        with pytest.raises(ArtifactError, match="LiteRT cannot run"):
            outputs(tflite, x, kernels=kernels)
    else:
        finite = np.isfinite(outputs(tflite, x, kernels=kernels).real)
        assert not finite[:, 0].any()
        assert finite[:, 1:].all()
    assert notices("accuracy", planted)


@pytest.mark.parametrize("kind", sorted(STATIC_KINDS))
@pytest.mark.parametrize(
    "fault",
    [types.float_layers, types.per_tensor_weights, types.wrong_bias_scale, types.float_model],
    ids=lambda fault: fault.name,
)
def test_static_kinds_have_the_faults_of_integer_files(fault, kind):
    planted = fault(scene(kind), fault.ladder.must)
    assert [it for it in fault.noticed_by if "violations" in it and not notices(it, planted)] == []


@pytest.mark.parametrize("kind", [ONLY4, BLOCKS])
def test_other_faults_are_planted_in_int4_weights_or_say_why_not(kind):
    """Weights stay int4, also behind a DEQUANTIZE, and scales of blocks are no surprise."""
    planted = {}
    for fault in (*faults_in(weights), *faults_in(classes), *faults_in(latency)):
        with suppress(Unplantable):
            planted[fault.name] = fault(scene(kind), fault.ladder.must)
    assert {"flipped_bits", "saturated_weights", "pruned_weights"} <= planted.keys()
    assert "zero_point_shifted" not in planted
    for name in ("flipped_bits", "saturated_weights", "pruned_weights"):
        assert weight(planted[name]).dtype == "int4"


def test_a_wider_layer_has_unpacked_weights_of_the_same_shape():
    """LiteRT crashes on others."""
    main = parse(latency.wider_layer(scene(ONLY4), 2).candidate.tflite).main
    shapes = {it.name: it.shape for it in main.tensors}
    assert shapes["conv/weight/unpacked"] == shapes["conv/weight"] == (8, 3, 3, 1)
