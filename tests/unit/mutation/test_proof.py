"""The proof: what counts as noticed, what survives, and what is told of it."""

import itertools
from dataclasses import replace

import pytest
from scenes import scene, small

from litegate import percent, points
from litegate.core.errors import ConfigError, LitegateError
from litegate.gate.prove.rebuilds import noise_text
from litegate.measures.accuracy import accuracy, accuracy_drop
from litegate.measures.names import Name
from litegate.measures.regression import since_anchor, size_growth
from litegate.measures.structure.size import size
from litegate.mutation.faults import (
    Expect,
    Family,
    Ladder,
    Unplantable,
    classes,
    edit,
    fault,
    latency,
    operators,
    runtimes,
)
from litegate.mutation.grades import CheckPlan
from litegate.mutation.proof import Effort, prove, record_rebuild
from litegate.mutation.report_rows import alarm_rate_below, proof_row
from litegate.mutation.result import CheckInfo, CheckOutcome, CheckResult, MeasuredValue
from litegate.mutation.selection import Selection
from litegate.report import proof as words
from litegate.spec import Budget
from litegate.spec.metrics import f1

DROP, SIZE, FLOOR = "test_drop", "test_size", "test_floor"


def drop(s):
    return accuracy_drop(s.reference, s.candidate) <= s.model.budget.accuracy_drop


def bytes_(s):
    return size(s.candidate) <= s.model.budget.size


def floor(s):
    return accuracy(s.candidate) >= s.model.budget.accuracy


GATE = {DROP: drop, SIZE: bytes_, FLOOR: floor}


@fault(
    family="accuracy",
    ladder=Ladder(1, 20, 100, unit="samples", must=100),
    noticed_by=("accuracy drop", "accuracy"),
)
def other_samples(s, grade):
    """The candidate is fed samples of other classes."""
    split = s.candidate.evaluation
    x, n = split.x.copy(), int(grade)
    others = [next(i for i, label in enumerate(split.y) if label != split.y[k]) for k in range(n)]
    x[:n] = split.x[others]
    return s.with_samples(x)


@fault(
    family="size",
    ladder=Ladder(100, 100_000, unit="bytes", must=100_000),
    noticed_by=("size",),
)
def padded(s, grade):
    """Zeros follow the model."""
    return s.with_candidate(s.candidate.tflite + bytes(int(grade)))


FAULTS = (other_samples, padded)


def playing(gate):
    """Runs a gate of plain functions, each of which gives a verdict."""

    def play(s, ids):
        return {id_: _result(gate[id_], s) for id_ in ids}

    return play


def _result(check, s):
    try:
        verdict = check(s)
    except LitegateError as error:
        return CheckResult(outcome=CheckOutcome.ERROR, message=str(error))
    except ZeroDivisionError as error:
        return CheckResult(outcome=CheckOutcome.CRASH, message=repr(error))
    outcome, name = CheckOutcome(verdict.outcome.value), verdict.measurement.name
    return CheckResult(
        outcome=outcome,
        verdicts={name: outcome},
        values={name: _measured_value(verdict)},
        message="worse",
    )


def _measured_value(verdict):
    found = verdict.measurement
    between = found.interval
    return MeasuredValue(
        value=float(found.value),
        relation=verdict.relation,
        limit=float(verdict.limit.value),
        unit=found.unit,
        n=found.n,
        interval=between and (float(between.low), float(between.high)),
    )


def proven(
    gate=None,
    faults=FAULTS,
    *,
    seconds=60.0,
    clock=None,
    of=None,
    report_step=None,
    selection=None,
    **effort,
):
    gate = gate or GATE
    checks = [CheckInfo(id=i, name=i, is_latency=False, uses_base=i == DROP) for i in gate]
    proof = prove(
        of or scene(),
        faults,
        checks,
        playing(gate),
        Effort(seconds=seconds, **effort),
        clock=clock or (lambda: 0.0),
        report_step=report_step or (lambda _step: None),
    )
    proof.selection = selection or Selection()
    return proof


WITHOUT_SIZE = {DROP: drop, FLOOR: floor}


