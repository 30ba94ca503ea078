"""The project's own checks against the base, in a real repository, on planted artifacts."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from litegate.core.options import parse
from litegate.gate.session import GateSession
from litegate.measures.noise import RECORD, NoiseRow, write_row
from litegate.spec import Kind
from litegate.spec.artifact_keys import data_key
from litegate.spec.loader import discover
from litegate.testing import float_layer, pad, revalue, tiny
from litegate.testing.store import fill_store

CHECKS = Path(__file__).resolve().parents[2] / "checks"
GOOD = tiny(Kind.INT8_QAT)
ACCURACY, SIZE, TYPES, LATENCY = (
    "test_accuracy_is_not_lost",
    "test_file_does_not_grow",
    "test_no_integer_type_is_lost",
    "test_latency_does_not_grow",
)
DECISIONS, OPERATORS = "test_decisions_stay", "test_operators_stay"
INTERFACE = "test_interface_stays"
WIDE = (
    "regression=lg.Regression(accuracy=lg.points(5), size=lg.percent({size}), lost_types={types})"
)
WAIVER = f"""
[[waiver]]
model = "tiny"
recipe = "int8_qat"
check = "{OPERATORS}"
reason = "the last layer needs floats"
expires = {datetime.now(UTC).date() + timedelta(days=1)}

[waiver.accepts]
measurement = "operator changes against the base"
base = "BASE"
offenders = [
    "1 DEQUANTIZE came (1 in the base, 2 now)",
    "1 QUANTIZE came (1 in the base, 2 now)",
]
"""


@pytest.fixture
def repository(project):
    """A base with the model `tiny` and the checks against the base; a branch is checked out."""
    for name in ("test_regression.py", "test_weakened_limits.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    return project.model().as_base()


@pytest.fixture
def judged(repository):
    """Plant what a change made of the model and run the checks; the report's rows by check."""

    def run(tflite, *args, budget=""):
        if tflite != GOOD:
            files = {"float32": tiny(Kind.FLOAT32), "int8_qat": tflite}
            repository.model(budget, files=files, network="another")
        done = repository.run(
            "checks/test_regression.py", "--against", "main", *(args or ("-m", "not latency"))
        )
        report = repository.path / ".litegate" / "report" / "report.json"
        rows = json.loads(report.read_text("utf-8"))["verdicts"]
        return done, {row["check"]: row for row in rows}

    return run


def failed(rows):
    return {check for check, row in rows.items() if row["verdict"] == "fail"}


def test_an_unchanged_model_passes_every_check_for_nothing(judged):
    """Exact verdicts, latency included, of which nothing was run."""
    done, rows = judged(GOOD, "--benchmark-enable")
    assert done.ret == 0
    assert set(rows) == {ACCURACY, SIZE, TYPES, INTERFACE, LATENCY}
    for row in rows.values():
        assert (row["verdict"], row["value"], row["interval"]) == ("pass", 0, None)
        assert row["evidence"] == ["the same bytes"]


def test_a_lost_class_fails_its_check_alone(judged):
    """A bias that drowns every other class: the sentence names the worst one."""
    biased = revalue(GOOD, "dense/bias", lambda bias: bias + np.array([0, 0, 0, 10**6], bias.dtype))
    done, rows = judged(biased)
    assert done.ret == 1
    assert failed(rows) == {ACCURACY}
    assert "worst class" in rows[ACCURACY]["sentence"]


@pytest.mark.parametrize(("extra", "status"), [(43, 0), (44, 1)])
def test_a_larger_file_fails_its_check_alone(judged, extra, status):
    """One per cent of 4,304 bytes is 43. Noise that was not measured has no SD and no lint."""
    done, rows = judged(pad(GOOD, extra))
    assert done.ret == status
    assert failed(rows) == ({SIZE} if status else set())
    assert "seed" not in rows[ACCURACY]["sentence"]


STRIPPED = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, strip=True)"
CHANGES = [
    ({"arguments": "training=lg.Training(epochs=4)"}, "Training(epochs=4), was 1; "),
    ({"recipes": STRIPPED}, "int8_qat: strip=True, was None; "),
    ({}, ""),
]
BUILDER = "the code that builds the network in models/tiny.py"


