"""Measure the latency of an artifact for an absolute budget, with pytest-benchmark's fixture.

A busy machine makes a model look slow, never fast. So a model fails only if even the machine's best
moment exceeds the budget, and passes if its median is within the budget. A model that is clearly
within it passes early.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Quantity, Unit, text
from litegate.measures.latency import timing
from litegate.measures.latency.benchmark_fixture import Benchmark, recorded_seconds, require_enabled
from litegate.measures.latency.device import device_latency
from litegate.measures.measurement import Measurement, Outcome, Relation, Repeats, Rule, Ruling
from litegate.measures.names import Name
from litegate.measures.statistics.sequential import Floats
from litegate.spec import Artifact, Frames
from litegate.spec.runtimes import XNNPACK

RECORDING_SECONDS = 3.0
"""The least length of the recording, so that it includes good moments of the machine: the minimum
varies by 5 % (CV) in 1 s, and by 0.2 to 0.5 % in 3 to 10 s."""
EARLY_LOOKS = {4: 3.0, 16: 1.5}
"""Interpreters after which a recording may end early (0.07 s and 0.3 s), and the ratio of budget to
median from which the model is then clearly within its budget.

The slow mode of a shared host costs a factor of 1.4, so the rest of the recording would hardly move
a model over that has room for 1.5. Interpreters of one file differ by 1 % and seldom by 15 %: the
median of 16 is far nearer to the truth than that room, and four need twice the room of both effects
together. There are only these looks, as each adds an error."""
BLOCK_SECONDS = 0.003
"""Seconds of invocations in a block; a longer invocation is a block of its own.

