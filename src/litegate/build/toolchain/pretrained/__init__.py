"""Trained networks out of files: `.keras`, `.h5` and SavedModel; read, and never run as code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.keras3 import translated
from litegate.build.toolchain.pretrained.formats import (
    METADATA,
    Written,
    damaged,
    is_saved_model,
    keras_nodes,
    read,
)
from litegate.build.toolchain.pretrained.safety import demand_own_classes
from litegate.build.toolchain.pretrained.saved_model import Graph, Shapes, demand_harmless, loaded

__all__ = ["Graph", "opened"]

Builder = Callable[[Any], Any]
"""As a model's own: takes tf_keras, returns a network of it."""
_EXPORT = (
    "write it in another way; or model.export(folder) and start from that SavedModel, for recipes "
    "without QAT"
)


def opened(frameworks: Frameworks, path: Path, name: str, shapes: Shapes) -> Builder | Graph:
    """What gives the trained network of a file, anew each time; a Graph where it has no layers.

    `name` is what messages call it, `shapes` are those of one sample of each input. Raises
    ToolchainError for what cannot be started from: damaged, of other formats, with code or classes
    of its own.
    """
    if is_saved_model(path):
        return _of_folder(frameworks, path, name, shapes)
    written = read(path, name)
    demand_own_classes(written.config, _layers(frameworks, written), name)
    suited = path.with_name(f"{path.name}-network{written.suffix}")
    shutil.copyfile(path, suited)
    return lambda _: _network(frameworks, suited, name, keras3=written.keras3)


def _layers(frameworks: Frameworks, written: Written) -> frozenset[str]:
    return frozenset(dir(_keras(frameworks, keras3=written.keras3).layers))


def _keras(frameworks: Frameworks, *, keras3: bool) -> Any:
    if not keras3:
        return frameworks.keras
    import keras

    return keras


def _of_folder(frameworks: Frameworks, path: Path, name: str, shapes: Shapes) -> Builder | Graph:
    demand_harmless(path, name)
    why = "a graph without layers"
    if (path / METADATA).is_file():
        written = _network_of(path, name)
        try:
            demand_own_classes(written, frozenset(dir(frameworks.keras.layers)), name)
        except ToolchainError as error:
            why = error.got
        else:
            return lambda _: _network(frameworks, path, name, keras3=False)
    return loaded(frameworks, path, name, shapes, why)


def _network_of(path: Path, name: str) -> dict[str, Any]:
    """The written form of the network in a SavedModel of tf_keras."""
    layers, metrics = keras_nodes(path, name)
    if not layers:
        raise damaged(name, f"{METADATA} without a network")
    return layers[0] | {"layers": layers[1:], "metrics": metrics}


def _network(frameworks: Frameworks, path: Path, name: str, *, keras3: bool) -> Any:
    """The network of a file that was vetted; one of Keras 3 is translated."""
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    try:
        with SafeModeScope(safe_mode=True):
            network = _keras(frameworks, keras3=keras3).models.load_model(path, compile=False)
    except Exception as error:  # whatever Keras raises for a damaged one
        raise damaged(name, error) from error
    try:
        return translated(frameworks, network)
    except ToolchainError as error:
        error.remedy = _EXPORT
        raise
