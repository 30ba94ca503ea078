"""Latency against a budget: verdicts from made-up samples, and a fixture that is not there."""

import contextlib
import time
from types import SimpleNamespace

import numpy as np
import pytest

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Unit, ms
from litegate.measures.latency import budget, timing
from litegate.measures.latency.benchmark_fixture import Omission, omission
from litegate.measures.latency.budget import (
    EpochSetup,
    LatencyStatistics,
    RecordingEnded,
    budget_rule,
    latency,
    repeats,
    summarize,
)
from litegate.measures.latency.real_time import real_time_factor
from litegate.measures.measurement import Measurement, Outcome
from litegate.spec import Frames


def verdict(median, floor, budget, elapsed=3.0, epochs=15):
    """What the rule says of a median and a floor in milliseconds."""
    found = LatencyStatistics(
        median=median / 1e3, floor=floor / 1e3, p95=1.0, epochs=epochs, elapsed=elapsed
    )
    measured = Measurement(
        name="latency",
        subject="net",
        value=found.median,
        unit=Unit.SECONDS,
        rule=budget_rule(found),
    )
    return measured <= ms(budget)


@pytest.mark.parametrize(
    ("median", "floor", "outcome"),
    [
        (0.9999, 0.5, Outcome.PASS),
        (1.0, 1.0, Outcome.PASS),
        (1.0001, 0.5, Outcome.INCONCLUSIVE),
        (1.4, 1.0, Outcome.INCONCLUSIVE),
        (1.4, 1.0299, Outcome.INCONCLUSIVE),
        (1.4, 1.03, Outcome.INCONCLUSIVE),
        (1.4, 1.0301, Outcome.FAIL),
    ],
)
def test_a_pass_is_by_the_median_and_a_fail_by_the_floor(median, floor, outcome):
    """At the budget passes; 3 % over it in the machine's best moment does not fail yet."""
    assert verdict(median, floor, 1.0).outcome is outcome


def test_an_undecided_budget_blames_the_machine_in_figures():
    """How busy it was, what the model can do, and what was asked."""
    assert verdict(1.4, 1.0, 1.02).note == "machine busy x1.40, floor 1.00 ms, budget 1.02 ms"


def test_a_broken_budget_names_the_best_moment():
    """The sentence says why waiting would not help."""
    assert (
        "even the fastest run, 1.20 ms, is over the budget of 1.00 ms"
        in verdict(1.4, 1.2, 1.0).note
    )


@pytest.mark.parametrize(("median", "floor"), [(0.5, 0.4), (2.0, 2.0)])
def test_a_recording_of_less_than_three_seconds_decides_nothing(median, floor):
    """It may have missed the machine's good moments, or its usual ones."""
    assert verdict(median, floor, 1.0, elapsed=2.99).outcome is Outcome.INCONCLUSIVE
    assert verdict(median, floor, 1.0, elapsed=3.0).outcome is not Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("median", "epochs", "outcome"),
    [
        (0.999, 16, Outcome.PASS),
        (1.0, 16, Outcome.PASS),
        (1.001, 16, Outcome.INCONCLUSIVE),
        (1.0, 15, Outcome.INCONCLUSIVE),
        (0.5, 4, Outcome.PASS),
        (0.5001, 4, Outcome.INCONCLUSIVE),
        (0.5, 3, Outcome.INCONCLUSIVE),
    ],
)
def test_a_model_clearly_within_its_budget_passes_early(median, epochs, outcome):
    """At two thirds of the budget by sixteen interpreters, at a third by four."""
    assert verdict(median, median, 1.5, elapsed=0.3, epochs=epochs).outcome is outcome


@pytest.mark.parametrize(
    ("room", "looks", "seconds"),
    [(4, [4], 0.1), (2, [4, 16], 0.4), (1, [4, 16], 3.1)],
)
def test_there_are_early_looks_after_four_and_sixteen_interpreters(room, looks, seconds):
    seen, clock = [], Clock(100)
    setup = EpochSetup(
        clock.create, clock, lambda needed: seen.append(len(setup.starts)) or room >= needed
    )
    with contextlib.suppress(RecordingEnded):
        while True:
            (invoke,), _ = setup()
            invoke()
    assert seen == looks
    assert seconds / 2 < setup.elapsed < seconds


def test_a_latency_has_no_least_value():
    """Asking that a model take at least so long is a slip."""
    measured = verdict(1.0, 1.0, 1.0).measurement
    with pytest.raises(ConfigError, match="compare it with <="):
        measured >= ms(1)  # noqa: B015 - comparing raises


def test_the_median_is_that_of_the_epochs():
    """An epoch with many samples weighs no more than one with few."""
    samples = np.array([1.0] * 7 + [2.0] * 3 + [3.0] * 3) / 1e3
    assert summarize(samples, [0, 7, 10], 3.0).median == 0.002
    assert summarize(samples, [0, 7, 10], 3.0).epochs == 3