The floor is a median of a block, not a single invocation, so that one lucky reading of the clock
does not decide. The experiments took blocks of 2 to 5 ms: a longer one is seldom left undisturbed.
"""
FLOOR_TOLERANCE = 1.03
"""The ratio of floor to budget above which a model fails: room for the noise of the floor, whose CV
is 0.2 to 0.5 % in 3 to 10 s. More would let slower models stay inconclusive."""
SLOW_MODE = 1.4
"""The ratio of the floors of a shared host's slow and fast modes, each of which can last for longer
than a recording: the same bytes may come out so much slower next time."""
_SPARE_ROUNDS = 2.0
"""Extra rounds, for a machine that gets faster after the pace was estimated: modes of one host are
SLOW_MODE apart. They cost nothing, because the recording ends by the clock."""
_PACE_SECONDS = 0.02
"""Seconds of invocations from which the number of rounds is estimated, before recording. It only
has to be right within `_SPARE_ROUNDS`; 0.02 s are longer than the moments for which a neighbour
takes the processor."""
_HARNESS_SECONDS = 2e-6
"""Estimate of what pytest-benchmark adds to a round: without it, a network of 2 us would be planned
twice as many rounds as it needs."""
_LEAST_ROUNDS = 4
"""The fewest rounds of a slow model, whose median needs several: at two, one disturbed invocation
would move it; each more costs a slow model an invocation."""


def latency(artifact: Artifact, benchmark: Benchmark, limit: Quantity | None = None) -> Measurement:
    """Measure the median time of one invocation: one sample, one thread, wall clock.

    Records at least 3 s of invocations through `benchmark.pedantic`; 0.07 s if the median is then
    at most a third of `limit`, 0.3 s if it is at most two thirds. The interpreter is created anew,
    and warmed up untimed, about every 18 ms. The input is the first sample of the evaluation split.
    On another runtime than the default the device's own times decide, as `device_latency` says.

    Raises MeasurementError if the fixture is disabled or recorded nothing usable, ArtifactError if
    LiteRT refuses the artifact.
    """
    if artifact.runtime != XNNPACK:
        benchmark.disabled = True  # it has nothing to record, and warns if it is not called
        benchmark.pedantic(bool, setup=tuple, rounds=1)
        return device_latency(artifact, limit)
    require_enabled(benchmark, artifact.name)
    create = timing.invoke_factory(
        artifact.tflite, timing.one_sample(artifact), artifact.name, artifact.signature
    )
    with timing.garbage_collection_off():
        setup = EpochSetup(create, is_clear=partial(_is_clear, benchmark, artifact.name, limit))
        with suppress(RecordingEnded):
            benchmark.pedantic(operator.call, setup=setup, rounds=setup.rounds)
        elapsed = setup.elapsed
    samples = recorded_seconds(benchmark, artifact.name)
    statistics = summarize(samples, setup.starts, elapsed)
    benchmark.extra_info["litegate"] = _extra_info(artifact, statistics)
    return Measurement(
        name=Name.LATENCY,
        subject=artifact.name,
        value=statistics.median,
        unit=Unit.SECONDS,
        n=len(samples),
        evidence=(*_evidence(statistics), *_real_time(statistics, artifact.evaluation.sequences)),
        rule=budget_rule(statistics),
        artifacts=(artifact.sha256,),
        repeats=repeats(statistics),
    )


def _is_clear(benchmark: Benchmark, subject: str, limit: Quantity | None, room: float) -> bool:
    """Return True if the median so far is within the limit by at least the factor `room`."""
    if limit is None:
        return False
    return bool(room * np.median(recorded_seconds(benchmark, subject)) <= float(limit.value))


class RecordingEnded(BaseException):
    """Ends pytest-benchmark's loop, which takes a number of rounds and not a time.

    No Exception: pytest-benchmark would count that as an error of the benchmark.
    """


@final
class EpochSetup:
    """pytest-benchmark's `setup`: returns `invoke`, of a new interpreter for each epoch."""

    def __init__(
        self,
        create: timing.InvokeFactory,
        wall: timing.Clock = time.perf_counter_ns,
        is_clear: Callable[[float], bool] = lambda _: False,
    ) -> None:
        """Time one interpreter briefly, to plan the length of epochs and the number of rounds.

        `is_clear` is asked at each of `EARLY_LOOKS`, with its ratio, if the recording may end.
        """
        self._create, self._wall, self._is_clear = create, wall, is_clear
        self._invoke = create()
        self._invoke()
        fastest = timing.fastest_invocation(self._invoke, wall, _PACE_SECONDS)
        self._pace = timing.Pace(create=0.0, candidate=fastest, reference=fastest)
        self._round = self._least_round = self._end = 0
        self._started = wall()
        self.starts: list[int] = []
        """The first round of each epoch."""

    @property
    def rounds(self) -> int:
        """The most rounds; a call ends the recording once it has lasted `RECORDING_SECONDS`."""
        round_seconds = self._pace.invoke + _HARNESS_SECONDS
        return max(_LEAST_ROUNDS, math.ceil(_SPARE_ROUNDS * RECORDING_SECONDS / round_seconds))

    @property
    def elapsed(self) -> float:
        """Seconds since the recording began."""
        return (self._wall() - self._started) / 1e9

    def __call__(self) -> tuple[tuple[timing.Invoke], dict[str, Any]]:
        """Return the arguments of one round."""
        now = self._wall()
        if self._round >= _LEAST_ROUNDS and now >= self._started + RECORDING_SECONDS * 1e9:
            raise RecordingEnded
        if self._round >= self._least_round and now >= self._end:
            self._renew()
        self._round += 1
        return (self._invoke,), {}

    def _renew(self) -> None:
        room = EARLY_LOOKS.get(len(self.starts))
        if room and self._is_clear(room):
            raise RecordingEnded
        self._invoke = self._create()
        for _ in range(1 + self._pace.warm_ups):
            self._invoke()
        self.starts.append(self._round)
        # As many invocations as a pair of artifacts has: a quad has four.
        self._least_round = self._round + 4 * self._pace.quads
        self._end = self._wall() + round(timing.EPOCH_SECONDS * 1e9)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyStatistics:
    """Statistics of the samples, in seconds."""

    median: float
    """The median of the epochs' medians."""
    floor: float
    """The machine's best moment: the smallest median of a block."""
    p95: float
    """The 95th percentile of all invocations. Shown, never gated: it depends more on the machine
    than on the model."""
    epochs: int
    elapsed: float
    """The length of the recording."""

    @property
    def inflation(self) -> float:
        """The ratio of the median to the floor: how busy the machine was."""
        return self.median / self.floor


