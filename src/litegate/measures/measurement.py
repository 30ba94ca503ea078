"""Define measurements, and the verdicts that comparing them with limits gives.

``accuracy_drop(reference, candidate) <= points(0.5)`` is a pure expression. Nothing is recorded and
nothing is raised until `require` gets the verdict.
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
"""Relative tolerance that counts a float value as equal to its limit.

A float sum or quotient is a few units in the last place (2e-16) off, so a value that equals its
limit on paper could fail by rounding alone. No measurement means anything at 1e-12."""


class Outcome(StrEnum):
    """The three results of comparing a measurement with a limit."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Relation(StrEnum):
    """The comparison of a value with its limit; both are inclusive."""

    AT_MOST = "<="
    AT_LEAST = ">="


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The range in which the true value lies, in the measurement's own unit."""

    low: Number
    high: Number
    level: float = 0.95
    """The confidence level, two-sided: the usual one, in every report, so that intervals
    compare."""
    method: str
    """The method's name in the literature."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """The range of a timing over repetitions on the same bytes, in the measurement's own unit."""

    low: Number
    """The value that is proven: a limit below it is broken."""
    high: Number
    """The value up to which another repetition may come on a shared machine."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The candidate's own number behind a comparison with the base, such as its bytes.

    A waiver names it as a ceiling, since a growth alone would excuse the next change, too.
    """

    measurement: str
    value: Number
    unit: Unit
    relation: Relation


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """An outcome, and the part of the sentence that gives the reason."""

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
    """The quantity, as a sentence names it: "accuracy drop"."""
    subject: str
    """The artifact that was measured: "mnist_cnn/int8_qat"."""
    value: Number
    unit: Unit
    n: int | None = None
    """Number of samples, invocations or tensors that were measured."""
    interval: Interval | None = None
    """The two-sided interval, for people and for reports."""
    low: Number | None = None
    """The one-sided 95 % lower limit, which decides ``>=``; None for an exact value."""
    high: Number | None = None
    """The one-sided 95 % upper limit, which decides ``<=``; None for an exact value."""
    limits_at: Callable[[float], tuple[Number, Number]] | None = None
    """Computes `low` and `high` for another chance than 5 % that each misses the true value."""
    evidence: tuple[str, ...] = ()
    """Facts worth a line in the report: flips, counts, clocks."""
    offenders: tuple[str, ...] = ()
    """Names of the tensors, operators or inputs that break the rule."""
    rule: Rule | None = None
    """Replaces the interval rule for measures that decide in another way."""
    artifacts: tuple[str, ...] = ()
    """SHA-256 digests of the artifacts that were measured."""
    why: Callable[[], tuple[str, ...]] | None = None
    """Computes more evidence, too slowly for a verdict that does not fail; raises nothing."""
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """The numbers behind the value, by name, for the page's charts."""
    absolute: Callable[[], Bound] | None = None
    """Computes the candidate's own number, if the value compares it with the base's."""
    repeats: Repeats | None = None
    """The range over repetitions; None if the same bytes always give the same value."""

    def as_bound(self, relation: Relation) -> Bound:
        """Return the measurement as the candidate's own number behind a comparison."""
        return Bound(measurement=self.name, value=self.value, unit=self.unit, relation=relation)

    def __le__(self, limit: Quantity | Number) -> Verdict:
        return _judge(self, Relation.AT_MOST, limit)

    def __ge__(self, limit: Quantity | Number) -> Verdict:
        return _judge(self, Relation.AT_LEAST, limit)

    def __lt__(self, limit: object) -> NoReturn:
        raise TypeError(f"limits are inclusive: write <= instead of < for the {self.name}")

    def __gt__(self, limit: object) -> NoReturn:
        raise TypeError(f"limits are inclusive: write >= instead of > for the {self.name}")

    def __eq__(self, limit: object) -> NoReturn:
        raise TypeError(f"write <= or >= for the {self.name}: == gives no margin")

    def __ne__(self, limit: object) -> NoReturn:
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
        """The distance to the limit, in the measurement's unit; negative if the limit is broken."""
        room = _number(self.limit.value) - _number(self.measurement.value)
        return room if self.relation is Relation.AT_MOST else -room

    @property
    def is_sound(self) -> bool:
        """True if comparing the measurement with the limit again gives the same outcome."""
        verdict = _judge(self.measurement, self.relation, self.limit)
        return verdict.outcome is self.outcome

    def explained(self) -> Verdict:
        """Return the verdict; if it fails, with the evidence that `Measurement.why` computes."""
        measurement = self.measurement
        if self.outcome is not Outcome.FAIL or measurement.why is None:
            return self
        evidence = (*measurement.evidence, *measurement.why())
        return replace(self, measurement=replace(measurement, evidence=evidence, why=None))

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not a truth value: pass it to require(...)")