def test_the_floor_is_the_best_blocks_median():
    """Three milliseconds are a block: one lucky sample is not the machine's best moment."""
    samples = np.array([2.0, 2.0, 1.5, 0.1, 1.6, 2.0, 2.0]) / 1e3
    assert summarize(samples, [0], 3.0).floor == pytest.approx(1.5e-3)


def test_a_long_invocation_is_a_block_by_itself():
    """Then the floor is the shortest invocation."""
    assert summarize(np.array([5.0, 4.0, 9.0]) / 1e3, [0], 3.0).floor == pytest.approx(4e-3)


def test_a_block_does_not_reach_into_the_next_epoch():
    """What is left of an epoch joins its last block, and alone is one."""
    samples = np.array([1.0, 1.0, 1.0, 0.2, 0.5, 0.5]) / 1e3
    assert summarize(samples, [0, 4], 3.0).floor == pytest.approx(5e-4)


def test_starts_beyond_the_recording_are_ignored():
    """A profiler's extra round may start an epoch without a sample."""
    assert summarize(np.array([1.0, 1.0]), [0, 2, 3], 3.0).epochs == 1


def test_the_inflation_and_the_tail_are_shown():
    """p95 of all invocations, and the median over the floor."""
    samples = np.array([4.0] * 10 + [5.0] * 81 + [9.0] * 9) / 1e3
    found = summarize(samples, [0], 3.0)
    assert (found.p95, found.inflation) == (pytest.approx(9e-3), pytest.approx(1.25))


class Clock:
    """A clock that moves by what is invoked."""

    def __init__(self, microseconds=1000):
        self.now, self.step, self.created = 0, microseconds * 1000, 0

    def create(self):
        """A new interpreter."""
        self.created += 1

        def invoke():
            self.now += self.step

        return invoke

    def __call__(self):
        """Nanoseconds."""
        return self.now


@pytest.mark.parametrize(("microseconds", "rounds"), [(100, 150), (1250, 12), (5000, 12)])
def test_an_epoch_lasts_15_ms_and_twelve_rounds(microseconds, rounds):
    """A new interpreter every epoch, and rounds enough for a median."""
    timing = Clock(microseconds)
    renewal = EpochSetup(timing.create, timing)
    for _ in range(2 * rounds + 1):
        (invoke,), _ = renewal()
        invoke()
    assert renewal.starts == [0, rounds, 2 * rounds]
    assert timing.created == 1 + 3


@pytest.mark.parametrize("microseconds", [5, 100, 20_000, 5_000_000])
def test_the_rounds_last_three_seconds(microseconds):
    """And some to spare for a machine that speeds up, but four at least."""
    timing = Clock(microseconds)
    rounds = EpochSetup(timing.create, timing).rounds
    assert rounds >= 4
    assert rounds * (microseconds + 2) / 1e6 >= 3.0


@pytest.mark.parametrize("microseconds", [100, 20_000, 700_000])
def test_the_recording_ends_after_three_seconds(microseconds):
    """By the clock, whatever the number of rounds; four rounds at least."""
    timing = Clock(microseconds)
    setup = EpochSetup(timing.create, timing)
    rounds = 0
    with contextlib.suppress(RecordingEnded):
        while rounds < setup.rounds:
            (invoke,), _ = setup()
            invoke()
            rounds += 1
    assert 4 <= rounds < setup.rounds
    assert 3.0 <= setup.elapsed < 3.0 + 14 * microseconds / 1e6


ARTIFACT = SimpleNamespace(
    name="net/int8_qat",
    tflite=b"",
    sha256="int8_qat",
    runtime="xnnpack",
    evaluation=SimpleNamespace(x=np.zeros((1, 4), np.float32), sequences=None),
    signature="",
)


class Fixture:
    """A `benchmark` that records what it is told."""

    def __init__(self, data, *, timer=time.perf_counter, disabled=False):
        self.disabled, self.extra_info, self.stats = disabled, {}, None
        self._data, self._timer = data, timer

    def pedantic(self, target, *, setup, rounds):
        """Run one round and claim to have run all."""
        assert rounds >= 4
        arguments, _ = setup()
        target(*arguments)
        if self._data is not None:
            self.stats = SimpleNamespace(
                stats=SimpleNamespace(data=self._data), options={"timer": self._timer}
            )


@pytest.fixture
def no_litert(monkeypatch):
    """Interpreters that do nothing, quickly."""
    monkeypatch.setattr(timing, "invoke_factory", lambda *_: lambda: lambda: None)
    monkeypatch.setattr(budget, "_PACE_SECONDS", 0.0)


@pytest.mark.usefixtures("no_litert")
def test_the_measurement_is_made_of_the_fixtures_own_samples():
    """Value, count and evidence, and the figures for pytest-benchmark's JSON."""
    fixture = Fixture([0.002] * 50)
    found = latency(ARTIFACT, fixture)
    assert (found.value, found.n, found.artifacts) == (0.002, 50, ("int8_qat",))
    assert {"floor 2.00 ms", "p95 2.00 ms", "inflation x1.00"} <= set(found.evidence)
    assert fixture.extra_info["litegate"]["median_s"] == 0.002
    assert fixture.extra_info["litegate"]["sha256"] == "int8_qat"


