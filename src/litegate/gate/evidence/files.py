"""Break a file down: its bytes by tensor and structure, its growth, its operators with types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from litegate.measures.regression import size_diff
from litegate.measures.regression.byte_counts import ByteCounts, count_bytes
from litegate.measures.regression.graph_matching import PlacedOperator, operators, tensors
from litegate.measures.regression.operator_diff import NO_ARITHMETIC, float_arithmetic
from litegate.measures.regression.size_diff import REST
from litegate.measures.structure.tensor_roles import Role
from litegate.report.html.page_data import OperatorTypes, SizeDifference, SizeShare
from litegate.spec import Artifact
from litegate.tflite.graph import Graph, Tensor

MOST_SHARES, MOST_CHANGES, MOST_OPERATORS = 24, 10, 60
"""Rows of the page's tables, to keep it small; what is left out is counted below each. The numbers
are choices."""

_KINDS = {Role.WEIGHT: "weight", Role.BIAS: "bias"}


def size_shares(artifact: Artifact) -> tuple[SizeShare, ...]:
    """Return what a file's bytes are spent on, the largest first; the sum is the file's size.

    Raises ArtifactError if the file cannot be read.
    """
    weighed = count_bytes(artifact)
    shares = [share for share in _all_shares(weighed) if share.bytes]
    # Before the cut, so that only small shares are summed up in one row.
    shares.sort(key=lambda share: -share.bytes)
    shown, small = shares[:MOST_SHARES], shares[MOST_SHARES:]
    if small:
        shown.append(_structure(f"{len(small)} smaller parts", _total(small)))
    rest = len(artifact.tflite) - _total(shown)
    shown += [_structure(REST, rest)] if rest > 0 else []
    return tuple(sorted(shown, key=lambda share: -share.bytes))


def _all_shares(weighed: ByteCounts) -> Iterable[SizeShare]:
    for placed in tensors(weighed.graph):
        kind, size = _KINDS.get(placed.role, "constant"), weighed.tensor_bytes(placed)
        yield SizeShare(name=placed.tensor.name, kind=kind, operator=placed.operator, bytes=size)
    by_kind: defaultdict[str, list[PlacedOperator]] = defaultdict(list)
    for operator in operators(weighed.graph):
        by_kind[operator.kind].append(operator)
    for kind, same_kind in by_kind.items():
        name, size = f"{len(same_kind)} x {kind}", weighed.operator_bytes(same_kind)
        yield SizeShare(name=name, kind="operators", operator=kind, bytes=size)
    for label, size in weighed.totals.items():
        yield _structure(label, size)


def _structure(label: str, size: int) -> SizeShare:
    return SizeShare(name=label, kind="structure", operator="", bytes=size)


def _total(shares: Iterable[SizeShare]) -> int:
    return sum(share.bytes for share in shares)


def size_changes(base: Artifact, candidate: Artifact) -> tuple[tuple[SizeDifference, ...], int]:
    """Return the greatest size differences, and the count of those left out.

    Raises ArtifactError if a file cannot be read.
    """
    changes = [
        SizeDifference(name=change.label, bytes=change.bytes)
        for change in size_diff.size_changes(base, candidate)
    ]
    # They come sorted, so that the cut drops the smallest.
    return tuple(changes[:MOST_CHANGES]), max(0, len(changes) - MOST_CHANGES)


def operator_types(graph: Graph) -> tuple[tuple[OperatorTypes, ...], int]:
    """Return the operators in execution order, and the count of those left out.

    Float operators beyond the first `MOST_OPERATORS` are shown as well: they are what to look for.
    """
    every = [_types_of(operator) for operator in operators(graph)]
    shown = [row for index, row in enumerate(every) if row.floating or index < MOST_OPERATORS]
    shown = shown[: 2 * MOST_OPERATORS]
    return tuple(shown), len(every) - len(shown)


def count_float_operators(graph: Graph) -> int:
    """Count the operators whose arithmetic is not purely integer."""
    return sum(bool(_float_arithmetic(operator)) for operator in operators(graph))


def _float_arithmetic(operator: PlacedOperator) -> str:
    """Name the float arithmetic of an operator; empty for conversions such as QUANTIZE."""
    return "" if operator.operator.name in NO_ARITHMETIC else float_arithmetic(operator)


def _types_of(operator: PlacedOperator) -> OperatorTypes:
    subgraph = f"{operator.graph}." if operator.graph else ""
    activation = operator.operator.activation
    return OperatorTypes(
        number=f"{subgraph}{operator.operator.index}",
        name=operator.kind,
        reads=_listed_types(operator.reads),
        writes=_listed_types(operator.writes),
        activation="" if activation == "NONE" else activation,
        floating=_float_arithmetic(operator),
    )


def _listed_types(operands: Iterable[Tensor]) -> str:
    return ", ".join(dict.fromkeys(tensor.dtype for tensor in operands)) or "nothing"
