"""What a run found, in JSON's types: made where a check runs, read by every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, final

from litegate.measures.measurement import Verdict
from litegate.measures.wording import sentence
from litegate.report.outcomes import outcome_of, overall_verdict

SCHEMA_VERSION = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which check, of which model and recipe."""

    id: str
    """pytest's node id."""
    model: str
    recipe: str
    check: str
    """The name of the check's function."""
    requirement: str
    """The first line of its docstring."""
    file: str
    """The model's file, or that of a check without one; posix, from the project's root."""
    line: int
    """The line there."""


def verdict_row(
    place: Place, verdict: Verdict, waived: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One verdict as a row of the report; numbers as floats in the measurement's own unit.

    `waived` is the waiver that excuses it, as the waiver writes itself.
    """
    found = verdict.measurement
    interval = found.interval
    return asdict(place) | {
        "measurement": found.name,
        "value": float(found.value),
        "relation": verdict.relation.value,
        "limit": float(verdict.limit.value),
        "unit": found.unit.value,
        "margin": float(verdict.margin),
        "interval": interval
        and {
            "low": float(interval.low),
            "high": float(interval.high),
            "level": interval.level,
            "method": interval.method,
        },
        "n": found.n,
        "verdict": verdict.outcome.value,
        "waived": waived,
        "note": verdict.note,
        "evidence": list(found.evidence),
        "offenders": list(found.offenders),
        "sentence": sentence(verdict),
        "artifacts": list(found.artifacts),
        "series": {name: list(numbers) for name, numbers in found.series.items()},
    }


def error_row(place: Place, message: str) -> dict[str, Any]:
    """A check that came to no verdict."""
    return asdict(place) | {"message": message}


@final
@dataclass(slots=True, kw_only=True)
class Run:
    """Everything that one run found; rows are as `verdict_row` and `error_row` make them."""

    environment: Mapping[str, Any]
    """Versions, kernels, threads, processor, places."""
    strict: bool
    head: Mapping[str, Any] | None = None
    """The commit that was judged: commit, subject, time, changed."""
    base: Mapping[str, Any] | None = None
    """The commit that the run was held against: commit, ref."""
    anchor: Mapping[str, Any] | None = None
    """The pinned commit that it was held against too."""
    verdicts: list[Mapping[str, Any]] = field(default_factory=list)
    errors: list[Mapping[str, Any]] = field(default_factory=list)
    not_gated: dict[str, str] = field(default_factory=dict)
    """Models that nothing was said about, each with the reason."""
    not_measured: dict[str, str] = field(default_factory=dict)
    """Checks left out because the person asked for it, by node id, each with the reason."""
    recipes: list[Mapping[str, Any]] = field(default_factory=list)
    """A row for each recipe that was built, gated or shown beside."""
    artifacts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Birth certificates by SHA-256."""
    waivers: list[Mapping[str, Any]] = field(default_factory=list)
    """Every waiver of the project, used or not."""
    proofs: list[Mapping[str, Any]] = field(default_factory=list)
    """With --prove, what the checks noticed of the faults planted in each candidate."""
    notes: list[str] = field(default_factory=list)
    """Lints, repairs, and what else a person should read."""

    def count(self, outcome: str) -> int:
        """How many verdicts have this outcome."""
        return sum(outcome_of(row) == outcome for row in self.verdicts)

    @property
    def verdict(self) -> str:
        """The run's one word: "fail", "error", "inconclusive", "pass", or "nothing gated"."""
        return overall_verdict(self.verdicts, self.errors)
