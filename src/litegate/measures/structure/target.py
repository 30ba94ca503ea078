"""Find the operators of a file that a target (a runtime or accelerator) does not take."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import final

from litegate.core.escaping import LISTED, shortened
from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name
from litegate.measures.structure.operators import graph_prefix, operator_label
from litegate.measures.structure.runtime_trial import trial_of
from litegate.measures.structure.tensor_roles import Role, operand, roles
from litegate.runtimes.program import Refused
from litegate.spec import Artifact
from litegate.spec.runtimes import TFLM
from litegate.spec.targets import Range, Rule, Target
from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Subgraph, Tensor
from litegate.tflite.parser import parse

_ASKED = "the interpreter was asked to load the file and to run it"


def target_violations(candidate: Artifact, target: Target) -> Measurement:
    """Count the operators that are missing from the target's list or break its conditions.

    On the runtime "tflm" its interpreter loads the file and runs it. A refusal is an offender, in
    the interpreter's words. It replaces litegate's own list `tflm`; any other list bounds the file
    besides. Else the offenders name each operator with all reasons. Raises ArtifactError if the
    file cannot be read, or if the interpreter crashes; MeasurementError if it has no operator.
    """
    graph = parse(candidate.tflite, subject=candidate.name)
    breaches = target_breaches(graph, target)
    asked: tuple[str, ...] = ()
    offenders = breaches
    if candidate.runtime == TFLM:
        offenders, asked = _asked(candidate, target, breaches)
    measurement = violations(
        Name.UNSUPPORTED_OPERATORS,
        candidate.name,
        offenders,
        n=sum(len(subgraph.operators) for subgraph in graph.subgraphs),
        artifacts=(candidate.sha256,),
    )
    return replace(measurement, evidence=(f"target {target}", *asked))


def _asked(
    candidate: Artifact, target: Target, breaches: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ask the interpreter; return the offenders, and evidence. Raises ArtifactError if it crashes.

    The breaches of litegate's own list explain a refusal: they name the operator.
    """
    trial = trial_of(candidate)
    if trial.error and not isinstance(trial.error, Refused):
        raise trial.error
    refusal = (trial.refusal,) if trial.error else ()
    if target.name != TFLM:
        return (*refusal, *breaches), (_ASKED,)
    return refusal, (_ASKED, *(f"by the list of {target.name}: {it}" for it in breaches[:LISTED]))


def target_breaches(graph: Graph, target: Target) -> tuple[str, ...]:
    """Return a sentence for each operator of a graph that a target does not take, in order."""
    return breaches_by_target(graph, (target,))[target.name]


def breaches_by_target(graph: Graph, targets: tuple[Target, ...]) -> dict[str, tuple[str, ...]]:
    """Return the sentences of `target_breaches` for several targets, by their names."""
    sentences: dict[str, list[str]] = {target.name: [] for target in targets}
    for subgraph in graph.subgraphs:
        for operator, target, reasons in _breaches(graph, subgraph, targets):
            label = f"{graph_prefix(subgraph)}{operator_label(operator)}"
            sentences[target.name].append(f"{label}: {'; '.join(reasons)}")
    return {name: tuple(lines) for name, lines in sentences.items()}


def refused_operators(graph: Graph, target: Target) -> dict[int, str]:
    """Return the reasons against operators of the main graph, by the operators' index."""
    return {
        operator.index: "; ".join(reasons)
        for operator, _, reasons in _breaches(graph, graph.main, (target,))
    }


def _breaches(
    graph: Graph, subgraph: Subgraph, targets: tuple[Target, ...]
) -> Iterator[tuple[Operator, Target, tuple[str, ...]]]:
    tensor_roles = roles(subgraph)
    facts = [_tensor_facts(*pair) for pair in zip(subgraph.tensors, tensor_roles, strict=True)]
    # Large networks repeat a few kinds of operators thousands of times.
    refusing: dict[Hashable, tuple[Target, ...]] = {}
    for operator in subgraph.operators:
        kind = _operator_facts(operator, facts)
        if (still_to_ask := refusing.get(kind, targets)) == ():
            continue
        context = _context(graph, subgraph, operator, tensor_roles)
        breaches = [(target, tuple(_reasons(context, target))) for target in still_to_ask]
        refusing[kind] = tuple(target for target, reasons in breaches if reasons)
        yield from ((operator, target, reasons) for target, reasons in breaches if reasons)


def _tensor_facts(tensor: Tensor, role: Role) -> Hashable:
    """Return all that a condition may depend on; names are only printed."""
    buffer = tensor.buffer if tensor.is_constant else None
    scales = (len(tensor.scales), tensor.is_quantized)
    return role, tensor.dtype, tensor.shape, scales, buffer


def _operator_facts(operator: Operator, facts: Sequence[Hashable]) -> Hashable:
    """Return all that a condition may depend on, with the facts of the tensors around it."""
    operands = (*operator.inputs, *operator.outputs)
    return (
        (operator.name, operator.custom_code, operator.version),
        (operator.activation, operator.options, len(operator.inputs)),
        tuple(None if index == ABSENT else facts[index] for index in operands),
        # one tensor may be two operands
        tuple(map(operands.index, operands)),
    )


