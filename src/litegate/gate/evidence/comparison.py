"""The artifacts that a report compares: at hand at the end of a run, else out of the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, final

from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.build.store_arrays import stored_labels, stored_samples
from litegate.core.errors import LitegateError
from litegate.report.outcomes import Report
from litegate.spec import Artifact, Evaluation, Kind, Recipe

Row = Mapping[str, Any]
"""A comparison as `report.json` holds it."""
Lookup = Callable[[Row, str], Artifact | None]
"""The artifact of one role of a comparison; None where it cannot be had."""
ROLES = ("reference", "base", "candidate")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate and what it stands beside."""

    model: str
    recipe: str
    candidate: Artifact
    reference: Artifact | None
    base: Artifact | None

    @property
    def sides(self) -> dict[str, Artifact]:
        """The artifacts that there are, by role; the candidate is last."""
        found = {role: getattr(self, role) for role in ROLES}
        return {role: artifact for role, artifact in found.items() if artifact}

    @property
    def before(self) -> str:
        """What a change is seen against: the base, or the reference where there is no other."""
        changed = self.base is not None and self.base.tflite != self.candidate.tflite
        return "base" if changed or self.reference is None else "reference"


def comparisons(report: Report, lookup: Lookup) -> tuple[list[Comparison], list[str]]:
    """The comparisons whose candidate can be had, and the reason for each other."""
    found, gaps = [], []
    for row in report.get("comparisons") or ():
        name = f"{row['model']}/{row['recipe']}"
        try:
            sides = {role: lookup(row, role) for role in ROLES}
        except LitegateError as error:
            gaps.append(f"{name} cannot be shown beside its verdicts: {error.what}")
            continue
        if candidate := sides.pop("candidate"):
            model, recipe = str(row["model"]), str(row["recipe"])
            found.append(Comparison(model=model, recipe=recipe, candidate=candidate, **sides))
        else:
            gaps.append(
                f"{name} cannot be shown beside its verdicts: "
                "its file or its samples are not in the store"
            )
    return found, gaps


def at_hand(artifacts: Iterable[Artifact]) -> Lookup:
    """Look among artifacts that are in memory, by their bytes, split and signature."""
    known = {(one.sha256, one.evaluation.digest, one.signature): one for one in artifacts}
    return lambda row, role: known.get(
        (str(row[role]), str(row["split"]), str(row.get("signature", "")))
    )


def in_store(store: Store, splits: Mapping[str, Row]) -> Lookup:
    """Look in the store; `splits` are the report's own. StoreCorrupt where bytes are damaged."""

    @cache
    def entries() -> dict[str, str]:
        return store.keys_by_object(BUILDS, "model.tflite")

    @lru_cache(maxsize=2)
    def split(digest: str) -> Evaluation | None:
        return _evaluation(store, digest, splits[digest]) if digest in splits else None

    def lookup(row: Row, role: str) -> Artifact | None:
        key, evaluation = entries().get(str(row[role])), split(str(row["split"]))
        if key is None or evaluation is None:
            return None
        return _artifact(store, key, row, role, evaluation)

    return lookup


def _evaluation(store: Store, digest: str, told: Row) -> Evaluation | None:
    try:
        files = store.locate(EVALUATIONS, digest)
    except KeyError:
        return None
    domains = told.get("domains")
    return Evaluation(
        digest=digest,
        x=stored_samples(files),
        y=stored_labels(files, str(told.get("output", ""))),
        classes=tuple(told["classes"]),
        domain={k: _pair(ends) for k, ends in domains.items()}
        if domains
        else _pair(told["domain"]),
        output=str(told.get("output", "")),
    )


def _pair(ends: Any) -> tuple[float, float]:
    low, high = ends
    return float(low), float(high)


def _artifact(store: Store, key: str, row: Row, role: str, evaluation: Evaluation) -> Artifact:
    files = store.get(BUILDS, key, ("model.tflite", "history.json"))
    kind = Kind.FLOAT32 if role == "reference" else Kind(row["kind"])
    return Artifact(
        model=str(row["model"]),
        recipe=Recipe(name=str(row["recipe"]), kind=kind),
        tflite=files["model.tflite"],
        sha256=str(row[role]),
        certificate={},
        history=tuple(json.loads(files["history.json"])),
        evaluation=evaluation,
        signature=str(row.get("signature", "")),
    )
