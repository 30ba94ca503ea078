"""Faults in the types: which tensors and operators they change, and who notices."""

from dataclasses import replace

import numpy as np
import pytest
from graphs import tensor
from noticing import CHECKS, READ, notices
from scenes import scene

from litegate.core.errors import ArtifactError
from litegate.mutation.faults import Draft, Expect, Unplantable, edit, types
from litegate.mutation.faults.catalogue import faults_in
from litegate.mutation.faults.floats import real_values
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Kind
from litegate.tflite.parser import parse

FAULTS = faults_in(types)
LOADED = tuple(fault for fault in FAULTS if fault.expect is not Expect.REFUSED)
PORTS = ("float32", "int8", "uint8")
by_name = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


def main(planted):
    return parse(planted.candidate.tflite).main


def kinds(planted):
    return [operator.name for operator in main(planted).operators]


def decided(artifact, kernels=Kernels.XNNPACK):
    return outputs(artifact.tflite, artifact.evaluation.x, kernels=kernels).raw.argmax(axis=1)


def port_types(planted):
    graph = main(planted)
    return tuple(graph.tensors[number[0]].dtype for number in (graph.inputs, graph.outputs))


def test_the_module_holds_its_faults():
    assert [fault.name for fault in FAULTS] == [
        "float_layers",
        "float_islands",
        "round_trips",
        "per_tensor_weights",
        "wrong_bias_scale",
        "wrong_input_type",
        "wrong_output_type",
        "renamed_input",
        "dynamic_range_model",
        "weight_only_model",
        "float_model",
        "hybrid_reference",
        "weights_off_centre",
    ]


@by_name
@pytest.mark.parametrize("io", PORTS)
def test_every_named_measurement_notices_each_grade_that_must_be_noticed(fault, io):
    sound = scene(input_type=io, output_type=io)
    for grade in (fault.ladder.must, fault.ladder.top):
        planted = fault(sound, grade)
        assert [name for name in fault.noticed_by if not notices(name, planted)] == []


@by_name
def test_no_named_measurement_notices_a_sound_scene(fault):
    assert not any(notices(name, scene()) for name in fault.noticed_by)


@pytest.mark.parametrize("kernels", Kernels)
@pytest.mark.parametrize("io", PORTS)
@pytest.mark.parametrize("fault", LOADED, ids=lambda fault: fault.name)
def test_the_planted_file_runs_and_decides_as_before(fault, io, kernels):
    """So that no measurement of accuracy can stand in for one of types."""
    sound = scene(input_type=io, output_type=io)
    planted = fault(sound, fault.ladder.top)
    for one in (planted.candidate, planted.reference):
        assert (decided(one, kernels) == sound.candidate.evaluation.y).all()


@pytest.mark.parametrize("grade", [1, 2])
def test_so_many_layers_are_float(grade):
    planted = types.float_layers(scene(), grade)
    weights = [tensor(parse(planted.candidate.tflite), f"{name}/weight") for name in LAYERS]
    assert [one.dtype for one in weights] == ["float32"] * grade + ["int8"] * (3 - grade)
    # the network's own QUANTIZE and DEQUANTIZE at its ports make one more pair
    assert kinds(planted).count("QUANTIZE") == kinds(planted).count("DEQUANTIZE") == grade + 1


LAYERS = ("conv", "depthwise", "dense")


def test_more_layers_than_there_are_is_all_of_them():
    assert types.float_layers(scene(), 3).candidate == types.float_layers(scene(), 4).candidate


@pytest.mark.parametrize("grade", [1, 3])
def test_so_many_islands_and_pairs_are_inserted(grade):
    assert kinds(types.float_islands(scene(), grade)).count("NEG") == 2 * grade
    assert kinds(types.round_trips(scene(), grade)).count("DEQUANTIZE") == grade + 1


def test_an_island_changes_no_answer():
    sound = scene()
    x = sound.candidate.evaluation.x
    planted = types.float_islands(sound, 4)
    before, after = (outputs(one.candidate.tflite, x).raw for one in (sound, planted))
    assert (before == after).all()


def meant(planted, name):
    """What the constant `name` of a scene's candidate means."""
    found = []

    def look(model):
        draft = Draft(model)
        found.append(real_values(draft, draft.tensor(name)))

    edit(planted.candidate.tflite, look)
    return found[0]


@pytest.mark.parametrize("name", ["conv", "depthwise"])
def test_one_scale_takes_the_place_of_many(name):
    """Weights and bias mean the same, to half a step of the scale."""
    sound = scene()
    planted = types.per_tensor_weights(sound, 2)
    for part in ("weight", "bias"):
        one = tensor(parse(planted.candidate.tflite), f"{name}/{part}")
        assert len(one.scales) == 1
        difference = meant(planted, one.name) - meant(sound, one.name)
        assert np.abs(difference).max() <= 0.501 * one.scales[0]
    assert len(tensor(parse(planted.candidate.tflite), "dense/weight").scales) == 4


