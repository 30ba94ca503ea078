"""A measurement, and what comparing it with a limit gives: a verdict.

``accuracy_drop(reference, candidate) <= points(0.5)`` is a pure expression. Nothing is recorded and
nothing is raised until `require` is handed the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import NoReturn, final

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Number, Quantity, Unit, text

_ROUNDING = 1e-12
"""By how much, relatively, a value that was computed in floats may miss its limit and keep it."""


class Outcome(StrEnum):
    """What a verdict says."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Relation(StrEnum):
    """How a value must stand to its limit; both are inclusive."""

    AT_MOST = "<="
    AT_LEAST = ">="


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the true value lies, in the measurement's own unit."""

    low: Number
    high: Number
    level: float = 0.95
    """The confidence level, two-sided."""
    method: str
    """How it was computed, as a reader would look it up."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule decides, and the sentence part that says why."""

    outcome: Outcome
    note: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurement:
    """One number with its unit and its evidence.

    Compare it with a limit by ``<=`` or ``>=``. Any other comparison raises, since limits are
    inclusive and a bare truth value would lose the evidence.
    """

    name: str
    """What was measured, as it reads in a sentence: "accuracy drop"."""
    subject: str
    """Whose it is: "mnist_cnn/int8_qat"."""
    value: Number
    unit: Unit
    n: int | None = None
    """How many samples, invocations or tensors it rests on."""
    interval: Interval | None = None
    """The two-sided interval, for people and for reports."""
    low: Number | None = None
    """The one-sided 95 % lower limit, which decides ``>=``; None for an exact value."""
    high: Number | None = None
    """The one-sided 95 % upper limit, which decides ``<=``; None for an exact value."""
    evidence: tuple[str, ...] = ()
    """Facts worth a line in the report: flips, counts, clocks."""
    offenders: tuple[str, ...] = ()
    """What breaks the promise, each named: tensors, operators, inputs."""
    rule: Rule | None = None
    """Decides in place of the interval rule, where the measure has one of its own."""
    artifacts: tuple[str, ...] = ()
    """SHA-256 digests of the artifacts that were measured."""
    why: Callable[[], tuple[str, ...]] | None = None
    """Gives more evidence, at a cost that only a failing verdict is worth; it raises nothing."""
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """The numbers behind the value, for a page to draw, by what they are of."""

    def __le__(self, limit: Quantity | Number) -> Verdict:
        return _judge(self, Relation.AT_MOST, limit)

    def __ge__(self, limit: Quantity | Number) -> Verdict:
        return _judge(self, Relation.AT_LEAST, limit)

    def __lt__(self, limit: object) -> NoReturn:
        raise TypeError(f"limits are inclusive: write <= in place of < for the {self.name}")

    def __gt__(self, limit: object) -> NoReturn:
        raise TypeError(f"limits are inclusive: write >= in place of > for the {self.name}")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError(f"write <= or >= for the {self.name}: == gives no margin")

    def __ne__(self, other: object) -> NoReturn:
        raise TypeError(f"write <= or >= for the {self.name}: != gives no margin")

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise TypeError(f"compare the {self.name} with a limit: it is not a truth value")


Rule = Callable[[Measurement, Relation, Quantity], Ruling]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """Pass, fail or inconclusive, of one measurement against one limit."""

    measurement: Measurement
    relation: Relation
    limit: Quantity
    outcome: Outcome
    note: str = ""

    @property
    def margin(self) -> Number:
        """The room left to the limit, in the measurement's unit; below zero where it is broken."""
        room = _number(self.limit.value) - _number(self.measurement.value)
        return room if self.relation is Relation.AT_MOST else -room

    @property
    def is_sound(self) -> bool:
        """Whether comparing its measurement with its limit gives this outcome."""
        again = _judge(self.measurement, self.relation, self.limit)
        return again.outcome is self.outcome

    def explained(self) -> Verdict:
        """The verdict itself; where it fails, with the evidence that costs more."""
        found = self.measurement
        if self.outcome is not Outcome.FAIL or found.why is None:
            return self
        told = replace(found, evidence=(*found.evidence, *found.why()), why=None)
        return replace(self, measurement=told)

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not a truth value: hand it to require(...)")


