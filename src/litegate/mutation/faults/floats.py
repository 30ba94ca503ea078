"""Move computations of an integer file to float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.tflite.editing.draft import Draft


def compute_in_floats(draft: Draft, operator: Any) -> None:
    """Put an integer layer between a DEQUANTIZE and a QUANTIZE and make its constants float32.

    The layer's first input must be the data, the others constants or absent.
    """
    data, output = operator.inputs[0], operator.outputs[0]
    constants = [_to_float(draft, index) for index in operator.inputs[1:]]
    operator.inputs = [draft.beside_float(data), *constants]
    operator.outputs = [draft.beside_float(output)]
    operator.opcodeIndex = draft.code(draft.builtin(operator), 1)
    before = draft.step("DEQUANTIZE", data, operator.inputs[0])
    after = draft.step("QUANTIZE", operator.outputs[0], output)
    position = draft.graph.operators.index(operator)
    draft.graph.operators[position : position + 1] = [before, operator, after]


def through_floats(draft: Draft, index: int, *kinds: str) -> None:
    """Convert a quantized tensor to float32, apply the operators `kinds`, and convert it back.

    `kinds` are operators with one input and without options, such as "NEG".
    """
    position = 1 + next(n for n, op in enumerate(draft.graph.operators) if index in op.outputs)
    back = draft.beside(index, "/back")
    draft.read_instead(index, back)
    floats = draft.beside_float(index)
    steps = [draft.step("DEQUANTIZE", index, floats)]
    for kind in kinds:
        result = draft.beside(floats, f"/{kind.lower()}")
        steps.append(draft.step(kind, floats, result))
        floats = result
    steps.append(draft.step("QUANTIZE", floats, back))
    draft.graph.operators[position:position] = steps


def real_values(draft: Draft, tensor: Any) -> NDArray[np.float64]:
    """Return the real values of a quantized constant, float64, in its own shape."""
    quantization, integers = tensor.quantization, draft.values(tensor)
    shape = np.ones(integers.ndim, int)
    shape[quantization.quantizedDimension] = -1

    def broadcast(per_channel: Any) -> Any:
        return np.reshape(np.asarray(per_channel), shape if len(per_channel) > 1 else -1)

    zero_points, scales = broadcast(quantization.zeroPoint), broadcast(quantization.scale)
    values: NDArray[np.float64] = (integers - zero_points) * scales
    return values


def _to_float(draft: Draft, index: int) -> int:
    """Convert a quantized constant to float32; return its index.

    Converts a copy if another operator reads the constant, too. -1 stands for an absent input.
    """
    if index < 0:
        return index
    tensor = draft.graph.tensors[index]
    values = real_values(draft, tensor).astype(np.float32)
    if sum(index in operator.inputs for operator in draft.graph.operators) > 1:
        index = draft.beside(index, "/float")
        tensor = draft.graph.tensors[index]
    draft.store(tensor, values)
    tensor.quantization = None
    return index
