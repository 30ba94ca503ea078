"""What counts as promising less than the base, and what does not."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from litegate.core.errors import MeasurementError
from litegate.measures.measurement import Outcome
from litegate.regression.base_declaration import NOTHING
from litegate.regression.declaration import declared_model
from litegate.regression.weakening import (
    WeakenedLimits,
    compare,
    compare_model,
    compare_project,
    count_weakened,
    models,
    weakenings,
)
from litegate.regression.weakening.models import LEAST, MOST
from litegate.spec.cases import LIMITS
from litegate.spec.loader import discover

PROJECT = Path(__file__).resolve().parents[3]
SIZE_CHECK = "checks/test_size.py::test_size_stays_within_budget"


def _limit(value, unit):
    return {"value": value, "unit": unit}


BUDGET = dict.fromkeys(LIMITS) | {
    "accuracy": _limit("97/100", "%"),
    "keras_agreement": _limit("99/100", "%"),
    "runtime_agreement": _limit("99/100", "%"),
    "accuracy_drop": _limit("1/200", "points"),
    "size": _limit("12288", "B"),
    "latency": _limit("1/1000", "s"),
    "regression.accuracy": _limit("1/200", "points"),
    "regression.size": _limit("1/100", "%"),
    "regression.latency": _limit("1/40", "%"),
    "regression.latency_floor": _limit("1/1000000", "s"),
    "regression.lost_types": _limit("0", "count"),
    "regression.agreement": _limit("99/100", "%"),
    "regression.operators": _limit("2", "count"),
}
RECIPE = {
    "gate": True,
    "kind": "int8_qat",
    "spec": {"input_type": "uint8", "output_type": "int8", "fine_tune_epochs": 1},
    "budget": BUDGET,
    "shipped": "app/model.tflite",
    "key": "k",
}
MODEL = {
    "file": "models/digits.py",
    "line": 7,
    "renamed_from": None,
    "data": {
        "digests": {"x_train": "1" * 64, "y_train": "2" * 64, "x_test": "3" * 64},
        "preprocessing": "a" * 64,
        "domain": [0, 1],
        "classes": ["zero", "one"],
        "sequences": {"period": 0.02, "answer": "last"},
    },
    "training": {"epochs": 1},
    "budget": BUDGET,
    "recipes": {"int8_qat": RECIPE, "float32": RECIPE | {"gate": False, "kind": "float32"}},
}


def _code(*lines, imports=()):
    return {"lines": list(lines), "imports": list(imports)}


ANSWER = "answer of frames"
SAMPLES = "litegate_runtime_samples"
SHARED = "checks/test_size.py"
STATEMENTS = "top-level statements of"
HELPER = "checks/limits.py"
GATE = ".github/workflows/gate.yml"
_DECLARED = {
    "models": {"digits": MODEL},
    "checks": {SIZE_CHECK: _code("5"), "checks/test_latency.py::test_latency": _code("6")},
    "shared": {SHARED: _code("import limits", imports=[HELPER])},
    "statements": {SHARED: _code("print(1)")},
    "settings": {"litegate_strict": "true", "addopts": "-ra --strict-markers"},
    "conftests": {"checks/conftest.py": _code("7"), HELPER: _code("MOST = 9")},
    "modules": {"src/app.py": _code("SCALE = 1")},
    "workflows": {GATE: _code("run: pytest checks/ --against auto"), "a.yml": _code("run: ls")},
}
BASE = json.loads(json.dumps(_DECLARED))
"""As it comes: no two parts of it are one object."""


def test_each_model_is_compared_once(monkeypatch):
    """Not once for each of the others: with a hundred models that would take seconds."""
    seen = []
    monkeypatch.setattr(models, "_model", lambda *sides: seen.append(sides) or ())
    many = BASE | {"models": {f"net_{number}": deepcopy(MODEL) for number in range(9)}}
    assert set(compare(many, deepcopy(many))) == {"", *many["models"]}
    assert len(seen) == 9


def _changed(*path, to, of=BASE):
    """The base with one value set, or removed where `to` is ellipsis."""
    head = deepcopy(of)
    place = head
    for step in path[:-1]:
        place = place[step]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return head


def _digits(*path, to):
    return _changed("models", "digits", *path, to=to)


def _recipe(*path, to):
    return _digits("recipes", "int8_qat", *path, to=to)


def _found(head, base=BASE):
    return [(one.kind, one.field) for one in weakenings(base, head)]


def test_nothing_changed_is_nothing_loosened():
    """The usual pull request."""
    assert weakenings(BASE, deepcopy(BASE)) == ()


def test_the_real_models_are_compared():
    """The declarations that this project makes have the shape that is compared."""
    models = discover(PROJECT / "models", PROJECT)
    declared = {n: declared_model(m, PROJECT, str, str) for n, m in models.items()}
    base = BASE | {"models": declared}
    assert weakenings(base, deepcopy(base)) == ()
    head = deepcopy(base)
    head["models"]["mnist_cnn"]["budget"]["size_ratio"]["value"] = "31/100"
    assert [one.sentence for one in weakenings(base, head)] == [
        "mnist_cnn: budget size_ratio: 0.3 -> 0.31"
    ]


def test_each_limit_of_a_budget_has_a_direction():
    """A limit that is added to Budget must be put in one of the two sets."""
    assert LEAST | MOST == set(LIMITS)
    assert not LEAST & MOST


@pytest.mark.parametrize("field", sorted(LEAST | MOST))
@pytest.mark.parametrize(("value", "higher"), [("1/3", False), ("1/2", None), ("2/3", True)])
def test_a_limit_is_loosened_in_its_own_direction(field, value, higher):
    """Just below, at and above the base's: a floor may rise, a ceiling may fall."""
    base = _digits("budget", field, to=_limit("1/2", "%"))
    head = _digits("budget", field, to=_limit(value, "%"))
    looser = higher is not None and higher is (field in MOST)
    assert _found(head, base) == ([("budget", field)] if looser else [])


