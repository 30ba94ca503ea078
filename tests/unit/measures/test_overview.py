"""The table of recipes: what each costs beside the others."""

import json
import zlib
from dataclasses import replace
from hashlib import sha256

import pytest
from made_reports import recipe, report
from scenes import scene

from litegate import Budget, metrics, percent
from litegate.core.errors import ConfigError
from litegate.measures.latency.timing import quick_times
from litegate.measures.metrics import metric_value
from litegate.measures.overview import overview, recipe_notes
from litegate.measures.structure.arena import arena
from litegate.mutation.faults.latency import added_operators
from litegate.report.row_text import recipe_figures, recipe_head
from litegate.report.schema import check
from litegate.spec import Kind
from litegate.testing import custom_operator, tiny_artifact


def rows(artifacts, **options):
    found, notes = overview(scene().model, artifacts, "float32", **options)
    assert notes == []
    return {row["recipe"]: row for row in found}


def test_every_kind_is_shown_with_its_bytes_and_its_memory():
    artifacts = {kind.value: tiny_artifact(kind) for kind in Kind}
    found = rows(artifacts)
    assert list(found) == list(artifacts)
    for name, row in found.items():
        made = artifacts[name]
        assert row["compressed_bytes"] == len(zlib.compress(made.tflite, 9))
        assert row["arena"] == arena(made).value
        assert row["latency"] is None
    assert found["float32"]["arena"] > found["int16x8"]["arena"] > found["int8_qat"]["arena"]


def test_a_run_that_times_ranks_them():
    quick = tiny_artifact()
    slow = replace(
        added_operators(scene(), 400).candidate, recipe=replace(quick.recipe, name="slow")
    )
    found = rows({"int8_qat": quick, "slow": slow}, timed=True)
    assert 0 < found["int8_qat"]["latency"] < found["slow"]["latency"] < 1


def test_what_litert_refuses_is_noted_and_not_timed():
    broken = tiny_artifact()
    bad = custom_operator(broken.tflite, "dense", "MyOwn")
    broken = replace(broken, tflite=bad, sha256=sha256(bad).hexdigest())
    artifacts = {"float32": tiny_artifact(Kind.FLOAT32), "int8_qat": broken}
    found, notes = overview(scene().model, artifacts, "float32", timed=True)
    assert [row["recipe"] for row in found] == ["float32"]
    assert found[0]["latency"] > 0
    assert "cannot be shown beside" in notes[0]


def test_a_glance_at_nothing_is_nothing():
    assert quick_times({}) == {}


def test_a_report_of_an_older_run_is_shown_without_the_new_figures():
    row = rows({"float32": tiny_artifact(Kind.FLOAT32)})["float32"]
    assert len(recipe_figures(row)) == len(recipe_head([row])) - 2
    older = {k: v for k, v in row.items() if k not in ("compressed_bytes", "arena", "latency")}
    assert recipe_figures(older)[-3:] == ("", "", "")
    assert recipe_figures(older)[:-3] == recipe_figures(row)[:-3]


@pytest.mark.parametrize("name", ["compressed_bytes", "arena", "latency"])
def test_a_report_with_other_figures_is_refused(name):
    """It may come from anywhere."""
    check(json.loads(json.dumps(report(recipes=[recipe()]))), "mine")
    with pytest.raises(ConfigError, match="recipes"):
        check(report(recipes=[recipe() | {name: "<b>1</b>"}]), "mine")


@pytest.mark.parametrize(("seconds", "said"), [(30.9e-6, "30.9 us"), (0.0021, "2.10 ms")])
def test_a_latency_reads_as_in_a_verdict(seconds, said):
    row = rows({"float32": tiny_artifact(Kind.FLOAT32)})["float32"]
    assert recipe_figures(row | {"latency": seconds})[-1] == said


F1 = metrics.f1(least=0.5)
JUDGED = Budget(metrics=(F1, metrics.top_k(2, least=percent(50))))


def test_metrics_stand_beside_top_1():
    found, notes = overview(scene(budget=JUDGED).model, {"int8_qat": tiny_artifact()}, "float32")
    assert notes == []
    (row,) = found
    assert row["metrics"]["f1"]["value"] == pytest.approx(metric_value(tiny_artifact(), F1).value)
    first, *_ = recipe_figures(row)
    assert first == "100.00 %, f1 1.000, top_2 100.00 %"
    check(report(recipes=[recipe() | {"metrics": row["metrics"]}]), "report.json")


def test_a_network_that_does_not_choose_has_no_accuracy_and_keeps_its_row():
    one = tiny_artifact()
    one = replace(one, evaluation=replace(one.evaluation, classes=()))
    (row,) = overview(scene(budget=JUDGED).model, {"int8_qat": one}, "float32")[0]
    assert row["accuracy"] is None
    assert row["metrics"]["f1"]["unit"] == "score"


def test_outputs_that_do_not_fit_the_classes_are_told():
    """Without a limit on accuracy no check would say so."""
    one = tiny_artifact()
    names = (*one.evaluation.classes, "another")
    one = replace(one, evaluation=replace(one.evaluation, classes=names))
    notes = overview(scene(budget=JUDGED).model, {"int8_qat": one}, "float32")[1]
    (told,) = notes
    assert f"not one score for each of the {len(names)} classes" in told


def test_a_metric_without_a_value_is_left_out():
    """Its check says why."""
    budget = Budget(metrics=(metrics.mse(most=1),))
    (row,) = overview(scene(budget=budget).model, {"int8_qat": tiny_artifact()}, "float32")[0]
    assert row["metrics"] == {}


@pytest.mark.parametrize(("certificate", "noted"), [({"batch": 1}, True), ({}, False)])
def test_a_batch_that_had_to_be_fixed_is_noted(certificate, noted):
    planted = scene()
    model, candidate = planted.model, replace(planted.candidate, certificate=certificate)
    artifacts = {
        candidate.recipe.name: candidate,
        candidate.recipe.reference.name: planted.reference,
    }
    notes = recipe_notes(model, artifacts)
    assert any("has a fixed batch of 1, since TensorFlow cannot" in note for note in notes) == noted


@pytest.mark.parametrize("is_compared", [True, False])
def test_the_default_limits_against_a_base_count_beside_one(is_compared):
    """Half a point of the planted 200 samples is one sample."""
    planted = scene(budget=JUDGED)
    sides = (planted.candidate, planted.reference)
    artifacts = {artifact.recipe.name: artifact for artifact in sides}
    notes = recipe_notes(planted.model, artifacts, is_compared=is_compared)
    assert any(": regression.accuracy: 0.50 points of " in note for note in notes) is is_compared
