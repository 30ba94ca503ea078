"""The fresh-pair rule on made-up recordings: decided exactly where it says."""

import json
import math
import os
import subprocess
from dataclasses import asdict, replace

import numpy as np
import pytest

from litegate.core.errors import ConfigError, MeasurementError
from litegate.measures.latency import confirmation as contest_module
from litegate.measures.latency.confirmation import (
    ConfirmedDecision,
    LatencyContest,
    time_and_confirm,
    time_in_fresh_process,
)
from litegate.measures.latency.interleaved_epochs import Epoch
from litegate.measures.latency.paired_test import (
    Decision,
    Terms,
    budget_for,
    decide,
    fits_budget,
    not_timed,
)
from litegate.measures.latency.timing import Pace
from litegate.measures.measurement import Outcome

LIMIT = 1.025
OVER, UNDER = 1.05, 1.0


def recording(ratios, seconds=0.018):
    """Epochs of these ratios, one every so many seconds."""
    for count, ratio in enumerate(ratios, start=1):
        yield Epoch(
            candidate=ratio,
            reference=1.0,
            candidate_wall=1.1 * ratio,
            reference_wall=1.0,
            elapsed=count * seconds,
        )


def judged(ratios, *, limit=LIMIT, budget=3.0, models=1, seconds=0.018):
    """What the rule says of these ratios."""
    return decide(recording(ratios, seconds), Terms(limit=limit, budget=budget, models=models))


@pytest.mark.parametrize(
    ("models", "ratio", "outcome", "epochs"),
    [
        (1, OVER, Outcome.FAIL, 11),
        (2, OVER, Outcome.FAIL, 12),
        (4, OVER, Outcome.FAIL, 13),
        (1, UNDER, Outcome.PASS, 8),
        (4, UNDER, Outcome.PASS, 8),
    ],
)
def test_unanimous_epochs_decide_early(models, ratio, outcome, epochs):
    """At the first epoch where the signs convince, and not one before."""
    found = judged([ratio] * 50, models=models)
    assert (found.outcome, found.stage, found.epochs) == (outcome, "early", epochs)
    with pytest.raises(MeasurementError, match="ended before"):
        judged([ratio] * (epochs - 1), models=models)


@pytest.mark.parametrize(
    ("ratio", "over", "under"),
    [
        (math.nextafter(LIMIT, 0) * (1 - 1e-12), 0, 8),
        (LIMIT, 0, 0),
        (math.nextafter(LIMIT, 2) * (1 + 1e-12), 8, 0),
    ],
)
def test_an_epoch_counts_by_the_side_of_the_limit_that_it_is_on(ratio, over, under):
    """An epoch exactly at the limit speaks for neither side."""
    found = judged([ratio] * 8, budget=8 * 0.018)
    assert (found.over, found.under) == (over, under)


def test_at_exactly_the_limit_it_stays_undecided():
    """By design: no amount of time decides it, and the sentence can say so."""
    found = judged([LIMIT] * 400)
    assert (found.outcome, found.needs) == (Outcome.INCONCLUSIVE, math.inf)


@pytest.mark.parametrize(("budget", "epochs"), [(0.499, 5), (0.5, 5), (0.501, 6)])
def test_the_budget_ends_the_recording(budget, epochs):
    """With the first epoch at whose end it is spent; fewer than eight epochs decide nothing."""
    found = judged([OVER] * 20, budget=budget, seconds=0.1)
    assert (found.outcome, found.epochs) == (Outcome.INCONCLUSIVE, epochs)
    assert (found.low, found.high) == (None, None)
    assert found.needs == pytest.approx(0.8)


@pytest.mark.parametrize("epochs", [8, 9, 10])
def test_eleven_signs_are_not_needed_at_the_last_look(epochs):
    """When the budget is spent the signed ranks may decide what the signs could not yet."""
    found = judged([OVER + i / 1000 for i in range(epochs)], budget=epochs * 0.1, seconds=0.1)
    assert (found.outcome, found.stage) == (Outcome.FAIL, "at the last look")


@pytest.mark.parametrize("ratio", [OVER, UNDER])
def test_seven_epochs_are_too_few_for_the_last_look(ratio):
    """Just below the least number of epochs nothing is decided, however clear it looks."""
    found = judged([ratio] * 7, budget=0.7, seconds=0.1)
    assert found.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("models", "outcome"), [(1, Outcome.FAIL), (2, Outcome.INCONCLUSIVE)])
def test_the_last_look_shares_the_chance_of_a_false_fail(models, outcome):
    """Eight unanimous epochs have p = 1/256: below half of 1 %, not below half of 0.5 %."""
    ratios = [OVER + i / 1000 for i in range(8)]
    assert judged(ratios, budget=0.8, seconds=0.1, models=models).outcome is outcome


