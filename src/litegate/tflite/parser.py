"""Read a `.tflite` file without running it: tensors, operators, buffers, metadata.

The schema ships with LiteRT. It is imported only when a file is parsed, because it imports NumPy.
Every index, length and reference is checked before it is followed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from litegate.core.errors import ArtifactError
from litegate.tflite.bounded_reads import (
    File,
    MalformedError,
    UnloadableError,
    indices,
    name_of,
    numbers,
    tables,
    text,
    within,
)
from litegate.tflite.dataflow import (
    check_calls,
    check_channel_scales,
    check_densified,
    check_order,
    check_outputs,
)
from litegate.tflite.graph import (
    ABSENT,
    Buffer,
    Graph,
    Metadata,
    Operator,
    Signature,
    Subgraph,
    Tensor,
    bits,
    sole_graph,
)
from litegate.tflite.sparsity import stored_count

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
"""The only version that the schema of this LiteRT describes; its identifier is "TFL3"."""


@lru_cache(maxsize=8)  # keeps the files alive; a check looks at two or three of them
def parse(tflite: bytes, *, subject: str = "the model", signature: str = "") -> Graph:
    """Parse a `.tflite` file; its main graph is that of `signature`.

    Without a name it is that of the only signature, or the first graph if the file has none or
    several.

    Time and memory are proportional to the size of the file, whatever its bytes are. Raises
    ArtifactError, naming `subject`, if the bytes are not one complete TFLite file of this LiteRT's
    schema, or if there is no such signature.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        return _entered(_graph(schema, File(tflite)), signature, subject)
    except UnloadableError as error:
        raise ArtifactError(
            f"LiteRT does not load {subject} ({len(tflite):,} bytes)",
            expected="a file that LiteRT loads, since litegate measures with LiteRT",
            got=str(error),
            remedy="convert it with a newer converter; other runtimes may run this file",
        ) from None
    except MalformedError as error:
        raise _refusal(tflite, subject, str(error)) from None
    except (struct.error, ValueError, TypeError) as error:
        raise _refusal(tflite, subject, "a part of it is outside the file") from error


def _entered(graph: Graph, signature: str, subject: str) -> Graph:
    if not signature:
        return replace(graph, entry=sole_graph([known.graph for known in graph.signatures]))
    graphs_by_signature = {known.name: known.graph for known in graph.signatures}
    if signature not in graphs_by_signature:
        raise ArtifactError(
            f"{subject} has no signature {signature!r}",
            expected=", ".join(graphs_by_signature) or "no name, for the file has no signature",
            remedy="correct the name of the signature",
        )
    return replace(graph, entry=graphs_by_signature[signature])


def _refusal(tflite: bytes, subject: str, got: str) -> ArtifactError:
    return ArtifactError(
        f"{subject} is not a valid .tflite file ({len(tflite):,} bytes)",
        got=got,
        remedy="build or download it again",
    )


def _graph(schema: Any, file: File) -> Graph:
    # After the four bytes of the root's offset, as in every flatbuffer.
    if file.find(_IDENTIFIER, 4, 8) != 4:
        raise MalformedError(f"no identifier {_IDENTIFIER.decode()}" if file else "no bytes at all")
    model = schema.Model.GetRootAs(file, 0)
    if model.Version() != _SCHEMA_VERSION:
        raise MalformedError(f"schema version {model.Version()}, expected {_SCHEMA_VERSION}")
    if model.ExternalBuffersLength():
        raise MalformedError("it stores weights in another file")
    buffers = tuple(
        _buffer(file, raw) for raw in tables(file, model.BuffersLength(), model.Buffers)
    )
    subgraphs = tuple(_subgraphs(schema, file, model, buffers))
    if not subgraphs:
        raise MalformedError("it contains no graph")
    check_calls(subgraphs)
    signatures = tuple(_signatures(file, model, subgraphs))
    signed = {signature.graph for signature in signatures}
    subgraphs = tuple(replace(subgraph, signed=subgraph.index in signed) for subgraph in subgraphs)
    return Graph(
        description=text(model.Description()),
        subgraphs=subgraphs,
        buffers=buffers,
        metadata=tuple(_metadata(file, model, len(buffers))),
        signatures=signatures,
    )


def _buffer(file: File, raw: Any) -> Buffer:
    data = raw.DataAsNumpy()
    if not isinstance(data, int):
        return Buffer(data=memoryview(data))
    start, size = raw.Offset(), raw.Size()
    if start <= 1:  # converters write 1 as a placeholder before they know the offset
        return Buffer(data=memoryview(b""))
    if start + size > len(file):
        raise MalformedError("a buffer is outside the file")
    return Buffer(data=memoryview(file)[start : start + size])


