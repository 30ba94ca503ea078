"""Latency by a device's own times: the paired rule decides, and its evidence names the clock."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from litegate import Budget, Command, ms, percent
from litegate.core.errors import ConfigError, MeasurementError
from litegate.measures.latency import device, latency, latency_ratio
from litegate.measures.lints.untimed_runtimes import untimed_runtime_notes
from litegate.measures.measurement import Outcome
from litegate.measures.regression import latency_growth
from litegate.spec import Kind
from litegate.testing import tiny_artifact

CANDIDATE = replace(tiny_artifact(Kind.INT8_QAT), runtime="board")
REFERENCE = replace(tiny_artifact(Kind.FLOAT32), runtime="board")


class Unused:
    """pytest-benchmark's fixture, which is called and records nothing."""

    disabled = False

    def pedantic(self, target, *, setup, rounds):
        assert (self.disabled, target(*setup()), rounds) == (True, False, 1)


@pytest.fixture
def loads(monkeypatch):
    """Gives a device whose times are those of a function of the loaded file; lists its loads."""
    loads = []

    class Device:
        def __init__(self, _tflite, runtime, **_):
            assert runtime == "board"

        def load(self, tflite, _signature):
            loads.append(tflite)

        def ready(self, sample):
            assert len(sample) == 1
            return {"x": sample}

        def seconds(self, ready):
            assert len(ready["x"]) == 8
            return [Device.of(loads[-1], len(loads))] * 8

        def close(self):
            """Nothing runs."""

    monkeypatch.setattr(device, "ChildRuntime", Device)

    def use(times):
        Device.of = staticmethod(times)
        return loads

    return use


@pytest.mark.parametrize(("many", "few"), [(12, 5), (9.5, 19)])
def test_two_speeds_of_a_device_are_no_verdict_against_their_own_median(loads, many, few):
    """Their ranks say the other: 17 epochs of 12 ms and 15 of 5 ms passed a limit of 10 ms."""
    loads(lambda _, number: (few if number % 2 == 0 and number < 32 else many) / 1000)
    measured = latency(CANDIDATE, Unused(), ms(10))
    assert (measured.value > 0.01) is (many > 10)
    assert (measured <= ms(10)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("milliseconds", "outcome", "epochs"),
    [(0.99, Outcome.PASS, 8), (1.01, Outcome.FAIL, 11), (1.0, Outcome.INCONCLUSIVE, 32)],
)
def test_a_limit_in_seconds_is_judged_by_fresh_loads(loads, milliseconds, outcome, epochs):
    """Just below, above and at the limit, where nothing is proven; a FAIL is timed twice."""
    loaded = loads(lambda *_: milliseconds / 1000)
    measured = latency(CANDIDATE, Unused(), ms(1))
    assert (measured <= ms(1)).outcome is outcome
    assert measured.value == pytest.approx(milliseconds / 1000)
    assert measured.evidence[-1] == "the device's own time"
    assert measured.n == epochs
    assert len(loaded) == epochs * (2 if outcome is Outcome.FAIL else 1)


def test_a_fail_that_a_second_start_does_not_confirm_is_none(loads):
    loads(lambda _, number: 0.0011 if number <= 11 else 0.0009)
    verdict = latency(CANDIDATE, Unused(), ms(1)) <= ms(1)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "a second start of the program did not confirm it" in verdict.note


def test_noisy_times_are_decided_by_their_median(loads):
    noise = itertools.cycle(np.random.default_rng(3).lognormal(0, 0.05, 200))
    loads(lambda *_: 0.9e-3 * next(noise))
    assert (latency(CANDIDATE, Unused(), ms(1)) <= ms(1)).outcome is Outcome.PASS


@pytest.mark.parametrize(("ratio", "outcome"), [(0.98, Outcome.PASS), (1.06, Outcome.FAIL)])
def test_two_files_take_turns_on_the_device(loads, ratio, outcome):
    """Although the device slows down from load to load."""

    def times(tflite, number):
        return (ratio if tflite == CANDIDATE.tflite else 1.0) * (1 + 0.001 * number)

    loaded = loads(times)
    measured = latency_ratio(CANDIDATE, REFERENCE, 1.025)
    assert measured.value == pytest.approx(ratio, rel=0.002)
    growth = latency_growth(REFERENCE, CANDIDATE, percent(2.5))
    assert (growth <= percent(2.5)).outcome is outcome
    assert "device's own time" in " ".join(measured.evidence)
    assert "one thread" not in " ".join(measured.evidence)
    first, second = CANDIDATE.tflite, REFERENCE.tflite
    assert loaded[:4] == [first, second, second, first]


def test_what_was_not_decided_is_not_compared(loads):
    loads(lambda *_: 0.5e-3)
    measured = latency(CANDIDATE, Unused(), ms(1))
    with pytest.raises(ConfigError, match="measured for another limit"):
        _ = measured <= ms(2)


def test_files_on_different_devices_are_not_compared():
    with pytest.raises(MeasurementError, match="board refuses"):
        latency_ratio(CANDIDATE, replace(REFERENCE, runtime="xnnpack"), 1.025)


@pytest.mark.parametrize(
    ("times", "limited", "notes"), [(True, True, 0), (False, True, 1), (False, False, 0)]
)
def test_a_device_without_times_is_named_once(times, limited, notes):
    board = Command(name="board", command="board", times=times)
    budget = Budget(runtimes=("xnnpack", board), latency=ms(1) if limited else None)

    class OfBoard:
        recipes = (CANDIDATE.recipe, CANDIDATE.recipe)

        def budget_of(self, _):
            return budget

    assert len(list(untimed_runtime_notes([OfBoard(), OfBoard()]))) == notes
