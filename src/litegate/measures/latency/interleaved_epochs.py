"""Record epochs: interleaved invocations of one freshly created pair of interpreters.

Two interpreters of the same file differ by about 1 % for as long as they live, because of memory
placement, while the sampling error within a pair is 0.1 %. More invocations of one pair do not
help, so each epoch creates both interpreters anew, and an epoch is one observation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.measures.latency.timing import EPOCH_SECONDS, Clock, Clocks, Invoke, Pace, TimedPair

_MOST_PADS = 6
"""Allocations of random size that are kept, so that the next interpreters get other addresses.

Of 64 bytes (a cache line) to 64 KiB (sixteen pages): without them the allocator hands out the same
addresses again. The experiments kept up to six, and more only take memory."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The median invocation times of one pair of interpreters, in seconds."""

    candidate: float
    """Of the candidate, by the deciding clock."""
    reference: float
    candidate_wall: float
    reference_wall: float
    elapsed: float
    """Seconds from the start of the measurement to the end of this epoch, by the deciding clock."""

    @property
    def log_ratio(self) -> float:
        """Logarithm of the ratio of candidate to reference, by the deciding clock."""
        return _log_ratio(self.candidate, self.reference)

    @property
    def wall_log_ratio(self) -> float:
        """Logarithm of the ratio of candidate to reference, by the wall clock."""
        return _log_ratio(self.candidate_wall, self.reference_wall)


def _log_ratio(candidate: float, reference: float) -> float:
    if not (0 < candidate < math.inf and 0 < reference < math.inf):
        raise MeasurementError(
            "an epoch's median time is not a positive number",
            got=f"candidate {candidate} s, reference {reference} s",
            remedy="the clock may be too coarse for this model: measure it on another machine",
        )
    return math.log(candidate / reference)


def record_epochs(
    pair: TimedPair, cost: Pace, clock: Clocks, rng: np.random.Generator, started: int
) -> Iterator[Epoch]:
    """Record epochs endlessly; `started` is the deciding clock at the start of the measurement."""
    pads: list[bytearray] = []
    while True:
        _shuffle_memory(pads, rng)
        medians = _record_epoch(pair, cost, clock, rng)
        elapsed = (clock.deciding() - started) / 1e9
        yield Epoch(
            candidate=medians[0, 0],
            reference=medians[1, 0],
            candidate_wall=medians[0, 1],
            reference_wall=medians[1, 1],
            elapsed=elapsed,
        )


def _shuffle_memory(pads: list[bytearray], rng: np.random.Generator) -> None:
    """Allocate memory of random size, so that the next interpreters get other addresses."""
    if len(pads) == _MOST_PADS:
        pads.pop(int(rng.integers(_MOST_PADS)))
    pads.append(bytearray(int(rng.integers(64, 64 * 1024, endpoint=True))))


def _record_epoch(
    pair: TimedPair, cost: Pace, clock: Clocks, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return an epoch's medians in seconds: rows candidate, reference; columns deciding, wall."""
    candidate, reference = _create_pair(pair, rng)
    candidate()
    reference()
    for _ in range(cost.warm_ups):
        candidate()
        reference()
    # ABBA, BAAB, ...: drift of the machine cancels within a quad and between quads. Who begins is
    # drawn, so that no file is always the first of an epoch.
    outer, inner = (candidate, reference) if rng.integers(2) else (reference, candidate)
    candidate_outside = [outer is candidate]
    stamps = [_time_quad(outer, inner, clock.deciding, clock.wall)]
    end = stamps[0][1] + EPOCH_SECONDS * 1e9
    while len(stamps) < cost.quads or clock.wall() < end:
        outer, inner = inner, outer
        candidate_outside.append(outer is candidate)
        stamps.append(_time_quad(outer, inner, clock.deciding, clock.wall))
    return _medians(np.array(stamps), np.array(candidate_outside))


def _create_pair(pair: TimedPair, rng: np.random.Generator) -> tuple[Invoke, Invoke]:
    # In random order, as the interpreter that is created first gets other memory.
    if rng.integers(2):
        candidate = pair.candidate()
        return candidate, pair.reference()
    reference = pair.reference()
    return pair.candidate(), reference


def _time_quad(outer: Invoke, inner: Invoke, cpu: Clock, wall: Clock) -> tuple[int, ...]:
    """Time outer, inner, inner, outer; return stamps of both clocks around each invocation."""
    # Nothing but reading the clocks happens between the stamps.
    c0, w0 = cpu(), wall()
    outer()
    c1, w1 = cpu(), wall()
    inner()
    c2, w2 = cpu(), wall()
    inner()
    c3, w3 = cpu(), wall()
    outer()
    c4, w4 = cpu(), wall()
    return c0, w0, c1, w1, c2, w2, c3, w3, c4, w4


def _medians(
    stamps: NDArray[np.int64], candidate_outside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    times = np.diff(stamps.reshape(-1, 5, 2), axis=1) / 1e9
    outer, inner = times[:, [0, 3]], times[:, [1, 2]]
    outside = candidate_outside[:, None, None]
    by_model = (np.where(outside, outer, inner), np.where(outside, inner, outer))
    return np.array([np.median(model_times.reshape(-1, 2), axis=0) for model_times in by_model])