@pytest.mark.parametrize(
    ("left_out", "unread", "tried"),
    [
        ([], False, True),
        ([{"require", "accuracy", "size_ratio"}], False, True),
        ([{"require", "accuracy"}, {"require", "size", "candidate"}], False, False),
        ([], True, False),
    ],
)
def test_a_fault_is_not_tried_if_a_check_left_out_measures_what_would_notice(
    left_out, unread, tried
):
    """By the functions that its source calls; files that were not read may measure anything."""
    selection = Selection(
        how="-k drop", left_out=tuple(map(frozenset, left_out)), has_unread_files=unread
    )
    proof = proven(WITHOUT_SIZE, (padded,), selection=selection)
    assert proof.is_proven is not tried
    assert [one.what for one in proof.survivors] == (["padded", "size"] if tried else [])
    assert [one.what for one in proof.not_tried] == ([] if tried else ["padded", "size"])
    said = words.headline(proof_row(proof, 1.0))
    held = "proven for the selection (-k drop): 1 fault and 1 measurement not tried"
    assert said.endswith("NOT proven: 2 survivors" if tried else held)


def test_a_selection_that_left_nothing_untried_is_not_plainly_proven():
    row = proof_row(proven(selection=Selection(how="-m fast")), 1.0)
    assert words.headline(row).endswith("proven for the selection (-m fast): 0 faults not tried")
    assert words.mark(row) == "inconclusive"
    assert words.mark(proof_row(proven(), 1.0)) == "pass"


@pytest.mark.parametrize(
    ("measurement", "calls", "may"),
    [
        ("size growth", {"require", "size_growth"}, True),
        ("size growth", {"require", "size_growth", "since_anchor"}, False),
        ("size growth since the anchor", {"require", "size_growth", "since_anchor"}, True),
        ("size growth since the anchor", {"require", "size_growth"}, False),
        ("f1", {"require", "metric_value", "f1"}, True),
        ("f1", {"require", "metric_value", "error_rate"}, False),
        ("f1 drop", {"require", "metric_value", "f1"}, False),
    ],
)
def test_a_check_left_out_measures_by_its_functions_and_its_metric(measurement, calls, may):
    of = scene(budget=Budget(metrics=(f1(least=0.1, loss=0.1),)))
    selection = Selection(how="-k drop", left_out=(frozenset(calls),))
    assert selection.may_measure(of, [measurement]) is may


def test_any_check_left_out_may_take_a_measurement_that_is_not_litegates():
    selection = Selection(how="-k drop", left_out=(frozenset({"require", "mine"}),))
    assert selection.may_measure(scene(), ["a measurement of my own"])
    assert not selection.may_measure(scene(), ["size"])
    assert not Selection(how="-k drop").may_measure(scene(), ["a measurement of my own"])


def test_each_step_says_how_far_it_is_and_what_time_is_left():
    told, times = [], iter(range(0, 10_000, 10))
    proven(clock=lambda: float(next(times)), seconds=60.0, report_step=told.append)
    steps = [step for step in told if step.endswith("s left")]
    assert steps[0].endswith(f"(1 of {len(FAULTS)}), at most 50 s left")
    left = [int(step.split()[-3]) for step in steps]
    assert left == sorted(left, reverse=True)
    assert min(left) > 0


def test_a_sound_gate_is_proven_and_tells_the_smallest_grade_that_it_noticed():
    found = proven()
    assert found.is_proven, [*found.survivors, *found.false_alarms, *found.errors]
    assert [one.smallest_noticed for one in found.fault_runs] == [20, 100_000]
    row = proof_row(found, 1.0)
    assert words.would_notice(row).startswith(
        "would notice 20 samples (other_samples), 100000 bytes (padded); 0 of 4 false alarms"
    )


def test_a_check_that_missed_a_grade_is_not_asked_about_finer_ones():
    found = proven()
    results = found.fault_runs[0].results
    assert set(results[100]) == set(GATE)
    assert SIZE not in results[20]


def test_a_deleted_check_survives_by_name_although_others_notice():
    found = proven({DROP: drop, SIZE: bytes_})
    (survivor,) = found.survivors
    assert survivor.sentence == "no check measures the accuracy"
    assert "accuracy(candidate) >= budget.accuracy" in survivor.remedy
    assert not found.is_proven


def test_a_limit_that_nothing_can_break_survives():
    loose = replace(scene().model.budget, accuracy_drop=points(500))
    plain = scene(budget=loose)
    (survivor,) = proven(of=plain).survivors
    assert survivor.sentence == "the accuracy drop noticed nothing of other_samples at 100 samples"
    assert survivor.remedy == (
        "a tighter budget.accuracy_drop (test_drop measured 50.00 points of other_samples, and "
        "allows at most 500.00 points)"
    )


def missed(budget, fault_, gate, of=None):
    """What would catch a fault that nobody noticed."""
    of = of or scene(budget=budget)
    return next(
        one.remedy
        for one in proven(gate, (fault_,), of=of).survivors
        if one.sentence.startswith("nobody noticed")
    )


