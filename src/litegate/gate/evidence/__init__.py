"""From artifacts to facts: runs the models where their answers are not at hand yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, final

from litegate.core.errors import LitegateError
from litegate.gate.evidence import files
from litegate.gate.evidence.answers import Answered, Ask, answered, measured, recalled
from litegate.gate.evidence.comparison import Comparison, Lookup, at_hand, comparisons, in_store
from litegate.gate.evidence.confusion import class_changes, confusions
from litegate.gate.evidence.flips import Change, flip_sheet
from litegate.gate.evidence.layers import layers
from litegate.report.html.page_data import (
    ArtifactData,
    CandidateData,
    Epoch,
    Growth,
    LayerDifference,
)
from litegate.report.outcomes import Report
from litegate.runtimes.inference import predict
from litegate.spec import Artifact
from litegate.tflite.graph import Graph
from litegate.tflite.reader import parse

__all__ = ["Ask", "Comparison", "Lookup", "at_hand", "gather", "in_store", "measured", "recalled"]


PICTURE_BYTES = 240_000
"""All pictures of a page together."""
MOST_PICTURE_BYTES = 100_000
"""Those of one candidate."""

_NOTHING_GROWN: tuple[tuple[Growth, ...], int] = ((), 0)

Found = TypeVar("Found")


def gather(
    report: Report, lookup: Lookup, ask: Ask = predict
) -> tuple[list[CandidateData], list[str]]:
    """The facts of each candidate that can be had, and what cannot be shown, with the reason."""
    found, gaps = comparisons(report, lookup)
    room = min(MOST_PICTURE_BYTES, PICTURE_BYTES // max(1, len(found)))
    return [_gathered(comparison, room, ask) for comparison in found], gaps


@final
@dataclass(eq=False)
class _Attempts:
    """Keeps the reason where something cannot be shown."""

    gaps: list[str] = field(default_factory=list)

    def have(self, what: str, make: Callable[[], Found], otherwise: Found) -> Found:
        """What `make` gives, or `otherwise` and a gap."""
        try:
            return make()
        except LitegateError as error:
            self.gaps.append(f"{what} cannot be shown: {error.what}")
            return otherwise


def _gathered(one: Comparison, room: int, ask: Ask) -> CandidateData:
    attempts = _Attempts()
    marked: dict[str, Answered] = attempts.have("answers", lambda: _answered(one, ask), {})
    change = _change(one, marked)
    names = one.candidate.evaluation.classes
    graphs: dict[str, Graph] = attempts.have("operators", lambda: _graphs(one), {})
    grown, more = attempts.have("growth", lambda: _grown(one), _NOTHING_GROWN)
    steps, hidden = files.steps(graphs["candidate"]) if graphs else ((), 0)
    return CandidateData(
        model=one.model,
        recipe=one.recipe,
        sides=_sides(one, marked, graphs),
        sheet=flip_sheet(change, room) if change else None,
        confusions=confusions(marked, names) if marked else None,
        classes=class_changes(change.before, change.after, names) if change else (),
        parts=attempts.have("size", lambda: files.parts(one.candidate), ()),
        grown=grown,
        grown_more=more,
        steps=steps,
        steps_left_out=hidden,
        layers=attempts.have("layers", lambda: _layers(one), ()),
        gaps=tuple(attempts.gaps),
    )


def _answered(one: Comparison, ask: Ask) -> dict[str, Answered]:
    """What each side decided; nothing where the labels are no classes to decide between."""
    split = one.candidate.evaluation
    if split.y is not None and not (split.classes and split.y.ndim == 1):
        return {}
    return {role: answered(artifact, ask) for role, artifact in one.sides.items()}


def _change(one: Comparison, marked: Mapping[str, Answered]) -> Change | None:
    if one.before not in marked:
        return None
    before, after = marked[one.before], marked["candidate"]
    return Change(role=one.before, before=before, after=after, split=one.candidate.evaluation)


def _graphs(one: Comparison) -> dict[str, Graph]:
    return {
        role: parse(each.tflite, subject=each.name, signature=each.signature)
        for role, each in one.sides.items()
    }


def _grown(one: Comparison) -> tuple[tuple[Growth, ...], int]:
    return files.grown(one.base, one.candidate) if one.base else _NOTHING_GROWN


def _layers(one: Comparison) -> tuple[LayerDifference, ...]:
    return layers(one.reference, one.candidate) if one.reference else ()


def _sides(
    one: Comparison, marked: Mapping[str, Answered], graphs: Mapping[str, Graph]
) -> tuple[ArtifactData, ...]:
    return tuple(
        ArtifactData(
            role=role,
            artifact=artifact.sha256,
            bytes=len(artifact.tflite),
            operators=sum(len(each.operators) for each in graphs[role].subgraphs),
            floating=files.floats(graphs[role]),
            accuracy=float(marked[role].right.mean()) if marked else None,
            epochs=_epochs(artifact),
        )
        for role, artifact in one.sides.items()
        if role in graphs
    )


def _epochs(artifact: Artifact) -> tuple[Epoch, ...]:
    """The training's own rows; what is no number is left out."""
    return tuple(
        Epoch(
            stage=str(row.get("stage", "")),
            number=number,
            scores={k: float(v) for k, v in row.items() if k != "epoch" and _is_number(v)},
        )
        for number, row in enumerate(artifact.history, start=1)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
