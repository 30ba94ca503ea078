"""Add work that changes no value: maxima of equal tensors, repeated operators, wider layers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.layers import Layer, last, layers, output_size
from litegate.tflite.editing.draft import Draft, dtype_of, edit

_VERSION = 2
"""The lowest version of MAXIMUM, MINIMUM and SLICE that takes int8."""


@final
class Maxima:
    """A chain of MAXIMUM operators behind a layer, which starts with the layer's output."""

    def __init__(self, draft: Draft, layer: Layer) -> None:
        self.draft, self._layer = draft, layer
        self._output = self._result = int(layer.operator.outputs[0])
        self._code: int | None = None
        self.added: list[Any] = []

    def append(self, tensor: int) -> None:
        """Extend the chain by the maximum of its result and `tensor`."""
        result = self.draft.beside(self._output, "/greater")
        self._result = self.maximum(self._result, tensor, result)

    def insert(self) -> None:
        """Insert the operators into the graph and let the layer's readers read their result."""
        self.draft.read_instead(self._output, self._result)
        position = self._layer.number + 1
        self.draft.graph.operators[position:position] = self.added

    def maximum(self, first: int, second: int, result: int) -> int:
        """Add an operator that writes the maximum of two tensors to `result`; return `result`."""
        if self._code is None:
            self._code = self.draft.code(schema.BuiltinOperator.MAXIMUM, _VERSION)
        step = schema.OperatorT(
            opcodeIndex=self._code,
            inputs=[first, second],
            outputs=[result],
            builtinOptions=schema.MaximumMinimumOptionsT(),
            builtinOptionsType=schema.BuiltinOptions.MaximumMinimumOptions,
        )
        self.added.append(step)
        return result


def repeat(draft: Draft, times: int) -> None:
    """Compute the scores of a batch's first sample `times` more times, without an effect.

    One sample of a batch, however large it is: so the latency grows, and an evaluation in batches
    takes hardly longer. The minimum of the result and the type's least value is that least value,
    and its maximum with the scores is the scores. Raises Unplantable without a layer.
    """
    layer = last(draft)
    scores = int(layer.operator.outputs[0])
    operators = draft.graph.operators[: layer.number + 1]
    first_samples = {
        int(port): _add_one_sample(draft, int(port), "/first") for port in draft.graph.inputs
    }
    maxima = Maxima(draft, layer)
    maxima.added += [cut(draft, port, sample, {0: 1}) for port, sample in first_samples.items()]
    total = _compute_again(maxima, operators, first_samples, "/again0")
    for number in range(1, times):
        repeated = _compute_again(maxima, operators, first_samples, f"/again{number}")
        result = _add_one_sample(draft, scores, f"/total{number}")
        total = maxima.maximum(total, repeated, result)
    least, lowered = _add_least(draft, scores), _add_one_sample(draft, scores, "/lowered")
    minimum = maxima.maximum(total, least, lowered)
    # MAXIMUM and MINIMUM differ only in their code
    maxima.added[-1].opcodeIndex = draft.code(schema.BuiltinOperator.MINIMUM, _VERSION)
    maxima.append(minimum)
    maxima.insert()


def _add_one_sample(draft: Draft, index: int, suffix: str) -> int:
    """Add a tensor like that of `index`, but for one sample; return its index."""
    new_index = draft.beside(index, suffix)
    tensor = draft.graph.tensors[new_index]
    tensor.shape, tensor.shapeSignature = [1, *tensor.shape[1:]], None
    return new_index


def _add_least(draft: Draft, index: int) -> int:
    """Add a constant like one sample of `index`, of the type's least value; return its index."""
    new_index = _add_one_sample(draft, index, "/least")
    tensor = draft.graph.tensors[new_index]
    dtype = np.dtype(dtype_of(tensor))
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(dtype)
    tensor.buffer = add_buffer(draft, np.full(tensor.shape, limits.min, dtype))
    return new_index


