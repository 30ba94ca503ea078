"""MACs: the multiply-accumulates of one invocation, read off the shapes of the graph.

The count is that of the literature: products of a weight, or of the second matrix, with an
activation, each with its addition. Biases, activation functions, pooling and elementwise operators
are none. An operator whose cost is not known is named, and no total is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.structure.operators import named
from litegate.measures.structure.tensor_roles import tensor_at
from litegate.spec import Artifact
from litegate.tflite.graph import Graph, Operator, Subgraph
from litegate.tflite.reader import parse

_FEWEST_LSTM_WEIGHTS = 6
"""Three gates, each of the input and of the state: the input gate may be left out."""
Shape = tuple[int, ...]
Formula = Callable[[Operator, Sequence[Shape], Shape], int]
"""Takes an operator, the shapes of its inputs and that of its first output."""


def _convolution(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Every output element sums height x width x input channels (of its group) products."""
    _filters, height, width, channels = inputs[1]
    return prod(output) * height * width * channels


def _depthwise(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Every output element sums height x width products of its own channel."""
    _one, height, width, _channels = inputs[1]
    return prod(output) * height * width


def _transposed(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    """Every input element meets the whole filter, also where the border then drops the product."""
    filters, height, width, _channels = inputs[1]
    return prod(inputs[2]) * height * width * filters


def _convolution_3d(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    depth, height, width, channels, _filters = inputs[1]
    return prod(output) * depth * height * width * channels


def _transposed_3d(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    depth, height, width, filters, _channels = inputs[1]
    return prod(inputs[2]) * depth * height * width * filters


def _dense(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Every output element sums as many products as the weights have columns."""
    _units, columns = inputs[1]
    return prod(output) * columns


def _matrix_product(operator: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Every output element sums over the inner dimension of the first matrix."""
    first, _second = inputs
    return prod(output) * first[-2 if operator.option("adj_x", 0) else -1]


def _svdf(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    """Each filter multiplies the new input once, and its memory in time once."""
    (batch, _features), (filters, columns), (_filters, memory) = inputs[:3]
    return batch * filters * (columns + memory)


def _lstm(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    """Each step multiplies every weight once: input, recurrent, peephole and projection."""
    weights = [prod(one) for one in (*inputs[1:12], *inputs[16:17]) if one]
    if len(weights) < _FEWEST_LSTM_WEIGHTS:
        raise ValueError("weights are missing")
    return prod(inputs[0][:-1]) * sum(weights)


FORMULAS: Mapping[str, Formula] = {
    "BATCH_MATMUL": _matrix_product,
    "CONV_2D": _convolution,
    "CONV_3D": _convolution_3d,
    "CONV_3D_TRANSPOSE": _transposed_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _transposed,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}

_FREE = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE ATAN2 AVERAGE_POOL_2D BATCH_TO_SPACE_ND BITCAST
    BROADCAST_ARGS BROADCAST_TO BUCKETIZE CAST CEIL COMPLEX_ABS CONCATENATION COS CUMSUM DENSIFY
    DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS
    FAKE_QUANT FILL FLOOR FLOOR_DIV FLOOR_MOD GATHER GATHER_ND GELU GREATER GREATER_EQUAL HARD_SWISH
    L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOCAL_RESPONSE_NORMALIZATION LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MATRIX_DIAG MATRIX_SET_DIAG MAXIMUM
    MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE
    RANGE RANK READ_VARIABLE REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6
    RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_SEQUENCE
    REVERSE_V2 RIGHT_SHIFT ROUND RSQRT SCATTER_ND SEGMENT_SUM SELECT SELECT_V2 SHAPE SIGN SIN SLICE
    SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPARSE_TO_DENSE SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE UNIQUE UNPACK
    VAR_HANDLE WHERE ZEROS_LIKE
"""
FREE = frozenset(_FREE.split())
"""Operators without a multiply-accumulate, as it is counted here."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one operator of the main graph multiplies and adds."""

    operator: Operator
    macs: int | None
    """None where it cannot be told from the file: custom operators, control flow, odd shapes."""


def costs(graph: Graph) -> tuple[Cost, ...]:
    """The cost of each operator of the main graph, in order, at the shapes in the file.

    Where the batch is free, the file's shape holds one sample.
    """
    return tuple(Cost(operator=one, macs=_macs(graph.main, one)) for one in graph.main.operators)


def _macs(subgraph: Subgraph, operator: Operator) -> int | None:
    if operator.name in FREE:
        return 0
    formula = FORMULAS.get(operator.name)
    tensors = (tensor_at(subgraph, index) for index in operator.inputs)
    inputs = [tensor.shape if tensor else () for tensor in tensors]
    output = tensor_at(subgraph, operator.outputs[0]) if operator.outputs else None
    if formula is None or output is None:
        return None
    try:
        return formula(operator, inputs, output.shape)
    except (IndexError, ValueError):  # fewer operands or dimensions than the kind has
        return None


def unknown(graph: Graph) -> tuple[str, ...]:
    """The operators of the main graph whose cost is not known, each named."""
    return tuple(named(one.operator) for one in costs(graph) if one.macs is None)


def macs(artifact: Artifact) -> Measurement:
    """Multiply-accumulates of one invocation.

    ArtifactError where the file cannot be read; MeasurementError where the cost of an operator is
    not known, which it names.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    if missing := unknown(graph):
        raise MeasurementError(
            f"the multiply-accumulates of {artifact.name} cannot be counted",
            expected="operators whose cost the shapes in the file give",
            got=", ".join(missing[:8]),
            remedy="leave macs out of the budget",
        )
    found = costs(graph)
    return Measurement(
        name="number of multiply-accumulates",
        subject=artifact.name,
        value=sum(one.macs or 0 for one in found),
        unit=Unit.COUNT,
        n=len(found),
        evidence=_largest(found),
        artifacts=(artifact.sha256,),
    )


def _largest(found: Sequence[Cost]) -> tuple[str, ...]:
    costly = [one for one in found if one.macs]
    if not costly:
        return ("no operator multiplies and accumulates",)
    most = max(costly, key=lambda one: one.macs or 0)
    return (f"{named(most.operator)} alone has {most.macs:,}",)