@pytest.mark.parametrize(
    ("large", "small", "outcome"),
    [(1.10, 1.020, Outcome.FAIL), (0.95, 1.030, Outcome.PASS)],
)
def test_the_last_look_weighs_how_far_the_epochs_lie(large, small, outcome):
    """Three of five epochs far on one side decide by ranks, where the signs are too even."""
    spread = [large, large, small, large, small] * 24
    ratios = [ratio + i / 1e6 for i, ratio in enumerate(spread)]
    found = judged(ratios, budget=120 * 0.018)
    assert (found.outcome, found.stage, found.epochs) == (outcome, "at the last look", 120)
    assert "signed ranks" in found.method


def test_an_undecided_recording_says_how_long_it_would_take():
    """It is the models' need: recording twice as long asks for about the same time."""
    ratios = np.tile(1.0262 + np.random.default_rng(2).normal(scale=0.02, size=100), 3)
    once, twice = (judged(ratios, budget=count * 100 * 0.018) for count in (1, 2))
    assert once.outcome is twice.outcome is Outcome.INCONCLUSIVE
    assert once.needs > twice.elapsed
    assert twice.needs == pytest.approx(once.needs, rel=0.02)


@pytest.mark.parametrize(
    ("seconds", "budget", "epochs"), [(0.1, 3.0, 10), (0.5, 10.0, 8), (0.5, 2.0, 4)]
)
def test_without_a_limit_it_only_reports(seconds, budget, epochs):
    """A second and eight epochs are enough, and the budget is still the most."""
    found = judged([1.3] * 100, limit=None, seconds=seconds, budget=budget)
    assert (found.outcome, found.epochs, found.over, found.under) == (None, epochs, 0, 0)
    assert found.ratio == pytest.approx(1.3)


def test_a_decision_holds_the_medians_and_both_ratios():
    """The ratio is the median of the epochs; the wall clock's stands beside it."""
    found = judged([1.01, 0.99, 1.0, 1.002, 0.9, 1.003, 1.001, 1.0])
    assert found.ratio == pytest.approx(1.0005, rel=1e-5)
    assert found.wall_ratio == pytest.approx(1.1 * found.ratio)
    assert (found.candidate, found.reference) == (1.0005, 1.0)
    assert (found.low, found.high) == (pytest.approx(0.9), pytest.approx(1.01))


def test_a_nan_in_the_recording_is_an_error():
    """A time that is no number must not count as being under the limit."""
    with pytest.raises(MeasurementError, match="not a positive number"):
        judged([1.0, math.nan])


def test_no_epochs_are_an_error():
    """An empty recording is the absence of a result."""
    with pytest.raises(MeasurementError, match="ended before"):
        judged([])


@pytest.mark.parametrize(("factor", "fits"), [(0.999, False), (1.0, True), (1.001, True)])
def test_eight_epochs_must_fit_into_the_budget(factor, fits):
    """Just below, exactly, and just above the time of eight epochs."""
    cost = Pace(create=0.1, candidate=0.05, reference=0.05)
    assert fits_budget(cost, factor * 8 * cost.epoch) is fits


def test_what_does_not_fit_is_refused_up_front():
    """With the ratio of the trial, no epoch, no interval, and the time that it needs."""
    cost = Pace(create=0.1, candidate=0.6, reference=0.4)
    found = not_timed(cost, Terms(limit=LIMIT, budget=10.0), "thread CPU clock")
    assert (found.outcome, found.stage, found.epochs) == (Outcome.INCONCLUSIVE, "up front", 0)
    assert (found.ratio, found.low) == (pytest.approx(1.5), None)
    assert found.needs == pytest.approx(8 * (0.1 + 4 * 0.5))


@pytest.mark.parametrize(
    ("floor", "outcome"),
    [(0.0, "fail"), (0.049, "fail"), (0.05, "inconclusive"), (0.051, "pass"), (0.2, "pass")],
)
def test_a_growth_below_the_floor_is_allowed(floor, outcome):
    """1.05 s beside 1 s: more than 2.5 %, and no more than a floor of 0.05 s."""
    found = decide(recording([1.05] * 400), Terms(limit=LIMIT, budget=3.0, floor=floor))
    assert found.outcome == outcome


@pytest.mark.parametrize("limit", [0.9, 1.025])
def test_without_a_floor_the_limit_alone_decides(limit):
    """A speed-up is demanded by a limit below 1, which a floor of 0 leaves as it is."""
    assert judged([0.95] * 20, limit=limit).outcome == ("fail" if limit < 1 else "pass")


@pytest.mark.parametrize(("milliseconds", "seconds"), [(1.99, 3), (2.0, 3), (2.01, 10)])
def test_slow_models_get_more_time(milliseconds, seconds):
    """Three seconds up to 2 ms an invocation, ten beyond."""
    cost = Pace(create=0, candidate=milliseconds / 1e3, reference=milliseconds / 1e3)
    assert budget_for(cost) == seconds