def test_a_runtime_that_is_no_longer_judged_is_weaker_and_a_further_one_is_not():
    both, one = ["xnnpack", "tflm"], ["xnnpack"]
    (weakening,) = weakenings(_recipe("runtimes", to=both), _recipe("runtimes", to=one))
    assert weakening.sentence == (
        "digits/int8_qat: recipe changed runtimes: xnnpack, tflm -> xnnpack"
    )
    assert weakenings(_recipe("runtimes", to=one), _recipe("runtimes", to=both)) == ()
    assert weakenings(BASE, _recipe("runtimes", to=both)) == ()  # before there were any


def test_a_limit_of_an_older_base_is_compared_by_todays_name():
    base = _digits("budget", "kernel_agreement", to=_limit("98/100", "%"))
    base["models"]["digits"]["budget"].pop("runtime_agreement")
    head = _digits("budget", "runtime_agreement", to=_limit("98/100", "%"))
    assert _found(head, base) == []
    weaker = _digits("budget", "runtime_agreement", to=_limit("97/100", "%"))
    assert _found(weaker, base) == [("budget", "kernel_agreement")]


@pytest.mark.parametrize("field", ["accuracy", "size"])
def test_a_limit_removed_is_loosened_and_one_added_is_not(field):
    """No limit collects no check."""
    without = _digits("budget", field, to=None)
    assert _found(without) == [("budget", field)]
    assert _found(BASE, without) == []


def test_a_limit_in_another_unit_cannot_be_compared():
    """What cannot be ranked counts as loosened."""
    assert _found(_digits("budget", "size", to=_limit("1", "%"))) == [("budget", "size")]


def test_a_limit_that_nobody_ranked_may_not_change():
    """A field of a later version: fail closed."""
    base = _digits("budget", "flash", to=_limit("2", "B"))
    assert _found(_digits("budget", "flash", to=_limit("1", "B")), base) == [("budget", "flash")]


