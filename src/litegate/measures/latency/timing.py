"""Prepare and time invocations: interpreters, clocks, the pace of a pair, quick estimates."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import final

from litegate.core.errors import MeasurementError
from litegate.runtimes.litert import Runner
from litegate.spec import Artifact, Samples, frames_of

EPOCH_SECONDS = 0.015
"""The least seconds of timed invocations in an epoch.

With creation and warm-up an epoch of a small model takes about 18 ms, which gives 55 draws of
memory placement a second: the SD of the ratio is 0.16 % after one second. Longer epochs would give
fewer draws, shorter ones spend more of the time on creating interpreters.
"""
WARM_UP_SECONDS = 0.0015
"""Seconds of untimed invocations of both models before an epoch is timed: a tenth of the timed
part.

Creating and warming both costs 2.8 ms for the MNIST network. Less would time cold caches; more
would leave fewer draws of memory placement a second, which limit the precision.
"""
LONG_INVOCATION = 0.060
"""Seconds of an invocation above which an epoch has one quad, not three: at 60 ms three quads and
the first invocations take 0.84 s, so that eleven epochs, as many as a fail needs, fit into 10 s.
Three give a median of six times of each model, which one disturbed invocation does not move."""
_MOST_WARM_UPS = 19
"""Limits the invocations that a tiny model spends on warming up: its weights are in the cache after
a few, and 1.5 ms would be hundreds. With the first one they are twenty; the number is a choice."""
_PACE_SECONDS = 0.002
"""Seconds of invocations of one model from which its pace is estimated.

It only plans epochs and budget, so the fastest of a few invocations will do; it is spent twice
before the first epoch of every contest."""

Invoke = Callable[[], object]
"""Runs an interpreter once on the input that it was fed."""
InvokeFactory = Callable[[], Invoke]
"""Creates an interpreter, allocates and feeds it, and returns its `invoke`."""
Clock = Callable[[], int]
"""Returns nanoseconds."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The clock that decides, with its name, and the wall clock, which is reported too."""

    name: str = "thread CPU clock"
    deciding: Clock = time.thread_time_ns
    wall: Clock = time.perf_counter_ns


def clocks() -> Clocks:
    """Return the thread's CPU clock, or the wall clock if the thread's is too coarse.

    Neighbours on the machine pre-empt nearly every invocation of several milliseconds; the CPU
    clock cuts the SD 2 to 3 times.
    """
    if time.get_clock_info("thread_time").implementation.startswith("clock_gettime"):
        return Clocks()
    return Clocks(name="wall clock", deciding=time.perf_counter_ns)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPair:
    """The interpreters of two models that are timed against each other."""

    candidate: InvokeFactory
    reference: InvokeFactory


def one_sample(artifact: Artifact) -> Samples:
    """Return the first sample of the evaluation split: every input, real-valued, shape (1, ...).

    Raises MeasurementError for an empty split.
    """
    sample: Samples = frames_of(artifact.evaluation.x)[:1]
    if not len(sample):
        raise MeasurementError(
            f"there is no sample to time {artifact.name} on",
            expected="at least one in the evaluation split",
        )
    return sample


def invoke_factory(
    tflite: bytes, sample: Samples, subject: str, signature: str = ""
) -> InvokeFactory:
    """Return a factory of interpreters of `tflite`, fed the real-valued `sample`, shape (1, ...).

    They use one thread. Each has its own copy of the bytes, because some kernels read their weights
    from the file's own memory. The time of a signature of another graph than the first includes
    copying inputs and outputs, because LiteRT runs it by one call.
    """

    def create() -> Invoke:
        runner = Runner(bytes(memoryview(tflite)), subject=subject, signature=signature)
        runner.take(sample)
        return runner.invoke

    return create


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The estimated cost of timing one pair, in seconds."""

    create: float
    """Time to create both interpreters and to invoke each once."""
    candidate: float
    """Time of one invocation."""
    reference: float

    @property
    def invoke(self) -> float:
        """Time of one invocation, the mean of both models."""
        return (self.candidate + self.reference) / 2

    @property
    def warm_ups(self) -> int:
        """Untimed invocations of each model after the first."""
        return min(_MOST_WARM_UPS, int(WARM_UP_SECONDS / (2 * self.invoke)))

    @property
    def quads(self) -> int:
        """The least number of quads (two invocations of each model) in an epoch."""
        return 1 if self.invoke > LONG_INVOCATION else 3

    @property
    def epoch(self) -> float:
        """Estimated time of one epoch."""
        timed = max(EPOCH_SECONDS, 4 * self.quads * self.invoke)
        return self.create + 2 * self.warm_ups * self.invoke + timed


def measure_pace(pair: TimedPair, clock: Clocks) -> Pace:
    """Estimate the pace from the creation of a pair and a few invocations.

    By the deciding clock, as the budget: on a busy machine the wall clock would say that nothing
    fits into it. Of two creations the shorter one counts: the first may take 15 times as long as
    every later one (0.27 and 0.02 s for a graph of 2,012 operators), so that a busy machine seemed
    to have no time for eight epochs.
    """
    times = []
    for _ in range(2):
        start = clock.deciding()
        candidate, reference = pair.candidate(), pair.reference()
        candidate()
        reference()
        times.append((clock.deciding() - start) / 1e9)
    return Pace(
        create=min(times),
        candidate=fastest_invocation(candidate, clock.deciding),
        reference=fastest_invocation(reference, clock.deciding),
    )


def fastest_invocation(invoke: Invoke, wall: Clock, seconds: float = _PACE_SECONDS) -> float:
    """Return the seconds of the fastest invocation within `seconds`, of one at least."""
    begin = wall()
    fastest = math.inf
    while True:
        start = wall()
        invoke()
        end = wall()
        fastest = min(fastest, (end - start) / 1e9)
        if end - begin >= seconds * 1e9:
            return fastest


@contextmanager
def garbage_collection_off() -> Iterator[None]:
    """Disable the garbage collector, and enable it again if it was enabled.

    A collection takes milliseconds, as long as many invocations, and would fall on either file.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_QUICK_SECONDS = 0.015
"""Seconds to time each artifact for, in all, so that a small one has seven turns: enough to rank
recipes in a table, at a noise of a few per cent. Every artifact in the table costs it, so longer
would slow runs for a number that no verdict reads."""
_QUICK_ROUNDS = 3
"""The fewest rounds, so that a slow artifact has a median too."""


def quick_times(artifacts: Mapping[str, Artifact]) -> dict[str, float]:
    """Estimate the seconds of one invocation of each artifact: one sample, one thread.

    Each artifact has a turn in each round; the result is the median of the fastest invocation in
    each turn. For a table that ranks recipes on this machine, never for a verdict: the noise is a
    few per cent. Raises ArtifactError if LiteRT refuses an artifact, MeasurementError for an empty
    evaluation split.
    """
    invokes = {
        name: invoke_factory(
            artifact.tflite, one_sample(artifact), artifact.name, artifact.signature
        )()
        for name, artifact in artifacts.items()
    }
    turns: dict[str, list[float]] = {name: [] for name in invokes}
    start, rounds = time.perf_counter(), 0
    with garbage_collection_off():
        while rounds < _QUICK_ROUNDS or time.perf_counter() - start < _QUICK_SECONDS * len(invokes):
            rounds += 1
            for name, invoke in invokes.items():
                turns[name].append(fastest_invocation(invoke, time.perf_counter_ns))
    return {name: median(times) for name, times in turns.items()}
