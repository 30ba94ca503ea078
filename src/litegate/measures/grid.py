"""The grid that a model's outputs lie on: the quantization of the last quantized output tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from litegate.flatbuffer import parse
from litegate.graph import Subgraph, Tensor
from litegate.ports import Port
from litegate.spec import Artifact


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Steps between the least and the greatest value that an output can take."""

    quantum: float
    """Size of one step."""
    low: float
    high: float


def grid_of(artifact: Artifact, port: Port) -> Grid | None:
    """The grid of an output itself or, for a float output, of what its DEQUANTIZE reads.

    None where it is computed in floats. ArtifactError where the file cannot be read.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    return _grid(graph.main, port.index)


def output_grid(tflite: bytes, subject: str) -> Grid | None:
    """As `grid_of`, of the output that a file lists first."""
    main = parse(tflite, subject=subject).main
    return _grid(main, main.outputs[0])


def _grid(main: Subgraph, index: int) -> Grid | None:
    tensor = main.tensors[index]
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