def test_a_check_that_ran_on_the_fault_is_not_what_would_catch_it_but_its_limit_is():
    loose = replace(scene().model.budget, accuracy_drop=points(80), accuracy=percent(10))
    assert missed(loose, other_samples, {DROP: drop, FLOOR: floor}) == (
        "a tighter budget.accuracy_drop (test_drop measured 50.00 points, and allows at most "
        "80.00 points) or a tighter budget.accuracy (test_floor measured 50.00 %, and allows at "
        "least 10.00 %)"
    )


def test_a_check_that_is_missing_stands_before_a_limit_that_is_loose():
    loose = replace(scene().model.budget, accuracy_drop=points(80))
    said = missed(loose, other_samples, {DROP: drop})
    assert said.startswith("require(accuracy(candidate) >= budget.accuracy), as in checks/")
    assert said.endswith("points, and allows at most 80.00 points)")


def test_a_limit_of_the_checks_own_is_named_by_its_check():
    def own(s):
        return accuracy_drop(s.reference, s.candidate) <= points(70)

    silent = replace(scene().model.budget, accuracy=None)
    assert missed(silent, other_samples, {DROP: own}).startswith("a tighter limit in test_drop (")


def test_samples_that_do_not_tell_a_fault_from_none_are_too_few():
    """One sample of twenty goes wrong: 5 points, by chance or not."""
    one = replace(other_samples, ladder=Ladder(1, unit="samples", must=1))
    loose = replace(scene().model.budget, accuracy_drop=points(40), accuracy=None)
    assert missed(loose, one, {DROP: drop}, small(scene(budget=loose), 20)) == (
        "more samples and a tighter budget.accuracy_drop (test_drop measured 5.00 points, and "
        "allows at most 40.00 points; 20 samples cannot distinguish it from 0.00 points)"
    )


def test_more_samples_of_the_split_do_not_help_what_times():
    timed = replace(other_samples, family=Family.LATENCY, ladder=Ladder(1, unit="times", must=1))
    loose = replace(scene().model.budget, accuracy_drop=points(40), accuracy=None)
    said = missed(loose, timed, {DROP: drop}, small(scene(budget=loose), 20))
    assert said.startswith("a tighter budget.accuracy_drop (")


def test_a_time_that_could_not_be_decided_needs_a_quieter_machine_not_another_limit():
    timed = replace(other_samples, family=Family.LATENCY, ladder=Ladder(1, unit="times", must=1))
    close = replace(scene().model.budget, accuracy_drop=points(10), accuracy=None)
    said = missed(close, timed, {DROP: drop}, small(scene(budget=close), 20))
    assert said.startswith("a quieter machine, since test_drop could not decide (")


def test_a_fault_that_changes_no_measurement_says_so():
    @fault(family="accuracy", noticed_by=("accuracy drop", "size"))
    def harmless(s, _grade):
        """Nothing is wrong."""
        return s.with_samples(s.candidate.evaluation.x)

    budget = scene().model.budget
    assert missed(budget, harmless, {DROP: drop, SIZE: bytes_}) == (
        "perhaps more samples: test_drop measured 0.00 points with harmless and without, on 200 "
        "samples; if no sample shows it, the fault has no effect here"
    )
    exact = replace(harmless, noticed_by=("size",))
    assert missed(budget, exact, {SIZE: bytes_}).startswith("nothing that test_size measures: ")


def test_swapped_arguments_survive():
    def swapped(s):
        return accuracy_drop(s.candidate, s.reference) <= s.model.budget.accuracy_drop

    (survivor,) = proven({**GATE, DROP: swapped}).survivors
    assert "the order of its arguments" in survivor.remedy


def test_a_wrong_sign_is_a_false_alarm_or_survives():
    def wrong(s):
        return accuracy_drop(s.reference, s.candidate) >= s.model.budget.accuracy_drop

    found = proven({**GATE, DROP: wrong})
    assert found.false_alarms
    assert not found.is_proven


def test_a_fault_that_nobody_notices_survives_with_what_would_catch_it():
    found = proven({DROP: drop, FLOOR: floor})
    said = {one.sentence for one in found.survivors}
    assert any(one.startswith("nobody noticed padded at 100000 bytes") for one in said)
    assert "no check measures the size" in said


@pytest.mark.parametrize(("must", "survives"), [(1, True), (20, False), (100, False)])
def test_a_grade_below_the_documented_one_may_go_unnoticed(must, survives):
    ladder = Ladder(1, 20, 100, unit="samples", must=must)
    found = proven(faults=(replace(other_samples, ladder=ladder), padded))
    assert bool(found.survivors) is survives