def _metadata(file: File, model: Any, buffers: int) -> Iterator[Metadata]:
    for raw in tables(file, model.MetadataLength(), model.Metadata):
        name = text(raw.Name())
        yield Metadata(name=name, buffer=within(raw.Buffer(), buffers, f"buffer of {name}"))


def _signatures(file: File, model: Any, subgraphs: tuple[Subgraph, ...]) -> Iterator[Signature]:
    for raw in tables(file, model.SignatureDefsLength(), model.SignatureDefs):
        name = text(raw.SignatureKey())
        index = within(raw.SubgraphIndex(), len(subgraphs), f"graph of signature {name}")
        tensors = len(subgraphs[index].tensors)
        yield Signature(
            name=name,
            graph=index,
            inputs=tuple(_named(file, raw.InputsLength(), raw.Inputs, tensors, "input")),
            outputs=tuple(_named(file, raw.OutputsLength(), raw.Outputs, tensors, "output")),
        )


def _named(
    file: File, length: int, get: Callable[[int], Any], tensors: int, what: str
) -> Iterator[tuple[int, str]]:
    for raw in tables(file, length, get):
        name = text(raw.Name())
        yield within(raw.TensorIndex(), tensors, f"signature's {what} {name}"), name


def _subgraphs(
    schema: Any, file: File, model: Any, buffers: tuple[Buffer, ...]
) -> Iterator[Subgraph]:
    kinds = [
        kind_of(schema, raw)
        for raw in tables(file, model.OperatorCodesLength(), model.OperatorCodes)
    ]
    for index, raw in enumerate(tables(file, model.SubgraphsLength(), model.Subgraphs)):
        tensors = tuple(
            tensor_of(schema, file, number, table, raw.TensorsLength(), buffers)
            for number, table in enumerate(tables(file, raw.TensorsLength(), raw.Tensors))
        )
        operators = tuple(
            operator_of(schema, file, number, table, kinds, len(tensors))
            for number, table in enumerate(tables(file, raw.OperatorsLength(), raw.Operators))
        )
        inputs, outputs = raw.InputsAsNumpy(), raw.OutputsAsNumpy()
        subgraph = Subgraph(
            index=index,
            name=text(raw.Name()),
            tensors=tensors,
            operators=operators,
            inputs=indices(file, inputs, len(tensors), f"input of graph {index}"),
            outputs=indices(file, outputs, len(tensors), f"output of graph {index}"),
        )
        check_order(subgraph)
        check_densified(subgraph)
        check_channel_scales(subgraph)
        check_outputs(subgraph)
        yield subgraph


_MOST_DIMENSIONS = 64
"""NumPy 2 supports no more (its NPY_MAXDIMS), and no real tensor comes near."""


def tensor_of(
    schema: Any, file: File, index: int, raw: Any, tensors: int, buffers: tuple[Buffer, ...]
) -> Tensor:
    """Read a tensor of a graph with `tensors` tensors.

    Raises MalformedError if its type, shape, scales or buffer are invalid.
    """
    what = f"tensor {index}"
    shape = numbers(file, raw.ShapeAsNumpy())
    # Each access searches the table again, for tens of thousands of tensors.
    quantization, sparsity = raw.Quantization(), raw.Sparsity()
    buffer = within(raw.Buffer(), len(buffers), f"buffer of {what}")
    scales, zero_points, dimension = _quantization(file, what, shape, quantization)
    block_scales, block_size = _blocks(schema, quantization, tensors, what)
    tensor = Tensor(
        index=index,
        name=text(raw.Name()),
        dtype=name_of(schema.TensorType, raw.Type(), f"the type of {what}").lower(),
        shape=shape,
        shape_signature=numbers(file, raw.ShapeSignatureAsNumpy()) or shape,
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
        block_scales=block_scales,
        block_size=block_size,
        buffer=buffer,
        # Buffer 0 stands for none: runtimes do not read what it may contain.
        nbytes=buffers[buffer].size if buffer else 0,
        is_variable=bool(raw.IsVariable()),
        is_sparse=sparsity is not None,
    )
    _check_shape(what, shape, tensor.shape_signature)
    _check_bytes(what, tensor, _stored_count(schema, file, what, tensor, sparsity))
    return tensor


def _stored_count(schema: Any, file: File, what: str, tensor: Tensor, sparsity: Any) -> int:
    """Return the number of values that the file stores of a constant."""
    if sparsity is None:
        return math.prod(tensor.shape)
    return stored_count(schema, file, what, tensor.shape, sparsity)


