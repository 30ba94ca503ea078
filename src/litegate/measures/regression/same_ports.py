"""Whether two files can be versions of one model: they take and give arrays of the same shapes."""

from __future__ import annotations

from collections.abc import Mapping

from litegate.core.errors import ArtifactError
from litegate.spec import Artifact
from litegate.tflite.graph import Tensor
from litegate.tflite.ports import called
from litegate.tflite.reader import parse

_FREE = -1


def demand_same_ports(a: Artifact, b: Artifact) -> None:
    """Raise ArtifactError where two files have other inputs or outputs, their types aside.

    Several are held together by their names where both have the same ones, else in their order. A
    size that one of them leaves free fits any.
    """
    for side in ("inputs", "outputs"):
        theirs, ours = _ports(a, side), _ports(b, side)
        names = theirs if theirs.keys() == ours.keys() else ours
        pairs = zip(theirs.values(), (ours[name] for name in names), strict=False)
        if len(theirs) != len(ours) or not all(_alike(*pair) for pair in pairs):
            raise ArtifactError(
                f"{a.name} and {b.name} are no two versions of one model: their {side} differ",
                expected=f"{_listed(theirs)}, as in {a.name}",
                got=_listed(ours),
                remedy="compare files that take the same samples and give the same outputs",
            )


def _ports(one: Artifact, side: str) -> dict[str, Tensor]:
    graph = parse(one.tflite, subject=one.name, signature=one.signature)
    return called(graph, side, one.signature)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether both are as large, whatever the batch."""
    sizes = one.shape_signature[1:], other.shape_signature[1:]
    return len(one.shape) == len(other.shape) and all(
        x == y or _FREE in (x, y) for x, y in zip(*sizes, strict=True)
    )


def _listed(ports: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {one.shape_signature}" for name, one in ports.items())
