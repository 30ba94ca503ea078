"""Inspect a file without running it, for `litegate inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from litegate.core.errors import MeasurementError
from litegate.measures.structure.arena import ArenaPlan, plan
from litegate.measures.structure.macs import Cost, costs
from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.target import breaches_by_target
from litegate.measures.structure.tensor_roles import Role, layer_uses, roles
from litegate.spec import Kind, Recipe
from litegate.spec.targets import Target
from litegate.tflite.converter_metadata import NAME, read
from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Signature, Subgraph, Tensor
from litegate.tflite.nibbles import INT4
from litegate.tflite.npu import NpuContents, npu_contents
from litegate.tflite.parser import parse
from litegate.tflite.ports import graph_ports
from litegate.tflite.variables import Variable, variables

_LEARNED_ROLES = (Role.WEIGHT, Role.BIAS)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedTensor:
    """A tensor with its role and the index of its subgraph."""

    graph: int
    role: Role
    tensor: Tensor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The contents of a file."""

    size: int
    """Bytes of the file."""
    origin: Origin
    inputs: Mapping[str, Tensor]
    """Input tensors by name."""
    outputs: Mapping[str, Tensor]
    """Output tensors by name."""
    signatures: tuple[Signature, ...]
    operators: tuple[tuple[str, int, int], ...]
    """Each kind of operator with its version and its count, sorted by name."""
    costs: tuple[Cost, ...]
    """The cost of each operator of the main graph."""
    tensors: tuple[InspectedTensor, ...]
    weight_bytes: int
    """Bytes of weights and biases; a shared buffer counts once."""
    constant_bytes: int
    """Bytes of the other constants: shapes, tables, padding."""
    activation_bytes: int
    """Bytes of all inputs, outputs and computed tensors, as if none shared memory."""
    variables: tuple[Variable, ...]
    """The values that persist from one invocation to the next, of all graphs."""
    plan: ArenaPlan | None
    """The plan of the arena; None if it cannot be planned."""
    unplanned: str
    """The reason why the arena cannot be planned, or an empty string."""
    not_integer: tuple[str, ...]
    """Reasons why the file is not integer throughout, its ports included."""
    npu: NpuContents
    """The commands and constants for an Ethos-U, if Vela compiled the file."""
    targets: dict[str, tuple[str, ...]]
    """The operators that each target does not take, with reasons, by the target's name."""

    @property
    def state_bytes(self) -> int:
        """Bytes of the variables whose size is known."""
        return sum(variable.memory or 0 for variable in self.variables)

    @property
    def macs(self) -> int:
        """The multiply-accumulates of all operators whose cost is known."""
        return sum(cost.macs or 0 for cost in self.costs)

    @property
    def uncounted(self) -> tuple[Operator, ...]:
        """The operators whose cost is unknown."""
        return tuple(cost.operator for cost in self.costs if cost.macs is None)


def inspection(
    tflite: bytes, targets: tuple[Target, ...], *, subject: str, signature: str = ""
) -> Inspection:
    """Inspect the bytes of a `.tflite` file; its main graph is that of `signature`, else the first.

    Raises ArtifactError if they are not a `.tflite` file or have no such signature.
    """
    graph = parse(tflite, subject=subject, signature=signature)
    memory_plan, reason = _plan_arena(graph, subject)
    tensors = tuple(placed for subgraph in graph.subgraphs for placed in _place_tensors(subgraph))
    computed = (
        placed.tensor
        for placed in tensors
        if not (placed.tensor.is_constant or placed.tensor.is_variable)
    )
    return Inspection(
        size=len(tflite),
        origin=origin(graph),
        inputs=graph_ports(graph, "inputs", signature),
        outputs=graph_ports(graph, "outputs", signature),
        signatures=graph.signatures,
        operators=_count_operators(graph),
        costs=costs(graph),
        tensors=tensors,
        weight_bytes=_constant_bytes(tensors, learned=True),
        constant_bytes=_constant_bytes(tensors, learned=False),
        activation_bytes=sum(tensor.memory or 0 for tensor in computed),
        variables=variables(graph),
        plan=memory_plan,
        unplanned=reason,
        not_integer=_integer_breaches(graph),
        npu=npu_contents(graph),
        targets=breaches_by_target(graph, targets),
    )


def _plan_arena(graph: Graph, subject: str) -> tuple[ArenaPlan | None, str]:
    try:
        return plan(graph, subject), ""
    except MeasurementError as error:
        return None, error.got


def _place_tensors(subgraph: Subgraph) -> tuple[InspectedTensor, ...]:
    pairs = zip(subgraph.tensors, roles(subgraph), strict=True)
    return tuple(
        InspectedTensor(graph=subgraph.index, role=role, tensor=tensor) for tensor, role in pairs
    )


def _count_operators(graph: Graph) -> tuple[tuple[str, int, int], ...]:
    kinds = Counter(
        (f"{operator.name} {operator.custom_code}".strip(), operator.version)
        for subgraph in graph.subgraphs
        for operator in subgraph.operators
    )
    return tuple((name, version, count) for (name, version), count in sorted(kinds.items()))


