"""Work that changes no value: the greater of two equal tensors, and operators computed again."""

from __future__ import annotations

from copy import copy
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.faults.draft import Draft, edit
from litegate.faults.layers import Layer, layers

_VERSION = 2
"""The version from which on a MAXIMUM takes int8."""


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
        self.added.append(self._step(self._result, other, result))
        self._result = result

    def put(self) -> None:
        """Put the operators into the graph; whoever read the layer reads the result."""
        self.draft.read_instead(self._output, self._result)
        place = self._layer.number + 1
        self.draft.graph.operators[place:place] = self.added

    def _step(self, one: int, other: int, result: int) -> Any:
        if self._code is None:
            self._code = self.draft.code(schema.BuiltinOperator.MAXIMUM, _VERSION)
        return schema.OperatorT(
            opcodeIndex=self._code,
            inputs=[one, other],
            outputs=[result],
            builtinOptions=schema.MaximumMinimumOptionsT(),
            builtinOptionsType=schema.BuiltinOptions.MaximumMinimumOptions,
        )


def computed_again(maxima: Maxima, operators: list[Any], suffix: str) -> int:
    """Add twins of operators, which write into tensors of their own; what the last one writes."""
    moved: dict[int, int] = {}
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


