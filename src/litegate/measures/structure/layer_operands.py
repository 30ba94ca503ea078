"""Name the learned operands of each kind of layer: weights, biases, tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import final

from litegate.tflite.graph import ABSENT, Operator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOperands:
    """The learned operands of a kind of operator, and the quantization that LiteRT requires."""

    weights: tuple[int, ...] = (1,)
    """Operands that are weights if they are constant."""
    biases: tuple[int, ...] = (2,)
    """Operands that are biases if they are constant."""
    data: int = 0
    """The operand that the weights multiply."""
    factors: tuple[tuple[int, int], ...] = ()
    """For each of `biases` the two operands whose scales, multiplied, are its scale; by default the
    data and the first weight."""
    wide: tuple[int, ...] = ()
    """Weights that may have 16 bits in a file of 8-bit integers."""
    channel: int | None = 0
    """The weight's dimension of output channels; None if there is always one scale."""
    per_channel: bool = False
    """An integer weight must have a scale for each channel."""
    as_activation: bool = False
    """A constant is quantized like the activation that could take its place."""
    integer_rules: bool = True
    """False: litegate does not know the types and scales that the integer kernel requires."""


_GATES_LSTM = LayerOperands(
    # Input and recurrent weights of four gates. The integer kernel adds the bias of a gate to the
    # product of the input and its weights (`PrecomputeZeroPointTimesWeightWithBias` in LiteRT's
    # tflite/kernels/lstm.cc).
    weights=tuple(range(1, 9)),
    biases=tuple(range(12, 16)),
    factors=((0, 1), (0, 2), (0, 3), (0, 4)),
    channel=None,
)
_LSTM = LayerOperands(
    # Input, recurrent and peephole weights, the projection, coefficients of layer normalization.
    weights=(*range(1, 12), 16, *range(20, 24)),
    biases=(*range(12, 16), 17),
    channel=None,
    integer_rules=False,
)
_BASIC_LSTM = LayerOperands(weights=(2,), biases=(3,), channel=None, integer_rules=False)
_BASIC_LSTM_OPERANDS = 5
"""The number of operands by which LiteRT's LSTM kernels tell the basic form from the full one."""
_RNN = LayerOperands(weights=(1, 2), biases=(3,), channel=None, integer_rules=False)

LAYERS: Mapping[str, LayerOperands] = {
    "CONV_2D": LayerOperands(per_channel=True),
    "DEPTHWISE_CONV_2D": LayerOperands(channel=3, per_channel=True),
    "FULLY_CONNECTED": LayerOperands(),
    "TRANSPOSE_CONV": LayerOperands(data=2, biases=(3,)),
    "CONV_3D": LayerOperands(channel=None),
    "CONV_3D_TRANSPOSE": LayerOperands(data=2, biases=(3,), channel=None),
    "BATCH_MATMUL": LayerOperands(weights=(0, 1), biases=(), channel=None, as_activation=True),
    "LSTM": _LSTM,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _LSTM,
    "BIDIRECTIONAL_SEQUENCE_LSTM": LayerOperands(
        weights=(*range(1, 12), 16, *range(18, 29), 33, *range(40, 48)),
        biases=(*range(12, 16), 17, *range(29, 33), 34),
        channel=None,
        integer_rules=False,
    ),
    "RNN": _RNN,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _RNN,
    "BIDIRECTIONAL_SEQUENCE_RNN": LayerOperands(
        weights=(1, 2, 5, 6, 10, 11), biases=(3, 7), channel=None, integer_rules=False
    ),
    # The bias is added to the product of the state, operand 4, and the weights over time, which
    # have 16 bits in files of older converters (LiteRT's tflite/kernels/svdf.cc).
    "SVDF": LayerOperands(weights=(1, 2), biases=(3,), factors=((4, 2),), wide=(2,), channel=None),
}
"""The layers whose operands litegate knows, by the schema's name of the operator.

The numbers are those of the `k...Tensor` constants in LiteRT's tflite/kernels/*.cc."""


def layer_operands(operator: Operator) -> LayerOperands | None:
    """Return the learned operands of an operator; None if it is no layer that litegate knows."""
    if operator.name == "LSTM" and len(operator.inputs) == _BASIC_LSTM_OPERANDS:
        return _BASIC_LSTM
    layer = LAYERS.get(operator.name)
    if layer is _LSTM and not _reads_any(operator, {*_LSTM.weights, 17} - {*_GATES_LSTM.weights}):
        return _GATES_LSTM
    return layer


def _reads_any(operator: Operator, numbers: Collection[int]) -> bool:
    """Return True if the operator has one of these operands."""
    return any(
        number in numbers and index != ABSENT for number, index in enumerate(operator.inputs)
    )


TABLE_OPERANDS: Mapping[str, int] = {"GATHER": 0, "GATHER_ND": 0, "EMBEDDING_LOOKUP": 1}
"""The table operand of each operator that reads rows of a table, as an embedding does."""
UNKNOWN_LAYERS = frozenset(
    {
        "EMBEDDING_LOOKUP_SPARSE",
        "STABLEHLO_COMPOSITE",
        "STABLEHLO_CONVOLUTION",
        "STABLEHLO_DOT_GENERAL",
    }
)
"""Operators with weights whose operands litegate does not distinguish."""