def violations(
    name: str, subject: str, offenders: tuple[str, ...], *, n: int, artifacts: tuple[str, ...] = ()
) -> Measurement:
    """Count what breaks a promise; ``violations(...) <= 0`` names each offender.

    `n` is how many things were looked at: none is an error, since nothing was measured.
    """
    if n < 1:
        raise MeasurementError(
            f"nothing was looked at for {name} of {subject}", expected="at least one", got=str(n)
        )
    return Measurement(
        name=name,
        subject=subject,
        value=len(offenders),
        unit=Unit.COUNT,
        n=n,
        offenders=offenders,
        artifacts=artifacts,
    )


def _number(value: Number) -> float | Fraction:
    return value if isinstance(value, float) else Fraction(value)


def _judge(measurement: Measurement, relation: Relation, limit: Quantity | Number) -> Verdict:
    bound = _limit(measurement, limit)
    if not math.isfinite(measurement.value):
        raise MeasurementError(
            f"the {measurement.name} of {measurement.subject} is not a finite number",
            got=text(measurement.value, measurement.unit),
            remedy="look for NaN or infinity in the outputs of the artifacts and in the data",
        )
    ruling = (measurement.rule or interval_rule)(measurement, relation, bound)
    return Verdict(
        measurement=measurement,
        relation=relation,
        limit=bound,
        outcome=ruling.outcome,
        note=ruling.note,
    )


def _limit(measurement: Measurement, limit: Quantity | Number) -> Quantity:
    if not isinstance(limit, Quantity):
        if isinstance(limit, bool) or not isinstance(limit, int | float | Fraction):
            raise ConfigError(
                f"the limit of the {measurement.name} is not a number",
                expected=f"a quantity in {measurement.unit}",
                got=repr(limit),
            )
        plain = measurement.unit in (Unit.RATIO, Unit.SCORE)
        limit = Quantity(_as_written(limit), measurement.unit if plain else Unit.COUNT)
    if limit.unit is not measurement.unit:
        raise ConfigError(
            f"the {measurement.name} and its limit have different units",
            expected=f"a limit in {measurement.unit}",
            got=f"{limit} ({limit.unit})",
        )
    if not math.isfinite(limit.value):
        raise ConfigError(f"the limit of the {measurement.name} is not finite", got=str(limit))
    return limit


def _as_written(limit: Number) -> Number:
    """0.7 means seven tenths, which no float is: a ratio of exactly that keeps it."""
    return Fraction(str(limit)) if isinstance(limit, float) and math.isfinite(limit) else limit


def interval_rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
    """The three verdicts: broken fails, kept and proven passes, kept and unproven is inconclusive.

    A value that is exact (no one-sided limits) is proven by itself. The interval that is shown is
    two-sided, and so wider: where it reaches beyond the limit of a pass, the note says what
    decided.
    """
    at_most = relation is Relation.AT_MOST
    edge = measurement.high if at_most else measurement.low
    if not (_is_at(measurement.value, limit) or _keeps(measurement.value, relation, limit)):
        return Ruling(outcome=Outcome.FAIL)
    if edge is None:
        return Ruling(outcome=Outcome.PASS)
    side, shown = "upper" if at_most else "lower", text(edge, measurement.unit)
    if not _keeps(edge, relation, limit):
        note = f"within the limit but not proven: the one-sided 95 % {side} limit is {shown}"
        return Ruling(outcome=Outcome.INCONCLUSIVE, note=note)
    between = measurement.interval
    if between is None or _keeps(between.high if at_most else between.low, relation, limit):
        return Ruling(outcome=Outcome.PASS)
    return Ruling(
        outcome=Outcome.PASS, note=f"proven by the one-sided 95 % {side} limit of {shown}"
    )


def _is_at(value: Number, limit: Quantity) -> bool:
    """Whether a value that was computed in floats is its limit, but for their rounding."""
    return isinstance(value, float) and math.isclose(value, limit.value, rel_tol=_ROUNDING)


def _keeps(value: Number, relation: Relation, limit: Quantity) -> bool:
    found, bound = _number(value), _number(limit.value)
    return found <= bound if relation is Relation.AT_MOST else found >= bound
