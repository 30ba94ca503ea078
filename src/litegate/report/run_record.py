"""Record a run's verdicts and errors as rows in JSON's types; every report reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict, final

from litegate.core.units import Quantity
from litegate.measures.measurement import Outcome, Verdict
from litegate.measures.verdict_text import sentence
from litegate.report.outcomes import outcome_of, overall_verdict


class Steps(TypedDict):
    """The next steps for a row; the commands are quoted for a shell at the project's root."""

    reproduce: str
    """The command that runs the check alone, or the run, if the row is of no check."""
    change: str | None
    """The line that sets the limit or declares the model, and what to change there."""
    intended: str | None
    """The command that accepts a verdict against another commit; None for all other rows."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Identifies a check of a model and recipe, and the file that an error is reported at."""

    id: str
    """pytest's node id."""
    model: str
    recipe: str
    check: str
    """The name of the check's function."""
    requirement: str
    """The first line of its docstring."""
    file: str
    """The model's file, else the check's; from the project's root, with slashes."""
    line: int
    """The line in that file."""


def verdict_row(
    place: Place,
    verdict: Verdict,
    waived: Mapping[str, Any] | None = None,
    *,
    base: str = "",
) -> dict[str, Any]:
    """Make a verdict's row; numbers are floats in the measurement's unit.

    `waived` is the row of the waiver that excuses the verdict, `base` the build key of the artifact
    that the candidate is compared with, if that is another commit's.
    """
    measurement = verdict.measurement
    interval = measurement.interval
    return asdict(place) | {
        "measurement": measurement.name,
        "value": float(measurement.value),
        "relation": verdict.relation.value,
        "limit": float(verdict.limit.value),
        "unit": measurement.unit.value,
        "margin": float(verdict.margin),
        "interval": interval
        and {
            "low": float(interval.low),
            "high": float(interval.high),
            "level": interval.level,
            "method": interval.method,
        },
        "n": measurement.n,
        "verdict": verdict.outcome.value,
        "waived": waived,
        "note": verdict.note,
        "evidence": list(measurement.evidence),
        "offenders": list(measurement.offenders),
        "sentence": sentence(verdict),
        "artifacts": list(measurement.artifacts),
        "series": {name: list(numbers) for name, numbers in measurement.series.items()},
        "base": base,
        "absolute": _absolute(verdict),
        "repeats": measurement.repeats
        and {"low": float(measurement.repeats.low), "high": float(measurement.repeats.high)},
    }


def _absolute(verdict: Verdict) -> dict[str, Any] | None:
    """Return the candidate's own number for a verdict that a waiver may excuse, in plain types."""
    if verdict.measurement.absolute is None or verdict.outcome is Outcome.PASS:
        return None
    bound = verdict.measurement.absolute()
    return {
        "measurement": bound.measurement,
        "relation": bound.relation.value,
        "value": float(bound.value),
        "unit": bound.unit.value,
    }


def error_row(place: Place, message: str) -> dict[str, Any]:
    """Make the row of a check without a verdict."""
    return asdict(place) | {"message": message}


@final
@dataclass(slots=True, kw_only=True)
class Run:
    """The record of one run; its rows are made by `verdict_row` and `error_row`."""

    environment: Mapping[str, Any]
    """Versions, kernels, threads, processor, folders."""
    strict: bool
    reproduce: str = ""
    """The command that repeats the run, at the project's root."""
    folder: str = ""
    """The project's folder in its repository, as "ml/"; empty at the top or outside of git."""
    head: Mapping[str, Any] | None = None
    """The commit that was judged: commit, subject, time, changed, repository."""
    base: Mapping[str, Any] | None = None
    """The merge base that the run compared with: commit, ref."""
    anchor: Mapping[str, Any] | None = None
    """The pinned commit that the run compared with, too."""
    verdicts: list[Mapping[str, Any]] = field(default_factory=list)
    errors: list[Mapping[str, Any]] = field(default_factory=list)
    not_gated: dict[str, str] = field(default_factory=dict)
    """Models that were not judged, each with the reason."""
    not_measured: dict[str, str] = field(default_factory=dict)
    """Checks left out at the user's request, by node id, each with the reason."""
    unlimited: list[str] = field(default_factory=list)
    """The gated recipes of which no measurement has a limit that the project sets."""
    unset_limits: dict[str, list[str]] = field(default_factory=dict)
    """The limits that each gated recipe could have and does not set, by test id."""
    recipes: list[Mapping[str, Any]] = field(default_factory=list)
    """A row for each recipe that was built, gated or only shown."""
    runtimes: list[Mapping[str, Any]] = field(default_factory=list)
    """A row for each runtime of a candidate that was judged on several."""
    repairs: list[Mapping[str, Any]] = field(default_factory=list)
    """Results of `litegate repair` for a gated recipe, or before it left out layers."""
    artifacts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Birth certificates by SHA-256."""
    waivers: list[Mapping[str, Any]] = field(default_factory=list)
    """Every waiver of the project, used or not."""
    proofs: list[Mapping[str, Any]] = field(default_factory=list)
    """With --prove, a row for each candidate: the planted faults and which checks noticed them."""
    notes: list[str] = field(default_factory=list)
    """Lints, repairs and other remarks for the reader."""

    def count(self, outcome: str) -> int:
        """Count the verdicts with this outcome."""
        return sum(outcome_of(row) == outcome for row in self.verdicts)

    def proven_row(
        self, model: str, recipe: str, measurement: str, limit: Quantity | None
    ) -> Mapping[str, Any] | None:
        """Return the passed verdict of a measurement against its limit; None without one."""
        for row in self.verdicts if limit else ():
            subject = (row["model"], row["recipe"], row["measurement"])
            is_same = limit and row["limit"] == float(limit.value)
            if subject == (model, recipe, measurement) and is_same and row["verdict"] == "pass":
                return row
        return None

    @property
    def verdict(self) -> str:
        """The run's "fail", "error", "inconclusive", "pass" or "nothing gated"."""
        return overall_verdict(self.verdicts, self.errors)
