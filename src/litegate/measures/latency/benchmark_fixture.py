"""What litegate uses of pytest-benchmark's `benchmark` fixture, without importing it."""

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

_WALL_CLOCKS = (time.perf_counter, time.monotonic, time.time)
_WORKER = "PYTEST_XDIST_WORKER"


class Samples(Protocol):
    """The recorded rounds."""

    data: list[float]
    """Seconds of each round, in their order."""


class Recorded(Protocol):
    """The statistics that the fixture holds after it was used."""

    @property
    def stats(self) -> Samples:
        """The rounds."""

    @property
    def options(self) -> Mapping[str, Any]:
        """How they were recorded; `timer` is the clock."""


class Benchmark(Protocol):
    """The `benchmark` fixture of pytest-benchmark 5."""

    disabled: bool
    """Whether it runs the target once and records nothing."""
    extra_info: dict[str, Any]
    """What its JSON carries beside the statistics."""

    @property
    def stats(self) -> Recorded | None:
        """None until the fixture was used, and for ever where it is disabled."""

    def pedantic(
        self, target: Callable[..., object], *, setup: Callable[[], object], rounds: int
    ) -> object:
        """Time `target` so many rounds, each with the arguments that `setup` returns."""


class Omission(StrEnum):
    """Why pytest-benchmark measures nothing in this run."""

    DISABLED = "--benchmark-disable was given"
    SKIPPED = "--benchmark-skip was given"
    XDIST = "pytest-benchmark switches itself off under pytest-xdist"

    @property
    def asked(self) -> bool:
        """Whether the person who started the run asked for it."""
        return self is not Omission.XDIST


def omission(option: Callable[[str], Any], environment: Mapping[str, str]) -> Omission | None:
    """Why latency is not measured in this run, or None where it is.

    `option` gives a command-line option by its name, None for one that no plugin declared, as
    `functools.partial(config.getoption, default=None)` does.
    """
    if option("benchmark_skip") and not option("benchmark_only"):
        return Omission.SKIPPED
    if option("benchmark_disable") and not option("benchmark_enable"):
        return Omission.DISABLED
    spread = option("dist") not in (None, "no")
    return Omission.XDIST if spread or environment.get(_WORKER) else None


def require_enabled(benchmark: Benchmark, subject: str) -> None:
    """Raise MeasurementError where the fixture would record nothing."""
    if not benchmark.disabled:
        return
    under_xdist = bool(os.environ.get(_WORKER))
    raise MeasurementError(
        f"latency of {subject} was NOT measured",
        expected="pytest-benchmark's fixture, switched on",
        got=str(Omission.XDIST) if under_xdist else "it is switched off in this run",
        remedy="run the latency checks by themselves, without -n and --benchmark-disable",
    )


def recorded_seconds(benchmark: Benchmark, subject: str) -> Floats:
    """The fixture's own samples in seconds, shape (rounds,), all positive and finite.

    Raises MeasurementError where there is none, where one is no time, and for a clock that is not
    the wall's.
    """
    if benchmark.stats is None or not benchmark.stats.stats.data:
        raise MeasurementError(
            f"latency of {subject} was NOT measured: pytest-benchmark recorded no sample",
            remedy="run the latency checks by themselves, without -n and --benchmark-disable",
        )
    timer = benchmark.stats.options["timer"]
    if timer not in _WALL_CLOCKS:
        raise MeasurementError(
            f"latency of {subject} was not measured by the wall clock",
            expected="time.perf_counter",
            got=getattr(timer, "__qualname__", repr(timer)),
            remedy="leave --benchmark-timer out",
        )
    seconds = np.array(benchmark.stats.stats.data, dtype=np.float64)
    wrong = seconds[~((seconds > 0) & (seconds < math.inf))]
    if len(wrong):
        raise MeasurementError(
            f"{len(wrong)} of {len(seconds)} latency samples of {subject} are no times",
            got=f"{wrong[0]} s",
        )
    return seconds