@pytest.mark.parametrize(("declared", "said"), CHANGES, ids=["training", "recipe", "source"])
def test_a_worse_file_is_shown_with_what_its_model_declares_differently(repository, declared, said):
    """Whoever lowered the epochs by accident reads it beside the accuracy that was lost."""
    biased = revalue(GOOD, "dense/bias", lambda bias: bias + np.array([0, 0, 0, 10**6], bias.dtype))
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": biased}
    repository.model(files=files, network="another", **declared)
    _, rows = run_all(repository)
    assert failed(rows) == {ACCURACY}
    assert f"changed since the base: {said}{BUILDER}" in rows[ACCURACY]["evidence"]
    assert "changed since" not in str(rows[SIZE]["evidence"])


@pytest.mark.parametrize(("size", "types", "broken"), [(1, 0, {SIZE, TYPES}), (7, 3, set())])
def test_a_layer_that_fell_back_to_float_fails(judged, size, types, broken):
    """It is larger, too; limits of the model's own take the place of the defaults."""
    budget = WIDE.format(size=size, types=types)
    _, rows = judged(float_layer(GOOD, "conv"), budget=budget)
    assert failed(rows) == broken
    assert "weight, was int8 and is float32" in rows[TYPES]["sentence"]


PORTS = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, input_type='{}')"


def test_another_input_type_fails_by_name(project):
    """The recipe may change it, and the application that feeds the file must know."""
    for name in ("test_regression.py", "test_weakened_limits.py", "test_tensors.py"):
        shutil.copy(CHECKS / name, project.path / "checks")

    def declare(input_type, budget=""):
        files = {
            "float32": tiny(Kind.FLOAT32),
            "int8_qat": tiny(Kind.INT8_QAT, input_type=input_type),
        }
        return project.model(budget, recipes=PORTS.format(input_type), files=files)

    declare("uint8").as_base()
    declare("int8")
    done, rows = run_all(project)
    assert (failed(rows), done.ret) == ({INTERFACE}, 1)
    offenders = rows[INTERFACE]["offenders"]
    assert offenders == [
        "input 'input': type uint8 -> int8",
        "input 'input': zero point 0 -> -128",
    ]
    budget = rows[INTERFACE]["steps"]["change"].partition("or its limit ")[2]
    argument = budget.removeprefix("Budget(").removesuffix(")")  # the step is what to paste
    declare("int8", argument.replace("Regression", "lg.Regression"))
    done, rows = run_all(project)
    assert (failed(rows), done.ret) == (set(), 0)
    assert f"declared: {offenders[0]}" in rows[INTERFACE]["evidence"]


def run_all(project):
    """Run every check but latency against the base; the report's rows by check."""
    done = project.run("checks/", "--against", "main", "-m", "not latency")
    report = json.loads((project.path / ".litegate/report/report.json").read_text("utf-8"))
    return done, {row["check"]: row for row in report["verdicts"]}


NO_ACCURACY = "regression=lg.Regression(accuracy=lg.points(100), agreement=lg.percent({agree}))"


@pytest.mark.parametrize(
    ("agree", "verdict"),
    [(94, "pass"), (96, "inconclusive"), (97.5, "inconclusive"), (97.6, "fail")],
)
def test_decisions_that_changed_fail_their_check_alone(judged, agree, verdict):
    """Right or wrong, and whatever accuracy says; 195 of 200 are the same, at least 94.95 %."""
    biased = revalue(GOOD, "dense/bias", lambda bias: bias + np.array([0, 0, 0, 4000], bias.dtype))
    done, rows = judged(biased, budget=NO_ACCURACY.format(agree=agree))
    assert rows[DECISIONS]["verdict"] == verdict, rows[DECISIONS]["sentence"]
    assert failed(rows) == ({DECISIONS} if verdict == "fail" else set())
    assert done.ret == (verdict == "fail")


