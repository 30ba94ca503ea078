"""The settings of one layer: from what Keras 3 writes to what tf_keras reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litegate.build.toolchain.keras3.supported import refused

Config = dict[str, Any]

_RENAMED = {
    "InputLayer": {"batch_shape": "batch_input_shape"},
    "LeakyReLU": {"negative_slope": "alpha"},
}
_ONLY_KERAS3: Mapping[str, Mapping[str, Any]] = {
    "BatchNormalization": {"renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99},
    "Dense": {"quantization_config": None},
    "InputLayer": {"optional": False},
    "ZeroPadding1D": {"data_format": "channels_last"},
}
"""Settings that tf_keras does not have, with the value that means what tf_keras does anyway."""


def translated_config(keras: Any, kind: str, config: Config) -> Config:
    """What `tf_keras` reads for a layer of class `kind` that Keras 3 wrote as `config`.

    Initializers are left out: the weights are copied. Raises ToolchainError, naming the layer, for
    a setting that tf_keras does not have or that is the user's own class or function.
    """
    name, alone = config["name"], _ONLY_KERAS3.get(kind, {})
    renamed = _RENAMED.get(kind, {})
    found: Config = {}
    for key, value in config.items():
        if key in alone:
            if value != alone[key]:
                raise _setting(name, key, value, expected=repr(alone[key]))
        elif not key.endswith("_initializer"):
            found[renamed.get(key, key)] = _translated(keras, name, key, value)
    return found


def _translated(keras: Any, name: str, key: str, value: Any) -> Any:
    if key == "dtype":
        return _float32(name, value)
    if value is None:
        return None
    if key == "activation" and not isinstance(value, str):
        raise _setting(
            name,
            key,
            value,
            expected="the name of one of Keras's activations",
            remedy="write the activation as a layer of its own, such as keras.layers.ReLU",
        )
    if key.endswith("_regularizer"):
        return _made(keras.regularizers, name, key, value)
    if key.endswith("_constraint"):
        return _made(keras.constraints, name, key, value)
    return value


def _float32(name: str, value: Any) -> str:
    policy = value if isinstance(value, str) else value["config"].get("name")
    if policy != "float32":
        raise _setting(
            name,
            "dtype",
            policy,
            expected="float32",
            remedy="leave dtype out; recipes make networks smaller, float16() among them",
        )
    return "float32"


def _made(module: Any, name: str, key: str, value: Any) -> Any:
    """The same regularizer or constraint, of `tf_keras`."""
    ours = isinstance(value, dict) and str(value.get("module")).startswith("keras.")
    kind = getattr(module, value["class_name"], None) if ours else None
    if not isinstance(kind, type):
        raise _setting(name, key, value, expected="one that Keras comes with")
    return kind(**value["config"])


def _setting(name: str, key: str, value: Any, *, expected: str, remedy: str = "") -> Exception:
    written = value.get("class_name", value) if isinstance(value, dict) else value
    return refused(name, got=f"{key}={written!r}"[:200], expected=expected, remedy=remedy)
