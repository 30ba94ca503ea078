"""Read a `.tflite` file without running it: tensors, operators, buffers, metadata.

The format is the schema that LiteRT brings along; it is imported when a file is parsed, since it
brings NumPy in turn. Every index, length and reference is checked before it is followed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, final

from litegate.errors import ArtifactError
from litegate.graph import (
    ABSENT,
    Buffer,
    Graph,
    Metadata,
    Operator,
    Signature,
    Subgraph,
    Tensor,
    bits,
)

__all__ = ["ABSENT", "Buffer", "Graph", "Metadata", "Operator", "Subgraph", "Tensor", "parse"]

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
_MOST_DIMENSIONS = 64
_REREAD = 4
"""How often the bytes of a file may be read: vectors may share some, not multiply them."""


_OPTIONS = {
    "StrideD": "stride_d",
    "StrideH": "stride_h",
    "StrideW": "stride_w",
    "DilationDFactor": "dilation_d",
    "DilationHFactor": "dilation_h",
    "DilationWFactor": "dilation_w",
    "FilterHeight": "filter_h",
    "FilterWidth": "filter_w",
    "DepthMultiplier": "depth_multiplier",
    "AdjX": "adj_x",
    "AdjY": "adj_y",
}
"""The schema's accessors of an operator's options, and what they are called here."""


class _MalformedError(ValueError):
    """What is wrong with a file, in words."""


@final
class _File(bytes):
    """A file's bytes that refuse a slice past their end, and more reading than they can hold.

    The generated reader cuts such a slice short in silence, and vectors that share their elements
    could keep it busy for hours.
    """

    _left: int

    def __new__(cls, data: bytes) -> _File:
        file = super().__new__(cls, data)
        file._left = _REREAD * len(data)
        return file

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            if key.stop > len(self):
                raise _MalformedError("a name runs past the end of the file")
            self.spend(key.stop - key.start)
        return super().__getitem__(key)

    def spend(self, size: int) -> None:
        """Account for `size` bytes about to be read; refuse once they are too many."""
        self._left -= size
        if self._left < 0:
            raise _MalformedError("its vectors hold more than the file can")


@lru_cache(maxsize=8)
def parse(tflite: bytes, *, subject: str = "the model", signature: str = "") -> Graph:
    """Read the bytes of a `.tflite` file; its main graph is that of `signature`, else the first.

    Takes time and memory in proportion to the file, whatever its bytes are. Raises ArtifactError,
    naming `subject`, where they are not one whole TFLite file that this LiteRT can know, or have no
    such signature.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        return _entered(_graph(schema, _File(tflite)), signature, subject)
    except _MalformedError as error:
        raise _refusal(tflite, subject, str(error)) from None
    except (struct.error, ValueError, TypeError) as error:
        raise _refusal(tflite, subject, "a part of it lies outside the file") from error


def _entered(graph: Graph, signature: str, subject: str) -> Graph:
    if not signature:
        return graph
    places = {one.name: one.graph for one in graph.signatures}
    if signature not in places:
        raise ArtifactError(
            f"{subject} has no signature {signature!r}",
            expected=", ".join(places) or "no name, for the file has no signature",
            remedy="correct the name of the signature",
        )
    return replace(graph, entry=places[signature])


def _refusal(tflite: bytes, subject: str, got: str) -> ArtifactError:
    return ArtifactError(
        f"{subject} is not a sound .tflite file ({len(tflite):,} bytes)",
        got=got,
        remedy="build it again, or fetch it again if it came from elsewhere",
    )


def _graph(schema: Any, file: _File) -> Graph:
    if file.find(_IDENTIFIER, 4, 8) != 4:
        raise _MalformedError(
            f"no identifier {_IDENTIFIER.decode()}" if file else "no bytes at all"
        )
    model = schema.Model.GetRootAs(file, 0)
    if model.Version() != _SCHEMA_VERSION:
        raise _MalformedError(f"schema version {model.Version()}, expected {_SCHEMA_VERSION}")
    if model.ExternalBuffersLength():
        raise _MalformedError("it keeps weights in another file")
    buffers = tuple(
        _buffer(file, raw) for raw in _tables(file, model.BuffersLength(), model.Buffers)
    )
    subgraphs = tuple(_subgraphs(schema, file, model, buffers))
    if not subgraphs:
        raise _MalformedError("it holds no graph")
    signatures = tuple(_signatures(file, model, subgraphs))
    signed = {one.graph for one in signatures}
    return Graph(
        description=_text(model.Description()),
        subgraphs=tuple(replace(one, signed=one.index in signed) for one in subgraphs),
        buffers=buffers,
        metadata=tuple(_metadata(file, model, len(buffers))),
        signatures=signatures,
    )


