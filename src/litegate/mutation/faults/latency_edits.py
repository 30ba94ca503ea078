"""Work that changes no value: the greater of two equal tensors, and operators computed again."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.layers import Layer, last, layers
from litegate.tflite.editing.draft import Draft, dtype_of, edit

_VERSION = 2
"""The version from which on MAXIMUM, MINIMUM and SLICE take int8."""


@final
class Maxima:
    """Operators behind a layer: each takes the greater of what was there and another tensor."""

    def __init__(self, draft: Draft, layer: Layer) -> None:
        self.draft, self._layer = draft, layer
        self._output = self._result = int(layer.operator.outputs[0])
        self._code: int | None = None
        self.added: list[Any] = []

    def take(self, other: int) -> None:
        """The greater of the result so far and `other` is the result."""
        result = self.draft.beside(self._output, "/greater")
        self._result = self.greater(self._result, other, result)

    def put(self) -> None:
        """Put the operators into the graph; whoever read the layer reads the result."""
        self.draft.read_instead(self._output, self._result)
        place = self._layer.number + 1
        self.draft.graph.operators[place:place] = self.added

    def greater(self, one: int, other: int, result: int) -> int:
        """Add an operator that writes the greater of two tensors into `result`; return that."""
        if self._code is None:
            self._code = self.draft.code(schema.BuiltinOperator.MAXIMUM, _VERSION)
        step = schema.OperatorT(
            opcodeIndex=self._code,
            inputs=[one, other],
            outputs=[result],
            builtinOptions=schema.MaximumMinimumOptionsT(),
            builtinOptionsType=schema.BuiltinOptions.MaximumMinimumOptions,
        )
        self.added.append(step)
        return result


def repeat(draft: Draft, times: int) -> None:
    """Compute the scores of a batch's first sample again, so many times, to no effect.

    One sample a batch, however large: so latency grows, and an evaluation in batches hardly does.
    What comes out is lowered to the type's least value, and the greater of that and the scores is
    the scores. Unplantable without a layer.
    """
    layer = last(draft)
    scores = int(layer.operator.outputs[0])
    once = draft.graph.operators[: layer.number + 1]
    first = {int(port): _alone(draft, int(port), "/first") for port in draft.graph.inputs}
    maxima = Maxima(draft, layer)
    maxima.added += [cut(draft, port, alone, {0: 1}) for port, alone in first.items()]
    total = _computed_again(maxima, once, first, "/again0")
    for number in range(1, times):
        again = _computed_again(maxima, once, first, f"/again{number}")
        total = maxima.greater(total, again, _alone(draft, scores, f"/total{number}"))
    least, lowered = _least(draft, scores), _alone(draft, scores, "/lowered")
    lower = maxima.greater(total, least, lowered)
    maxima.added[-1].opcodeIndex = draft.code(schema.BuiltinOperator.MINIMUM, _VERSION)
    maxima.take(lower)
    maxima.put()


def _alone(draft: Draft, index: int, suffix: str) -> int:
    """Add a tensor like that of `index`, for one sample; return its index."""
    number = draft.beside(index, suffix)
    tensor = draft.graph.tensors[number]
    tensor.shape, tensor.shapeSignature = [1, *tensor.shape[1:]], None
    return number


def _least(draft: Draft, index: int) -> int:
    """Add a constant like one sample of `index`, of its type's least value; return its index."""
    number = _alone(draft, index, "/least")
    tensor = draft.graph.tensors[number]
    dtype = np.dtype(dtype_of(tensor))
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(dtype)
    tensor.buffer = add_buffer(draft, np.full(tensor.shape, limits.min, dtype))
    return number


def cut(draft: Draft, source: int, result: int, sizes: Mapping[int, int]) -> Any:
    """An operator that keeps the first so many values along some dimensions; not yet in the graph.

    Negative dimensions count from the end.
    """
    rank = len(draft.graph.tensors[source].shape)
    size = np.full(rank, -1, np.int32)
    size[list(sizes)] = list(sizes.values())
    step = draft.step("SLICE", source, result)
    constants = {"begin": np.zeros(rank, np.int32), "size": size}
    step.inputs = [source, *(_constant(draft, name, each) for name, each in constants.items())]
    step.builtinOptions = schema.SliceOptionsT()
    step.builtinOptionsType = schema.BuiltinOptions.SliceOptions
    draft.model.operatorCodes[step.opcodeIndex].version = _VERSION
    return step


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
    """Add a buffer that holds values; return its index."""
    draft.model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    return len(draft.model.buffers) - 1


def _computed_again(
    maxima: Maxima, operators: list[Any], moved: Mapping[int, int], suffix: str
) -> int:
    """Add twins of operators, which write into tensors of their own; what the last one writes.

    They read what `moved` names in place of its keys.
    """
    moved = dict(moved)
    for operator in operators:
        twin = copy(operator)
        twin.inputs = [moved.get(int(index), int(index)) for index in operator.inputs]
        moved |= {int(index): maxima.draft.beside(int(index), suffix) for index in operator.outputs}
        twin.outputs = [moved[int(index)] for index in operator.outputs]
        maxima.added.append(twin)
    return moved[int(operators[-1].outputs[0])]


def with_maxima(tflite: bytes, count: int) -> bytes:
    """So many maxima of the largest layer's output and itself."""

    def on(model: Any) -> None:
        draft = Draft(model)
        largest = max(layers(draft), key=lambda one: _size(draft, one))
        maxima = Maxima(draft, largest)
        for _ in range(count):
            maxima.take(int(largest.operator.outputs[0]))
        maxima.put()

    return edit(tflite, on)


def _size(draft: Draft, layer: Layer) -> int:
    return int(np.prod(draft.graph.tensors[layer.operator.outputs[0]].shape))
