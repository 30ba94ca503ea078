"""Load a SavedModel without layers: it can be converted and run, but not trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.pretrained.allowed_layers import start_error
from litegate.build.toolchain.pretrained.formats import GRAPH, damaged_error
from litegate.spec import Kind, Recipe

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of one sample of each input; the name is empty if there is a single array."""
SIGNATURE = "serving_default"
_BATCH = 250
"""Samples in one call, if the graph leaves the batch open: more need more memory, fewer more calls.

Fixed, because the batch may decide the order of float sums, hence the stored outputs; as in
`networks`."""
_UNSAFE_OPERATIONS = frozenset(
    ["EagerPyFunc", "MatchingFiles", "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile"]
)
"""Operations that run Python, or access files that the graph names."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedGraph:
    """A pretrained network without layers: a function with one input and one output."""

    name: str
    """The file, for messages."""
    folder: Path
    reason: str
    """Why it cannot be trained, for messages."""
    function: Any
    """The concrete function."""
    port: Any
    """The TensorSpec of its input."""

    def demand(self, recipe: Recipe, epochs: int) -> None:
        """Raise ToolchainError if a recipe trains, or if the model declares `epochs`."""
        recipe_trains = recipe.kind is Kind.INT8_QAT or recipe.epochs
        if not recipe_trains and not epochs:
            return
        trainer = recipe.name if recipe_trains else "Training(epochs=...)"
        raise start_error(
            self.name,
            got=self.reason,
            expected=f"a network of Keras's layers, which {trainer} trains; a graph has no layers",
            remedy="use the .keras file that it was exported from, or a recipe that does not "
            "train: float32, dynamic_range, float16, int8_ptq, int16x8",
        )

    def converter(self, frameworks: Frameworks) -> Any:
        """Return TensorFlow's converter for the graph."""
        return frameworks.tf.lite.TFLiteConverter.from_saved_model(
            str(self.folder), signature_keys=[SIGNATURE]
        )

    def predict(self, x: Any, alive: Callable[[], None]) -> NDArray[np.float32]:
        """Compute the outputs, shape (n, ...), for samples of shape (n, ...)."""
        size = self.port.shape[0] or _BATCH
        batches = []
        for start in range(0, len(x), size):
            outputs = self.function(**{self.port.name: x[start : start + size]})
            batches.append(next(iter(outputs.values())).numpy())
            alive()
        return np.concatenate(batches).astype(np.float32)


def demand_harmless(folder: Path, name: str) -> None:
    """Raise ToolchainError if a SavedModel is damaged, runs Python or accesses files."""
    # Late: TensorFlow's flags must be set before its import (determinism).
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        saved_model = SavedModel.FromString((folder / GRAPH).read_bytes())
    except (OSError, DecodeError) as error:
        raise damaged_error(name, error) from error
    if not saved_model.meta_graphs:
        raise damaged_error(name, f"{GRAPH} without a graph")
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        if unsafe := sorted(_UNSAFE_OPERATIONS & {node.op for node in nodes}):
            raise start_error(
                name,
                got=f"the operations {', '.join(unsafe)}",
                expected="a graph that neither runs Python nor accesses files",
                remedy="remove them, and export it again",
            )


def load_graph(
    frameworks: Frameworks, folder: Path, name: str, shapes: Shapes, reason: str
) -> ConvertedGraph:
    """Load the graph of a SavedModel.

    `reason` says why it cannot be trained. Raises ToolchainError unless it has one float32 input
    that fits the samples' shape, and one output.
    """
    tf, shape = frameworks.tf, shapes.get("")
    try:
        module = tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises many types for a damaged file
        raise damaged_error(name, error) from error
    function = module.signatures.get(SIGNATURE)
    if function is None:
        raise start_error(
            name,
            got=f"the signatures {sorted(module.signatures) or 'none'}",
            expected=f"a signature named {SIGNATURE}",
            remedy="tf.saved_model.save(module, folder, signatures=module.__call__)",
        )
    ports = list(function.structured_input_signature[1].values())
    inputs = [(port.name, str(port.shape)) for port in ports]
    outputs = function.structured_outputs
    if len(ports) != 1 or len(outputs) != 1 or not _accepts(tf, ports[0], shape):
        raise start_error(
            name,
            got=f"inputs {inputs}, {len(outputs)} outputs",
            expected=f"one float32 input of shape {(None, *(shape or ()))} and one output",
            remedy="change the preprocessing of the data set, or export another function",
        )
    function.module = module  # keep a reference: otherwise TensorFlow deletes the variables
    return ConvertedGraph(name=name, folder=folder, reason=reason, function=function, port=ports[0])


def _accepts(tf: Any, port: Any, shape: tuple[int, ...] | None) -> bool:
    if shape is None or port.dtype != tf.float32 or port.shape.rank != len(shape) + 1:
        return False
    return port.shape[0] in (None, 1) and bool(port.shape[1:].is_compatible_with(shape))