def with_tail(measurement: Measurement, tail: float) -> Measurement:
    """Return a measurement whose one-sided limits each miss the true value with chance `tail`.

    An exact value, and one whose limits are known at 95 % alone, stays as it is.
    """
    if measurement.limits_at is None:
        return measurement
    low, high = measurement.limits_at(tail)
    return replace(measurement, low=low, high=high)


def violations(
    name: str, subject: str, offenders: tuple[str, ...], *, n: int, artifacts: tuple[str, ...] = ()
) -> Measurement:
    """Measure how many named things break a rule; ``violations(...) <= 0`` names each offender.

    `n` is the number of things that were examined. Raises MeasurementError if it is 0, since
    nothing was measured then.
    """
    if n < 1:
        raise MeasurementError(
            f"nothing was measured for {name} of {subject}", expected="at least one", got=str(n)
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
    bound = _as_quantity(measurement, limit)
    if not math.isfinite(measurement.value):
        raise MeasurementError(
            f"the {measurement.name} of {measurement.subject} is not a finite number",
            got=text(measurement.value, measurement.unit),
            remedy="check for NaN or infinity in the outputs of the artifacts and in the data",
        )
    ruling = (measurement.rule or interval_rule)(measurement, relation, bound)
    return Verdict(
        measurement=measurement,
        relation=relation,
        limit=bound,
        outcome=ruling.outcome,
        note=ruling.note,
    )


def _as_quantity(measurement: Measurement, limit: Quantity | Number) -> Quantity:
    """Return the limit with its unit; a plain number is a ratio, a score or a count.

    Raises ConfigError for another unit, and for a limit that is not a finite number.
    """
    if not isinstance(limit, Quantity):
        if isinstance(limit, bool) or not isinstance(limit, int | float | Fraction):
            raise ConfigError(
                f"the limit of the {measurement.name} is not a number",
                expected=f"a quantity in {measurement.unit}",
                got=repr(limit),
            )
        is_unitless = measurement.unit in (Unit.RATIO, Unit.SCORE)
        limit = Quantity(_as_written(limit), measurement.unit if is_unitless else Unit.COUNT)
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
    """Convert a float limit to the fraction that was typed.

    0.7 means seven tenths, which no float equals, so a ratio of exactly 7/10 would miss it.
    """
    return Fraction(str(limit)) if isinstance(limit, float) and math.isfinite(limit) else limit


def interval_rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
    """Decide by the one-sided limits: fail, pass, or inconclusive.

    A value beyond the limit fails. A value within it passes if it is exact (has no one-sided 95 %
    limit) or if its one-sided 95 % limit satisfies the limit too, and is inconclusive otherwise.
    The interval that is shown is two-sided, and so wider: if it crosses the limit of a pass, the
    note names the one-sided limit that decided.
    """
    at_most = relation is Relation.AT_MOST
    one_sided = measurement.high if at_most else measurement.low
    if not (
        _equals_limit(measurement.value, limit) or _satisfies(measurement.value, relation, limit)
    ):
        return Ruling(outcome=Outcome.FAIL)
    if one_sided is None:
        return Ruling(outcome=Outcome.PASS)
    side, one_sided_text = "upper" if at_most else "lower", text(one_sided, measurement.unit)
    if not _satisfies(one_sided, relation, limit):
        note = (
            f"within the limit but not proven: the one-sided 95 % {side} limit is {one_sided_text}"
        )
        return Ruling(outcome=Outcome.INCONCLUSIVE, note=note)
    interval = measurement.interval
    if interval is None or _satisfies(interval.high if at_most else interval.low, relation, limit):
        return Ruling(outcome=Outcome.PASS)
    return Ruling(
        outcome=Outcome.PASS, note=f"proven by the one-sided 95 % {side} limit of {one_sided_text}"
    )


def _equals_limit(value: Number, limit: Quantity) -> bool:
    """Return True if a float value equals its limit, apart from rounding."""
    return isinstance(value, float) and math.isclose(value, limit.value, rel_tol=_ROUNDING)


def _satisfies(value: Number, relation: Relation, limit: Quantity) -> bool:
    number, limit_number = _number(value), _number(limit.value)
    return number <= limit_number if relation is Relation.AT_MOST else number >= limit_number
