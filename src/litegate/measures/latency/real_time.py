"""Measure the real-time factor: the time of a frame as a share of the frame's period."""

from __future__ import annotations

from dataclasses import replace

from litegate.core.errors import MeasurementError
from litegate.core.units import Number, Quantity, Unit
from litegate.measures.latency.benchmark_fixture import Benchmark
from litegate.measures.latency.budget import latency
from litegate.measures.measurement import Interval, Measurement, Relation, Repeats, Ruling
from litegate.measures.names import Name
from litegate.spec import Artifact


def real_time_factor(
    artifact: Artifact, benchmark: Benchmark, limit: Number | None = None
) -> Measurement:
    """Measure the median time of one frame, divided by the period of a frame; 1 barely keeps up.

    An invocation is a frame, and the state is carried from one to the next. `latency` measures and
    decides it: as a time within `limit` periods. Raises MeasurementError if the samples are no
    sequences of frames, and as `latency`.
    """
    frames = artifact.evaluation.sequences
    if frames is None:
        raise MeasurementError(
            f"{artifact.name} has no {Name.REAL_TIME_FACTOR}: its samples are not frames",
            expected="lg.Data(sequences=lg.Frames(period=lg.ms(20)))",
            remedy="limit its time in seconds: latency=lg.ms(10)",
        )
    period = frames.seconds
    time = latency(artifact, benchmark, None if limit is None else _seconds(limit, period))

    def rule(_: Measurement, relation: Relation, factor: Quantity) -> Ruling:
        return time.rule(time, relation, _seconds(factor.value, period))  # type: ignore[misc]

    return replace(
        time,
        name=Name.REAL_TIME_FACTOR,
        value=time.value / period,
        unit=Unit.RATIO,
        interval=time.interval and _interval(time.interval, period),
        rule=rule,
        repeats=time.repeats and _repeats(time.repeats, period),
    )


def _seconds(factor: Number, period: float) -> Quantity:
    return Quantity(float(factor) * period, Unit.SECONDS)


def _interval(seconds: Interval, period: float) -> Interval:
    return replace(seconds, low=seconds.low / period, high=seconds.high / period)


def _repeats(seconds: Repeats, period: float) -> Repeats:
    return Repeats(low=seconds.low / period, high=seconds.high / period)