@pytest.mark.parametrize(("operators", "broken"), [(1, {OPERATORS}), (2, set())])
def test_operators_that_came_fail_their_check_alone(judged, operators, broken):
    """Two came with the float layer; the sentence names them."""
    budget = WIDE.format(size=7, types=f"3, operators={operators}")
    _, rows = judged(float_layer(GOOD, "conv"), budget=budget)
    assert failed(rows) == broken
    assert "\n  - 1 DEQUANTIZE came (1 in the base, 2 now)" in rows[OPERATORS]["sentence"]


def test_operators_that_came_can_be_waived(repository, judged):
    """As any verdict that names what breaks it."""
    session = GateSession(parse(repository.path, {}, {}, {}), lambda *_: None, print)
    key = session.pipeline.key(session.models["tiny"], "int8_qat")
    (repository.path / "litegate-waivers.toml").write_text(WAIVER.replace("BASE", key))
    budget = WIDE.format(size=7, types="3, operators=1")
    done, rows = judged(float_layer(GOOD, "conv"), budget=budget)
    assert (done.ret, failed(rows)) == (0, {OPERATORS})
    assert rows[OPERATORS]["waived"]["reason"] == "the last layer needs floats"


def test_unset_limits_against_the_base_collect_no_check_and_are_named(judged):
    """Only where there is a base."""
    done, rows = judged(pad(GOOD, 1), "-v")
    assert {DECISIONS, OPERATORS}.isdisjoint(rows)
    done.stdout.fnmatch_lines(
        ["no limit for tiny-int8_qat: *regression.agreement, regression.operators"]
    )


def test_without_a_base_its_unset_limits_are_not_named(repository):
    """Nothing could be held to them."""
    shutil.copy(CHECKS / "test_tensors.py", repository.path / "checks")
    done = repository.run("checks/test_tensors.py", "-v")
    done.stdout.fnmatch_lines(["no limit for tiny-int8_qat: *"])
    done.stdout.no_fnmatch_line("*regression.*")


def measured(repository, right):
    """Write what `litegate noise` would have."""
    model = discover(repository.path / "models", repository.path)["tiny"]
    row = NoiseRow(
        model="tiny",
        recipe="int8_qat",
        data=data_key(model.data, repository.path),
        samples=200,
        seeds=(7, 8),
        right=right,
    )
    write_row(repository.path, row)


@pytest.mark.parametrize(("right", "warned"), [((199, 200), True), ((200, 200), False)])
def test_a_limit_below_the_noise_is_said_to_be(repository, judged, right, warned):
    """The SD stands in the sentence once it was measured, with a lint where the limit is finer."""
    measured(repository, right)
    _, rows = judged(pad(GOOD, 1))
    assert "SD from seed to seed" in rows[ACCURACY]["sentence"]
    assert ("harmless changes also break it" in rows[ACCURACY]["sentence"]) is warned


@pytest.mark.parametrize("is_noted", [False, True], ids=["same data", "other preprocessing"])
def test_a_gain_on_the_data_of_the_base_needs_no_note(project, is_noted):
    """It is an improvement; other data or labels may only look like one."""
    for name in ("test_regression.py", "test_weakened_limits.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    biased = revalue(GOOD, "dense/bias", lambda bias: bias + np.array([0, 0, 0, 10**6], bias.dtype))
    project.model(files={"float32": tiny(Kind.FLOAT32), "int8_qat": biased}).as_base()
    project.model(network="another")
    if is_noted:
        file = project.path / "models" / "tiny.py"
        file.write_text(file.read_text().replace("return samples", "return samples * 1"))
        fill_store(project.path, "tiny", {"float32": tiny(Kind.FLOAT32), "int8_qat": GOOD})
    _, rows = run_all(project)
    assert rows[ACCURACY]["value"] < -0.5
    report = json.loads((project.path / ".litegate/report/report.json").read_text("utf-8"))
    assert any("better than the base's" in note for note in report["notes"]) is is_noted


def test_a_damaged_record_of_noise_is_an_error(repository, judged):
    """Not a run without noise."""
    (repository.path / RECORD).write_text("{")
    done, rows = judged(pad(GOOD, 1))
    assert done.ret == 1
    assert ACCURACY not in rows
    done.stdout.fnmatch_lines(["*is not what `litegate noise` writes*"])
