"""The fresh-pair rule: whether a candidate is slower than its limit allows, epoch by epoch.

The limit R is the largest ratio of the candidate's time to the reference's. At exactly R it is
undecided by design; between R and R squared the chance of a fail rises from half to certain.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np

from litegate.core.errors import MeasurementError
from litegate.measures.latency.epochs import Epoch
from litegate.measures.latency.timing import Pace
from litegate.measures.measurement import Outcome
from litegate.measures.statistics.sequential import (
    Floats,
    SignedRank,
    convinced,
    hodges_lehmann,
    sign_interval,
    signed_rank,
)

MIN_EPOCHS = 8
"""Fewer epochs decide nothing."""
ALPHA_FAIL = 0.01
"""Chance of a false FAIL in one process, shared among the models of a run."""
ALPHA_PASS = 0.05
"""Chance of a false PASS."""
QUICK, SLOW = 3.0, 10.0
"""Seconds of budget for a model of up to and of over SLOW_INVOKE seconds."""
SLOW_INVOKE = 0.002
REPORT = 1.0
"""Seconds spent where there is no limit to decide."""
MOST_KEPT = 80
"""Epochs whose times a report keeps."""
_POWER = 0.90
"""How surely the time that an undecided measurement asks for would decide it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the epochs are judged by."""

    limit: float | None
    """The largest ratio allowed; None reports the ratio and decides nothing."""
    budget: float
    """Seconds."""
    models: int = 1
    """How many models are gated in this run: they share ALPHA_FAIL."""

    @property
    def alpha_fail(self) -> float:
        """The chance of a false FAIL that this model may spend."""
        return ALPHA_FAIL / self.models


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the epochs say. Plain values, so that another process can hand it over as JSON."""

    outcome: Outcome | None
    """None where there was no limit."""
    stage: str
    """When it was decided: "early", "at the last look" or "up front"."""
    ratio: float
    """Candidate to reference, the median of the epochs."""
    low: float | None = None
    """The 95 % interval; None where there were too few epochs for one."""
    high: float | None = None
    method: str = ""
    """How the interval was computed."""
    wall_ratio: float
    candidate: float
    """Median seconds of one invocation."""
    reference: float
    epochs: int
    over: int = 0
    """Epochs above the limit."""
    under: int = 0
    elapsed: float
    budget: float
    needs: float = math.inf
    """Seconds that would probably decide what is undecided."""
    clock: str
    candidates: Sequence[float] = ()
    """Seconds of one invocation in each epoch, or in evenly chosen ones where there are many."""
    references: Sequence[float] = ()
    """The same epochs'."""


def budget_for(cost: Pace) -> float:
    """Seconds that models of this speed may take to be decided."""
    return SLOW if cost.invoke > SLOW_INVOKE else QUICK


def affordable(cost: Pace, budget: float) -> bool:
    """Whether enough epochs to decide anything fit into the budget."""
    return MIN_EPOCHS * cost.epoch <= budget


def unaffordable(cost: Pace, terms: Terms) -> Decision:
    """The decision before any epoch, with the ratio of a few invocations of one pair."""
    ratio = cost.candidate / cost.reference
    return Decision(
        outcome=None if terms.limit is None else Outcome.INCONCLUSIVE,
        stage="up front",
        ratio=ratio,
        wall_ratio=ratio,
        candidate=cost.candidate,
        reference=cost.reference,
        epochs=0,
        elapsed=0.0,
        budget=terms.budget,
        needs=MIN_EPOCHS * cost.epoch,
        clock="wall clock",
    )


def decide(epochs: Iterable[Epoch], terms: Terms, clock: str = "thread CPU clock") -> Decision:
    """Take epochs until the rule decides or the budget is spent.

    Raises MeasurementError where the epochs end before that, or for a time that is not a positive
    number.
    """
    seen: list[Epoch] = []
    for epoch in epochs:
        seen.append(epoch)
        outcome = _early([each.x for each in seen], terms)
        if outcome or _spent(seen, terms):
            return _concluded(seen, terms, outcome, clock)
    raise MeasurementError(
        "the epochs ended before the latency was decided",
        expected="a decision or a spent budget",
        got=f"{len(seen)} epochs",
    )


