"""Data types for the outcome of one check on one scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

from litegate.core.units import Unit
from litegate.measures.measurement import Relation
from litegate.mutation.faults import Expect, Scene


class CheckOutcome(StrEnum):
    """The outcome of a check."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"
    """The check raised one of litegate's errors, so it has no measurement and does not pass."""
    CRASH = "crash"
    """The check raised an exception that litegate does not define."""
    OMITTED = "omitted"
    """The check was skipped, for example a latency check on a machine that is not quiet."""

    @property
    def is_alarm(self) -> bool:
        """Return True if this outcome turns a run red."""
        return self in (CheckOutcome.FAIL, CheckOutcome.ERROR, CheckOutcome.CRASH)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredValue:
    """A measured value and the limit that a check compared it with."""

    value: float
    relation: Relation
    limit: float
    unit: Unit
    n: int | None = None
    """Number of samples behind the value."""
    interval: tuple[float, float] | None = None
    """Confidence interval of the true value; None for an exact value."""

    def interval_contains(self, value: float) -> bool:
        """Return True if `value` lies within this value's interval."""
        return self.interval is not None and self.interval[0] <= value <= self.interval[1]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check on one scene, with its verdicts and values."""

    outcome: CheckOutcome
    verdicts: Mapping[str, CheckOutcome] = field(default_factory=dict)
    """The verdict on each measurement that the check required, by the measurement's name."""
    values: Mapping[str, MeasuredValue] = field(default_factory=dict)
    """The values behind the verdicts, by the measurement's name."""
    message: str = ""
    """The failure text that a user would read; empty for a pass."""
    misdirected: tuple[str, ...] = ()
    """Sentences on measurements of other artifacts than the candidate, or the wrong pair."""

    def notices(self, expect: Expect, measurement: str = "") -> bool:
        """Return True if the check noticed a fault; with a name, if that measurement did.

        A crash does not count as a clear refusal of a broken file.
        """
        outcome = self.verdicts.get(measurement, self.outcome) if measurement else self.outcome
        if expect is Expect.REFUSED and outcome is CheckOutcome.CRASH:
            return False
        is_unproven = outcome is CheckOutcome.INCONCLUSIVE
        return outcome.is_alarm or (expect is Expect.UNPROVEN and is_unproven)


CheckRunner = Callable[[Scene, Sequence[str]], Mapping[str, CheckResult]]
"""Runs the checks with the given ids on a scene and returns their results by id."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInfo:
    """A check of the candidate, described without pytest."""

    id: str
    name: str
    """The short name that tables show."""
    is_latency: bool
    uses_base: bool
    """Whether the check takes the fixture `base` or `anchor`."""
    uses_reference: bool = False
    """Whether the check takes the fixture `reference`."""
    runs_elsewhere: bool = False
    """True if its artifacts are run on another runtime than the default."""
