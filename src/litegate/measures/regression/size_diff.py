"""Attribute the size difference of two files to their contents, to the byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from litegate.measures.regression.byte_counts import ByteCounts, count_bytes
from litegate.measures.regression.graph_matching import (
    PlacedOperator,
    match_operators,
    match_tensors,
    operators,
)
from litegate.spec import Artifact
from litegate.tflite.graph import Tensor

REST = "structure and padding"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChange:
    """Contents of the files and the bytes that they grew by."""

    label: str
    bytes: int
    """Growth over the base; negative if smaller."""

    def __str__(self) -> str:
        return f"{self.label} {self.bytes:+,} B"


def size_changes(base: Artifact, candidate: Artifact) -> tuple[SizeChange, ...]:
    """Return the contents that differ in size, largest difference first; they add up to the total.

    Raises ArtifactError if a file cannot be read.
    """
    before, after = count_bytes(base), count_bytes(candidate)
    changes = [
        *_tensor_changes(before, after),
        *_operator_changes(before, after),
        *_total_changes(before, after),
    ]
    total = len(candidate.tflite) - len(base.tflite)
    changes.append(SizeChange(label=REST, bytes=total - sum(change.bytes for change in changes)))
    nonzero = (change for change in changes if change.bytes)
    return tuple(sorted(nonzero, key=lambda change: -abs(change.bytes)))


def _tensor_changes(before: ByteCounts, after: ByteCounts) -> Iterator[SizeChange]:
    matching = match_tensors(before.graph, after.graph)
    for old, new in matching.pairs:
        label = f"tensor {new.tensor.name!r}{_type_change(old.tensor, new.tensor)}"
        yield SizeChange(label=label, bytes=after.tensor_bytes(new) - before.tensor_bytes(old))
    for new in matching.added:
        yield SizeChange(label=f"new tensor {new.tensor.name!r}", bytes=after.tensor_bytes(new))
    for old in matching.removed:
        yield SizeChange(label=f"tensor {old.tensor.name!r} gone", bytes=-before.tensor_bytes(old))


def _type_change(before: Tensor, after: Tensor) -> str:
    if before.dtype != after.dtype:
        return f" ({before.dtype} to {after.dtype})"
    if before.shape != after.shape:
        return f" ({_shape_text(before)} to {_shape_text(after)})"
    return ""


def _shape_text(tensor: Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape) or "scalar"


def _operator_changes(before: ByteCounts, after: ByteCounts) -> Iterator[SizeChange]:
    matching = match_operators(operators(before.graph), operators(after.graph))
    if added := matching.added:
        yield SizeChange(label=_operator_list("new", added), bytes=after.operator_bytes(added))
    if removed := matching.removed:
        label = _operator_list("gone", removed)
        yield SizeChange(label=label, bytes=-before.operator_bytes(removed))
    old_bytes = before.operator_bytes([old for old, _ in matching.pairs])
    new_bytes = after.operator_bytes([new for _, new in matching.pairs])
    yield SizeChange(label="settings of operators", bytes=new_bytes - old_bytes)


def _operator_list(prefix: str, placed_operators: Sequence[PlacedOperator]) -> str:
    kinds = Counter(placed.kind for placed in placed_operators)
    listed = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    return f"{prefix} operators ({listed})"


def _total_changes(before: ByteCounts, after: ByteCounts) -> Iterator[SizeChange]:
    for label in dict.fromkeys([*before.totals, *after.totals]):
        growth = after.totals.get(label, 0) - before.totals.get(label, 0)
        yield SizeChange(label=label, bytes=growth)
