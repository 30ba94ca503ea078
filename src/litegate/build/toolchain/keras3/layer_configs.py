"""Translate a layer's configuration from Keras 3 to tf_keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litegate.build.toolchain.keras3.supported import layer_error
from litegate.core.escaping import excerpt

Config = dict[str, Any]

_RENAMED = {  # settings of Keras 3 that have another name in tf_keras
    "InputLayer": {"batch_shape": "batch_input_shape"},
    "LeakyReLU": {"negative_slope": "alpha"},
}
_ONLY_KERAS3: Mapping[str, Mapping[str, Any]] = {
    "BatchNormalization": {"renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99},
    "Dense": {"quantization_config": None},
    "InputLayer": {"optional": False},
    "ZeroPadding1D": {"data_format": "channels_last"},
}
"""Settings that tf_keras does not have, with the value that equals tf_keras's behaviour."""


def translate_config(keras: Any, kind: str, config: Config) -> Config:
    """Translate Keras 3's `config` of a layer of class `kind` to tf_keras's.

    Initializers are left out, because the weights are copied. Raises ToolchainError, naming the
    layer, for a setting that tf_keras does not have, or that is a class or function of the user.
    """
    name, only_keras3 = config["name"], _ONLY_KERAS3.get(kind, {})
    renamed = _RENAMED.get(kind, {})
    translated: Config = {}
    for key, value in config.items():
        if key in only_keras3:
            if value != only_keras3[key]:
                raise _setting_error(name, key, value, expected=repr(only_keras3[key]))
        elif not key.endswith("_initializer"):
            translated[renamed.get(key, key)] = _translate_setting(keras, name, key, value)
    return translated


def _translate_setting(keras: Any, name: str, key: str, value: Any) -> Any:
    if key == "dtype":
        return _float32(name, value)
    if value is None:
        return None
    if key == "activation" and not isinstance(value, str):
        raise _setting_error(
            name,
            key,
            value,
            expected="the name of one of Keras's activations",
            remedy="use a separate layer for the activation, such as keras.layers.ReLU",
        )
    if key.endswith("_regularizer"):
        return _translate_object(keras.regularizers, name, key, value)
    if key.endswith("_constraint"):
        return _translate_object(keras.constraints, name, key, value)
    return value


def _float32(name: str, value: Any) -> str:
    policy = value if isinstance(value, str) else value["config"].get("name")
    if policy != "float32":
        raise _setting_error(
            name,
            "dtype",
            policy,
            expected="float32",
            remedy="remove dtype; recipes such as float16() reduce the precision",
        )
    return "float32"


def _translate_object(module: Any, name: str, key: str, value: Any) -> Any:
    """Return the same regularizer or constraint of tf_keras.

    Raises ToolchainError if it is a class of the user.
    """
    is_from_keras = isinstance(value, dict) and str(value.get("module")).startswith("keras.")
    kind = getattr(module, value["class_name"], None) if is_from_keras else None
    if not isinstance(kind, type):
        raise _setting_error(name, key, value, expected="a class of Keras itself")
    return kind(**value["config"])


def _setting_error(
    name: str, key: str, value: Any, *, expected: str, remedy: str = ""
) -> Exception:
    label = value.get("class_name", value) if isinstance(value, dict) else value
    return layer_error(name, got=excerpt(f"{key}={label!r}"), expected=expected, remedy=remedy)