def _context(
    graph: Graph, subgraph: Subgraph, operator: Operator, tensor_roles: tuple[Role, ...]
) -> OperatorContext:
    def with_roles(indices: tuple[int, ...]) -> tuple[tuple[Tensor, Role], ...]:
        return tuple((subgraph.tensors[i], tensor_roles[i]) for i in indices if i != ABSENT)

    return OperatorContext(
        graph=graph,
        operator=operator,
        read=with_roles(operator.inputs),
        written=with_roles(operator.outputs),
    )


def _reasons(context: OperatorContext, target: Target) -> Iterator[str]:
    if target.folds_shapes and context.computes_shapes:
        return
    operator = context.operator
    if operator.name == "CUSTOM":
        if operator.custom_code not in target.custom:
            yield f"{target.name} has no custom operator {operator.custom_code}"
        return
    rule = target.operators.get(operator.name)
    if rule is None:
        yield f"it is not on the list of {target.name}"
        return
    for condition in CONDITIONS:
        yield from condition(context, rule)


_NAME_LENGTH = 48
"""The longest tensor name in a reason; the names of fused layers have hundreds of characters, and
would push the reason itself off the line."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorContext:
    """An operator with the tensors around it, each with its role."""

    graph: Graph
    operator: Operator
    read: tuple[tuple[Tensor, Role], ...]
    """Input tensors with their roles, in the order of the operands; omitted ones are left out."""
    written: tuple[tuple[Tensor, Role], ...]
    """Output tensors with their roles."""

    @property
    def computes_shapes(self) -> bool:
        """Return True if all that it writes are shapes, or has no values that matter."""
        return bool(self.written) and all(role is Role.CONSTANT for _, role in self.written)

    def read_data(self, rule: Rule) -> tuple[Tensor, ...]:
        """Return the data among the operands: no weights, biases, states, shapes or indices."""
        excluded = {operand(self.operator, number) for number in rule.indices or ()}
        return tuple(
            tensor
            for tensor, role in self.read
            if tensor.index not in excluded and _is_data(tensor, role, rule)
        )

    def results(self, rule: Rule) -> tuple[Tensor, ...]:
        """Return the data among the outputs."""
        return tuple(tensor for tensor, role in self.written if _is_data(tensor, role, rule))

    def data(self, rule: Rule) -> tuple[Tensor, ...]:
        """Return the inputs, activations and outputs, and constants in the place of one."""
        return (*self.read_data(rule), *self.results(rule))

    def operands(self, numbers: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Return the operands with these numbers that the operator has."""
        wanted = {operand(self.operator, number) for number in numbers}
        return tuple(tensor for tensor, _ in self.read if tensor.index in wanted)

    def of(self, role: Role) -> tuple[Tensor, ...]:
        """Return the tensors of one role that the operator reads."""
        return tuple(tensor for tensor, tensor_role in self.read if tensor_role is role)


def _is_data(tensor: Tensor, role: Role, rule: Rule) -> bool:
    if role is Role.CONSTANT and rule.indices is None:
        return tensor.dtype in FLOATS or tensor.is_quantized
    return role not in (Role.WEIGHT, Role.BIAS, Role.STATE)


Breaches = Iterator[str]


def _short_name(tensor: Tensor) -> str:
    return repr(shortened(tensor.name, _NAME_LENGTH))


def _types(context: OperatorContext, rule: Rule) -> Breaches:
    results = rule.types if rule.results is None else rule.results
    yield from _wrong_types("", context.read_data(rule), rule.types)
    yield from _wrong_types("", context.results(rule), results)
    yield from _wrong_types("weights ", context.of(Role.WEIGHT), rule.weights)
    yield from _wrong_types("bias ", context.of(Role.BIAS), rule.biases)
    yield from _wrong_types("state ", context.of(Role.STATE), rule.states)
    indices = context.operands(rule.indices or ())
    yield from _wrong_types("index ", indices, rule.index_types)


def _type_pairs(context: OperatorContext, rule: Rule) -> Breaches:
    if rule.conversions is None and not rule.alike:
        return
    read, results = context.read_data(rule), context.results(rule)
    pairs = [f"{before.dtype} {after.dtype}" for before in read[:1] for after in results[:1]]
    for pair in pairs:
        if rule.conversions is not None and pair not in rule.conversions:
            allowed = ", ".join(name.replace(" ", " to ") for name in rule.conversions)
            yield f"{pair.replace(' ', ' to ')}, allowed: {allowed}"
    types = {tensor.dtype for tensor in (*read, *results, *context.of(Role.WEIGHT))}
    if rule.alike and len(types) > 1:
        yield f"{' beside '.join(sorted(types))}, allowed: one type"


def _wrong_types(prefix: str, tensors: Sequence[Tensor], types: tuple[str, ...] | None) -> Breaches:
    wrong = [tensor for tensor in tensors if types is not None and tensor.dtype not in types]
    if wrong and types is not None:
        first = wrong[0]
        yield f"{prefix}{_short_name(first)} is {first.dtype}, allowed: {', '.join(types)}"


