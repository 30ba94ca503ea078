"""Find the artifacts that a report compares: in memory at the end of a run, else in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, final

from litegate.build.certificate import HISTORY, MODEL, read_json
from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.build.store_answers import keep_answers
from litegate.build.store_arrays import LENGTHS, stored_labels, stored_samples
from litegate.core.errors import LitegateError
from litegate.report.outcomes import Report
from litegate.spec import Artifact, Evaluation, Kind, Recipe
from litegate.spec.metric import Metric

Row = Mapping[str, Any]
"""A row of a report's `comparisons`, or one of its `splits`."""
Lookup = Callable[[Row, str], Artifact | None]
"""Returns the artifact of one role of a comparison row; None if it is not available."""
ROLES = ("reference", "base", "candidate")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate with the artifacts that it is compared with."""

    model: str
    recipe: str
    candidate: Artifact
    reference: Artifact | None
    base: Artifact | None
    boxes: Metric | None = None
    """The metric of a detector, which decodes its boxes; None for other models."""

    @property
    def sides(self) -> dict[str, Artifact]:
        """The available artifacts by role; the candidate is last."""
        artifacts = {role: getattr(self, role) for role in ROLES}
        return {role: artifact for role, artifact in artifacts.items() if artifact}

    @property
    def before(self) -> str:
        """The role that flips are counted against: a base that differs, else the reference."""
        has_changed = self.base is not None and self.base.tflite != self.candidate.tflite
        return "base" if has_changed or self.reference is None else "reference"


BoxMetrics = Mapping[tuple[str, str], Metric]
"""The metric that decodes a detector's boxes, by model and recipe. A report does not keep it: it
may be a function of the user's."""


def comparisons(
    report: Report, lookup: Lookup, boxes: BoxMetrics
) -> tuple[list[Comparison], list[str]]:
    """Return the comparisons whose candidate is available, and why the others are not."""
    available, gaps = [], []
    for row in report.get("comparisons") or ():
        name = f"{row['model']}/{row['recipe']}"
        try:
            sides = {role: lookup(row, role) for role in ROLES}
        except LitegateError as error:
            gaps.append(f"{name} cannot be shown beside its verdicts: {error.what}")
            continue
        if candidate := sides.pop("candidate"):
            model, recipe = str(row["model"]), str(row["recipe"])
            available.append(
                Comparison(
                    model=model,
                    recipe=recipe,
                    candidate=candidate,
                    boxes=boxes.get((model, recipe)),
                    **sides,
                )
            )
        else:
            gaps.append(
                f"{name} cannot be shown beside its verdicts: "
                "its file or its samples are not in the store"
            )
    return available, gaps


def in_memory(artifacts: Iterable[Artifact]) -> Lookup:
    """Return a lookup among these artifacts, by file, split and signature."""
    known = {
        (artifact.sha256, artifact.evaluation.digest, artifact.signature): artifact
        for artifact in artifacts
    }
    return lambda row, role: known.get(
        (str(row[role]), str(row["split"]), str(row.get("signature", "")))
    )


def in_store(store: Store, splits: Mapping[str, Row]) -> Lookup:
    """Return a lookup in the store; `splits` are the report's own.

    The lookup raises StoreCorrupt if bytes are damaged.
    """

    @cache
    def keys_by_digest() -> dict[str, str]:
        return store.keys_by_object(BUILDS, MODEL)

    @lru_cache(maxsize=2)  # splits are large, and rows of one split follow each other
    def split(digest: str) -> Evaluation | None:
        return _evaluation(store, digest, splits[digest]) if digest in splits else None

    def lookup(row: Row, role: str) -> Artifact | None:
        key, evaluation = keys_by_digest().get(str(row[role])), split(str(row["split"]))
        if key is None or evaluation is None:
            return None
        return keep_answers(store, _artifact(store, key, row, role, evaluation), read=True)

    return lookup


def _evaluation(store: Store, digest: str, split: Row) -> Evaluation | None:
    try:
        files = store.locate(EVALUATIONS, digest)
    except KeyError:
        return None
    if any(name.startswith(LENGTHS) for name in files):
        return None  # sequences: the function of their answer is not in the store
    domains = split.get("domains")
    output = str(split.get("output", ""))
    return Evaluation(
        digest=digest,
        x=stored_samples(files),
        y=stored_labels(files, output),
        classes=tuple(split["classes"]),
        domain={name: _pair(ends) for name, ends in domains.items()}
        if domains
        else _pair(split["domain"]),
        output=output,
    )


def _pair(ends: Any) -> tuple[float, float]:
    low, high = ends
    return float(low), float(high)


def _artifact(store: Store, key: str, row: Row, role: str, evaluation: Evaluation) -> Artifact:
    files = store.get(BUILDS, key, (MODEL, HISTORY))
    recipe = Recipe(name=str(row["recipe"]), kind=Kind(row["kind"]))
    return Artifact(
        model=str(row["model"]),
        recipe=recipe.reference if role == "reference" else recipe,
        tflite=files[MODEL],
        sha256=str(row[role]),
        certificate={},
        training_curve=tuple(read_json(files[HISTORY], HISTORY, list)),
        evaluation=evaluation,
        signature=str(row.get("signature", "")),
    )
