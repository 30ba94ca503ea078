"""Which parts of two files account for the difference of their sizes, to the byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from litegate.measures.regression.byte_counts import Weighed, weigh
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
class Part:
    """A part of the files and what it adds."""

    label: str
    bytes: int
    """How much larger it is than in the base; below zero where it is smaller."""

    def __str__(self) -> str:
        return f"{self.label} {self.bytes:+,} B"


def attribution(base: Artifact, candidate: Artifact) -> tuple[Part, ...]:
    """The parts that differ in size, the largest difference first; their sum is the whole one.

    ArtifactError where a file cannot be read.
    """
    before, after = weigh(base), weigh(candidate)
    parts = [*_values(before, after), *_operators(before, after), *_totals(before, after)]
    whole = len(candidate.tflite) - len(base.tflite)
    parts.append(Part(label=REST, bytes=whole - sum(part.bytes for part in parts)))
    found = (part for part in parts if part.bytes)
    return tuple(sorted(found, key=lambda part: -abs(part.bytes)))


def _values(before: Weighed, after: Weighed) -> Iterator[Part]:
    matching = match_tensors(before.graph, after.graph)
    for one, other in matching.pairs:
        label = f"tensor {other.tensor.name!r}{_changed(one.tensor, other.tensor)}"
        yield Part(label=label, bytes=after.of_tensor(other) - before.of_tensor(one))
    for one in matching.came:
        yield Part(label=f"new tensor {one.tensor.name!r}", bytes=after.of_tensor(one))
    for one in matching.went:
        yield Part(label=f"tensor {one.tensor.name!r} gone", bytes=-before.of_tensor(one))


def _changed(before: Tensor, after: Tensor) -> str:
    if before.dtype != after.dtype:
        return f" ({before.dtype} to {after.dtype})"
    if before.shape != after.shape:
        return f" ({_sizes(before)} to {_sizes(after)})"
    return ""


def _sizes(tensor: Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape) or "scalar"


def _operators(before: Weighed, after: Weighed) -> Iterator[Part]:
    matching = match_operators(operators(before.graph), operators(after.graph))
    if came := matching.came:
        yield Part(label=_counted("new", came), bytes=after.of_operators(came))
    if went := matching.went:
        yield Part(label=_counted("gone", went), bytes=-before.of_operators(went))
    was = before.of_operators([one for one, _ in matching.pairs])
    now = after.of_operators([other for _, other in matching.pairs])
    yield Part(label="settings of operators", bytes=now - was)


def _counted(which: str, them: Sequence[PlacedOperator]) -> str:
    kinds = Counter(one.kind for one in them)
    listed = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    return f"{which} operators ({listed})"


def _totals(before: Weighed, after: Weighed) -> Iterator[Part]:
    for label in dict.fromkeys([*before.totals, *after.totals]):
        grown = after.totals.get(label, 0) - before.totals.get(label, 0)
        yield Part(label=label, bytes=grown)
