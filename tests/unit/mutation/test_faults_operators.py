"""Faults in the operators: which come, which go, and who notices."""

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
import scenes
from noticing import CHECKS, READ, notices
from recurrent import svdf

from litegate import percent
from litegate.core.errors import ArtifactError
from litegate.measures.regression import latency_growth
from litegate.measures.structure.target import target_breaches
from litegate.measures.structure.tensors import operator_violations
from litegate.mutation.faults import Expect, Unplantable, edit, operators
from litegate.mutation.faults.catalogue import faults_in
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Kind
from litegate.spec.targets import KNOWN, load
from litegate.tflite.parser import parse

scene = partial(scenes.scene, budget=replace(scenes.BUDGET, target="tflm"))
FAULTS = faults_in(operators)
REFUSED = tuple(fault for fault in FAULTS if fault.expect is Expect.REFUSED)
LOADED = tuple(fault for fault in FAULTS if fault.expect is not Expect.REFUSED)
PORTS = ("float32", "int8", "uint8")
by_name = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
refused = pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.name)
loaded = pytest.mark.parametrize("fault", LOADED, ids=lambda fault: fault.name)


def came(planted):
    """How many operators of each kind a scene's candidate has more than its base."""
    after, before = (
        Counter(operator.name for operator in parse(one.tflite).main.operators)
        for one in (planted.candidate, planted.base)
    )
    assert not before - after
    return dict(after - before)


def test_the_module_holds_its_faults():
    assert [fault.name for fault in FAULTS] == [
        "custom_operator",
        "flex_operator",
        "unsupported_version",
        "unfused_activations",
        "useless_transposes",
        "operator_outside_target",
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


@loaded
@pytest.mark.parametrize("kernels", Kernels)
@pytest.mark.parametrize("io", PORTS)
def test_the_planted_file_runs_and_answers_as_before(fault, io, kernels):
    """So that nothing but the operators tells it from the sound one."""
    sound = scene(input_type=io, output_type=io)
    x = sound.candidate.evaluation.x
    before = outputs(sound.candidate.tflite, x, kernels=kernels).raw
    for grade in fault.ladder.grades:
        tflite = fault(sound, grade).candidate.tflite
        assert (outputs(tflite, x, kernels=kernels).raw == before).all()


def test_so_many_activations_come_as_operators():
    assert came(operators.unfused_activations(scene(), 1)) == {"RELU": 1}
    assert came(operators.unfused_activations(scene(), 4)) == {"RELU": 2}
    left = parse(operators.unfused_activations(scene(), 1).candidate.tflite).main.operators
    assert [operator.activation for operator in left].count("RELU") == 1


@pytest.mark.parametrize("grade", [1, 4])
def test_so_many_pairs_come(grade):
    assert came(operators.useless_transposes(scene(), grade)) == {"TRANSPOSE": 2 * grade}


def test_a_pair_goes_through_nchw_and_back():
    main = parse(operators.useless_transposes(scene(), 1).candidate.tflite).main
    turned, back = (
        main.tensors[operator.outputs[0]].shape_signature
        for operator in main.operators
        if operator.name == "TRANSPOSE"
    )
    assert (turned, back) == ((-1, 4, 8, 8), (-1, 8, 8, 4))


@pytest.mark.parametrize("name", KNOWN)
def test_no_target_that_comes_along_has_the_operator(name, tmp_path):
    planted = operators.operator_outside_target(scene(), 1).candidate
    found = target_breaches(parse(planted.tflite), load(name, tmp_path))
    assert any("BITCAST v1: it is not on the list" in sentence for sentence in found)


def test_a_model_that_promises_no_target_has_nothing_outside_it():
    with pytest.raises(Unplantable, match="has no target"):
        operators.operator_outside_target(scenes.scene(), 1)


def test_a_model_without_activations_cannot_have_them_apart():
    def unfuse(model):
        for operator in model.subgraphs[0].operators:
            if hasattr(operator.builtinOptions, "fusedActivationFunction"):
                operator.builtinOptions.fusedActivationFunction = 0

    sound = scene()
    bare = sound.with_candidate(edit(sound.candidate.tflite, unfuse))
    with pytest.raises(Unplantable, match="no operator has a fused RELU or RELU6"):
        operators.unfused_activations(bare, 1)


def test_the_activation_of_an_integer_svdf_stays_fused():
    """LiteRT refuses the layer without it, so that nothing would be proven."""
    streaming = scene().with_candidate(svdf())
    with pytest.raises(Unplantable, match="no operator has a fused RELU or RELU6"):
        operators.unfused_activations(streaming, 1)


@pytest.mark.parametrize("kind", [Kind.INT16X8, Kind.DYNAMIC_RANGE])
@loaded
def test_other_kinds_have_them_too(fault, kind):
    planted = fault(scene(kind), fault.ladder.top)
    assert notices("operator changes against the base", planted)
    assert outputs(planted.candidate.tflite, planted.candidate.evaluation.x[:2]).raw.size


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (operators.custom_operator, "is the custom operator Dense"),
        (operators.flex_operator, "is the Flex operator FlexMatMul"),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_the_last_layer_is_named(fault, said):
    found = operator_violations(fault(scene(), 1).candidate)
    assert len(found.offenders) == 1
    assert said in found.offenders[0]


@refused
@pytest.mark.parametrize("name", CHECKS)
def test_whatever_runs_a_file_notices_that_it_is_refused(fault, name):
    """And whatever only reads it gives a verdict: `notices` hides only litegate's own errors."""
    assert notices(name, fault(scene(), 1)) or name in READ


@refused
@pytest.mark.parametrize("kernels", Kernels)
def test_running_it_is_refused(fault, kernels):
    planted = fault(scene(), 1).candidate
    with pytest.raises(ArtifactError, match=r"LiteRT cannot (load|run)"):
        outputs(planted.tflite, planted.evaluation.x, kernels=kernels)


@refused
def test_timing_it_is_refused(fault):
    planted, limit = fault(scene(), 1), percent(2.5)
    with pytest.raises(ArtifactError, match=r"LiteRT cannot (load|run)"):
        latency_growth(planted.base, planted.candidate, limit)
