"""Measure latency: against a budget (`latency`), and against another artifact (`latency_ratio`).

The fresh-pair rule of `paired_test` decides the ratio. `real_time_factor` is the latency of a
frame of a sequence, against its period.
"""

from __future__ import annotations

import math
from fractions import Fraction

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Number, Quantity, Unit, text
from litegate.measures.latency.budget import latency
from litegate.measures.latency.confirmation import (
    ConfirmedDecision,
    LatencyContest,
    Timer,
    time_and_confirm,
    time_here,
    time_in_fresh_process,
)
from litegate.measures.latency.device import CLOCK as DEVICE_CLOCK
from litegate.measures.latency.device import device_timer
from litegate.measures.latency.paired_test import MIN_EPOCHS, Decision
from litegate.measures.latency.real_time import real_time_factor
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
from litegate.spec import Artifact
from litegate.spec.runtimes import XNNPACK

__all__ = ["DEFAULT_LIMIT", "LOWEST_LIMIT", "latency", "latency_ratio", "real_time_factor"]

DEFAULT_LIMIT = 1.025
"""The limit against the base's artifact, unless the user sets one. It finds a slowdown of 5 %
reliably, and does not fail identical models."""
LOWEST_LIMIT = 1.01
"""The lowest limit from 1 up that can be kept: the residual effect of memory placement and the
harness (at most 0.2 % in the experiment) stays below it."""
_HOPELESS_SECONDS = 3600.0
"""If a decision needs more than an hour, the note gives no time.

Nobody times a check for that long, and the estimate is poor when the ratio is so near the limit."""


def latency_ratio(  # noqa: PLR0913 keywords only
    candidate: Artifact,
    reference: Artifact,
    limit: Number | None,
    *,
    models: int = 1,
    budget: float | None = None,
    floor: float = 0.0,
    here: Timer = time_here,
    elsewhere: Timer = time_in_fresh_process,
) -> Measurement:
    """Measure the time of one invocation of `candidate` as a multiple of the reference's.

    Both run now, interleaved, with one thread, on the first sample of the candidate's evaluation
    split. The measurement is decided for exactly `limit`, a ratio such as 1.025, and raises if it
    is compared with another limit; with None it is only reported. The `models` gated in one run
    share the chance of a false fail. `budget` is in seconds; None means 3 s, or 10 s if an
    invocation takes more than 2 ms or eight pairs do not fit into 3 s. A growth of up to `floor`
    seconds is allowed, too. `here` and `elsewhere` time the contest and its confirmation; on
    another runtime than the default the device's own times decide, in at most 32 pairs.

    Raises ConfigError for a limit that cannot be kept reliably, ArtifactError if LiteRT refuses an
    artifact, MeasurementError for an empty evaluation split or a confirmation without a decision.
    """
    contest = LatencyContest(
        candidate=candidate.ran_bytes,
        reference=reference.ran_bytes,
        sample=one_sample(candidate),
        signatures=(candidate.signature, reference.signature),
        limit=_checked(limit),
        models=models,
        budget=budget,
        floor=floor,
    )
    if candidate.runtime != XNNPACK:
        _demand_same_runtime(candidate, reference)
        here = elsewhere = device_timer(candidate.runtime)
    result = time_and_confirm(contest, here=here, elsewhere=elsewhere)
    last = result.last
    return Measurement(
        name=Name.LATENCY_RATIO,
        subject=candidate.name,
        value=last.ratio,
        unit=Unit.RATIO,
        n=last.epochs,
        interval=_interval(last),
        evidence=_evidence(result, contest, reference.name),
        rule=_decision_rule(contest.limit, result),
        artifacts=(candidate.sha256, reference.sha256),
        series={"candidate": last.candidates, "reference": last.references},
        repeats=_repeats(result),
    )


def _demand_same_runtime(candidate: Artifact, reference: Artifact) -> None:
    if candidate.runtime != reference.runtime:
        raise MeasurementError(
            f"the {Name.LATENCY_RATIO} of {candidate.name} cannot be measured",
            expected=f"that {candidate.runtime} runs both files",
            got=f"{candidate.runtime} refuses {reference.name}",
            remedy=f"limit it in recipes that do not name {candidate.runtime}",
        )