def test_a_bias_scale_below_the_tolerance_is_nobodys_fault():
    """The converter's own scales differ by as much."""
    assert not notices("tensor type violations", types.wrong_bias_scale(scene(), 0.0001))
    scales = [
        tensor(parse(one.candidate.tflite), "conv/bias").scales[0]
        for one in (scene(), types.wrong_bias_scale(scene(), 100))
    ]
    assert scales[1] == pytest.approx(2 * scales[0])


@pytest.mark.parametrize(
    ("declared", "planted"), [("float32", "uint8"), ("int8", "uint8"), ("uint8", "int8")]
)
def test_a_port_has_another_type_and_the_other_port_its_own(declared, planted):
    sound = scene(input_type=declared, output_type=declared)
    assert port_types(types.wrong_input_type(sound, 1)) == (planted, declared)
    assert port_types(types.wrong_output_type(sound, 1)) == (declared, planted)


@pytest.mark.parametrize("io", PORTS)
def test_another_port_type_means_the_same(io):
    """Not a step more than a uint8 output can hold."""
    sound = scene(input_type=io, output_type=io)
    x = sound.candidate.evaluation.x
    before = outputs(sound.candidate.tflite, x)
    for fault in (types.wrong_input_type, types.wrong_output_type):
        after = outputs(fault(sound, 1).candidate.tflite, x)
        assert np.abs(after.real - before.real).max() <= max(before.quantum, after.quantum) / 2


def test_models_in_place_of_the_candidate_are_what_they_say():
    weights = {
        fault: {one.dtype for one in main(fault(scene(), 1)).tensors if "weight" in one.name}
        for fault in (types.dynamic_range_model, types.weight_only_model, types.float_model)
    }
    assert weights[types.dynamic_range_model] == {"int8"}
    assert weights[types.weight_only_model] == {"int8", "float32"}
    assert weights[types.float_model] == {"float32"}
    assert kinds(types.weight_only_model(scene(), 1)).count("DEQUANTIZE") == 3
    assert "DEQUANTIZE" not in kinds(types.dynamic_range_model(scene(), 1))


@pytest.mark.parametrize("grade", [1, 2])
def test_so_many_layers_of_the_reference_are_hybrid(grade):
    planted = types.hybrid_reference(scene(), grade)
    graph = parse(planted.reference.tflite)
    packed = [tensor(graph, f"{name}/weight").dtype == "int8" for name in LAYERS]
    assert packed == [True] * grade + [False] * (3 - grade)
    assert planted.candidate == scene().candidate


@pytest.mark.parametrize("fault", FAULTS[:5], ids=lambda fault: fault.name)
def test_a_model_without_integer_layers_cannot_have_it(fault):
    sound = scene(Kind.DYNAMIC_RANGE)
    with pytest.raises(Unplantable, match="no layer computes in integers"):
        fault(sound, 1)


@pytest.mark.parametrize("fault", FAULTS[5:7], ids=lambda fault: fault.name)
def test_a_port_next_to_floats_cannot_be_exchanged(fault):
    with pytest.raises(Unplantable, match="not next to a"):
        fault(scene(Kind.DYNAMIC_RANGE), 1)
    with pytest.raises(Unplantable, match="other types than int8 and uint8"):
        fault(scene(Kind.INT16X8), 1)


@pytest.mark.parametrize("fault", FAULTS[8:11], ids=lambda fault: fault.name)
def test_a_recipe_that_promises_floats_is_not_betrayed_by_them(fault):
    with pytest.raises(Unplantable, match="dynamic_range does not guarantee integer arithmetic"):
        fault(scene(Kind.DYNAMIC_RANGE), 1)


def test_a_reference_that_is_packed_already_cannot_become_so():
    sound = scene()
    packed = types.hybrid_reference(sound, 3).reference
    with pytest.raises(Unplantable, match="no layer has float32 weights"):
        types.hybrid_reference(replace(sound, reference=packed), 1)


def test_int16_activations_pass_through_floats_too():
    sound = scene(Kind.INT16X8)
    for fault in (types.float_layers, types.float_islands, types.round_trips):
        planted = fault(sound, 4)
        assert (decided(planted.candidate) == sound.candidate.evaluation.y).all()
        assert notices("operator violations", planted)


@pytest.mark.parametrize("kind", [Kind.INT8_QAT, Kind.INT16X8])
def test_weights_off_centre_are_refused_by_litert_and_crash_no_measurement(kind):
    """`notices` hides only litegate's own errors."""
    planted = types.weights_off_centre(scene(kind), 1)
    with pytest.raises(ArtifactError, match="zero_point"):
        decided(planted.candidate)
    missed = {name for name in CHECKS if not notices(name, planted)}
    assert missed <= READ
    assert "tensor type violations" not in missed
