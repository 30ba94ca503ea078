"""Latency: against a budget (`latency`), and against another artifact as a ratio.

The ratio is decided by the fresh-pair rule of `pairs`.
"""

from __future__ import annotations

import math
from fractions import Fraction

from litegate.core.errors import ConfigError
from litegate.core.units import Number, Quantity, Unit, text
from litegate.measures.latency.budget import latency
from litegate.measures.latency.confirmation import (
    Contest,
    Result,
    Trial,
    confirmed,
    fresh_process,
    trial,
)
from litegate.measures.latency.paired_test import MIN_EPOCHS, Decision
from litegate.measures.latency.timing import one_sample
from litegate.measures.measurement import Interval, Measurement, Outcome, Relation, Rule, Ruling
from litegate.spec import Artifact

__all__ = ["DEFAULT_LIMIT", "LEAST_LIMIT", "latency", "latency_ratio"]

DEFAULT_LIMIT = 1.025
"""Against the base's artifact, where the user names no limit."""
LEAST_LIMIT = 1.01
"""The lowest limit from 1 up that can be kept: what is left of placement stays below it."""
_NEVER = 3600.0
_NAME = "latency ratio"


def latency_ratio(
    candidate: Artifact,
    reference: Artifact,
    limit: Number | None,
    *,
    models: int = 1,
    budget: float | None = None,
    here: Trial = trial,
    elsewhere: Trial = fresh_process,
) -> Measurement:
    """How long one invocation of `candidate` takes, as a multiple of one of `reference`.

    Both run now, interleaved, one thread, on the first sample of the candidate's evaluation split.
    The measurement is decided for exactly `limit`, a ratio such as 1.025, and refuses to be held to
    another; with None it is only reported. `models` gated in one run share the chance of a false
    fail. `budget` is in seconds; None takes 3 s, or 10 s where an invocation takes over 2 ms.

    Raises ConfigError for a limit that cannot be kept honestly, ArtifactError where LiteRT refuses
    an artifact, MeasurementError for an empty evaluation split or a repetition without a decision.
    """
    contest = Contest(
        candidate=candidate.tflite,
        reference=reference.tflite,
        sample=one_sample(candidate),
        signatures=(candidate.signature, reference.signature),
        limit=_checked(limit),
        models=models,
        budget=budget,
    )
    result = confirmed(contest, here=here, elsewhere=elsewhere)
    last = result.last
    return Measurement(
        name=_NAME,
        subject=candidate.name,
        value=last.ratio,
        unit=Unit.RATIO,
        n=last.epochs,
        interval=_interval(last),
        evidence=_evidence(result, reference.name),
        rule=_decided(contest.limit, result),
        artifacts=(candidate.sha256, reference.sha256),
        series={"candidate": last.candidates, "reference": last.references},
    )


def _checked(limit: Number | None) -> float | None:
    if limit is None:
        return None
    plain = isinstance(limit, int | float | Fraction) and not isinstance(limit, bool)
    if not plain or not math.isfinite(limit) or limit <= 0 or 1 <= limit < LEAST_LIMIT:
        raise ConfigError(
            f"the limit of the {_NAME} cannot be kept honestly",
            expected=f"a plain ratio of at least {LEAST_LIMIT}, or one below 1 for a speed-up",
            got=repr(limit),
            remedy=f"{DEFAULT_LIMIT} finds a slowdown of 5 % and does not fail identical models",
        )
    return float(limit)


def _decided(limit: float | None, result: Result) -> Rule:
    """A rule that gives what was decided, to the question that was decided and to no other."""

    def rule(_: Measurement, relation: Relation, asked: Quantity) -> Ruling:
        same = relation is Relation.AT_MOST and float(asked.value) == limit
        if result.outcome is None or not same:
            raise ConfigError(
                f"the {_NAME} was not timed to be held to {relation} {asked}",
                expected=f"<= {limit}" if limit else "a limit given to latency_ratio",
                remedy="give latency_ratio the limit that it is compared with",
            )
        return Ruling(outcome=result.outcome, note=_note(result))

    return rule


def _note(result: Result) -> str:
    first, again = result.first, result.again
    if first.outcome is Outcome.FAIL and again:
        if again.outcome is Outcome.FAIL:
            return "slower than allowed here and again in a fresh process"
        return "slower than allowed here, and a fresh process did not confirm it"
    return _undecided(first) if first.outcome is Outcome.INCONCLUSIVE else ""


def _undecided(decision: Decision) -> str:
    spent = text(decision.budget, Unit.SECONDS)
    if decision.needs > _NEVER:
        return f"undecided after {spent}, nor in an hour: the ratio is at the limit"
    needs = f"needs about {math.ceil(decision.needs)} s"
    if decision.stage == "up front":
        return f"not timed: {needs} for {MIN_EPOCHS} fresh pairs, more than the {spent} it may take"
    return f"undecided after {spent}; {needs}"


def _interval(decision: Decision) -> Interval | None:
    if decision.low is None or decision.high is None:
        return None
    return Interval(low=decision.low, high=decision.high, method=decision.method)


def _evidence(result: Result, reference: str) -> tuple[str, ...]:
    last = result.last
    facts = [f"against {reference}", _pairs(last)]
    if result.outcome and last.epochs:
        facts.append(f"{last.over} above and {last.under} below the limit")
    facts.append(f"{last.clock} {text(last.ratio, Unit.RATIO)}")
    facts.append(f"wall clock {text(last.wall_ratio, Unit.RATIO)}")
    times = (text(each, Unit.SECONDS) for each in (last.candidate, last.reference))
    facts.append("{} against {}, one thread".format(*times))
    if result.again:
        first = result.first
        facts.append(f"first process {text(first.ratio, Unit.RATIO)} in {first.epochs} fresh pairs")
    return tuple(facts)


def _pairs(decision: Decision) -> str:
    if not decision.epochs:
        return "a few invocations of one pair"
    word = f"decided {decision.stage}" if decision.outcome else "reported only"
    return f"{decision.epochs} fresh pairs in {text(decision.elapsed, Unit.SECONDS)}, {word}"
