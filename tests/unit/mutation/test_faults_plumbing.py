"""Faults around the model: what is compared, on what, and what was promised before."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import BUDGET, scene, small

from litegate import percent, points
from litegate.core.errors import BuildError, LitegateError
from litegate.core.units import per_thousand
from litegate.measures.accuracy import accuracy, accuracy_drop, class_drop, extra_errors
from litegate.measures.accuracy.agreement import keras_agreement
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.measurement import Outcome
from litegate.measures.names import Name
from litegate.measures.regression import accuracy_loss
from litegate.measures.shipped import shipped_violations
from litegate.mutation.faults import Expect, Unplantable, plumbing
from litegate.mutation.faults.catalogue import faults_in
from litegate.mutation.grades import FaultRun
from litegate.mutation.remedies import Remedies
from litegate.regression.base_declaration import NOTHING
from litegate.regression.weakening import compare_model, compare_project
from litegate.spec import Artifact, Budget, Vela, metrics
from litegate.testing import evaluation

FAULTS = faults_in(plumbing)
JUDGED = {
    "accuracy": lambda s: accuracy(s.candidate) >= percent(90),
    "accuracy drop": lambda s: (
        accuracy_drop(s.reference, s.candidate) <= s.model.budget_of(s.recipe).accuracy_drop
    ),
    "extra errors": lambda s: extra_errors(s.reference, s.candidate) <= per_thousand(50),
    "worst class's accuracy drop": lambda s: class_drop(s.reference, s.candidate) <= points(10),
    "agreement with Keras": lambda s: keras_agreement(s.candidate) >= percent(95),
    "runtime agreement": lambda s: (
        runtime_agreement(replace(s.candidate, runtime="reference")) >= percent(95)
    ),
    "accuracy regression": lambda s: accuracy_loss(s.base, s.candidate) <= points(0.5),
}
ON_SAMPLES = [fault for fault in FAULTS if set(fault.noticed_by) <= JUDGED.keys()]
WEAKENED = [fault for fault in FAULTS if fault.noticed_by == (Name.WEAKENED_LIMITS,)]

DECLARED = NOTHING | {
    "models": {
        "tiny": {
            "renamed_from": None,
            "data": {
                "digests": {},
                "preprocessing": "p",
                "domain": [0.0, 1.0],
                "classes": ["a", "b"],
            },
            "budget": {"accuracy": {"value": "9/10", "unit": "%"}},
            "recipes": {
                "int8_qat": {
                    "gate": True,
                    "kind": "int8_qat",
                    "spec": {"input_type": "float32", "output_type": "float32"},
                    "shipped": None,
                    "budget": {
                        "accuracy": {"value": "9/10", "unit": "%"},
                        "regression.lost_types": {"value": "0", "unit": ""},
                    },
                }
            },
        }
    },
    "checks": {"checks/test_size.py::test_size": {"lines": ["pass"], "imports": []}},
}


@pytest.fixture(scope="module")
def sound():
    """A scene of enough samples to prove each limit of `JUDGED`."""
    return scene(split=evaluation(800))


def outcome(name, planted):
    """What a measurement says: a verdict's outcome, or "error"."""
    try:
        return JUDGED[name](planted).outcome
    except LitegateError:
        return "error"


def test_each_fault_stands_in_the_module():
    assert [fault.name for fault in FAULTS] == [
        "no_base",
        "stale_base",
        "stale_shipped_file",
        "stale_compiled_file",
        "no_samples",
        "one_sample",
        "copied_samples",
        "leaked_samples",
        "nan_sample",
        "nan_reference",
        "unresolvable_tolerance",
        "model_renamed",
        "model_vanished",
        "limit_weakened",
        "check_removed",
    ]


@pytest.mark.parametrize("fault", ON_SAMPLES, ids=lambda fault: fault.name)
def test_every_named_measurement_notices_the_top_grade_and_no_sound_scene(fault, sound):
    allowed = {Outcome.FAIL, "error"}
    if fault.expect is Expect.UNPROVEN:
        allowed.add(Outcome.INCONCLUSIVE)
    planted = fault(sound, fault.ladder.top)
    said = {name: outcome(name, planted) for name in fault.noticed_by}
    assert set(said.values()) <= allowed, said
    before = {name: outcome(name, sound) for name in fault.noticed_by}
    assert set(before.values()) == {Outcome.PASS}, before


def test_a_base_that_cannot_be_built_is_an_error_and_no_artifact(sound):
    planted = plumbing.no_base(sound, 1)
    assert isinstance(planted.base, BuildError)
    assert planted.candidate is sound.candidate


def test_a_base_of_another_split_is_refused_for_its_split(sound):
    planted = plumbing.stale_base(sound, 1)
    with pytest.raises(LitegateError, match="different evaluation splits"):
        accuracy_loss(planted.base, planted.candidate)
    with pytest.raises(Unplantable, match="no base"):
        plumbing.stale_base(replace(sound, base=BuildError("none")), 1)


def test_a_shipped_file_of_an_older_build_is_noticed(sound, tmp_path):
    with pytest.raises(Unplantable, match="ships"):
        plumbing.stale_shipped_file(sound, 1)
    ships = replace(sound, recipe=replace(sound.recipe, shipped="app/model.tflite"))
    file = tmp_path / "model.tflite"
    for given, wrong in ((ships, 0), (plumbing.stale_shipped_file(ships, 1), 1)):
        file.write_bytes(given.shipped)
        found = shipped_violations(given.candidate, file)
        assert (found.name, found.value) == (Name.SHIPPED_DIFFERENCES, wrong)


