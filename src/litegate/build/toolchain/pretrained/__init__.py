"""Load pretrained networks from `.keras`, `.h5` and SavedModel, without running code in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.keras3 import translate
from litegate.build.toolchain.pretrained.allowed_layers import demand_own_classes
from litegate.build.toolchain.pretrained.formats import (
    METADATA,
    damaged_error,
    is_saved_model,
    read_keras_nodes,
    read_network,
)
from litegate.build.toolchain.pretrained.saved_model import (
    ConvertedGraph,
    Shapes,
    demand_harmless,
    load_graph,
)

__all__ = ["ConvertedGraph", "open_network"]

Builder = Callable[[Any], Any]
"""As a model's own builder: takes tf_keras, returns one of its networks."""
_EXPORT = (
    "rewrite it with other layers; for recipes without QAT, start from a SavedModel of "
    "model.export(folder)"
)


def open_network(
    frameworks: Frameworks, path: Path, name: str, shapes: Shapes
) -> Builder | ConvertedGraph:
    """Return a builder of the pretrained network, or a ConvertedGraph if it has no layers.

    `name` names it in messages; `shapes` are of one sample of each input. Raises ToolchainError
    if it is damaged, has another format, or contains code or classes that are not of Keras.
    """
    if is_saved_model(path):
        return _open_saved_model(frameworks, path, name, shapes)
    saved = read_network(path, name)
    layer_names = frozenset(dir(_keras(frameworks, keras3=saved.keras3).layers))
    demand_own_classes(saved.config, layer_names, name)
    # Keras tells the format by the suffix, which the file in the staging folder does not have.
    copy = path.with_name(f"{path.name}-network{saved.suffix}")
    shutil.copyfile(path, copy)
    return lambda _: _load_network(frameworks, copy, name, keras3=saved.keras3)


def _keras(frameworks: Frameworks, *, keras3: bool) -> Any:
    if not keras3:
        return frameworks.keras
    import keras  # late: its import takes time and draws random numbers; most models do without

    return keras


def _open_saved_model(
    frameworks: Frameworks, path: Path, name: str, shapes: Shapes
) -> Builder | ConvertedGraph:
    demand_harmless(path, name)
    reason = "a graph without layers"
    if (path / METADATA).is_file():
        config = _read_config(path, name)
        try:
            demand_own_classes(config, frozenset(dir(frameworks.keras.layers)), name)
        except ToolchainError as error:
            reason = error.got
        else:
            return lambda _: _load_network(frameworks, path, name, keras3=False)
    return load_graph(frameworks, path, name, shapes, reason)


def _read_config(path: Path, name: str) -> dict[str, Any]:
    """Read the network's configuration from a SavedModel of tf_keras."""
    layers, metrics = read_keras_nodes(path, name)
    if not layers:
        raise damaged_error(name, f"{METADATA} without a network")
    return layers[0] | {"layers": layers[1:], "metrics": metrics}


def _load_network(frameworks: Frameworks, path: Path, name: str, *, keras3: bool) -> Any:
    """Load a network whose configuration was checked; translate one of Keras 3."""
    # Late: tf_keras imports TensorFlow, whose flags must be set before (determinism).
    # `load_model(safe_mode=True)` refuses lambdas of `.keras` files alone; this scope, which is not
    # public, those of `.h5` files and SavedModels, too.
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    try:
        # Not compiled: optimizer and losses may be classes of the user's, and training sets its
        # own.
        with SafeModeScope(safe_mode=True):
            network = _keras(frameworks, keras3=keras3).models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types for a damaged file
        raise damaged_error(name, error) from error
    try:
        return translate(frameworks, network)
    except ToolchainError as error:
        error.remedy = _EXPORT
        raise
