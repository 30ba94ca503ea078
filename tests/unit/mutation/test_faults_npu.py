"""Faults of what an Ethos-U runs and needs: the same answers, and what Vela reports of them."""

from dataclasses import replace
from functools import partial

import needs
import numpy as np
import pytest
import scenes

from litegate import Vela, percent
from litegate.measures.measurement import Outcome
from litegate.measures.names import Name
from litegate.measures.structure import npu as measures
from litegate.measures.structure.macs import macs
from litegate.mutation.faults import Unplantable, npu
from litegate.mutation.faults.catalogue import faults_in
from litegate.runtimes.inference import outputs
from litegate.spec import Kind
from litegate.tflite.parser import parse

VELA = Vela(
    accelerator="ethos-u55-128",
    system_config="Ethos_U55_High_End_Embedded",
    memory_mode="Shared_Sram",
)
scene = partial(scenes.scene, budget=replace(scenes.BUDGET, vela=VELA))
FAULTS = faults_in(npu)
EDITS = (npu.wider_layers_on_npu, npu.wider_activations_on_npu)
MEASURES = {
    Name.NPU_CYCLES: measures.npu_cycles,
    Name.NPU_SRAM: measures.npu_sram,
    Name.NPU_OFF_CHIP_FLASH: measures.npu_off_chip_flash,
}
"""The measurements of what this configuration uses."""


def test_the_module_holds_its_faults():
    assert [fault.name for fault in FAULTS] == [
        "layers_off_npu",
        "wider_layers_on_npu",
        "wider_activations_on_npu",
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_model_without_an_npu_cannot_have_it(fault):
    with pytest.raises(Unplantable, match="the budget names no NPU"):
        fault(scenes.scene(), fault.ladder.top)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_model_without_integer_layers_cannot_have_it(fault):
    with pytest.raises(Unplantable, match="no layer computes in integers"):
        fault(scene(Kind.FLOAT32), fault.ladder.top)


@pytest.mark.parametrize("port", ["float32", "int8"])
@pytest.mark.parametrize("fault", EDITS, ids=lambda fault: fault.name)
def test_wider_layers_answer_the_same_and_compute_more(fault, port):
    sound = scene(input_type=port, output_type=port)
    x = sound.candidate.evaluation.x[:20]
    before = outputs(sound.candidate.tflite, x).raw
    for grade in (fault.ladder.grades[0], fault.ladder.top):
        planted = fault(sound, grade).candidate
        parse(planted.tflite)
        assert np.array_equal(outputs(planted.tflite, x).raw, before)
        assert macs(planted).value > macs(sound.candidate).value


def test_in_a_cached_mode_the_activations_are_not_in_sram():
    cached = replace(scenes.BUDGET, vela=replace(VELA, memory_mode="Dedicated_Sram_384KB"))
    with pytest.raises(Unplantable, match="SRAM is a cache"):
        npu.wider_activations_on_npu(scenes.scene(budget=cached), 8)


@needs.vela
def test_each_measurement_notices_the_grade_that_must_be_noticed():
    """The share without half of the layers; what is used at half as much again."""
    sound = scene(input_type="int8", output_type="int8")
    off = npu.layers_off_npu(sound, npu.layers_off_npu.ladder.must).candidate
    assert (measures.npu_share(off, VELA) >= percent(90)).outcome is Outcome.FAIL
    assert (measures.npu_share(off, VELA) >= percent(0.9)).outcome is Outcome.PASS
    assert measures.npu_share(npu.layers_off_npu(sound, 100).candidate, VELA).value == 0
    for fault in EDITS:
        planted = fault(sound, fault.ladder.must).candidate
        for name in MEASURES.keys() & set(fault.noticed_by):
            before = MEASURES[name](sound.candidate, VELA).value
            assert MEASURES[name](planted, VELA).value > 1.5 * before, name
