"""Faults that show on one runtime alone."""

from dataclasses import replace

import numpy as np
import pytest
import scenes
from noticing import notices

from litegate.mutation.faults import Unplantable, runtimes
from litegate.runtimes.inference import predict

SOUND = scenes.scene(budget=replace(scenes.BUDGET, runtimes=("xnnpack", "reference")))


def test_another_file_answers_elsewhere_and_the_candidate_here():
    planted = runtimes.another_file_on_runtime(SOUND, 1)
    assert planted.candidate.tflite == SOUND.candidate.tflite
    assert np.array_equal(predict(planted.candidate).raw, predict(SOUND.candidate).raw)
    there = replace(planted.candidate, runtime="reference")
    sound = replace(SOUND.candidate, runtime="reference")
    assert not np.array_equal(predict(there).raw, predict(sound).raw)
    noticed = replace(planted, candidate=there)
    fault = runtimes.another_file_on_runtime
    assert [name for name in fault.noticed_by if not notices(name, noticed)] == []


def test_a_model_without_further_runtimes_cannot_have_it():
    with pytest.raises(Unplantable, match="no runtime besides the default"):
        runtimes.another_file_on_runtime(scenes.scene(), 1)
