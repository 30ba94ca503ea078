"""Insert operators between a model's scores and the readers of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.layers import last
from litegate.mutation.faults.scene import Unplantable
from litegate.tflite.editing.draft import Draft
from litegate.tflite.editing.writer import QuantizationParameters


@final
class Tail:
    """Operators behind the tensor `scores`; the last one must write the tensor `after`."""

    def __init__(self, draft: Draft, scores: int, position: int) -> None:
        """Redirect the readers of `scores` to `after`.

        `position` is the index at which operators are inserted into the graph.
        """
        self._draft, self._position = draft, position
        self.scores, self.after = scores, draft.beside(scores, "/after")
        draft.read_instead(scores, self.after)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the scores as the file declares it."""
        return tuple(int(size) for size in self._draft.graph.tensors[self.scores].shape)

    @property
    def scale(self) -> float:
        """The quantization scale of the scores. Raises Unplantable if they are not int8."""
        tensor = self._draft.graph.tensors[self.scores]
        if tensor.type != schema.TensorType.INT8:
            raise Unplantable("the scores are not int8")
        return float(tensor.quantization.scale[0])

    def constant(
        self, name: str, values: NDArray[Any], steps: QuantizationParameters | None = None
    ) -> int:
        """Add a constant tensor; return its index."""
        raw = np.frombuffer(values.tobytes(), np.uint8)
        self._draft.model.buffers.append(schema.BufferT(data=raw))
        buffer = len(self._draft.model.buffers) - 1
        return self._tensor(name, values.dtype.name, values.shape, buffer, steps)

    def computed(self, name: str, shape: Sequence[int], dtype: str = "float32") -> int:
        """Add a computed tensor; return its index. A first size of -1 means any batch size."""
        return self._tensor(name, dtype, shape, 0, None)

    def like_scores(self, name: str, shape: Sequence[int], scale: float | None = None) -> int:
        """Add a tensor with the scores' type and quantization; return its index.

        With `scale`, the tensor has that scale and the zero point 0 instead.
        """
        index = self._draft.beside(self.scores, f"/{name}")
        tensor = self._draft.graph.tensors[index]
        tensor.shape, tensor.shapeSignature = [abs(size) for size in shape], list(shape)
        if scale is not None:
            tensor.quantization = QuantizationParameters(scales=(scale,)).to_schema()
        return index

    def put(
        self, kind: str, inputs: Sequence[int], output: int, options: Any, version: int = 1
    ) -> None:
        """Insert the operator that the schema calls `kind` after those inserted so far.

        `version` is the lowest that takes int8, by LiteRT's tflite/tools/versioning/op_version.cc.
        """
        operator = self._draft.step(kind, inputs[0], output)
        self._draft.model.operatorCodes[operator.opcodeIndex].version = version
        operator.inputs = list(inputs)
        operator.builtinOptions = options
        name = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        self._draft.graph.operators.insert(self._position, operator)
        self._position += 1

    def _tensor(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int],
        buffer: int,
        steps: QuantizationParameters | None,
    ) -> int:
        tensor = schema.TensorT(
            name=f"planted/{name}".encode(),
            type=getattr(schema.TensorType, dtype.upper()),
            shape=[abs(size) for size in shape],
            shapeSignature=list(shape),
            buffer=buffer,
            quantization=steps.to_schema() if steps else None,
        )
        self._draft.graph.tensors.append(tensor)
        return len(self._draft.graph.tensors) - 1


def behind_last_layer(draft: Draft) -> Tail:
    """Return a tail behind the last layer. Raises Unplantable if the model has no layer."""
    layer = last(draft)
    return Tail(draft, int(layer.operator.outputs[0]), layer.number + 1)


def behind_output(draft: Draft) -> Tail:
    """Return a tail behind the model's output. Raises Unplantable if it is not float32."""
    output = draft.output
    if draft.graph.tensors[output].type != schema.TensorType.FLOAT32:
        raise Unplantable("outputs are integers, which are always finite")
    return Tail(draft, output, len(draft.graph.operators))
