"""Time files by a device's own clock, on a runtime of the project's own that reports it.

An epoch loads each file anew and runs it a few times. The rule of `paired_test` decides: against
another file, or against a limit in seconds, which then stands in the place of the other file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import count

import numpy as np

from litegate.core.errors import ConfigError
from litegate.core.units import Quantity, Unit, text
from litegate.measures.latency.confirmation import (
    ConfirmedDecision,
    LatencyContest,
    Timer,
    time_and_confirm,
)
from litegate.measures.latency.interleaved_epochs import Epoch
from litegate.measures.latency.paired_test import Decision, Terms, decide
from litegate.measures.latency.timing import one_sample
from litegate.measures.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Repeats,
    Rule,
    Ruling,
)
from litegate.measures.names import Name
from litegate.runtimes.child_runtime import ChildRuntime
from litegate.runtimes.litert import Ready
from litegate.spec import Artifact

CLOCK = "device's own time"
_INVOCATIONS = 8
"""Invocations in an epoch: their median ignores a first one with cold caches and an interrupted
one, and they are few beside loading the file over a serial line."""
_EPOCHS = 32
"""The most epochs: 8 decide a PASS and 11 a FAIL if they agree, as cycle counters do. Three times
as many decide a limit within a noisy phone's spread; twice the time would make it 1.4 times
narrower."""
_BUDGET = 3600.0
"""Seconds that all epochs may take: 32 loads of two files of 300 kB over a line of 115,200 baud
take half an hour."""


def device_timer(runtime: str) -> Timer:
    """Return a timer of contests on a runtime; each of its calls starts the program anew."""
    return partial(_time, runtime, None)


def _time(runtime: str, seconds: float | None, contest: LatencyContest) -> Decision:
    """Time the candidate against the reference, or against `seconds` instead."""
    started = time.perf_counter()
    with closing(
        ChildRuntime(
            contest.candidate,
            runtime,
            subject="the candidate",
            signature=contest.signatures[0],
        )
    ) as device:
        terms = Terms(
            limit=contest.limit,
            budget=contest.budget or _BUDGET,
            most_epochs=_EPOCHS,
            floor=contest.floor,
            models=contest.models,
        )
        return decide(_epochs(device, contest, seconds, started), terms, CLOCK)


def _epochs(
    device: ChildRuntime, contest: LatencyContest, seconds: float | None, started: float
) -> Iterator[Epoch]:
    files = {"candidate": contest.candidate, "reference": contest.reference}
    signatures = dict(zip(files, contest.signatures, strict=True))
    for number in count():
        times = {} if seconds is None else {"reference": seconds}
        # First one, then the other: a device that warms up slows down both.
        for role in sorted(files, reverse=bool(number % 2)):
            if role not in times:
                device.load(files[role], signatures[role])
                times[role] = _median_seconds(device, contest)
        yield Epoch(
            **times,
            candidate_wall=times["candidate"],
            reference_wall=times["reference"],
            elapsed=time.perf_counter() - started,
        )


def _median_seconds(device: ChildRuntime, contest: LatencyContest) -> float:
    sample = device.ready(contest.sample)
    repeated: Ready = {
        name: np.repeat(values, _INVOCATIONS, axis=0) for name, values in sample.items()
    }
    return float(np.median(device.seconds(repeated)))


def device_latency(artifact: Artifact, limit: Quantity | None) -> Measurement:
    """Measure the median time of one invocation by the clock of the artifact's runtime.

    Decided for exactly `limit`, in seconds, with a FAIL confirmed by a program that is started
    anew; with None only reported. Raises ArtifactError if the runtime reports no times, and as
    `ChildRuntime`.
    """
    seconds = float(limit.value) if limit else 1.0  # any unit will do if nothing is decided
    contest = LatencyContest(
        candidate=artifact.ran_bytes,
        reference=b"",
        sample=one_sample(artifact),
        limit=1.0 if limit else None,
        signatures=(artifact.signature, ""),
    )
    timer = partial(_time, artifact.runtime, seconds)
    result = time_and_confirm(contest, here=timer, elsewhere=timer)
    last = result.last
    low, high = (seconds * (it or last.ratio) for it in (last.low, last.high))
    return Measurement(
        name=Name.LATENCY,
        subject=artifact.name,
        value=last.candidate,
        unit=Unit.SECONDS,
        n=last.epochs,
        interval=Interval(low=low, high=high, method=last.method) if last.method else None,
        evidence=_evidence(result),
        rule=_rule(limit, result),
        artifacts=(artifact.sha256,),
        repeats=Repeats(low=low, high=high),
    )


def _evidence(result: ConfirmedDecision) -> tuple[str, ...]:
    last = result.last
    counts = (f"{last.over} above and {last.under} below the limit",) if last.outcome else ()
    again = ("timed again after a second start of the program",) if result.confirmation else ()
    elapsed = text(last.elapsed, Unit.SECONDS)
    return (f"{last.epochs} fresh loads in {elapsed}", *counts, *again, f"the {CLOCK}")


def _rule(limit: Quantity | None, result: ConfirmedDecision) -> Rule:
    def rule(_: Measurement, relation: Relation, requested: Quantity) -> Ruling:
        is_decided = relation is Relation.AT_MOST and requested == limit
        if result.outcome is None or not is_decided:
            raise ConfigError(
                f"the {Name.LATENCY} was measured for another limit than {relation} {requested}",
                expected=f"<= {limit}" if limit else "a limit passed to latency",
                remedy="pass the same limit to latency",
            )
        return Ruling(outcome=result.outcome, note=_note(result))

    return rule


def _note(result: ConfirmedDecision) -> str:
    if result.outcome is not Outcome.INCONCLUSIVE:
        return ""
    if result.confirmation:
        return "slower than allowed at first, and a second start of the program did not confirm it"
    return f"undecided after {text(result.last.elapsed, Unit.SECONDS)}"
