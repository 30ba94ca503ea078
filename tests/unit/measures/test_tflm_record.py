"""Memory and operators by TensorFlow Lite Micro's interpreter, in place of a plan and a list."""

import re
from dataclasses import replace
from pathlib import Path

import needs
import pytest
from scenes import scene

from litegate import Budget
from litegate.core.errors import ArtifactError
from litegate.measures.overview import overview
from litegate.measures.structure import runtime_trial
from litegate.measures.structure.arena import arena
from litegate.measures.structure.target import target_violations
from litegate.mutation.faults import latency, operators
from litegate.runtimes.child_runtime import Refused
from litegate.spec import Kind
from litegate.spec.runtimes import TFLM
from litegate.spec.targets import Rule, Target, load
from litegate.testing import artifact, tiny_artifact

pytestmark = needs.tflm

INT8 = replace(tiny_artifact(), runtime=TFLM)
HYBRID = replace(tiny_artifact(Kind.DYNAMIC_RANGE), runtime=TFLM)


def own_list(*names):
    rules = dict.fromkeys(names, Rule())
    return Target(name="boards/mine.toml", source="ours", digest="0" * 64, operators=rules)


def test_recorded_arena_states_its_head_its_tail_and_its_parts():
    measured, planned = arena(INT8), arena(tiny_artifact())
    halves = re.search(r"head ([\d,]+) B, tail ([\d,]+) B", measured.evidence[0])
    head, tail = (int(size.replace(",", "")) for size in halves.groups())
    assert measured.value == head + tail > planned.value
    parts = re.findall(r"([\d,]+) B", measured.evidence[1])
    assert sum(int(size.replace(",", "")) for size in parts) == tail
    assert "head: activations and scratch memory; tail, what persists: " in measured.evidence[1]
    assert "rest" in measured.evidence[1]
    assert "planned from the file" in planned.evidence[-2]
    assert "not recorded" in planned.evidence[-2]
    assert "planned" not in " ".join(measured.evidence)


def test_arena_of_resnet8_is_the_one_that_the_interpreter_recorded(data_directory):
    tflite = (Path(data_directory) / "mlperf_tiny" / "resnet8_int8.tflite").read_bytes()
    assert arena(replace(artifact(tflite), runtime=TFLM)).value == 55_984
    assert arena(artifact(tflite)).value == 49_152


def test_arena_of_a_refused_file_is_an_error_in_the_words_of_the_interpreter():
    with pytest.raises(Refused, match="failed to prepare"):
        arena(HYBRID)


def test_a_runtime_without_a_record_has_no_arena():
    with pytest.raises(ArtifactError, match="reference records no memory"):
        runtime_trial.trial_of(replace(INT8, runtime="reference")).recorded()


def test_table_of_recipes_measures_all_of_them_in_one_way():
    files = {"float32": tiny_artifact(Kind.FLOAT32), "int8_qat": tiny_artifact()}
    files["dynamic_range"] = tiny_artifact(Kind.DYNAMIC_RANGE)
    rows, notes = overview(scene().model, files, "float32", memory_on=TFLM)
    arenas = {row["recipe"]: row["arena"] for row in rows}
    assert arenas == {
        "float32": arena(replace(files["float32"], runtime=TFLM)).value,
        "int8_qat": arena(INT8).value,
        "dynamic_range": None,
    }
    assert notes == []


def test_interpreter_that_takes_every_operator_has_the_last_word(tmp_path):
    """Its own list is a copy, which a newer interpreter may have outgrown."""
    outgrown = replace(load("tflm", tmp_path), operators={})
    measured = target_violations(INT8, outgrown)
    assert measured.value == 0
    assert measured.evidence[:2] == (
        "target tflm",
        "the interpreter was asked to load the file and to run it",
    )
    assert "by the list of tflm: " in measured.evidence[2]
    assert "it is not on the list of tflm" in measured.evidence[2]
    assert target_violations(tiny_artifact(), outgrown).value > 0


def test_refused_operator_is_named_in_the_words_of_the_interpreter(tmp_path):
    measured = target_violations(HYBRID, load("tflm", tmp_path))
    assert measured.value == 1
    assert "FULLY_CONNECTED (number 6) failed to prepare" in measured.offenders[0]
    assert any("int8 weights beside float32 activations" in line for line in measured.evidence)


def test_list_of_the_own_firmware_bounds_what_the_interpreter_takes():
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "SHAPE", "STRIDED_SLICE", "PACK")
    kinds = (*kinds, "QUANTIZE", "DEQUANTIZE")
    (offender,) = target_violations(INT8, own_list(*kinds)).offenders
    assert "FULLY_CONNECTED" in offender
    assert "it is not on the list of boards/mine.toml" in offender
    assert target_violations(INT8, own_list(*kinds, "FULLY_CONNECTED")).value == 0
    refused = target_violations(HYBRID, own_list(*kinds, "FULLY_CONNECTED"))
    assert refused.value == 1
    assert "failed to prepare" in refused.offenders[0]


@pytest.mark.parametrize("measure", [arena, lambda it: target_violations(it, own_list("ADD"))])
def test_crash_of_the_interpreter_is_an_error_and_no_violation(measure, monkeypatch):
    died = ArtifactError("tflm 1 crashes on it", got="SIGSEGV; stderr: free(): invalid pointer")
    trial = runtime_trial.RuntimeTrial(runtime=TFLM, refusal="tflm crashes on it", error=died)
    monkeypatch.setattr(runtime_trial, "_tried", lambda *_: trial)
    with pytest.raises(ArtifactError, match="crashes on it") as error:
        measure(INT8)
    assert "free(): invalid pointer" in str(error.value)


def test_planted_faults_show_in_the_record_and_in_the_words_of_the_interpreter(tmp_path):
    sound = scene(budget=Budget(target=TFLM))
    wider = replace(latency.wider_layer(sound, 32).candidate, runtime=TFLM)
    assert arena(wider).value > 2 * arena(INT8).value
    outside = replace(operators.operator_outside_target(sound, 1).candidate, runtime=TFLM)
    (offender,) = target_violations(outside, load("tflm", tmp_path)).offenders
    assert "BITCAST" in offender
