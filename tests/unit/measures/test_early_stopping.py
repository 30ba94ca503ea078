"""Checks on slow runtimes stop once their samples decide, and are never what all would not say."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import artifact, selector

from litegate import ms, per_thousand, percent, points
from litegate.build import store_answers
from litegate.build.store import Store
from litegate.build.store_answers import keep_answers
from litegate.measures.accuracy import accuracy, accuracy_drop, extra_errors
from litegate.measures.accuracy.agreement import agreement_with_reference, spread_samples
from litegate.measures.accuracy.early_stopping import FIRST_LOOK, looks, random_order
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.measurement import Outcome
from litegate.measures.runtimes import runtime_violations
from litegate.runtimes.child_processes import ChildPool
from litegate.runtimes.inference import predict
from litegate.spec import Frames, Sequences

N = 1200
SLOW = "reference"


@pytest.fixture
def asked(monkeypatch):
    """The numbers of samples that were asked of a runtime, in turn."""
    counts, answer = [], ChildPool.answer

    def counted(pool, samples, chosen=None, **options):
        counts.append(len(samples if chosen is None else chosen))
        return answer(pool, samples, chosen, **options)

    monkeypatch.setattr(ChildPool, "answer", counted)
    return counts


def pair(*, broken=0, fixed=0, wrong=0, n=N, copies=1):
    """A reference and a candidate on n samples of class 0, with so many wrong answers."""
    before, after = np.zeros(n, int), np.zeros(n, int)
    after[:broken] = 1
    before[broken : broken + fixed] = 1
    both = slice(broken + fixed, broken + fixed + wrong)
    before[both] = after[both] = 1
    numbers = np.arange(n) // copies
    x = np.column_stack([np.eye(2)[before], np.eye(2)[after], numbers])
    split = artifact(b"", x, classes=2).evaluation
    return tuple(
        replace(artifact(selector(5, columns), x, classes=2), evaluation=split, runtime=SLOW)
        for columns in ([0, 1], [2, 3])
    )


@pytest.mark.parametrize(
    ("floor", "outcome"), [(70, Outcome.PASS), (99, Outcome.FAIL)], ids=["pass", "fail"]
)
def test_a_clear_floor_is_decided_by_some_samples(asked, floor, outcome):
    _, candidate = pair(wrong=120)
    verdict = accuracy(candidate, percent(floor)) >= percent(floor)
    measurement = verdict.measurement
    assert verdict.outcome is outcome
    assert verdict.is_sound
    assert measurement.n == sum(asked) == FIRST_LOOK
    assert measurement.evidence[0] == "stopped after 256 of 1,200 samples, in random order"
    interval = measurement.interval
    assert interval.low < 0.9 < interval.high
    assert interval.low < measurement.value < interval.high
    assert interval.method.startswith("betting, confidence sequence of the ")
    assert (floor < 100 * interval.low) is (outcome is Outcome.PASS)
    assert "an error of at most 1 %" in verdict.note


@pytest.mark.parametrize(
    ("measure", "limit", "outcome"),
    [
        (accuracy_drop, points(12), Outcome.PASS),
        (accuracy_drop, points(-2), Outcome.FAIL),
        (extra_errors, per_thousand(120), Outcome.PASS),
        (extra_errors, per_thousand(-20), Outcome.FAIL),
    ],
)
def test_a_clear_drop_is_decided_by_some_samples(measure, limit, outcome):
    reference, candidate = pair(broken=60, fixed=24, wrong=100)
    verdict = measure(reference, candidate, limit) <= limit
    assert verdict.outcome is outcome
    assert FIRST_LOOK <= verdict.measurement.n < N
    interval = verdict.measurement.interval
    assert interval.low < 0.03 < interval.high
    assert not interval.low <= limit.value <= interval.high


@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_what_stays_open_has_the_verdict_of_all_samples(asked, beside):
    """One sample better than the limit, at it and one worse."""
    reference, candidate = pair(broken=60 + beside, fixed=24)
    limit = points(3)
    early = accuracy_drop(reference, candidate, limit) <= limit
    assert sum(asked) == 2 * N
    all_samples = accuracy_drop(reference, candidate) <= limit
    assert early.outcome is all_samples.outcome
    assert early.outcome is (Outcome.FAIL if beside > 0 else Outcome.INCONCLUSIVE)
    assert early.note == all_samples.note
    for name in ("value", "n", "interval", "low", "high"):
        assert getattr(early.measurement, name) == getattr(all_samples.measurement, name)
    evidence = ("all 1,200 samples", *all_samples.measurement.evidence)
    assert early.measurement.evidence == tuple(it for it in evidence if it != "1,200 samples")


def test_a_sample_is_run_once_for_all_checks(asked):
    """Checks of a candidate share an order, and those that need all samples run the rest."""
    reference, candidate = pair(broken=60, fixed=24, wrong=100)
    first = accuracy(candidate, percent(70)) >= percent(70)
    assert sum(asked) == first.measurement.n
    runtime_violations(candidate)
    drop = accuracy_drop(reference, candidate, points(10)) <= points(10)
    agreement = runtime_agreement(candidate, percent(50), most=N) >= percent(50)
    assert agreement.outcome is Outcome.PASS
    # 32 more at most: on the first samples it is tried out if a runtime takes a file.
    assert sum(asked) <= 2 * drop.measurement.n + 2 * 32
    agreement_with_reference(reference, candidate)
    assert sum(asked) == 2 * N


def test_the_default_runtime_judges_all(asked):
    _, candidate = pair(wrong=120)
    here = replace(candidate, runtime="xnnpack")
    measurement = accuracy(here, percent(70))
    assert measurement.n == N
    assert measurement.evidence == accuracy(here).evidence
    assert asked == []


def test_a_check_without_a_limit_judges_all():
    """A check that was copied from an earlier version."""
    measurement = accuracy(pair(wrong=120)[1])
    assert measurement.n == N
    assert "samples right" in measurement.evidence[0]


def test_more_checks_need_more_samples():
    reference, candidate = pair(broken=60, fixed=24, wrong=100)
    limit = points(8)
    one, many = (
        (accuracy_drop(reference, candidate, limit, checks=checks) <= limit).measurement.n
        for checks in (1, 10_000)
    )
    assert one < many


def test_another_limit_than_the_one_that_stopped_is_decided_by_its_own_evidence():
    _, candidate = pair(wrong=120)
    measurement = accuracy(candidate, percent(70))
    assert (measurement >= percent(60)).outcome is Outcome.PASS
    assert (measurement >= percent(99)).outcome is Outcome.FAIL
    assert (measurement >= percent(90)).outcome is Outcome.INCONCLUSIVE
    assert (measurement <= percent(95)).outcome is Outcome.INCONCLUSIVE


def test_copies_of_samples_prove_nothing():
    """Of 40 samples with 30 copies each nothing can be shown, however often they are seen."""
    verdict = accuracy(pair(copies=30)[1], percent(97)) >= percent(97)
    assert verdict.measurement.n == N
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_the_order_is_the_candidate_s_and_the_split_s_own():
    reference, candidate = pair(wrong=120)
    order = random_order(candidate)
    assert np.array_equal(np.sort(order), np.arange(N))
    again = replace(candidate, evaluation=replace(candidate.evaluation))
    assert np.array_equal(order, random_order(again))
    assert not np.array_equal(order, random_order(reference))
    other = replace(candidate.evaluation, digest="another")
    assert not np.array_equal(order, random_order(replace(candidate, evaluation=other)))


def test_the_order_is_the_same_in_every_release_of_numpy():
    """As one run's stop would otherwise be another's."""
    fixed = replace(artifact(b"", np.eye(8), classes=8, digest="split"), sha256="file")
    assert random_order(fixed).tolist() == [6, 4, 3, 0, 1, 5, 7, 2]


def test_looks_grow_by_a_quarter_and_end_before_all():
    assert list(looks(FIRST_LOOK)) == []
    assert list(looks(FIRST_LOOK + 1)) == [256]
    assert list(looks(1000)) == [256, 320, 448, 576, 768, 960]


@pytest.mark.parametrize("read", [True, False])
def test_a_later_run_stops_at_the_same_sample(tmp_path, asked, read):
    """And needs no runtime if it may read the store."""
    _, candidate = pair(wrong=120)
    store, stopped = Store(tmp_path / "store"), []
    for _ in range(2):
        fresh = replace(candidate, evaluation=replace(candidate.evaluation))
        keep_answers(store, fresh, read=read)
        measurement = accuracy(fresh, percent(70))
        stopped.append((measurement.n, measurement.value, measurement.interval))
    assert stopped[0] == stopped[1]
    assert sum(asked) == FIRST_LOOK * (1 if read else 2)


def test_parts_of_another_instruction_set_are_computed_again(tmp_path, asked, monkeypatch):
    """A verdict must not pair answers of two processors."""
    _, candidate = pair(wrong=120)
    for instructions in ("AVX2", "AVX-512", "AVX2"):
        monkeypatch.setattr(store_answers, "instruction_set", lambda name=instructions: name)
        fresh = replace(candidate, evaluation=replace(candidate.evaluation))
        keep_answers(Store(tmp_path / "store"), fresh, read=True)
        accuracy(fresh, percent(70))
    assert sum(asked) == 2 * FIRST_LOOK


def test_answers_to_all_samples_do_not_move_the_stop(asked):
    """The same verdict, whatever other checks have asked for before."""
    _, candidate = pair(wrong=120)
    predict(candidate)
    assert accuracy(candidate, percent(70)).n == FIRST_LOOK
    assert asked == [N]


def test_agreement_of_runtimes_stops_early():
    """With a runtime that decides alike, and one that decides all otherwise."""
    x = np.random.default_rng(3).random((N, 2))
    right = replace(artifact(selector(2, [0, 1]), x), runtime=SLOW)
    wrong = replace(right, evaluation=replace(right.evaluation), elsewhere=selector(2, [1, 0]))
    for candidate, outcome in ((right, Outcome.PASS), (wrong, Outcome.FAIL)):
        verdict = runtime_agreement(candidate, percent(90), most=N) >= percent(90)
        assert verdict.outcome is outcome
        assert verdict.measurement.n < N
        assert verdict.measurement.evidence[0].startswith("stopped after ")
    unnamed = runtime_agreement(right, percent(90))
    assert unnamed.evidence[1] == "500 of 1,200 samples"


def test_sequences_are_all_judged_or_as_many_as_a_bound_leaves(asked):
    """They do not stop early, whatever the limit, and no other sequences are run."""
    _, candidate = pair(wrong=0)
    stops = np.arange(2, N + 1, 2)
    split = replace(
        candidate.evaluation,
        digest="sequences",
        x=Sequences(candidate.evaluation.x, stops - 2, stops),
        y=np.zeros(N // 2, int),
        sequences=Frames(period=ms(10)),
    )
    measured = accuracy(replace(candidate, evaluation=split), percent(70))
    assert measured.evidence[0] == f"all {N // 2} sequences"
    bounded = replace(candidate, evaluation=spread_samples(split, 40))
    measured = accuracy(bounded, percent(70))
    assert (measured.n, measured.evidence[0]) == (40, "all 40 sequences")
    assert asked == [N // 2, 40]


def test_a_bound_on_samples_is_for_the_other_checks(asked):
    """They judge the samples of the bound; those that may stop choose among all."""
    reference, candidate = pair(broken=60, fixed=24, wrong=100)
    split = spread_samples(candidate.evaluation, 300)
    reference, candidate = (replace(side, evaluation=split) for side in (reference, candidate))
    assert accuracy(candidate).n == 300
    assert sum(asked) == 300
    stopped = accuracy(candidate, percent(70)) >= percent(70)
    assert stopped.measurement.evidence[0] == "stopped after 256 of 1,200 samples, in random order"
    open_one = accuracy_drop(reference, candidate, points(3)) <= points(3)
    assert open_one.measurement.n == N
    assert sum(asked) == 2 * N


@pytest.mark.parametrize(("most", "n"), [(0, 1200), (1199, 1199), (1200, 1200), (1201, 1200)])
def test_a_bound_keeps_the_split_if_it_has_no_more(most, n):
    split = pair()[0].evaluation
    bounded = spread_samples(split, most)
    assert len(bounded.x) == len(bounded.y) == n
    assert (bounded is split) is (n == N)
    assert (bounded.digest == split.digest) is (n == N)
    assert spread_samples(split, most) is bounded
