"""A SavedModel as a graph: what can be converted and run, and not be trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.pretrained.formats import GRAPH, damaged
from litegate.build.toolchain.pretrained.safety import refused
from litegate.spec import Kind, Recipe

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of one sample of each input; the name is empty for one array alone."""
SIGNATURE = "serving_default"
_BATCH = 250
_REACHING_OUT = frozenset(
    ["EagerPyFunc", "MatchingFiles", "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile"]
)
"""Operations that run Python, or touch files that the graph names."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The function of a SavedModel from one input to one output, with its weights."""

    name: str
    """The file, for messages."""
    folder: Path
    why: str
    """Why it is no network to train, in words."""
    function: Any
    """The concrete function."""
    port: Any
    """The TensorSpec of its input."""

    def demand(self, recipe: Recipe, epochs: int) -> None:
        """Refuse a recipe that trains, and `epochs` of training before all recipes."""
        trains = recipe.kind is Kind.INT8_QAT or recipe.epochs
        if not trains and not epochs:
            return
        trained = recipe.name if trains else "Training(epochs=...)"
        raise refused(
            self.name,
            got=self.why,
            expected=f"a network of Keras's layers: {trained} trains them, and a graph has none",
            remedy="bring the .keras file that it was exported from, or take a recipe that does "
            "not train: float32, dynamic_range, float16, int8_ptq, int16x8",
        )

    def converter(self, frameworks: Frameworks) -> Any:
        """TensorFlow's converter of this graph."""
        return frameworks.tf.lite.TFLiteConverter.from_saved_model(
            str(self.folder), signature_keys=[SIGNATURE]
        )

    def answers(self, x: Any, alive: Callable[[], None]) -> NDArray[np.float32]:
        """What it answers to samples of shape (n, ...): shape (n, ...)."""
        size = self.port.shape[0] or _BATCH
        parts = []
        for start in range(0, len(x), size):
            found = self.function(**{self.port.name: x[start : start + size]})
            parts.append(next(iter(found.values())).numpy())
            alive()
        return np.concatenate(parts).astype(np.float32)


def demand_harmless(folder: Path, name: str) -> None:
    """Refuse a SavedModel that is damaged, or whose graph runs Python or touches files."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        found = SavedModel.FromString((folder / GRAPH).read_bytes())
    except (OSError, DecodeError) as error:
        raise damaged(name, error) from error
    if not found.meta_graphs:
        raise damaged(name, f"{GRAPH} without a graph")
    for one in found.meta_graphs:
        nodes = [one.graph_def.node, *(f.node_def for f in one.graph_def.library.function)]
        if reaching := sorted(_REACHING_OUT & {node.op for group in nodes for node in group}):
            raise refused(
                name,
                got=f"the operations {', '.join(reaching)}",
                expected="a graph that computes, and neither runs Python nor touches files",
                remedy="take them out, and export it again",
            )


def loaded(frameworks: Frameworks, folder: Path, name: str, shapes: Shapes, why: str) -> Graph:
    """The graph of a SavedModel; one that does not take samples of its one shape is refused."""
    tf, shape = frameworks.tf, shapes.get("")
    try:
        module = tf.saved_model.load(str(folder))
    except Exception as error:  # whatever TensorFlow raises for a damaged one
        raise damaged(name, error) from error
    function = module.signatures.get(SIGNATURE)
    if function is None:
        raise refused(
            name,
            got=f"the signatures {sorted(module.signatures) or 'none'}",
            expected=f"one that is called {SIGNATURE}",
            remedy="tf.saved_model.save(module, folder, signatures=module.__call__)",
        )
    ports = list(function.structured_input_signature[1].values())
    there = [(port.name, str(port.shape)) for port in ports]
    outputs = function.structured_outputs
    if len(ports) != 1 or len(outputs) != 1 or not _takes(tf, ports[0], shape):
        raise refused(
            name,
            got=f"inputs {there}, {len(outputs)} outputs",
            expected=f"one float32 input of shape {(None, *(shape or ()))} and one output",
            remedy="change the preprocessing of the data set, or export another function",
        )
    function.module = module  # what is not held is gone, with its variables
    return Graph(name=name, folder=folder, why=why, function=function, port=ports[0])


def _takes(tf: Any, port: Any, shape: tuple[int, ...] | None) -> bool:
    if shape is None or port.dtype != tf.float32 or port.shape.rank != len(shape) + 1:
        return False
    return port.shape[0] in (None, 1) and bool(port.shape[1:].is_compatible_with(shape))