def _quantization(
    file: File, what: str, shape: tuple[int, ...], raw: Any
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if raw is None:
        return (), (), 0
    scales, zero_points = numbers(file, raw.ScaleAsNumpy()), numbers(file, raw.ZeroPointAsNumpy())
    if len(scales) != len(zero_points):
        raise MalformedError(f"{what} has {len(scales)} scales and {len(zero_points)} zero points")
    dimension = raw.QuantizedDimension()
    if len(scales) > 1:
        if not 0 <= dimension < len(shape):
            # Old converters wrote a convolution's dimension to its bias too; TFLM does not look.
            raise UnloadableError(
                f"quantized dimension of {what} is number {dimension} of {len(shape)}"
            )
        if len(scales) != shape[dimension]:
            raise MalformedError(f"{what} has {len(scales)} scales for {shape[dimension]} channels")
    return scales, zero_points, dimension


def _blocks(schema: Any, raw: Any, tensors: int, what: str) -> tuple[int, int]:
    """Return the index of the tensor with a scale for each block, and the values in a block.

    ABSENT and 0 without blocks.
    """
    if raw is None or raw.DetailsType() != schema.QuantizationDetails.BlockwiseQuantization:
        return ABSENT, 0
    table = raw.Details()
    blocks = schema.BlockwiseQuantization()
    blocks.Init(table.Bytes, table.Pos)
    return within(blocks.Scales(), tensors, f"scales of {what}"), blocks.BlockSize()


def _check_shape(what: str, shape: tuple[int, ...], signature: tuple[int, ...]) -> None:
    if len(shape) > _MOST_DIMENSIONS:
        raise MalformedError(f"{what} has {len(shape)} dimensions")
    if any(size < 0 for size in shape):
        raise MalformedError(f"{what} has the shape {shape}")
    if len(signature) != len(shape):
        raise MalformedError(f"{what} has the shape {shape} and the signature {signature}")


def _check_bytes(what: str, tensor: Tensor, count: int) -> None:
    needed = math.ceil(count * bits(tensor.dtype) / 8)
    if tensor.is_constant and needed != tensor.nbytes and bits(tensor.dtype):
        raise MalformedError(f"{what} has {tensor.nbytes} bytes, but its shape needs {needed}")


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
    "InitSubgraphIndex": "init_graph",
}
"""Names of operator options, by the schema's accessor."""


def kind_of(schema: Any, raw: Any) -> tuple[str, int, str]:
    """Return an operator code's name, version and custom code."""
    # Codes below 127 are written to both fields, so that old readers find them; a code from 127
    # on is in the new field, and the old one then has the placeholder 127.
    number = max(raw.DeprecatedBuiltinCode(), raw.BuiltinCode())
    name = name_of(schema.BuiltinOperator, number, "an operator")
    return name, raw.Version(), text(raw.CustomCode())


def operator_of(
    schema: Any, file: File, index: int, raw: Any, kinds: list[tuple[str, int, str]], tensors: int
) -> Operator:
    """Read an operator of a graph with `tensors` tensors.

    Raises MalformedError if its kind, its options or the index of a tensor are invalid.
    """
    what = f"operator {index}"
    name, version, custom_code = kinds[within(raw.OpcodeIndex(), len(kinds), f"kind of {what}")]
    inputs, outputs = raw.InputsAsNumpy(), raw.OutputsAsNumpy()
    options = _options(schema, raw)
    return Operator(
        index=index,
        name=name,
        version=version,
        custom_code=custom_code,
        inputs=indices(file, inputs, tensors, f"input of {what}", optional=True),
        outputs=indices(file, outputs, tensors, f"output of {what}", optional=True),
        activation=_activation(schema, options),
        options=_numbered(options),
        variable=_variable(options),
    )


def _options(schema: Any, operator: Any) -> Any:
    """Return the operator's options as the schema's class for its kind, or None."""
    kind = name_of(schema.BuiltinOptions, operator.BuiltinOptionsType(), "an operator's options")
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
    return name_of(schema.ActivationFunctionType, number, "a fused activation")


def _variable(options: Any) -> str:
    if not hasattr(options, "SharedName"):
        return ""
    return f"{text(options.Container())}/{text(options.SharedName())}"


def _numbered(options: Any) -> tuple[tuple[str, int], ...]:
    """Return those of `_OPTIONS` that this kind of operator has."""
    return tuple(
        (name, int(getattr(options, field)()))
        for field, name in _OPTIONS.items()
        if hasattr(options, field)
    )