@pytest.mark.parametrize(("factor", "seconds"), [(0.999, 3), (1.0, 3), (1.001, 10)])
def test_models_that_are_slowly_created_get_more_time(factor, seconds):
    """Just below, exactly, and just above eight epochs in three seconds."""
    timed = Pace(create=0, candidate=1e-3, reference=1e-6).epoch
    cost = Pace(create=factor * 3 / 8 - timed, candidate=1e-3, reference=1e-6)
    assert budget_for(cost) == seconds


CONTEST = LatencyContest(candidate=b"c", reference=b"r", sample=np.zeros((1, 2)), limit=LIMIT)
PASSED, UNDECIDED = judged([UNDER] * 8), judged([LIMIT] * 400)
FAILED = judged([OVER] * 11)


def never(_):
    """A process that must not be started."""
    pytest.fail("timed again although the first process did not fail")


@pytest.mark.parametrize("first", [PASSED, UNDECIDED, judged([1.3] * 60, limit=None)])
def test_only_a_fail_is_repeated(first):
    """The cost of a second process is paid on a fail alone."""
    result = time_and_confirm(CONTEST, here=lambda _: first, elsewhere=never)
    assert (result.outcome, result.last) == (first.outcome, first)


@pytest.mark.parametrize(
    ("again", "outcome"),
    [
        (FAILED, Outcome.FAIL),
        (UNDECIDED, Outcome.INCONCLUSIVE),
        (PASSED, Outcome.INCONCLUSIVE),
    ],
)
def test_a_fail_stands_only_if_it_comes_again(again, outcome):
    """In a fresh process, with twice the budget; two processes that disagree decide nothing."""
    asked = []
    result = time_and_confirm(
        CONTEST, here=lambda _: FAILED, elsewhere=lambda contest: asked.append(contest) or again
    )
    assert (result.outcome, result.last) == (outcome, again)
    assert [each.budget for each in asked] == [2 * FAILED.budget]
    assert (asked[0].limit, asked[0].candidate) == (LIMIT, b"c")


@pytest.mark.parametrize("decision", [PASSED, FAILED, UNDECIDED, judged([1.3] * 60, limit=None)])
def test_a_decision_survives_the_way_between_processes(decision, monkeypatch):
    """Everything comes back as it was sent, an infinite need and a missing limit included."""
    sent = "a library's chatter\n" + json.dumps(asdict(decision)) + "\n"
    monkeypatch.setattr(contest_module, "_run", lambda *_: sent)
    assert time_in_fresh_process(CONTEST) == decision


@pytest.mark.parametrize("printed", ["", "nonsense", "{}", '{"outcome": "perhaps"}', "[1]"])
def test_a_process_without_a_decision_is_an_error(printed, monkeypatch):
    """Silence is not a second fail, and not a pass."""
    monkeypatch.setattr(contest_module, "_run", lambda *_: printed)
    with pytest.raises(MeasurementError, match="the repeated measurement printed no result"):
        time_in_fresh_process(CONTEST)


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, ["python"], stderr=b"out of memory"),
        subprocess.TimeoutExpired(["python"], 60),
    ],
)
def test_a_process_that_dies_or_hangs_is_an_error(error, monkeypatch):
    """Its last words are in the message."""

    def run(*_, **__):
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(MeasurementError, match="gave no result") as caught:
        time_in_fresh_process(CONTEST)
    assert (error.stderr or b"timed out").decode() in str(caught.value)


def test_the_fresh_process_is_given_this_ones_import_path(monkeypatch):
    """A package that pytest put on the path is found there too."""
    seen = {}

    def run(command, **options):
        seen.update(command=command, path=options["env"]["PYTHONPATH"])
        return subprocess.CompletedProcess(command, 0, stdout=json.dumps(asdict(PASSED)).encode())

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.syspath_prepend("somewhere")
    assert time_in_fresh_process(CONTEST) == PASSED
    assert seen["path"].split(os.pathsep)[0].endswith("somewhere")
    assert "litegate.measures.latency.confirmation" in seen["command"]


@pytest.mark.parametrize("wrong", [{"models": 0}, {"budget": 0.0}, {"budget": math.nan}])
def test_impossible_terms_are_refused(wrong):
    """No model, or no time, cannot be a contest."""
    with pytest.raises(ConfigError, match="cannot be measured with these settings"):
        replace(CONTEST, **wrong)


def test_a_result_without_a_repetition_is_its_first_decision():
    """The report shows what was decided last."""
    assert ConfirmedDecision(first=PASSED).last is PASSED
    assert isinstance(ConfirmedDecision(first=FAILED, confirmation=PASSED).last, Decision)
