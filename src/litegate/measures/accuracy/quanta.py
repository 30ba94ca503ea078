"""The grids of a model: of outputs, by the last quantized tensor; of inputs, by the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from litegate.spec import Artifact
from litegate.tflite.graph import Subgraph, Tensor
from litegate.tflite.ports import Port
from litegate.tflite.reader import parse


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Steps between the least and the greatest value that an output or input can take."""

    quantum: float
    """Size of one step."""
    low: float
    high: float


def grid_of(artifact: Artifact, port: Port) -> Grid | None:
    """The grid of an output itself or, for a float output, of what its DEQUANTIZE reads.

    None where it is computed in floats. ArtifactError where the file cannot be read.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    return _output_grid(graph.main, port.index)


def input_grid_of(artifact: Artifact, port: Port) -> Grid | None:
    """The grid of an input itself or, for a float input, of what QUANTIZE makes of it.

    The widest of several; None where something else reads it, too. ArtifactError where the file
    cannot be read.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    main, tensor = graph.main, graph.main.tensors[port.index]
    if tensor.dtype != "float32":
        return _grid(tensor)
    readers = [one for one in main.operators if port.index in one.inputs]
    if any(one.name != "QUANTIZE" for one in readers):
        return None
    found = [grid for one in readers if (grid := _grid(main.tensors[one.outputs[0]]))]
    return max(found, key=lambda grid: grid.high - grid.low, default=None)


def output_grid(tflite: bytes, subject: str) -> Grid | None:
    """As `grid_of`, of the output that a file lists first."""
    main = parse(tflite, subject=subject).main
    return _output_grid(main, main.outputs[0])


def _output_grid(main: Subgraph, index: int) -> Grid | None:
    tensor = main.tensors[index]
    return _grid(_dequantized(main, tensor) or tensor if tensor.dtype == "float32" else tensor)


def _grid(tensor: Tensor) -> Grid | None:
    if len(tensor.scales) != 1 or np.dtype(tensor.dtype).kind not in "iu":
        return None
    limits, scale, zero = np.iinfo(tensor.dtype), tensor.scales[0], tensor.zero_points[0]
    return Grid(quantum=scale, low=(limits.min - zero) * scale, high=(limits.max - zero) * scale)


def _dequantized(graph: Subgraph, output: Tensor) -> Tensor | None:
    for operator in graph.operators:
        if output.index in operator.outputs and operator.name == "DEQUANTIZE":
            return graph.tensors[operator.inputs[0]]
    return None
