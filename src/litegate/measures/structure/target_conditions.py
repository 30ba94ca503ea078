"""Check an operator against a target's rule for it: types, quantization, shapes, operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import final

from litegate.measures.structure.tensor_roles import Role, operand
from litegate.spec.targets import Range, Rule
from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Tensor


@final
@dataclass(frozen=True, slots=True)
class AboutTensor:
    """A reason that names a tensor; equal for all operators of a kind, whose tensors differ."""

    before: str
    """The words before the tensor's name."""
    operand: int
    """The tensor's place among the operator's inputs and outputs."""
    after: str


Reason = str | AboutTensor
Reasons = Iterator[Reason]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
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


@final
class OperatorContext:
    """An operator and the tensors around it, sorted by a rule that it must obey."""

    def __init__(self, around: Surroundings, rule: Rule) -> None:
        """Sort the tensors once: most conditions of the rule look at the data among them."""
        self.graph, self.operator = around.graph, around.operator
        self.read, self.written = around.read, around.written
        excluded = {operand(self.operator, number) for number in rule.indices or ()}
        self.read_data = tuple(
            tensor
            for tensor, role in self.read
            if tensor.index not in excluded and _is_data(tensor, role, rule)
        )
        """The data among the operands: no weights, biases, states, shapes or indices."""
        self.results = tuple(
            tensor for tensor, role in self.written if _is_data(tensor, role, rule)
        )
        """The data among the outputs."""
        self.data = (*self.read_data, *self.results)
        """The inputs, activations and outputs, and constants in the place of one."""

    def about(self, tensor: Tensor, after: str, *, before: str = "") -> AboutTensor:
        """Return a reason that names one of the operator's tensors."""
        operands = (*self.operator.inputs, *self.operator.outputs)
        return AboutTensor(before, operands.index(tensor.index), after)

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


def _types(context: OperatorContext, rule: Rule) -> Reasons:
    results = rule.types if rule.results is None else rule.results
    yield from _wrong_types(context, "", context.read_data, rule.types)
    yield from _wrong_types(context, "", context.results, results)
    yield from _wrong_types(context, "weights ", context.of(Role.WEIGHT), rule.weights)
    yield from _wrong_types(context, "bias ", context.of(Role.BIAS), rule.biases)
    yield from _wrong_types(context, "state ", context.of(Role.STATE), rule.states)
    indices = context.operands(rule.indices or ())
    yield from _wrong_types(context, "index ", indices, rule.index_types)


def _type_pairs(context: OperatorContext, rule: Rule) -> Reasons:
    if rule.conversions is None and not rule.alike:
        return
    read, results = context.read_data, context.results
    pairs = [f"{before.dtype} {after.dtype}" for before in read[:1] for after in results[:1]]
    for pair in pairs:
        if rule.conversions is not None and pair not in rule.conversions:
            allowed = ", ".join(name.replace(" ", " to ") for name in rule.conversions)
            yield f"{pair.replace(' ', ' to ')}, allowed: {allowed}"
    types = {tensor.dtype for tensor in (*read, *results, *context.of(Role.WEIGHT))}
    if rule.alike and len(types) > 1:
        yield f"{' beside '.join(sorted(types))}, allowed: one type"


def _wrong_types(
    context: OperatorContext, prefix: str, tensors: Sequence[Tensor], types: tuple[str, ...] | None
) -> Reasons:
    if types is None:
        return
    wrong = [tensor for tensor in tensors if tensor.dtype not in types]
    if wrong:
        after = f" is {wrong[0].dtype}, allowed: {', '.join(types)}"
        yield context.about(wrong[0], after, before=prefix)


def _hybrid(context: OperatorContext, rule: Rule) -> Reasons:
    if rule.hybrid is not False:
        return
    kinds = ((Role.WEIGHT, "weights"), (Role.BIAS, "bias"), (Role.STATE, "state"))
    pairs = (
        f"{learned.dtype} {name} beside {tensor.dtype} activations"
        for role, name in kinds
        for learned in context.of(role)
        for tensor in context.data
        if learned.dtype != "resource" and (learned.dtype in FLOATS) is not (tensor.dtype in FLOATS)
    )
    yield from islice(pairs, 1)


def _quantized(context: OperatorContext, rule: Rule) -> Reasons:
    if not rule.quantized:
        return
    learned = (*context.data, *context.of(Role.WEIGHT))
    without_scale = [
        tensor
        for tensor in learned
        if not (tensor.dtype in FLOATS or tensor.is_quantized or tensor.dtype in rule.unscaled)
    ]
    if without_scale:
        yield context.about(without_scale[0], " has no scale")


def _per_channel(context: OperatorContext, rule: Rule) -> Reasons:
    if rule.per_channel is not False:
        return
    per_channel = [
        tensor for tensor in (*context.data, *context.of(Role.WEIGHT)) if len(tensor.scales) > 1
    ]
    if per_channel:
        after = f" has {len(per_channel[0].scales)} scales, allowed: one"
        yield context.about(per_channel[0], after)


def _version(context: OperatorContext, rule: Rule) -> Reasons:
    yield from _outside("version", [context.operator.version], rule.versions)


def _shapes(context: OperatorContext, rule: Rule) -> Reasons:
    shapes = [tensor.shape for tensor in context.data]
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


def _strides(context: OperatorContext, rule: Rule) -> Reasons:
    strides = [size for name, size in context.operator.options if name.startswith("stride_")]
    yield from _outside("stride", strides, rule.strides)


def _activation(context: OperatorContext, rule: Rule) -> Reasons:
    fused = context.operator.activation
    if rule.activations is not None and fused not in ("NONE", *rule.activations):
        yield f"fused {fused}, allowed: {', '.join(rule.activations) or 'none'}"


def _operands(context: OperatorContext, rule: Rule) -> Reasons:
    operator = context.operator
    tensors = {tensor.index: tensor for tensor, _ in context.read}
    for number in rule.required:
        if operand(operator, number) == ABSENT:
            yield f"operand {number} is missing"
    for number in rule.constant:
        operand_tensor = tensors.get(operand(operator, number))
        if operand_tensor and not operand_tensor.is_constant:
            after = " is computed, it must be a constant"
            yield context.about(operand_tensor, after, before=f"operand {number} ")
    yield from _outside("operands", [len(context.read)], rule.inputs)
    yield from _outside("outputs", [len(context.written)], rule.outputs)


def _last_axis(context: OperatorContext, rule: Rule) -> Reasons:
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


def _outside(name: str, values: Iterator[int] | Sequence[int], allowed: Range | None) -> Reasons:
    """Yield a reason that names the first value outside the allowed range, if there is one."""
    if not allowed:
        return
    wrong = [value for value in values if not allowed[0] <= value <= allowed[1]]
    if wrong:
        yield f"{name} {wrong[0]}, allowed: {allowed[0]} to {allowed[1]}"


CONDITIONS: tuple[Callable[[OperatorContext, Rule], Reasons], ...] = (
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