def test_the_merged_limits_of_a_recipe_count():
    """recipe(budget=...) loosens as the model's own budget does."""
    (one,) = weakenings(BASE, _recipe("budget", "size", to=_limit("12289", "B")))
    assert one.sentence == "digits/int8_qat: budget size: 12,288 B -> 12,289 B"


def test_a_recipes_own_limit_against_the_base_counts():
    """recipe(budget=Budget(regression=...)) is as much of a promise as the model's."""
    (one,) = weakenings(BASE, _recipe("budget", "regression.size", to=_limit("1/50", "%")))
    assert one.sentence == "digits/int8_qat: budget regression.size: 1 % -> 2 %"


@pytest.mark.parametrize(
    ("name", "to", "change"),
    [
        ("size", None, "size: 1 % -> no limit"),
        ("latency_floor", _limit("11/10000000", "s"), "latency_floor: 0.001 ms -> 0.0011 ms"),
        ("latency_floor", _limit("1/1000000", "s"), None),
        ("latency_floor", _limit("0", "s"), None),
    ],
)
def test_growth_that_becomes_a_note_and_a_higher_floor_are_weaker(name, to, change):
    """The same floor and a lower one are not."""
    sentences = [
        w.sentence for w in weakenings(BASE, _digits("budget", f"regression.{name}", to=to))
    ]
    assert sentences == ([f"digits: budget regression.{change}"] if change else [])


def test_one_edit_of_the_models_budget_is_said_once():
    """Each recipe inherits it; nobody wants to read it for each of them."""
    head = _recipe("budget", "size", to=_limit("12289", "B"))
    head["models"]["digits"]["budget"]["size"] = _limit("12289", "B")
    assert [one.sentence for one in weakenings(BASE, head)] == [
        "digits: budget size: 12,288 B -> 12,289 B"
    ]


def test_limits_are_told_apart_to_the_last_digit():
    """96.996 % is not 97.00 %, though it rounds to that: a waiver of one is none of the other."""
    (one,) = weakenings(BASE, _digits("budget", "accuracy", to=_limit("96996/100000", "%")))
    assert (one.before, one.after) == ("97 %", "96.996 %")