def _early(x: list[float], terms: Terms) -> Outcome | None:
    if terms.limit is None or len(x) < MIN_EPOCHS:
        return None
    over, under = _signs(x, terms.limit)
    if convinced(over, len(x), terms.alpha_fail):
        return Outcome.FAIL
    return Outcome.PASS if convinced(under, len(x), ALPHA_PASS) else None


def _signs(x: list[float], limit: float | None) -> tuple[int, int]:
    if limit is None:
        return 0, 0
    c = math.log(limit)
    return sum(each > c for each in x), sum(each < c for each in x)


def _spent(seen: list[Epoch], terms: Terms) -> bool:
    elapsed = seen[-1].elapsed
    reported = terms.limit is None and len(seen) >= MIN_EPOCHS and elapsed >= REPORT
    return reported or elapsed >= terms.budget


def _concluded(seen: list[Epoch], terms: Terms, early: Outcome | None, clock: str) -> Decision:
    x = np.array([each.x for each in seen])
    over, under = _signs(x.tolist(), terms.limit)
    outcome, needs = (early, math.inf) if early else _last_look(x, terms, seen[-1].elapsed)
    low, high, method = _interval(x, by_signs=early is not None)
    kept = [seen[number] for number in _evenly(len(seen), MOST_KEPT)]
    return Decision(
        outcome=outcome,
        stage="early" if early else "at the last look",
        ratio=math.exp(float(np.median(x))),
        low=low,
        high=high,
        method=method,
        wall_ratio=math.exp(float(np.median([each.wall for each in seen]))),
        candidate=float(np.median([each.candidate for each in seen])),
        reference=float(np.median([each.reference for each in seen])),
        epochs=len(seen),
        over=over,
        under=under,
        elapsed=seen[-1].elapsed,
        budget=terms.budget,
        needs=needs,
        clock=clock,
        candidates=[_short(each.candidate) for each in kept],
        references=[_short(each.reference) for each in kept],
    )


def _short(seconds: float) -> float:
    """To four digits: the series is there to be looked at."""
    return float(f"{seconds:.4g}")


def _evenly(count: int, most: int) -> list[int]:
    """At most so many of the first `count` numbers, evenly."""
    spread = np.linspace(0, count - 1, min(count, most))
    return [int(number) for number in spread.round()]


def _last_look(x: Floats, terms: Terms, elapsed: float) -> tuple[Outcome | None, float]:
    """The outcome by Wilcoxon's signed ranks, and the seconds that an undecided one needs."""
    if terms.limit is None:
        return None, math.inf
    if len(x) < MIN_EPOCHS:
        return Outcome.INCONCLUSIVE, elapsed * MIN_EPOCHS / len(x)
    ranks = signed_rank(x - math.log(terms.limit))
    if ranks.greater < terms.alpha_fail / 2:
        return Outcome.FAIL, math.inf
    if ranks.less < ALPHA_PASS / 2:
        return Outcome.PASS, math.inf
    return Outcome.INCONCLUSIVE, _needed(ranks, terms, elapsed)


def _needed(ranks: SignedRank, terms: Terms, elapsed: float) -> float:
    """Seconds until the rank sum, which grows with the root of time, would probably decide."""
    if not ranks.z:
        return math.inf
    alpha = terms.alpha_fail if ranks.z > 0 else ALPHA_PASS
    normal = NormalDist()
    wanted = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(_POWER)
    return elapsed * (wanted / ranks.z) ** 2


def _interval(x: Floats, *, by_signs: bool) -> tuple[float | None, float | None, str]:
    """The 95 % interval of the ratio, and how it was computed."""
    if len(x) < MIN_EPOCHS:
        return None, None, ""
    if by_signs:
        low, high = sign_interval(x)
        return math.exp(low), math.exp(high), "signs, valid at any stopping time"
    centre = hodges_lehmann(x)
    method = f"signed ranks around the Hodges-Lehmann estimate {math.exp(centre.value):.3f}"
    return math.exp(centre.low), math.exp(centre.high), method
