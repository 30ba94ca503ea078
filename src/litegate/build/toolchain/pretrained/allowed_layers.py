"""Refuse network configurations that name anything but Keras's own classes, or that run code.

Keras's safe mode refuses lambdas, but tf_keras still imports any module that a file names. So the
configuration is checked here before Keras reads it. Needs only the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litegate.build.toolchain.failures import ToolchainError

Config = dict[str, Any]

NETWORKS = frozenset({"Functional", "Model", "Sequential"})
_CODE_CLASSES = frozenset(
    {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper", "__lambda__"}
)
"""Classes whose settings contain code, or name a file that does."""
_OPERATIONS = frozenset({"ClassMethod", "SlicingOpLambda", "TFOpLambda"})
"""Classes that tf_keras uses for an operation on tensors; they name a function of TensorFlow."""
_HARMLESS = ("__operators__.", "linalg.", "math.", "nn.")
"""Prefixes of TensorFlow's functions that only compute."""
_HARMLESS_NAMES = frozenset(
    {
        *("cast", "clip_by_value", "compat.v1.shape", "concat", "expand_dims", "identity", "pad"),
        *("reshape", "shape", "slice", "split", "squeeze", "stack", "strided_slice", "tile"),
        *("transpose", "unstack"),
    }
)
"""Other functions of TensorFlow that only compute."""
_KERAS = ("keras", "tf_keras", "builtins")


def start_error(name: str, *, got: str, expected: str, remedy: str) -> ToolchainError:
    """Return the error for a pretrained network that cannot be used; `name` is its file."""
    return ToolchainError(
        "start",
        f"litegate.trained cannot start from {name}",
        expected=expected,
        got=got,
        remedy=remedy,
    )


def demand_own_classes(config: Any, layers: frozenset[str], name: str) -> None:
    """Raise ToolchainError, naming the layer, if a configuration names classes not of Keras.

    `layers` are the names of Keras's layer classes.
    """
    kind = _kind(config) if isinstance(config, dict) else None
    if kind not in NETWORKS:
        raise _foreign_error(name, f"the network's class {kind} is not a class of Keras")
    for dictionary in _all_dictionaries(config):
        if violation := _violation(dictionary):
            raise _foreign_error(name, violation)
    for layer in _layers(config):
        if _kind(layer) not in layers | NETWORKS | _OPERATIONS:
            raise _foreign_error(name, f"{_label(layer)} of your own class {_kind(layer)}")


def _violation(entry: Config) -> str:
    """Describe what one dictionary of a configuration names and must not; empty if nothing."""
    kind = _kind(entry)
    if kind in _CODE_CLASSES:
        return f"{_label(entry)} of the class {kind}, which contains code"
    module = entry.get("module")
    if isinstance(module, str) and module.partition(".")[0] not in _KERAS:
        return f"{_label(entry)} of the module {module}"
    if kind == "function":
        return f"the function {entry.get('config')!r}"
    settings = entry.get("config")
    function = settings.get("function") if isinstance(settings, dict) else None
    if kind in _OPERATIONS and not _is_harmless(function):
        return f"{_label(entry)}, which calls TensorFlow's {function}"
    return ""


def _kind(entry: Config) -> str:
    return str(entry.get("class_name"))


def _is_harmless(function: Any) -> bool:
    is_name = isinstance(function, str)
    return is_name and (function.startswith(_HARMLESS) or function in _HARMLESS_NAMES)


def _label(entry: Config) -> str:
    settings = entry.get("config")
    name = entry.get("name") or (settings.get("name") if isinstance(settings, dict) else None)
    return f"the layer {name}" if name else "something"


def _all_dictionaries(config: Any) -> Iterator[Config]:
    """Yield every dictionary of a configuration, nested ones included.

    Iterative, because a damaged file may be nested deeper than Python's recursion limit.
    """
    pending = [config]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def _layers(config: Any) -> Iterator[Config]:
    for dictionary in _all_dictionaries(config):
        layers = dictionary.get("layers")
        for layer in layers if isinstance(layers, list) else []:
            if isinstance(layer, dict) and "class_name" in layer:
                yield layer


def _foreign_error(name: str, got: str) -> ToolchainError:
    return start_error(
        name,
        got=got,
        expected="only layers of Keras, since litegate runs no code of the file",
        remedy="build the network in a builder and load its weights "
        "(`@litegate.model(files=[...])`), or use a SavedModel for recipes without QAT",
    )
