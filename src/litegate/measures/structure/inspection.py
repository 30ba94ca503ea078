"""Inspection: all that a file tells without being run, for `litegate inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from litegate.core.errors import MeasurementError
from litegate.measures.structure.arena import Plan, plan
from litegate.measures.structure.macs import Cost, costs
from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.target import target_breaches
from litegate.measures.structure.tensor_roles import Role, roles
from litegate.spec import Kind, Recipe
from litegate.spec.targets import Target
from litegate.tflite.converter_metadata import NAME, read
from litegate.tflite.graph import FLOATS, Graph, Operator, Signature, Subgraph, Tensor
from litegate.tflite.ports import called
from litegate.tflite.reader import parse

_LEARNED = (Role.WEIGHT, Role.BIAS)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A tensor, what it is for, and the graph that it stands in."""

    graph: int
    role: Role
    tensor: Tensor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a file holds."""

    size: int
    """Bytes of the file."""
    origin: Origin
    inputs: Mapping[str, Tensor]
    """By name, as they are fed."""
    outputs: Mapping[str, Tensor]
    signatures: tuple[Signature, ...]
    operators: tuple[tuple[str, int, int], ...]
    """Each kind with its version and how often it stands there, in the order of the alphabet."""
    costs: tuple[Cost, ...]
    """One for each operator of the main graph."""
    tensors: tuple[Placed, ...]
    weight_bytes: int
    """Of weights and biases, each buffer once."""
    constant_bytes: int
    """Of the other constants: shapes, tables, padding."""
    activation_bytes: int
    """Of all that is computed or fed, as if each had memory of its own; inputs and outputs too."""
    plan: Plan | None
    """The arena; None where it cannot be planned."""
    unplanned: str
    """Why it cannot; empty where it can."""
    not_integer: tuple[str, ...]
    """What keeps the file from being integer all through, its ports included."""
    targets: dict[str, tuple[str, ...]]
    """What each target does not take, by its name."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the operators whose cost is known."""
        return sum(one.macs or 0 for one in self.costs)

    @property
    def uncounted(self) -> tuple[Operator, ...]:
        """The operators whose cost is not known."""
        return tuple(one.operator for one in self.costs if one.macs is None)


def inspection(
    tflite: bytes, targets: tuple[Target, ...], *, subject: str, signature: str = ""
) -> Inspection:
    """Look at the bytes of a `.tflite` file, of a signature or the first graph.

    ArtifactError where they are none, or have no such signature.
    """
    graph = parse(tflite, subject=subject, signature=signature)
    found, why = _planned(graph, subject)
    tensors = tuple(one for subgraph in graph.subgraphs for one in _placed(subgraph))
    computed = (one.tensor for one in tensors if not one.tensor.is_constant)
    return Inspection(
        size=len(tflite),
        origin=origin(graph),
        inputs=called(graph, "inputs", signature),
        outputs=called(graph, "outputs", signature),
        signatures=graph.signatures,
        operators=_census(graph),
        costs=costs(graph),
        tensors=tensors,
        weight_bytes=_stored(tensors, learned=True),
        constant_bytes=_stored(tensors, learned=False),
        activation_bytes=sum(one.memory or 0 for one in computed),
        plan=found,
        unplanned=why,
        not_integer=_not_integer(graph),
        targets={one.name: target_breaches(graph, one) for one in targets},
    )


def _planned(graph: Graph, subject: str) -> tuple[Plan | None, str]:
    try:
        return plan(graph, subject), ""
    except MeasurementError as error:
        return None, error.got


def _placed(subgraph: Subgraph) -> tuple[Placed, ...]:
    pairs = zip(subgraph.tensors, roles(subgraph), strict=True)
    return tuple(Placed(graph=subgraph.index, role=role, tensor=one) for one, role in pairs)


