"""Latency of one artifact against an absolute budget, from pytest-benchmark's own samples.

A busy machine makes a model look slow, never fast. So a model fails only where even the machine's
best moment is over the budget, and passes where its median keeps it.
"""

from __future__ import annotations

import math
import operator
import time
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Quantity, Unit, text
from litegate.measures.latency import timing
from litegate.measures.latency.benchmark_fixture import Benchmark, recorded_seconds, require_enabled
from litegate.measures.measurement import Measurement, Outcome, Relation, Rule, Ruling
from litegate.measures.statistics.sequential import Floats
from litegate.spec import Artifact

SECONDS = 3.0
"""Least length of the recording, so that it meets the machine's good moments too."""
BLOCK = 0.003
"""Seconds of invocations in a block; a longer invocation is a block by itself."""
TOLERANCE = 1.03
"""How far the floor must be above the budget to fail."""
_SPARE = 1.25
_TRIAL = 0.05
_HARNESS = 2e-6
_LEAST_ROUNDS = 4


def latency(artifact: Artifact, benchmark: Benchmark) -> Measurement:
    """The median time of one invocation: one sample, one thread, wall clock.

    Records at least 3 s of invocations through `benchmark.pedantic`; the interpreter is created
    anew, and warmed up untimed, about every 18 ms. The input is the evaluation split's first
    sample.

    Raises MeasurementError where the fixture is switched off or recorded nothing usable, and
    ArtifactError where LiteRT refuses the artifact.
    """
    require_enabled(benchmark, artifact.name)
    create = timing.fresh(
        artifact.tflite, timing.one_sample(artifact), artifact.name, artifact.signature
    )
    with timing.no_collection():
        renewal = Renewal(create)
        benchmark.pedantic(operator.call, setup=renewal, rounds=renewal.rounds)
        elapsed = renewal.elapsed
    samples = recorded_seconds(benchmark, artifact.name)
    found = summary(samples, renewal.starts, elapsed)
    benchmark.extra_info["litegate"] = _extra(artifact, found)
    return Measurement(
        name="latency",
        subject=artifact.name,
        value=found.median,
        unit=Unit.SECONDS,
        n=len(samples),
        evidence=_evidence(found),
        rule=budget_rule(found),
        artifacts=(artifact.sha256,),
    )


@final
class Renewal:
    """pytest-benchmark's `setup`: gives each round an `invoke`, a new interpreter every epoch."""

    def __init__(self, create: timing.Fresh, wall: timing.Clock = time.perf_counter_ns) -> None:
        """Time one interpreter for a moment, to pace the epochs and count the rounds."""
        self._create, self._wall = create, wall
        self._invoke = create()
        self._invoke()
        quickest = timing.quickest(self._invoke, wall, _TRIAL)
        self._pace = timing.Pace(create=0.0, candidate=quickest, reference=quickest)
        self._round = self._least_round = self._end = 0
        self._started = wall()
        self.starts: list[int] = []
        """The round that each epoch begins with."""

    @property
    def rounds(self) -> int:
        """Rounds that last `SECONDS`, with some to spare for a machine that speeds up."""
        return max(_LEAST_ROUNDS, math.ceil(_SPARE * SECONDS / (self._pace.invoke + _HARNESS)))

    @property
    def elapsed(self) -> float:
        """Seconds since the recording began."""
        return (self._wall() - self._started) / 1e9

    def __call__(self) -> tuple[tuple[timing.Invoke], dict[str, Any]]:
        """The arguments of one round."""
        if self._round >= self._least_round and self._wall() >= self._end:
            self._renew()
        self._round += 1
        return (self._invoke,), {}

    def _renew(self) -> None:
        self._invoke = self._create()
        for _ in range(1 + self._pace.warm_ups):
            self._invoke()
        self.starts.append(self._round)
        self._least_round = self._round + 4 * self._pace.quads
        self._end = self._wall() + round(timing.EPOCH * 1e9)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the samples say, in seconds."""

    median: float
    """Of the epochs' medians."""
    floor: float
    """The machine's best moment: the least median of a block."""
    p95: float
    """Of all invocations. Shown, never gated: it is the machine's more than the model's."""
    epochs: int
    elapsed: float
    """The length of the recording."""

    @property
    def inflation(self) -> float:
        """How many times slower than in its best moment the machine usually was."""
        return self.median / self.floor


def summary(samples: Floats, starts: list[int], elapsed: float) -> Summary:
    """Summarize samples in seconds, shape (n,), cut into epochs before each index of `starts`."""
    if not len(samples):
        raise MeasurementError("there is no latency sample", expected="at least one")
    cuts = [start for start in starts if 0 < start < len(samples)]
    epochs = np.split(samples, cuts)
    blocks = [block for epoch in epochs for block in _blocks(epoch)]
    return Summary(
        median=float(np.median([np.median(epoch) for epoch in epochs])),
        floor=float(min(np.median(block) for block in blocks)),
        p95=float(np.quantile(samples, 0.95)),
        epochs=len(epochs),
        elapsed=elapsed,
    )


def _blocks(epoch: Floats) -> list[Floats]:
    """Consecutive samples of together `BLOCK` or a little more; the rest joins the last one."""
    cuts, total = [], 0.0
    for index, seconds in enumerate(epoch, start=1):
        total += seconds
        if total >= BLOCK:
            cuts.append(index)
            total = 0.0
    return np.split(epoch, cuts[:-1])


def budget_rule(found: Summary) -> Rule:
    """Pass by the median, fail by the floor, inconclusive between them."""

    def rule(_: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        if relation is not Relation.AT_MOST:
            raise ConfigError("a latency has a longest time, not a shortest: compare it by <=")
        return _ruling(found, float(limit.value))

    return rule


def _ruling(found: Summary, budget: float) -> Ruling:
    floor, allowed = text(found.floor, Unit.SECONDS), text(budget, Unit.SECONDS)
    if found.elapsed < SECONDS:
        short = f"recorded for only {found.elapsed:.2f} s of {SECONDS:g} s"
        return Ruling(outcome=Outcome.INCONCLUSIVE, note=short)
    if found.median <= budget:
        return Ruling(outcome=Outcome.PASS)
    if found.floor > budget * TOLERANCE:
        note = f"even the machine's best moment, {floor}, is over the budget of {allowed}"
        return Ruling(outcome=Outcome.FAIL, note=note)
    busy = f"machine busy x{found.inflation:.2f}, floor {floor}, budget {allowed}"
    return Ruling(outcome=Outcome.INCONCLUSIVE, note=busy)


def _evidence(found: Summary) -> tuple[str, ...]:
    return (
        f"{found.epochs} fresh interpreters in {text(found.elapsed, Unit.SECONDS)}",
        f"floor {text(found.floor, Unit.SECONDS)}",
        f"p95 {text(found.p95, Unit.SECONDS)}",
        f"inflation x{found.inflation:.2f}",
        "wall clock, one thread",
    )


def _extra(artifact: Artifact, found: Summary) -> dict[str, object]:
    return {
        "artifact": artifact.name,
        "sha256": artifact.sha256,
        "median_s": found.median,
        "floor_s": found.floor,
        "p95_s": found.p95,
        "inflation": found.inflation,
        "epochs": found.epochs,
        "elapsed_s": found.elapsed,
        "clock": "wall",
        "threads": 1,
        "kernels": "xnnpack",
    }
