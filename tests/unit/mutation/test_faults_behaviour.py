"""Faults in how a candidate answers, and the property that notices each."""

import numpy as np
import pytest
from noticing import notices
from scenes import scene

from litegate.mutation.faults import Unplantable, behaviour
from litegate.mutation.faults.catalogue import faults_in
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Kernels, Runner
from litegate.spec import Kind
from litegate.tflite.parser import parse

FAULTS = faults_in(behaviour)
FLOAT = (*FAULTS[:2], *FAULTS[3:])
"""Those of a model with float ports; INTEGER of one with integer ports."""
INTEGER = FAULTS[2:]


def run(planted, kernels=Kernels.XNNPACK):
    return outputs(planted.candidate.tflite, planted.candidate.evaluation.x, kernels=kernels).real


def test_each_fault_stands_in_the_module():
    assert [fault.name for fault in FAULTS] == [
        "nan_answers",
        "nan_for_blank_samples",
        "floats_for_integers",
        "answers_depend_on_batch",
        "unrepeatable_answers",
        "kernels_disagree",
    ]


@pytest.mark.parametrize("fault", FLOAT, ids=lambda fault: fault.name)
def test_every_named_measurement_notices_the_top_grade_and_no_sound_scene(fault):
    planted = fault(scene(), fault.ladder.top)
    parse(planted.candidate.tflite)
    assert [name for name in fault.noticed_by if not notices(name, planted)] == []
    assert not any(notices(name, scene()) for name in fault.noticed_by)


@pytest.mark.parametrize("fault", INTEGER, ids=lambda fault: fault.name)
@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_every_named_measurement_notices_it_between_integer_ports(fault, io):
    planted = fault(scene(input_type=io, output_type=io), fault.ladder.must)
    assert [name for name in fault.noticed_by if not notices(name, planted)] == []


def test_every_answer_is_nan():
    assert np.isnan(run(behaviour.nan_answers(scene(), 1))).all()


def test_a_blank_sample_alone_gives_nan():
    planted = behaviour.nan_for_blank_samples(scene(), 1)
    assert np.array_equal(run(planted), run(scene()))
    blank = np.full((2, 10, 10, 1), 0.5, np.float32)
    assert np.isnan(outputs(planted.candidate.tflite, blank).real).all()


def test_a_sample_alone_gets_another_answer_than_in_a_batch():
    planted = behaviour.answers_depend_on_batch(scene(), 1)
    x = scene().candidate.evaluation.x[:8]
    together, alone = (outputs(planted.candidate.tflite, x, batch=size).raw for size in (8, 1))
    assert not np.array_equal(together, alone)
    assert (alone == alone[0]).all()


def test_noise_moves_from_invocation_to_invocation_and_not_from_run_to_run():
    planted = behaviour.unrepeatable_answers(scene(), 16)
    assert np.array_equal(run(planted), run(planted))
    runner = Runner(planted.candidate.tflite)
    sample = scene().candidate.evaluation.x[:1]
    first, second = (next(iter(runner.run(sample).values())) for _ in range(2))
    assert not np.array_equal(first, second)


def test_kernels_disagree_while_the_shipped_kernels_answer_as_before():
    planted = behaviour.kernels_disagree(scene(), 256)
    assert np.array_equal(run(planted), run(scene()))
    assert (run(planted, Kernels.REFERENCE).argmax(axis=1) == 0).all()


def test_a_finer_grade_moves_the_reference_kernels_by_so_many_steps():
    planted = behaviour.kernels_disagree(scene(), 16)
    moved = run(planted, Kernels.REFERENCE) - run(scene(), Kernels.REFERENCE)
    scores = next(t for t in parse(scene().candidate.tflite).main.tensors if t.name == "dense")
    assert np.allclose(moved[:, 0].max(), 16 * scores.scales[0])
    assert not moved[:, 1:].any()


@pytest.mark.parametrize("fault", FAULTS[:2], ids=lambda fault: fault.name)
@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_integer_ports_cannot_give_nan(fault, io):
    with pytest.raises(Unplantable, match="integers"):
        fault(scene(input_type=io, output_type=io), 1)


@pytest.mark.parametrize(
    "fault", [behaviour.unrepeatable_answers, behaviour.kernels_disagree], ids=lambda f: f.name
)
def test_float_scores_have_no_steps(fault):
    with pytest.raises(Unplantable, match="not int8"):
        fault(scene(Kind.FLOAT32), fault.ladder.top)


def test_integers_come_out_as_the_floats_that_they_mean():
    sound = scene(input_type="int8", output_type="int8")
    planted = behaviour.floats_for_integers(sound, 1)
    assert np.array_equal(run(planted), run(sound))
    assert Runner(planted.candidate.tflite).output.dtype == np.float32
    with pytest.raises(Unplantable, match="are floats"):
        behaviour.floats_for_integers(scene(), 1)