def test_a_compiled_file_of_another_candidate_is_noticed(sound, tmp_path):
    """It is compiled again, for which a configuration is needed, and then Vela."""
    ships = replace(sound, recipe=replace(sound.recipe, shipped="app/model.tflite"))
    with pytest.raises(Unplantable, match="no NPU"):
        plumbing.stale_compiled_file(ships, 1)
    vela = Vela(accelerator="ethos-u55-128", system_config="A", memory_mode="B")
    budget = replace(sound.model.budget, vela=vela)
    ships = replace(ships, model=replace(sound.model, budget=budget))
    file = tmp_path / "model.tflite"
    file.write_bytes(plumbing.stale_compiled_file(ships, 1).shipped)
    (offender,) = shipped_violations(ships.candidate, file).offenders
    assert "is compiled by Vela; to compile the gated file again, set Budget(vela=...)" in offender


@pytest.mark.parametrize("times", [2, 8, 32])
def test_copies_would_prove_what_the_samples_do_not(sound, times):
    """Counted as samples they keep the easiest limit; counted once they leave it open."""
    planted = plumbing.copied_samples(sound, times)
    split = planted.candidate.evaluation
    distinct = len(np.unique(split.x.reshape(len(split.x), -1), axis=0))
    assert len(split.x) == times * distinct
    numbered = planted.with_split(
        split.x + np.arange(len(split.x)).reshape(-1, 1, 1, 1) * 1e-7, split.y
    )
    assert outcome("accuracy", planted) is Outcome.INCONCLUSIVE
    assert outcome("accuracy", numbered) is Outcome.PASS
    with pytest.raises(Unplantable, match="no limit"):
        plumbing.copied_samples(replace(sound, model=replace(sound.model, budget=Budget())), times)


def test_nan_sample_is_one_of_all(sound):
    planted = plumbing.nan_sample(sound, 1)
    broken = np.isnan(planted.candidate.evaluation.x).reshape(800, -1).any(axis=1)
    assert broken.sum() == 1
    assert not np.isnan(sound.candidate.evaluation.x).any()


def test_reference_of_integers_holds_no_nan(sound):
    with pytest.raises(Unplantable, match="float"):
        plumbing.nan_reference(replace(sound, reference=sound.candidate), 1)


def test_tolerance_is_below_any_sample_and_needs_a_limit(sound):
    planted = plumbing.unresolvable_tolerance(sound, 1)
    limit = planted.model.budget_of(planted.recipe).accuracy_drop
    assert 0 < limit.value < 1 / 800
    assert planted.model.budget_of(planted.recipe).accuracy == BUDGET.accuracy
    unlimited = replace(sound, model=replace(sound.model, budget=Budget(accuracy=percent(90))))
    with pytest.raises(Unplantable, match="no accuracy drop"):
        plumbing.unresolvable_tolerance(unlimited, 1)


def test_no_sample_that_is_answered_right_cannot_be_picked(sound):
    wrong = small(sound, 4)
    split = wrong.candidate.evaluation
    with pytest.raises(Unplantable, match="right"):
        plumbing.one_sample(wrong.with_split(split.x, (split.y + 1) % 4), 1)


@pytest.mark.parametrize("fault", WEAKENED, ids=lambda fault: fault.name)
def test_every_grade_of_a_withdrawn_promise_is_found(fault, sound):
    for grade in fault.ladder.grades:
        before = fault(sound, grade).derive_base_declaration(DECLARED)
        found = (
            *compare_project(before, DECLARED).weakenings,
            *compare_model(before, DECLARED, "tiny").weakenings,
        )
        assert found, grade
        assert all(isinstance(one.sentence, str) for one in found)
    same = sound.derive_base_declaration(DECLARED)
    assert not (
        *compare_project(same, DECLARED).weakenings,
        *compare_model(same, DECLARED, "tiny").weakenings,
    )


def test_limit_was_tighter_by_the_grade(sound):
    before = plumbing.limit_weakened(sound, 10).derive_base_declaration(DECLARED)
    was = before["models"]["tiny"]["recipes"]["int8_qat"]["budget"]["accuracy"]["value"]
    assert was == "99/100"
    assert (
        DECLARED["models"]["tiny"]["recipes"]["int8_qat"]["budget"]["accuracy"]["value"] == "9/10"
    )


def test_scenes_stay_as_they_were(sound):
    """A fault makes a scene of its own and leaves the sound one alone."""
    before = (sound.candidate.sha256, sound.candidate.evaluation.digest, sound.shipped)
    for fault in FAULTS:
        try:
            planted = fault(sound, fault.ladder.top)
        except Unplantable:
            continue
        assert isinstance(planted.candidate, Artifact)
    assert before == (sound.candidate.sha256, sound.candidate.evaluation.digest, sound.shipped)


def test_a_metric_is_what_would_catch_a_stale_base_of_a_model_without_accuracy():
    """Its limit against the base is suggested; one of an accuracy could not be set."""
    budget = Budget(metrics=(metrics.mse(most=1),))
    fault_run = FaultRun(fault=plumbing.stale_base, results={1.0: {}})
    remedies = Remedies(scene=scene(budget=budget), sound_results={}, names={})
    assert remedies.for_fault(fault_run, 1.0) == "a limit mse.regression"