@pytest.mark.parametrize(
    ("field", "tighter", "looser", "said"),
    [
        ("accuracy", _limit("1/250", "points"), _limit("3/500", "points"), "0.6 points"),
        ("size", _limit("0", "%"), _limit("2/100", "%"), "2 %"),
        ("latency", _limit("1/50", "%"), _limit("1/10", "%"), "10 %"),
        ("lost_types", _limit("0", "count"), _limit("1", "count"), "1"),
        ("agreement", _limit("1", "%"), _limit("49/50", "%"), "98 %"),
        ("agreement", _limit("1", "%"), None, "no limit"),
        ("operators", _limit("1", "count"), _limit("3", "count"), "3"),
        ("operators", _limit("0", "count"), None, "no limit"),
    ],
)
def test_the_limits_against_the_base_count(field, tighter, looser, said):
    """They stand among the budget's."""
    name = f"regression.{field}"
    assert _found(_digits("budget", name, to=tighter)) == []
    (one,) = weakenings(BASE, _digits("budget", name, to=looser))
    assert (one.kind, one.field, one.after) == ("budget", name, said)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (_recipe("gate", to=False), [("no longer gated", "int8_qat")]),
        (_digits("recipes", "int8_qat", to=...), [("recipe removed", "int8_qat")]),
        (_digits("recipes", "float32", to=...), []),
        (_digits("recipes", "new", to=RECIPE), []),
        (_recipe("kind", to="dynamic_range"), [("recipe changed", "kind")]),
        (_recipe("kind", to="int8_ptq"), []),
        (_recipe("kind", to="of_tomorrow"), [("recipe changed", "kind")]),
        (_recipe("spec", "input_type", to="float32"), [("recipe changed", "input_type")]),
        (_recipe("spec", "output_type", to="float32"), [("recipe changed", "output_type")]),
        (_recipe("spec", "input_type", to="int8"), []),
        (_recipe("spec", "fine_tune_epochs", to=0), []),
        (_recipe("spec", "float_layers", to=["dense"]), [("recipe changed", "float_layers")]),
        (_recipe("spec", "int16_layers", to=["dense"]), [("recipe changed", "int16_layers")]),
        (_recipe("chosen_on_half", to=True), [("recipe changed", "chosen_on_half")]),
        (_recipe("chosen_on_half", to=False), []),
        (_recipe("spec", "pruning", to={"sparsity": "1/2", "epochs": 1}), []),
        (_recipe("shipped", to=None), [("recipe changed", "shipped")]),
        (_digits("training", "epochs", to=9), []),
        (_digits("data", "digests", "x_test", to="4" * 64), [("evaluation split", "x_test")]),
        (_digits("data", "digests", "x_test", to=...), [("evaluation split", "x_test")]),
        (_digits("data", "digests", "y_test", to="4" * 64), []),
        (_digits("data", "digests", "x_train", to="4" * 64), []),
        (_digits("data", "preprocessing", to="b" * 64), [("preprocessing", "source")]),
        (_digits("data", "domain", to=[0, 2]), []),
        (_digits("data", "domain", to=[0, 0.9]), [("domain", "of inputs")]),
        (_digits("data", "domain", to=[0.1, 1]), [("domain", "of inputs")]),
        (_digits("data", "domain", to=[0, float("nan")]), [("domain", "of inputs")]),
        (_digits("data", "classes", to=["one", "zero"]), [("classes", "names")]),
        (
            _digits("data", "sequences", "period", to=0.2),
            [("evaluation split", "period of frames")],
        ),
        (_digits("data", "sequences", "answer", to="b" * 64), [("evaluation split", ANSWER)]),
        (
            _digits("data", "sequences", to={"period": 0.02, "detector": {"threshold": 0.5}}),
            [("evaluation split", ANSWER), ("evaluation split", "detector of frames")],
        ),
        (_changed("checks", SIZE_CHECK, to=...), [("check removed", SIZE_CHECK)]),
        (_changed("checks", SIZE_CHECK, to=_code("8")), [("check changed", SIZE_CHECK)]),
        (_changed("checks", "checks/test_new.py::test_new", to=_code("8")), []),
        (_changed("shared", SHARED, to=_code("8")), [("code shared by the checks of", SHARED)]),
        (_changed("shared", "checks/test_new.py", to=_code("8")), []),
        (_changed("shared", SHARED, to=...), []),
        (_changed("statements", SHARED, to=...), [(STATEMENTS, SHARED)]),
        (_changed("statements", SHARED, to=_code("8")), [(STATEMENTS, SHARED)]),
        (_changed("statements", "checks/n.py", to=_code("8")), [(STATEMENTS, "checks/n.py")]),
        (_changed("conftests", "checks/conftest.py", to=_code("8")), [("conftest",) * 2]),
        (_changed("conftests", "checks/conftest.py", to=...), [("conftest",) * 2]),
        (_changed("conftests", "conftest.py", to=_code("8")), [("conftest",) * 2]),
        (_changed("conftests", HELPER, to=_code("8")), [("module", HELPER)]),
        (_changed("conftests", HELPER, to=...), [("module", HELPER)]),
        (_changed("conftests", "checks/new.py", to=_code("8")), [("module", "checks/new.py")]),
        (_changed("modules", "src/app.py", to=_code("8")), [("module", "src/app.py")]),
        (_changed("modules", "src/app.py", to=...), []),
        (_changed("workflows", GATE, to=...), [("workflow", GATE)]),
        (_changed("workflows", GATE, to=_code("continue-on-error")), [("workflow", GATE)]),
        (_changed("workflows", "a.yml", to=...), []),
        (_changed("workflows", "new.yml", to=_code("run: litegate list")), []),
        (_changed("modules", "src/new.py", to=_code("8")), []),
        (_changed("settings", "litegate_strict", to="false"), [("strict", "litegate_strict")]),
        (_changed("settings", "litegate_strict", to=...), [("strict", "litegate_strict")]),
        (_changed("settings", "litegate_strict", to="on"), []),
        (_changed("settings", "litegate_model", to="other"), [("deselection", "litegate_model")]),
        (_changed("settings", "litegate_checks", to="c"), [("setting", "litegate_checks")]),
        (_changed("settings", "litegate_checks", to="checks"), []),
        (_changed("settings", "litegate_store", to="s"), [("setting", "litegate_store")]),
        (_changed("settings", "litegate_store_public_key", to="k"), []),
        (_changed("settings", "litegate_store_readonly", to="true"), []),
        (_changed("settings", "litegate_store_required", to="true"), []),
        (_changed("settings", "litegate_build_timeout", to="9"), []),
        (_changed("settings", SAMPLES, to="900"), [("setting", SAMPLES)]),
        (_changed("settings", SAMPLES, to="0"), []),
        (_changed("settings", "litegate_against", to="auto"), []),
        (_changed("settings", "python_functions", to="x_*"), [("setting", "python_functions")]),
    ],
)
def test_what_counts_and_what_does_not(head, found):
    """One change at a time, against the same base."""
    assert [(k, f.rpartition("/")[2] if k == "conftest" else f) for k, f in _found(head)] == [
        (k, "conftest.py" if k == "conftest" else f) for k, f in found
    ]