def _checked(limit: Number | None) -> float | None:
    if limit is None:
        return None
    is_number = isinstance(limit, int | float | Fraction) and not isinstance(limit, bool)
    if not is_number or not math.isfinite(limit) or limit <= 0 or 1 <= limit < LOWEST_LIMIT:
        raise ConfigError(
            f"the limit of the {Name.LATENCY_RATIO} is too tight for this measurement",
            expected=f"a plain ratio of at least {LOWEST_LIMIT}, or one below 1 for a speed-up",
            got=repr(limit),
            remedy=f"{DEFAULT_LIMIT} detects a slowdown of 5 % and does not fail identical models",
        )
    return float(limit)


def _decision_rule(limit: float | None, result: ConfirmedDecision) -> Rule:
    """Return a rule that gives the decision for the limit that was timed, and raises for others."""

    def rule(_: Measurement, relation: Relation, requested: Quantity) -> Ruling:
        is_decided = relation is Relation.AT_MOST and float(requested.value) == limit
        if result.outcome is None or not is_decided:
            raise ConfigError(
                f"the {Name.LATENCY_RATIO} was measured for another limit than {relation} "
                f"{requested}",
                expected=f"<= {limit}" if limit else "a limit passed to latency_ratio",
                remedy="pass the same limit to latency_ratio",
            )
        return Ruling(outcome=result.outcome, note=_note(result))

    return rule


def _note(result: ConfirmedDecision) -> str:
    first, confirmation = result.first, result.confirmation
    if first.outcome is Outcome.FAIL and confirmation:
        if confirmation.outcome is Outcome.FAIL:
            return "slower than allowed here and again in a fresh process"
        return "slower than allowed here, and a fresh process did not confirm it"
    return _undecided(first) if first.outcome is Outcome.INCONCLUSIVE else ""


def _undecided(decision: Decision) -> str:
    # A device's epochs are counted: they end before the time that they may take.
    is_counted = decision.clock == DEVICE_CLOCK
    spent = text(decision.elapsed if is_counted else decision.budget, Unit.SECONDS)
    if decision.needs > _HOPELESS_SECONDS:
        return f"undecided after {spent}, nor in an hour: the ratio is at the limit"
    needs = f"needs about {math.ceil(decision.needs)} s"
    if decision.stage == "up front":
        return f"not timed: {needs} for {MIN_EPOCHS} fresh pairs, more than the {spent} it may take"
    return f"undecided after {spent}; {needs}"


def _interval(decision: Decision) -> Interval | None:
    if decision.low is None or decision.high is None:
        return None
    return Interval(low=decision.low, high=decision.high, method=decision.method)


def _repeats(result: ConfirmedDecision) -> Repeats:
    """Return the range of both processes' intervals: memory is placed anew in each.

    Without an interval, nothing is proven but that times are positive.
    """
    decisions = (result.first, result.confirmation or result.first)
    lows = [0.0 if it.low is None else it.low for it in decisions]
    highs = [it.ratio if it.high is None else it.high for it in decisions]
    return Repeats(low=min(lows), high=max(highs))


def _evidence(
    result: ConfirmedDecision, contest: LatencyContest, reference: str
) -> tuple[str, ...]:
    last = result.last
    facts = [f"against {reference}", _pair_text(last)]
    if result.outcome and last.epochs:
        facts.append(f"{last.over} above and {last.under} below {_limit_text(contest, last)}")
    facts.append(f"{last.clock} {text(last.ratio, Unit.RATIO)}")
    times = (text(seconds, Unit.SECONDS) for seconds in (last.candidate, last.reference))
    times_text = "{} against {}".format(*times)
    if last.clock == DEVICE_CLOCK:
        facts.append(times_text)
    else:
        facts.append(f"wall clock {text(last.wall_ratio, Unit.RATIO)}")
        facts.append(f"{times_text}, one thread")
    if result.confirmation:
        first = result.first
        facts.append(f"first process {text(first.ratio, Unit.RATIO)} in {first.epochs} fresh pairs")
    return tuple(facts)


def _limit_text(contest: LatencyContest, decision: Decision) -> str:
    """Name the growth that the pairs were compared with; of a small model the floor is wider."""
    growth = contest.floor / decision.reference
    if contest.limit is None or growth <= contest.limit - 1:
        return "the limit"
    allowed = text(contest.floor, Unit.SECONDS)
    return f"a growth of {text(growth, Unit.PERCENT)}, the {allowed} that latency_floor allows"


def _pair_text(decision: Decision) -> str:
    if not decision.epochs:
        return "a few invocations of one pair"
    word = f"decided {decision.stage}" if decision.outcome else "reported only"
    return f"{decision.epochs} fresh pairs in {text(decision.elapsed, Unit.SECONDS)}, {word}"
