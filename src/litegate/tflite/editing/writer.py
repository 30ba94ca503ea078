"""Write a new `.tflite` file from tensors and operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.tflite.graph import ABSENT
from litegate.tflite.nibbles import INT4, pack_nibbles


def deprecated_code(number: int) -> int:
    """Return a code for the old field, an int8, in which old readers look for codes below 127."""
    return min(number, 127)


def pack(model: Any) -> bytes:
    """Serialize a `schema_py_generated.ModelT`."""
    builder = flatbuffers.Builder(4096)  # bytes to begin with; it grows by doubling
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationParameters:
    """Quantization parameters: ``real = scale * (integer - zero_point)``."""

    scales: tuple[float, ...] = ()
    """One for the tensor, or one for each channel."""
    zero_point: int = 0
    axis: int = 0
    """The dimension that several scales run along."""
    block_scales: int = ABSENT
    """The index of a tensor with a scale for each block of `block_size` values, if not ABSENT."""
    block_size: int = 0

    def to_schema(self) -> Any:
        """Return the parameters as the schema's object."""
        if self.block_scales != ABSENT:
            return schema.QuantizationParametersT(
                detailsType=schema.QuantizationDetails.BlockwiseQuantization,
                details=schema.BlockwiseQuantizationT(
                    scales=self.block_scales, zeroPoints=ABSENT, blockSize=self.block_size
                ),
            )
        return schema.QuantizationParametersT(
            scale=list(self.scales),
            zeroPoint=[self.zero_point] * len(self.scales),
            quantizedDimension=self.axis,
        )


@final
class ModelWriter:
    """Builder of a model with one graph; tensors are referred to by their index."""

    def __init__(self, description: str) -> None:
        self._graph = schema.SubGraphT(tensors=[], operators=[], inputs=[], outputs=[], name="main")
        self._model = schema.ModelT(
            version=3,  # the only version of the schema that LiteRT reads
            description=description,
            operatorCodes=[],
            subgraphs=[self._graph],
            buffers=[schema.BufferT()],
        )

    def constant(
        self,
        name: str,
        values: NDArray[Any],
        steps: QuantizationParameters | None = None,
        *,
        dtype: str = "",
    ) -> int:
        """Add a constant tensor; return its index. As `dtype` "int4", int8 values are packed."""
        is_packed = dtype == INT4
        data = pack_nibbles(values) if is_packed else np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(schema.BufferT(data=data))
        buffer = len(self._model.buffers) - 1
        name_of_type = dtype or str(values.dtype)
        return self._tensor(name, name_of_type, values.shape, steps, buffer=buffer)

    def computed(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int],
        steps: QuantizationParameters | None = None,
    ) -> int:
        """Add a computed tensor; return its index. A first size of -1 is a dynamic batch."""
        return self._tensor(name, dtype, shape, steps)

    def operator(
        self,
        name: str,
        version: int,
        inputs: Sequence[int],
        output: int,
        options: Any = None,
    ) -> int:
        """Add an operator by the schema's name; return `output`."""
        number = getattr(schema.BuiltinOperator, name)
        code = schema.OperatorCodeT(
            builtinCode=number, deprecatedBuiltinCode=deprecated_code(number), version=version
        )
        self._model.operatorCodes.append(code)
        operator = schema.OperatorT(
            opcodeIndex=len(self._model.operatorCodes) - 1,
            inputs=list(inputs),
            outputs=[output],
            builtinOptions=options,
            builtinOptionsType=_options_type(options),
        )
        self._graph.operators.append(operator)
        return output

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Return the file's bytes, with these tensors as the model's inputs and outputs."""
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        return pack(self._model)

    def _tensor(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int],
        steps: QuantizationParameters | None,
        buffer: int = 0,
    ) -> int:
        tensor = schema.TensorT(
            name=name,
            type=getattr(schema.TensorType, dtype.upper()),
            shape=[abs(size) for size in shape],
            shapeSignature=list(shape),
            buffer=buffer,
            quantization=steps.to_schema() if steps else None,
        )
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1


def _options_type(options: Any) -> int:
    name = type(options).__name__.removesuffix("T") if options else "NONE"
    number: int = getattr(schema.BuiltinOptions, name)
    return number