def test_a_setting_taken_back_widens_the_run():
    """A model that was deselected is gated again."""
    base = _changed("settings", "litegate_model", to="other")
    assert _found(BASE, base) == []
    assert _found(
        _changed("settings", "litegate_against", to="none"),
        base={**BASE, "settings": BASE["settings"] | {"litegate_against": "auto"}},
    ) == [("setting", "litegate_against")]


@pytest.mark.parametrize(
    ("before", "after", "is_weaker"),
    [("500", "0", False), ("500", "900", False), ("500", "499", True), ("0", "900", True)],
)
def test_fewer_samples_on_slow_runtimes_judge_less(before, after, is_weaker):
    head, base = (_changed("settings", SAMPLES, to=samples) for samples in (after, before))
    assert _found(head, base) == ([("setting", SAMPLES)] if is_weaker else [])


@pytest.mark.parametrize("key", ["other", ""])
def test_another_public_key_is_a_weakened_limit(key):
    """So is none: entries that others wrote would be judged."""
    base = _changed("settings", "litegate_store_public_key", to="key")
    head = _changed("settings", "litegate_store_public_key", to=key)
    assert _found(head, base) == [("setting", "litegate_store_public_key")]


def test_strict_may_move_from_addopts_to_the_setting():
    """What counts is whether an inconclusive verdict fails."""
    base = _changed("settings", to={"addopts": "--litegate-strict"})
    assert _found(_changed("settings", to={"litegate_strict": "true", "addopts": ""}), base) == []
    assert _found(_changed("settings", to={"addopts": ""}), base) == [("strict", "litegate_strict")]


def test_a_check_that_moved_as_it_was_is_followed():
    """Another file, the same function with the same source, beside the same shared code."""
    head = _changed("checks", SIZE_CHECK, to=...)
    moved = "checks/test_bytes.py::test_size_stays_within_budget"
    head["checks"][moved] = _code("5")
    assert _found(head) == [("check removed", SIZE_CHECK)]
    head["shared"]["checks/test_bytes.py"] = head["shared"][SHARED]
    assert _found(head) == []
    head["checks"][moved] = _code("9")
    assert _found(head) == [("check removed", SIZE_CHECK)]


