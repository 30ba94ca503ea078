"""Make the data of a report's page from artifacts; runs a model whose answers are not cached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar, final

from litegate.core.errors import LitegateError
from litegate.gate.evidence import files
from litegate.gate.evidence.box_sheet import box_sheet
from litegate.gate.evidence.comparison import (
    BoxMetrics,
    Comparison,
    Lookup,
    comparisons,
    in_memory,
    in_store,
)
from litegate.gate.evidence.confusion import class_changes, confusions
from litegate.gate.evidence.flips import Change, flip_sheet
from litegate.gate.evidence.layers import layers
from litegate.gate.evidence.predictions import Predictions, predictions
from litegate.gate.evidence.runtimes import runtime_sheets
from litegate.report.html.page_data import (
    MOST_ON_ONE_PAGE,
    ArtifactData,
    CandidateData,
    Epoch,
    FlipSheet,
    LayerDifference,
    SizeDifference,
)
from litegate.report.outcomes import Report
from litegate.spec import Artifact
from litegate.spec.runtimes import XNNPACK, runtime_names
from litegate.tflite.graph import Graph
from litegate.tflite.parser import parse

__all__ = [
    "BoxMetrics",
    "Comparison",
    "Lookup",
    "gather",
    "in_memory",
    "in_store",
]


PICTURE_BYTES = 240_000
"""For the pictures of a page together: ten models must stay below 1 MB (performance.md)."""
MOST_PICTURE_BYTES = 100_000
"""For the pictures of one candidate: room for 40 gray pictures of 48x48 even before compression,
which are as many as a sheet shows; more would only make a page of few candidates larger."""

_NO_CHANGES: tuple[tuple[SizeDifference, ...], int] = ((), 0)

Result = TypeVar("Result")


def gather(
    report: Report, lookup: Lookup, boxes: BoxMetrics = MappingProxyType({})
) -> tuple[list[CandidateData], list[str]]:
    """Make the data of each candidate that `lookup` finds, and list why others cannot be shown.

    `boxes` are the metrics that decode the boxes of detectors.
    """
    compared, gaps = comparisons(report, lookup, boxes)
    most_bytes = min(MOST_PICTURE_BYTES, PICTURE_BYTES // max(1, len(compared)))
    if len({comparison.model for comparison in compared}) > MOST_ON_ONE_PAGE:
        most_bytes = MOST_PICTURE_BYTES  # each model has a page of its own
    runtimes = _further_runtimes(report)
    return [
        _candidate_data(pair, most_bytes, runtimes[pair.model, pair.recipe]) for pair in compared
    ], gaps


def _further_runtimes(report: Report) -> Mapping[tuple[str, str], list[str]]:
    """Return the runtimes besides the default that each candidate was judged on."""
    runtimes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in report.get("runtimes") or ():
        if row["runtime"] in runtime_names() and row["runtime"] != XNNPACK:
            runtimes[str(row["model"]), str(row["recipe"])].append(str(row["runtime"]))
    return runtimes


@final
@dataclass(eq=False)
class _Attempts:
    """Collects the reasons why something cannot be shown."""

    gaps: list[str] = field(default_factory=list)

    def result(self, what: str, make: Callable[[], Result], otherwise: Result) -> Result:
        """Return `make()`; on an error record a gap and return `otherwise`."""
        try:
            return make()
        except LitegateError as error:
            self.gaps.append(f"{what} cannot be shown: {error.what}")
            return otherwise


def _candidate_data(
    comparison: Comparison, most_picture_bytes: int, runtimes: Sequence[str]
) -> CandidateData:
    candidate = comparison.candidate
    attempts = _Attempts()
    by_role: dict[str, Predictions] = attempts.result(
        "answers", lambda: _predictions_by_role(comparison), {}
    )
    change = _change(comparison, by_role)
    names = candidate.evaluation.classes
    graphs: dict[str, Graph] = attempts.result("operators", lambda: _graphs(comparison), {})
    size_changes, changes_left_out = attempts.result(
        "growth", lambda: _size_changes(comparison), _NO_CHANGES
    )
    operators, operators_left_out = files.operator_types(graphs["candidate"]) if graphs else ((), 0)
    return CandidateData(
        model=comparison.model,
        recipe=comparison.recipe,
        sides=_sides(comparison, by_role, graphs),
        sheet=flip_sheet(change, most_picture_bytes)
        if change
        else attempts.result("boxes", lambda: _box_sheet(comparison, most_picture_bytes), None),
        runtime_sheets=attempts.result(
            "what other runtimes decide", lambda: runtime_sheets(candidate, runtimes), ()
        )
        if by_role
        else (),
        confusions=confusions(by_role, names) if by_role else None,
        classes=class_changes(change.before, change.after, names) if change else (),
        size_shares=attempts.result("size", lambda: files.size_shares(candidate), ()),
        size_changes=size_changes,
        size_changes_left_out=changes_left_out,
        operators=operators,
        operators_left_out=operators_left_out,
        layers=attempts.result("layers", lambda: _layers(comparison), ()),
        gaps=tuple(attempts.gaps),
    )


def _predictions_by_role(comparison: Comparison) -> dict[str, Predictions]:
    """Return each artifact's predictions; empty if the labels are not classes."""
    split = comparison.candidate.evaluation
    if split.y is not None and not (split.classes and split.y.ndim == 1):
        return {}
    return {role: predictions(artifact) for role, artifact in comparison.sides.items()}


def _change(comparison: Comparison, by_role: Mapping[str, Predictions]) -> Change | None:
    role = comparison.before
    if role not in by_role:
        return None
    split = comparison.candidate.evaluation
    return Change(role=role, before=by_role[role], after=by_role["candidate"], split=split)


def _box_sheet(comparison: Comparison, most_bytes: int) -> FlipSheet | None:
    role, sides = comparison.before, comparison.sides
    if comparison.boxes is None or role not in sides:
        return None
    return box_sheet(role, sides[role], comparison.candidate, comparison.boxes, most_bytes)


def _graphs(comparison: Comparison) -> dict[str, Graph]:
    return {
        role: parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
        for role, artifact in comparison.sides.items()
    }


def _size_changes(comparison: Comparison) -> tuple[tuple[SizeDifference, ...], int]:
    if not comparison.base:
        return _NO_CHANGES
    return files.size_changes(comparison.base, comparison.candidate)


def _layers(comparison: Comparison) -> tuple[LayerDifference, ...]:
    return layers(comparison.reference, comparison.candidate) if comparison.reference else ()


def _sides(
    comparison: Comparison, by_role: Mapping[str, Predictions], graphs: Mapping[str, Graph]
) -> tuple[ArtifactData, ...]:
    return tuple(
        ArtifactData(
            role=role,
            artifact=artifact.sha256,
            bytes=len(artifact.tflite),
            operators=sum(len(subgraph.operators) for subgraph in graphs[role].subgraphs),
            floating=files.count_float_operators(graphs[role]),
            accuracy=float(by_role[role].right.mean()) if by_role else None,
            epochs=_epochs(artifact),
        )
        for role, artifact in comparison.sides.items()
        if role in graphs
    )


def _epochs(artifact: Artifact) -> tuple[Epoch, ...]:
    """Return the training's rows, without values that are not numbers."""
    return tuple(
        Epoch(
            stage=str(row.get("stage", "")),
            number=number,
            scores={
                name: float(value)
                for name, value in row.items()
                if name != "epoch" and _is_number(value)
            },
        )
        for number, row in enumerate(artifact.training_curve, start=1)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
