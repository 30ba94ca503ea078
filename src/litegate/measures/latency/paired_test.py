"""Decide by the fresh-pair rule if a candidate is slower than its limit allows.

The limit R is the largest allowed ratio of the candidate's time to the reference's. A true ratio of
exactly R is undecided by design; between R and R squared the chance of a FAIL rises from half to
certain. The sign test may stop after any epoch and holds for any noise. If it has not decided when
the budget is spent, Wilcoxon's signed-rank test takes a last look. Each of the two tests may spend
half of the error chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np

from litegate.core.errors import MeasurementError
from litegate.measures.latency.interleaved_epochs import Epoch
from litegate.measures.latency.timing import Pace
from litegate.measures.measurement import Outcome
from litegate.measures.statistics.sequential import (
    Floats,
    SignedRank,
    hodges_lehmann,
    sign_interval,
    signed_rank,
    signs_decide,
)

MIN_EPOCHS = 8
"""The least number of epochs that decide: eight unanimous signs are a PASS, seven are not yet
evidence enough for ALPHA_PASS. A FAIL takes eleven."""
ALPHA_FAIL = 0.01
"""Chance of a false FAIL in one process, shared by the models of a run; a confirmation in a second
process lowers it to about its square. At 0.1 % a FAIL would take 14 unanimous epochs instead of 11.
"""
ALPHA_PASS = 0.05
"""Chance of a false PASS: larger than that of a false FAIL, because a false alarm stops a change
that is right. At 1 % a PASS would take eleven unanimous epochs instead of eight, hence a third more
time."""
FAST_BUDGET, SLOW_BUDGET = 3.0, 10.0
"""Budgets in seconds for models of at most and of more than SLOW_INVOCATION: a model of 5 to 10 ms
finds a slowdown of 5 % half of the time in 3 s, and in 11 of 12 cases in 10 s."""
SLOW_INVOCATION = 0.002
"""Seconds of one invocation above which a model gets SLOW_BUDGET: between the models measured.

Those below 1 ms decide in 0.2 to 0.5 s, and within FAST_BUDGET. Neighbours on the machine pre-empt
nearly every invocation of 5 to 10 ms, so that an epoch says less and more epochs are needed.

A lower value gives fast models time that they seldom use, a higher one leaves more models of a few
milliseconds inconclusive."""
REPORT_SECONDS = 1.0
"""Seconds to measure if there is no limit to decide: the SD of the ratio is 0.16 % after one, for
small models; a number that fails nobody needs no more."""
MOST_REPORTED = 80
"""The most epochs whose times a report keeps, for its chart: a dot each is all that its width can
show, and all of 3 s (165) would double the row's bytes."""
_POWER = 0.90
"""The chance that the time which an undecided measurement requests would decide it, as for samples
(`statistics.sample_sizes`): with 50 % every second rerun would be in vain, with 99 % it would ask
for three quarters more."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms that the epochs are judged by."""

    limit: float | None
    """The largest ratio allowed; None reports the ratio and decides nothing."""
    budget: float
    """Seconds."""
    most_epochs: int | None = None
    """Epochs after which the budget counts as spent; None: as many as it has time for."""
    floor: float = 0.0
    """The growth in seconds that is allowed whatever the ratio; it widens the limit of a small
    model."""
    models: int = 1
    """The number of models that are gated in this run and share ALPHA_FAIL."""

    @property
    def alpha_fail(self) -> float:
        """The share of ALPHA_FAIL that each model may spend."""
        return ALPHA_FAIL / self.models

    def excess(self, epoch: Epoch) -> float:
        """Return how far an epoch's log ratio is above the limit; negative if it is below."""
        if self.limit is None:
            return 0.0
        widened = 1 + self.floor / epoch.reference if self.floor else 0.0
        return epoch.log_ratio - math.log(max(self.limit, widened))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The result of the epochs. Plain values, so that another process can pass it as JSON."""

    outcome: Outcome | None
    """None if there was no limit."""
    stage: str
    """When it was decided: "early", "at the last look" or "up front"."""
    ratio: float
    """The median over the epochs of the candidate's time to the reference's."""
    low: float | None = None
    """The lower end of the 95 % interval; None if there were too few epochs."""
    high: float | None = None
    """The upper end."""
    method: str = ""
    """The method of the interval."""
    wall_ratio: float
    """The ratio by the wall clock."""
    candidate: float
    """The candidate's median seconds of one invocation."""
    reference: float
    """The reference's."""
    epochs: int
    over: int = 0
    """Number of epochs above the limit."""
    under: int = 0
    """Number of epochs below the limit."""
    elapsed: float
    budget: float
    needs: float = math.inf
    """Estimated seconds that would decide an undecided measurement."""
    clock: str
    candidates: Sequence[float] = ()
    """The candidate's seconds in each epoch, or in evenly spaced epochs if there are many."""
    references: Sequence[float] = ()
    """The reference's seconds in the same epochs."""


def budget_for(cost: Pace) -> float:
    """Return the seconds that models of this speed may take.

    Interpreters may take longer to create than to run: those of a model with many operators, on a
    busy machine. Without time for enough of them, a file many times slower would be inconclusive.
    """
    is_slow = cost.invoke > SLOW_INVOCATION or not fits_budget(cost, FAST_BUDGET)
    return SLOW_BUDGET if is_slow else FAST_BUDGET


def fits_budget(cost: Pace, budget: float) -> bool:
    """Return True if enough epochs for a decision fit into the budget."""
    return MIN_EPOCHS * cost.epoch <= budget