def test_the_changed_lines_are_quoted():
    """The first six; an import that leads elsewhere is one, though no line differs."""
    base = _changed("checks", SIZE_CHECK, to=_code("def f():", "    a()", *"bcdefg"))
    head = _changed("checks", SIZE_CHECK, to=_code("def f():", "    x()"), of=base)
    (weakening,) = weakenings(base, head)
    lines = ["- a()", "- b", "- c", "- d", "- e", "- f", "and 2 more lines"]
    assert weakening.sentence.split(" | ")[1:] == lines
    elsewhere = _changed("shared", SHARED, "imports", to=["limits.py"])
    (weakening,) = weakenings(BASE, elsewhere)
    assert weakening.lines == ("- import of checks/limits.py", "+ import of limits.py")


def _renamed(name, origin):
    return BASE | {"models": {name: MODEL | {"renamed_from": origin}}}


def test_a_model_that_vanished_says_what_to_write():
    """Renamed without saying so, or deleted: it fails either way."""
    (one,) = weakenings(BASE, _renamed("numbers", None))
    assert one.kind == "model removed"
    assert one.sentence.endswith("if it was renamed, set renamed_from='digits' in its declaration")


def test_a_model_that_was_renamed_is_followed():
    """Its limits are held against those that it had under its old name."""
    head = _renamed("numbers", "digits")
    assert _found(head) == []
    head = deepcopy(head)
    head["models"]["numbers"]["budget"]["size"] = None
    assert [one.sentence for one in weakenings(BASE, head)] == [
        "numbers: budget size: 12,288 B -> no limit"
    ]


def test_a_rename_that_the_base_has_too_changes_nothing():
    """After the merge the base knows the new name; the old word in the file does no harm."""
    merged = _renamed("numbers", "digits")
    assert _found(merged, merged) == []
    assert compare_model(merged, merged, "numbers").compared > 1


def test_the_measurement_names_each_offender():
    """`count_weakened(...) <= 0` fails with before and after, and passes with its count."""
    head = _digits("budget", "size", to=None)
    broken = count_weakened(compare_model(BASE, head, "digits")) <= 0
    kept = count_weakened(compare_model(BASE, BASE, "digits")) <= 0
    assert (broken.outcome, kept.outcome) == (Outcome.FAIL, Outcome.PASS)
    assert broken.measurement.offenders == ("digits: budget size: 12,288 B -> no limit",)
    assert kept.measurement.n > 10


def test_the_project_answers_for_what_is_no_models():
    """Checks, settings, conftests, and models that are gone; a model for the rest."""
    head = _renamed("numbers", None) | {"checks": {}}
    verdict = count_weakened(compare_project(BASE, head)) <= 0
    assert [line.split()[0] for line in verdict.measurement.offenders] == [
        "model",
        "check",
        "check",
    ]
    assert compare_model(BASE, head, "numbers").weakenings == ()


def test_every_weakening_is_somebodys():
    """None falls between the models and the project."""
    head = _digits("budget", "size", to=None)
    head["models"]["other"] = deepcopy(MODEL)
    head["checks"] = {}
    parts = [
        compare_project(BASE, head),
        *(compare_model(BASE, head, name) for name in head["models"]),
    ]
    assert sorted(map(str, weakenings(BASE, head))) == sorted(
        str(one) for part in parts for one in part.weakenings
    )


def test_a_new_model_passes_and_says_so():
    """There is nothing to loosen, and that is what the row says."""
    head = _renamed("numbers", None)
    verdict = count_weakened(compare_model(BASE, head, "numbers")) <= 0
    assert verdict.outcome is Outcome.PASS
    assert verdict.measurement.evidence == ("new in this change",)


def test_a_base_without_litegate_passes_and_says_so():
    """It promised nothing, so nothing can be loosened; budgets still apply."""
    verdict = count_weakened(compare_project(NOTHING, BASE)) <= 0
    assert verdict.outcome is Outcome.PASS
    assert verdict.measurement.evidence == ("new in this change",)


