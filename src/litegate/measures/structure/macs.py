"""Count the multiply-accumulates (MACs) of one invocation from the shapes of the graph.

The count is that of the literature: a product of a weight (or an element of the second matrix) and
an activation, with its addition. Biases, activation functions, pooling and elementwise operators
count as 0. If the cost of an operator is unknown, the error names it and there is no total.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

from litegate.core.errors import MeasurementError
from litegate.core.escaping import listed
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.measures.structure.operators import operator_label
from litegate.measures.structure.tensor_roles import tensor_at
from litegate.spec import Artifact
from litegate.tflite.graph import Graph, Operator, Subgraph
from litegate.tflite.parser import parse

_FEWEST_LSTM_WEIGHTS = 6
"""Input and recurrent weights of three gates; the fourth, the input gate, is optional."""
Shape = tuple[int, ...]
Formula = Callable[[Operator, Sequence[Shape], Shape], int]
"""Takes an operator, the shapes of its inputs and that of its first output."""


def _convolution(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Each output element sums height x width x input channels (of its group) products."""
    _filters, height, width, channels = inputs[1]
    return prod(output) * height * width * channels


def _depthwise(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Each output element sums height x width products of its own channel."""
    _one, height, width, _channels = inputs[1]
    return prod(output) * height * width


def _transposed(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    """Each input element is multiplied by the whole filter, even if the border drops a product."""
    filters, height, width, _channels = inputs[1]
    return prod(inputs[2]) * height * width * filters


def _convolution_3d(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    depth, height, width, channels, _filters = inputs[1]
    return prod(output) * depth * height * width * channels


def _transposed_3d(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    depth, height, width, filters, _channels = inputs[1]
    return prod(inputs[2]) * depth * height * width * filters


def _dense(_: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Each output element sums one product for each column of the weights."""
    _units, columns = inputs[1]
    return prod(output) * columns


def _matrix_product(operator: Operator, inputs: Sequence[Shape], output: Shape) -> int:
    """Each output element sums over the inner dimension of the first matrix."""
    first, _second = inputs
    return prod(output) * first[-2 if operator.option("adj_x", 0) else -1]


def _svdf(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    """Each filter multiplies the new input once, and its memory over time once."""
    (batch, _features), (filters, columns), (_filters, memory) = inputs[:3]
    return batch * filters * (columns + memory)


def _lstm(_: Operator, inputs: Sequence[Shape], _output: Shape) -> int:
    """Each step multiplies every weight once: input, recurrent, peephole and projection."""
    weights = [prod(shape) for shape in (*inputs[1:12], *inputs[16:17]) if shape]
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

_WITHOUT_MACS = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE ATAN2 AVERAGE_POOL_2D BATCH_TO_SPACE_ND BITCAST
    BROADCAST_ARGS BROADCAST_TO BUCKETIZE CALL_ONCE CAST CEIL COMPLEX_ABS CONCATENATION COS CUMSUM
    DENSIFY
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
WITHOUT_MACS = frozenset(_WITHOUT_MACS.split())
"""Operators that count as 0.

CALL_ONCE runs its graph in the first invocation alone, to set variables."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The multiply-accumulates of one operator of the main graph."""

    operator: Operator
    macs: int | None
    """None if the file does not determine it: custom operators, control flow, odd shapes."""


def costs(graph: Graph) -> tuple[Cost, ...]:
    """Return the cost of each operator of the main graph, in order, at the shapes in the file.

    A file with a free batch has the shape of one sample.
    """
    main = graph.main
    return tuple(Cost(operator=operator, macs=_macs(main, operator)) for operator in main.operators)


def _macs(subgraph: Subgraph, operator: Operator) -> int | None:
    if operator.name in WITHOUT_MACS:
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


def uncounted_operators(graph: Graph) -> tuple[str, ...]:
    """Return the labels of the main graph's operators whose cost is unknown."""
    return tuple(operator_label(cost.operator) for cost in costs(graph) if cost.macs is None)


def macs(artifact: Artifact) -> Measurement:
    """Measure the multiply-accumulates of one invocation.

    Raises ArtifactError if the file cannot be read, MeasurementError, naming the operators, if the
    cost of an operator is unknown.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    if uncounted := uncounted_operators(graph):
        raise MeasurementError(
            f"the multiply-accumulates of {artifact.name} cannot be counted",
            expected="operators whose cost the shapes in the file give",
            got=listed(uncounted),
            remedy="remove macs from the budget",
        )
    operator_costs = costs(graph)
    return Measurement(
        name=Name.MACS,
        subject=artifact.name,
        value=sum(cost.macs or 0 for cost in operator_costs),
        unit=Unit.COUNT,
        n=len(operator_costs),
        evidence=_largest_text(operator_costs),
        artifacts=(artifact.sha256,),
    )


def _largest_text(operator_costs: Sequence[Cost]) -> tuple[str, ...]:
    counted = [cost for cost in operator_costs if cost.macs]
    if not counted:
        return ("no operator multiplies and accumulates",)
    largest = max(counted, key=lambda cost: cost.macs or 0)
    return (f"{operator_label(largest.operator)} alone has {largest.macs:,}",)
