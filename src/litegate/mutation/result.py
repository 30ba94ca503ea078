"""What one check said of one scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

from litegate.core.units import Unit
from litegate.measures.measurement import Relation
from litegate.mutation.faults import Expect, Scene


class Said(StrEnum):
    """How a check ended."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"
    """It raised one of litegate's errors: no measurement, no pass."""
    CRASH = "crash"
    """It raised something that nobody foresaw."""
    OMITTED = "omitted"
    """It was left out, such as a latency check without a quiet place to run."""

    @property
    def is_alarm(self) -> bool:
        """Whether a run with it is red."""
        return self in (Said.FAIL, Said.ERROR, Said.CRASH)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check measured, and the limit that it held it to."""

    value: float
    relation: Relation
    limit: float
    unit: Unit
    n: int | None = None
    """How many samples it rests on."""
    interval: tuple[float, float] | None = None
    """Where the true value lies; None for an exact one."""

    def spans(self, value: float) -> bool:
        """Whether another value lies within the interval of this one."""
        return self.interval is not None and self.interval[0] <= value <= self.interval[1]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one check ended on one scene."""

    said: Said
    measured: Mapping[str, Said] = field(default_factory=dict)
    """The verdict on each measurement that it required."""
    findings: Mapping[str, Finding] = field(default_factory=dict)
    """The numbers behind the verdicts, by measurement."""
    sentence: str = ""
    """What a person would read of it; empty for a pass."""

    def notices(self, expect: Expect, measurement: str = "") -> bool:
        """Whether it noticed a fault; with a name, whether that measurement did."""
        said = self.measured.get(measurement, self.said) if measurement else self.said
        if expect is Expect.REFUSED and said is Said.CRASH:
            return False
        return said.is_alarm or (expect is Expect.UNPROVEN and said is Said.INCONCLUSIVE)


Play = Callable[[Scene, Sequence[str]], Mapping[str, Result]]
"""Runs the checks of these ids on a scene; gives how each ended."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the candidate, as the prover sees it."""

    id: str
    name: str
    """As a table shows it."""
    is_latency: bool
    compares: bool
    """Whether it asks for the base or the anchor."""
    refers: bool = False
    """Whether it asks for the float reference."""