@pytest.mark.usefixtures("no_litert")
@pytest.mark.parametrize(
    ("fixture", "said"),
    [
        (Fixture([], disabled=True), "NOT measured"),
        (Fixture(None), "NOT measured"),
        (Fixture([]), "NOT measured"),
        (Fixture([0.001, float("nan")]), "1 of 2 latency samples"),
        (Fixture([0.001, 0.0]), "1 of 2 latency samples"),
        (Fixture([0.001, -1.0]), "1 of 2 latency samples"),
        (Fixture([0.001], timer=time.process_time), "not measured by the wall clock"),
    ],
)
def test_a_fixture_that_measured_nothing_is_an_error(fixture, said):
    """Switched off, unused, empty, no times, or another clock: never a pass."""
    with pytest.raises(MeasurementError, match=said) as caught:
        latency(ARTIFACT, fixture)
    assert "net/int8_qat" in str(caught.value)


@pytest.mark.parametrize("worker", [True, False])
def test_the_message_knows_pytest_xdist(worker, monkeypatch):
    """A worker is told that it is one; anybody is told what to do."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    with pytest.raises(MeasurementError, match="without -n") as caught:
        latency(ARTIFACT, Fixture([], disabled=True))
    assert ("pytest-xdist" in caught.value.got) is worker


@pytest.mark.parametrize(
    ("options", "worker", "why"),
    [
        ({}, "", None),
        ({"dist": "no"}, "", None),
        ({"benchmark_disable": True}, "", Omission.DISABLED),
        ({"benchmark_disable": True, "benchmark_enable": True}, "", None),
        ({"benchmark_skip": True}, "", Omission.SKIPPED),
        ({"benchmark_skip": True, "benchmark_only": True}, "", None),
        ({"dist": "load"}, "", Omission.XDIST),
        ({}, "gw1", Omission.XDIST),
        ({"benchmark_enable": True}, "gw1", Omission.XDIST),
        ({"benchmark_disable": True}, "gw1", Omission.DISABLED),
    ],
)
def test_why_latency_is_not_measured(options, worker, why):
    """What was asked for comes before what pytest-xdist does; enabling does not help under it."""
    assert omission(options.get, {"PYTEST_XDIST_WORKER": worker}) is why
    assert why is None or why.asked is (why is not Omission.XDIST)


@pytest.mark.parametrize(("median", "high"), [(1.2, 1.4), (1.4, 1.4), (2.0, 2.0)])
def test_repetitions_range_from_what_is_proven_to_the_slow_mode(median, high):
    """From the least budget that the floor does not break, to the slower of median and mode."""
    measured = LatencyStatistics(median=median, floor=1.0, p95=3.0, epochs=9, elapsed=3.0)
    found = repeats(measured)
    assert (found.low, found.high) == (pytest.approx(1 / 1.03), pytest.approx(high))
    assert verdict(median, 1.0, found.low * 1.0001).outcome is not Outcome.FAIL
    assert verdict(median, 1.0, found.low * 0.9999).outcome is Outcome.FAIL


@pytest.mark.usefixtures("no_litert")
def test_frames_have_a_real_time_factor():
    """The share of a frame's period that a frame takes; other samples have none."""
    split = SimpleNamespace(x=ARTIFACT.evaluation.x, sequences=Frames(period=ms(20)))
    streaming = SimpleNamespace(**vars(ARTIFACT) | {"evaluation": split})
    evidence = latency(streaming, Fixture([0.005] * 9)).evidence
    assert "real-time factor 0.250, of frames of 20.00 ms" in evidence
    assert not any("real-time" in fact for fact in latency(ARTIFACT, Fixture([0.005] * 9)).evidence)


@pytest.mark.usefixtures("no_litert")
@pytest.mark.parametrize(
    ("limit", "outcome"),
    [(0.25, Outcome.PASS), (0.2499, Outcome.INCONCLUSIVE), (0.2426, Outcome.FAIL)],
)
def test_a_limit_of_the_real_time_factor_is_one_of_the_time(limit, outcome, monkeypatch):
    """5 ms of 20 ms; as of a latency, only a floor more than 3 % above the limit fails."""
    monkeypatch.setattr(budget, "RECORDING_SECONDS", 0.0)
    split = SimpleNamespace(x=ARTIFACT.evaluation.x, sequences=Frames(period=ms(20)))
    streaming = SimpleNamespace(**vars(ARTIFACT) | {"evaluation": split})
    measured = real_time_factor(streaming, Fixture([0.005] * 9), limit)
    assert (measured.name, measured.unit) == ("real-time factor", Unit.RATIO)
    assert measured.value == pytest.approx(0.25)
    assert measured.repeats.high == pytest.approx(0.25 * 1.4)
    assert (measured <= limit).outcome is outcome


def test_samples_that_are_no_frames_have_no_real_time_factor():
    with pytest.raises(MeasurementError, match="its samples are not frames"):
        real_time_factor(ARTIFACT, Fixture([0.005] * 9), 0.5)
