"""Faults of runtimes: another file, and state that is not reset."""

from dataclasses import replace

import numpy as np
import pytest
import scenes
from noticing import notices
from recurrent import remembering
from tiny import artifact

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


def test_leaked_state_changes_the_answers_and_is_noticed():
    x = np.random.default_rng(4).random((6, 2)).astype(np.float32)
    candidate = artifact(remembering(), x)
    sound = replace(scenes.scene(), candidate=candidate, reference=candidate, base=candidate)
    planted = runtimes.leaked_state(sound, 1)
    assert planted.candidate.tflite == sound.candidate.tflite
    for runtime in ("xnnpack", "reference"):
        here = [replace(scene.candidate, runtime=runtime) for scene in (sound, planted)]
        assert not np.array_equal(*(predict(subject).raw for subject in here))
    named = runtimes.leaked_state.noticed_by
    assert [name for name in named if not notices(name, planted)] == []
    assert not any(notices(name, sound) for name in named)


def test_a_file_without_state_cannot_leak_it():
    with pytest.raises(Unplantable, match="the file has no state"):
        runtimes.leaked_state(scenes.scene(), 1)
