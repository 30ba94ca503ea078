"""Latency of real files in LiteRT, with pytest-benchmark's real fixture."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from litegate import recipes
from litegate.core.errors import ArtifactError
from litegate.core.units import ms
from litegate.measures.latency import latency, latency_ratio
from litegate.measures.latency.confirmation import (
    LatencyContest,
    time_and_confirm,
    time_here,
    time_in_fresh_process,
)
from litegate.measures.measurement import Outcome
from litegate.runtimes.litert import Runner
from litegate.spec import Artifact, Evaluation

DATA = os.environ.get("LITEGATE_DATA", "")
pytestmark = pytest.mark.skipif(
    not (Path(DATA) / "mlperf_tiny").is_dir(),
    reason="LITEGATE_DATA has no mlperf_tiny/ad01_int8.tflite and ad01_float32.tflite",
)


def load(name):
    """An artifact of the anomaly detector, with two samples of noise."""
    tflite = (Path(DATA) / "mlperf_tiny" / f"{name}.tflite").read_bytes()
    shape = Runner(tflite).input.shape[1:]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    return Artifact(
        model="ad01",
        recipe=recipes.int8_ptq(name=name),
        tflite=tflite,
        sha256=hashlib.sha256(tflite).hexdigest(),
        certificate={},
        evaluation=Evaluation(digest="d", x=x, y=np.zeros(2), classes=("a",), domain=(-9, 9)),
    )


def contest(candidate, reference, limit):
    """Two artifacts against each other."""
    return LatencyContest(
        candidate=candidate.tflite,
        reference=reference.tflite,
        sample=candidate.evaluation.x[:1],
        limit=limit,
    )


def test_the_same_bytes_do_not_fail():
    """A model is not slower than itself, whichever place in memory it is given."""
    same = load("ad01_int8")
    found = latency_ratio(same, same, 1.025)
    assert (found <= 1.025).outcome is not Outcome.FAIL
    assert found.n >= 8
    assert found.interval.low <= found.value <= found.interval.high


def test_a_slower_file_fails_here_and_in_a_fresh_process():
    """Float and int8 differ by far more than the limit, whichever of them is quicker here."""
    slow, fast = sorted(
        (load("ad01_int8"), load("ad01_float32")),
        key=lambda one: time_here(contest(one, one, None)).candidate,
        reverse=True,
    )
    result = time_and_confirm(contest(slow, fast, 1.025))
    assert (result.outcome, result.confirmation.outcome) == (Outcome.FAIL, Outcome.FAIL)
    assert result.confirmation.budget == 2 * result.first.budget
    assert time_here(contest(fast, slow, 1.025)).outcome is Outcome.PASS


def test_a_fresh_process_reports_without_a_limit():
    """The other process hands over a ratio with an interval and no outcome."""
    same = load("ad01_int8")
    found = time_in_fresh_process(contest(same, same, None))
    assert (found.outcome, found.over, found.under) == (None, 0, 0)
    assert found.epochs >= 8
    assert found.low < found.high


def test_too_little_time_is_refused_up_front():
    """Eight epochs do not fit into 50 ms, and nothing is timed in vain."""
    same = load("ad01_int8")
    found = time_here(replace(contest(same, same, 1.025), budget=0.05))
    assert (found.outcome, found.stage) == (Outcome.INCONCLUSIVE, "up front")


def test_a_file_that_litert_refuses_is_an_error():
    """Not a measurement of how quickly it is refused."""
    good = load("ad01_int8")
    with pytest.raises(ArtifactError, match="candidate"):
        latency_ratio(replace(good, tflite=b"nonsense"), good, 1.025)


@pytest.mark.slow
def test_a_budget_is_judged_from_pytest_benchmarks_samples(benchmark):
    """Hours pass, a nanosecond fails, and the fixture holds the samples and the figures."""
    found = latency(load("ad01_int8"), benchmark)
    assert (found <= ms(3.6e6)).outcome is Outcome.PASS
    assert (found <= ms(1e-6)).outcome is Outcome.FAIL
    assert found.n == len(benchmark.stats.stats.data)
    assert benchmark.extra_info["litegate"]["epochs"] >= 8