def _constant_bytes(tensors: tuple[InspectedTensor, ...], *, learned: bool) -> int:
    """Sum the bytes of the buffers of weights and biases, or of all other constants."""
    learned_sizes = {
        placed.tensor.buffer: placed.tensor.nbytes
        for placed in tensors
        if placed.role in _LEARNED_ROLES
    }
    if learned:
        return sum(learned_sizes.values())
    constants = {placed.tensor.buffer: placed.tensor.nbytes for placed in tensors}
    return sum(size for buffer, size in constants.items() if buffer not in learned_sizes)


def _integer_breaches(graph: Graph) -> tuple[str, ...]:
    main = graph.main
    sides = (("input", main.inputs), ("output", main.outputs))
    ports = (
        f"{side} {main.tensors[index].name!r} is {main.tensors[index].dtype}"
        for side, indices in sides
        for index in indices
        if main.tensors[index].dtype in FLOATS
    )
    return (*ports, *operator_breaches(graph, Recipe(name="integer", kind=Kind.INT8_PTQ)))


_QAT_MARKS = ("FakeQuant", "/quant_", "quantize_layer")
"""Parts of tensor names that tfmot's quantization-aware training leaves behind."""
UNSAID = "the file does not say"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of a file: its quantization and its converter."""

    form: str
    """The types: "float32", "float16 weights", "int8 weights" or "int4 weights" that are unpacked
    to floats, "dynamic range", "dynamic range, int4", "int8", "int16x8", "integer" or "partly
    integer"."""
    quantization: str
    """How the file was quantized, by the converter's metadata, else by tensor names."""
    converter: str
    """The file's description and TensorFlow's version, as far as the file has them."""
    min_runtime: str
    """The first TensorFlow Lite version with every operator, by the converter's metadata."""


def origin(graph: Graph) -> Origin:
    """Determine a file's origin from its tensor types, metadata and tensor names."""
    entries = {entry.name: bytes(graph.buffers[entry.buffer].data) for entry in graph.metadata}
    conversion = read(entries.get(NAME, b""))
    form = _form(graph)
    tensorflow = f"TensorFlow {conversion.version}" if conversion.version else ""
    return Origin(
        form=form,
        quantization=", ".join(conversion.modes)
        or ("none" if form == "float32" else _quantization_by_names(graph)),
        converter=", ".join(filter(None, (graph.description, tensorflow))) or UNSAID,
        min_runtime=_text(entries.get("min_runtime_version", b"")) or UNSAID,
    )


def _form(graph: Graph) -> str:
    constant_types = set(_real_types(graph, Role.WEIGHT, Role.BIAS, Role.CONSTANT))
    activation_types = set(_real_types(graph, Role.ACTIVATION))
    integer_constants, integer_activations = constant_types - FLOATS, activation_types - FLOATS
    if not (constant_types | activation_types):
        return "integer"  # indices, masks and the like alone
    if not integer_constants and not integer_activations:
        return "float16 weights" if "float16" in constant_types else "float32"
    if activation_types & FLOATS:
        return "partly integer" if integer_activations else _packed_form(graph, integer_constants)
    data_types = _layer_data_types(graph) or integer_activations
    if "int16" in data_types:
        return "int16x8"
    return "int8" if data_types <= {"int8", "uint8"} else "integer"


def _packed_form(graph: Graph, integer_constants: set[str]) -> str:
    """Name the integer weights of a file with float activations: unpacked, or read by kernels."""
    is_unpacked = not any(
        tensor.is_constant and tensor.is_quantized
        for subgraph in graph.subgraphs
        for operator in subgraph.operators
        if operator.name != "DEQUANTIZE"
        for tensor in (subgraph.tensors[index] for index in operator.inputs if index != ABSENT)
    )
    if is_unpacked:
        return f"{min(integer_constants)} weights"
    return "dynamic range, int4" if INT4 in integer_constants else "dynamic range"


def _layer_data_types(graph: Graph) -> set[str]:
    """Return the types of what layers multiply by their weights.

    They decide between int8 and int16x8: an int8 network may keep a state or an output in 16 bits.
    """
    uses = (use for subgraph in graph.subgraphs for use in layer_uses(subgraph) if use.weights)
    return {use.data.dtype for use in uses if use.data}


def _real_types(graph: Graph, *wanted: Role) -> Iterator[str]:
    """Yield the types of the real-valued tensors with one of the roles, not of shapes and indices.

    A graph of one operator has no activation between operators; its ports count as activations.
    """
    for subgraph in graph.subgraphs:
        scales = {tensor.block_scales for tensor in subgraph.tensors}
        pairs = [
            (tensor, role)
            for tensor, role in zip(subgraph.tensors, roles(subgraph), strict=True)
            if tensor.index not in scales and (role is not Role.CONSTANT or tensor.is_constant)
        ]
        has_activations = any(
            role is Role.ACTIVATION and _is_real(tensor) for tensor, role in pairs
        )
        ports = () if has_activations else (Role.INPUT, Role.OUTPUT)
        all_roles = (*wanted, *(ports if Role.ACTIVATION in wanted else ()))
        yield from (
            tensor.dtype for tensor, role in pairs if role in all_roles and _is_real(tensor)
        )


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype in FLOATS or tensor.is_quantized


def _quantization_by_names(graph: Graph) -> str:
    names = (tensor.name for subgraph in graph.subgraphs for tensor in subgraph.tensors)
    if any(mark in name for name in names for mark in _QAT_MARKS):
        return f"{UNSAID}; names of tensors point to quantization-aware training"
    return UNSAID


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