def not_timed(cost: Pace, terms: Terms, clock: str) -> Decision:
    """Return a decision without any epoch, with the ratio of a few invocations of one pair."""
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
        clock=clock,
    )


def decide(epochs: Iterable[Epoch], terms: Terms, clock: str = "thread CPU clock") -> Decision:
    """Take epochs until the rule decides or the budget is spent.

    Raises MeasurementError if the epochs end before that, or for a time that is not a positive
    number.
    """
    recorded_epochs: list[Epoch] = []
    for epoch in epochs:
        recorded_epochs.append(epoch)
        outcome = _early_outcome([terms.excess(epoch) for epoch in recorded_epochs], terms)
        if outcome or _is_spent(recorded_epochs, terms):
            return _decision(recorded_epochs, terms, outcome, clock)
    raise MeasurementError(
        "the epochs ended before the latency was decided",
        expected="a decision or a spent budget",
        got=f"{len(recorded_epochs)} epochs",
    )


def _early_outcome(excesses: list[float], terms: Terms) -> Outcome | None:
    if terms.limit is None or len(excesses) < MIN_EPOCHS:
        return None
    over, under = _signs(excesses)
    if signs_decide(over, len(excesses), terms.alpha_fail):
        return Outcome.FAIL
    return Outcome.PASS if signs_decide(under, len(excesses), ALPHA_PASS) else None


def _signs(excesses: list[float]) -> tuple[int, int]:
    """Count the epochs above and below the limit; none of them without a limit."""
    return sum(value > 0 for value in excesses), sum(value < 0 for value in excesses)


def _is_spent(epochs: list[Epoch], terms: Terms) -> bool:
    elapsed = epochs[-1].elapsed
    is_reported = terms.limit is None and len(epochs) >= MIN_EPOCHS and elapsed >= REPORT_SECONDS
    return is_reported or elapsed >= terms.budget or len(epochs) == terms.most_epochs


def _decision(epochs: list[Epoch], terms: Terms, early: Outcome | None, clock: str) -> Decision:
    log_ratios = np.array([epoch.log_ratio for epoch in epochs])
    excesses = [terms.excess(epoch) for epoch in epochs]
    over, under = _signs(excesses)
    outcome, needs = (
        (early, math.inf) if early else _last_look(np.array(excesses), terms, epochs[-1].elapsed)
    )
    low, high, method = _interval(log_ratios, by_signs=early is not None)
    reported = [epochs[index] for index in _evenly_spaced(len(epochs), MOST_REPORTED)]
    return Decision(
        outcome=outcome,
        stage="early" if early else "at the last look",
        ratio=math.exp(float(np.median(log_ratios))),
        low=low,
        high=high,
        method=method,
        wall_ratio=math.exp(float(np.median([epoch.wall_log_ratio for epoch in epochs]))),
        candidate=float(np.median([epoch.candidate for epoch in epochs])),
        reference=float(np.median([epoch.reference for epoch in epochs])),
        epochs=len(epochs),
        over=over,
        under=under,
        elapsed=epochs[-1].elapsed,
        budget=terms.budget,
        needs=needs,
        clock=clock,
        candidates=[_four_digits(epoch.candidate) for epoch in reported],
        references=[_four_digits(epoch.reference) for epoch in reported],
    )


def _four_digits(seconds: float) -> float:
    """Round to four digits, which are enough for a chart."""
    return float(f"{seconds:.4g}")


def _evenly_spaced(count: int, limit: int) -> list[int]:
    """Return at most `limit` evenly spaced indices below `count`."""
    spread = np.linspace(0, count - 1, min(count, limit))
    return [int(number) for number in spread.round()]


def _last_look(excesses: Floats, terms: Terms, elapsed: float) -> tuple[Outcome | None, float]:
    """Return the outcome of Wilcoxon's test, and the seconds needed if it is undecided.

    The test is of the middle of a symmetric noise. Of another, such as two speeds of a device, the
    median that is reported may lie on the other side of the limit: then nothing is decided.
    """
    if terms.limit is None:
        return None, math.inf
    if len(excesses) < MIN_EPOCHS:
        return Outcome.INCONCLUSIVE, elapsed * MIN_EPOCHS / len(excesses)
    ranks, median = signed_rank(excesses), float(np.median(excesses))
    if ranks.greater < terms.alpha_fail / 2 and median > 0:
        return Outcome.FAIL, math.inf
    if ranks.less < ALPHA_PASS / 2 and median < 0:
        return Outcome.PASS, math.inf
    return Outcome.INCONCLUSIVE, _seconds_needed(ranks, terms, elapsed)


def _seconds_needed(ranks: SignedRank, terms: Terms, elapsed: float) -> float:
    """Estimate the seconds until the rank sum decides; it grows with the root of time."""
    if not ranks.z:
        return math.inf
    alpha = terms.alpha_fail if ranks.z > 0 else ALPHA_PASS
    normal = NormalDist()
    wanted = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(_POWER)
    return elapsed * (wanted / ranks.z) ** 2


def _interval(log_ratios: Floats, *, by_signs: bool) -> tuple[float | None, float | None, str]:
    """Return the 95 % interval of the ratio and its method."""
    if len(log_ratios) < MIN_EPOCHS:
        return None, None, ""
    if by_signs:
        low, high = sign_interval(log_ratios)
        return math.exp(low), math.exp(high), "signs, valid at any stopping time"
    centre = hodges_lehmann(log_ratios)
    method = f"signed ranks around the Hodges-Lehmann estimate {math.exp(centre.value):.3f}"
    return math.exp(centre.low), math.exp(centre.high), method
