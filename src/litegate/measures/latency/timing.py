"""A glance at the time of several artifacts: for a table, never for a verdict."""

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
from litegate.spec import Artifact, Samples

_SHARE = 0.05
"""Seconds that each artifact is timed for in all; a slow one is timed thrice at least."""
_ROUNDS = 3


def glance(artifacts: Mapping[str, Artifact]) -> dict[str, float]:
    """Seconds of one invocation, one sample, one thread, of each artifact.

    The median, over rounds in which each has its turn, of the quickest invocation in a turn. It
    ranks recipes side by side on this machine; noise of some per cent stays in it. ArtifactError
    where LiteRT refuses an artifact, MeasurementError for an empty evaluation split.
    """
    invokes = {
        name: fresh(one.tflite, one_sample(one), one.name, one.signature)()
        for name, one in artifacts.items()
    }
    turns: dict[str, list[float]] = {name: [] for name in invokes}
    begun, rounds = time.perf_counter(), 0
    with no_collection():
        while rounds < _ROUNDS or time.perf_counter() - begun < _SHARE * len(invokes):
            rounds += 1
            for name, invoke in invokes.items():
                turns[name].append(quickest(invoke, time.perf_counter_ns))
    return {name: median(found) for name, found in turns.items()}


EPOCH = 0.015
"""Seconds of timed invocations in an epoch, at least."""
WARM_UP = 0.0015
"""Seconds that both models are invoked before their epoch is timed."""
LONG = 0.060
"""An invocation of more seconds than this is timed in one quad an epoch, not three."""
_MOST_WARM_UPS = 19
_TRIAL = 0.002

Invoke = Callable[[], object]
"""Runs one interpreter once on the input that it holds."""
Fresh = Callable[[], Invoke]
"""Creates an interpreter, allocated and fed, and gives its `invoke`."""
Clock = Callable[[], int]
"""Gives nanoseconds."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The clock that decides, its name, and the wall clock beside it."""

    name: str = "thread CPU clock"
    deciding: Clock = time.thread_time_ns
    wall: Clock = time.perf_counter_ns


def clocks() -> Clocks:
    """The thread's CPU clock; the wall clock where the thread's is too coarse to time with."""
    if time.get_clock_info("thread_time").implementation.startswith("clock_gettime"):
        return Clocks()
    return Clocks(name="wall clock", deciding=time.perf_counter_ns)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two models to be timed against each other."""

    candidate: Fresh
    reference: Fresh


def one_sample(artifact: Artifact) -> Samples:
    """The first sample of the evaluation split, real-valued, shape (1, ...), of every input."""
    sample: Samples = artifact.evaluation.x[:1]
    if not len(sample):
        raise MeasurementError(
            f"there is no sample to time {artifact.name} on",
            expected="at least one in the evaluation split",
        )
    return sample


def fresh(tflite: bytes, sample: Samples, subject: str, signature: str = "") -> Fresh:
    """A way to create interpreters of `tflite`, one thread, fed the real-valued `sample` (1, ...).

    The bytes are copied for each, since some kernels read their weights from the file's own memory.
    A signature of another graph than the first is timed with the handing over of its inputs and
    outputs: LiteRT runs it by one call.
    """

    def create() -> Invoke:
        runner = Runner(bytes(memoryview(tflite)), subject=subject, signature=signature)
        runner.take(sample)
        return runner.invoke

    return create


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one pair costs, in seconds, as a short trial found."""

    create: float
    """Creating both interpreters and invoking each once."""
    candidate: float
    """One invocation, wall clock."""
    reference: float

    @property
    def invoke(self) -> float:
        """One invocation, the mean of both models."""
        return (self.candidate + self.reference) / 2

    @property
    def warm_ups(self) -> int:
        """Invocations of both, after the first, that are not timed."""
        return min(_MOST_WARM_UPS, int(WARM_UP / (2 * self.invoke)))

    @property
    def quads(self) -> int:
        """Quads (two invocations of each model) in an epoch, at least."""
        return 1 if self.invoke > LONG else 3

    @property
    def epoch(self) -> float:
        """One epoch, about."""
        timed = max(EPOCH, 4 * self.quads * self.invoke)
        return self.create + 2 * self.warm_ups * self.invoke + timed


def pace(pair: Pair, clock: Clocks) -> Pace:
    """Time the creation of one pair and a few invocations, wall clock."""
    start = clock.wall()
    candidate, reference = pair.candidate(), pair.reference()
    candidate()
    reference()
    created = (clock.wall() - start) / 1e9
    return Pace(
        create=created,
        candidate=quickest(candidate, clock.wall),
        reference=quickest(reference, clock.wall),
    )


def quickest(invoke: Invoke, wall: Clock, seconds: float = _TRIAL) -> float:
    """The shortest of as many invocations as fill `seconds`, one at least."""
    begun = wall()
    best = math.inf
    while True:
        start = wall()
        invoke()
        end = wall()
        best = min(best, (end - start) / 1e9)
        if end - begun >= seconds * 1e9:
            return best


@contextmanager
def no_collection() -> Iterator[None]:
    """Switch the garbage collector off, and back on if it was on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
