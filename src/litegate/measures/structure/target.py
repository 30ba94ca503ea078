"""Target: which operators of a file the promised runtime or accelerator does not take, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

from litegate.core.escaping import shortened
from litegate.measures.measurement import Measurement, violations
from litegate.measures.structure.operators import named, part
from litegate.measures.structure.tensor_roles import Role, operand, roles
from litegate.spec import Artifact
from litegate.spec.targets import Range, Rule, Target
from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Subgraph, Tensor
from litegate.tflite.reader import parse

NAME = "operators outside the target"


def target_violations(candidate: Artifact, target: Target) -> Measurement:
    """Count the operators that are not on the target's list, or not as it wants them.

    Each is named with every reason. ArtifactError where the file cannot be read, MeasurementError
    where it holds no operator.
    """
    graph = parse(candidate.tflite, subject=candidate.name)
    found = violations(
        NAME,
        candidate.name,
        target_breaches(graph, target),
        n=sum(len(subgraph.operators) for subgraph in graph.subgraphs),
        artifacts=(candidate.sha256,),
    )
    return replace(found, evidence=(f"target {target}",))


def target_breaches(graph: Graph, target: Target) -> tuple[str, ...]:
    """A sentence for each operator of a graph that a target does not take, in their order."""
    return tuple(
        f"{part(subgraph)}{named(operator)}: {'; '.join(reasons)}"
        for subgraph in graph.subgraphs
        for operator, reasons in _broken(subgraph, target)
    )


def _broken(subgraph: Subgraph, target: Target) -> Iterator[tuple[Operator, tuple[str, ...]]]:
    found = roles(subgraph)
    for operator in subgraph.operators:
        if reasons := tuple(_reasons(_view(subgraph, operator, found), target)):
            yield operator, reasons


def _view(subgraph: Subgraph, operator: Operator, found: tuple[Role, ...]) -> View:
    def around(indices: tuple[int, ...]) -> tuple[tuple[Tensor, Role], ...]:
        return tuple((subgraph.tensors[i], found[i]) for i in indices if i != ABSENT)

    return View(operator=operator, read=around(operator.inputs), written=around(operator.outputs))


def _reasons(view: View, target: Target) -> Iterator[str]:
    operator = view.operator
    if operator.name == "CUSTOM":
        if operator.custom_code not in target.custom:
            yield f"{target.name} has no custom operator {operator.custom_code}"
        return
    rule = target.operators.get(operator.name)
    if rule is None:
        yield f"it is not on the list of {target.name}"
        return
    for each in RULES:
        yield from each(view, rule)


_NAME = 48
"""Characters of a tensor's name that a reason shows; those of fused layers run to hundreds."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An operator with the tensors around it, each with its role."""

    operator: Operator
    read: tuple[tuple[Tensor, Role], ...]
    """Those that are given, in the order of the operands."""
    written: tuple[tuple[Tensor, Role], ...]

    @property
    def data(self) -> tuple[Tensor, ...]:
        """Inputs, activations and outputs, and constants that stand in the place of one."""
        return tuple(one for one, role in (*self.read, *self.written) if _is_data(one, role))

    def of(self, role: Role) -> tuple[Tensor, ...]:
        """What it reads of one role."""
        return tuple(one for one, found in self.read if found is role)


def _is_data(tensor: Tensor, role: Role) -> bool:
    if role is Role.CONSTANT:
        return tensor.dtype in FLOATS or bool(tensor.scales)
    return role not in (Role.WEIGHT, Role.BIAS)


Breaches = Iterator[str]


def _called(tensor: Tensor) -> str:
    return repr(shortened(tensor.name, _NAME))


def _types(view: View, rule: Rule) -> Breaches:
    yield from _wrong_types("", view.data, rule.types)
    yield from _wrong_types("weights ", view.of(Role.WEIGHT), rule.weights)
    yield from _wrong_types("bias ", view.of(Role.BIAS), rule.biases)


def _wrong_types(what: str, tensors: Sequence[Tensor], types: tuple[str, ...] | None) -> Breaches:
    wrong = [one for one in tensors if types is not None and one.dtype not in types]
    if wrong and types is not None:
        first = wrong[0]
        yield f"{what}{_called(first)} is {first.dtype}, allowed: {', '.join(types)}"


def _hybrid(view: View, rule: Rule) -> Breaches:
    weights = [one for one in view.of(Role.WEIGHT) if one.dtype not in FLOATS]
    floats = [one for one in view.data if one.dtype in FLOATS]
    if rule.hybrid is False and weights and floats:
        yield f"{weights[0].dtype} weights beside {floats[0].dtype} activations"


def _quantized(view: View, rule: Rule) -> Breaches:
    learned = (*view.data, *view.of(Role.WEIGHT))
    bare = [one for one in learned if one.dtype not in FLOATS and not one.scales]
    if rule.quantized and bare:
        yield f"{_called(bare[0])} has no scale"


def _per_channel(view: View, rule: Rule) -> Breaches:
    several = [one for one in (*view.data, *view.of(Role.WEIGHT)) if len(one.scales) > 1]
    if rule.per_channel is False and several:
        yield f"{_called(several[0])} has {len(several[0].scales)} scales, allowed: one"


def _version(view: View, rule: Rule) -> Breaches:
    yield from _outside("version", [view.operator.version], rule.versions)


def _shapes(view: View, rule: Rule) -> Breaches:
    shapes = [one.shape for one in view.data]
    yield from _outside("dimensions", map(len, shapes), rule.ranks)
    yield from _outside("a dimension of", (size for one in shapes for size in one), rule.sizes)
    if rule.wide is not None:
        outer = [one for one in shapes if any(size > 1 for size in one[: -rule.wide])]
        yield from (f"shape {one}, only the last {rule.wide} may be above 1" for one in outer[:1])
    first = view.read[0][0].shape if view.read else ()
    if rule.batch is not None and len(first) == 4 and first[0] != rule.batch:
        yield f"batch {first[0]}, allowed: {rule.batch}"


def _strides(view: View, rule: Rule) -> Breaches:
    found = [size for name, size in view.operator.options if name.startswith("stride_")]
    yield from _outside("stride", found, rule.strides)


def _activation(view: View, rule: Rule) -> Breaches:
    fused = view.operator.activation
    if rule.activations is not None and fused not in ("NONE", *rule.activations):
        yield f"fused {fused}, allowed: {', '.join(rule.activations) or 'none'}"


def _operands(view: View, rule: Rule) -> Breaches:
    operator = view.operator
    given = {one.index: one for one, _ in view.read}
    for number in rule.required:
        if operand(operator, number) == ABSENT:
            yield f"operand {number} is missing"
    for number in rule.constant:
        found = given.get(operand(operator, number))
        if found and not found.is_constant:
            yield f"operand {number} {_called(found)} is computed, it must be a constant"
    yield from _outside("operands", [len(view.read)], rule.inputs)
    yield from _outside("outputs", [len(view.written)], rule.outputs)


def _outside(what: str, values: Iterator[int] | Sequence[int], allowed: Range | None) -> Breaches:
    """The first value that is not in a range."""
    wrong = [one for one in values if allowed and not allowed[0] <= one <= allowed[1]]
    if wrong and allowed:
        yield f"{what} {wrong[0]}, allowed: {allowed[0]} to {allowed[1]}"


RULES: tuple[Callable[[View, Rule], Breaches], ...] = (
    _types,
    _hybrid,
    _quantized,
    _per_channel,
    _version,
    _shapes,
    _strides,
    _activation,
    _operands,
)