def test_nothing_compared_is_an_error():
    """No pass without having looked."""
    with pytest.raises(MeasurementError, match="nothing was measured"):
        count_weakened(WeakenedLimits(subject="digits", weakenings=(), compared=0))


@pytest.mark.parametrize("part", list(BASE))
def test_a_declaration_that_lacks_a_part_is_an_error(part):
    """It must not read as one that declares nothing there."""
    with pytest.raises(KeyError, match=part):
        weakenings(BASE, {name: value for name, value in BASE.items() if name != part})


def _metric(**limits):
    """The limits of a metric as a checkout declares them."""
    return {f"metric.auc.{name}": _limit(value, "score") for name, value in limits.items()}


def _promising(limits, digest="1" * 64):
    changed = _digits("budget", to=BUDGET | limits)
    metrics = {"auc": digest} if limits else {}
    changed["models"]["digits"]["metrics"] = metrics
    changed["models"]["digits"]["recipes"]["int8_qat"] |= {
        "budget": BUDGET | limits,
        "metrics": metrics,
    }
    return changed


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (_promising(_metric(least="9/10", loss="1/100")), []),
        (_promising(_metric(least="19/20", loss="1/200")), []),
        (_promising(_metric(least="8/10", loss="1/100")), ["metric.auc.least: 0.9 -> 0.8"]),
        (_promising(_metric(least="9/10", loss="1/50")), ["metric.auc.loss: 0.01 -> 0.02"]),
        (
            _promising({}),
            ["metric.auc.least: 0.9 -> no limit", "metric.auc.loss: 0.01 -> no limit"],
        ),
        (
            _promising(_metric(least="9/10", loss="1/100"), "2" * 64),
            [f"auc: {'1' * 16} -> {'2' * 16}"],
        ),
    ],
    ids=["same", "tighter", "floor", "loss", "removed", "another function"],
)
def test_a_metric_is_loosened_by_its_limits_and_by_what_it_computes(head, said):
    base = _promising(_metric(least="9/10", loss="1/100"))
    found = [one.sentence.partition(": ")[2].partition(" ")[2] for one in weakenings(base, head)]
    assert found == said


def test_a_metric_is_declared_with_the_source_of_its_function(tmp_path):
    """Another body is another metric; a limit, a comment or a docstring is none."""

    def digest(body, limit=1):
        file = tmp_path / "models" / "one.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(METRIC_MODEL.format(body=body, limit=limit))
        (model,) = discover(file.parent, tmp_path).values()
        return declared_model(model, tmp_path, str, str)["metrics"]["own"]

    first = digest("abs(outputs - labels)")
    assert first == digest("abs(outputs - labels)  # how far", limit=2)
    assert first != digest("abs(outputs)")


METRIC_MODEL = """
import litegate as lg


def as_it_is(samples):
    return samples


def distance(outputs, labels):
    return {body}


@lg.model(
    data=lg.Data(name="d", load=as_it_is, digests={{}}, preprocess=as_it_is, domain=(0, 1)),
    recipes=[lg.recipes.int8_qat(from_scratch=True)],
    budget=lg.Budget(metrics=(lg.metrics.mean("own", distance, better="lower", most={limit}),)),
)
def one(keras):
    return keras
"""


SCALE, TYPE = "output 'y': scale", "output 'y': type"


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([], [SCALE], f"none -> {SCALE}"),
        ([SCALE], [TYPE], f"{SCALE} -> {TYPE}"),
        ([SCALE], [TYPE, SCALE], f"{SCALE} -> {SCALE}, {TYPE}"),
        ([SCALE], [SCALE], ""),
        ([SCALE], [], ""),
    ],
)
def test_a_change_that_is_declared_for_good_counts(before, after, change):
    """Of inputs and outputs; one that is taken back does not."""
    base, head = (_recipe("interface", to=declared) for declared in (before, after))
    sentences = [weakening.sentence for weakening in weakenings(base, head)]
    prefix = "digits/int8_qat: budget regression.interface: "
    assert sentences == ([prefix + change] if change else [])
