"""Ways out of the integers: a layer that computes in floats, a tensor that goes through them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.tflite.editing.draft import Draft


def compute_in_floats(draft: Draft, operator: Any) -> None:
    """Put a layer of integers between a DEQUANTIZE and a QUANTIZE; its constants become float32.

    The first input is the data, the others are constants or absent.
    """
    data, output = operator.inputs[0], operator.outputs[0]
    constants = [_in_floats(draft, index) for index in operator.inputs[1:]]
    operator.inputs = [draft.beside_float(data), *constants]
    operator.outputs = [draft.beside_float(output)]
    operator.opcodeIndex = draft.code(draft.builtin(operator), 1)
    before = draft.step("DEQUANTIZE", data, operator.inputs[0])
    after = draft.step("QUANTIZE", operator.outputs[0], output)
    number = draft.graph.operators.index(operator)
    draft.graph.operators[number : number + 1] = [before, operator, after]


def through_floats(draft: Draft, index: int, *kinds: str) -> None:
    """Send a quantized tensor through float32, and there through operators, before it is read.

    `kinds` are operators of one input and without options, such as "NEG".
    """
    after = 1 + next(n for n, op in enumerate(draft.graph.operators) if index in op.outputs)
    back = draft.beside(index, "/back")
    draft.read_instead(index, back)
    floats = draft.beside_float(index)
    steps = [draft.step("DEQUANTIZE", index, floats)]
    for kind in kinds:
        result = draft.beside(floats, f"/{kind.lower()}")
        steps.append(draft.step(kind, floats, result))
        floats = result
    steps.append(draft.step("QUANTIZE", floats, back))
    draft.graph.operators[after:after] = steps


def real(draft: Draft, tensor: Any) -> NDArray[np.float64]:
    """What a quantized constant means, float64, in its own shape."""
    steps, integers = tensor.quantization, draft.values(tensor)
    shape = np.ones(integers.ndim, int)
    shape[steps.quantizedDimension] = -1

    def spread(values: Any) -> Any:
        return np.reshape(np.asarray(values), shape if len(values) > 1 else -1)

    meant: NDArray[np.float64] = (integers - spread(steps.zeroPoint)) * spread(steps.scale)
    return meant


def _in_floats(draft: Draft, index: int) -> int:
    """Turn a quantized constant into float32; a twin of it where another operator reads it, too."""
    if index < 0:
        return index
    tensor = draft.graph.tensors[index]
    values = real(draft, tensor).astype(np.float32)
    if sum(index in operator.inputs for operator in draft.graph.operators) > 1:
        index = draft.beside(index, "/float")
        tensor = draft.graph.tensors[index]
    draft.store(tensor, values)
    tensor.quantization = None
    return index