def _census(graph: Graph) -> tuple[tuple[str, int, int], ...]:
    kinds = Counter(
        (f"{one.name} {one.custom_code}".strip(), one.version)
        for subgraph in graph.subgraphs
        for one in subgraph.operators
    )
    return tuple((name, version, count) for (name, version), count in sorted(kinds.items()))


def _stored(tensors: tuple[Placed, ...], *, learned: bool) -> int:
    """Bytes of the buffers of weights and biases, or of the other constants."""
    mine = {one.tensor.buffer: one.tensor.nbytes for one in tensors if one.role in _LEARNED}
    if learned:
        return sum(mine.values())
    constants = {one.tensor.buffer: one.tensor.nbytes for one in tensors}
    return sum(size for buffer, size in constants.items() if buffer not in mine)


def _not_integer(graph: Graph) -> tuple[str, ...]:
    main = graph.main
    sides = (("input", main.inputs), ("output", main.outputs))
    ports = (
        f"{side} {main.tensors[index].name!r} is {main.tensors[index].dtype}"
        for side, indices in sides
        for index in indices
        if main.tensors[index].dtype in FLOATS
    )
    return (*ports, *operator_breaches(graph, Recipe(name="integer", kind=Kind.INT8_PTQ)))


_TRAINED = ("FakeQuant", "/quant_", "quantize_layer")
"""What tfmot and its fake quantization leave in the names of tensors."""
UNSAID = "the file does not say"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a file comes from."""

    form: str
    """What its types are: "float32", "float16 weights", "dynamic range", "int8", "int16x8",
    "partly integer"."""
    way: str
    """How it was quantized: as the converter wrote it, else what tensor names point to."""
    converter: str
    """The description in the file and TensorFlow's version, where they stand there."""
    min_runtime: str
    """The first TensorFlow Lite that has every operator, as the converter wrote it."""


def origin(graph: Graph) -> Origin:
    """Read what a file says of itself, in its types, its metadata and its names."""
    entries = {one.name: bytes(graph.buffers[one.buffer].data) for one in graph.metadata}
    conversion = read(entries.get(NAME, b""))
    form = _form(graph)
    tensorflow = f"TensorFlow {conversion.version}" if conversion.version else ""
    return Origin(
        form=form,
        way=", ".join(conversion.modes) or ("none" if form == "float32" else _way(graph)),
        converter=", ".join(filter(None, (graph.description, tensorflow))) or UNSAID,
        min_runtime=_text(entries.get("min_runtime_version", b"")) or UNSAID,
    )


def _form(graph: Graph) -> str:
    held = set(_kinds(graph, Role.WEIGHT, Role.BIAS, Role.CONSTANT))
    passed = set(_kinds(graph, Role.ACTIVATION))
    weights, values = held - FLOATS, passed - FLOATS
    if not weights and not values:
        return "float16 weights" if "float16" in held else "float32"
    if passed & FLOATS:
        return "partly integer" if values else "dynamic range"
    return "int16x8" if "int16" in values else "int8" if values <= {"int8", "uint8"} else "integer"


def _kinds(graph: Graph, *wanted: Role) -> Iterator[str]:
    """The types of real-valued tensors with one of the roles; shapes and indices are none.

    A graph of one operator has no activation between operators: there its ports stand for them.
    """
    for subgraph in graph.subgraphs:
        pairs = list(zip(subgraph.tensors, roles(subgraph), strict=True))
        inner = any(role is Role.ACTIVATION and _is_real(one) for one, role in pairs)
        ports = () if inner else (Role.INPUT, Role.OUTPUT)
        asked = (*wanted, *(ports if Role.ACTIVATION in wanted else ()))
        yield from (one.dtype for one, role in pairs if role in asked and _is_real(one))


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype in FLOATS or bool(tensor.scales)


def _way(graph: Graph) -> str:
    names = (one.name for subgraph in graph.subgraphs for one in subgraph.tensors)
    if any(mark in name for name in names for mark in _TRAINED):
        return f"{UNSAID}; names of tensors point to quantization-aware training"
    return UNSAID


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
