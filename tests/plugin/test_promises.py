"""Each of the project's own checks fails on an artifact that breaks exactly its promise."""

import json
from dataclasses import replace

import numpy as np
import pytest

from litegate.mutation.faults.latency_edits import repeat
from litegate.spec import Kind
from litegate.testing import Draft, edit, evaluation, float_layer, pad, requantize, retype, tiny

BUDGET = (
    "accuracy=lg.percent(90), accuracy_drop=lg.points(5), extra_errors=lg.per_thousand(50),"
    "class_drop=lg.points(20), keras_agreement=lg.percent(95), keras_difference=lg.quanta(4),"
    "runtime_agreement=lg.percent(95), size=lg.byte(4500), size_ratio=0.8,"
    "compressed_size=lg.byte(2500)"
)
INT8 = Kind.INT8_QAT


@pytest.fixture
def judged(project, short_recordings):
    """Plant a candidate and its reference, run the project's checks; the checks that failed.

    The properties are searched with few examples beside the extremes: what is planted here breaks
    them for every input or for none.
    """

    def run(
        candidate,
        *,
        reference=None,
        recipe="",
        budget=BUDGET,
        kind="int8_qat",
        latency=False,
        examples=10,
    ):
        files = {"float32": reference or tiny(Kind.FLOAT32), kind: candidate}
        scratch = "from_scratch=True, " if kind == "int8_qat" else ""
        made = f"lg.recipes.{kind}(name='{kind}', {scratch}{recipe})"
        project.model(budget, recipes=made, files=files, keras_outputs=KERAS)
        project.real_checks(examples=examples)
        done = project.run("checks/", "-m", "latency" if latency else "not latency", "-q")
        report = json.loads((project.path / ".litegate/report/report.json").read_text())
        failed = [row for row in report["verdicts"] if row["verdict"] == "fail"]
        return {row["check"] for row in failed + report["errors"]}, done.stdout.str()

    return run


def _keras_outputs():
    from litegate.runtimes.inference import outputs
    from litegate.testing import evaluation

    return outputs(tiny(INT8), evaluation().x).real


KERAS = _keras_outputs()


def _constant(tflite, name, change):
    """Change the values of a constant tensor."""

    def apply(model):
        draft = Draft(model)
        tensor = draft.tensor(name)
        draft.store(tensor, change(draft.values(tensor)))

    return edit(tflite, apply)


def _slower(tflite, times):
    """The same answers after real added work: everything is computed so many times more."""
    return edit(tflite, lambda model: repeat(Draft(model), times))


def _without(values, row, value):
    changed = values.copy()
    changed[row] = value
    return changed


def test_an_honest_candidate_passes_every_check(judged):
    """What the faults below are planted in."""
    failed, said = judged(tiny(INT8), examples=None)
    assert not failed, said
    assert "pass" in said


def test_float_activations(judged):
    """A hybrid file called int8: weights alone are quantized."""
    failed, said = judged(tiny(Kind.DYNAMIC_RANGE))
    assert {"test_tensors_keep_their_types", "test_operators_are_builtin_and_integer"} <= failed
    assert "float32" in said


def test_one_float_layer(judged):
    """The island is named, by both checks and by nothing else."""
    failed, said = judged(float_layer(tiny(INT8), "depthwise"), budget="")
    assert failed == {"test_tensors_keep_their_types", "test_operators_are_builtin_and_integer"}
    assert "DEPTHWISE_CONV_2D" in said


def test_a_hybrid_reference(judged):
    """A baseline that is quantized itself hides what quantizing costs."""
    failed, said = judged(tiny(INT8), reference=tiny(Kind.DYNAMIC_RANGE), budget="")
    assert "test_reference_is_really_float" in failed
    assert "dense/weight" in said


def test_int8_input_where_uint8_was_declared(judged):
    """The sensor's bytes would be read wrongly."""
    candidate = tiny(INT8, input_type="int8")
    failed, said = judged(candidate, recipe="input_type='uint8'", budget="")
    assert "test_tensors_keep_their_types" in failed
    assert "uint8" in said


@pytest.mark.parametrize(("extra", "broken"), [(0, False), (1, True)])
def test_a_padded_file(judged, extra, broken):
    """At the limit it passes, one byte above it fails."""
    honest = tiny(INT8)
    limit = f"size=lg.byte({len(honest)})"
    failed, _ = judged(pad(honest, extra), budget=limit)
    assert failed == ({"test_size_stays_within_budget"} if broken else set())


def test_a_file_as_large_as_its_reference(judged):
    """Fails with no limit set at all."""
    reference = tiny(Kind.FLOAT32)
    candidate = tiny(INT8)
    same = pad(candidate, len(reference) - len(candidate))
    assert judged(same, reference=reference, budget="")[0] == {
        "test_file_is_smaller_than_its_reference"
    }


def test_a_collapsed_class(judged):
    """The class is named."""
    candidate = _constant(tiny(INT8), "dense/bias", lambda b: _without(b, 2, -(2**30)))
    failed, said = judged(candidate)
    assert "test_no_class_collapses" in failed
    assert "class 2" in said


def test_shifted_scales(judged):
    """An output scale that no longer fits: outputs, and the bias that rests on it."""
    failed, _ = judged(requantize(tiny(INT8), "conv", scales=[0.5], zero_point=-128))
    assert {"test_accuracy_stays_within_tolerance", "test_tensors_keep_their_types"} <= failed


def test_disagreement_with_keras(judged):
    """The file is not what was trained: decisions and outputs."""
    candidate = tiny(INT8, seed=8)
    failed, _ = judged(candidate)
    assert {"test_file_decides_as_keras", "test_file_answers_as_keras"} <= failed


def test_a_custom_type_of_bias(judged):
    """int64 where int32 was promised; the file may not even load."""
    failed, said = judged(retype(tiny(INT8), "dense/bias", "int64"), budget="")
    assert "test_tensors_keep_their_types" in failed
    assert "dense/bias" in said


def test_nan_outputs(judged):
    """A NaN bias in a file with float outputs: no verdict passes on NaN."""
    candidate = _constant(
        tiny(Kind.DYNAMIC_RANGE), "dense/bias", lambda b: _without(b, 1, np.float32("nan"))
    )
    failed, said = judged(candidate, kind="dynamic_range")
    assert {"test_property_holds_for_any_input", "test_accuracy_reaches_its_floor"} <= failed
    assert "NaN" in said


def test_a_slower_model(judged):
    """Against the budget and against the reference, by real added work."""
    failed, said = judged(
        _slower(tiny(INT8), 40), budget="latency=lg.us(10), latency_ratio=4", latency=True
    )
    assert failed == {"test_latency_stays_within_budget", "test_latency_stays_near_its_reference"}
    assert "us" in said


def test_a_model_within_its_time(judged):
    """The same checks pass on the honest candidate."""
    failed, said = judged(tiny(INT8), budget="latency=lg.ms(5), latency_ratio=50", latency=True)
    assert not failed, said


def test_samples_in_both_splits_are_noted_and_fail_where_a_budget_limits_them(project):
    split = replace(evaluation(), leaked_samples=3)
    project.model("size=lg.kib(99)", split=split).real_checks()
    done = project.run("checks/test_accuracy.py", "checks/test_size.py")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["note: tiny: 3 distinct samples of the 200 in the evaluation*"])
    project.model("size=lg.kib(99), leaked_samples=2", split=split)
    done = project.run("checks/test_accuracy.py")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["FAIL  tiny/int8_qat  leaked samples: 3  (limit: <= 2, *"])
