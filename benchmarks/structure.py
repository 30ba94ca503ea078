"""Seeded edits of a `.tflite` file's structure, for `structure_mutations.py`.

Unlike the damage of `damage.py` they leave a flatbuffer that can be read, so that they reach past
its reader: indices, shapes, types and tables that contradict each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.tflite.editing.writer import pack

_SIZES = (0, -1, 1, 2, 3, 7, 16, 1000, 65_536, 0x7FFFFFFF, -0x80000000)
_REALS = (0.0, -1.0, 1e-38, 1e-6, 0.5, 1e30, float("inf"), float("nan"))
_NAMES = (
    b"",
    b"\xff\xfe",
    b"x" * 5000,
    b"a\n::error::b",
    b"input",
    b"[red]",
    "\u202e\u00e9".encode(),
)
Edit = Callable[[Any, Random], None]
"""Changes a `schema_py_generated.ModelT`; raises if the model has nothing to change."""


def mutant(tflite: bytes, rng: Random) -> tuple[str, bytes]:
    """Return the names of one to three edits, and the file with them."""
    while True:
        model = schema.ModelT.InitFromPackedBuf(tflite, 0)
        names = [rng.choice([*EDITS]) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        try:
            for name in names:
                EDITS[name](model, rng)
            changed = pack(model)
        # There is nothing to change of this kind, or the schema has no room for the value.
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, struct.error):
            continue
        if changed != tflite:
            return "+".join(sorted({*names})), changed


def _graph(model: Any, rng: Random) -> Any:
    return rng.choice(model.subgraphs)


def _tensor(model: Any, rng: Random) -> Any:
    return rng.choice(_graph(model, rng).tensors)


def _changed_list(values: Any, rng: Random, choices: tuple[Any, ...]) -> list[Any]:
    """Return the values with one replaced, dropped, doubled or moved, or without any."""
    values = (
        []
        if values is None
        else [value.item() if hasattr(value, "item") else value for value in values]
    )
    at = rng.randrange(len(values) + 1)
    match rng.choice(("replace", "replace", "replace", "drop", "insert", "shuffle", "empty")):
        case "replace":
            values[at % len(values)] = rng.choice(choices)
        case "drop":
            del values[at % len(values)]
        case "insert":
            values.insert(at, rng.choice(choices))
        case "shuffle":
            rng.shuffle(values)
        case "empty":
            values = []
    return values


def indices(model: Any, rng: Random) -> None:
    """Tensors that operators and graphs name."""
    graph = _graph(model, rng)
    owner = rng.choice([graph, *graph.operators, *graph.operators])
    side, n = rng.choice(("inputs", "outputs")), len(graph.tensors)
    choices = (-2, -1, 0, n - 1, n, 0x7FFFFFFF, *(rng.randrange(n) for _ in range(6)))
    setattr(owner, side, _changed_list(getattr(owner, side), rng, choices))


def shapes(model: Any, rng: Random) -> None:
    """Sizes of tensors."""
    tensor, field = _tensor(model, rng), rng.choice(("shape", "shape", "shapeSignature", "hasRank"))
    if field == "hasRank":
        tensor.hasRank = not tensor.hasRank
        return
    sizes = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    near = tuple(size + step for size in sizes for step in (-1, 1, size))
    setattr(tensor, field, _changed_list(getattr(tensor, field), rng, (*_SIZES, *near)))


def types(model: Any, rng: Random) -> None:
    """Types of tensors, and kinds and versions of operators."""
    match rng.choice(("tensor", "tensor", "operator", "version", "code", "variable")):
        case "tensor":
            _tensor(model, rng).type = rng.randrange(24)
        case "operator":
            code = rng.choice(model.operatorCodes)
            code.builtinCode = rng.randrange(210)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        case "version":
            rng.choice(model.operatorCodes).version = rng.choice((0, 1, 2, 5, 99, -1))
        case "code":
            operator = rng.choice(_graph(model, rng).operators)
            operator.opcodeIndex = rng.choice(
                (0, len(model.operatorCodes), rng.randrange(len(model.operatorCodes)))
            )
        case "variable":
            tensor = _tensor(model, rng)
            tensor.isVariable = not tensor.isVariable


def options(model: Any, rng: Random) -> None:
    """Options of operators."""
    operator = rng.choice(_graph(model, rng).operators)
    if rng.random() < 0.2:
        operator.builtinOptions, operator.builtinOptionsType = None, 0
        return
    field = rng.choice([*vars(operator.builtinOptions)])
    value = getattr(operator.builtinOptions, field)
    choices = _REALS if isinstance(value, float) else (*_SIZES, rng.randrange(6))
    setattr(operator.builtinOptions, field, rng.choice(choices))


def buffers(model: Any, rng: Random) -> None:
    """Buffers of tensors and their bytes."""
    tensor = _tensor(model, rng)
    buffer = model.buffers[tensor.buffer]
    match rng.choice(("other", "other", "cut", "extended", "absent", "random", "outside")):
        case "other":
            n = len(model.buffers)
            tensor.buffer = rng.choice((0, n - 1, n, rng.randrange(n), rng.randrange(n)))
        case "cut":
            buffer.data = buffer.data[: rng.randrange(len(buffer.data))]
        case "extended":
            buffer.data = np.concatenate([buffer.data, np.zeros(rng.choice((1, 4, 64)), np.uint8)])
        case "absent":
            buffer.data = None
        case "random":
            buffer.data = np.frombuffer(rng.randbytes(len(buffer.data)), np.uint8)
        case "outside":
            buffer.data, buffer.offset = None, rng.choice((1, 2, 64, 1 << 40))
            buffer.size = rng.choice((0, 1, 64, 1 << 40))


def quantization(model: Any, rng: Random) -> None:
    """Scales, zero points and dimensions."""
    tensor = _tensor(model, rng)
    steps = tensor.quantization
    match rng.choice(
        ("scale", "scale", "zeroPoint", "zeroPoint", "dimension", "none", "new", "block")
    ):
        case "scale":
            steps.scale = _changed_list(steps.scale, rng, _REALS)
        case "zeroPoint":
            choices = (-129, -128, 0, 1, 127, 128, 255, 256, 1 << 40)
            steps.zeroPoint = _changed_list(steps.zeroPoint, rng, choices)
        case "dimension":
            steps.quantizedDimension = rng.choice((-1, 0, 1, 2, 3, 4, 99))
        case "none":
            tensor.quantization = None
        case "new":
            n = rng.choice((1, 1, 2, 4))
            tensor.quantization = schema.QuantizationParametersT(
                scale=[rng.choice(_REALS)] * n, zeroPoint=[rng.choice((0, 3, 300))] * n
            )
        case "block":
            n = len(model.subgraphs[0].tensors)
            tensor.quantization = schema.QuantizationParametersT(
                detailsType=schema.QuantizationDetails.BlockwiseQuantization,
                details=schema.BlockwiseQuantizationT(
                    scales=rng.choice((-1, 0, n, rng.randrange(n))),
                    zeroPoints=rng.choice((-1, 0, n)),
                    blockSize=rng.choice((0, 1, 32, -1)),
                ),
            )


def signatures(model: Any, rng: Random) -> None:
    """Names for graphs and their ports."""
    n = len(model.subgraphs[0].tensors)
    ports = [schema.TensorMapT(name=rng.choice(_NAMES), tensorIndex=rng.choice((0, n - 1, n)))]
    fresh = schema.SignatureDefT(
        signatureKey=rng.choice((b"serving_default", *_NAMES)),
        subgraphIndex=rng.choice((0, 0, 1)),
        inputs=ports,
        outputs=ports,
    )
    known = list(model.signatureDefs or ())
    if not known or rng.random() < 0.3:
        model.signatureDefs = [*known, fresh]
        return
    signature = rng.choice(known)
    match rng.choice(("graph", "key", "port", "name", "drop", "twice")):
        case "graph":
            signature.subgraphIndex = rng.choice((0, 1, 99))
        case "key":
            signature.signatureKey = rng.choice((None, *_NAMES))
        case "port":
            port = rng.choice([*signature.inputs, *signature.outputs])
            port.tensorIndex = rng.choice((0, n - 1, n, rng.randrange(n)))
        case "name":
            rng.choice([*signature.inputs, *signature.outputs]).name = rng.choice((None, *_NAMES))
        case "drop":
            setattr(signature, rng.choice(("inputs", "outputs")), [])
        case "twice":
            signature.inputs = [*signature.inputs, *signature.inputs]


def sparsity(model: Any, rng: Random) -> None:
    """Rows of a weight as compressed sparse rows, with one thing that may not fit."""
    weights = [t for t in model.subgraphs[0].tensors if t.shape is not None and len(t.shape) == 2]
    tensor = rng.choice([t for t in weights if model.buffers[t.buffer].data is not None])
    rows, columns = (int(size) for size in tensor.shape)
    each = rng.randrange(columns + 1)
    segments = [row * each for row in range(rows + 1)]
    kept = [column for _ in range(rows) for column in sorted(rng.sample(range(columns), each))]
    values = {
        "order": [0, 1],
        "blocks": [],
        "segments": segments,
        "indices": kept,
        "sizes": [rows, 0],
        "formats": [schema.DimensionType.DENSE, schema.DimensionType.SPARSE_CSR],
    }
    if rng.random() < 0.8:
        name = rng.choice([*values])
        values[name] = _changed_list(values[name], rng, (*_SIZES, rows, columns, len(kept)))
    kind = schema.SparseIndexVector.Int32Vector
    levels = [
        schema.DimensionMetadataT(
            format=form,
            denseSize=size,
            arraySegmentsType=kind,
            arraySegments=schema.Int32VectorT(values["segments"]),
            arrayIndicesType=kind,
            arrayIndices=schema.Int32VectorT(values["indices"]),
        )
        for form, size in zip(values["formats"], values["sizes"], strict=False)
    ]
    tensor.sparsity = schema.SparsityParametersT(values["order"], values["blocks"], levels)
    data = model.buffers[tensor.buffer].data
    size = len(data) // max(1, rows * columns) * len(kept)
    model.buffers[tensor.buffer].data = data[:size] if size else data


def names(model: Any, rng: Random) -> None:
    """Names of tensors, graphs and custom operators, and the description."""
    name = rng.choice(_NAMES)
    match rng.choice(("tensor", "tensor", "graph", "file", "custom")):
        case "tensor":
            _tensor(model, rng).name = name
        case "graph":
            _graph(model, rng).name = name
        case "file":
            model.description = name
        case "custom":
            code = rng.choice(model.operatorCodes)
            code.builtinCode, code.deprecatedBuiltinCode, code.customCode = 32, 32, name


def operators(model: Any, rng: Random) -> None:
    """Operators dropped, doubled or in another order, and graphs doubled."""
    graph = _graph(model, rng)
    match rng.choice(("drop", "twice", "shuffle", "graph")):
        case "drop":
            graph.operators = [*graph.operators]
            del graph.operators[rng.randrange(len(graph.operators))]
        case "twice":
            graph.operators = [*graph.operators, rng.choice(graph.operators)]
        case "shuffle":
            graph.operators = rng.sample(graph.operators, len(graph.operators))
        case "graph":
            model.subgraphs = [*model.subgraphs, graph]


EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        indices,
        shapes,
        types,
        options,
        buffers,
        quantization,
        signatures,
        sparsity,
        names,
        operators,
    )
}
