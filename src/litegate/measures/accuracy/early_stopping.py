"""Stop a check on a slow runtime as soon as its samples, in random order, decide its limit.

A fail is about the declared samples: their mean loss is beyond the limit. A pass is about the
population that they were drawn from. What stays open judges all samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.units import Number, Quantity
from litegate.data.duplicates import first_indices, originals
from litegate.measures.measurement import Interval, Measurement, Outcome, Relation, Ruling
from litegate.measures.statistics.betting import Decision, Limits, Losses
from litegate.measures.statistics.proportions import TAIL
from litegate.runtimes.answered_samples import Indices
from litegate.runtimes.child_processes import loaded
from litegate.runtimes.inference import keeps_answers
from litegate.spec import Artifact, Evaluation
from litegate.spec.runtimes import XNNPACK

ERROR = 0.01
"""The chance, in each direction, that a run stops any check otherwise than it should.

A fifth of an interval's usual one: a stop replaces evidence that some minutes would give."""
FIRST_LOOK = 256
"""Samples before the first look: fewer decide only what is far from its limit, more delay a clear
case; 256 of ResNet8 take TensorFlow Lite Micro 3 s."""
GROWTH = 1.25
"""From one look to the next: an eighth of the samples is judged in vain on average. Smaller steps
are more looks, each of which waits for the slowest process."""
_MULTIPLE = 64
"""Looks are at multiples of it, so that no message of 32 samples is sent in part: one for each of
two processes, a choice. Fixed, so that every machine stops at the same sample."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stop:
    """A decision on some samples of a split."""

    chosen: Indices
    """The samples, in the order in which they were judged."""
    losses: Losses
    decision: Decision
    relation: Relation
    """A floor is compared with what the mean loss leaves of 1."""
    error: float
    """The chance, in each direction, that the decision is wrong."""

    def explain(self, measurement: Measurement) -> Measurement:
        """Return a measurement of the chosen samples with the evidence that decided."""
        losses = self.losses
        is_fail = self.decision is Decision.BEYOND
        limits = losses.declared_limits if is_fail else losses.population_limits
        of_what = "of the declared samples" if is_fail else "of the population"
        interval, one_sided = self._as_value(limits(TAIL / 2)), self._as_value(limits(TAIL))
        judged = f"stopped after {len(self.chosen):,} of {losses.declared:,} samples"
        return replace(
            measurement,
            interval=Interval(
                low=interval[0],
                high=interval[1],
                method=f"betting, confidence sequence {of_what}",
            ),
            low=one_sided[0],
            high=one_sided[1],
            evidence=(f"{judged}, in random order", *measurement.evidence),
            rule=self._rule,
        )

    def _as_value(self, losses: Limits) -> Limits:
        low, high = losses
        return (1 - high, 1 - low) if self.relation is Relation.AT_LEAST else (low, high)

    def _rule(self, _: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        """Decide by the evidence against any limit of the relation that the check stopped for."""
        decision = None
        if relation is self.relation:
            decision = self.losses.decide(_as_loss(limit.value, relation), self.error, self.error)
        if decision is None:
            note = f"{len(self.chosen):,} samples, which decided another limit, leave it open"
            return Ruling(outcome=Outcome.INCONCLUSIVE, note=note)
        outcome = Outcome.FAIL if decision is Decision.BEYOND else Outcome.PASS
        return Ruling(
            outcome=outcome,
            note=f"decided early, with an error of at most {100 * self.error:.2g} %",
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedSamples:
    """The samples that a check judges: some if they decide its limit, else all of its split."""

    split: Evaluation
    may_stop: bool = False
    stop: Stop | None = None

    @property
    def chosen(self) -> Indices | None:
        """Indices of the samples; None for all."""
        return self.stop and self.stop.chosen

    @property
    def groups(self) -> NDArray[np.intp]:
        """Equal numbers for equal samples."""
        groups = originals(self.split)
        return groups if self.stop is None else groups[self.stop.chosen]

    def explain(self, measurement: Measurement) -> Measurement:
        """Return a measurement of these samples with their number and what stopped the check."""
        if self.stop:
            return self.stop.explain(measurement)
        if not self.may_stop:
            return measurement
        noun = "sequences" if self.split.sequences else "samples"
        n = f"{len(self.split.x):,}"
        others = [line for line in measurement.evidence if line not in _counts_of_all(n, noun)]
        return replace(measurement, evidence=(f"all {n} {noun}", *others))


def _counts_of_all(n: str, noun: str) -> tuple[str, str]:
    """Return the lines by which measures that know no early stopping count all samples."""
    return f"{n} {noun}", f"{n} of {n} {noun}"


def judge_samples(
    artifacts: Sequence[Artifact],
    losses_of: Callable[[Indices], NDArray[Any]],
    limit: Quantity | None,
    relation: Relation,
    *,
    checks: int,
    least: int = 0,
) -> JudgedSamples:
    """Ask for more and more samples, until their losses decide the limit or all are needed.

    `losses_of` returns the losses of the samples with some indices, between `least` and 1, from
    answers of the `artifacts`, the last of which is the candidate. The `checks` that a run may stop
    share the chance of an error. Without a limit, of sequences, and on the default runtime, which
    is fast, a check judges all samples.
    """
    split, candidate = artifacts[0].evaluation, artifacts[-1]
    if limit is None or candidate.runtime == XNNPACK:
        return JudgedSamples(split=split)
    if split.sequences:
        return JudgedSamples(split=split, may_stop=True)
    error, bound = ERROR / checks, _as_loss(limit.value, relation)
    order = random_order(candidate)
    first = np.zeros(len(order), dtype=np.bool_)
    first[first_indices(originals(split)[order])] = True
    values = np.empty(0)
    with loaded(*artifacts):
        for end in looks(len(order)):
            values = np.append(values, losses_of(order[len(values) : end]).astype(np.float64))
            losses = Losses(values=values, least=least, declared=len(order), first=first[:end])
            if decision := losses.decide(bound, error, error):
                stop = Stop(
                    chosen=order[:end],
                    losses=losses,
                    decision=decision,
                    relation=relation,
                    error=error,
                )
                return JudgedSamples(split=split, may_stop=True, stop=stop)
            if not all(map(keeps_answers, artifacts)):
                break
    return JudgedSamples(split=split, may_stop=True)


def with_whole_split(artifact: Artifact) -> Artifact:
    """Return an artifact with the split of which it has some samples, or as it is.

    A check of sequences does not stop early, so it keeps to the sequences that were asked for.
    """
    whole = artifact.evaluation.whole
    return replace(artifact, evaluation=whole) if whole and not whole.sequences else artifact


def _as_loss(limit: Number, relation: Relation) -> float:
    """Return the greatest mean loss that keeps a limit."""
    return float(limit if relation is Relation.AT_MOST else 1 - limit)


def random_order(candidate: Artifact) -> Indices:
    """Return the indices of the split's samples in an order that nobody chose.

    It is drawn from the digests of the candidate and of the split: the same in every run, and for
    all checks of the candidate, so that these share its samples. Raw bits, since a later NumPy may
    shuffle otherwise.
    """
    text = f"{candidate.sha256} {candidate.evaluation.digest}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest())
    bits = np.random.PCG64(seed).random_raw(len(candidate.evaluation.x))
    return np.argsort(bits, kind="stable")


def looks(n: int) -> Iterator[int]:
    """Yield the numbers of samples after which a check may stop, below n."""
    end = FIRST_LOOK
    while end < n:
        yield end
        end = -int(-end * GROWTH // _MULTIPLE) * _MULTIPLE