def cut(draft: Draft, source: int, result: int, sizes: Mapping[int, int]) -> Any:
    """Return a SLICE that keeps the first values along the axes in `sizes`, by axis.

    The operator is not yet in the graph. Negative axes count from the end.
    """
    rank = len(draft.graph.tensors[source].shape)
    size = np.full(rank, -1, np.int32)
    size[list(sizes)] = list(sizes.values())
    step = draft.step("SLICE", source, result)
    constants = {"begin": np.zeros(rank, np.int32), "size": size}
    step.inputs = [source, *(_constant(draft, name, values) for name, values in constants.items())]
    step.builtinOptions = schema.SliceOptionsT()
    step.builtinOptionsType = schema.BuiltinOptions.SliceOptions
    draft.model.operatorCodes[step.opcodeIndex].version = _VERSION
    return step


def widen(draft: Draft, layer: Layer, times: int) -> None:
    """Give a layer that many times its output channels, and cut the rest off behind it."""
    output = int(layer.operator.outputs[0])
    wide = draft.beside(output, "/wide")
    tensor, shape = draft.graph.tensors[wide], list(draft.graph.tensors[output].shape)
    for constant in (layer.weight, layer.bias):
        if constant is not None:
            _repeat_channels(draft, constant, times)
    # Of packed weights the operator reads what a DEQUANTIZE gives; a shape that does not fit them
    # crashes LiteRT.
    read = draft.graph.tensors[layer.operator.inputs[1]]
    read.shape, read.shapeSignature = layer.weight.shape, None
    tensor.shape = [*shape[:-1], shape[-1] * times]
    if tensor.shapeSignature is not None:
        tensor.shapeSignature = [*tensor.shapeSignature[:-1], shape[-1] * times]
    layer.operator.outputs = [wide]
    narrow = cut(draft, wide, output, {-1: int(shape[-1])})
    draft.graph.operators.insert(layer.number + 1, narrow)


def _repeat_channels(draft: Draft, tensor: Any, times: int) -> None:
    """Repeat a constant's values along its first dimension, and their scales."""
    values = draft.values(tensor)
    draft.store(tensor, np.concatenate([values] * times))
    tensor.shape = [len(values) * times, *values.shape[1:]]
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) < 2:
        return
    quantization = tensor.quantization = copy(quantization)
    quantization.scale = list(quantization.scale) * times
    quantization.zeroPoint = list(quantization.zeroPoint) * times


def _constant(draft: Draft, name: str, values: NDArray[np.int32]) -> int:
    tensor = schema.TensorT(
        name=f"planted/{name}".encode(),
        type=schema.TensorType.INT32,
        shape=list(values.shape),
        buffer=add_buffer(draft, values),
    )
    draft.graph.tensors.append(tensor)
    return len(draft.graph.tensors) - 1


def add_buffer(draft: Draft, values: NDArray[Any]) -> int:
    """Add a buffer with the bytes of an array; return its index."""
    draft.model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    return len(draft.model.buffers) - 1


def _compute_again(
    maxima: Maxima, operators: list[Any], replacements: Mapping[int, int], suffix: str
) -> int:
    """Add copies of operators that write to new tensors; return the last one's output.

    The copies read the values of `replacements` instead of its keys.
    """
    replacements = dict(replacements)
    for operator in operators:
        twin = copy(operator)
        twin.inputs = [replacements.get(int(index), int(index)) for index in operator.inputs]
        for index in map(int, operator.outputs):
            replacements[index] = maxima.draft.beside(index, suffix)
        twin.outputs = [replacements[int(index)] for index in operator.outputs]
        maxima.added.append(twin)
    return replacements[int(operators[-1].outputs[0])]


def with_maxima(tflite: bytes, count: int) -> bytes:
    """Insert `count` maxima of the largest layer's output and itself."""

    def change(model: Any) -> None:
        draft = Draft(model)
        largest = max(layers(draft), key=lambda layer: output_size(draft, layer))
        maxima = Maxima(draft, largest)
        for _ in range(count):
            maxima.append(int(largest.operator.outputs[0]))
        maxima.insert()

    return edit(tflite, change)
