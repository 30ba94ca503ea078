"""What a network's written form may name: Keras's own classes, and nothing that runs code.

Keras's safe mode refuses lambdas, and tf_keras imports whatever module a file names all the same.
So a file is read here before Keras reads it. Standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litegate.build.toolchain.failures import ToolchainError

Config = dict[str, Any]

NETWORKS = frozenset({"Functional", "Model", "Sequential"})
_CARRIERS = frozenset(
    {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper", "__lambda__"}
)
"""Classes whose settings hold code, or name a file that does."""
_OPERATIONS = frozenset({"ClassMethod", "SlicingOpLambda", "TFOpLambda"})
"""What tf_keras makes of an operation on tensors; it names a function of TensorFlow."""
_HARMLESS = ("__operators__.", "linalg.", "math.", "nn.")
_HARMLESS_NAMES = frozenset(
    {
        *("cast", "clip_by_value", "compat.v1.shape", "concat", "expand_dims", "identity", "pad"),
        *("reshape", "shape", "slice", "split", "squeeze", "stack", "strided_slice", "tile"),
        *("transpose", "unstack"),
    }
)
_KERAS = ("keras", "tf_keras", "builtins")


def refused(name: str, *, got: str, expected: str, remedy: str) -> ToolchainError:
    """The error of a trained network that cannot be started from."""
    return ToolchainError(
        "start", f"{name} cannot be started from", expected=expected, got=got, remedy=remedy
    )


def demand_own_classes(written: Any, layers: frozenset[str], name: str) -> None:
    """Refuse a network's written form that names what is not Keras's own; `layers` are its layers.

    Raises ToolchainError, naming the layer.
    """
    kind = _kind(written) if isinstance(written, dict) else None
    if kind not in NETWORKS:
        raise _foreign(name, f"the network is of the class {kind}, which is not Keras's own")
    for each in _dictionaries(written):
        if fault := _fault(each):
            raise _foreign(name, fault)
    for each in _layers(written):
        if _kind(each) not in layers | NETWORKS | _OPERATIONS:
            raise _foreign(name, f"{_called(each)} of your own class {_kind(each)}")


def _fault(found: Config) -> str:
    """What one part of a network's written form names and must not, in words; empty for nothing."""
    kind = _kind(found)
    if kind in _CARRIERS:
        return f"{_called(found)} of the class {kind}, which carries code"
    module = found.get("module")
    if isinstance(module, str) and module.partition(".")[0] not in _KERAS:
        return f"{_called(found)} of the module {module}"
    if kind == "function":
        return f"the function {found.get('config')!r}"
    config = found.get("config")
    function = config.get("function") if isinstance(config, dict) else None
    if kind in _OPERATIONS and not _is_harmless(function):
        return f"{_called(found)}, which calls TensorFlow's {function}"
    return ""


def _kind(found: Config) -> str:
    return str(found.get("class_name"))


def _is_harmless(function: Any) -> bool:
    named = isinstance(function, str)
    return named and (function.startswith(_HARMLESS) or function in _HARMLESS_NAMES)


def _called(found: Config) -> str:
    config = found.get("config")
    name = found.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return f"the layer {name}" if name else "something"


def _dictionaries(written: Any) -> Iterator[Config]:
    """Every dictionary of a written form, the innermost included."""
    waiting = [written]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _layers(written: Any) -> Iterator[Config]:
    for each in _dictionaries(written):
        listed = each.get("layers")
        for layer in listed if isinstance(listed, list) else []:
            if isinstance(layer, dict) and "class_name" in layer:
                yield layer


def _foreign(name: str, got: str) -> ToolchainError:
    return refused(
        name,
        got=got,
        expected="layers of Keras alone: a file is read, and none of its code is run",
        remedy="let a builder of yours make the network of your own classes and load its weights "
        "(`@litegate.model(files=[...])`), or bring a SavedModel, for recipes without QAT",
    )