@fault(family="size", noticed_by=("size growth",))
def grown(s, _grade):
    """The file is twice as large."""
    return s.with_candidate(s.candidate.tflite + bytes(len(s.candidate.tflite)))


def growth(s):
    return size_growth(s.base, s.candidate) <= percent(1)


def drifted(s):
    return since_anchor(size_growth(s.base, s.candidate)) <= percent(1)


@pytest.mark.parametrize("anchored", [True, False])
def test_a_deleted_check_of_drift_survives_where_the_run_has_an_anchor(anchored):
    found = proven({"test_growth": growth}, (grown,), of=replace(scene(), anchored=anchored))
    said = [one.sentence for one in found.survivors]
    assert said == ["no check measures the size growth since the anchor"] * anchored
    assert all("since_anchor(size_growth(anchor, candidate))" in s.remedy for s in found.survivors)


def test_a_check_of_drift_with_a_loose_limit_survives():
    def loose(s):
        return since_anchor(size_growth(s.base, s.candidate)) <= percent(101)

    held = replace(scene(), anchored=True)
    assert proven({"test_growth": growth, "test_drift": drifted}, (grown,), of=held).is_proven
    (survivor,) = proven({"test_growth": growth, "test_drift": loose}, (grown,), of=held).survivors
    assert survivor.sentence == "the size growth since the anchor noticed nothing of grown"


def test_a_promise_that_the_model_does_not_make_is_not_asked_for():
    silent = replace(scene().model.budget, accuracy=None)
    assert proven({DROP: drop, SIZE: bytes_}, of=scene(budget=silent)).is_proven


def test_a_crash_is_no_clear_refusal():
    @fault(family="operators", noticed_by=(), expect=Expect.REFUSED)
    def refused(s, _grade):
        """Bytes that nothing reads."""
        return s.with_candidate(b"")

    def crashing(s):
        return 1 / len(s.candidate.tflite) and bytes_(s)

    found = proven({DROP: drop, "test_crash": crashing}, (refused,))
    assert found.fault_runs[0].noticing_checks(1) == (DROP,)
    (survivor,) = proven({"test_crash": crashing}, (refused,)).survivors
    assert "but crashed" in survivor.sentence


def test_an_inconclusive_verdict_notices_what_can_show_nothing():
    @fault(family="plumbing", noticed_by=("accuracy drop",), expect=Expect.UNPROVEN)
    def too_fine(s, _grade):
        """A tolerance far below one sample."""
        budget = replace(s.model.budget, accuracy_drop=points(0.001))
        return replace(s, model=replace(s.model, budget=budget))

    assert proven({DROP: drop}, (too_fine,)).is_proven
    strict = replace(too_fine, expect=Expect.FAIL)
    assert not proven({DROP: drop}, (strict,)).is_proven


def test_a_fault_that_the_model_cannot_have_is_told_and_no_survivor():
    @fault(family="types", noticed_by=("accuracy drop",))
    def impossible(_scene, _grade):
        """Cannot be."""
        raise Unplantable("the model has no such layer")

    found = proven(faults=(*FAULTS, impossible))
    assert found.is_proven
    assert words.smallest_noticed(proof_row(found, 0)["faults"][2]) == "not in this model"


@pytest.mark.parametrize("error", [LitegateError("no such tensor"), KeyError("conv")])
def test_a_fault_that_can_no_longer_be_planted_is_an_error_not_a_pass(error):
    @fault(family="types", noticed_by=())
    def outdated(_scene, _grade):
        """Names what is no longer there."""
        raise error

    found = proven(faults=(*FAULTS, outdated))
    assert not found.is_proven
    assert found.errors[0].startswith("outdated: ")


def test_a_planted_file_that_does_not_run_is_an_error():
    @fault(family="types", noticed_by=("size",))
    def truncated(s, _grade):
        """Half a file."""
        return s.with_candidate(s.candidate.tflite[:100])

    found = proven(faults=(truncated,))
    assert found.errors
    assert proven(faults=(replace(truncated, expect=Expect.REFUSED),)).errors == []


def test_time_that_does_not_suffice_is_told_and_proves_nothing():
    ticks = itertools.count()
    found = proven(seconds=1.5, clock=lambda: float(next(ticks)))
    assert found.unfinished == ["padded"]
    assert not found.is_proven
    assert any("--prove-budget" in line for line in words.problems(proof_row(found, 0)))


def test_a_check_that_fails_without_a_fault_is_an_alarm():
    def strict(s):
        return size(s.candidate) <= points(0)

    found = proven({DROP: drop, FLOOR: floor, SIZE: strict})
    assert len(found.false_alarms) == 1
    assert not found.is_proven


