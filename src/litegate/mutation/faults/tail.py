"""Operators put between a model's scores and whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.layers import last
from litegate.mutation.faults.scene import Unplantable
from litegate.tflite.editing.draft import Draft
from litegate.tflite.editing.writer import Steps


@final
class Tail:
    """Operators behind the tensor `scores`: the last of them is to write `after`."""

    def __init__(self, draft: Draft, scores: int, place: int) -> None:
        """`place` is where the operators go, among the graph's own."""
        self._draft, self._place = draft, place
        self.scores, self.after = scores, draft.beside(scores, "/after")
        draft.read_instead(scores, self.after)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the scores, for one sample."""
        return tuple(int(size) for size in self._draft.graph.tensors[self.scores].shape)

    @property
    def scale(self) -> float:
        """The size of a step of the scores. Unplantable where they are not int8."""
        tensor = self._draft.graph.tensors[self.scores]
        if tensor.type != schema.TensorType.INT8:
            raise Unplantable("the scores are not int8")
        return float(tensor.quantization.scale[0])

    def constant(self, name: str, values: NDArray[Any], steps: Steps | None = None) -> int:
        """Add a tensor that holds values."""
        raw = np.frombuffer(values.tobytes(), np.uint8)
        self._draft.model.buffers.append(schema.BufferT(data=raw))
        buffer = len(self._draft.model.buffers) - 1
        return self._tensor(name, values.dtype.name, values.shape, buffer, steps)

    def computed(self, name: str, shape: Sequence[int], dtype: str = "float32") -> int:
        """Add a tensor without values; a first size of -1 is a free batch."""
        return self._tensor(name, dtype, shape, 0, None)

    def like_scores(self, name: str, shape: Sequence[int], scale: float | None = None) -> int:
        """Add a tensor of the scores' type and steps; with a scale of its own, around 0."""
        number = self._draft.beside(self.scores, f"/{name}")
        tensor = self._draft.graph.tensors[number]
        tensor.shape, tensor.shapeSignature = [abs(size) for size in shape], list(shape)
        if scale is not None:
            tensor.quantization = Steps(scales=(scale,)).written()
        return number

    def put(
        self, kind: str, inputs: Sequence[int], output: int, options: Any, version: int = 1
    ) -> None:
        """Add an operator of the schema's name behind the ones before."""
        operator = self._draft.step(kind, inputs[0], output)
        self._draft.model.operatorCodes[operator.opcodeIndex].version = version
        operator.inputs = list(inputs)
        operator.builtinOptions = options
        name = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        self._draft.graph.operators.insert(self._place, operator)
        self._place += 1

    def _tensor(
        self, name: str, dtype: str, shape: Sequence[int], buffer: int, steps: Steps | None
    ) -> int:
        tensor = schema.TensorT(
            name=f"planted/{name}".encode(),
            type=getattr(schema.TensorType, dtype.upper()),
            shape=[abs(size) for size in shape],
            shapeSignature=list(shape),
            buffer=buffer,
            quantization=steps.written() if steps else None,
        )
        self._draft.graph.tensors.append(tensor)
        return len(self._draft.graph.tensors) - 1


def behind_last_layer(draft: Draft) -> Tail:
    """A tail behind the last layer. Unplantable where the model has none."""
    layer = last(draft)
    return Tail(draft, int(layer.operator.outputs[0]), layer.number + 1)


def behind_output(draft: Draft) -> Tail:
    """A tail behind the model's output. Unplantable where that is not float32."""
    output = draft.output
    if draft.graph.tensors[output].type != schema.TensorType.FLOAT32:
        raise Unplantable("outputs are integers, which are always finite")
    return Tail(draft, output, len(draft.graph.operators))
