"""The grid that a model's outputs lie on: the quantization of the last quantized output tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from litegate.flatbuffer import parse
from litegate.graph import Subgraph, Tensor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Steps between the least and the greatest value that an output can take."""

    quantum: float
    """Size of one step."""
    low: float
    high: float


def output_grid(tflite: bytes, subject: str) -> Grid | None:
    """The grid of the output itself or, for a float output, of what its DEQUANTIZE reads.

    None where the outputs are computed in floats. ArtifactError where the file cannot be read.
    """
    main = parse(tflite, subject=subject).main
    tensor = main.tensors[main.outputs[0]]
    if tensor.dtype == "float32":
        tensor = _dequantized(main, tensor) or tensor
    if len(tensor.scales) != 1:
        return None
    limits, scale, zero = np.iinfo(tensor.dtype), tensor.scales[0], tensor.zero_points[0]
    return Grid(quantum=scale, low=(limits.min - zero) * scale, high=(limits.max - zero) * scale)


def _dequantized(graph: Subgraph, output: Tensor) -> Tensor | None:
    for operator in graph.operators:
        if output.index in operator.outputs and operator.name == "DEQUANTIZE":
            return graph.tensors[operator.inputs[0]]
    return None