def _tables(file: _File, length: int, get: Callable[[int], Any]) -> Iterator[Any]:
    offset_and_table = 8
    file.spend(offset_and_table * length)
    return map(get, range(length))


def _numbers(file: _File, vector: Any) -> tuple[Any, ...]:
    """A vector as the generated reader gives it: an array, or 0 where it is absent."""
    if isinstance(vector, int):
        return ()
    file.spend(vector.nbytes)
    return tuple(vector.tolist())


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "backslashreplace")


@lru_cache(maxsize=8)
def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def _name(enum: type, number: int, what: str) -> str:
    names = _names(enum)
    if number not in names:
        raise _MalformedError(
            f"{what} has number {number}, which this LiteRT's schema does not know"
        )
    return names[number]


def _within(index: int, count: int, what: str) -> int:
    if not 0 <= index < count:
        raise _MalformedError(f"{what} is number {index} of {count}")
    return index


def _buffer(file: _File, raw: Any) -> Buffer:
    data = raw.DataAsNumpy()
    if not isinstance(data, int):
        return Buffer(data=memoryview(data))
    start, size = raw.Offset(), raw.Size()
    if start <= 1:  # 1 is what a converter writes before it knows the place
        return Buffer(data=memoryview(b""))
    if start + size > len(file):
        raise _MalformedError("a buffer lies outside the file")
    return Buffer(data=memoryview(file)[start : start + size])


def _metadata(file: _File, model: Any, buffers: int) -> Iterator[Metadata]:
    for raw in _tables(file, model.MetadataLength(), model.Metadata):
        name = _text(raw.Name())
        yield Metadata(name=name, buffer=_within(raw.Buffer(), buffers, f"buffer of {name}"))


def _signatures(file: _File, model: Any, subgraphs: tuple[Subgraph, ...]) -> Iterator[Signature]:
    for raw in _tables(file, model.SignatureDefsLength(), model.SignatureDefs):
        name = _text(raw.SignatureKey())
        index = _within(raw.SubgraphIndex(), len(subgraphs), f"graph of signature {name}")
        tensors = len(subgraphs[index].tensors)
        yield Signature(
            name=name,
            graph=index,
            inputs=tuple(_named(file, raw.InputsLength(), raw.Inputs, tensors, "input")),
            outputs=tuple(_named(file, raw.OutputsLength(), raw.Outputs, tensors, "output")),
        )


def _named(
    file: _File, length: int, get: Callable[[int], Any], tensors: int, what: str
) -> Iterator[tuple[int, str]]:
    for raw in _tables(file, length, get):
        name = _text(raw.Name())
        yield _within(raw.TensorIndex(), tensors, f"signature's {what} {name}"), name


def _subgraphs(
    schema: Any, file: _File, model: Any, buffers: tuple[Buffer, ...]
) -> Iterator[Subgraph]:
    kinds = [
        _kind(schema, raw)
        for raw in _tables(file, model.OperatorCodesLength(), model.OperatorCodes)
    ]
    for index, raw in enumerate(_tables(file, model.SubgraphsLength(), model.Subgraphs)):
        tensors = tuple(
            _tensor(schema, file, n, one, buffers)
            for n, one in enumerate(_tables(file, raw.TensorsLength(), raw.Tensors))
        )
        operators = tuple(
            _operator(schema, file, n, one, kinds, len(tensors))
            for n, one in enumerate(_tables(file, raw.OperatorsLength(), raw.Operators))
        )
        inputs, outputs = raw.InputsAsNumpy(), raw.OutputsAsNumpy()
        subgraph = Subgraph(
            index=index,
            name=_text(raw.Name()),
            tensors=tensors,
            operators=operators,
            inputs=_indices(file, inputs, len(tensors), f"input of graph {index}"),
            outputs=_indices(file, outputs, len(tensors), f"output of graph {index}"),
        )
        _check_order(subgraph)
        yield subgraph


def _indices(
    file: _File, vector: Any, count: int, what: str, *, optional: bool = False
) -> tuple[int, ...]:
    found = _numbers(file, vector)
    for index in found:
        if not (optional and index == ABSENT):
            _within(index, count, what)
    return found


def _kind(schema: Any, raw: Any) -> tuple[str, int, str]:
    """An operator's name, version and custom code; codes below 127 stand in the older field too."""
    number = max(raw.DeprecatedBuiltinCode(), raw.BuiltinCode())
    name = _name(schema.BuiltinOperator, number, "an operator")
    return name, raw.Version(), _text(raw.CustomCode())


