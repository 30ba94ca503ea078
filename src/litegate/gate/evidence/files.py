"""What a file is made of: its bytes by part, what grew, and its operators in their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from litegate.measures.regression.byte_counts import Weighed, weigh
from litegate.measures.regression.graph_matching import PlacedOperator, operators, tensors
from litegate.measures.regression.operator_diff import NO_ARITHMETIC, floating
from litegate.measures.regression.size_diff import REST, attribution
from litegate.measures.structure.tensor_roles import Role
from litegate.report.html.page_data import Growth, Part, Step
from litegate.spec import Artifact
from litegate.tflite.graph import Graph, Tensor

MOST_PARTS, MOST_GROWN, MOST_STEPS = 24, 10, 60

_KINDS = {Role.WEIGHT: "weight", Role.BIAS: "bias"}


def parts(artifact: Artifact) -> tuple[Part, ...]:
    """The parts of a file, the largest first; their bytes add up to the file's.

    ArtifactError where it cannot be read.
    """
    weighed = weigh(artifact)
    found = [part for part in _parts(weighed) if part.bytes]
    found.sort(key=lambda part: -part.bytes)
    shown, small = found[:MOST_PARTS], found[MOST_PARTS:]
    if small:
        listed = f"{len(small)} smaller parts"
        shown.append(_structure(listed, _sum(small)))
    rest = len(artifact.tflite) - _sum(shown)
    shown += [_structure(REST, rest)] if rest > 0 else []
    return tuple(sorted(shown, key=lambda part: -part.bytes))


def _parts(weighed: Weighed) -> Iterable[Part]:
    for one in tensors(weighed.graph):
        kind, size = _KINDS.get(one.role, "constant"), weighed.of_tensor(one)
        yield Part(name=one.tensor.name, kind=kind, operator=one.operator, bytes=size)
    by_kind: defaultdict[str, list[PlacedOperator]] = defaultdict(list)
    for step in operators(weighed.graph):
        by_kind[step.kind].append(step)
    for name, steps in by_kind.items():
        listed, size = f"{len(steps)} x {name}", weighed.of_operators(steps)
        yield Part(name=listed, kind="operators", operator=name, bytes=size)
    for label, size in weighed.totals.items():
        yield _structure(label, size)


def _structure(label: str, size: int) -> Part:
    return Part(name=label, kind="structure", operator="", bytes=size)


def _sum(found: Iterable[Part]) -> int:
    return sum(part.bytes for part in found)


def grown(base: Artifact, candidate: Artifact) -> tuple[tuple[Growth, ...], int]:
    """What differs in size, the greatest difference first, and how many more parts do.

    ArtifactError where a file cannot be read.
    """
    found = [Growth(name=part.label, bytes=part.bytes) for part in attribution(base, candidate)]
    return tuple(found[:MOST_GROWN]), max(0, len(found) - MOST_GROWN)


def steps(graph: Graph) -> tuple[tuple[Step, ...], int]:
    """The operators in their order, and how many are left out; one that is float never is."""
    found = [_step(one) for one in operators(graph)]
    kept = [step for number, step in enumerate(found) if step.floating or number < MOST_STEPS]
    kept = kept[: 2 * MOST_STEPS]
    return tuple(kept), len(found) - len(kept)


def floats(graph: Graph) -> int:
    """How many operators do not compute in integers alone."""
    return sum(bool(_computing(one)) for one in operators(graph))


def _computing(one: PlacedOperator) -> str:
    """How an operator computes in floats; those that stand between the types do not compute."""
    return "" if one.operator.name in NO_ARITHMETIC else floating(one)


def _step(one: PlacedOperator) -> Step:
    part = f"{one.graph}." if one.graph else ""
    return Step(
        number=f"{part}{one.operator.index}",
        name=one.kind,
        reads=_types(one.reads),
        writes=_types(one.writes),
        activation="" if one.operator.activation == "NONE" else one.operator.activation,
        floating=_computing(one),
    )


def _types(them: Iterable[Tensor]) -> str:
    return ", ".join(dict.fromkeys(tensor.dtype for tensor in them)) or "nothing"
