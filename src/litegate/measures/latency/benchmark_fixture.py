"""Read pytest-benchmark's `benchmark` fixture without importing pytest-benchmark."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from litegate.core.errors import MeasurementError
from litegate.measures.statistics.sequential import Floats

# A budget is one of the wall clock; processor time would leave waiting out.
_WALL_CLOCKS = (time.perf_counter, time.monotonic, time.time)
_WORKER = "PYTEST_XDIST_WORKER"


class RecordedRounds(Protocol):
    """The recorded rounds."""

    data: list[float]
    """Seconds of each round, in their order."""


class Recording(Protocol):
    """The fixture's statistics after it was used."""

    @property
    def stats(self) -> RecordedRounds:
        """The rounds."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the recording; `timer` is the clock."""


class Benchmark(Protocol):
    """The `benchmark` fixture of pytest-benchmark 5."""

    disabled: bool
    """The fixture runs the target once and records nothing."""
    extra_info: dict[str, Any]
    """Additional data for pytest-benchmark's JSON."""

    @property
    def stats(self) -> Recording | None:
        """The recording; None until the fixture was used, and always if it is disabled."""

    def pedantic(
        self, target: Callable[..., object], *, setup: Callable[[], object], rounds: int
    ) -> object:
        """Time `rounds` calls of `target`, each with the arguments that `setup` returns."""


class Omission(StrEnum):
    """The reason why pytest-benchmark measures nothing in this run."""

    DISABLED = "--benchmark-disable was given"
    SKIPPED = "--benchmark-skip was given"
    XDIST = "pytest-benchmark switches itself off under pytest-xdist"

    @property
    def asked(self) -> bool:
        """Return True if the user requested it by an option."""
        return self is not Omission.XDIST


def omission(option: Callable[[str], Any], environment: Mapping[str, str]) -> Omission | None:
    """Return the reason why latency is not measured in this run, or None if it is.

    `option` returns a command-line option by name, None if no plugin declared it, as
    `functools.partial(config.getoption, default=None)` does.
    """
    if option("benchmark_skip") and not option("benchmark_only"):
        return Omission.SKIPPED
    if option("benchmark_disable") and not option("benchmark_enable"):
        return Omission.DISABLED
    is_distributed = option("dist") not in (None, "no")
    return Omission.XDIST if is_distributed or environment.get(_WORKER) else None


def require_enabled(benchmark: Benchmark, subject: str) -> None:
    """Raise MeasurementError if the fixture would record nothing."""
    if not benchmark.disabled:
        return
    under_xdist = bool(os.environ.get(_WORKER))
    raise MeasurementError(
        f"latency of {subject} was NOT measured",
        expected="pytest-benchmark's fixture, switched on",
        got=str(Omission.XDIST) if under_xdist else "it is switched off in this run",
        remedy="run the latency checks separately, without -n and --benchmark-disable",
    )


def recorded_seconds(benchmark: Benchmark, subject: str) -> Floats:
    """Return the fixture's samples in seconds, shape (rounds,), all positive and finite.

    Raises MeasurementError if there is no sample, for a sample that is not positive and finite, and
    for a timer that is not a wall clock.
    """
    if benchmark.stats is None or not benchmark.stats.stats.data:
        raise MeasurementError(
            f"latency of {subject} was NOT measured: pytest-benchmark recorded no sample",
            remedy="run the latency checks separately, without -n and --benchmark-disable",
        )
    timer = benchmark.stats.options["timer"]
    if timer not in _WALL_CLOCKS:
        raise MeasurementError(
            f"latency of {subject} was not measured by the wall clock",
            expected="time.perf_counter",
            got=getattr(timer, "__qualname__", repr(timer)),
            remedy="remove --benchmark-timer",
        )
    seconds = np.array(benchmark.stats.stats.data, dtype=np.float64)
    invalid = seconds[~((seconds > 0) & (seconds < math.inf))]
    if len(invalid):
        raise MeasurementError(
            f"{len(invalid)} of {len(seconds)} latency samples of {subject} are not valid times",
            got=f"{invalid[0]} s",
        )
    return seconds