def _operator(
    schema: Any, file: _File, index: int, raw: Any, kinds: list[tuple[str, int, str]], tensors: int
) -> Operator:
    what = f"operator {index}"
    name, version, custom_code = kinds[_within(raw.OpcodeIndex(), len(kinds), f"kind of {what}")]
    inputs, outputs = raw.InputsAsNumpy(), raw.OutputsAsNumpy()
    options = _options(schema, raw)
    return Operator(
        index=index,
        name=name,
        version=version,
        custom_code=custom_code,
        inputs=_indices(file, inputs, tensors, f"input of {what}", optional=True),
        outputs=_indices(file, outputs, tensors, f"output of {what}", optional=True),
        activation=_activation(schema, options),
        options=_numbered(options),
    )


def _options(schema: Any, operator: Any) -> Any:
    """The table of an operator's options, as the class of its kind; None where it has none."""
    kind = _name(schema.BuiltinOptions, operator.BuiltinOptionsType(), "an operator's options")
    table = operator.BuiltinOptions()
    if table is None or not hasattr(schema, kind):
        return None
    options = getattr(schema, kind)()
    options.Init(table.Bytes, table.Pos)
    return options


def _activation(schema: Any, options: Any) -> str:
    if not hasattr(options, "FusedActivationFunction"):
        return "NONE"
    number = options.FusedActivationFunction()
    return _name(schema.ActivationFunctionType, number, "a fused activation")


def _numbered(options: Any) -> tuple[tuple[str, int], ...]:
    """Those of `_OPTIONS` that an operator's kind has."""
    return tuple(
        (name, int(getattr(options, field)()))
        for field, name in _OPTIONS.items()
        if hasattr(options, field)
    )


def _tensor(schema: Any, file: _File, index: int, raw: Any, buffers: tuple[Buffer, ...]) -> Tensor:
    what = f"tensor {index}"
    shape = _numbers(file, raw.ShapeAsNumpy())
    scales, zero_points, dimension = _quantization(file, what, shape, raw.Quantization())
    tensor = Tensor(
        index=index,
        name=_text(raw.Name()),
        dtype=_name(schema.TensorType, raw.Type(), f"the type of {what}").lower(),
        shape=shape,
        shape_signature=_numbers(file, raw.ShapeSignatureAsNumpy()) or shape,
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
        buffer=_within(raw.Buffer(), len(buffers), f"buffer of {what}"),
        nbytes=buffers[raw.Buffer()].size,
        is_variable=bool(raw.IsVariable()),
    )
    if raw.Sparsity() is None:
        _check_bytes(what, tensor)
    return tensor


def _quantization(
    file: _File, what: str, shape: tuple[int, ...], raw: Any
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if raw is None:
        return (), (), 0
    scales, zero_points = _numbers(file, raw.ScaleAsNumpy()), _numbers(file, raw.ZeroPointAsNumpy())
    if len(scales) != len(zero_points):
        raise _MalformedError(f"{what} has {len(scales)} scales and {len(zero_points)} zero points")
    dimension = raw.QuantizedDimension()
    if len(scales) > 1:
        _within(dimension, len(shape), f"quantized dimension of {what}")
        if len(scales) != shape[dimension]:
            raise _MalformedError(
                f"{what} has {len(scales)} scales for {shape[dimension]} channels"
            )
    return scales, zero_points, dimension


def _check_bytes(what: str, tensor: Tensor) -> None:
    if len(tensor.shape) > _MOST_DIMENSIONS:
        raise _MalformedError(f"{what} has {len(tensor.shape)} dimensions")
    if any(size < 0 for size in tensor.shape):
        raise _MalformedError(f"{what} has the shape {tensor.shape}")
    needed = math.ceil(math.prod(tensor.shape) * bits(tensor.dtype) / 8)
    if tensor.is_constant and needed != tensor.nbytes and bits(tensor.dtype):
        raise _MalformedError(f"{what} holds {tensor.nbytes} bytes, its shape needs {needed}")


def _check_order(subgraph: Subgraph) -> None:
    """Every tensor has its values before an operator, or the graph's caller, reads it."""
    ready = {t.index for t in subgraph.tensors if t.is_constant or t.is_variable or 0 in t.shape}
    ready |= {ABSENT, *subgraph.inputs}
    _check_variables(subgraph)
    for operator in subgraph.operators:
        if not ready.issuperset(operator.inputs):
            raise _MalformedError(
                f"operator {operator.index} reads a tensor that nothing has written"
            )
        ready.update(operator.outputs)
    if not ready.issuperset(subgraph.outputs):
        raise _MalformedError(f"graph {subgraph.index} has an output that nothing writes")


def _check_variables(subgraph: Subgraph) -> None:
    """A variable is a state that operators read and change, never what is fed or computed."""
    fed = {*subgraph.inputs, *(index for one in subgraph.operators for index in one.outputs)}
    for tensor in subgraph.tensors:
        if tensor.is_variable and tensor.index in fed:
            raise _MalformedError(f"tensor {tensor.index} is a variable, and is fed or computed")