def summarize(samples: Floats, starts: list[int], elapsed: float) -> LatencyStatistics:
    """Summarize samples in seconds, shape (n,), cut into epochs before each index of `starts`."""
    if not len(samples):
        raise MeasurementError("there is no latency sample", expected="at least one")
    cuts = [start for start in starts if 0 < start < len(samples)]
    epochs = np.split(samples, cuts)
    blocks = [block for epoch in epochs for block in _blocks(epoch)]
    return LatencyStatistics(
        median=float(np.median([np.median(epoch) for epoch in epochs])),
        floor=float(min(np.median(block) for block in blocks)),
        p95=float(np.quantile(samples, 0.95)),
        epochs=len(epochs),
        elapsed=elapsed,
    )


def _blocks(epoch: Floats) -> list[Floats]:
    """Split an epoch into blocks of at least `BLOCK_SECONDS`; the rest joins the last block."""
    cuts, total = [], 0.0
    for index, seconds in enumerate(epoch, start=1):
        total += seconds
        if total >= BLOCK_SECONDS:
            cuts.append(index)
            total = 0.0
    return np.split(epoch, cuts[:-1])


def repeats(statistics: LatencyStatistics) -> Repeats:
    """Return the smallest budget that the floor does not break, and the slowest likely median."""
    return Repeats(
        low=statistics.floor / FLOOR_TOLERANCE,
        high=max(statistics.median, statistics.floor * SLOW_MODE),
    )


def budget_rule(statistics: LatencyStatistics) -> Rule:
    """Return a rule that passes by the median and fails by the floor; else it is inconclusive."""

    def rule(_: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        if relation is not Relation.AT_MOST:
            raise ConfigError("a latency has only an upper limit: compare it with <=")
        return _ruling(statistics, float(limit.value))

    return rule


def _ruling(statistics: LatencyStatistics, budget: float) -> Ruling:
    floor, allowed = text(statistics.floor, Unit.SECONDS), text(budget, Unit.SECONDS)
    is_clear = any(
        statistics.epochs >= epochs and room * statistics.median <= budget
        for epochs, room in EARLY_LOOKS.items()
    )
    if statistics.elapsed < RECORDING_SECONDS and not is_clear:
        note = f"recorded for only {statistics.elapsed:.2f} s of {RECORDING_SECONDS:g} s"
        return Ruling(outcome=Outcome.INCONCLUSIVE, note=note)
    if statistics.median <= budget:
        return Ruling(outcome=Outcome.PASS)
    if statistics.floor > budget * FLOOR_TOLERANCE:
        note = f"even the fastest run, {floor}, is over the budget of {allowed}"
        return Ruling(outcome=Outcome.FAIL, note=note)
    note = f"machine busy x{statistics.inflation:.2f}, floor {floor}, budget {allowed}"
    return Ruling(outcome=Outcome.INCONCLUSIVE, note=note)


def _evidence(statistics: LatencyStatistics) -> tuple[str, ...]:
    return (
        f"{statistics.epochs} fresh interpreters in {text(statistics.elapsed, Unit.SECONDS)}",
        f"floor {text(statistics.floor, Unit.SECONDS)}",
        f"p95 {text(statistics.p95, Unit.SECONDS)}",
        f"inflation x{statistics.inflation:.2f}",
        "wall clock, one thread",
    )


def _real_time(statistics: LatencyStatistics, frames: Frames | None) -> tuple[str, ...]:
    """Return the real-time factor, the share of a frame's period that a frame takes, as evidence.

    An invocation is a frame here: the state is carried from one to the next.
    """
    if frames is None:
        return ()
    factor = text(statistics.median / frames.seconds, Unit.RATIO)
    return (f"real-time factor {factor}, of frames of {text(frames.seconds, Unit.SECONDS)}",)


def _extra_info(artifact: Artifact, statistics: LatencyStatistics) -> dict[str, object]:
    return {
        "artifact": artifact.name,
        "sha256": artifact.sha256,
        "median_s": statistics.median,
        "floor_s": statistics.floor,
        "p95_s": statistics.p95,
        "inflation": statistics.inflation,
        "epochs": statistics.epochs,
        "elapsed_s": statistics.elapsed,
        "clock": "wall",
        "threads": 1,
        "kernels": "xnnpack",
    }
