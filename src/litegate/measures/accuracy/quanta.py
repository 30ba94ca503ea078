"""Find the quantization grids of a model's outputs and inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from litegate.spec import Artifact
from litegate.tflite.graph import Subgraph, Tensor
from litegate.tflite.parser import parse
from litegate.tflite.ports import Port


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The equally spaced values that an output or input can represent."""

    quantum: float
    """Size of one step."""
    low: float
    high: float


def output_grid_of(artifact: Artifact, port: Port) -> Grid | None:
    """Return the grid of an output or, for a float output, of the tensor that its DEQUANTIZE reads.

    None if the output is computed in floats. Raises ArtifactError if the file cannot be read.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    main, tensor = graph.main, graph.main.tensors[port.index]
    return _grid(_dequantize_input(main, tensor) or tensor if tensor.dtype == "float32" else tensor)


def input_grid_of(artifact: Artifact, port: Port) -> Grid | None:
    """Return the grid of an input or, for a float input, of the tensor that its QUANTIZE writes.

    The widest grid of several; None if any other operator reads the float input. Raises
    ArtifactError if the file cannot be read.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    main, tensor = graph.main, graph.main.tensors[port.index]
    if tensor.dtype != "float32":
        return _grid(tensor)
    readers = [operator for operator in main.operators if port.index in operator.inputs]
    if any(operator.name != "QUANTIZE" for operator in readers):
        return None
    written = (main.tensors[operator.outputs[0]] for operator in readers)
    grids = [grid for tensor in written if (grid := _grid(tensor))]
    return max(grids, key=lambda grid: grid.high - grid.low, default=None)


def _grid(tensor: Tensor) -> Grid | None:
    if len(tensor.scales) != 1 or np.dtype(tensor.dtype).kind not in "iu":
        return None
    limits, scale, zero = np.iinfo(tensor.dtype), tensor.scales[0], tensor.zero_points[0]
    return Grid(quantum=scale, low=(limits.min - zero) * scale, high=(limits.max - zero) * scale)


def _dequantize_input(graph: Subgraph, output: Tensor) -> Tensor | None:
    for operator in graph.operators:
        if output.index in operator.outputs and operator.name == "DEQUANTIZE":
            return graph.tensors[operator.inputs[0]]
    return None