def test_rounds_of_identical_models_count_only_what_compares():
    assert len(proven(rounds=5).faultless_results) == len(GATE) + 5


def test_a_rebuild_is_an_alarm_only_against_its_own_reference():
    """A floor that another seed does not reach is noise of the training."""
    found = proven()
    found.checks = [replace(check, uses_reference=check.id == DROP) for check in found.checks]
    counted = len(found.faultless_results)
    broken = CheckResult(outcome=CheckOutcome.FAIL, message="worse")
    assert record_rebuild(found, {DROP: CheckResult(outcome=CheckOutcome.PASS), FLOOR: broken}) == [
        FLOOR
    ]
    assert len(found.faultless_results) == counted + 1
    assert not found.false_alarms
    assert record_rebuild(found, {DROP: broken, FLOOR: broken}) == [FLOOR]
    assert len(found.false_alarms) == 1


def test_the_noise_of_rebuilds_is_told_with_what_they_would_break():
    said = noise_text([0.95, 0.96, 0.97], {FLOOR: 1})
    assert said == (
        "training noise: 3 rebuilds from other seeds have an accuracy of 95.00 % to 97.00 %, "
        "SD 1.00 points; 1 of them would break test_floor"
    )


@pytest.mark.parametrize("missing", ["faults", "checks"])
def test_nothing_to_plant_or_to_run_is_an_error(missing):
    gate, faults = ({}, FAULTS) if missing == "checks" else (GATE, ())
    checks = [CheckInfo(id=i, name=i, is_latency=False, uses_base=False) for i in gate]
    with pytest.raises(ConfigError, match="nothing proves the gate"):
        prove(
            scene(),
            faults,
            checks,
            playing(gate),
            Effort(seconds=1),
            clock=lambda: 0.0,
            report_step=print,
        )


@pytest.mark.parametrize(
    ("alarms", "n", "below"), [(0, 50, 0.0582), (1, 50, 0.0914), (2, 20, 0.2826), (5, 5, 1.0)]
)
def test_alarm_rate_below_is_clopper_and_pearsons_limit(alarms, n, below):
    assert alarm_rate_below(alarms, n) == pytest.approx(below, abs=1e-4)


def test_no_comparison_has_no_rate():
    assert alarm_rate_below(0, 0) is None


@pytest.mark.parametrize("grades", [(), (2, 1), (0, 1), (1, 1)])
def test_a_ladder_rises_from_above_nothing(grades):
    with pytest.raises(ConfigError):
        Ladder(*grades, unit="samples", must=1)


def test_a_ladder_holds_the_grade_that_must_be_noticed():
    with pytest.raises(ConfigError, match="none of the ladder's"):
        Ladder(1, 2, unit="samples", must=3)


def test_a_fault_has_a_docstring_and_a_known_family():
    with pytest.raises(ConfigError, match="no docstring"):
        fault(family="size", noticed_by=())(lambda s, _g: s)
    with pytest.raises(ConfigError, match="no family"):
        fault(family="colour", noticed_by=())


def test_the_sound_scene_is_the_candidate_written_again_and_its_own_base():
    plain = scene()
    assert plain.base is plain.candidate
    assert plain.candidate.tflite == edit(plain.candidate.tflite, lambda _model: None)


def test_a_check_on_a_further_runtime_runs_where_the_default_one_notices_nothing():
    """It takes long. Refusals, which no other check can see, are looked for first."""
    by_measurement = {"here": Name.ACCURACY_DROP, "there": Name.ACCURACY_DROP}
    by_measurement["refused"] = Name.RUNTIME_VIOLATIONS
    by_measurement["memory"] = Name.ARENA
    passed = CheckOutcome.PASS
    plan = CheckPlan(
        checks=[
            CheckInfo(id=i, name=i, is_latency=False, uses_base=False, runs_elsewhere=i != "here")
            for i in by_measurement
        ],
        sound_results={
            id_: CheckResult(outcome=passed, verdicts={name: passed})
            for id_, name in by_measurement.items()
        },
    )
    assert plan.first_checks(classes.shuffled_labels) == ["here"]
    assert plan.remaining_checks(classes.shuffled_labels) == ["there", "refused", "memory"]
    assert plan.first_checks(latency.wider_layer) == ["here", "memory"]
    assert plan.first_checks(operators.custom_operator) == ["here", "refused"]
    assert plan.first_checks(runtimes.another_file_on_runtime) == ["here", "there"]
    every = replace(plan, all_checks=True)
    assert every.first_checks(classes.shuffled_labels) == list(by_measurement)