def _hybrid(context: OperatorContext, rule: Rule) -> Breaches:
    if rule.hybrid is not False:
        return
    kinds = ((Role.WEIGHT, "weights"), (Role.BIAS, "bias"), (Role.STATE, "state"))
    pairs = (
        f"{learned.dtype} {name} beside {tensor.dtype} activations"
        for role, name in kinds
        for learned in context.of(role)
        for tensor in context.data(rule)
        if learned.dtype != "resource" and (learned.dtype in FLOATS) is not (tensor.dtype in FLOATS)
    )
    yield from islice(pairs, 1)


def _quantized(context: OperatorContext, rule: Rule) -> Breaches:
    if not rule.quantized:
        return
    learned = (*context.data(rule), *context.of(Role.WEIGHT))
    without_scale = [
        tensor
        for tensor in learned
        if not (tensor.dtype in FLOATS or tensor.is_quantized or tensor.dtype in rule.unscaled)
    ]
    if without_scale:
        yield f"{_short_name(without_scale[0])} has no scale"


def _per_channel(context: OperatorContext, rule: Rule) -> Breaches:
    if rule.per_channel is not False:
        return
    per_channel = [
        tensor
        for tensor in (*context.data(rule), *context.of(Role.WEIGHT))
        if len(tensor.scales) > 1
    ]
    if per_channel:
        yield f"{_short_name(per_channel[0])} has {len(per_channel[0].scales)} scales, allowed: one"


def _version(context: OperatorContext, rule: Rule) -> Breaches:
    yield from _outside("version", [context.operator.version], rule.versions)


def _shapes(context: OperatorContext, rule: Rule) -> Breaches:
    shapes = [tensor.shape for tensor in context.data(rule)]
    yield from _outside("dimensions", map(len, shapes), rule.ranks)
    yield from _outside("a dimension of", (size for shape in shapes for size in shape), rule.sizes)
    if rule.wide is not None:
        rejected = [shape for shape in shapes if any(size > 1 for size in shape[: -rule.wide])]
        yield from (
            f"shape {shape}, only the last {rule.wide} may be above 1" for shape in rejected[:1]
        )
    first = context.read[0][0].shape if context.read else ()
    # Only the four dimensions of images (NHWC) begin with the batch for sure.
    if rule.batch is not None and len(first) == 4 and first[0] != rule.batch:
        yield f"batch {first[0]}, allowed: {rule.batch}"


def _strides(context: OperatorContext, rule: Rule) -> Breaches:
    strides = [size for name, size in context.operator.options if name.startswith("stride_")]
    yield from _outside("stride", strides, rule.strides)


def _activation(context: OperatorContext, rule: Rule) -> Breaches:
    fused = context.operator.activation
    if rule.activations is not None and fused not in ("NONE", *rule.activations):
        yield f"fused {fused}, allowed: {', '.join(rule.activations) or 'none'}"


def _operands(context: OperatorContext, rule: Rule) -> Breaches:
    operator = context.operator
    tensors = {tensor.index: tensor for tensor, _ in context.read}
    for number in rule.required:
        if operand(operator, number) == ABSENT:
            yield f"operand {number} is missing"
    for number in rule.constant:
        operand_tensor = tensors.get(operand(operator, number))
        if operand_tensor and not operand_tensor.is_constant:
            name = _short_name(operand_tensor)
            yield f"operand {number} {name} is computed, it must be a constant"
    yield from _outside("operands", [len(context.read)], rule.inputs)
    yield from _outside("outputs", [len(context.written)], rule.outputs)


def _last_axis(context: OperatorContext, rule: Rule) -> Breaches:
    if rule.last_axis is None or not context.read:
        return
    rank = len(context.read[0][0].shape)
    for axis in context.operands((rule.last_axis,)):
        data = bytes(context.graph.buffers[axis.buffer].data)
        is_number = axis.dtype in ("int32", "int64") and math.prod(axis.shape) == 1
        value = int.from_bytes(data, "little", signed=True) if is_number else None
        if not axis.is_constant:
            yield "axis computed, allowed: the last one"
        elif value not in (rank - 1, -1):
            got = value if is_number else f"{axis.dtype} of shape {axis.shape}"
            yield f"axis {got}, allowed: the last one"


def _outside(name: str, values: Iterator[int] | Sequence[int], allowed: Range | None) -> Breaches:
    """Yield a reason that names the first value outside the allowed range, if there is one."""
    wrong = [value for value in values if allowed and not allowed[0] <= value <= allowed[1]]
    if wrong and allowed:
        yield f"{name} {wrong[0]}, allowed: {allowed[0]} to {allowed[1]}"


CONDITIONS: tuple[Callable[[OperatorContext, Rule], Breaches], ...] = (
    _types,
    _type_pairs,
    _hybrid,
    _quantized,
    _per_channel,
    _version,
    _shapes,
    _strides,
    _activation,
    _operands,
    _last_axis,
)
